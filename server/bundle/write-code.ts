/** `node write-code.js FOLDER ARGS..`: runs the bundle in FOLDER and keeps what V8 compiled of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { bundleScript, CODE, runBundle } from './bundle-script.ts';

const [folder] = process.argv.splice(2, 1) as [string];
const script = bundleScript(folder);
// What has not run for a while stays; the flag has its old value when the code is written, for V8 compares flags.
setFlagsFromString('--no-flush-bytecode');
process.on('exit', () => {
  setFlagsFromString('--flush-bytecode');
  writeFileSync(join(folder, CODE), script.createCachedData());
});
runBundle(script, require, folder);
