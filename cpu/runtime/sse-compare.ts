/** SSE comparison, minimum, maximum and conversion under any MXCSR; conventions as in sse-arith.ts. */
import { f64, type I32, type I64, i32, i64 } from '../ir/expr.ts';
import { define, type FunctionOps } from '../ir/function.ts';
import {
  DOUBLE,
  denormals,
  type Format,
  HALF,
  IE,
  leaveOnNaN,
  roundOf,
  SINGLE,
  type Unpacked,
  unpack,
} from './sse-arith.ts';
import { choose, choose32, nonzero, roundsUp, TOP } from './wide.ts';

export const LESS = 1;
export const EQUAL = 2;
export const GREATER = 4;
export const UNORDERED = 8;

const signBit = (fmt: Format): bigint => 1n << BigInt(fmt.width - 1);

function relation(f: FunctionOps, a: Unpacked, b: Unpacked): I32 {
  // Zeros have the same exponent as the smallest normal numbers, and nothing else.
  const sameExponent = i32.eq(a.e, b.e);
  const below = i32.or(i32.lt_s(a.e, b.e), i32.and(sameExponent, i64.lt_u(a.m, b.m)));
  const smaller = f.let(choose32(i32.or(a.zero, b.zero), i32.and(a.zero, i32.xor(b.zero, 1)), below));
  const same = i32.and(i32.and(sameExponent, i64.eq(a.m, b.m)), i32.eq(a.sign, b.sign));
  const equal = f.let(i32.or(same, i32.and(a.zero, b.zero)));
  const less = choose32(i32.ne(a.sign, b.sign), a.sign, i32.xor(smaller, a.sign));
  return f.let(choose32(equal, i32.const(EQUAL), choose32(less, i32.const(LESS), i32.const(GREATER))));
}

/** Parameters: operands, MXCSR, whether QNaNs raise IE. Results: the relation, flags. */
const comparison = (fmt: Format) =>
  define(`sseCompare${fmt.width}`, ['i64', 'i64', 'i32', 'i32'], ['i32', 'i32'], (f, x, y, mxcsr, signalling) => {
    const a = unpack(f, fmt, x, mxcsr);
    const b = unpack(f, fmt, y, mxcsr);
    f.if(i32.or(a.nan, b.nan), () =>
      f.return(i32.const(UNORDERED), i32.or(i32.or(signalling, a.signalling), b.signalling)),
    );
    return [relation(f, a, b), denormals(a, b)];
  });
export const compare32 = comparison(SINGLE);
export const compare64 = comparison(DOUBLE);

/** MIN and MAX: `wanted` is the relation that takes the first operand. */
const extreme = (fmt: Format) =>
  define(`sseExtreme${fmt.width}`, ['i64', 'i64', 'i32', 'i32'], ['i64', 'i32'], (f, x, y, mxcsr, wanted) => {
    const a = unpack(f, fmt, x, mxcsr);
    const b = unpack(f, fmt, y, mxcsr);
    const seen = (o: Unpacked): I64 => choose(o.zero, i64.and(o.bits, signBit(fmt)), o.bits);
    f.if(i32.or(a.nan, b.nan), () => f.return(seen(b), i32.const(IE)));
    const first = i32.eq(relation(f, a, b), wanted);
    return [choose(first, seen(a), seen(b)), denormals(a, b)];
  });
export const extreme32 = extreme(SINGLE);
export const extreme64 = extreme(DOUBLE);

/** What an operand of less than 2^63 rounds to, as a magnitude, and whether that is inexact. */
function integral(f: FunctionOps, fmt: Format, a: Unpacked, mode: I32): { size: I64; inexact: I32 } {
  const shift = f.let(i64.extend_s(i32.sub(fmt.bias + 63, a.e)));
  const size = f.variable(i64.const(0));
  const rest = f.variable(nonzero(a.m));
  f.if(i64.le_u(shift, 64), () => {
    size.set(i64.shr_u(i64.shr_u(a.m, 1), i64.sub(shift, 1)));
    rest.set(i64.shl(a.m, i64.sub(64, shift)));
  });
  const up = roundsUp(f, mode, rest.value, i32.wrap(i64.and(size.value, 1)), a.sign);
  return { size: f.let(i64.add(size.value, i64.extend_u(up))), inexact: f.let(i64.ne(rest.value, 0)) };
}

/** CVTSD2SI and its kin. Parameters: operand, the least integer as an unsigned number, rounding, MXCSR. */
const toInteger = (fmt: Format) =>
  define(`sseToInteger${fmt.width}`, ['i64', 'i64', 'i32', 'i32'], ['i64', 'i32'], (f, x, least, mode, mxcsr) => {
    const a = unpack(f, fmt, x, mxcsr);
    f.if(i32.and(i32.ge_s(a.e, fmt.bias + 63), i32.xor(a.zero, 1)), () => {
      // Only -2^63 fits.
      const fits = i32.and(i64.eq(a.bits, f64Least(fmt)), i64.eq(least, i64.const(TOP)));
      f.return(least, i32.xor(fits, 1));
    });
    const r = integral(f, fmt, a, mode);
    f.if(i64.gt_u(r.size, i64.sub(i64.add(least, i64.extend_u(a.sign)), 1)), () => f.return(least, i32.const(IE)));
    const negative = f.let(i64.sub(0, i64.extend_u(a.sign)));
    return [i64.sub(i64.xor(r.size, negative), negative), i32.shl(r.inexact, 5)];
  });
/** -2^63 in the format. */
const f64Least = (fmt: Format): I64 => i64.const(signBit(fmt) | (BigInt(fmt.bias + 63) << BigInt(fmt.fraction)));
export const toInteger32 = toInteger(SINGLE);
export const toInteger64 = toInteger(DOUBLE);

/** CVTSI2SD and its kin. */
const fromInteger = (fmt: Format) =>
  define(`sseFromInteger${fmt.width}`, ['i64', 'i32'], ['i64', 'i32'], (f, v, mxcsr) => {
    f.if(i64.eqz(v), () => f.return(i64.const(0), i32.const(0)));
    const negative = f.let(i64.shr_s(v, 63));
    const size = f.let(i64.sub(i64.xor(v, negative), negative));
    const lost = f.let(i64.clz(size));
    const e = i32.sub(fmt.bias + 63, i32.wrap(lost));
    const sign = i32.wrap(i64.and(negative, 1));
    return f.call(roundOf(fmt), sign, e, i64.shl(size, lost), i64.const(0), mxcsr, i32.const(0));
  });
export const fromInteger32 = fromInteger(SINGLE);
export const fromInteger64 = fromInteger(DOUBLE);

/** CVTSD2SS, CVTSS2SD and those of half precision: infinities and NaNs keep the upper bits of their fractions. */
const conversion = (name: string, from: Format, to: Format) =>
  define(name, ['i64', 'i32'], ['i64', 'i32'], (f, x, mxcsr) => {
    const a = unpack(f, from, x, mxcsr);
    const sign = f.let(i64.shl(i64.extend_u(a.sign), to.width - 1));
    f.if(a.special, () => {
      const fraction = i64.shr_u(i64.shl(a.m, 1), 64 - to.fraction);
      const quiet = i64.shl(i64.extend_u(a.nan), to.fraction - 1);
      const bits = i64.or(i64.or(fraction, quiet), BigInt(to.most) << BigInt(to.fraction));
      f.return(i64.or(sign, bits), a.signalling);
    });
    f.if(a.zero, () => f.return(sign, i32.const(0)));
    const e = i32.add(a.e, to.bias - from.bias);
    return f.call(roundOf(to), a.sign, e, a.m, i64.const(0), mxcsr, denormals(a));
  });
export const narrow = conversion('sseNarrow', DOUBLE, SINGLE);
export const widen = conversion('sseWiden', SINGLE, DOUBLE);
export const toHalf = conversion('sseToHalf', SINGLE, HALF);
export const fromHalf = conversion('sseFromHalf', HALF, SINGLE);

/** ROUNDSD and its kin. Parameters: operand, the immediate, MXCSR. */
const roundIntegral = (fmt: Format) =>
  define(`sseIntegral${fmt.width}`, ['i64', 'i32', 'i32'], ['i64', 'i32'], (f, x, imm, mxcsr) => {
    const a = unpack(f, fmt, x, mxcsr);
    f.if(a.nan, () => leaveOnNaN(f, fmt, a, a));
    f.if(a.zero, () => f.return(i64.and(x, signBit(fmt)), i32.const(0)));
    f.if(i32.ge_s(a.e, fmt.bias + fmt.fraction), () => f.return(x, i32.const(0)));
    const own = i32.and(i32.shr_u(mxcsr, 13), 3);
    const r = integral(f, fmt, a, f.let(choose32(i32.and(imm, 4), own, i32.and(imm, 3))));
    const lost = f.let(i64.clz(r.size));
    const e = i64.extend_s(i32.sub(fmt.bias + 62, i32.wrap(lost)));
    const kept = i64.shr_u(i64.shl(r.size, lost), 63 - fmt.fraction);
    const bits = choose(i64.eqz(r.size), i64.const(0), i64.add(i64.shl(e, fmt.fraction), kept));
    const shown = i32.eqz(i32.and(imm, 8));
    return [i64.or(bits, i64.and(x, signBit(fmt))), i32.shl(i32.and(r.inexact, shown), 5)];
  });
export const integral32 = roundIntegral(SINGLE);
export const integral64 = roundIntegral(DOUBLE);

/**
 * RCPPS and RSQRTPS. The architecture leaves all but a relative error of 1.5 * 2^-12 open; these are the values of
 * Intel's processors: the function at the middle of the interval that the top bits of the significand name, rounded to 12
 * bits. Denormals count as zeros, tiny results become zeros, no flag is raised.
 */
export const reciprocal = define('sseReciprocal', ['i32'], ['i32'], (f, bits) => {
  const sign = f.let(i32.and(bits, 0x80000000));
  const e = f.let(i32.and(i32.shr_u(bits, 23), 0xff));
  f.if(i32.eq(e, 0xff), () => f.return(choose32(i32.and(bits, 0x7fffff), i32.or(bits, 0x400000), sign)));
  f.if(i32.eqz(e), () => f.return(i32.or(sign, 0x7f800000)));
  f.if(i32.ge_u(e, 253), () => f.return(sign));
  const middle = middleOf(i32.and(i32.shr_u(bits, 12), 0x7ff), 11);
  return [approximation(sign, f64.div(real(1), middle), i32.sub(126, e))];
});
export const reciprocalRoot = define('sseReciprocalRoot', ['i32'], ['i32'], (f, bits) => {
  const e = f.let(i32.and(i32.shr_u(bits, 23), 0xff));
  f.if(i32.and(i32.eq(e, 0xff), i32.ne(i32.and(bits, 0x7fffff), 0)), () => f.return(i32.or(bits, 0x400000)));
  f.if(i32.eqz(e), () => f.return(i32.or(i32.and(bits, 0x80000000), 0x7f800000)));
  f.if(i32.lt_s(bits, 0), () => f.return(i32.const(0xffc00000)));
  f.if(i32.eq(e, 0xff), () => f.return(i32.const(0)));
  const middle = f.let(middleOf(i32.and(i32.shr_u(bits, 13), 0x3ff), 10));
  const even = f.let(i32.and(e, 1));
  const scaled = f64.mul(middle, f64.convert_i32_s(i32.sub(2, even)));
  const half = i32.shr_s(i32.sub(i32.sub(128, even), e), 1);
  return [approximation(i32.const(0), f64.div(real(1), f64.sqrt(scaled)), i32.sub(half, 1))];
});

const real = (v: number): ReturnType<typeof f64.add> => f64.convert_i32_s(i32.const(v));
/** 1 + (n + 1/2) / 2^bits */
function middleOf(n: I32, bits: number): ReturnType<typeof f64.add> {
  const doubled = f64.convert_i32_s(i32.or(i32.shl(n, 1), 1));
  return f64.add(real(1), f64.div(doubled, real(2 ** (bits + 1))));
}
/** `2 * v * 2^exponent` with `v` in (1/2, 1), 12 bits after the point. */
function approximation(sign: I32, v: ReturnType<typeof f64.add>, exponent: I32): I32 {
  const scaled = f64.mul(f64.sub(f64.mul(v, real(2)), real(1)), real(4096));
  const rounded = i32.trunc_sat_f64_s(f64.floor(f64.add(scaled, f64.div(real(1), real(2)))));
  return i32.or(sign, i32.or(i32.shl(i32.add(exponent, 127), 23), i32.shl(rounded, 11)));
}
