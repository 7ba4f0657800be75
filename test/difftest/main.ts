import { Command } from 'commander';
import { coldRows, commonRows } from '../../cpu/isa/all.ts';
import { RowCoverage } from './coverage.ts';
import { drafts, newTally, runBatch } from './difftest.ts';
import { Emulator } from './emulate.ts';
import type { Draft } from './generate.ts';
import { NativeRunner } from './native.ts';
import { showMismatch } from './report.ts';
import { makeBackground } from './state.ts';
import { allEncodings, type Encoding, wideEncodings } from './templates.ts';

const BATCH = 4096;

interface Options {
  readonly count: string;
  readonly seed: string;
  readonly rows?: string;
  readonly features?: string;
  readonly examples: string;
  readonly summary: boolean;
}

function main(): void {
  const command = new Command('difftest')
    .description('Runs single instructions on the host and on our CPU and compares the states after them.')
    .option('--count <n>', 'cases', '20000')
    .option('--seed <n>', 'first seed', '1')
    .option('--rows <pattern>', 'only encodings whose name matches this regular expression')
    .option('--features <pattern>', 'only encodings with a CPUID feature that matches')
    .option('--examples <n>', 'mismatches shown per encoding', '1')
    .option('--summary', 'counts only', false)
    .parse();
  const options = command.opts<Options>();
  if (!NativeRunner.available()) {
    process.stderr.write('difftest needs Linux on x86-64 and gcc\n');
    process.exitCode = 2;
    return;
  }
  const rows = options.rows === undefined ? undefined : new RegExp(options.rows, 'i');
  const features = options.features === undefined ? undefined : new RegExp(options.features, 'i');
  const runner = new NativeRunner();
  const wide = wideEncodings();
  if (!runner.has('AVX512F')) {
    process.stderr.write(`SKIPPED LOUDLY: this host has no AVX-512: ${wide.length} encodings\n`);
    wide.length = 0;
  }
  const encodings = [...allEncodings(), ...wide].filter(
    ({ name, features: has }) =>
      (!rows || rows.test(name)) && (!features || has.some((feature) => features.test(feature))),
  );
  if (encodings.length === 0) {
    process.stderr.write('no such rows\n');
    process.exitCode = 2;
    return;
  }
  const background = makeBackground();
  const emulator = new Emulator(background);
  const tally = newTally();
  const coverage = new RowCoverage([...commonRows, ...coldRows]);
  let batch: { encoding: Encoding; draft: Draft }[] = [];
  const flush = (): void => {
    runBatch(runner, emulator, background, batch, tally, Number(options.examples));
    batch = [];
  };
  try {
    for (const item of drafts(encodings, Number(options.seed), Number(options.count))) {
      batch.push(item);
      coverage.hit(item.draft.code, item.draft.compat);
      if (batch.length === BATCH) flush();
    }
    if (batch.length > 0) flush();
  } finally {
    runner.close();
  }
  const out: string[] = [];
  if (!options.summary) for (const example of tally.examples) out.push(showMismatch(example));
  const bad = [...tally.byEncoding].filter(([, row]) => row.mismatches > 0);
  if (bad.length > 0) {
    out.push(`mismatching encodings: ${bad.map(([name, row]) => `${name} ${row.mismatches}/${row.cases}`).join(', ')}`);
  }
  if (tally.missing.size > 0) out.push(`no row (${tally.missing.size}): ${[...tally.missing.keys()].join(' ')}`);
  const idle = [...tally.byEncoding].filter(([, row]) => row.completed === 0).map(([name]) => name);
  if (idle.length > 0) out.push(`never completed (${idle.length}): ${idle.join(' ')}`);
  if (!rows && !features) {
    const never = coverage.never();
    const list = never.map(({ name, encoding }) => `${name} (${encoding})`);
    out.push(`rows never met: ${never.length} of ${coverage.size}${never.length > 0 ? `: ${list.join(', ')}` : ''}`);
  }
  out.push(
    `${tally.cases} cases, ${encodings.length} encodings, ${tally.mismatches} mismatches, ${tally.missing.size} encodings without a row`,
  );
  process.stdout.write(`${out.join('\n')}\n`);
  process.exitCode = tally.mismatches > 0 ? 1 : 0;
}

main();
