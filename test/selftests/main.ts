/**
 * `npm run selftests -- [--source DIR] [--only NAME] [--scratch DIR] [--kernel NAME] [--verbose]`: the selftests of Linux, natively and in the
 * machine, against table.ts. Status 1 if one of them differs from it. As root, for some of them ask for that.
 */
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PROJECT } from '../../server/bundled.ts';
import { buildSelftest, findSelftests } from './build.ts';
import { BUILDS, type Build } from './programs.ts';
import { EXPECTED } from './table.ts';
import { type Outcome, runTest } from './verdict.ts';

/** Seconds after which a test counts as hanging. */
const LIMIT = { native: 60, here: 900 };

const { values } = parseArgs({
  options: {
    source: { type: 'string' },
    only: { type: 'string', default: '' },
    scratch: { type: 'string', default: join(tmpdir(), 'selftests') },
    kernel: { type: 'string', default: 'compat-cr' },
    verbose: { type: 'boolean', default: false },
  },
});

const selftests = findSelftests(values.source, values.scratch);
execFileSync('npm', ['run', '--silent', 'build'], { cwd: PROJECT, stdio: ['ignore', 'ignore', 'inherit'] });
const main = join(PROJECT, 'dist', 'server', 'main.js');

/** A busy host may say something else: natively a test has so many attempts to agree. */
const ATTEMPTS = 3;

async function both(build: Build): Promise<{ native: Outcome; here: Outcome }> {
  const program = buildSelftest(build, selftests, values.scratch);
  const command = [program, ...(build.program.args ?? [])];
  const emulator = ['node', main, 'exec', '--run', '--kernel', values.kernel];
  const here = await runTest([...emulator, ...command], values.scratch, LIMIT.here);
  const attempts = EXPECTED[build.id]?.reason === undefined ? ATTEMPTS : 1;
  let native = await runTest(command, values.scratch, LIMIT.native);
  for (let n = 1; n < attempts && native.verdict !== here.verdict; n++) {
    native = await runTest(command, values.scratch, LIMIT.native);
  }
  return { native, here };
}

let bad = 0;
const chosen = BUILDS.filter(({ id }) => id.includes(values.only));
if (chosen.length === 0) throw new Error(`--only ${values.only}: no such test`);
for (const build of chosen) {
  const row = EXPECTED[build.id];
  const { native, here } = await both(build);
  const asExpected = here.verdict === row?.verdict;
  const unexplained = native.verdict !== here.verdict && row?.reason === undefined;
  if (!asExpected || unexplained) bad++;
  const words = [
    asExpected && !unexplained ? 'as expected' : 'DIFFERS',
    `${build.id}:`,
    `native ${native.verdict};`,
    `here ${here.verdict} (${here.seconds.toFixed(1)} s);`,
    `expected ${row?.verdict ?? 'nothing: no row'}`,
    ...(row?.reason && native.verdict !== here.verdict ? [`- ${row.reason}`] : []),
  ];
  console.log(words.join(' '));
  if (values.verbose) console.log(`--- native\n${native.output}\n--- here\n${here.output}\n---`);
}
console.log(bad === 0 ? 'all as expected' : `${bad} differ`);
process.exitCode = bad === 0 ? 0 : 1;
