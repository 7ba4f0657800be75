import { classOfMxcsr } from '../../cpu/translate/mxcsr.ts';
import { shapeOfX87 } from '../../cpu/translate/x87-locals.ts';
import { XCR0, XFEATURE_AVX512 } from '../../cpu/xsave.ts';
import { type CompareOptions, compareOutcomes, type Difference } from './compare.ts';
import { Emulator, RegionModules, type Sketched, TIERS, type Tier } from './emulate.ts';
import { buildCase, type Draft, draftCase, type Kind } from './generate.ts';
import { NativeRunner } from './native.ts';
import {
  decodeResult,
  Ended,
  type Mode,
  type Outcome,
  type RawResult,
  ripOf,
  type TestCase,
  vectorOf,
} from './protocol.ts';
import { Random } from './random.ts';
import { makeBackground, States } from './state.ts';
import { type Encoding, factsOf } from './templates.ts';

export interface Mismatch {
  readonly encoding: string;
  readonly features: readonly string[];
  readonly expected: Outcome;
  readonly draft: Draft;
  readonly testCase: TestCase;
  readonly text: string;
  readonly differences: readonly Difference[];
}

export interface Tally {
  cases: number;
  mismatches: number;
  /** Cases that the host ended otherwise when it ran them once more, and then as we do. */
  unsteady: number;
  readonly byEncoding: Map<string, { cases: number; mismatches: number }>;
  /** The first few of each encoding. */
  readonly examples: Mismatch[];
}

export function newTally(): Tally {
  return { cases: 0, mismatches: 0, unsteady: 0, byEncoding: new Map(), examples: [] };
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

/**
 * The state components that XSAVE, XSAVEOPT and XSAVEC take as in use though they are in their initial configuration are not
 * compared: which ones that are is up to the processor (SDM vol. 1, 13.6, XINUSE). Ours looks at the values. This host
 * remembers writes: any write of a register, even of zero or under an empty mask, puts its component in use, by the width of
 * the write; VZEROUPPER takes AVX and ZMM_Hi256 out, VZEROALL SSE too, opmasks and Hi16_ZMM only leave by XRSTOR. To have it
 * the same, each instruction with such a register would have to make a note in each tier.
 *
 * @returns whether the case ends as expected with some of the components held in use
 */
function agreesWithOthersInUse(
  emulator: Emulator,
  testCase: TestCase,
  tier: Tier,
  expected: Outcome,
  options: CompareOptions,
): boolean {
  const all = testCase.wide ? XCR0 | XFEATURE_AVX512 : XCR0;
  for (let held = all; held > 0; held = (held - 1) & all) {
    if (compareOutcomes(expected, emulator.run(testCase, tier, held), options).length === 0) return true;
  }
  return false;
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
      const options = allowances(draft, text, expected.vector);
      const rest = compareOutcomes(expected, got, options);
      if (rest.length === 0) continue;
      if (/\bxsave/.test(text) && agreesWithOthersInUse(emulator, testCase, tier, expected, options)) continue;
      return { differences: rest, text: testCase.step ? text : `${text} (${tier})`, exact };
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
  readonly encoding: Pick<Encoding, 'name' | 'features'>;
  readonly draft: Draft;
}

/** Regions in a module. */
const REGIONS = 64;

/** The oracle and what is compared with it. */
export class Bench {
  readonly background = makeBackground();
  readonly states = new States();
  readonly emulator = new Emulator(this.background);
  readonly runner = new NativeRunner();
  #witness: NativeRunner | undefined;

  /** A case alone, natively; `run`'s results stay what they are. */
  runAgain(testCase: TestCase): Outcome | undefined {
    this.#witness ??= new NativeRunner();
    const raw = this.#witness.run(this.background, [testCase])[0];
    return raw && decodeResult(raw);
  }

  close(): void {
    this.runner.close();
    this.#witness?.close();
  }
}

/** One batch of drafts against the oracle; how each ended natively, undefined where it did not. */
export function runBatch(bench: Bench, batch: readonly Item[], tally: Tally, examplesEach = 2): (Ending | undefined)[] {
  const { background, states, emulator, runner } = bench;
  const cases = batch.map(({ draft }) => buildCase(draft, states));
  const expected = runner.run(background, cases);
  emulator.processor = runner.processor;
  compareBatch(emulator, batch, cases, expected, tally, examplesEach, (testCase) => bench.runAgain(testCase));
  return expected.map((raw, i) => raw && { vector: vectorOf(raw), moved: ripOf(raw) !== cases[i]!.rip });
}

/** Asks the oracle once more. */
type Again = (testCase: TestCase) => Outcome | undefined;

/** Runs the cases on our CPU, in each tier. */
export function compareBatch(
  emulator: Emulator,
  batch: readonly Item[],
  cases: readonly TestCase[],
  expected: readonly (RawResult | undefined)[],
  tally: Tally,
  examplesEach: number,
  again?: Again,
): void {
  for (let from = 0; from < batch.length; from += REGIONS) {
    const modules = new RegionModules();
    const numbers = batch.slice(from, from + REGIONS).map((_, i) => from + i);
    const good = new Map<number, boolean>();
    const sketched = new Map<string, Sketched | undefined>();
    const codes = new Map<Uint8Array, number>();
    /** Cases that differ in their state only share a region, if it is for what MXCSR and the x87 hold. */
    const key = ({ code, xstate }: TestCase): string => {
      if (!codes.has(code)) codes.set(code, codes.size);
      const word = (at: number): number => xstate[at]! | (xstate[at + 1]! << 8);
      return [codes.get(code), classOfMxcsr(word(24)), shapeOfX87(word(0), word(2), xstate[4]!)].join(' ');
    };
    for (const i of numbers) {
      const raw = expected[i];
      const testCase = cases[i]!;
      if (!raw) continue;
      const tiers = tiersOf(testCase).filter((tier) => tier !== 'regions');
      good.set(
        i,
        tiers.every((tier) => agrees(emulator, testCase, tier, raw)),
      );
      if (testCase.step || !good.get(i) || sketched.has(key(testCase))) continue;
      sketched.set(key(testCase), emulator.sketch(testCase, modules));
    }
    modules.link();
    for (const i of numbers) {
      const raw = expected[i];
      if (!raw) continue;
      const ok =
        good.get(i)! && (cases[i]!.step || agrees(emulator, cases[i]!, 'regions', raw, sketched.get(key(cases[i]!))));
      count(tally, batch[i]!);
      if (!ok) complain(emulator, batch[i]!, cases[i]!, decodeResult(raw), tally, examplesEach, again);
    }
  }
}

/** How a case ended natively. */
export interface Ending {
  readonly vector: number;
  /** RIP is not where it was. */
  readonly moved: boolean;
}

function count(tally: Tally, { encoding }: Item): void {
  tally.cases++;
  const row = tally.byEncoding.get(encoding.name);
  if (row) row.cases++;
  else tally.byEncoding.set(encoding.name, { cases: 1, mismatches: 0 });
}

/**
 * An answer that the host does not give a second time is none, if the second one is ours. Seen once: a step's trap with
 * si_code TRAP_BRKPT, as from a DR6 without BS; why is not known (the host runs under a hypervisor).
 */
function isUnsteady(
  emulator: Emulator,
  draft: Draft,
  testCase: TestCase,
  expected: Outcome,
  again: Again | undefined,
): boolean {
  const second = again?.(testCase);
  if (!second || compareOutcomes(expected, second, EXACT).length === 0) return false;
  return judge(emulator, draft, testCase, second).differences.length === 0;
}

/** What differs may be allowed to; else it is noted. */
function complain(
  emulator: Emulator,
  { encoding, draft }: Item,
  testCase: TestCase,
  expected: Outcome,
  tally: Tally,
  examplesEach: number,
  again?: Again,
): void {
  let { differences, text, exact } = judge(emulator, draft, testCase, expected);
  if (differences.length === 0) {
    if (!exact) return;
    differences = [{ where: 'engine', expected: 'the same each time', got: 'right only when run again' }];
    text = textOf(draft, testCase.rip);
  } else if (isUnsteady(emulator, draft, testCase, expected, again)) {
    tally.unsteady++;
    return;
  }
  tally.mismatches++;
  if (tally.byEncoding.get(encoding.name)!.mismatches++ >= examplesEach) return;
  const { name, features } = encoding;
  tally.examples.push({ encoding: name, features, expected, draft, testCase, text, differences });
}

/** Half of the code is run under TF. */
export const KINDS: readonly Kind[] = ['step', 'step', 'single', 'sequence'];

/** An encoding in a mode. */
export interface Target {
  readonly encoding: Encoding;
  readonly mode: Mode;
}

/** With registers and with memory where an encoding has both. */
export const targetsOf = (encodings: readonly Encoding[]): Target[] =>
  encodings.flatMap((encoding) => {
    const forms = encoding.form === 'any' ? (['reg', 'mem'] as const) : [undefined];
    return forms.flatMap((only) => encoding.modes.map((mode) => ({ encoding: { ...encoding, only }, mode })));
  });

/** A target's code, with one state or more. */
export function itemsOf(
  { encoding, mode }: Target,
  random: Random,
  index: number,
  kinds: readonly Kind[],
  neighbours: readonly Encoding[],
  states: number,
): Item[] {
  const draft = draftCase(encoding, mode, random.u32(), index, random.pick(kinds), neighbours);
  return Array.from({ length: states }, (_, n) => ({
    encoding,
    draft: n === 0 ? draft : { ...draft, seed: random.u32() },
  }));
}

/** Every encoding in every mode, in an order that a seed gives, about as often as the others. */
export function drafts(
  encodings: readonly Encoding[],
  seed: number,
  count: number,
  neighbours: readonly Encoding[] = encodings,
): Item[] {
  const random = new Random(seed);
  const targets = targetsOf(encodings);
  // Those that are left out when there are fewer cases than targets are spread over the table.
  const step = Math.max(1, targets.length / count);
  const start = random.below(targets.length);
  return Array.from({ length: count }, (_, i) => {
    const target = targets[(start + Math.floor(i * step)) % targets.length]!;
    return itemsOf(target, random, i, KINDS, neighbours, 1)[0]!;
  });
}
