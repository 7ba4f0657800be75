/** Which handler an instruction needs: rows specialised by operand size, register or memory form and vector length. */

import type { CompiledRow, Operand } from '../decode/encoding.ts';
import type { Instruction } from '../decode/instruction.ts';

export type OperandKind = 'register' | 'memory' | 'immediate' | 'vector' | 'mmx' | 'opmask' | 'segment' | 'other';

export interface Form {
  readonly kind: OperandKind;
  readonly bits: number;
}

/** What is asked of an EVEX instruction beyond its row. */
export interface EvexForm {
  /** An opmask register other than k0. */
  readonly masked: boolean;
  readonly zeroing: boolean;
  /** EVEX.b: with memory an embedded broadcast, else rounding control and suppressed exceptions. */
  readonly b: boolean;
}

export interface Variant {
  /**
   * Each access to memory is checked by itself, for what the segment allows and for alignment: for code whose segments
   * are not flat, and with AC set. Addresses are offsets in the segment until then.
   */
  readonly checked: boolean;
  readonly row: CompiledRow;
  readonly size: 16 | 32 | 64;
  readonly lanes: 1 | 2 | 4;
  readonly evex: EvexForm | undefined;
  readonly forms: readonly Form[];
}

/** A small number that tells apart the variants of one row. */
export function variantNumber(i: Instruction): number {
  const size = i.size === 64 ? 2 : i.size === 32 ? 1 : 0;
  if (i.evex) {
    const asked = (i.opmask !== 0 ? 1 : 0) + (i.zeroing ? 2 : 0) + (i.b ? 4 : 0);
    return size + 3 * ((i.isMemory ? 1 : 0) + 2 * (i.vexL + 3 * (i.w + 2 * asked)));
  }
  return size + 3 * ((i.isMemory ? 1 : 0) + 2 * (i.vexL + 2 * i.w));
}

export const evexForm = (i: Instruction): EvexForm | undefined =>
  i.evex ? { masked: i.opmask !== 0, zeroing: i.zeroing, b: i.b } : undefined;

/** Size of an operand in bits. */
export function operandBits(o: Operand, size: number, vexL: number, w: number): number {
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
      return size;
    case 'z':
      return Math.min(size, 32);
    case 'y':
      return w ? 64 : 32;
    case 'dq':
      return 128;
    case 'x':
      return 128 << vexL;
    case 'xh':
      return 64 << vexL;
    case 'xf':
      return 32 << vexL;
    case 'xe':
      return 16 << vexL;
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
    case 'K':
    case 'T':
    case 'X':
      return 'opmask';
    case 'Y':
      return isMemory ? 'memory' : 'opmask';
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

/** The variant of a row for an instruction: operand size in bits, memory or register form, VEX.L, REX.W or VEX.W. */
export function variantOf(
  row: CompiledRow,
  size: 16 | 32 | 64,
  isMemory: boolean,
  vexL: 0 | 1 | 2,
  w: 0 | 1,
  checked = false,
  evex?: EvexForm,
): Variant {
  const long = row.vex && row.operands.some((o) => o.size === 'x' || o.size === 'qq') && vexL === 1;
  const broadcast = isMemory && evex?.b ? row.row.options.evex?.broadcast : undefined;
  const forms = row.operands.map((o): Form => {
    const kind = kindOf(o, isMemory);
    return { kind, bits: kind === 'memory' && broadcast ? broadcast : operandBits(o, size, vexL, w) };
  });
  const first = forms[0];
  const wide =
    first === undefined || first.kind === 'immediate' || first.kind === 'vector' || first.bits === 0 || first.bits > 64
      ? size
      : first.bits;
  return {
    checked,
    row,
    size,
    lanes: row.evex ? (row.lengths === 0 ? 1 : LANES[vexL]) : long ? 2 : 1,
    evex: row.evex ? evex : undefined,
    forms: forms.map((f) => (f.kind === 'immediate' ? { kind: f.kind, bits: wide } : f)),
  };
}

const LANES = [1, 2, 4] as const;

/** Two variants with the same key and the same meaning share a handler. */
export function variantKey(v: Variant): string {
  const forms = v.forms.map((f) => `${f.kind[0]}${f.kind[1]}${f.bits}`).join();
  const align = v.row.row.options.align ?? '';
  const evex = v.evex ? JSON.stringify([v.evex, v.row.row.options.evex, v.row.lengths]) : '';
  return `${evex}${v.checked ? (v.row.row.options.unaligned || v.row.row.options.elementwise ? 'u' : 'c') : ''}${v.row.sized ? v.size : ''}${v.row.vex ? `v${v.lanes}` : ''}${align}${v.row.row.options.addressOnly ? 'a' : ''}:${forms}`;
}
