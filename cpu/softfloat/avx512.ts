/** What AVX-512 computes beyond SSE on one element (Intel SDM vol. 2, VGETEXP to VSCALEF, VCVTPD2UDQ and its kin). */
import { order } from './compare.ts';
import { fromInt, roundToIntegral, toInt } from './convert.ts';
import { FLAG_IE, FLAG_PE, FLAG_ZE, type FpEnv, ROUND_DOWN } from './env.ts';
import {
  bitLength,
  defaultNaN,
  FINITE,
  type Format,
  finite,
  INF,
  infinity,
  invalid,
  isNaNReal,
  noteDenormal,
  propagate1,
  QNAN,
  quieted,
  type Real,
  round,
  SNAN,
  ZERO,
  zero,
} from './real.ts';

const one = (sign = 0): Real => finite(sign, 1n, 0);

/** To an unsigned integer; IE and all ones when it does not fit. */
export function toUnsigned(env: FpEnv, a: Real, bits: number, chop: boolean): bigint {
  const before = env.flags;
  const v = toInt(env, a, 80, chop);
  if (v < 0n || v >= 1n << BigInt(bits)) {
    env.flags = before | FLAG_IE;
    return (1n << BigInt(bits)) - 1n;
  }
  return v;
}

/** VGETEXP: floor(log2 |a|) as a value. */
export function getExponent(env: FpEnv, a: Real): Real {
  const n = propagate1(env, a);
  if (n) return n;
  if (a.kind === INF) return infinity(0);
  if (a.kind === ZERO) return infinity(1);
  noteDenormal(env, a);
  return fromInt(BigInt(a.exp + bitLength(a.man) - 1));
}

/** VGETMANT. @param imm 1:0 the interval, 3:2 the sign */
export function getMantissa(env: FpEnv, a: Real, imm: number): Real {
  const n = propagate1(env, a);
  if (n) return n;
  const sign = imm & 4 ? 0 : a.sign;
  if (a.kind === ZERO) return one(sign);
  if (a.sign && imm & 8) return invalid(env);
  if (a.kind === INF) return one(sign);
  noteDenormal(env, a);
  const length = bitLength(a.man);
  const exponent = a.exp + length - 1;
  const upperHalf = length > 1 && ((a.man >> BigInt(length - 2)) & 1n) === 1n;
  const below = [0, exponent & 1 ? 1 : 0, 1, upperHalf ? 1 : 0][imm & 3]!;
  return finite(sign, a.man, 1 - length - below);
}

/** VSCALEF: a * 2^floor(b). */
export function scaleBy(env: FpEnv, fmt: Format, a: Real, b: Real): Real {
  if (a.kind === SNAN || b.kind === SNAN) {
    env.raise(FLAG_IE);
    return quieted(isNaNReal(a) ? a : b);
  }
  if (a.kind === QNAN) {
    if (b.kind === INF) return b.sign ? zero(0) : infinity(0);
    return a;
  }
  if (b.kind === QNAN) return b;
  if (b.kind === INF) {
    if (b.sign ? a.kind === INF : a.kind === ZERO) return invalid(env);
    noteDenormal(env, a);
    return b.sign ? zero(a.sign) : infinity(a.sign);
  }
  noteDenormal(env, a);
  if (a.kind !== FINITE) return a;
  const mode = env.rounding;
  const before = env.flags;
  env.rounding = ROUND_DOWN;
  const n = b.kind === ZERO ? b : roundToIntegral(env, b, false);
  env.rounding = mode;
  env.flags = before;
  if (n.kind === ZERO) return round(env, fmt, a.sign, a.man, a.exp);
  // Beyond 2^13 all overflow or vanish alike.
  const far = n.exp + bitLength(n.man) > 13;
  const by = far ? 0x2000 : Number(n.exp >= 0 ? n.man << BigInt(n.exp) : n.man >> BigInt(-n.exp));
  return round(env, fmt, a.sign, a.man, a.exp + (n.sign ? -by : by));
}

/** Rounds as an immediate says: 7:4 fraction bits to keep, 3 no PE, 2 MXCSR's rounding, 1:0 the rounding. */
function roundScaled(env: FpEnv, a: Real, imm: number): Real {
  const places = imm >> 4;
  const mode = env.rounding;
  const before = env.flags;
  if (!(imm & 4)) env.rounding = imm & 3;
  const scaled = a.kind === FINITE ? finite(a.sign, a.man, a.exp + places, a.denormal) : a;
  const r = roundToIntegral(env, scaled, false);
  env.rounding = mode;
  if (imm & 8 && !(before & FLAG_PE)) env.flags &= ~FLAG_PE;
  return r.kind === FINITE ? finite(r.sign, r.man, r.exp - places) : r;
}

/** VRNDSCALE. */
export const roundScale = (env: FpEnv, a: Real, imm: number): Real => roundScaled(env, a, imm);

/** VREDUCE: what rounding to `imm[7:4]` fraction bits takes away. PE only when the difference itself is inexact. */
export function reduce(env: FpEnv, fmt: Format, a: Real, imm: number): Real {
  const n = propagate1(env, a);
  if (n) return n;
  const mode = env.rounding;
  if (!(imm & 4)) env.rounding = imm & 3;
  const r = difference(env, fmt, a, imm);
  env.rounding = mode;
  return r;
}
function difference(env: FpEnv, fmt: Format, a: Real, imm: number): Real {
  const nothing = zero(env.rounding === ROUND_DOWN ? 1 : 0);
  if (a.kind === INF) return zero(0);
  if (a.kind === ZERO) return nothing;
  const before = env.flags;
  const r = roundScaled(env, a, imm | 4);
  env.flags = before;
  const e = Math.min(a.exp, r.kind === ZERO ? a.exp : r.exp);
  const taken = r.kind === ZERO ? 0n : (r.sign ? -1n : 1n) * (r.man << BigInt(r.exp - e));
  const rest = (a.sign ? -1n : 1n) * (a.man << BigInt(a.exp - e)) - taken;
  if (rest === 0n) return nothing;
  const sign = rest < 0n ? 1 : 0;
  const man = sign ? -rest : rest;
  const tiny = e + bitLength(man) - 1 < fmt.emin;
  // Exact results too small to be normal are no underflow, but FTZ takes them.
  if (tiny && env.ftz) env.raise(FLAG_PE);
  const result = !tiny ? round(env, fmt, sign, man, e) : env.ftz ? zero(sign) : finite(sign, man, e);
  if (imm & 8 && !(before & FLAG_PE)) env.flags &= ~FLAG_PE;
  return result;
}

/** VRANGE. @param imm 1:0 minimum, maximum, those of the magnitudes; 3:2 where the sign comes from */
export function range(env: FpEnv, a: Real, b: Real, imm: number): Real {
  if (a.kind === SNAN || b.kind === SNAN) {
    env.raise(FLAG_IE);
    return quieted(a.kind === SNAN ? a : b);
  }
  const chosen = rangeChoice(env, a, b, imm & 3);
  const sign = [a.sign, chosen.sign, 0, 1][(imm >> 2) & 3]!;
  return { ...chosen, sign };
}

function rangeChoice(env: FpEnv, a: Real, b: Real, kind: number): Real {
  if (a.kind === QNAN) return b.kind === QNAN ? a : b;
  if (b.kind === QNAN) return a;
  noteDenormal(env, a, b);
  const max = (kind & 1) === 1;
  const absolute = kind >= 2;
  const magnitude = (v: Real): Real => (absolute ? { ...v, sign: 0 } : v);
  const o = order(magnitude(a), magnitude(b));
  // Of equal numbers the sign decides, also between zeros.
  if (o === 0) return (a.sign === 1) === max ? b : a;
  return o < 0 === max ? b : a;
}
/** The constants of VFIXUPIMM's responses 9 to 13. */
const PI_HALF: Readonly<Record<number, Real>> = {
  24: finite(0, 0xc90fdbn, -23),
  53: finite(0, 0x1921fb54442d18n, -52),
};

/**
 * VFIXUPIMM: the answer that the table has for the kind of `a`; undefined: the destination as it was.
 * @param table eight answers of four bits, QNaN, SNaN, zero, one, -infinity, infinity, negative, positive
 * @param imm which kinds raise which exception
 */
export function fixUp(env: FpEnv, fmt: Format, a: Real, table: number, imm: number): Real | undefined {
  const token = kindOf(a);
  const [zeroDivide, bad] = RAISES[token]!;
  if (imm & zeroDivide) env.raise(FLAG_ZE);
  if (imm & bad) env.raise(FLAG_IE);
  const largest = (sign: number): Real =>
    finite(sign, (1n << BigInt(fmt.precision)) - 1n, fmt.emax - fmt.precision + 1);
  switch ((table >>> (4 * token)) & 15) {
    case 0:
      return undefined;
    case 1:
      return a;
    case 2:
      return isNaNReal(a) ? quieted(a) : { ...quietedValue(a, fmt) };
    case 3:
      return defaultNaN();
    case 4:
      return infinity(1);
    case 5:
      return infinity(0);
    case 6:
      return infinity(a.sign);
    case 7:
      return zero(1);
    case 8:
      return zero(0);
    case 9:
      return one(1);
    case 10:
      return one();
    case 11:
      return finite(0, 1n, -1);
    case 12:
      return finite(0, 90n, 0);
    case 13:
      return PI_HALF[fmt.precision]!;
    case 14:
      return largest(0);
    default:
      return largest(1);
  }
}
/** Bits of the immediate that make a kind raise ZE and IE. */
const RAISES: readonly (readonly [number, number])[] = [
  [0, 0],
  [0, 0x10],
  [1, 2],
  [4, 8],
  [0, 0x20],
  [0, 0x80],
  [0, 0x40],
  [0, 0],
];
function kindOf(a: Real): number {
  if (a.kind === QNAN) return 0;
  if (a.kind === SNAN) return 1;
  if (a.kind === ZERO) return 2;
  if (a.kind === INF) return a.sign ? 4 : 5;
  if (a.sign) return 6;
  const power = bitLength(a.man) - 1;
  return a.exp + power === 0 && a.man === 1n << BigInt(power) ? 3 : 7;
}
/** A number whose exponent and quiet bit are set: what QNaN(x) makes of it. */
function quietedValue(a: Real, fmt: Format): Real {
  const bits = BigInt(fmt.precision - 1);
  const emin = fmt.emin;
  let fraction = 0n;
  if (a.kind === FINITE) {
    const shift = a.exp - (Math.max(emin, a.exp + bitLength(a.man) - 1) - (fmt.precision - 1));
    const whole = shift >= 0 ? a.man << BigInt(shift) : a.man >> BigInt(-shift);
    fraction = whole & ((1n << bits) - 1n);
  }
  return { kind: QNAN, sign: a.sign, exp: 0, man: (3n << 62n) | (fraction << (63n - bits)), denormal: false };
}

/** VFPCLASS: does one of the classes of `imm` hold? Nothing is raised. */
export function isOfClass(a: Real, imm: number): boolean {
  const bit = (n: number): boolean => (imm & (1 << n)) !== 0;
  switch (a.kind) {
    case QNAN:
      return bit(0);
    case SNAN:
      return bit(7);
    case ZERO:
      return bit(a.sign ? 2 : 1);
    case INF:
      return bit(a.sign ? 4 : 3);
    default:
      return (a.denormal && bit(5)) || (a.sign === 1 && bit(6));
  }
}
