/** What the SSE floating-point instructions do to one element, by soft float; and the exceptions of a whole instruction. */
import { add, div, fma, mul, sqrt, sub } from '../softfloat/arith.ts';
import { compare, comparePredicate, minMaxTakesFirst, UNORDERED } from '../softfloat/compare.ts';
import { convert, intToFormat, roundToIntegral, toInt } from '../softfloat/convert.ts';
import { FLAG_PE, FLAG_UE, FLAGS_PRE, type FpEnv } from '../softfloat/env.ts';
import {
  F16,
  F32,
  F64,
  type Format,
  isNaNReal,
  negated,
  operand,
  pack16,
  pack32,
  pack64,
  type Real,
  unpack16,
  unpack32,
  unpack64,
  ZERO,
} from '../softfloat/real.ts';

/** Element bit patterns are numbers (32 bits, unsigned) or bigints (64 bits). */
export type Binary32 = (env: FpEnv, a: number, b: number) => number;
export type Binary64 = (env: FpEnv, a: bigint, b: bigint) => bigint;
export interface Arithmetic {
  readonly f32: Binary32;
  readonly f64: Binary64;
}

const in32 = (env: FpEnv, bits: number): Real => operand(env, unpack32(bits));
const in64 = (env: FpEnv, bits: bigint): Real => operand(env, unpack64(bits));

function arithmetic(f: (env: FpEnv, fmt: Format, a: Real, b: Real) => Real): Arithmetic {
  return {
    f32: (env, a, b) => pack32(f(env, F32, in32(env, a), in32(env, b))),
    f64: (env, a, b) => pack64(f(env, F64, in64(env, a), in64(env, b))),
  };
}

export const ADD = arithmetic(add);
export const SUB = arithmetic(sub);
export const MUL = arithmetic(mul);
export const DIV = arithmetic(div);
/** The second operand's root. */
export const SQRT = arithmetic((env, fmt, _a, b) => sqrt(env, fmt, b));

function minMax(max: boolean): Arithmetic {
  return {
    f32: (env, a, b) => {
      const [x, y] = [in32(env, a), in32(env, b)];
      return minMaxTakesFirst(env, x, y, max) ? flushed32(x, a) : flushed32(y, b);
    },
    f64: (env, a, b) => {
      const [x, y] = [in64(env, a), in64(env, b)];
      return minMaxTakesFirst(env, x, y, max) ? flushed64(x, a) : flushed64(y, b);
    },
  };
}
/** The operand as it stands, but for a denormal that DAZ made a zero. */
const flushed32 = (v: Real, bits: number): number => (v.kind === ZERO ? bits & 0x80000000 : bits) >>> 0;
const flushed64 = (v: Real, bits: bigint): bigint => (v.kind === ZERO ? bits & 0x8000000000000000n : bits);
export const MIN = minMax(false);
export const MAX = minMax(true);

/** CMPPS and its kin: all ones or zeros. */
export function compareMask(predicate: number): Arithmetic {
  return {
    f32: (env, a, b) => (comparePredicate(env, in32(env, a), in32(env, b), predicate) ? 0xffffffff : 0),
    f64: (env, a, b) => (comparePredicate(env, in64(env, a), in64(env, b), predicate) ? 0xffffffffffffffffn : 0n),
  };
}

/** COMISS, UCOMISD...: ZF PF CF as RFLAGS bits. */
export function compareFlags(env: FpEnv, a: Real, b: Real, signalling: boolean): number {
  const r = compare(env, operand(env, a), operand(env, b), signalling);
  return r === UNORDERED ? 0x45 : r < 0 ? 1 : r === 0 ? 0x40 : 0;
}

/**
 * ROUNDPS and its kin. @param imm bits 1:0 the rounding, bit 2 take MXCSR's, bit 3 no precision exception
 */
function rounding(env: FpEnv, imm: number, a: Real): Real {
  const mode = env.rounding;
  const before = env.flags;
  if (!(imm & 4)) {
    env.rounding = imm & 3;
  }
  const r = roundToIntegral(env, a, false);
  env.rounding = mode;
  if (imm & 8 && !(before & FLAG_PE)) {
    env.flags &= ~FLAG_PE;
  }
  return r;
}
export function roundTo(imm: number): Arithmetic {
  return {
    f32: (env, _a, b) => pack32(rounding(env, imm, in32(env, b))),
    f64: (env, _a, b) => pack64(rounding(env, imm, in64(env, b))),
  };
}

export const f32ToF64 = (env: FpEnv, a: number): bigint => pack64(convert(env, F64, in32(env, a)));
export const f64ToF32 = (env: FpEnv, a: bigint): number => pack32(convert(env, F32, in64(env, a)));
/** Half precision ignores DAZ and raises no DE (SDM vol. 2, VCVTPH2PS). */
export const f16ToF32 = (env: FpEnv, a: number): number => pack32(convert(env, F32, unpack16(a), false));
/** @param imm bits 1:0 the rounding, bit 2 take MXCSR's */
export function f32ToF16(env: FpEnv, a: number, imm: number): number {
  const { rounding: mode, ftz } = env;
  if (!(imm & 4)) {
    env.rounding = imm & 3;
  }
  env.ftz = false;
  const v = in32(env, a);
  const r = pack16(convert(env, F16, v));
  if (v.denormal && env.unmasked(FLAG_UE)) {
    // The hardware calls an unmasked underflow from a denormal inexact, whatever its digits.
    env.raise(FLAG_PE);
  }
  env.rounding = mode;
  env.ftz = ftz;
  return r;
}
export const f32ToInt = (env: FpEnv, a: number, bits: number, chop: boolean): bigint =>
  BigInt.asUintN(bits, toInt(env, in32(env, a), bits, chop));
export const f64ToInt = (env: FpEnv, a: bigint, bits: number, chop: boolean): bigint =>
  BigInt.asUintN(bits, toInt(env, in64(env, a), bits, chop));
export const intToF32 = (env: FpEnv, v: bigint): number => pack32(intToFormat(env, F32, v));
export const intToF64 = (env: FpEnv, v: bigint): bigint => pack64(intToFormat(env, F64, v));

/**
 * Fused multiply-add on three operands in the instruction's own order.
 * @param order 132, 213 or 231: which operands are multiplied
 */
function fused(
  env: FpEnv,
  fmt: Format,
  ops: readonly [Real, Real, Real],
  order: number,
  negateProduct: boolean,
  negateAddend: boolean,
): Real {
  const [x, y, z] = ops;
  const [a, b, c] = order === 132 ? [x, z, y] : order === 213 ? [y, x, z] : [y, z, x];
  const factor = negateProduct && !isNaNReal(a) ? negated(a) : a;
  const addend = negateAddend && !isNaNReal(c) ? negated(c) : c;
  return fma(env, fmt, factor, b, addend, [a, b, c]);
}
export function fused32(
  env: FpEnv,
  a: number,
  b: number,
  c: number,
  order: number,
  negateProduct: boolean,
  negateAddend: boolean,
): number {
  return pack32(fused(env, F32, [in32(env, a), in32(env, b), in32(env, c)], order, negateProduct, negateAddend));
}
export function fused64(
  env: FpEnv,
  a: bigint,
  b: bigint,
  c: bigint,
  order: number,
  negateProduct: boolean,
  negateAddend: boolean,
): bigint {
  return pack64(fused(env, F64, [in64(env, a), in64(env, b), in64(env, c)], order, negateProduct, negateAddend));
}

/**
 * Ends an instruction: flags go to MXCSR; post-computation flags only if no unmasked exception came before them
 * (SDM vol. 1, 11.5.3).
 * @param settled the steps of the instruction have done so already
 * @returns the new MXCSR, and whether #XM is due
 */
export function settle(env: FpEnv, mxcsr: number, settled = false): { mxcsr: number; fault: boolean } {
  const flags = env.unmasked(FLAGS_PRE) && !settled ? env.flags & FLAGS_PRE : env.flags;
  return { mxcsr: mxcsr | flags, fault: env.unmasked() };
}

/** One of several steps of an instruction: each settles its own flags, and a fault ends the instruction. */
function step<T>(env: FpEnv, before: T[], f: () => T[]): T[] {
  if (env.unmasked()) {
    return before;
  }
  const flags = env.flags;
  env.flags = 0;
  const r = f();
  env.flags = flags | (env.unmasked(FLAGS_PRE) ? env.flags & FLAGS_PRE : env.flags);
  return r;
}

/**
 * DPPS and DPPD on the lanes of `count` elements: products chosen by imm[7:4], sums pairwise, stored where imm[3:0] says
 * (SDM vol. 2, DPPS). The flags are settled. Every element makes its own sums, whose order decides whose NaN it gets.
 */
export function dotProduct32(
  env: FpEnv,
  a: (i: number) => number,
  b: (i: number) => number,
  imm: number,
  count: number,
): readonly number[] {
  const each = (f: (i: number) => number): number[] => Array.from({ length: count }, (_, i) => f(i));
  const products = step<number>(env, [], () => each((i) => (imm & (16 << (i & 3)) ? MUL.f32(env, a(i), b(i)) : 0)));
  const pairs = step(env, products, () => each((i) => ADD.f32(env, products[i ^ 1]!, products[i]!)));
  const sums = step(env, pairs, () => each((i) => ADD.f32(env, pairs[i]!, pairs[i ^ 2]!)));
  return each((i) => (imm & (1 << (i & 3)) ? sums[i]! : 0));
}
export function dotProduct64(
  env: FpEnv,
  a: (i: number) => bigint,
  b: (i: number) => bigint,
  imm: number,
): readonly bigint[] {
  const lanes = [0, 1];
  const products = step<bigint>(env, [], () => lanes.map((i) => (imm & (16 << i) ? MUL.f64(env, a(i), b(i)) : 0n)));
  const sums = step(env, products, () => lanes.map((i) => ADD.f64(env, products[i]!, products[i ^ 1]!)));
  return lanes.map((i) => (imm & (1 << i) ? sums[i]! : 0n));
}
