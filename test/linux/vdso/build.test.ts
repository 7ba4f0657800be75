import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { haveGcc } from '../../helpers/build.ts';

/** The compiler that the committed images were built with: another one may order its code otherwise. */
const GCC = '12';

describe('linux/vdso/src/build.sh', () => {
  it('builds the images that are committed', function () {
    if (!haveGcc()) this.skip();
    if (execFileSync('gcc', ['-dumpversion'], { encoding: 'utf8' }).trim().split('.')[0] !== GCC) {
      if (process.env['CI']) throw new Error(`gcc ${GCC} is missing`);
      process.stderr.write(`SKIPPED LOUDLY: gcc ${GCC} is not the host's\n`);
      this.skip();
    }
    const out = mkdtempSync(join(tmpdir(), 'vdso-'));
    try {
      execFileSync('sh', ['linux/vdso/src/build.sh', out]);
      for (const name of ['vdso64.so', 'vdso32.so', 'vdsox32.so']) {
        expect(readFileSync(join(out, name)).equals(readFileSync(join('linux/vdso', name))), name).to.equal(true);
      }
    } finally {
      rmSync(out, { recursive: true });
    }
  });
});
