/** PTRACE_SINGLEBLOCK by what the processor does with DEBUGCTL.BTF: Intel SDM vol. 3, 17.4.3. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { haveGcc } from '../helpers/build.ts';
import { runProgram } from '../linux/helpers/run-guest.ts';
import { buildGuest } from './build.ts';

const TRAP_TRACE = 'code 2 dr6 4000';
/** Where each taken branch leads; the last one of the loop is not taken. int3 leaves DR6 as it is. */
const BRANCHES = ['loop', 'loop', 'over', 'callee', 'back', 'end'];

describe('PTRACE_SINGLEBLOCK', () => {
  for (const bits of ['64', '32'] as const) {
    it(`stops behind each branch that is taken, ${bits}-bit`, function () {
      if (!haveGcc()) this.skip();
      const folder = mkdtempSync(join(tmpdir(), 'ptrace-'));
      const { output } = runProgram(buildGuest('block-step', bits, folder));
      rmSync(folder, { recursive: true });
      const lines = output.trim().split('\n');
      expect(lines.slice(1, -2)).to.deep.equal(BRANCHES.map((name) => `${name} ${TRAP_TRACE}`));
      expect(lines.at(-2)).to.equal('elsewhere code 128 dr6 4000');
      expect(lines.at(-1)).to.match(/^a single step +stopped sig 5 event 0$/);
    });
  }
});
