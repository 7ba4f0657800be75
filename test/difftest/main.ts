import { Command } from 'commander';
import { drafts, type Mismatch, newTally, runBatch } from './difftest.ts';
import { Emulator } from './emulate.ts';
import type { Draft } from './generate.ts';
import { NativeRunner } from './native.ts';
import { makeBackground } from './state.ts';
import { allEncodings, type Encoding } from './templates.ts';

const BATCH = 4096;

interface Options {
  readonly count: string;
  readonly seed: string;
  readonly rows?: string;
  readonly features?: string;
  readonly examples: string;
  readonly summary: boolean;
}

function show(mismatch: Mismatch): string {
  const { draft, testCase } = mismatch;
  const lines = [
    `${mismatch.encoding}  ${draft.compat ? 'compat' : 'long'}  ${Buffer.from(testCase.code).toString('hex')}  ${mismatch.text}  seed ${draft.seed}`,
  ];
  const gpr = [...testCase.gpr].map((value, i) => `${i}:${value.toString(16)}`).join(' ');
  lines.push(`  in   gpr ${gpr} rflags ${testCase.rflags.toString(16)} rip ${testCase.rip.toString(16)}`);
  if (draft.operand >= 0) {
    const patch = testCase.patches[0];
    lines.push(
      `  in   data+${draft.operand.toString(16)}: ${patch ? Buffer.from(patch.bytes.subarray(0, 32)).toString('hex') : '-'}`,
    );
  }
  if (draft.profile !== 'integer') {
    const x = Buffer.from(testCase.xstate);
    const head = `fcw ${x.readUInt16LE(0).toString(16)} fsw ${x.readUInt16LE(2).toString(16)} ftw ${x[4]!.toString(16)} mxcsr ${x.readUInt32LE(24).toString(16)}`;
    lines.push(`  in   ${head}`);
    const count = draft.profile === 'x87' ? 0 : draft.compat ? 8 : 16;
    for (let i = 0; i < count; i++) {
      const low = Buffer.from(x.subarray(160 + i * 16, 176 + i * 16))
        .reverse()
        .toString('hex');
      const high = Buffer.from(x.subarray(576 + i * 16, 592 + i * 16))
        .reverse()
        .toString('hex');
      if (new RegExp(`[xy]mm${i}\\b`).test(mismatch.text) || i === 0) lines.push(`  in   ymm${i} ${high} ${low}`);
    }
    if (draft.profile === 'x87' || /mm\d/.test(mismatch.text)) {
      for (let i = 0; i < 8; i++) {
        const value = Buffer.from(x.subarray(32 + i * 16, 42 + i * 16))
          .reverse()
          .toString('hex');
        if (i < 3 || mismatch.text.includes(`mm${i}`) || mismatch.text.includes(`st(${i})`))
          lines.push(`  in   st${i} ${value}`);
      }
    }
  }
  for (const { where, expected, got } of mismatch.differences.slice(0, 8)) {
    lines.push(`  ${where}: expected ${expected}  got ${got}`);
  }
  return lines.join('\n');
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
  const encodings = allEncodings().filter(
    ({ name, features: has }) =>
      (!rows || rows.test(name)) && (!features || has.some((feature) => features.test(feature))),
  );
  if (encodings.length === 0) {
    process.stderr.write('no such rows\n');
    process.exitCode = 2;
    return;
  }
  const background = makeBackground();
  const runner = new NativeRunner();
  const emulator = new Emulator(background);
  const tally = newTally();
  let batch: { encoding: Encoding; draft: Draft }[] = [];
  const flush = (): void => {
    runBatch(runner, emulator, background, batch, tally, Number(options.examples));
    batch = [];
  };
  try {
    for (const item of drafts(encodings, Number(options.seed), Number(options.count))) {
      batch.push(item);
      if (batch.length === BATCH) flush();
    }
    if (batch.length > 0) flush();
  } finally {
    runner.close();
  }
  const out: string[] = [];
  if (!options.summary) for (const example of tally.examples) out.push(show(example));
  const bad = [...tally.byEncoding].filter(([, row]) => row.mismatches > 0);
  if (bad.length > 0) {
    out.push(`mismatching encodings: ${bad.map(([name, row]) => `${name} ${row.mismatches}/${row.cases}`).join(', ')}`);
  }
  if (tally.missing.size > 0) out.push(`no row (${tally.missing.size}): ${[...tally.missing.keys()].join(' ')}`);
  const idle = [...tally.byEncoding].filter(([, row]) => row.completed === 0).map(([name]) => name);
  if (idle.length > 0) out.push(`never completed (${idle.length}): ${idle.join(' ')}`);
  out.push(
    `${tally.cases} cases, ${encodings.length} encodings, ${tally.mismatches} mismatches, ${tally.missing.size} encodings without a row`,
  );
  process.stdout.write(`${out.join('\n')}\n`);
  process.exitCode = tally.mismatches > 0 ? 1 : 0;
}

main();
