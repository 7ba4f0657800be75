import { compareOutcomes, type Difference } from './compare.ts';
import { announced, type Emulator } from './emulate.ts';
import { buildCase, type Draft, draftCase } from './generate.ts';
import type { NativeRunner } from './native.ts';
import type { Outcome, TestCase } from './protocol.ts';
import { Random } from './random.ts';
import { type Encoding, factsOf } from './templates.ts';

const UD = 6;

export interface Mismatch {
  readonly encoding: string;
  readonly draft: Draft;
  readonly testCase: TestCase;
  readonly text: string;
  readonly differences: readonly Difference[];
}

export interface Tally {
  cases: number;
  mismatches: number;
  /** Encodings of features that our CPUID does not announce, which the host has. */
  readonly missing: Map<string, number>;
  readonly byEncoding: Map<string, { cases: number; mismatches: number; completed: number }>;
  /** The first few of each encoding. */
  readonly examples: Mismatch[];
}

export function newTally(): Tally {
  return { cases: 0, mismatches: 0, missing: new Map(), byEncoding: new Map(), examples: [] };
}

/** Runs a case on our CPU; an error of ours becomes a difference. */
export function judge(
  emulator: Emulator,
  testCase: TestCase,
  expected: Outcome,
  text: string,
  undefinedFlags: number,
): Difference[] {
  try {
    const imprecise = /^vp?maskmov|\{%k/.test(text);
    const transcendental = /^(f2xm1|fyl2x|fyl2xp1|fpatan|fptan|fsin|fcos|fsincos)$/.test(text);
    const options = { undefinedFlags, imprecise, transcendental };
    return compareOutcomes(expected, emulator.run(testCase, text.startsWith('pushf')), options);
  } catch (error) {
    const got =
      error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' ') : String(error);
    return [{ where: 'engine', expected: 'no error', got }];
  }
}

/** One batch of drafts against the oracle. */
export function runBatch(
  runner: NativeRunner,
  emulator: Emulator,
  background: Uint8Array,
  batch: readonly { encoding: Encoding; draft: Draft }[],
  tally: Tally,
  examplesEach = 2,
): void {
  const cases = batch.map(({ draft }) => buildCase(draft));
  const expected = runner.run(background, cases);
  emulator.load(cases);
  cases.forEach((testCase, i) => {
    const outcome = expected[i];
    const { encoding, draft } = batch[i]!;
    if (!outcome) return;
    const facts = factsOf(testCase.code, testCase.compat, testCase.rip);
    const differences = judge(emulator, testCase, outcome, facts.text, facts.undefinedFlags);
    tally.cases++;
    let row = tally.byEncoding.get(encoding.name);
    if (!row) {
      row = { cases: 0, mismatches: 0, completed: 0 };
      tally.byEncoding.set(encoding.name, row);
    }
    row.cases++;
    if (outcome.vector < 0) row.completed++;
    if (differences.length === 0) return;
    const unknown = outcome.vector !== UD && differences[0]!.where === 'vector' && differences[0]!.got === hexUd;
    if (unknown && !encoding.features.every(announced)) {
      tally.missing.set(encoding.name, (tally.missing.get(encoding.name) ?? 0) + 1);
      return;
    }
    tally.mismatches++;
    if (row.mismatches++ < examplesEach) {
      tally.examples.push({ encoding: encoding.name, draft, testCase, text: facts.text, differences });
    }
  });
}

const hexUd = `0x${UD.toString(16)}`;

/** Drafts in an order that a seed gives, every encoding about as often. */
export function* drafts(
  encodings: readonly Encoding[],
  seed: number,
  count: number,
): Generator<{ encoding: Encoding; draft: Draft }> {
  const random = new Random(seed);
  const start = random.below(encodings.length);
  for (let i = 0; i < count; i++) {
    const encoding = encodings[(start + i) % encodings.length]!;
    yield { encoding, draft: draftCase(encoding, random.u32(), i) };
  }
}
