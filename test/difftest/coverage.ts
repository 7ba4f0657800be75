import { Decoder } from '../../cpu/decode/decoder.ts';
import { buildTable, type CompiledRow, compileRow } from '../../cpu/decode/encoding.ts';
import { avx512Rows } from '../../cpu/isa/avx512.ts';
import type { Row } from '../../cpu/isa/row.ts';
import type { Mode } from './protocol.ts';
import { NOT_COMPARED } from './templates.ts';

export const MODES: readonly Mode[] = [64, 32, 16];

/** The modes that a row is for. */
function modesOf(row: CompiledRow): readonly Mode[] {
  const { mode } = row.row.options;
  const wide = row.operands.some((o) => 'GR'.includes(o.place) && o.size === 'q');
  if (mode === '64' || (row.w === 1 && (!row.vex || wide))) return [64];
  return mode === '32' ? [32, 16] : MODES;
}

/** Which rows of the instruction table the cases have met, in which mode. */
export class RowCoverage {
  readonly #rows: readonly CompiledRow[];
  readonly #decoder: Decoder;
  readonly #wide: Decoder;
  /** By mode. */
  readonly #hits: ReadonlyMap<Mode, Uint32Array>;
  readonly #numbers: ReadonlyMap<CompiledRow, number>;

  constructor(rows: readonly Row[]) {
    const plain = rows.map(compileRow);
    const extension = avx512Rows().map(compileRow);
    this.#rows = [...plain, ...extension];
    this.#numbers = new Map(this.#rows.map((row, n) => [row, n]));
    this.#hits = new Map(MODES.map((mode) => [mode, new Uint32Array(this.#rows.length)]));
    this.#decoder = new Decoder(buildTable(plain, true), buildTable(plain, false));
    this.#wide = new Decoder(buildTable(plain, true), buildTable(plain, false), () => ({
      long: buildTable(extension, true),
      compat: buildTable(extension, false),
    }));
  }

  hit(code: Uint8Array, mode: Mode, wide: boolean): void {
    const decoder = wide ? this.#wide : this.#decoder;
    const bytes = new Uint8Array(16);
    bytes.set(code.subarray(0, 16));
    if (decoder.decode(bytes, 0, 16, mode === 64, mode === 32) !== 'ok') return;
    this.#hits.get(mode)![this.#numbers.get(decoder.instruction.row)!]!++;
  }

  /** For merging what several processes met. */
  counts(): number[][] {
    return MODES.map((mode) => [...this.#hits.get(mode)!]);
  }
  add(counts: readonly (readonly number[])[]): void {
    MODES.forEach((mode, m) => {
      const hits = this.#hits.get(mode)!;
      counts[m]!.forEach((count, n) => {
        hits[n]! += count;
      });
    });
  }

  get size(): number {
    return this.#rows.length;
  }

  /** Rows that no case met in a mode that they are for. */
  never(): { readonly row: Row; readonly modes: readonly Mode[] }[] {
    return this.#rows.flatMap((compiled, n) => {
      if (NOT_COMPARED.some(([name]) => name.test(compiled.row.name))) return [];
      const modes = modesOf(compiled).filter((mode) => this.#hits.get(mode)![n] === 0);
      return modes.length > 0 ? [{ row: compiled.row, modes }] : [];
    });
  }
}
