/** Conversions among formats, to and from integers and packed decimals, and rounding to integral values. */

import { roundReal } from './arith.ts';
import { FLAG_IE, FLAG_PE, FLAG_ZE, type FpEnv, ROUND_CHOP } from './env.ts';
import {
  bitLength,
  FINITE,
  type Format,
  finite,
  INF,
  infinity,
  invalid,
  noteDenormal,
  propagate,
  propagate1,
  type Real,
  round,
  shiftRound,
  ZERO,
  zero,
} from './real.ts';

/**
 * Conversion to `fmt`: NaNs are quieted, denormal operands raise DE.
 * @param denormals false for FST, which does not raise DE
 */
export function convert(env: FpEnv, fmt: Format, a: Real, denormals = true): Real {
  const n = propagate1(env, a);
  if (n) {
    return n;
  }
  if (denormals) {
    noteDenormal(env, a);
  }
  return roundReal(env, fmt, a);
}

/** An exact value of an integer. */
export function fromInt(v: bigint): Real {
  return v === 0n ? zero(0) : v < 0n ? finite(1, -v, 0) : finite(0, v, 0);
}

/** Integer to `fmt` with rounding. */
export function intToFormat(env: FpEnv, fmt: Format, v: bigint): Real {
  return roundReal(env, fmt, fromInt(v));
}

/** The integer that a value rounds to; raises PE. Finite values and zeros only. */
function integral(env: FpEnv, a: Real, chop: boolean): bigint {
  if (a.kind === ZERO) {
    env.roundedUp = false;
    return 0n;
  }
  const mode = env.rounding;
  if (chop) {
    env.rounding = ROUND_CHOP;
  }
  const r = shiftRound(env, a.sign, a.man, -a.exp);
  env.rounding = mode;
  if (r.inexact) {
    env.raise(FLAG_PE);
  }
  return a.sign ? -r.man : r.man;
}

/**
 * Conversion to a signed integer of `bits` bits; IE and the integer indefinite when it does not fit.
 * @returns the value, negative ones as negative bigints
 */
export function toInt(env: FpEnv, a: Real, bits: number, chop: boolean): bigint {
  const indefinite = -(1n << BigInt(bits - 1));
  if (a.kind > FINITE || (a.kind === FINITE && a.exp + bitLength(a.man) > 66)) {
    env.raise(FLAG_IE);
    env.roundedUp = false;
    return indefinite;
  }
  const before = env.flags;
  const v = integral(env, a, chop);
  if (v < indefinite || v >= -indefinite) {
    env.flags = before | FLAG_IE;
    env.roundedUp = false;
    return indefinite;
  }
  return v;
}

/** FRNDINT and ROUNDPS: rounds to an integral value in the same format. */
export function roundToIntegral(env: FpEnv, a: Real, denormals: boolean): Real {
  const n = propagate1(env, a);
  if (n) {
    return n;
  }
  if (denormals) {
    noteDenormal(env, a);
  }
  if (a.kind !== FINITE || a.exp >= 0) {
    return a;
  }
  const v = integral(env, a, false);
  return v === 0n ? zero(a.sign) : finite(a.sign, v < 0n ? -v : v, 0);
}

/** FSCALE: a * 2^trunc(b) (SDM vol. 2, FSCALE). */
export function scale(env: FpEnv, fmt: Format, a: Real, b: Real): Real {
  const n = propagate(env, a, b);
  if (n) {
    return n;
  }
  if (b.kind === INF) {
    if ((a.kind === ZERO && !b.sign) || (a.kind === INF && b.sign)) {
      return invalid(env);
    }
    noteDenormal(env, a);
    return b.sign ? zero(a.sign) : infinity(a.sign);
  }
  noteDenormal(env, a, b);
  if (a.kind !== FINITE) {
    return a;
  }
  if (b.kind === ZERO || b.exp + bitLength(b.man) <= 0) {
    return round(env, fmt, a.sign, a.man, a.exp);
  }
  const top = b.exp + bitLength(b.man);
  const by = top > 20 ? 0x20000 : Number(b.exp >= 0 ? b.man << BigInt(b.exp) : b.man >> BigInt(-b.exp));
  return round(env, fmt, a.sign, a.man, a.exp + (b.sign ? -by : by));
}

/** FXTRACT: the exponent as a value, and the significand with exponent 0. */
export function extract(env: FpEnv, a: Real): { exponent: Real; significand: Real } {
  const n = propagate1(env, a);
  if (n) {
    return { exponent: n, significand: n };
  }
  if (a.kind === ZERO) {
    env.raise(FLAG_ZE);
    return { exponent: infinity(1), significand: a };
  }
  noteDenormal(env, a);
  if (a.kind === INF) {
    return { exponent: infinity(0), significand: a };
  }
  const e = a.exp + bitLength(a.man) - 1;
  return { exponent: fromInt(BigInt(e)), significand: finite(a.sign, a.man, 1 - bitLength(a.man)) };
}

export interface Remainder {
  readonly value: Real;
  /** Low three bits of the quotient when the reduction is complete. */
  readonly quotient: number;
  readonly partial: boolean;
}

/** FPREM (`nearest` false) and FPREM1; one step reduces the exponent difference by less than 64 (SDM vol. 2, FPREM). */
export function remainder(env: FpEnv, fmt: Format, a: Real, b: Real, nearest: boolean): Remainder {
  const done = (value: Real, quotient = 0): Remainder => ({ value, quotient, partial: false });
  const n = propagate(env, a, b);
  if (n) {
    return done(n);
  }
  if (a.kind === INF || b.kind === ZERO) {
    return done(invalid(env));
  }
  noteDenormal(env, a, b);
  if (a.kind === ZERO) {
    return done(a);
  }
  if (b.kind === INF) {
    return done(roundReal(env, fmt, a));
  }
  const d = a.exp + bitLength(a.man) - (b.exp + bitLength(b.man));
  if (d >= 64) {
    // The SDM leaves the step N between 32 and 63 to the implementation.
    const step = 32 + (d % 32);
    const e = a.exp - b.exp - (d - step);
    const am = e >= 0 ? a.man << BigInt(e) : a.man;
    const bm = e >= 0 ? b.man : b.man << BigInt(-e);
    const r = am % bm;
    const base = (e >= 0 ? b.exp : a.exp - (d - step)) + (d - step);
    return { value: r === 0n ? zero(a.sign) : round(env, fmt, a.sign, r, base), quotient: 0, partial: true };
  }
  if (d < -1) {
    return done(roundReal(env, fmt, a));
  }
  const e = Math.min(a.exp, b.exp);
  const am = a.man << BigInt(a.exp - e);
  const bm = b.man << BigInt(b.exp - e);
  let q = am / bm;
  let r = am - q * bm;
  let sign = a.sign;
  if (nearest && (2n * r > bm || (2n * r === bm && (q & 1n) === 1n))) {
    q += 1n;
    r = bm - r;
    sign ^= 1;
  }
  return done(r === 0n ? zero(a.sign) : round(env, fmt, sign, r, e), Number(q & 7n));
}

/** FBLD: 18 packed decimal digits and a sign byte. Digits above 9 count as they stand. */
export function fromBcd(bytes: Uint8Array): Real {
  let v = 0n;
  for (let i = 8; i >= 0; i--) {
    const b = bytes[i]!;
    v = v * 100n + BigInt((b >> 4) * 10 + (b & 15));
  }
  const sign = bytes[9]! >> 7;
  return v === 0n ? zero(sign) : finite(sign, v, 0);
}

/** FBSTP; IE and the packed BCD indefinite when it does not fit. */
export function toBcd(env: FpEnv, a: Real): Uint8Array {
  const out = new Uint8Array(10);
  const before = env.flags;
  const fits = a.kind <= FINITE && !(a.kind === FINITE && a.exp + bitLength(a.man) > 62);
  let v = fits ? integral(env, a, false) : 0n;
  if (v < 0n) {
    v = -v;
  }
  if (!fits || v >= 1000000000000000000n) {
    env.flags = before | FLAG_IE;
    env.roundedUp = false;
    out.set([0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff]);
    return out;
  }
  for (let i = 0; i < 9; i++) {
    const d = Number(v % 100n);
    out[i] = (Math.floor(d / 10) << 4) | (d % 10);
    v /= 100n;
  }
  out[9] = a.sign << 7;
  return out;
}
