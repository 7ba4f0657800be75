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

export function isOrdinary(v: Number80): I32 {
  const e = i32.and(v.se, EXPONENT);
  const normal = i32.and(i32.lt_u(i32.sub(e, 1), 0x7ffe), i64.lt_s(v.m, 0));
  return i32.or(normal, i64.eqz(i64.or(v.m, i64.extend_u(e))));
}

/** An exact number under construction. */
interface Parts {
  readonly e: Variable<'i32'>;
  readonly hi: Variable<'i64'>;
  readonly lo: Variable<'i64'>;
  readonly sign: Variable<'i32'>;
  /** The magnitude was rounded up. */
  readonly up: Variable<'i64'>;
}

const newParts = (c: Ops): Parts => ({
  e: c.variable(i32.const(0)),
  hi: c.variable(i64.const(0)),
  lo: c.variable(i64.const(0)),
  sign: c.variable(i32.const(0)),
  up: c.variable(i64.const(0)),
});

/** Rounds to nearest even; gives up when the result is out of the normal range, but for zero. */
function round(c: Ops, x87: KnownX87, r: Parts): void {
  const { hi, lo, e, up } = r;
  up.set(i64.and(i64.shr_u(lo.value, 63), i64.or(nonzero(i64.shl(lo.value, 1)), hi.value)));
  hi.set(i64.add(hi.value, up.value));
  c.if(
    i64.eqz(hi.value),
    () => {
      // All ones went up, or it is zero.
      hi.set(i64.shl(up.value, 63));
      e.set(i32.add(e.value, i32.wrap(up.value)));
    },
    undefined,
    false,
  );
  const fits = i32.lt_u(i32.sub(e.value, 1), 0x7ffe);
  c.if(i32.eqz(fits), () => c.if(i64.ne(hi.value, 0), () => x87.leave()), undefined, false);
}

/** The number that it has become; notes what was lost. */
function finished(c: Ops, x87: KnownX87, r: Parts): Number80 {
  x87.rounded(r.up.value, r.lo.value);
  return { se: c.let(i32.or(r.sign.value, r.e.value)), m: c.let(r.hi.value), ordinary: true };
}

export function product(c: Ops, x87: KnownX87, x: Number80, y: Number80): Number80 {
  const [a, b] = [ordinary(c, x87, x), ordinary(c, x87, y)];
  const r = newParts(c);
  r.sign.set(i32.and(i32.xor(a.se, b.se), SIGN));
  const e = i32.sub(i32.add(i32.and(a.se, EXPONENT), i32.and(b.se, EXPONENT)), BIAS);
  c.if(
    i64.lt_s(i64.and(a.m, b.m), 0),
    () => {
      multiplyMagnitudes(c, r, a.m, b.m, e);
      round(c, x87, r);
    },
    undefined,
    true,
  );
  return finished(c, x87, r);
}

/** @param flip of the signs: 0x8000 the second's, 0x10000 the first's */
export function sum(c: Ops, x87: KnownX87, x: Number80, y: Number80, flip: number): Number80 {
  const a = flipped(c, ordinary(c, x87, x), (flip >> 1) & SIGN);
  const b = flipped(c, ordinary(c, x87, y), flip & SIGN);
  const r = newParts(c);
  const ea = c.let(i32.and(a.se, EXPONENT));
  const eb = c.let(i32.and(b.se, EXPONENT));
  const differ = c.let(i32.and(i32.xor(a.se, b.se), SIGN));
  c.if(
    i64.lt_s(i64.and(a.m, b.m), 0),
    () => {
      // The larger one by exponent, then by significand.
      const above = c.let(i32.sub(eb, ea));
      const swap = c.let(i32.gt_s(i32.add(i32.shl(above, 1), i64.gt_u(b.m, a.m)), 0));
      const big = c.let(choose(swap, b.m, a.m));
      const small = c.let(choose(swap, a.m, b.m));
      const distance = c.let(choose32(swap, above, i32.sub(0, above)));
      const se = c.let(choose32(swap, b.se, a.se));
      r.e.set(i32.and(se, EXPONENT));
      r.sign.set(i32.and(se, SIGN));
      addMagnitudes(c, r, big, small, distance, differ);
      // A difference of nothing is +0.
      c.if(i64.eqz(r.hi.value), () => clear(r), undefined, false);
      round(c, x87, r);
    },
    () => {
      // One is zero, or both: then the sign is that of both, or +.
      const first = c.let(i64.ne(a.m, 0));
      r.hi.set(i64.or(a.m, b.m));
      r.e.set(i32.or(ea, eb));
      const zeros = i32.and(i32.and(a.se, b.se), SIGN);
      const other = i32.and(choose32(first, a.se, b.se), SIGN);
      r.sign.set(choose32(i64.eqz(r.hi.value), zeros, other));
    },
    true,
  );
  return finished(c, x87, r);
}

function clear(r: Parts): void {
  r.e.set(i32.const(0));
  r.lo.set(i64.const(0));
  r.sign.set(i32.const(0));
}

const flipped = (c: Ops, v: Number80, flip: number): Number80 =>
  flip === 0 ? v : { ...v, se: c.let(i32.xor(v.se, flip)) };

/** Widens a double or single: `e` of `most + 1` values, `m` its fraction, left-aligned above an undefined bit at the top. */
function widened(c: Ops, x87: KnownX87, sign: I32, e: I32, most: number, bias: number, m: I64): Number80 {
  const fraction = c.let(i64.and(m, FRACTION));
  const exponent = c.variable(i32.add(e, bias));
  const significand = c.variable(i64.or(fraction, TOP));
  c.if(
    i32.ge_u(i32.sub(e, 1), most - 1),
    () => {
      c.if(i64.ne(i64.or(fraction, i64.extend_u(e)), 0), () => x87.leave());
      exponent.set(i32.const(0));
      significand.set(i64.const(0));
    },
    undefined,
    false,
  );
  return { se: c.let(i32.or(sign, exponent.value)), m: c.let(significand.value), ordinary: true };
}

export function fromDouble(c: Ops, x87: KnownX87, v: I64): Number80 {
  const upper = c.let(i32.wrap(i64.shr_u(v, 48)));
  const e = c.let(i32.and(i32.shr_u(upper, 4), 0x7ff));
  return widened(c, x87, c.let(i32.and(upper, SIGN)), e, 0x7ff, 15360, i64.shl(v, 11));
}

export function fromSingle(c: Ops, x87: KnownX87, v: I32): Number80 {
  const e = c.let(i32.and(i32.shr_u(v, 23), 0xff));
  const sign = c.let(i32.and(i32.shr_u(v, 16), SIGN));
  return widened(c, x87, sign, e, 0xff, 16256, i64.shl(i64.extend_u(v), 40));
}

export function fromInteger(c: Ops, v: I64): Number80 {
  const negative = c.let(i64.shr_s(v, 63));
  const size = c.let(i64.sub(i64.xor(v, negative), negative));
  const lost = c.let(i64.clz(size));
  const e = select(i32.sub(BIAS + 63, i32.wrap(lost)), i32.const(0), i64.ne(size, 0));
  const se = c.let(i32.or(i32.and(i32.wrap(negative), SIGN), e));
  // A shift by 64 is one by none.
  return { se, m: c.let(i64.shl(size, lost)), ordinary: true };
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
