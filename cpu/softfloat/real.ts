/**
 * Unpacked floating-point values, the packing of the four formats, and rounding.
 *
 * A finite value is `(-1)^sign * man * 2^exp` with an integer `man` of any width, so sums and products are exact before
 * `round`. A NaN keeps its significand as the 64 bits that the x87 format would hold (explicit integer bit on top), so
 * that moving a NaN between formats is a shift.
 */
import { FLAG_DE, FLAG_IE, FLAG_OE, FLAG_PE, FLAG_UE, type FpEnv, ROUND_DOWN, ROUND_NEAREST, ROUND_UP } from './env.ts';

export const ZERO = 0;
export const FINITE = 1;
export const INF = 2;
export const QNAN = 3;
export const SNAN = 4;
/** Unnormals, pseudo-infinities and pseudo-NaNs of the x87 format (SDM vol. 1, 8.2.2). */
export const UNSUPPORTED = 5;

export interface Real {
  readonly kind: number;
  readonly sign: number;
  readonly exp: number;
  readonly man: bigint;
  /** The encoding was a denormal or pseudo-denormal: raises DE as an operand. */
  readonly denormal: boolean;
}

export interface Format {
  /** Significand bits with the integer bit. */
  readonly precision: number;
  readonly emin: number;
  readonly emax: number;
}

export const F16: Format = { precision: 11, emin: -14, emax: 15 };
export const F32: Format = { precision: 24, emin: -126, emax: 127 };
export const F64: Format = { precision: 53, emin: -1022, emax: 1023 };
export const F80: Format = { precision: 64, emin: -16382, emax: 16383 };
/** x87 results under precision control 24 and 53: short significand, exponent range of the register. */
export const F80_PC24: Format = { precision: 24, emin: -16382, emax: 16383 };
export const F80_PC53: Format = { precision: 53, emin: -16382, emax: 16383 };

/** The format of x87 arithmetic results under a control word's precision control (SDM vol. 1, 8.1.5.2). */
export function precisionControl(cw: number): Format {
  const pc = (cw >> 8) & 3;
  return pc === 0 ? F80_PC24 : pc === 2 ? F80_PC53 : F80;
}

/** The exponent adjustment of an unmasked x87 overflow or underflow (SDM vol. 1, 8.5.4). */
const WRAP = 24576;

export const INT_BIT = 1n << 63n;
export const QUIET_BIT = 1n << 62n;
const MASK64 = (1n << 64n) - 1n;

export function zero(sign: number): Real {
  return { kind: ZERO, sign, exp: 0, man: 0n, denormal: false };
}
export function infinity(sign: number): Real {
  return { kind: INF, sign, exp: 0, man: 0n, denormal: false };
}
export function finite(sign: number, man: bigint, exp: number, denormal = false): Real {
  return { kind: FINITE, sign, exp, man, denormal };
}
/** The QNaN floating-point indefinite. */
export function defaultNaN(): Real {
  return { kind: QNAN, sign: 1, exp: 0, man: INT_BIT | QUIET_BIT, denormal: false };
}
export function nan(sign: number, man: bigint): Real {
  return { kind: man & QUIET_BIT ? QNAN : SNAN, sign, exp: 0, man, denormal: false };
}
export function quieted(a: Real): Real {
  return { kind: QNAN, sign: a.sign, exp: 0, man: a.man | QUIET_BIT, denormal: false };
}
/** Invalid operation with the default answer. */
export function invalid(env: FpEnv): Real {
  env.raise(FLAG_IE);
  return defaultNaN();
}
export function isNaNReal(a: Real): boolean {
  return a.kind === QNAN || a.kind === SNAN;
}
export function negated(a: Real): Real {
  return { kind: a.kind, sign: a.sign ^ 1, exp: a.exp, man: a.man, denormal: a.denormal };
}

/** Position of the highest set bit plus one. */
export function bitLength(v: bigint): number {
  if (v <= 0x1fffffffffffffn) {
    const n = Number(v);
    const hi = Math.floor(n / 0x100000000);
    return hi !== 0 ? 64 - Math.clz32(hi) : 32 - Math.clz32(n >>> 0);
  }
  if (v <= MASK64) {
    return 64 - Math.clz32(Number(v >> 32n));
  }
  if (v < 1n << 128n) {
    return 64 + bitLength(v >> 64n);
  }
  const hex = v.toString(16);
  return hex.length * 4 - Math.clz32(Number.parseInt(hex[0]!, 16)) + 28;
}

function unpackIeee(sign: number, e: number, frac: bigint, fracBits: number, bias: number): Real {
  if (e === 2 * bias + 1) {
    return frac === 0n ? infinity(sign) : nan(sign, INT_BIT | (frac << BigInt(63 - fracBits)));
  }
  if (e === 0) {
    return frac === 0n ? zero(sign) : finite(sign, frac, 1 - bias - fracBits, true);
  }
  return finite(sign, frac | (1n << BigInt(fracBits)), e - bias - fracBits);
}

export function unpack16(bits: number): Real {
  return unpackIeee((bits >> 15) & 1, (bits >> 10) & 0x1f, BigInt(bits & 0x3ff), 10, 15);
}
export function unpack32(bits: number): Real {
  return unpackIeee(bits >>> 31, (bits >>> 23) & 0xff, BigInt(bits & 0x7fffff), 23, 127);
}
export function unpack64(bits: bigint): Real {
  return unpackIeee(Number((bits >> 63n) & 1n), Number((bits >> 52n) & 0x7ffn), bits & 0xfffffffffffffn, 52, 1023);
}
/** @param se sign and exponent, 16 bits; @param man the 64-bit significand */
export function unpack80(se: number, man: bigint): Real {
  const sign = (se >> 15) & 1;
  const e = se & 0x7fff;
  if (e === 0) {
    return man === 0n ? zero(sign) : finite(sign, man, -16445, true);
  }
  if (!(man & INT_BIT)) {
    return { kind: UNSUPPORTED, sign, exp: e, man, denormal: false };
  }
  if (e === 0x7fff) {
    return man === INT_BIT ? infinity(sign) : nan(sign, man);
  }
  return finite(sign, man, e - 16446);
}

/** Packs a value that `round` (or an exact conversion) made fit the format. */
function packIeee(a: Real, fracBits: number, bias: number): bigint {
  const top = BigInt(a.sign) << BigInt(fracBits + (bias === 15 ? 5 : bias === 127 ? 8 : 11));
  const ones = BigInt(2 * bias + 1) << BigInt(fracBits);
  switch (a.kind) {
    case ZERO:
      return top;
    case INF:
      return top | ones;
    case FINITE: {
      const e = bitLength(a.man) - 1 + a.exp;
      const q = e < 1 - bias ? 1 - bias - fracBits : e - fracBits;
      const sh = a.exp - q;
      const man = sh >= 0 ? a.man << BigInt(sh) : a.man >> BigInt(-sh);
      // A normal significand carries its integer bit into the exponent field.
      return top | (man + (BigInt(e < 1 - bias ? 0 : e + bias - 1) << BigInt(fracBits)));
    }
    default:
      return top | ones | ((a.man & (INT_BIT - 1n)) >> BigInt(63 - fracBits));
  }
}

export function pack16(a: Real): number {
  return Number(packIeee(a, 10, 15));
}
export function pack32(a: Real): number {
  return Number(packIeee(a, 23, 127));
}
export function pack64(a: Real): bigint {
  return packIeee(a, 52, 1023);
}
/** Sign and exponent of the x87 encoding; the significand is `significand80`. */
export function signExponent80(a: Real): number {
  const s = a.sign << 15;
  switch (a.kind) {
    case ZERO:
      return s;
    case FINITE: {
      const e = bitLength(a.man) - 1 + a.exp;
      return s | (e < -16382 ? 0 : e + 16383);
    }
    case UNSUPPORTED:
      return s | a.exp;
    default:
      return s | 0x7fff;
  }
}
export function significand80(a: Real): bigint {
  switch (a.kind) {
    case ZERO:
      return 0n;
    case INF:
      return INT_BIT;
    case FINITE: {
      const n = bitLength(a.man);
      const sh = n - 1 + a.exp < -16382 ? a.exp + 16445 : 64 - n;
      return sh >= 0 ? a.man << BigInt(sh) : a.man >> BigInt(-sh);
    }
    default:
      return a.man;
  }
}

/** Whether dropping `rem` (of a unit `2 * half`) rounds the magnitude up. */
function roundsUp(rounding: number, sign: number, odd: boolean, rem: bigint, half: bigint): boolean {
  switch (rounding) {
    case ROUND_NEAREST:
      return rem > half || (rem === half && odd);
    case ROUND_DOWN:
      return sign === 1;
    case ROUND_UP:
      return sign === 0;
    default:
      return false;
  }
}

/** `man` shifted right by `sh` and rounded; sets `env.roundedUp`, tells in `inexact` through the return's second half. */
export function shiftRound(env: FpEnv, sign: number, man: bigint, sh: number): { man: bigint; inexact: boolean } {
  if (sh <= 0) {
    env.roundedUp = false;
    return { man: man << BigInt(-sh), inexact: false };
  }
  const n = BigInt(sh);
  const q = man >> n;
  const rem = man - (q << n);
  if (rem === 0n) {
    env.roundedUp = false;
    return { man: q, inexact: false };
  }
  const up = roundsUp(env.rounding, sign, (q & 1n) === 1n, rem, 1n << (n - 1n));
  env.roundedUp = up;
  return { man: up ? q + 1n : q, inexact: true };
}

function overflow(env: FpEnv, fmt: Format, sign: number): Real {
  env.raise(FLAG_OE | FLAG_PE);
  const toInf =
    env.rounding === ROUND_NEAREST ||
    (env.rounding === ROUND_UP && sign === 0) ||
    (env.rounding === ROUND_DOWN && sign === 1);
  env.roundedUp = toInf;
  return toInf ? infinity(sign) : finite(sign, (1n << BigInt(fmt.precision)) - 1n, fmt.emax - fmt.precision + 1);
}

/**
 * Rounds `(-1)^sign * man * 2^exp` (man > 0; bits below the last needed may be one sticky bit) to `fmt`, raising
 * OE, UE and PE as x86 does: tininess is found after rounding, a masked underflow needs inexactness too, an unmasked
 * one does not (SDM vol. 1, 4.9.1.5). Unmasked x87 overflow and underflow give the wrapped exponent.
 */
export function round(env: FpEnv, fmt: Format, sign: number, man: bigint, exp: number): Real {
  const n = bitLength(man);
  const p = fmt.precision;
  const e = n - 1 + exp;
  const r = shiftRound(env, sign, man, n - p);
  const re = exp + n - p;
  const carried = r.man >> BigInt(p) !== 0n;
  const top = carried ? e + 1 : e;
  if (top > fmt.emax) {
    if (env.masks & FLAG_OE) {
      return overflow(env, fmt, sign);
    }
    if (top - WRAP > fmt.emax) {
      // Only FSCALE gets this far: the wrapped exponent does not fit either.
      env.raise(FLAG_OE | FLAG_PE);
      env.roundedUp = true;
      return infinity(sign);
    }
    env.raise(r.inexact ? FLAG_OE | FLAG_PE : FLAG_OE);
    return finite(sign, r.man, re - WRAP);
  }
  if (top < fmt.emin) {
    return tiny(env, fmt, sign, man, exp, r, re);
  }
  if (r.inexact) {
    env.raise(FLAG_PE);
  }
  return finite(sign, r.man, re);
}

function tiny(
  env: FpEnv,
  fmt: Format,
  sign: number,
  man: bigint,
  exp: number,
  r: { man: bigint; inexact: boolean },
  re: number,
): Real {
  if (!(env.masks & FLAG_UE)) {
    if (re + WRAP + fmt.precision - 1 < fmt.emin) {
      env.raise(FLAG_UE | FLAG_PE);
      env.roundedUp = false;
      return zero(sign);
    }
    env.raise(r.inexact ? FLAG_UE | FLAG_PE : FLAG_UE);
    return finite(sign, r.man, re + WRAP);
  }
  if (env.ftz) {
    env.raise(FLAG_UE | FLAG_PE);
    return zero(sign);
  }
  const quantum = fmt.emin - fmt.precision + 1;
  const d = shiftRound(env, sign, man, quantum - exp);
  if (d.inexact) {
    env.raise(FLAG_UE | FLAG_PE);
  }
  return d.man === 0n ? zero(sign) : finite(sign, d.man, quantum);
}

/** The NaN that a two-operand operation passes on, or undefined when neither operand is one. */
export function propagate(env: FpEnv, a: Real, b: Real): Real | undefined {
  if (a.kind < QNAN && b.kind < QNAN) {
    return undefined;
  }
  if (a.kind === UNSUPPORTED || b.kind === UNSUPPORTED) {
    return invalid(env);
  }
  if (a.kind === SNAN || b.kind === SNAN) {
    env.raise(FLAG_IE);
  }
  if (b.kind < QNAN) {
    return quieted(a);
  }
  if (a.kind < QNAN) {
    return quieted(b);
  }
  if (!env.x87) {
    return quieted(a);
  }
  // SDM vol. 1, table 4-7: the QNaN of a mixed pair, else the larger significand, else the positive one.
  if (a.kind !== b.kind) {
    return a.kind === QNAN ? a : b;
  }
  if (a.man !== b.man) {
    return quieted(a.man > b.man ? a : b);
  }
  return quieted(a.sign <= b.sign ? a : b);
}

/** The answer for a one-operand operation on a NaN or an unsupported encoding. */
export function propagate1(env: FpEnv, a: Real): Real | undefined {
  if (a.kind < QNAN) {
    return undefined;
  }
  if (a.kind === UNSUPPORTED) {
    return invalid(env);
  }
  if (a.kind === SNAN) {
    env.raise(FLAG_IE);
  }
  return quieted(a);
}

/** Raises DE when an operand is a denormal. */
export function noteDenormal(env: FpEnv, a: Real, b?: Real): void {
  if (a.denormal || b?.denormal) {
    env.raise(FLAG_DE);
  }
}

/** An SSE operand as the environment sees it: a zero in place of a denormal under DAZ. */
export function operand(env: FpEnv, a: Real): Real {
  return a.denormal && env.daz ? zero(a.sign) : a;
}

/** The sign of an exact zero sum of opposite signs. */
export function zeroSumSign(env: FpEnv): number {
  return env.rounding === ROUND_DOWN ? 1 : 0;
}
