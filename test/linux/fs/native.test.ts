import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { buildC, haveGcc } from '../../helpers/build.ts';

const GUESTS = resolve(import.meta.dirname, 'guests');
const FREESTANDING = ['-mgeneral-regs-only', '-nostdlib', '-static', '-ffreestanding', '-fno-stack-protector', '-w'];
const LIBC = ['-static', '-w'];

/** Runs a command in a fresh directory. */
function run(command: string, args: readonly string[]): string {
  const cwd = mkdtempSync(join(tmpdir(), 'compat-fs-'));
  const { stdout, stderr, status } = spawnSync(command, args, { cwd, timeout: 100_000 });
  rmSync(cwd, { recursive: true });
  return `${stdout.toString('latin1')}${stderr.toString()}status ${status}`;
}

/** Programs that print what every call answers, on the host and in the machine, with the host's root as the lower layer. */
describe('file system calls, compared with the host', () => {
  for (const name of ['calls', 'sharing', 'permissions', 'async', 'splice']) {
    for (const bits of ['32', '64']) {
      it(`${name}.c in ${bits} bits`, function () {
        // It gives up root's rights, so it must have them first.
        if (!haveGcc() || (name === 'permissions' && process.getuid?.() !== 0)) this.skip();
        const source = readFileSync(join(GUESTS, `${name}.c`), 'utf8');
        const flags =
          name === 'async' || name === 'splice' ? LIBC : ['-fno-pic', '-no-pie', `-I${GUESTS}`, ...FREESTANDING];
        const program = buildC(name, source, [`-m${bits}`, ...flags]);
        const main = resolve(import.meta.dirname, '../../../server/main.ts');
        const tsx = resolve(import.meta.dirname, '../../../node_modules/tsx/dist/esm/index.mjs');
        const ours = run(process.execPath, ['--import', tsx, main, 'exec', '--run', program]);
        expect(ours).to.equal(run(program, []));
      });
    }
  }
});
