/** Arithmetic on unpacked values: exact first, then one rounding. Intel SDM vol. 1, chapters 4.8, 4.9, 8 and 11. */
import { FLAG_IE, FLAG_ZE, type FpEnv } from './env.ts';
import {
  bitLength,
  FINITE,
  type Format,
  finite,
  INF,
  infinity,
  invalid,
  isNaNReal,
  negated,
  noteDenormal,
  propagate,
  propagate1,
  QNAN,
  quieted,
  type Real,
  round,
  SNAN,
  ZERO,
  zero,
  zeroSumSign,
} from './real.ts';

/** Bits kept below the larger operand of a sum before the smaller one counts as a sticky bit. */
const ALIGN_LIMIT = 140;

function addMagnitudes(env: FpEnv, fmt: Format, a: Real, b: Real): Real {
  let x = a;
  let y = b;
  if (x.exp + bitLength(x.man) < y.exp + bitLength(y.man)) {
    x = b;
    y = a;
  }
  let ym = y.man;
  let ye = y.exp;
  const xTop = x.exp + bitLength(x.man);
  if (xTop - (ye + bitLength(ym)) > ALIGN_LIMIT) {
    ym = 1n;
    ye = xTop - ALIGN_LIMIT;
  }
  const e = Math.min(x.exp, ye);
  const xm = x.man << BigInt(x.exp - e);
  ym <<= BigInt(ye - e);
  if (x.sign === y.sign) {
    return round(env, fmt, x.sign, xm + ym, e);
  }
  if (xm === ym) {
    env.roundedUp = false;
    return zero(zeroSumSign(env));
  }
  return xm > ym ? round(env, fmt, x.sign, xm - ym, e) : round(env, fmt, y.sign, ym - xm, e);
}

/** Rounds a value that is already exact (a zero passes). */
export function roundReal(env: FpEnv, fmt: Format, a: Real): Real {
  return a.kind === FINITE ? round(env, fmt, a.sign, a.man, a.exp) : a;
}

export function add(env: FpEnv, fmt: Format, a: Real, b: Real): Real {
  const n = propagate(env, a, b);
  return n ?? addNumbers(env, fmt, a, b);
}

export function sub(env: FpEnv, fmt: Format, a: Real, b: Real): Real {
  const n = propagate(env, a, b);
  return n ?? addNumbers(env, fmt, a, negated(b));
}

function addNumbers(env: FpEnv, fmt: Format, a: Real, b: Real): Real {
  if (a.kind === INF && b.kind === INF && a.sign !== b.sign) {
    return invalid(env);
  }
  noteDenormal(env, a, b);
  if (a.kind === INF) {
    return a;
  }
  if (b.kind === INF) {
    return b;
  }
  if (a.kind === ZERO && b.kind === ZERO) {
    return zero(a.sign === b.sign ? a.sign : zeroSumSign(env));
  }
  if (a.kind === ZERO) {
    return roundReal(env, fmt, b);
  }
  if (b.kind === ZERO) {
    return roundReal(env, fmt, a);
  }
  return addMagnitudes(env, fmt, a, b);
}

export function mul(env: FpEnv, fmt: Format, a: Real, b: Real): Real {
  const n = propagate(env, a, b);
  if (n) {
    return n;
  }
  const sign = a.sign ^ b.sign;
  if ((a.kind === INF && b.kind === ZERO) || (a.kind === ZERO && b.kind === INF)) {
    return invalid(env);
  }
  noteDenormal(env, a, b);
  if (a.kind === INF || b.kind === INF) {
    return infinity(sign);
  }
  if (a.kind === ZERO || b.kind === ZERO) {
    return zero(sign);
  }
  return round(env, fmt, sign, a.man * b.man, a.exp + b.exp);
}

export function div(env: FpEnv, fmt: Format, a: Real, b: Real): Real {
  const n = propagate(env, a, b);
  if (n) {
    return n;
  }
  const sign = a.sign ^ b.sign;
  if (a.kind === b.kind && a.kind !== FINITE) {
    return invalid(env);
  }
  if (b.kind === ZERO && a.kind === FINITE) {
    env.raise(FLAG_ZE);
    return infinity(sign);
  }
  noteDenormal(env, a, b);
  if (a.kind === INF || b.kind === ZERO) {
    return infinity(sign);
  }
  if (b.kind === INF || a.kind === ZERO) {
    return zero(sign);
  }
  const sh = Math.max(0, fmt.precision + 3 + bitLength(b.man) - bitLength(a.man));
  const num = a.man << BigInt(sh);
  const q = num / b.man;
  const sticky = q * b.man === num ? 0n : 1n;
  return round(env, fmt, sign, (q << 1n) | sticky, a.exp - b.exp - sh - 1);
}

/** floor(sqrt(v)). */
export function isqrt(v: bigint): bigint {
  if (v < 2n) {
    return v;
  }
  let x = BigInt(Math.floor(Math.sqrt(Number(v >> BigInt(Math.max(0, bitLength(v) - 104) & ~1)))) + 1);
  x <<= BigInt(Math.max(0, bitLength(v) - 104) >> 1);
  for (;;) {
    const y = (x + v / x) >> 1n;
    if (y >= x) {
      break;
    }
    x = y;
  }
  while (x * x > v) {
    x -= 1n;
  }
  while ((x + 1n) * (x + 1n) <= v) {
    x += 1n;
  }
  return x;
}

export function sqrt(env: FpEnv, fmt: Format, a: Real): Real {
  const n = propagate1(env, a);
  if (n) {
    return n;
  }
  if (a.kind === ZERO) {
    return a;
  }
  if (a.sign) {
    return invalid(env);
  }
  noteDenormal(env, a);
  if (a.kind === INF) {
    return a;
  }
  let sh = Math.max(0, 2 * fmt.precision + 6 - bitLength(a.man));
  if ((a.exp - sh) & 1) {
    sh++;
  }
  const v = a.man << BigInt(sh);
  const q = isqrt(v);
  const sticky = q * q === v ? 0n : 1n;
  return round(env, fmt, 0, (q << 1n) | sticky, (a.exp - sh) / 2 - 1);
}

/**
 * a * b + c with one rounding (FMA3). The NaN of the first operand that is one wins; the caller orders the operands as
 * the instruction form asks (SDM vol. 1, 14.5.1).
 * @param nanOrder the three operands in the instruction's own order
 */
export function fma(env: FpEnv, fmt: Format, a: Real, b: Real, c: Real, nanOrder: readonly Real[]): Real {
  const first = nanOrder.find(isNaNReal);
  const infTimesZero = (a.kind === INF && b.kind === ZERO) || (a.kind === ZERO && b.kind === INF);
  if (first) {
    if (nanOrder.some((o) => o.kind === SNAN)) {
      env.raise(FLAG_IE);
    }
    return first.kind === QNAN ? first : quieted(first);
  }
  const sign = a.sign ^ b.sign;
  const infinite = a.kind === INF || b.kind === INF;
  if (infTimesZero || (infinite && c.kind === INF && c.sign !== sign)) {
    return invalid(env);
  }
  noteDenormal(env, a, b);
  noteDenormal(env, c);
  if (infinite) {
    return infinity(sign);
  }
  if (c.kind === INF) {
    return c;
  }
  if (a.kind === ZERO || b.kind === ZERO) {
    if (c.kind === ZERO) {
      return zero(c.sign === sign ? sign : zeroSumSign(env));
    }
    return roundReal(env, fmt, c);
  }
  const product = finite(sign, a.man * b.man, a.exp + b.exp);
  return c.kind === ZERO ? roundReal(env, fmt, product) : addMagnitudes(env, fmt, product, c);
}
