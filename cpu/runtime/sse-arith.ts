/**
 * SSE arithmetic on single and double precision under any MXCSR, as integer code: for what WebAssembly's own operators
 * do not give (other roundings, DAZ and FTZ, denormals, NaNs, the flags). Intel SDM vol. 1, 4.8, 10.2.3, 11.5.
 *
 * Every function takes and gives bit patterns as i64 (a single in the low half) and gives the exception flags of the
 * operation. A result counts only if no flag is unmasked: tiny and huge results are then given as if masked.
 */
import { type I32, type I64, i32, i64 } from '../ir/expr.ts';
import { define, type FunctionOps, type RuntimeFunction } from '../ir/function.ts';
import {
  addMagnitudes,
  choose,
  choose32,
  divideMagnitudes,
  type Magnitude,
  multiplyMagnitudes,
  nonzero,
  roundsUp,
  shiftRight,
  squareRoot,
  TOP,
} from './wide.ts';

export const IE = 1;
export const DE = 2;
export const ZE = 4;
export const OE = 8;
export const UE = 0x10;
export const PE = 0x20;
const UM = 0x800;

export interface Format {
  readonly width: 16 | 32 | 64;
  readonly fraction: number;
  readonly bias: number;
  /** The exponent field of infinities and NaNs. */
  readonly most: number;
}
export const HALF: Format = { width: 16, fraction: 10, bias: 15, most: 0x1f };
export const SINGLE: Format = { width: 32, fraction: 23, bias: 127, most: 0xff };
export const DOUBLE: Format = { width: 64, fraction: 52, bias: 1023, most: 0x7ff };

const infinity = (fmt: Format): bigint => BigInt(fmt.most) << BigInt(fmt.fraction);
const quiet = (fmt: Format): bigint => 1n << BigInt(fmt.fraction - 1);
/** The QNaN floating-point indefinite. */
const indefinite = (fmt: Format): bigint => (1n << BigInt(fmt.width - 1)) | infinity(fmt) | quiet(fmt);
const signed = (fmt: Format, sign: I32): I64 => i64.shl(i64.extend_u(sign), fmt.width - 1);

export interface Unpacked {
  readonly bits: I64;
  readonly sign: I32;
  /** Biased exponent, below 1 for denormals, whose significand is shifted up. */
  readonly e: I32;
  /** The significand with its highest bit set; zero for zeros. Not for infinities and NaNs. */
  readonly m: I64;
  readonly zero: I32;
  /** Raises DE as an operand. */
  readonly denormal: I32;
  /** Infinity or NaN. */
  readonly special: I32;
  readonly nan: I32;
  readonly signalling: I32;
}

export function unpack(f: FunctionOps, fmt: Format, bits: I64, mxcsr: I32): Unpacked {
  const field = f.let(i32.and(i32.wrap(i64.shr_u(bits, fmt.fraction)), fmt.most));
  const integer = i64.shl(i64.extend_u(i32.ne(field, 0)), 63);
  const raw = f.let(i64.or(i64.and(i64.shl(bits, 63 - fmt.fraction), TOP - 1n), integer));
  const small = f.let(i32.and(i32.eqz(field), i64.ne(raw, 0)));
  const daz = i32.and(i32.shr_u(mxcsr, 6), 1);
  const denormal = f.let(i32.and(small, i32.xor(daz, 1)));
  const significand = f.let(choose(i32.and(small, daz), i64.const(0), raw));
  const zero = f.let(i64.eqz(significand));
  const lost = f.let(i64.and(i64.clz(significand), 63));
  const special = f.let(i32.eq(field, fmt.most));
  const nan = f.let(i32.and(special, i64.ne(raw, TOP)));
  const isQuiet = i32.wrap(i64.and(i64.shr_u(raw, 62), 1));
  return {
    bits,
    sign: f.let(i32.wrap(i64.and(i64.shr_u(bits, fmt.width - 1), 1))),
    e: f.let(i32.sub(i32.or(field, i32.eqz(field)), i32.wrap(lost))),
    m: f.let(i64.shl(significand, lost)),
    zero,
    denormal,
    special,
    nan,
    signalling: f.let(i32.and(nan, i32.xor(isQuiet, 1))),
  };
}

export const denormals = (...operands: Unpacked[]): I32 =>
  i32.shl(
    operands.map((o) => o.denormal).reduce((a, b) => i32.or(a, b)),
    1,
  );

/** Rounds `hi:lo` with a biased exponent to a format; `flags` are those raised before. */
const rounding = (fmt: Format) =>
  define(
    `sseRound${fmt.width}`,
    ['i32', 'i32', 'i64', 'i64', 'i32', 'i32'],
    ['i64', 'i32'],
    (f, sign, e, hi, lo, mxcsr, flags) => {
      const drop = 63 - fmt.fraction;
      const mode = f.let(i32.and(i32.shr_u(mxcsr, 13), 3));
      const top = f.let(signed(fmt, sign));
      const round = (h: I64, l: I64): { m: I64; inexact: I32 } => {
        const kept = f.let(i64.shr_u(h, drop));
        const rest = f.let(i64.or(i64.shl(h, 64 - drop), nonzero(l)));
        const up = roundsUp(f, mode, rest, i32.wrap(i64.and(kept, 1)), sign);
        return { m: f.let(i64.add(kept, i64.extend_u(up))), inexact: f.let(i64.ne(rest, 0)) };
      };
      const r = round(hi, lo);
      // The integer bit adds one to the exponent field, a carry another.
      const packed = f.let(i64.add(i64.shl(i64.extend_s(i32.sub(e, 1)), fmt.fraction), r.m));
      const inside = i32.and(i64.ge_s(packed, 1n << BigInt(fmt.fraction)), i64.lt_s(packed, infinity(fmt)));
      const precision = (inexact: I32, which: number): I32 => i32.or(flags, i32.and(i32.sub(0, inexact), which));
      // A double's packed form wraps beyond the range of exponents that sums and products of two can have: not here.
      f.if(inside, () => f.return(i64.or(packed, top), precision(r.inexact, PE)));
      f.if(i32.gt_s(e, 1), () => {
        const out = i32.or(i32.eqz(mode), i32.eq(mode, i32.sub(2, sign)));
        const limit = choose(out, i64.const(infinity(fmt)), i64.const(infinity(fmt) - 1n));
        f.return(i64.or(limit, top), i32.or(flags, OE | PE));
      });
      f.if(i32.and(i32.shr_u(mxcsr, 15), i32.ne(i32.and(mxcsr, UM), 0)), () => f.return(top, i32.or(flags, UE | PE)));
      const v = shiftRight(f, { hi, lo }, i32.sub(1, e));
      const d = round(v.hi, v.lo);
      const underflow = f.let(precision(d.inexact, UE | PE));
      // Unmasked, tininess alone raises it.
      const raised = choose32(i32.eqz(i32.and(mxcsr, UM)), i32.or(underflow, UE), underflow);
      return [i64.or(d.m, top), raised];
    },
  );
export const round16 = rounding(HALF);
export const round32 = rounding(SINGLE);
export const round64 = rounding(DOUBLE);
export const roundOf = (fmt: Format): typeof round32 => {
  switch (fmt.width) {
    case 16:
      return round16;
    case 32:
      return round32;
    default:
      return round64;
  }
};

const newMagnitude = (f: FunctionOps, e: I32): Magnitude => ({
  e: f.variable(e),
  hi: f.variable(i64.const(0)),
  lo: f.variable(i64.const(0)),
});

/** Leaves with the NaN that comes of the operands, if one is a NaN: the first one's goes before. */
export function leaveOnNaN(f: FunctionOps, fmt: Format, a: Unpacked, b: Unpacked): void {
  f.if(i32.or(a.nan, b.nan), () =>
    f.return(i64.or(choose(a.nan, a.bits, b.bits), quiet(fmt)), i32.or(a.signalling, b.signalling)),
  );
}
const invalid = (f: FunctionOps, fmt: Format, condition: I32): void =>
  f.if(condition, () => f.return(i64.const(indefinite(fmt)), i32.const(IE)));

export type Operation = RuntimeFunction<readonly ['i64', 'i64', 'i32', 'i32'], readonly ['i64', 'i32']>;

type Body = (f: FunctionOps, fmt: Format, a: Unpacked, b: Unpacked, mxcsr: I32) => readonly [I64, I32];

/** Parameters: operands, MXCSR, and whether the second operand changes its sign (unless it is a NaN). */
const operation = (name: string, fmt: Format, body: Body): Operation =>
  define(name, ['i64', 'i64', 'i32', 'i32'], ['i64', 'i32'], (f, x, y, mxcsr, negate) => {
    const a = unpack(f, fmt, x, mxcsr);
    const plain = unpack(f, fmt, y, mxcsr);
    const flip = f.let(signed(fmt, i32.and(negate, i32.xor(plain.nan, 1))));
    const b = { ...plain, bits: f.let(i64.xor(y, flip)), sign: f.let(i32.xor(plain.sign, negate)) };
    return body(f, fmt, a, b, mxcsr);
  });

const sum: Body = (f, fmt, a, b, mxcsr) => {
  const differ = f.let(i32.xor(a.sign, b.sign));
  f.if(i32.or(a.special, b.special), () => {
    leaveOnNaN(f, fmt, a, b);
    invalid(f, fmt, i32.and(i32.and(a.special, b.special), differ));
    f.return(choose(a.special, a.bits, b.bits), denormals(a, b));
  });
  const flags = f.let(denormals(a, b));
  const nothing = (): I64 => signed(fmt, i32.eq(i32.and(mxcsr, 0x6000), 0x2000));
  f.if(i32.and(a.zero, b.zero), () => f.return(choose(differ, nothing(), signed(fmt, a.sign)), i32.const(0)));
  f.if(i32.or(a.zero, b.zero), () => {
    const e = choose32(a.zero, b.e, a.e);
    const sign = choose32(a.zero, b.sign, a.sign);
    f.return(...f.call(roundOf(fmt), sign, e, i64.or(a.m, b.m), i64.const(0), mxcsr, flags));
  });
  const swap = f.let(i32.or(i32.gt_s(b.e, a.e), i32.and(i32.eq(b.e, a.e), i64.gt_u(b.m, a.m))));
  const r = newMagnitude(f, choose32(swap, b.e, a.e));
  const x = f.let(choose(swap, b.m, a.m));
  const y = f.let(choose(swap, a.m, b.m));
  const d = f.let(choose32(swap, i32.sub(b.e, a.e), i32.sub(a.e, b.e)));
  addMagnitudes(f, r, x, y, d, differ);
  f.if(i64.eqz(r.hi.value), () => f.return(nothing(), flags));
  const sign = choose32(swap, b.sign, a.sign);
  return f.call(roundOf(fmt), sign, r.e.value, r.hi.value, r.lo.value, mxcsr, flags);
};

const product: Body = (f, fmt, a, b, mxcsr) => {
  const sign = f.let(i32.xor(a.sign, b.sign));
  const flags = f.let(denormals(a, b));
  f.if(i32.or(a.special, b.special), () => {
    leaveOnNaN(f, fmt, a, b);
    invalid(f, fmt, i32.or(a.zero, b.zero));
    f.return(i64.or(signed(fmt, sign), infinity(fmt)), flags);
  });
  f.if(i32.or(a.zero, b.zero), () => f.return(signed(fmt, sign), flags));
  const r = newMagnitude(f, i32.const(0));
  multiplyMagnitudes(f, r, a.m, b.m, i32.sub(i32.add(a.e, b.e), fmt.bias));
  return f.call(roundOf(fmt), sign, r.e.value, r.hi.value, r.lo.value, mxcsr, flags);
};

const quotient: Body = (f, fmt, a, b, mxcsr) => {
  const sign = f.let(i32.xor(a.sign, b.sign));
  const flags = f.let(denormals(a, b));
  f.if(i32.or(a.special, b.special), () => {
    leaveOnNaN(f, fmt, a, b);
    invalid(f, fmt, i32.and(a.special, b.special));
    f.return(i64.or(signed(fmt, sign), choose(a.special, i64.const(infinity(fmt)), i64.const(0))), flags);
  });
  invalid(f, fmt, i32.and(a.zero, b.zero));
  f.if(b.zero, () => f.return(i64.or(signed(fmt, sign), infinity(fmt)), i32.const(ZE)));
  f.if(a.zero, () => f.return(signed(fmt, sign), flags));
  const r = newMagnitude(f, i32.const(0));
  divideMagnitudes(f, r, a.m, b.m, i32.add(i32.sub(a.e, b.e), fmt.bias));
  return f.call(roundOf(fmt), sign, r.e.value, r.hi.value, r.lo.value, mxcsr, flags);
};

/** Of the second operand. */
const root: Body = (f, fmt, _a, b, mxcsr) => {
  f.if(b.nan, () => f.return(i64.or(b.bits, quiet(fmt)), b.signalling));
  f.if(b.zero, () => f.return(signed(fmt, b.sign), i32.const(0)));
  invalid(f, fmt, b.sign);
  f.if(b.special, () => f.return(b.bits, i32.const(0)));
  const odd = f.let(i32.and(i32.xor(b.e, fmt.bias), 1));
  const r = squareRoot(f, b.m, f.let(i64.extend_u(odd)));
  const e = i32.add(i32.shr_s(i32.sub(i32.sub(b.e, fmt.bias), odd), 1), fmt.bias);
  return f.call(roundOf(fmt), i32.const(0), e, r.hi, r.lo, mxcsr, denormals(b));
};

export const add32 = operation('sseAdd32', SINGLE, sum);
export const add64 = operation('sseAdd64', DOUBLE, sum);
export const mul32 = operation('sseMul32', SINGLE, product);
export const mul64 = operation('sseMul64', DOUBLE, product);
export const div32 = operation('sseDiv32', SINGLE, quotient);
export const div64 = operation('sseDiv64', DOUBLE, quotient);
export const sqrt32 = operation('sseSqrt32', SINGLE, root);
export const sqrt64 = operation('sseSqrt64', DOUBLE, root);
