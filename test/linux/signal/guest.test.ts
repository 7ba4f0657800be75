/** guest/signals.c in the machine against what it printed on a real Linux 6.18, as root. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { buildC, haveGcc } from '../../helpers/build.ts';
import { expectedText, instead, type Recording } from '../../native/rules.ts';
import { runProgram } from '../helpers/run-guest.ts';

const here = (name: string): string => readFileSync(join(import.meta.dirname, 'guest', name), 'utf8');

/** Where v4.7 differs. */
const EXCEPTIONS: Readonly<Record<'64' | '32', Recording['exceptions']>> = {
  '64': [
    instead(
      'rt_sigreturn of v4.7 restores the registers first, and then the alternate stack, on which RSP no longer is',
      /after flags 0\n {2}child flags 0/,
      'after flags 80000000\n  child flags 80000000',
    ),
  ],
  '32': [
    instead(
      'i386 frames do not disarm the alternate stack before v4.11',
      /on 1 flags 2 set 0/,
      'on 1 flags 80000000 set 0',
    ),
  ],
};

describe('signals, timers and waiting, as a program sees them', () => {
  before(function () {
    if (!haveGcc()) this.skip();
  });

  for (const mode of ['64', '32'] as const) {
    it(`${mode}-bit: queues, codes, alternate stacks, timers, restarts, job control`, () => {
      const flags = [`-m${mode}`, '-w', '-msse2', '-mfpmath=sse', '-static', '-pthread'];
      const program = buildC('signals', here('signals.c'), flags, ['-lm', '-lrt']);
      const row: Recording = {
        file: `signals-${mode}.txt`,
        program,
        kernel: 'compat-cr',
        varies: [],
        exceptions: EXCEPTIONS[mode],
      };
      const run = runProgram(program);
      expect(run.output.trim()).to.equal(expectedText(here(row.file), row));
    });
  }
});
