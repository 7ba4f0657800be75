/**
 * VRCP14 and VRSQRT14 to the bit as Intel's processors compute them: the significand is cut to 16 (15) bits, whose upper six
 * (five) choose a line; the result has 16 bits behind the point. Powers of two (of four) are exact. The lines were fitted to
 * all values of a processor; there is just one for each piece. No flag is raised.
 */
import type { FpEnv } from './env.ts';
import {
  bitLength,
  defaultNaN,
  FINITE,
  type Format,
  finite,
  INF,
  infinity,
  isNaNReal,
  quieted,
  type Real,
  ZERO,
  zero,
} from './real.ts';

/** For 1 to 2, 64 lines: 512 times the value at the left end and the slope, in units of 2^-17. */
const RECIPROCAL: readonly number[] = [
  67107072, 1009, 66074112, 977, 65073664, 949, 64102400, 921, 63159040, 893, 62244608, 869, 61354752, 843, 60491264,
  821, 59650560, 797, 58833920, 777, 58038272, 755, 57264640, 735, 56511488, 717, 55778048, 699, 55062784, 681,
  54365184, 663, 53686016, 647, 53022976, 631, 52377088, 617, 51745536, 601, 51129600, 587, 50528000, 573, 49940992,
  561, 49366272, 547, 48805376, 535, 48257024, 523, 47721728, 513, 47196672, 501, 46683904, 491, 46181632, 479,
  45690368, 469, 45209344, 459, 44739072, 451, 44277504, 441, 43826176, 433, 43382784, 423, 42949120, 415, 42523904,
  407, 42106880, 399, 41698048, 391, 41297920, 385, 40903936, 377, 40517888, 369, 40139520, 363, 39768320, 357,
  39402752, 349, 39044608, 343, 38692864, 337, 38347520, 331, 38008064, 325, 37674496, 319, 37347840, 315, 37025280,
  309, 36708608, 303, 36398080, 299, 36091648, 293, 35791360, 289, 35495680, 285, 35204352, 279, 34919168, 275,
  34638080, 271, 34361088, 267, 34088192, 263, 33819392, 259,
];

/** For 1/2 to 1, 32 lines, in units of 2^-16. */
const ROOT_ODD: readonly number[] = [
  47450752, 707, 46726272, 675, 46034432, 647, 45371904, 619, 44738048, 595, 44129152, 571, 43544704, 549, 42982528,
  527, 42442368, 509, 41921920, 491, 41419392, 473, 40935040, 457, 40467072, 441, 40015104, 427, 39577728, 413,
  39155072, 401, 38744960, 389, 38347136, 377, 37961600, 365, 37588096, 355, 37224832, 345, 36871936, 335, 36528640,
  325, 36195328, 317, 35870976, 309, 35554944, 301, 35246976, 293, 34946816, 285, 34654848, 279, 34369152, 271,
  34091008, 265, 33819392, 259,
];

/** For 1 to 2, in units of 2^-17. */
const ROOT_EVEN: readonly number[] = [
  67105920, 1001, 66080896, 955, 65102464, 915, 64166144, 877, 63268608, 841, 62407552, 807, 61580928, 775, 60786816,
  747, 60022016, 719, 59285632, 693, 58575744, 669, 57891328, 647, 57229568, 625, 56589568, 603, 55971712, 585,
  55373184, 567, 54793088, 549, 54231424, 533, 53686144, 517, 53156864, 501, 52643456, 487, 52144512, 473, 51659776,
  461, 51188096, 449, 50728832, 437, 50281856, 425, 49847040, 415, 49422080, 403, 49008512, 393, 48605952, 385,
  48211840, 375, 47828224, 367,
];

/** The line's value: `fraction` has ten bits for the place in a piece, above them the piece's number. */
function line(table: readonly number[], fraction: number): number {
  const n = 2 * (fraction >> 10);
  return (table[n]! - table[n + 1]! * (fraction & 1023)) >> 9;
}

/** The bits behind the leading one, cut to `bits`. */
function fractionOf(a: Real, bits: number): number {
  const shift = bitLength(a.man) - 1 - bits;
  const cut = shift >= 0 ? a.man >> BigInt(shift) : a.man << BigInt(-shift);
  return Number(cut) & ((1 << bits) - 1);
}
const isPower = (a: Real): boolean => (a.man & (a.man - 1n)) === 0n;

/** No rounding is needed: the value has few bits. */
function delivered(env: FpEnv, fmt: Format, sign: number, man: number, exp: number): Real {
  const top = exp + bitLength(BigInt(man)) - 1;
  if (top > fmt.emax) return infinity(sign);
  if (top < fmt.emin && env.ftz) return zero(sign);
  return finite(sign, BigInt(man), exp);
}

export function reciprocal14(env: FpEnv, fmt: Format, a: Real): Real {
  if (isNaNReal(a)) return quieted(a);
  if (a.kind === ZERO) return infinity(a.sign);
  if (a.kind === INF) return zero(a.sign);
  const exponent = a.exp + bitLength(a.man) - 1;
  if (isPower(a)) return delivered(env, fmt, a.sign, 1, -exponent);
  return delivered(env, fmt, a.sign, line(RECIPROCAL, fractionOf(a, 16)), -17 - exponent);
}

export function reciprocalRoot14(env: FpEnv, fmt: Format, a: Real): Real {
  if (isNaNReal(a)) return quieted(a);
  if (a.kind === ZERO) return infinity(a.sign);
  if (a.sign) return defaultNaN();
  if (a.kind !== FINITE) return zero(0);
  const exponent = a.exp + bitLength(a.man) - 1;
  const odd = (exponent & 1) !== 0;
  const half = (odd ? exponent + 1 : exponent) / 2;
  if (!odd && isPower(a)) return delivered(env, fmt, 0, 1, -half);
  const table = odd ? ROOT_ODD : ROOT_EVEN;
  return delivered(env, fmt, 0, line(table, fractionOf(a, 15)), (odd ? -16 : -17) - half);
}
