import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { buildC, haveGcc } from '../helpers/build.ts';
import { runProgram } from './machine.ts';
import { runNative } from './native.ts';

const GUESTS = resolve(import.meta.dirname, 'guests');

/** What `work` answers in a fresh folder. */
function inFolder<T>(work: (cwd: string) => T): T {
  const cwd = mkdtempSync(join(tmpdir(), 'calls-'));
  try {
    return work(cwd);
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

/** A busy host's terminals and timers may answer late: a difference counts when it comes three times. */
const ATTEMPTS = 3;

/** Programs that print what calls answer, natively and in the machine. */
describe('calls that programs make, compared with the host', () => {
  for (const name of [
    'sockets',
    'terminal',
    'names',
    'locks',
    'inotify',
    'renames',
    'sendfiles',
    'xattrs',
    'mqueue',
    'sched',
    'ipcinfo',
  ]) {
    for (const bits of ['32', '64']) {
      it(`${name}.c in ${bits} bits`, function () {
        if (!haveGcc()) this.skip();
        const program = buildC(name, readFileSync(join(GUESTS, `${name}.c`), 'utf8'), [`-m${bits}`, '-w']);
        const run = { argv: [program], root: '/', input: '', env: { PATH: '/usr/bin:/bin' } };
        const ours = inFolder((cwd) => runProgram({ ...run, cwd }));
        let native = inFolder((cwd) => runNative({ ...run, cwd }));
        for (let n = 1; n < ATTEMPTS && native.stdout !== ours.stdout; n++) {
          native = inFolder((cwd) => runNative({ ...run, cwd }));
        }
        const lacks = /keeps no attributes|has no queues/.exec(native.stdout);
        if (lacks) {
          process.stderr.write(`SKIPPED LOUDLY: ${name}.c: this host ${lacks[0]}\n`);
          this.skip();
        }
        expect(ours.stdout, ours.stderr).to.equal(native.stdout);
        expect(ours.status).to.equal(native.status);
      });
    }
  }
});
