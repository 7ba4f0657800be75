import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { buildC, haveGcc } from '../helpers/build.ts';
import { runProgram } from './machine.ts';
import { runNative } from './native.ts';

const GUESTS = resolve(import.meta.dirname, 'guests');

/** Programs that print what calls answer, natively and in the machine, each in a fresh folder. */
describe('calls that programs make, compared with the host', () => {
  for (const name of ['sockets', 'terminal', 'names', 'locks', 'inotify', 'renames', 'xattrs']) {
    for (const bits of ['32', '64']) {
      it(`${name}.c in ${bits} bits`, function () {
        if (!haveGcc()) this.skip();
        const program = buildC(name, readFileSync(join(GUESTS, `${name}.c`), 'utf8'), [`-m${bits}`, '-w']);
        const cwd = mkdtempSync(join(tmpdir(), 'calls-'));
        try {
          const run = { argv: [program], root: '/', cwd, input: '', env: { PATH: '/usr/bin:/bin' } };
          const ours = runProgram(run);
          const native = runNative(run);
          if (/keeps no attributes/.test(native.stdout)) this.skip();
          expect(ours.stdout, ours.stderr).to.equal(native.stdout);
          expect(ours.status).to.equal(native.status);
        } finally {
          rmSync(cwd, { recursive: true });
        }
      });
    }
  }
});
