import { isCompletion, isMet, type Pair, RowCoverage } from './coverage.ts';
import { type Ending, type Item, itemsOf, type Target, targetsOf } from './difftest.ts';
import type { Kind } from './generate.ts';
import { Random } from './random.ts';
import type { Encoding } from './templates.ts';

/** How often a pair is to be completed before its turn comes no more often than that of others. */
const ENOUGH = 3;
/** States for each piece of code. */
const STATES = 4;

/** Takes all encodings in all modes in turn, and those whose rows are yet to be completed more often. */
export class Schedule {
  readonly coverage = new RowCoverage();
  readonly #random: Random;
  readonly #targets: readonly Target[];
  readonly #neighbours: readonly Encoding[];
  readonly #kinds: readonly Kind[];
  #turn: number;
  #index = 0;
  /** Where a pair has come from. */
  readonly #sources = new Map<Pair, Set<Target>>();
  readonly #pairs = new Map<Item, { readonly target: Target; readonly pair: Pair | undefined }>();

  constructor(encodings: readonly Encoding[], neighbours: readonly Encoding[], kinds: readonly Kind[], seed: number) {
    this.#random = new Random(seed);
    this.#targets = shuffled(targetsOf(encodings), this.#random);
    this.#neighbours = neighbours;
    this.#kinds = kinds;
    this.#turn = 0;
  }

  next(count: number): Item[] {
    const items: Item[] = [];
    const needy = this.coverage.pairs.filter((pair) => pair.completed < ENOUGH && !isDone(pair));
    const sources = needy.flatMap((pair) => [...(this.#sources.get(pair) ?? [])].map((target) => ({ target })));
    this.#pairs.clear();
    while (items.length < count) {
      const again = sources.length > 0 && this.#turn > this.#targets.length / 2 && this.#random.oneIn(3);
      const target = again ? this.#random.pick(sources).target : this.#targets[this.#turn++ % this.#targets.length]!;
      // What has to complete is best tried alone.
      const kinds: readonly Kind[] = again ? ['step', 'step', 'single'] : this.#kinds;
      const made = itemsOf(target, this.#random, this.#index++, kinds, this.#neighbours, again ? 1 : STATES);
      const pair = this.coverage.pairAt(made[0]!.draft, 0);
      for (const item of made) this.#pairs.set(item, { target, pair });
      items.push(...made);
    }
    return items.slice(0, count);
  }

  /** How the cases of the last `next` ended. */
  note(items: readonly Item[], endings: readonly (Ending | undefined)[]): void {
    items.forEach((item, i) => {
      const { target, pair } = this.#pairs.get(item)!;
      const ending = endings[i];
      if (!pair || !ending) return;
      const list = this.#sources.get(pair) ?? new Set();
      this.#sources.set(pair, list);
      if (list.size < 4) list.add(target);
      const sequence = item.draft.starts.length > 1;
      const completed = sequence ? ending.moved : isCompletion(ending.vector);
      pair.cases++;
      if (completed) pair.completed++;
      else if (!sequence) pair.vectors.add(ending.vector);
    });
  }
}

/** It never completes, and has ended as it should. */
const isDone = (pair: Pair): boolean => pair.completed === 0 && pair.cases >= ENOUGH && isMet(pair);

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
