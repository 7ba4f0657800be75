/** Which handler an instruction needs: rows specialised by operand size, register or memory form and vector length. */

import type { Instruction } from '../decode/decoder.ts';
import type { CompiledRow, Operand } from '../decode/encoding.ts';

export type OperandKind = 'register' | 'memory' | 'immediate' | 'vector' | 'mmx' | 'segment' | 'other';

export interface Form {
  readonly kind: OperandKind;
  readonly bits: number;
}

export interface Variant {
  /**
   * Each access to memory is checked by itself, for what the segment allows and for alignment: for code whose segments
   * are not flat, and with AC set. Addresses are offsets in the segment until then.
   */
  readonly checked: boolean;
  readonly row: CompiledRow;
  readonly size: 16 | 32 | 64;
  readonly lanes: 1 | 2;
  readonly forms: readonly Form[];
}

/** A small number that tells apart the variants of one row. */
export function variantNumber(i: Instruction): number {
  const size = i.size === 64 ? 2 : i.size === 32 ? 1 : 0;
  return size + 3 * ((i.isMemory ? 1 : 0) + 2 * (i.vexL + 2 * i.w));
}

function bitsOf(o: Operand, size: number, vexL: number, w: number): number {
  switch (o.size) {
    case 'b':
      return 8;
    case 'w':
      return 16;
    case 'd':
      return 32;
    case 'q':
      return 64;
    case 'v':
    case 'z':
      return size;
    case 'y':
      return w ? 64 : 32;
    case 'dq':
      return 128;
    case 'x':
      return vexL ? 256 : 128;
    case 'qq':
      return 256;
    case 't':
      return 80;
    default:
      return 0;
  }
}

function kindOf(o: Operand, isMemory: boolean): OperandKind {
  switch (o.place) {
    case 'E':
      return isMemory ? 'memory' : 'register';
    case 'M':
    case 'O':
      return 'memory';
    case 'G':
    case 'R':
    case 'Z':
    case 'B':
    case '#':
      return 'register';
    case 'W':
      return isMemory ? 'memory' : 'vector';
    case 'V':
    case 'U':
    case 'H':
    case 'L':
      return 'vector';
    case 'Q':
      return isMemory ? 'memory' : 'mmx';
    case 'P':
    case 'N':
      return 'mmx';
    case 'S':
      return 'segment';
    case 'I':
      return 'immediate';
    default:
      return 'other';
  }
}

export function variantOf(
  row: CompiledRow,
  size: 16 | 32 | 64,
  isMemory: boolean,
  vexL: 0 | 1,
  w: 0 | 1,
  checked = false,
): Variant {
  const long = row.vex && row.operands.some((o) => o.size === 'x' || o.size === 'qq') && vexL === 1;
  const forms = row.operands.map((o): Form => ({ kind: kindOf(o, isMemory), bits: bitsOf(o, size, vexL, w) }));
  const first = forms[0];
  const wide =
    first === undefined || first.kind === 'immediate' || first.kind === 'vector' || first.bits === 0 || first.bits > 64
      ? size
      : first.bits;
  return {
    checked,
    row,
    size,
    lanes: long ? 2 : 1,
    forms: forms.map((f) => (f.kind === 'immediate' ? { kind: f.kind, bits: wide } : f)),
  };
}

/** Two variants with the same key and the same meaning share a handler. */
export function variantKey(v: Variant): string {
  const forms = v.forms.map((f) => `${f.kind[0]}${f.kind[1]}${f.bits}`).join();
  const align = v.row.row.options.align ?? '';
  return `${v.checked ? 'c' : ''}${v.row.sized ? v.size : ''}${v.row.vex ? `v${v.lanes}` : ''}${align}${v.row.row.options.addressOnly ? 'a' : ''}:${forms}`;
}
