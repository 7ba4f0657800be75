/** Fused multiply-add under any MXCSR; conventions as in sse-arith.ts. */
import { type I32, type I64, i32, i64 } from '../ir/expr.ts';
import { define } from '../ir/function.ts';
import { DOUBLE, denormals, type Format, IE, roundOf, SINGLE, unpack } from './sse-arith.ts';
import { choose, choose32, multiplyMagnitudes, shiftRight, TOP } from './wide.ts';

/**
 * a * b + d, rounded once. `signs`: bit 0 changes the sign of the product, bit 1 that of d, neither that of a NaN.
 * The NaN of the first operand that is one goes on.
 */
const fused = (fmt: Format) =>
  define(`sseFma${fmt.width}`, ['i64', 'i64', 'i64', 'i32', 'i32'], ['i64', 'i32'], (f, x, y, z, mxcsr, signs) => {
    const a = unpack(f, fmt, x, mxcsr);
    const b = unpack(f, fmt, y, mxcsr);
    const d = unpack(f, fmt, z, mxcsr);
    const quiet = 1n << BigInt(fmt.fraction - 1);
    const infinity = BigInt(fmt.most) << BigInt(fmt.fraction);
    const signed = (sign: I32): I64 => i64.shl(i64.extend_u(sign), fmt.width - 1);
    const productSign = f.let(i32.xor(i32.xor(a.sign, b.sign), i32.and(signs, 1)));
    const addendSign = f.let(i32.xor(d.sign, i32.and(i32.shr_u(signs, 1), 1)));
    const differ = f.let(i32.xor(productSign, addendSign));
    f.if(i32.or(i32.or(a.nan, b.nan), d.nan), () => {
      const first = choose(a.nan, a.bits, choose(b.nan, b.bits, d.bits));
      f.return(i64.or(first, quiet), i32.or(i32.or(a.signalling, b.signalling), d.signalling));
    });
    const infinite = f.let(i32.or(a.special, b.special));
    const none = i32.and(infinite, i32.or(a.zero, b.zero));
    f.if(i32.or(none, i32.and(i32.and(infinite, d.special), differ)), () => {
      f.return(i64.const((1n << BigInt(fmt.width - 1)) | infinity | quiet), i32.const(IE));
    });
    const flags = f.let(denormals(a, b, d));
    f.if(infinite, () => f.return(i64.or(signed(productSign), infinity), flags));
    f.if(d.special, () => f.return(i64.or(signed(addendSign), infinity), flags));
    const nothing = (): I64 => signed(i32.eq(i32.and(mxcsr, 0x6000), 0x2000));
    f.if(i32.or(a.zero, b.zero), () => {
      f.if(d.zero, () => f.return(choose(differ, nothing(), signed(addendSign)), flags));
      f.return(...f.call(roundOf(fmt), addendSign, d.e, d.m, i64.const(0), mxcsr, flags));
    });
    const p = { e: f.variable(i32.const(0)), hi: f.variable(i64.const(0)), lo: f.variable(i64.const(0)) };
    multiplyMagnitudes(f, p, a.m, b.m, i32.sub(i32.add(a.e, b.e), fmt.bias));
    f.if(d.zero, () => f.return(...f.call(roundOf(fmt), productSign, p.e.value, p.hi.value, p.lo.value, mxcsr, flags)));
    // The smaller one is shifted; what falls out of 128 bits is below what rounding looks at.
    const sameExponent = i32.eq(d.e, p.e.value);
    const swap = f.let(i32.or(i32.gt_s(d.e, p.e.value), i32.and(sameExponent, i64.gt_u(d.m, p.hi.value))));
    const e = f.variable(choose32(swap, d.e, p.e.value));
    const by = f.let(choose32(swap, i32.sub(d.e, p.e.value), i32.sub(p.e.value, d.e)));
    const bigHi = f.let(choose(swap, d.m, p.hi.value));
    const bigLo = f.let(choose(swap, i64.const(0), p.lo.value));
    const smallHi = f.let(choose(swap, p.hi.value, d.m));
    const smallLo = f.let(choose(swap, p.lo.value, i64.const(0)));
    const small = shiftRight(f, { hi: smallHi, lo: smallLo }, by);
    const hi = f.variable(i64.const(0));
    const lo = f.variable(i64.const(0));
    f.if(
      differ,
      () => {
        lo.set(i64.sub(bigLo, small.lo));
        hi.set(i64.sub(i64.sub(bigHi, small.hi), i64.extend_u(i64.lt_u(bigLo, small.lo))));
        f.if(i64.eqz(hi.value), () => {
          hi.set(lo.value);
          lo.set(i64.const(0));
          e.set(i32.sub(e.value, 64));
        });
      },
      () => {
        lo.set(i64.add(bigLo, small.lo));
        const carry = f.let(i64.extend_u(i64.lt_u(lo.value, bigLo)));
        const partial = f.let(i64.add(bigHi, small.hi));
        hi.set(i64.add(partial, carry));
        const over = i32.or(i64.lt_u(partial, bigHi), i64.lt_u(hi.value, carry));
        f.if(over, () => {
          lo.set(i64.or(i64.or(i64.shr_u(lo.value, 1), i64.and(lo.value, 1)), i64.shl(hi.value, 63)));
          hi.set(i64.or(i64.shr_u(hi.value, 1), TOP));
          e.set(i32.add(e.value, 1));
        });
      },
    );
    f.if(i64.eqz(hi.value), () => f.return(nothing(), flags));
    const lost = f.let(i64.clz(hi.value));
    const upper = i64.shr_u(i64.shr_u(lo.value, 1), i64.sub(63, lost));
    const sign = choose32(swap, addendSign, productSign);
    const top = i64.or(i64.shl(hi.value, lost), upper);
    const rest = i64.shl(lo.value, lost);
    return f.call(roundOf(fmt), sign, i32.sub(e.value, i32.wrap(lost)), top, rest, mxcsr, flags);
  });
export const fma32 = fused(SINGLE);
export const fma64 = fused(DOUBLE);
