/** From meanings to EVEX rows. */
import type { EvexOps } from '../interp/evex-ops.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { Rec } from '../interp/record.ts';
import { type I64, i64, type V128 } from '../ir/expr.ts';
import type { Lane, Ops } from '../ir/ops.ts';
import { i8x16, i16x8, i32x4, i64x2 } from '../ir/vector.ts';
import { STAGE, vectorOffset } from '../state.ts';
import { type EvexOptions, type Lower, op, type Row, type RowOptions } from './row.ts';
import { lanesOf, writeLanes } from './simd-forms.ts';

export type Width = 8 | 16 | 32 | 64;

/** One EVEX row: `encoding` without the prefix's name, `X.66.0F.W0 FE /r`. */
export function evex(
  name: string,
  encoding: string,
  operands: string,
  lower: Lower,
  options: EvexOptions = {},
  rest: RowOptions = {},
): Row {
  return op(name, `EVEX.${encoding}`, operands, lower, { ...rest, evex: options });
}

/** Elements of 32 or 64 bits: masked, and broadcast from memory. */
export const elements = (width: 32 | 64): EvexOptions => ({ mask: width, broadcast: width });

export const shapes = { 8: i8x16, 16: i16x8, 32: i32x4, 64: i64x2 } as const;

/** A bit for each element of an instruction that is wanted. */
export const activeElements = (c: Ops): I64 => (c as EvexOps).activeElements();

export const zeroes = (c: Ops): boolean => (c as EvexOps).zeroing;
/** Writes a lane whatever the opmask says. */
export const writeWhole = (c: Ops, i: number, v: V128, lane: Lane): void => (c as EvexOps).writeWhole(i, v, lane);

/** The sign bits of all elements, side by side. */
export function signBits(width: Width, lanes: readonly V128[]): I64 {
  return lanes
    .map((v, lane): I64 => i64.shl(i64.extend_u(shapes[width].bitmask(v)), (lane * 128) / width))
    .reduce((a, b) => i64.or(a, b));
}

/** An EVEX form of a VEX row of `rows`: the same operands and meaning. The length is any, or that of a scalar. */
export function derive(rows: readonly Row[], name: string, w: 'W0' | 'W1', options: EvexOptions, lengths = 'X'): Row {
  const from = rows.findLast((r) => r.name === name && r.encoding.startsWith('VEX.'));
  if (!from) throw new Error(`no row ${name}`);
  const length = from.encoding.startsWith('VEX.LIG') ? 'LIG' : lengths;
  const encoding = from.encoding.replace(/^VEX\.\w+/, length).replace(/\.(WIG|W0|W1) /, `.${w} `);
  return evex(name, encoding, from.operands, from.lower, options, from.options);
}

/** Vectors of an instruction, staged for TypeScript. */
export class Staged {
  readonly h: HelperContext;
  constructor(h: HelperContext) {
    this.h = h;
  }

  private get buffer(): ArrayBuffer {
    return this.h.view.buffer as ArrayBuffer;
  }

  /** Bits of the vectors. */
  get length(): number {
    return this.h.lanes * 128;
  }

  u8(n: number): Uint8Array {
    return new Uint8Array(this.buffer, vectorOffset(STAGE + n), 64);
  }
  u16(n: number): Uint16Array {
    return new Uint16Array(this.buffer, vectorOffset(STAGE + n), 32);
  }
  u32(n: number): Uint32Array {
    return new Uint32Array(this.buffer, vectorOffset(STAGE + n), 16);
  }
  u64(n: number): BigUint64Array {
    return new BigUint64Array(this.buffer, vectorOffset(STAGE + n), 8);
  }

  /** The elements of vector `n` of the stage: 0 the result, 1 to 3 the operands. */
  words(width: Width, n: number): Uint8Array | Uint16Array | Uint32Array | BigUint64Array {
    return width === 8 ? this.u8(n) : width === 16 ? this.u16(n) : width === 32 ? this.u32(n) : this.u64(n);
  }

  /** The opmask, or ones when there is none. */
  get active(): bigint {
    const { view, record, variant } = this.h;
    return variant.evex?.masked ? view.getBigUint64(view.getUint16(record + Rec.opmask, true), true) : -1n;
  }

  get imm(): number {
    return this.h.imm & 255;
  }
}

/** Stages operands, runs `f`, and gives the result's lanes. */
export function stage(c: Ops, operands: readonly (readonly V128[])[], f: (s: Staged) => void): readonly V128[] {
  operands.forEach((lanes, n) => {
    lanes.forEach((v, lane) => {
      c.setVector(STAGE + 1 + n, v, lane as Lane);
    });
  });
  c.helper((h) => f(new Staged(h)));
  return Array.from({ length: c.lanes }, (_, lane) => c.vector(STAGE, lane as Lane));
}

/** A meaning in TypeScript: operands by number, the result to operand 0. */
export const inTypeScript =
  (operands: readonly number[], f: (s: Staged) => void): Lower =>
  (c) =>
    writeLanes(
      c,
      0,
      stage(
        c,
        operands.map((i) => lanesOf(c, i)),
        f,
      ),
    );

/** The first 64 bits of the stage's result. */
export const stagedWord = (c: Ops): I64 => c.let(i64x2.extract(c.vector(STAGE), 0));
