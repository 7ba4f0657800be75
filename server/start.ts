/** `npm start`: the main job on the bundled image, with what to type in gdb. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROJECT, unpackBundled } from './bundled.ts';

const NAME = 'counter32-static';
const image = unpackBundled(NAME);
const port = process.argv[2] ?? '1234';
process.stderr.write(`
A 32-bit task that the real CRIU dumped is being restored; it stands at the first instruction of CRIU's restorer, in
64-bit code. In another terminal type

    gdb -ex 'set $port = ${port}' -x ${PROJECT}gdbscripts/connect.gdb

and in gdb, for example:

    x/3i $pc                        the restorer's first instructions
    tbreak restorer_to_compat       the end of its 64-bit part
    continue
    stepi                           lretq: CS becomes 0x23, and gdb follows
    break restorer_compat_sigreturn
    continue
    stepi                           the 32-bit sigreturn: the dumped program's registers are back
    backtrace
    monitor help
    continue                        to its end; then this prints what it has written

`);
const child = spawn(
  process.execPath,
  [
    '--import',
    'tsx',
    fileURLToPath(new URL('./main.ts', import.meta.url)),
    'restore',
    '--listen',
    `127.0.0.1:${port}`,
    '--root',
    image.root,
    '--upper',
    image.upper,
    image.images,
  ],
  { stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
child.on('close', (code) => {
  const out = join(image.upper, 'srv', 'tasks', NAME, 'out.txt');
  if (existsSync(out))
    process.stdout.write(`\nout.txt, from before the dump and after the restore:\n${readFileSync(out, 'utf8')}`);
  image.remove();
  process.exit(code ?? 1);
});
