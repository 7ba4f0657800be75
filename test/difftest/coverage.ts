import { Decoder } from '../../cpu/decode/decoder.ts';
import { buildTable, type CompiledRow, compileRow } from '../../cpu/decode/encoding.ts';
import { allRows } from '../../cpu/isa/all.ts';
import { avx512Rows } from '../../cpu/isa/avx512.ts';
import type { Draft } from './generate.ts';
import { Ended, type Mode } from './protocol.ts';
import { NOT_COMPARED } from './templates.ts';

export const MODES: readonly Mode[] = [64, 32, 16];

/** Rows that no program can complete, by name and encoding, and the exception that they end with instead. */
export const NEVER_COMPLETES: readonly (readonly [row: RegExp, vector: number, modes: readonly Mode[]])[] = [
  [/^(privileged|in|out|lldt|ltr|lgdt|lidt|lmsw|invlpg|swapgs|xsetbv) /, 13, MODES],
  [/^sysret /, 13, [64]],
  [/^mov \(0F 2[0-3] /, 13, MODES],
  [/^ud[012] /, 6, MODES],
  // Intel's processors have it in 64-bit mode only.
  [/^sys(call|ret) /, 6, [32, 16]],
];

/** The modes that a row is for. */
function modesOf(row: CompiledRow): readonly Mode[] {
  const { mode } = row.row.options;
  const wide = row.operands.some((o) => 'GR'.includes(o.place) && o.size === 'q');
  if (mode === '64' || (row.w === 1 && (!row.vex || wide))) return [64];
  return mode === '32' ? [32, 16] : MODES;
}

/** A row in a mode. */
export interface Pair {
  readonly row: CompiledRow;
  readonly mode: Mode;
  /** Cases with it, those of them that completed, and how the others ended. */
  cases: number;
  completed: number;
  readonly vectors: Set<number>;
}

/** What a worker says of a pair. */
export type PairCount = readonly [cases: number, completed: number, vectors: readonly number[]];

/** Which rows of the instruction table the cases have met, in which mode. */
export class RowCoverage {
  readonly pairs: readonly Pair[];
  readonly #decoder: Decoder;
  readonly #wide: Decoder;
  readonly #of = new Map<CompiledRow, Map<Mode, Pair>>();
  readonly #bytes = new Uint8Array(16);
  readonly rows: number;

  constructor() {
    const plain = allRows.map(compileRow);
    const extension = avx512Rows().map(compileRow);
    const rows = [...plain, ...extension];
    this.rows = rows.length;
    this.pairs = rows
      .filter(({ row }) => !NOT_COMPARED.some(([name]) => name.test(row.name)))
      .flatMap((row) =>
        modesOf(row).map((mode) => ({ row, mode, cases: 0, completed: 0, vectors: new Set<number>() })),
      );
    for (const pair of this.pairs) {
      const modes = this.#of.get(pair.row) ?? new Map<Mode, Pair>();
      this.#of.set(pair.row, modes.set(pair.mode, pair));
    }
    this.#decoder = new Decoder(buildTable(plain, true), buildTable(plain, false));
    this.#wide = new Decoder(buildTable(plain, true), buildTable(plain, false), () => ({
      long: buildTable(extension, true),
      compat: buildTable(extension, false),
    }));
  }

  /** What the instruction at `start` of a draft is. */
  pairAt({ code, mode, wide }: Draft, start: number): Pair | undefined {
    const decoder = wide ? this.#wide : this.#decoder;
    this.#bytes.fill(0xcc);
    this.#bytes.set(code.subarray(start, start + 16));
    if (decoder.decode(this.#bytes, 0, 16, mode === 64, mode === 32) !== 'ok') return undefined;
    return this.#of.get(decoder.instruction.row)?.get(mode);
  }

  /** For merging what several processes met. */
  counts(): PairCount[] {
    return this.pairs.map(({ cases, completed, vectors }) => [cases, completed, [...vectors]]);
  }
  add(counts: readonly PairCount[]): void {
    counts.forEach(([cases, completed, vectors], n) => {
      const pair = this.pairs[n]!;
      pair.cases += cases;
      pair.completed += completed;
      for (const vector of vectors) pair.vectors.add(vector);
    });
  }
}

/** The exception that the row always ends with, if it has one. */
export function alwaysRaises(pair: Pair): number | undefined {
  const name = nameOf(pair);
  return NEVER_COMPLETES.find(([row, , modes]) => row.test(name) && modes.includes(pair.mode))?.[1];
}

export const nameOf = ({ row }: Pair): string => `${row.row.name} (${row.row.encoding})`;

/** Is a pair as it should be: completed, or ended in each case with the exception that it always raises? */
export function isMet(pair: Pair): boolean {
  const vector = alwaysRaises(pair);
  if (vector === undefined) return pair.completed > 0;
  return pair.vectors.has(vector) && pair.completed === 0;
}

/** Did the instruction do its work? What it raises itself as its work counts too. */
export const isCompletion = (vector: number): boolean => [Ended.Step, Ended.Call, 1, 3, 4].includes(vector);
