import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { alwaysRaises, isMet, nameOf, type Pair, type PairCount, RowCoverage } from './coverage.ts';
import { Bench, judge, KINDS, type Mismatch, newTally, runBatch, type Tally } from './difftest.ts';
import { announced } from './emulate.ts';
import { buildCase } from './generate.ts';
import { SLOTS } from './layout.ts';
import { NativeRunner } from './native.ts';
import { showMismatch } from './report.ts';
import { Schedule } from './schedule.ts';
import { allEncodings, NOT_COMPARED, wideEncodings } from './templates.ts';
import { unpackVectors, type Vector, vectorLines } from './vectors.ts';

/** A slot of code per case. */
const BATCH = SLOTS;

interface Options {
  readonly count: string;
  readonly seed: string;
  readonly jobs: string;
  readonly rows?: string;
  readonly features?: string;
  readonly kinds?: string;
  readonly examples: string;
  readonly keep?: string;
  readonly replay?: string;
  readonly summary: boolean;
  readonly worker: boolean;
}

/** What a process has found, as far as the report needs it. */
interface Findings {
  readonly cases: number;
  readonly mismatches: number;
  readonly unsteady: number;
  readonly byEncoding: [string, { cases: number; mismatches: number }][];
  readonly counts: PairCount[];
}

function parse(): Options {
  return new Command('difftest')
    .description('Runs instructions on the host and on our CPU and compares the states after them.')
    .option('--count <n>', 'cases', '20000')
    .option('--seed <n>', 'first seed', '1')
    .option('--jobs <n>', 'processes; with the seed they decide the cases', String(availableParallelism()))
    .option('--rows <pattern>', 'only encodings whose name matches this regular expression')
    .option('--features <pattern>', 'only encodings with a CPUID feature that matches')
    .option('--kinds <list>', 'step (under TF), single, sequence; all of them by default')
    .option('--examples <n>', 'mismatches shown per encoding', '1')
    .option('--keep <file>', 'where to append the examples, as vectors')
    .option('--replay <file>', 'runs the vectors of a file, and nothing else')
    .option('--summary', 'counts only', false)
    .option('--worker', 'prints its findings for the process that started it', false)
    .parse()
    .opts<Options>();
}

function work(options: Options, progress: (tally: Tally) => void): Findings {
  const rows = options.rows === undefined ? undefined : new RegExp(options.rows, 'i');
  const features = options.features === undefined ? undefined : new RegExp(options.features, 'i');
  const kinds = options.kinds === undefined ? KINDS : KINDS.filter((kind) => options.kinds!.split(',').includes(kind));
  const bench = new Bench();
  const { runner } = bench;
  const usable = [...allEncodings(), ...wideEncodings()].filter(({ features: has }) =>
    has.every((f) => announced(f) && runner.has(f)),
  );
  const encodings = usable.filter(
    ({ name, features: has }) =>
      (!rows || rows.test(name)) && (!features || has.some((feature) => features.test(feature))),
  );
  if (!runner.has('AVX512F')) process.stderr.write('SKIPPED LOUDLY: this host has no AVX-512\n');
  if (encodings.length === 0) throw new Error('no such rows');
  const tally = newTally();
  const schedule = new Schedule(encodings, usable, kinds, Number(options.seed));
  try {
    for (let left = Number(options.count); left > 0; ) {
      const batch = schedule.next(Math.min(left, BATCH));
      left -= batch.length;
      const before = tally.examples.length;
      schedule.note(batch, runBatch(bench, batch, tally, Number(options.examples)));
      const found = tally.examples.slice(before);
      if (options.keep !== undefined && found.length > 0) {
        appendFileSync(options.keep, `${vectorLines(found.map(asVector), bench.states)}\n`);
      }
      // A long run tells at once.
      if (!options.summary) for (const mismatch of found) process.stderr.write(`${showMismatch(mismatch)}\n`);
      progress(tally);
    }
  } finally {
    bench.close();
  }
  return {
    cases: tally.cases,
    mismatches: tally.mismatches,
    unsteady: tally.unsteady,
    byEncoding: [...tally.byEncoding],
    counts: schedule.coverage.counts(),
  };
}

const asVector = ({ encoding, features, draft, expected }: Mismatch): Vector => ({
  name: encoding,
  features,
  draft,
  expected,
});

/** What a file of vectors gives now, here and on this host; how many differ. */
function replay(file: string): number {
  const bench = new Bench();
  let bad = 0;
  try {
    for (const { name, features, draft } of unpackVectors(readFileSync(file), bench.states)) {
      const testCase = buildCase(draft, bench.states);
      const expected = bench.runAgain(testCase);
      const judged = expected && judge(bench.emulator, draft, testCase, expected);
      if (judged?.differences.length === 0) continue;
      bad++;
      const mismatch = expected && { encoding: name, features, draft, testCase, expected, ...judged! };
      process.stdout.write(`${mismatch ? showMismatch(mismatch) : `${name}: does not end on this host`}\n`);
    }
  } finally {
    bench.close();
  }
  return bad;
}

/** The same program with a part of the cases each. */
async function share(options: Options, jobs: number): Promise<Findings[]> {
  const each = Math.ceil(Number(options.count) / jobs);
  const done = new Array<number>(jobs).fill(0);
  const started = Date.now();
  const total = Number(options.count);
  let shown = started;
  const run = (job: number): Promise<Findings> =>
    new Promise((resolve, reject) => {
      const seed = Number(options.seed) + 1000003 * job;
      const passed = ['--examples', options.examples, ...(options.summary ? ['--summary'] : [])];
      if (options.keep !== undefined) passed.push('--keep', options.keep);
      if (options.rows !== undefined) passed.push('--rows', options.rows);
      if (options.kinds !== undefined) passed.push('--kinds', options.kinds);
      if (options.features !== undefined) passed.push('--features', options.features);
      const args = [process.argv[1]!, '--worker', '--count', String(each), '--seed', String(seed), ...passed];
      const child = spawn(process.execPath, [...process.execArgv, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        for (let end = text.indexOf('\n'); end >= 0 && text[0] === '#'; end = text.indexOf('\n')) {
          done[job] = Number(text.slice(1, end));
          text = text.slice(end + 1);
          if (Date.now() - shown < 10000) continue;
          shown = Date.now();
          const sum = done.reduce((a, b) => a + b, 0);
          process.stderr.write(`${sum} of ${total} cases, ${Math.round((1000 * sum) / (shown - started))} a second\n`);
        }
      });
      child.on('close', (status) => {
        if (status === 0) resolve(JSON.parse(text) as Findings);
        else reject(new Error(`a worker ended with status ${status}`));
      });
    });
  return Promise.all(Array.from({ length: jobs }, (_, job) => run(job)));
}

function report(options: Options, parts: readonly Findings[], seconds: number): void {
  const out: string[] = [];
  const rows = new Map<string, { cases: number; mismatches: number }>();
  const coverage = new RowCoverage();
  let cases = 0;
  let mismatches = 0;
  let unsteady = 0;
  for (const part of parts) {
    cases += part.cases;
    mismatches += part.mismatches;
    unsteady += part.unsteady;
    coverage.add(part.counts);
    for (const [name, row] of part.byEncoding) {
      const sum = rows.get(name) ?? { cases: 0, mismatches: 0 };
      rows.set(name, sum);
      sum.cases += row.cases;
      sum.mismatches += row.mismatches;
    }
  }
  const bad = [...rows].filter(([, row]) => row.mismatches > 0);
  if (bad.length > 0) {
    out.push(`mismatching encodings: ${bad.map(([name, row]) => `${name} ${row.mismatches}/${row.cases}`).join(', ')}`);
  }
  if (options.rows === undefined && options.features === undefined) out.push(...coverageReport(coverage));
  if (unsteady > 0)
    out.push(`${unsteady} cases that the host ended otherwise when it ran them again, and then as expected`);
  out.push(
    `${cases} cases in ${Math.round(seconds)} s (seed ${options.seed}, ${parts.length} jobs), ${rows.size} encodings, ${mismatches} mismatches`,
  );
  process.stdout.write(`${out.join('\n')}\n`);
  process.exitCode = mismatches > 0 ? 1 : 0;
}

const named = (pair: Pair): string => `${nameOf(pair)} in ${pair.mode}-bit code`;

function coverageReport({ pairs, rows }: RowCoverage): string[] {
  const list = (some: readonly Pair[]): string => (some.length > 0 ? `: ${some.map(named).join(', ')}` : '');
  const unmet = pairs.filter((pair) => pair.cases === 0);
  const open = pairs.filter((pair) => pair.cases > 0 && !isMet(pair));
  const raising = pairs.filter((pair) => alwaysRaises(pair) !== undefined);
  const names = [...new Set(raising.map((p) => `${p.row.row.name} ${alwaysRaises(p) === 6 ? '#UD' : '#GP'}`))];
  return [
    `${rows} rows, ${pairs.length} pairs of a row and a mode: never met ${unmet.length}${list(unmet)}`,
    `never completed ${open.length}${list(open)}`,
    `never complete in a program, and raise what they should: ${names.join(', ')}`,
    `not compared: ${NOT_COMPARED.map(([name, why]) => `${name.source} (${why})`).join(', ')}`,
  ];
}

async function main(): Promise<void> {
  const options = parse();
  if (!NativeRunner.available()) {
    process.stderr.write('difftest needs Linux on x86-64 and gcc\n');
    process.exitCode = 2;
    return;
  }
  if (options.worker) {
    const findings = work(options, (tally) => process.stdout.write(`#${tally.cases}\n`));
    process.stdout.write(`${JSON.stringify(findings)}\n`);
    return;
  }
  if (options.replay !== undefined) {
    process.exitCode = replay(options.replay) > 0 ? 1 : 0;
    return;
  }
  const started = Date.now();
  const parts = await share(options, Math.max(1, Number(options.jobs)));
  report(options, parts, (Date.now() - started) / 1000);
}

await main();
