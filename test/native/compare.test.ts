/** Programs in the machine against what a real Linux printed for them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { haveGcc } from '../helpers/build.ts';
import { runProgram } from '../linux/helpers/run-guest.ts';
import { expectedText, normalise } from './rules.ts';
import { RECORDINGS } from './table.ts';

const PROGRAMS = join(import.meta.dirname, 'programs');
/** sigframe reads 4 KiB from the frame on: there has to be so much stack. */
const ENVIRONMENT = [`ROOM=${'x'.repeat(8192)}`];

describe('what a real Linux printed', () => {
  let built: string;
  before(function () {
    if (!haveGcc()) this.skip();
    built = mkdtempSync(join(tmpdir(), 'native-'));
    execFileSync('sh', [join(PROGRAMS, 'build.sh'), built], { stdio: 'inherit' });
  });
  after(() => {
    if (built) rmSync(built, { recursive: true });
  });

  for (const row of RECORDINGS) {
    const args = row.args?.join(' ') ?? '';
    it(`${row.file}: ${row.program} ${args} on ${row.kernel}${row.patches ? ` with ${row.patches}` : ''}, ${row.exceptions.length} exceptions`, () => {
      const run = runProgram(join(built, row.program), {
        kernel: row.kernel,
        cwd: built,
        env: ENVIRONMENT,
        limit: 3_000_000_000,
        ...(row.args && { argv: row.args }),
        ...(row.patches && { patches: row.patches }),
      });
      const expected = expectedText(readFileSync(join(PROGRAMS, row.file), 'utf8'), row);
      expect(normalise(run.output, row.varies)).to.equal(expected);
    });
  }

  it('has a row for each recording', () => {
    const recorded = readdirSync(PROGRAMS).filter((name) => name.endsWith('.txt'));
    // core.test.ts has that one.
    const compared = new Set(['e_core.txt', ...RECORDINGS.map(({ file }) => file)]);
    expect(recorded.filter((name) => !compared.has(name))).to.deep.equal([]);
  });
});
