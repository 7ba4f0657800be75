import { type CompareOptions, compareOutcomes, type Difference } from './compare.ts';
import { type Emulator, RegionModules, type Sketched, TIERS, type Tier } from './emulate.ts';
import { buildCase, type Draft, draftCase, type Kind } from './generate.ts';
import type { NativeRunner } from './native.ts';
import { decodeResult, Ended, type Outcome, type RawResult, type TestCase, vectorOf } from './protocol.ts';
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
): { readonly differences: readonly Difference[]; readonly text: string; readonly exact: boolean } {
  let exact = true;
  for (const tier of tiersOf(testCase)) {
    let differences: Difference[];
    try {
      const got = emulator.run(testCase, tier);
      differences = compareOutcomes(expected, got, EXACT);
      if (differences.length === 0) continue;
      exact = false;
      const text = textOf(draft, testCase.rip);
      const rest = compareOutcomes(expected, got, allowances(draft, text, expected.vector));
      if (rest.length > 0) return { differences: rest, text: testCase.step ? text : `${text} (${tier})`, exact };
    } catch (error) {
      const got =
        error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' ') : String(error);
      differences = [{ where: 'engine', expected: 'no error', got }];
      return { differences, text: textOf(draft, testCase.rip), exact: false };
    }
  }
  return { differences: [], text: '', exact };
}

const tiersOf = (testCase: TestCase): readonly Tier[] => (testCase.step ? TIERS.slice(0, 1) : TIERS);

/** The same in short; false when something differs at all, or goes wrong. */
function agrees(emulator: Emulator, testCase: TestCase, tier: Tier, expected: RawResult, sketched?: Sketched): boolean {
  try {
    return emulator.agrees(testCase, tier, expected, sketched);
  } catch {
    return false;
  }
}

export interface Item {
  readonly encoding: Encoding;
  readonly draft: Draft;
}

/** Regions in a module. */
const REGIONS = 64;

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
  for (let from = 0; from < batch.length; from += REGIONS) {
    const modules = new RegionModules();
    const numbers = batch.slice(from, from + REGIONS).map((_, i) => from + i);
    const good = new Map<number, boolean>();
    const sketched = new Map<number, Sketched | undefined>();
    for (const i of numbers) {
      const raw = expected[i];
      const testCase = cases[i]!;
      if (!raw) continue;
      const tiers = tiersOf(testCase).filter((tier) => tier !== 'regions');
      good.set(
        i,
        tiers.every((tier) => agrees(emulator, testCase, tier, raw)),
      );
      if (!testCase.step && good.get(i)) sketched.set(i, emulator.sketch(testCase, modules));
    }
    modules.link();
    for (const i of numbers) {
      const raw = expected[i];
      if (!raw) continue;
      const ok = good.get(i)! && (cases[i]!.step || agrees(emulator, cases[i]!, 'regions', raw, sketched.get(i)));
      count(tally, batch[i]!, vectorOf(raw));
      if (!ok) complain(emulator, batch[i]!, cases[i]!, decodeResult(raw), tally, examplesEach);
    }
  }
}

function count(tally: Tally, { encoding }: Item, vector: number): void {
  tally.cases++;
  let row = tally.byEncoding.get(encoding.name);
  if (!row) {
    row = { cases: 0, mismatches: 0, completed: 0 };
    tally.byEncoding.set(encoding.name, row);
  }
  row.cases++;
  if (vector < 0 || vector === 3) row.completed++;
}

/** What differs may be allowed to; else it is noted. */
function complain(
  emulator: Emulator,
  { encoding, draft }: Item,
  testCase: TestCase,
  expected: Outcome,
  tally: Tally,
  examplesEach: number,
): void {
  let { differences, text, exact } = judge(emulator, draft, testCase, expected);
  if (differences.length === 0) {
    if (!exact) return;
    differences = [{ where: 'engine', expected: 'the same each time', got: 'right only when run again' }];
    text = textOf(draft, testCase.rip);
  }
  tally.mismatches++;
  if (tally.byEncoding.get(encoding.name)!.mismatches++ >= examplesEach) return;
  tally.examples.push({ encoding: encoding.name, draft, testCase, text, differences });
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
