/**
 * Conditions under which WebAssembly's arithmetic gives x86's result and raises no flag that is not set already:
 * rounding to nearest, everything masked, PE set before, operands that are no denormals, and a result that neither overflows
 * nor is tiny nor a NaN. DAZ and FTZ do not matter then.
 */
import { type F32, type F64, f32, f64, type I32, type I64, i32, i64, type V128 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { f32x4, f64x2, i32x4, i64x2, v128 } from '../ir/vector.ts';

const PLAIN_FIELDS = 0x7fa0;
const PLAIN = 0x1fa0;

/** MXCSR asks for nothing unusual and PE is set. */
export function plainMxcsr(c: Ops): I32 {
  if (c.floats) return i32.const(c.floats.inexact ? 1 : 0);
  return i32.eq(i32.and(c.get('mxcsr') as I32, PLAIN_FIELDS), PLAIN);
}
/** The same but for PE: good for exact results. */
export function plainButPrecision(c: Ops): I32 {
  if (c.floats) return i32.const(1);
  return i32.eq(i32.and(c.get('mxcsr') as I32, PLAIN_FIELDS & ~0x20), PLAIN & ~0x20);
}
/** PE is masked and set: inexactness does not show. */
export function precisionSticky(c: Ops): I32 {
  if (c.floats) return i32.const(c.floats.inexact ? 1 : 0);
  return i32.eq(i32.and(c.get('mxcsr') as I32, 0x1020), 0x1020);
}
export function roundsToNearest(c: Ops): I32 {
  if (c.floats) return i32.const(1);
  return i32.eqz(i32.and(c.get('mxcsr') as I32, 0x6000));
}

/** What the fast path asks of one width, as scalars and as vectors. */
export const all = (...conditions: I32[]): I32 => conditions.reduce(and);
const and = (a: I32, b: I32): I32 => (isConstant(a) ? (a.value === 0 ? a : b) : i32.and(a, b));
export const either = (a: I32, b: I32): I32 => {
  if (isConstant(a)) return a.value === 0 ? b : a;
  return isConstant(b) ? (b.value === 0 ? a : b) : i32.or(a, b);
};
const isConstant = (a: I32): boolean => a.op === 0x41;

const INF64 = (): F64 => f64.reinterpret(i64.const(0x7ff0000000000000n));
const MIN64 = (): F64 => f64.reinterpret(i64.const(0x0010000000000000n));
const INF32 = (): F32 => f32.reinterpret(i32.const(0x7f800000));
const MIN32 = (): F32 => f32.reinterpret(i32.const(0x00800000));

/** Zero, normal, infinite or NaN. */
export const notDenormal64 = (a: F64): I32 =>
  i64.ge_u(i64.sub(i64.and(i64.reinterpret(a), 0x7fffffffffffffffn), 1), 0x000fffffffffffffn);
export const notDenormal32 = (a: F32): I32 => i32.ge_u(i32.sub(i32.and(i32.reinterpret(a), 0x7fffffff), 1), 0x007fffff);

const isZero64 = (a: F64): I32 => f64.eq(a, f64.reinterpret(i64.const(0)));
const isZero32 = (a: F32): I32 => f32.eq(a, f32.reinterpret(i32.const(0)));

/**
 * The common case in few operations, for any of the operations: a result that is a normal number and not the least, and
 * operands that are no denormals. Doubling drops the sign.
 */
export function ordinary64(a: F64, b: F64, r: F64): I32 {
  const twice = (x: F64): I64 => i64.shl(i64.reinterpret(x), 1);
  const least = 1n << 53n;
  const fits = (x: F64): I32 => i64.ge_u(i64.sub(twice(x), 1), least - 1n);
  return all(i64.lt_u(i64.sub(twice(r), least + 1n), (0x7ffn << 53n) - least - 1n), fits(a), fits(b));
}
export function ordinary32(a: F32, b: F32, r: F32): I32 {
  const twice = (x: F32): I32 => i32.shl(i32.reinterpret(x), 1);
  const least = 1 << 24;
  const fits = (x: F32): I32 => i32.ge_u(i32.sub(twice(x), 1), least - 1);
  return all(i32.lt_u(i32.sub(twice(r), least + 1), (0xff << 24) - least - 1), fits(a), fits(b));
}

/** The shapes: a value's conditions for each width. */
export const scalar64 = {
  finite: (r: F64): I32 => f64.lt(f64.abs(r), INF64()),
  aboveTiny: (r: F64): I32 => f64.gt(f64.abs(r), MIN64()),
  zero: isZero64,
  number: (a: F64): I32 => f64.eq(a, a),
  notDenormal: notDenormal64,
} as const;
export const scalar32 = {
  finite: (r: F32): I32 => f32.lt(f32.abs(r), INF32()),
  aboveTiny: (r: F32): I32 => f32.gt(f32.abs(r), MIN32()),
  zero: isZero32,
  number: (a: F32): I32 => f32.eq(a, a),
  notDenormal: notDenormal32,
} as const;

/** The same of vectors, as lane masks. */
export interface VectorShape {
  readonly finite: (r: V128) => V128;
  readonly aboveTiny: (r: V128) => V128;
  readonly zero: (a: V128) => V128;
  readonly number: (a: V128) => V128;
  readonly notDenormal: (a: V128) => V128;
  /** All lanes of a mask. */
  readonly every: (mask: V128) => I32;
}
const infs64 = (): V128 => i64x2.splat(i64.const(0x7ff0000000000000n));
const mins64 = (): V128 => i64x2.splat(i64.const(0x0010000000000000n));
const infs32 = (): V128 => i32x4.splat(i32.const(0x7f800000));
const mins32 = (): V128 => i32x4.splat(i32.const(0x00800000));

export const packed64: VectorShape = {
  finite: (r) => f64x2.lt(f64x2.abs(r), infs64()),
  aboveTiny: (r) => f64x2.gt(f64x2.abs(r), mins64()),
  zero: (a) => f64x2.eq(a, v128.zero()),
  number: (a) => f64x2.eq(a, a),
  notDenormal: (a) => v128.or(f64x2.ge(f64x2.abs(a), mins64()), v128.or(f64x2.eq(a, v128.zero()), f64x2.ne(a, a))),
  every: (mask) => i64x2.all_true(mask),
};
export const packed32: VectorShape = {
  finite: (r) => f32x4.lt(f32x4.abs(r), infs32()),
  aboveTiny: (r) => f32x4.gt(f32x4.abs(r), mins32()),
  zero: (a) => f32x4.eq(a, v128.zero()),
  number: (a) => f32x4.eq(a, a),
  notDenormal: (a) => v128.or(f32x4.ge(f32x4.abs(a), mins32()), v128.or(f32x4.eq(a, v128.zero()), f32x4.ne(a, a))),
  every: (mask) => i32x4.all_true(mask),
};
export const both = (...masks: V128[]): V128 => masks.reduce((a, b) => v128.and(a, b));

/** The elements of both operands are no NaNs and no denormals: all of them, or with `low` the first. */
export function numbers(width: 32 | 64, a: readonly V128[], b: readonly V128[], low: boolean): I32 {
  const s = width === 32 ? packed32 : packed64;
  const masks = a.map((x, lane) => both(s.number(x), s.number(b[lane]!), s.notDenormal(x), s.notDenormal(b[lane]!)));
  const mask = both(...masks);
  return low ? i32.and(i32x4.extract(mask, 0), 1) : s.every(mask);
}

/** Whether `r` is exactly the operation's result, given that it is its rounding and in the normal range. May say no wrongly. */
export interface Exactness<T> {
  readonly sum: (a: T, b: T, r: T) => I32;
  readonly difference: (a: T, b: T, r: T) => I32;
  readonly product: (a: T, b: T, r: T) => I32;
  readonly quotient: (a: T, b: T, r: T) => I32;
  readonly root: (a: T, b: T, r: T) => I32;
}

/** Knuth's two-sum: the rounding error of `r = a + b` is nothing. */
function noError<T>(a: T, b: T, r: T, add: (x: T, y: T) => T, sub: (x: T, y: T) => T): T {
  const part = sub(r, a);
  return add(sub(a, sub(r, part)), sub(b, part));
}
/** Zero bits at the end of a significand. */
const spare = (a: F64): I64 => i64.ctz(i64.or(i64.reinterpret(a), 1n << 52n));
/** The product of two doubles fits a double: their significands have at most 53 bits together. */
const shortProduct = (a: F64, b: F64): I32 => i64.ge_u(i64.add(spare(a), spare(b)), 53);

export const exact64: Exactness<F64> = {
  sum: (a, b, r) => isZero64(noError(a, b, r, f64.add, f64.sub)),
  difference: (a, b, r) => isZero64(noError(a, f64.neg(b), r, f64.add, f64.sub)),
  product: (a, b) => i32.or(shortProduct(a, b), i32.or(isZero64(a), isZero64(b))),
  quotient: (a, b, r) => i32.or(isZero64(a), i32.and(shortProduct(r, b), f64.eq(f64.mul(r, b), a))),
  root: (_a, b, r) => i32.or(isZero64(b), i32.and(shortProduct(r, r), f64.eq(f64.mul(r, r), b))),
};
/** Products of singles are exact as doubles. */
export const exact32: Exactness<F32> = {
  sum: (a, b, r) => isZero32(noError(a, b, r, f32.add, f32.sub)),
  difference: (a, b, r) => isZero32(noError(a, f32.neg(b), r, f32.add, f32.sub)),
  product: (a, b, r) => f64.eq(f64.mul(f64.promote(a), f64.promote(b)), f64.promote(r)),
  quotient: (a, b, r) => f64.eq(f64.mul(f64.promote(r), f64.promote(b)), f64.promote(a)),
  root: (_a, b, r) => f64.eq(f64.mul(f64.promote(r), f64.promote(r)), f64.promote(b)),
};

/** Sums and differences of all lanes are exact. */
export function exactLanes(width: 32 | 64, negate: boolean, a: V128, b: V128, r: V128): V128 {
  const shape = width === 32 ? f32x4 : f64x2;
  return shape.eq(noError(a, negate ? shape.neg(b) : b, r, shape.add, shape.sub), v128.zero());
}
