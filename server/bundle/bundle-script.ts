/** The bundle as a script of V8, with the code that V8 made of it earlier. */
import { existsSync, readFileSync } from 'node:fs';
import { Module } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';

export const BUNDLE = 'bundle.js';
export const CODE = 'bundle.code';

/** V8 checks that the code is its own and belongs to the bundle; if not it compiles as always. */
export function bundleScript(folder: string): Script {
  const filename = join(folder, BUNDLE);
  const code = join(folder, CODE);
  // The build sees to it that the bundle is ASCII.
  const source = Module.wrap(readFileSync(filename, 'latin1'));
  return new Script(source, { filename, ...(existsSync(code) && { cachedData: readFileSync(code) }) });
}

/** Runs the bundle as `require` would. */
export function runBundle(script: Script, require: NodeJS.Require, folder: string): void {
  script.runInThisContext()({}, require, {}, join(folder, BUNDLE), folder);
}
