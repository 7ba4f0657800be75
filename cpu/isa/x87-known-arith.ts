/**
 * Arithmetic and conversions of 80-bit numbers where the control word is known to be the ordinary one: normal numbers and
 * zeros, with results in the normal range. What else there is gives the instruction up.
 */
import { type I32, type I64, i32, i64, select } from '../ir/expr.ts';
import type { Variable } from '../ir/function.ts';
import type { KnownX87, Number80 } from '../ir/known-x87.ts';
import type { Ops } from '../ir/ops.ts';
import { addMagnitudes, choose, choose32, multiplyMagnitudes, nonzero, TOP } from '../runtime/wide.ts';
import { BIAS, EXPONENT, SIGN } from '../runtime/x87-arith.ts';

const FRACTION = TOP - 1n;

/** Gives up unless the number is normal or zero. */
export function ordinary(c: Ops, x87: KnownX87, v: Number80): Number80 {
  if (v.ordinary) return v;
  c.if(i32.eqz(isOrdinary(v)), () => x87.leave());
  return { ...v, ordinary: true };
}

/** Zero, or a normal number. */
export function isOrdinary(v: Number80): I32 {
  const e = i32.and(v.se, EXPONENT);
  const normal = i32.and(i32.lt_u(i32.sub(e, 1), 0x7ffe), i64.lt_s(v.m, 0));
  return i32.or(normal, i64.eqz(i64.or(v.m, i64.extend_u(e))));
}

/** An exact number under construction. */
interface Parts {
  /** With the sign, at its place. */
  readonly e: Variable<'i32'>;
  readonly hi: Variable<'i64'>;
  readonly lo: Variable<'i64'>;
  /** The magnitude was rounded up. */
  readonly up: Variable<'i64'>;
}

const newParts = (c: Ops, e: I32): Parts => ({
  e: c.variable(e),
  hi: c.variable(i64.const(0)),
  lo: c.variable(i64.const(0)),
  up: c.variable(i64.const(0)),
});

/** Rounds to nearest even. */
function round(c: Ops, { hi, lo, e, up }: Parts): void {
  // More than half a unit is lost, or half of it from an odd number.
  up.set(i64.extend_u(i64.gt_u(i64.or(lo.value, i64.and(hi.value, 1)), TOP)));
  hi.set(i64.add(hi.value, up.value));
  c.if(
    i64.eqz(hi.value),
    () => {
      // All ones went up, or it is +0.
      hi.set(i64.shl(up.value, 63));
      e.set(choose32(i32.wrap(up.value), i32.add(e.value, 1), i32.const(0)));
    },
    undefined,
    false,
  );
}

/** The number that it has become; notes what was lost. */
function finished(c: Ops, x87: KnownX87, r: Parts): Number80 {
  x87.rounded(r.up.value, r.lo.value);
  return { se: c.let(r.e.value), m: c.let(r.hi.value), ordinary: true };
}

export function product(c: Ops, x87: KnownX87, x: Number80, y: Number80): Number80 {
  const [a, b] = [ordinary(c, x87, x), ordinary(c, x87, y)];
  const sign = c.let(i32.and(i32.xor(a.se, b.se), SIGN));
  const r = newParts(c, sign);
  c.if(
    i64.lt_s(i64.and(a.m, b.m), 0),
    () => {
      if (a.near && b.near) {
        // The exponents' sum does not reach the sign, nor 0.
        multiplyMagnitudes(c, r, a.m, b.m, i32.sub(i32.add(a.se, b.se), BIAS));
        round(c, r);
        r.e.set(i32.and(r.e.value, SIGN | EXPONENT));
        return;
      }
      multiplyMagnitudes(c, r, a.m, b.m, i32.sub(i32.add(i32.and(a.se, EXPONENT), i32.and(b.se, EXPONENT)), BIAS));
      round(c, r);
      c.if(i32.ge_u(i32.sub(r.e.value, 1), 0x7ffe), () => x87.leave());
      r.e.set(i32.or(r.e.value, sign));
    },
    undefined,
    true,
  );
  return finished(c, x87, r);
}

/** Exponents of which so much cannot be taken away, or added to, that they leave their range, are not looked at. */
const FAR = 0x7f00;

/** @param flip of the signs: 0x8000 the second's, 0x10000 the first's */
export function sum(c: Ops, x87: KnownX87, x: Number80, y: Number80, flip: number): Number80 {
  const a = flipped(c, ordinary(c, x87, x), (flip >> 1) & SIGN);
  const b = flipped(c, ordinary(c, x87, y), flip & SIGN);
  const first = c.let(i64.ne(a.m, 0));
  const r = newParts(c, i32.const(0));
  c.if(
    i64.lt_s(i64.and(a.m, b.m), 0),
    () => {
      // The one with the larger exponent first.
      const above = c.let(i32.sub(i32.and(b.se, EXPONENT), i32.and(a.se, EXPONENT)));
      const swap = c.let(i32.gt_s(above, 0));
      const big = c.let(choose(swap, b.m, a.m));
      const small = c.let(choose(swap, a.m, b.m));
      const distance = c.let(choose32(swap, above, i32.sub(0, above)));
      r.e.set(choose32(swap, b.se, a.se));
      const differ = i32.and(i32.xor(a.se, b.se), SIGN);
      addMagnitudes(c, r, big, small, distance, differ, () => r.e.set(i32.xor(r.e.value, SIGN)));
      round(c, r);
      const near = i32.lt_u(i32.sub(i32.and(r.e.value, EXPONENT), 1), FAR);
      c.if(i32.eqz(near), () => c.if(i64.ne(r.hi.value, 0), () => x87.leave()), undefined, false);
    },
    () => {
      // One is zero, or both: then the sign is that of both, or +.
      r.hi.set(i64.or(a.m, b.m));
      const zeros = i32.and(i32.and(a.se, b.se), SIGN);
      r.e.set(choose32(i64.eqz(r.hi.value), zeros, choose32(first, a.se, b.se)));
    },
    true,
  );
  return finished(c, x87, r);
}

const flipped = (c: Ops, v: Number80, flip: number): Number80 =>
  flip === 0 ? v : { ...v, se: c.let(i32.xor(v.se, flip)) };

/**
 * Widens a double or single.
 * @param t its sign, extended upwards, and its exponent of at most `most`
 * @param m its fraction, left-aligned below an undefined bit at the top
 */
function widened(c: Ops, x87: KnownX87, t: I32, most: number, bias: number, m: I64): Number80 {
  const exponent = c.variable(i32.add(i32.and(t, SIGN | most), bias));
  const significand = c.variable(i64.or(m, TOP));
  // One more than the lowest or the highest exponent has no bit but the last.
  c.if(
    i32.eqz(i32.and(i32.add(t, 1), most & ~1)),
    () => {
      c.if(i32.or(i64.ne(i64.and(m, FRACTION), 0), i32.and(t, most)), () => x87.leave());
      exponent.set(i32.and(t, SIGN));
      significand.set(i64.const(0));
    },
    undefined,
    false,
  );
  return { se: c.let(exponent.value), m: c.let(significand.value), ordinary: true, near: true };
}

export function fromDouble(c: Ops, x87: KnownX87, v: I64): Number80 {
  return widened(c, x87, c.let(i32.wrap(i64.shr_s(v, 52))), 0x7ff, 15360, c.let(i64.shl(v, 11)));
}

export function fromSingle(c: Ops, x87: KnownX87, v: I32): Number80 {
  return widened(c, x87, c.let(i32.shr_s(v, 23)), 0xff, 16256, c.let(i64.shl(i64.extend_u(v), 40)));
}

export function fromInteger(c: Ops, v: I64): Number80 {
  const negative = c.let(i64.shr_s(v, 63));
  const size = c.let(i64.sub(i64.xor(v, negative), negative));
  const lost = c.let(i64.clz(size));
  const e = select(i32.sub(BIAS + 63, i32.wrap(lost)), i32.const(0), i64.ne(size, 0));
  const se = c.let(i32.or(i32.and(i32.wrap(negative), SIGN), e));
  // A shift by 64 is one by none.
  return { se, m: c.let(i64.shl(size, lost)), ordinary: true, near: true };
}

/** ST(0) as a double (52 bits of fraction, bias 1023) or single: the bits, and how they were rounded. */
export function narrowed(c: Ops, x87: KnownX87, v: Number80, fractionBits: number, bias: number) {
  const a = ordinary(c, x87, v);
  const drop = 63 - fractionBits;
  const sign = c.let(i64.shl(i64.extend_u(i32.and(a.se, SIGN)), fractionBits + (bias === 127 ? 8 : 11) - 15));
  const zero = c.let(i64.eqz(a.m));
  const e = c.let(i32.sub(i32.and(a.se, EXPONENT), BIAS - bias));
  const kept = c.let(i64.shr_u(a.m, drop));
  const lost = c.let(i64.shl(a.m, 64 - drop));
  const up = c.let(i64.and(i64.shr_u(lost, 63), i64.or(nonzero(i64.shl(lost, 1)), kept)));
  // The integer bit adds one to the exponent field, a carry another.
  const packed = c.let(i64.add(i64.add(i64.shl(i64.extend_u(i32.sub(e, 1)), fractionBits), kept), up));
  const infinite = i64.ge_u(packed, BigInt(2 * bias + 1) << BigInt(fractionBits));
  const outside = i32.or(i32.ge_u(i32.sub(e, 1), 2 * bias), infinite);
  c.if(i32.and(outside, i32.eqz(zero)), () => x87.leave());
  return { bits: c.let(i64.or(choose(zero, i64.const(0), packed), sign)), up, lost };
}
