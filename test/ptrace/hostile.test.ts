import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { haveGcc } from '../helpers/build.ts';
import { runProgram } from '../linux/helpers/run-guest.ts';
import { buildGuest } from './build.ts';

describe('random ptrace requests', () => {
  for (const [bits, seed] of [
    ['64', '2'],
    ['32', '3'],
  ] as const) {
    it(`do not disturb the machine: ${bits}-bit, seed ${seed}`, function () {
      if (!haveGcc()) this.skip();
      const folder = mkdtempSync(join(tmpdir(), 'ptrace-'));
      const program = buildGuest('hostile', bits, folder);
      // The same seed, the same run.
      const runs = [0, 1].map(() => runProgram(program, { argv: [seed], limit: 3_000_000_000 }));
      rmSync(folder, { recursive: true });
      for (const run of runs) expect(run.output).to.match(/done\n$/);
      expect(runs[0]!.kernel.cpu.icount).to.equal(runs[1]!.kernel.cpu.icount);
    });
  }
});
