/**
 * The x87's transcendental instructions by fixed-point series, good to some 150 bits before the one rounding: correctly rounded,
 * where the processors promise an error below one unit in the last place. Against an Intel processor more than 99 % of results
 * are equal to the bit on test/difftest's operands, the others are its neighbours; flags are equal but for C1.
 * Arguments of FSIN and its kin are reduced with the 66-bit pi that the hardware uses (Intel SDM vol. 1, 8.3.8).
 */
import { FLAG_PE, FLAG_UE, FLAG_ZE, type FpEnv, ROUND_DOWN, ROUND_NEAREST, ROUND_UP } from './env.ts';
import {
  bitLength,
  F80,
  FINITE,
  finite,
  INF,
  infinity,
  invalid,
  noteDenormal,
  propagate,
  propagate1,
  type Real,
  round,
  ZERO,
  zero,
} from './real.ts';

/** Fraction bits of the fixed-point numbers. */
const P = 320;
const BP = BigInt(P);
const ONE = 1n << BP;

/** 2 * atanh(t) / t for fixed-point t, |t| < 1/2. */
function atanhSeries(t: bigint): bigint {
  const t2 = (t * t) >> BP;
  let power = ONE;
  let sum = 0n;
  for (let k = 1n; power !== 0n; k += 2n) {
    sum += power / k;
    power = (power * t2) >> BP;
  }
  return 2n * sum;
}

/** atan(t) / t for a small fixed-point t. */
function atanSeries(t: bigint): bigint {
  const t2 = (t * t) >> BP;
  let power = ONE;
  let sum = 0n;
  for (let k = 1n; power !== 0n && power !== -1n; k += 2n) {
    sum += power / k;
    power = -((power * t2) >> BP);
  }
  return sum;
}

function fixedSqrt(v: bigint): bigint {
  let x = v > ONE ? v : ONE;
  const n = v << BP;
  for (;;) {
    const y = (x + n / x) >> 1n;
    if (y >= x) {
      return x;
    }
    x = y;
  }
}

/** atan of a fixed-point t in [0, 1]. */
function fixedAtan(t: bigint): bigint {
  let x = t;
  for (let i = 0; i < 3; i++) {
    x = (x << BP) / (ONE + fixedSqrt(ONE + ((x * x) >> BP)));
  }
  return (8n * x * atanSeries(x)) >> BP;
}

const LN2 = (atanhSeries(ONE / 3n) * (ONE / 3n)) >> BP;
/** Machin's formula. */
const PI = 4n * ((4n * (ONE / 5n) * atanSeries(ONE / 5n) - (ONE / 239n) * atanSeries(ONE / 239n)) >> BP);
/** The hardware's pi / 2, scaled by 2^67. */
const HALF_PI_66 = 0xc90fdaa22168c234cn;

/** A value as a fixed-point number (floor). */
function toFixed(man: bigint, exp: number): bigint {
  const sh = exp + P;
  return sh >= 0 ? man << BigInt(sh) : man >> BigInt(-sh);
}

/** Rounds an inexact `man * 2^exp`, `man` possibly negative. */
function inexact(env: FpEnv, man: bigint, exp: number): Real {
  env.raise(FLAG_PE);
  const sign = man < 0n ? 1 : 0;
  const m = man < 0n ? -man : man;
  return round(env, F80, sign, (m << 1n) | 1n, exp - 1);
}

const signed = (a: Real): bigint => (a.sign ? -a.man : a.man);
const topBit = (a: Real): number => a.exp + bitLength(a.man) - 1;

/** F2XM1: 2^x - 1 for |x| <= 1. */
export function f2xm1(env: FpEnv, a: Real): Real {
  const n = propagate1(env, a);
  if (n) {
    return n;
  }
  noteDenormal(env, a);
  if (a.kind === ZERO) {
    return a;
  }
  if (a.kind === INF) {
    return a.sign ? finite(1, 1n, 0) : a;
  }
  if (topBit(a) >= 0) {
    env.raise(FLAG_PE);
    if (topBit(a) === 0 && bitLength(a.man & -a.man) === bitLength(a.man)) {
      return a.sign ? finite(1, 1n, -1) : finite(0, 1n, 0);
    }
    // Undefined by the manual: the operand stays.
    return a;
  }
  const y = (toFixed(signed(a), a.exp) * LN2) >> BP;
  let term = ONE;
  let sum = 0n;
  for (let k = 2n; term !== 0n && term !== -1n; k += 1n) {
    sum += term;
    term = ((term * y) >> BP) / k;
  }
  return inexact(env, signed(a) * ((sum * LN2) >> BP), a.exp - P);
}

/**
 * y * log2(x), both finite and nonzero, x > 0 and not 1.
 * @param direct FYL2X itself, not FYL2XP1
 */
function logProduct(env: FpEnv, y: Real, x: Real, direct: boolean): Real {
  const n = bitLength(x.man);
  let e = x.exp + n - 1;
  let m = x.man << BigInt(P - n + 1);
  if (m === ONE) {
    // The hardware calls exact products inexact too.
    const sign = y.sign ^ (e < 0 ? 1 : 0);
    const man = y.man * BigInt(Math.abs(e));
    const towardsZero = env.rounding !== ROUND_NEAREST && env.rounding !== (sign ? ROUND_DOWN : ROUND_UP);
    const least = y.exp + bitLength(man) - 1 === F80.emin && bitLength(man & -man) === bitLength(man);
    if (direct && towardsZero && least) {
      // FYL2X takes the least normal number for a little less.
      const less = (man << 70n) - 1n;
      return inexact(env, sign ? -less : less, y.exp - 70);
    }
    const r = round(env, F80, sign, man, y.exp);
    env.raise(topBit(r) < F80.emin ? FLAG_PE | FLAG_UE : FLAG_PE);
    return r;
  }
  if (m > (ONE * 3n) / 2n) {
    m >>= 1n;
    e++;
  }
  const t = ((m - ONE) << BP) / (m + ONE);
  const log = (BigInt(e) << BP) + (((t * atanhSeries(t)) >> BP) * ONE) / LN2;
  return inexact(env, signed(y) * log, y.exp - P);
}

/** FYL2X: y * log2(x), SDM vol. 2, table 3-51. */
export function fyl2x(env: FpEnv, y: Real, x: Real): Real {
  const n = propagate(env, x, y);
  if (n) {
    return n;
  }
  if (x.kind === ZERO) {
    if (y.kind === ZERO) {
      return invalid(env);
    }
    if (y.kind === FINITE) {
      env.raise(FLAG_ZE);
    }
    return infinity(y.sign ^ 1);
  }
  if (x.sign || (x.kind === INF && y.kind === ZERO)) {
    return invalid(env);
  }
  const top = x.kind === INF ? 1 : topBit(x);
  const isOne = x.kind === FINITE && top === 0 && bitLength(x.man & -x.man) === bitLength(x.man);
  if (isOne && y.kind === INF) {
    return invalid(env);
  }
  noteDenormal(env, x, y);
  const below = top < 0 ? 1 : 0;
  if (x.kind === INF || y.kind === INF) {
    return infinity(y.sign ^ below);
  }
  if (isOne || y.kind === ZERO) {
    return zero(y.sign ^ below);
  }
  return logProduct(env, y, x, true);
}

/** FYL2XP1: y * log2(x + 1), SDM vol. 2, table 3-52. */
export function fyl2xp1(env: FpEnv, y: Real, x: Real): Real {
  const n = propagate(env, x, y);
  if (n) {
    return n;
  }
  if (x.kind === INF) {
    if (x.sign || y.kind === ZERO) {
      return invalid(env);
    }
    noteDenormal(env, y);
    return infinity(y.sign);
  }
  if (x.kind === ZERO && y.kind === INF) {
    return invalid(env);
  }
  noteDenormal(env, x, y);
  const sign = x.sign ^ y.sign;
  if (y.kind === INF) {
    return infinity(sign);
  }
  if (x.kind === ZERO || y.kind === ZERO) {
    return zero(sign);
  }
  if (topBit(x) >= -1) {
    const e = Math.min(x.exp, 0);
    const sum = (signed(x) << BigInt(x.exp - e)) + (1n << BigInt(-e));
    if (sum <= 0n) {
      // Undefined by the manual: the operand stays.
      env.raise(FLAG_PE);
      return x;
    }
    return logProduct(env, y, finite(0, sum, e), false);
  }
  const f = toFixed(signed(x), x.exp);
  const inverse = (ONE * ONE) / (2n * ONE + f);
  const t = (f * inverse) >> BP;
  const g = ((((inverse * atanhSeries(t)) >> BP) << BP) / LN2) * signed(y);
  return inexact(env, g * signed(x), x.exp + y.exp - P);
}

/** Multiples of pi that FPATAN answers for infinities and zeros: `k` quarters of pi. */
function quarters(env: FpEnv, sign: number, k: bigint): Real {
  return inexact(env, sign ? -(k * PI) : k * PI, -P - 2);
}

/** FPATAN: arctan(y / x) with the quadrant of (x, y), SDM vol. 2, table 3-40. */
export function fpatan(env: FpEnv, y: Real, x: Real): Real {
  const n = propagate(env, x, y);
  if (n) {
    return n;
  }
  noteDenormal(env, x, y);
  if (y.kind === INF) {
    return quarters(env, y.sign, x.kind === INF ? (x.sign ? 3n : 1n) : 2n);
  }
  if (y.kind === ZERO || x.kind === INF) {
    return x.sign ? quarters(env, y.sign, 4n) : zero(y.sign);
  }
  if (x.kind === ZERO) {
    return quarters(env, y.sign, 2n);
  }
  const d = topBit(y) - topBit(x);
  const ratio = (a: Real, b: Real): { man: bigint; exp: number; exact: boolean } => {
    const num = a.man << BigInt(260 + bitLength(b.man));
    const man = num / b.man;
    return { man, exp: a.exp - b.exp - 260 - bitLength(b.man), exact: man * b.man === num };
  };
  if (d < -40 && !x.sign && y.man % x.man === 0n) {
    // Where the quotient is short the hardware does not see that the arc is a little less.
    const r = round(env, F80, y.sign, y.man / x.man, y.exp - x.exp);
    env.raise(topBit(r) < F80.emin ? FLAG_PE | FLAG_UE : FLAG_PE);
    return r;
  }
  if (d < -90) {
    if (x.sign) {
      return quarters(env, y.sign, 4n);
    }
    // The next term is below the sticky bit: a little less than the quotient.
    const q = ratio(y, x);
    const m = (q.man << 64n) - 1n;
    return inexact(env, y.sign ? -m : m, q.exp - 64);
  }
  if (d > 90) {
    return quarters(env, y.sign, 2n);
  }
  const swap = d > 0 || (d === 0 && y.man << BigInt(64 - bitLength(y.man)) > x.man << BigInt(64 - bitLength(x.man)));
  const q = swap ? ratio(x, y) : ratio(y, x);
  let a = fixedAtan(toFixed(q.man, q.exp));
  if (swap) {
    a = PI / 2n - a;
  }
  if (x.sign) {
    a = PI - a;
  }
  return inexact(env, y.sign ? -a : a, -P);
}

interface Reduced {
  /** Quadrant 0-3. */
  readonly quadrant: number;
  /** The remainder in [-pi/4, pi/4] as man * 2^exp. */
  readonly man: bigint;
  readonly exp: number;
}

function reduce(a: Real): Reduced {
  if (topBit(a) < -1) {
    return { quadrant: 0, man: signed(a), exp: a.exp };
  }
  // Everything in units of 2^-67 or finer.
  const e = Math.min(a.exp, -67);
  const v = signed(a) << BigInt(a.exp - e);
  const h = HALF_PI_66 << BigInt(-67 - e);
  const twice = 2n * v + h;
  const q = twice >= 0n ? twice / (2n * h) : -((-twice + 2n * h - 1n) / (2n * h));
  return { quadrant: Number(((q % 4n) + 4n) % 4n), man: v - q * h, exp: e };
}

/** sin of the remainder as man * 2^exp with full relative precision. */
function sinOf(r: Reduced): { man: bigint; exp: number } {
  const f = toFixed(r.man, r.exp);
  const f2 = (f * f) >> BP;
  let term = ONE;
  let sum = 0n;
  for (let k = 2n; term !== 0n && term !== -1n; k += 2n) {
    sum += term;
    term = -((term * f2) >> BP) / (k * (k + 1n));
  }
  // A nonzero square below the fixed point still makes the sine smaller than its argument.
  return { man: r.man * (sum === ONE ? ONE - 1n : sum), exp: r.exp - P };
}

function cosOf(r: Reduced): { man: bigint; exp: number } {
  const f = toFixed(r.man, r.exp);
  const f2 = (f * f) >> BP;
  let term = ONE;
  let sum = 0n;
  for (let k = 1n; term !== 0n && term !== -1n; k += 2n) {
    sum += term;
    term = -((term * f2) >> BP) / (k * (k + 1n));
  }
  return { man: sum === ONE ? ONE - 1n : sum, exp: -P };
}

/** Whether the argument of FSIN, FCOS, FSINCOS and FPTAN is beyond 2^63 (C2 set, nothing done). */
export function outOfRange(a: Real): boolean {
  return a.kind === FINITE && topBit(a) >= 63;
}

function trigOperand(env: FpEnv, a: Real): Real | undefined {
  const n = propagate1(env, a);
  if (n) {
    return n;
  }
  if (a.kind === INF) {
    return invalid(env);
  }
  noteDenormal(env, a);
  return undefined;
}

/** Below 2^-68 the hardware takes sine and tangent for the argument and cosine for one, without rounding. */
const TINY = -68;

/** Sine and tangent of an argument so small that the hardware answers with the argument itself. */
function tinyArgument(env: FpEnv, a: Real): Real | undefined {
  if (topBit(a) >= TINY) {
    return undefined;
  }
  env.raise(FLAG_PE);
  if (topBit(a) < F80.emin) {
    env.raise(FLAG_UE);
    return round(env, F80, a.sign, a.man, a.exp);
  }
  return a;
}

function sinQuadrant(env: FpEnv, r: Reduced, quadrant: number): Real {
  const v = quadrant & 1 ? cosOf(r) : sinOf(r);
  return inexact(env, quadrant & 2 ? -v.man : v.man, v.exp);
}

export function fsin(env: FpEnv, a: Real): Real {
  const n = trigOperand(env, a);
  if (n || a.kind === ZERO) {
    return n ?? a;
  }
  const t = tinyArgument(env, a);
  if (t) {
    return t;
  }
  const r = reduce(a);
  return sinQuadrant(env, r, r.quadrant);
}

export function fcos(env: FpEnv, a: Real): Real {
  const n = trigOperand(env, a);
  if (n || a.kind === ZERO) {
    return n ?? finite(0, 1n, 0);
  }
  if (topBit(a) < TINY) {
    env.raise(FLAG_PE);
    return finite(0, 1n, 0);
  }
  const r = reduce(a);
  return sinQuadrant(env, r, (r.quadrant + 1) & 3);
}

export function fptan(env: FpEnv, a: Real): Real {
  const n = trigOperand(env, a);
  if (n || a.kind === ZERO) {
    return n ?? a;
  }
  const t = tinyArgument(env, a);
  if (t) {
    return t;
  }
  const r = reduce(a);
  let s = sinOf(r);
  let c = cosOf(r);
  if (r.quadrant & 1) {
    [s, c] = [c, { man: -s.man, exp: s.exp }];
  }
  const negative = s.man < 0n !== c.man < 0n;
  const abs = (v: bigint): bigint => (v < 0n ? -v : v);
  const num = abs(s.man) << BigInt(bitLength(abs(c.man)) + 100);
  const q = num / abs(c.man);
  return inexact(env, negative ? -q : q, s.exp - c.exp - bitLength(abs(c.man)) - 100);
}
