import { Decoder } from '../../cpu/decode/decoder.ts';
import { buildTable, type CompiledRow, compileRow } from '../../cpu/decode/encoding.ts';
import { avx512Rows } from '../../cpu/isa/avx512.ts';
import type { Row } from '../../cpu/isa/row.ts';

/** Which rows of the instruction table the cases have met, in which mode. */
export class RowCoverage {
  readonly #decoder: Decoder;
  readonly #hits = new Map<CompiledRow, number>();

  constructor(rows: readonly Row[]) {
    const compiled = rows.map(compileRow);
    for (const row of compiled) this.#hits.set(row, 0);
    const extension = avx512Rows().map(compileRow);
    for (const row of extension) this.#hits.set(row, 0);
    this.#decoder = new Decoder(buildTable(compiled, true), buildTable(compiled, false), () => ({
      long: buildTable(extension, true),
      compat: buildTable(extension, false),
    }));
  }

  hit(code: Uint8Array, compat: boolean): void {
    const bytes = new Uint8Array(16);
    bytes.set(code);
    if (this.#decoder.decode(bytes, 0, 16, !compat, true) !== 'ok') return;
    const { row } = this.#decoder.instruction;
    this.#hits.set(row, (this.#hits.get(row) ?? 0) + 1);
  }

  get size(): number {
    return this.#hits.size;
  }

  never(): Row[] {
    return [...this.#hits].filter(([, count]) => count === 0).map(([compiled]) => compiled.row);
  }
}
