/** From a kernel to the rows of an instruction: its MMX, SSE and VEX encodings. */
import { type I32, type I64, i32, i64, select, type V128 } from '../ir/expr.ts';
import type { Lane, Ops } from '../ir/ops.ts';
import { i8x16, i64x2, lowDouble, lowQuad } from '../ir/vector.ts';
import { type Lower, op, type Row, type RowOptions } from './row.ts';
import type { Kernel1, Kernel2, KernelImm, KernelImm2 } from './simd-kernels.ts';

/** The 16-byte lanes of operand `i`; all are read before anything is written. */
export function lanesOf(c: Ops, i: number): V128[] {
  return Array.from({ length: c.lanes }, (_, lane) => c.readVector(i, lane as Lane));
}

export function writeLanes(c: Ops, i: number, values: readonly V128[]): void {
  const bound = values.map((value) => c.let(value));
  bound.forEach((value, lane) => {
    c.writeVector(i, value, lane as Lane);
  });
}

/** An 8-bit immediate as an unsigned i32; a constant stays one. */
export function imm8(c: Ops, i: number): I32 {
  const value = c.read(i);
  const narrow = value.type === 'i64' ? i32.wrap(value as I64) : (value as I32);
  return narrow.op === 0x41 ? i32.const(Number(narrow.value) & 255) : c.let(i32.and(narrow, 255));
}

/** `imm >> n`, a constant if imm is one. */
export function shifted(imm: I32, n: number): I32 {
  if (n === 0) return imm;
  return imm.op === 0x41 ? i32.const(Number(imm.value) >> n) : i32.shr_u(imm, n);
}

/** A shift count in the low 64 bits of a vector: anything above 255 counts as 255. */
export function countOf(c: Ops, value: I64): I32 {
  const count = c.let(value);
  return c.let(select(i32.wrap(count), i32.const(255), i64.lt_u(count, 256)));
}

/** Both sources lane by lane: `Vx Hx Wx`. */
export const each2 =
  (kernel: Kernel2): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const b = lanesOf(c, 2);
    writeLanes(
      c,
      0,
      a.map((value, lane) => kernel(c, value, b[lane]!)),
    );
  };

/** `Vx Wx` */
export const each1 =
  (kernel: Kernel1): Lower =>
  (c) =>
    writeLanes(
      c,
      0,
      lanesOf(c, 1).map((value) => kernel(c, value)),
    );

/** `Vx Wx Ib`, the same immediate for both lanes. */
export const eachImm =
  (kernel: KernelImm, source = 1): Lower =>
  (c) => {
    const imm = imm8(c, source + 1);
    writeLanes(
      c,
      0,
      lanesOf(c, source).map((value) => kernel(c, value, imm)),
    );
  };

/** `Vx Hx Wx Ib`; each lane sees the immediate shifted right by `upper` more than the one below. */
export const eachImm2 =
  (kernel: KernelImm2, upper = 0): Lower =>
  (c) => {
    const imm = imm8(c, 3);
    const a = lanesOf(c, 1);
    const b = lanesOf(c, 2);
    writeLanes(
      c,
      0,
      a.map((value, lane) => kernel(c, value, b[lane]!, shifted(imm, upper * lane))),
    );
  };

/** MMX operand `i` as the low half of a vector. */
export function readMmx(c: Ops, i: number): V128 {
  const value = c.read(i);
  return value.type === 'i64' ? lowQuad(value as I64) : lowDouble(value as I32);
}

export function writeMmx(c: Ops, i: number, value: V128, half: 0 | 1 = 0): void {
  c.write(i, i64x2.extract(value, half));
}

/** Two 64-bit values side by side, the first low. */
export const joined = (low: V128, high: V128): V128 =>
  i8x16.shuffle(low, high, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);

export const hex2 = (n: number): string => n.toString(16).toUpperCase().padStart(2, '0');

/** VEX.128 and VEX.256 rows; `lengths` chooses. */
export function vex(
  name: string,
  encoding: string,
  operands: string,
  lower: Lower,
  options: RowOptions = {},
  lengths: readonly (128 | 256)[] = [128, 256],
): Row[] {
  return lengths.map((length) => op(name, `VEX.${length}.${encoding}`, operands, lower, options));
}
