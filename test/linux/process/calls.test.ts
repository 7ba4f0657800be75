/** calls.c in the machine against what it printed on a real Linux 6.18, as root without CAP_SYS_RESOURCE. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { buildC, haveGcc } from '../../helpers/build.ts';
import { runProgram } from '../helpers/run-guest.ts';

const here = (name: string): string => readFileSync(join(import.meta.dirname, name), 'utf8');

describe('credentials, capabilities, prctl, memory advice, limits', () => {
  before(function () {
    if (!haveGcc()) this.skip();
  });

  for (const mode of ['64', '32'] as const) {
    it(`${mode}-bit`, () => {
      const program = buildC('process', here('calls.c'), [`-m${mode}`, '-w', '-static']);
      const run = runProgram(program);
      expect(run.output).to.equal(here(`calls-${mode}.txt`));
      expect(run.status).to.equal(0);
    });
  }
});
