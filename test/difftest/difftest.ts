import { type CompareOptions, compareOutcomes, type Difference } from './compare.ts';
import { type Emulator, TIERS } from './emulate.ts';
import { buildCase, type Draft, draftCase, type Kind } from './generate.ts';
import type { NativeRunner } from './native.ts';
import { Ended, type Outcome, type TestCase } from './protocol.ts';
import { Random } from './random.ts';
import { type Encoding, factsOf } from './templates.ts';

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
  readonly byEncoding: Map<string, { cases: number; mismatches: number; completed: number }>;
  /** The first few of each encoding. */
  readonly examples: Mismatch[];
}

export function newTally(): Tally {
  return { cases: 0, mismatches: 0, byEncoding: new Map(), examples: [] };
}

/** A case as assembly. */
export function textOf(draft: Draft, rip: number): string {
  const texts = draft.starts.map((start, i) => {
    const end = draft.starts[i + 1] ?? draft.code.length;
    const parts: string[] = [];
    for (let at = start; at < end; ) {
      const facts = factsOf(draft.code.subarray(at, end), draft.mode, rip + at);
      parts.push(facts.text);
      at += Math.max(1, facts.length);
      if (parts.length === 8) break;
    }
    return parts.join('; ');
  });
  return texts.join(' | ');
}

const EXACT: CompareOptions = { undefinedFlags: 0, imprecise: false, alignment: false, transcendental: false };

/** What may differ, by the instructions of the case. */
function allowances(draft: Draft, text: string, vector: number): CompareOptions {
  // A sequence that TF ends may end at an instruction that leaves flags undefined.
  const ends = draft.starts.length === 1 ? draft.starts : vector === Ended.Step ? draft.starts : [];
  return {
    undefinedFlags: ends.reduce((f, at) => f | factsOf(draft.code.subarray(at), draft.mode, at).undefinedFlags, 0),
    alignment: draft.aligned && /\b(f?xsave|f?xrstor)/.test(text),
    imprecise: /\bvp?maskmov|\{%k/.test(text),
    transcendental: /\b(f2xm1|fyl2x|fyl2xp1|fpatan|fptan|fsin|fcos|fsincos)\b/.test(text),
  };
}

/** Runs a case on our CPU in each tier; an error of ours becomes a difference. */
export function judge(
  emulator: Emulator,
  draft: Draft,
  testCase: TestCase,
  expected: Outcome,
): { readonly differences: readonly Difference[]; readonly text: string } {
  for (const tier of testCase.step ? TIERS.slice(0, 1) : TIERS) {
    let differences: Difference[];
    try {
      const got = emulator.run(testCase, tier);
      differences = compareOutcomes(expected, got, EXACT);
      if (differences.length === 0) continue;
      const text = textOf(draft, testCase.rip);
      const rest = compareOutcomes(expected, got, allowances(draft, text, expected.vector));
      if (rest.length > 0) return { differences: rest, text: testCase.step ? text : `${text} (${tier})` };
    } catch (error) {
      const got =
        error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' ') : String(error);
      return { differences: [{ where: 'engine', expected: 'no error', got }], text: textOf(draft, testCase.rip) };
    }
  }
  return { differences: [], text: '' };
}

export interface Item {
  readonly encoding: Encoding;
  readonly draft: Draft;
}

/** One batch of drafts against the oracle. */
export function runBatch(
  runner: NativeRunner,
  emulator: Emulator,
  background: Uint8Array,
  batch: readonly Item[],
  tally: Tally,
  examplesEach = 2,
): void {
  const cases = batch.map(({ draft }) => buildCase(draft));
  const expected = runner.run(background, cases);
  emulator.processor = runner.processor;
  cases.forEach((testCase, i) => {
    const outcome = expected[i];
    const { encoding, draft } = batch[i]!;
    if (!outcome) return;
    const { differences, text } = judge(emulator, draft, testCase, outcome);
    tally.cases++;
    let row = tally.byEncoding.get(encoding.name);
    if (!row) {
      row = { cases: 0, mismatches: 0, completed: 0 };
      tally.byEncoding.set(encoding.name, row);
    }
    row.cases++;
    if (outcome.vector < 0 || outcome.vector === 3) row.completed++;
    if (differences.length === 0) return;
    tally.mismatches++;
    if (row.mismatches++ < examplesEach) {
      tally.examples.push({ encoding: encoding.name, draft, testCase, text, differences });
    }
  });
}

/** Half of the cases are under TF. */
export const KINDS: readonly Kind[] = ['step', 'step', 'single', 'sequence'];

/** Drafts in an order that a seed gives, every encoding about as often. */
export function* drafts(
  encodings: readonly Encoding[],
  seed: number,
  count: number,
  neighbours: readonly Encoding[] = encodings,
  kinds: readonly Kind[] = KINDS,
): Generator<Item> {
  const random = new Random(seed);
  const start = random.below(encodings.length);
  for (let i = 0; i < count; i++) {
    const encoding = encodings[(start + i) % encodings.length]!;
    yield { encoding, draft: draftCase(encoding, random.u32(), i, random.pick(kinds), neighbours) };
  }
}
