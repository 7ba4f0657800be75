/** Conversions between integers and floating point (Intel SDM vol. 2, CVTDQ2PD to CVTTSS2SI). */
import { type F32, type F64, f32, f64, type I32, type I64, type Int, i32, i64, type V128 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { f32x4, f64x2, i32x4, i64x2, lowQuad, v128 } from '../ir/vector.ts';
import * as order from '../runtime/sse-compare.ts';
import type { Lower } from './row.ts';
import { lanesOf, writeLanes } from './simd-forms.ts';
import { all, both, either, packed32, plainMxcsr, precisionSticky, roundsToNearest } from './sse-fp-fast.ts';
import type { FpWidth } from './sse-fp-forms.ts';
import { f32ToInt, f64ToInt, intToF32, intToF64 } from './sse-fp-ops.ts';
import { narrowing, upperHalf } from './sse-fp-precision.ts';
import { each32, each64, slowly } from './sse-fp-slow.ts';
import { element, settleFlags, softlyPacked, softlyScalar } from './sse-fp-soft.ts';

/** CVTSI2SS, CVTSI2SD: exact, or inexact where that does not show. */
export const fromInteger =
  (width: FpWidth): Lower =>
  (c) => {
    const base = c.readVector(1);
    const v = c.read(2);
    const wide = v.type === 'i64';
    if (width === 64 && !wide) {
      c.writeVector(0, f64x2.replace(base, 0, f64.convert_i32_s(v as I32)));
      return;
    }
    const fast = (): V128 => {
      if (width === 64) {
        return f64x2.replace(base, 0, f64.convert_i64_s(v as I64));
      }
      return f32x4.replace(base, 0, wide ? f32.convert_i64_s(v as I64) : f32.convert_i32_s(v as I32));
    };
    c.if(
      either(plainMxcsr(c), smallInteger(v, width === 64 ? 53 : 24)),
      () => c.writeVector(0, fast()),
      () =>
        softlyScalar(
          c,
          width,
          base,
          [lowQuad(signExtended(v))],
          (mxcsr) => c.call(width === 32 ? order.fromInteger32 : order.fromInteger64, signExtended(v), mxcsr),
          width === 32
            ? each32(1, (env, s) => intToF32(env, s.i64(0, 0)))
            : each64(1, (env, s) => intToF64(env, s.i64(0, 0))),
        ),
    );
  };
const signExtended = (v: Int): I64 => (v.type === 'i64' ? (v as I64) : i64.extend_s(v as I32));

/** |v| below 2^bits: exact in the target format. */
function smallInteger(v: Int, bits: number): I32 {
  if (v.type === 'i64') {
    const limit = 1n << BigInt(bits);
    return i64.lt_u(i64.add(v as I64, limit), 2n * limit);
  }
  return i32.lt_u(i32.add(v as I32, 2 ** bits), 2 ** (bits + 1));
}

/** CVT(T)SS2SI and CVT(T)SD2SI. */
export const toInteger =
  (width: FpWidth, chop: boolean): Lower =>
  (c) => {
    const bits = c.bits(0);
    const source = c.readVector(1);
    const result = c.variable(i64.const(0));
    const { condition, value } = toIntegerFast(c, width, bits, chop, source);
    c.if(
      condition,
      () => result.set(value),
      () => {
        const mxcsr = c.get('mxcsr') as I32;
        const [integer, flags] = integerOf(c, width, bits, chop, element(width, [source], 0), mxcsr);
        settleFlags(
          c,
          mxcsr,
          flags,
          () => result.set(integer),
          () => {
            const slow = each64(1, (env, s) =>
              width === 32 ? f32ToInt(env, s.u32(0, 0), bits, chop) : f64ToInt(env, s.u64(0, 0), bits, chop),
            );
            result.set(i64x2.extract(slowly(c, [[source]], slow)[0]!, 0));
          },
        );
      },
    );
    c.write(0, bits === 64 ? result.value : i32.wrap(result.value));
  };

/** An element as an integer, by its runtime function. */
function integerOf(c: Ops, width: FpWidth, bits: number, chop: boolean, v: I64, mxcsr: I32): readonly [I64, I32] {
  const least = i64.const(1n << BigInt(bits - 1));
  const mode = chop ? i32.const(3) : i32.and(i32.shr_u(mxcsr, 13), 3);
  return c.call(width === 32 ? order.toInteger32 : order.toInteger64, v, least, mode, mxcsr);
}

function toIntegerFast(
  c: Ops,
  width: FpWidth,
  bits: number,
  chop: boolean,
  source: V128,
): { condition: I32; value: I64 } {
  const mode = chop ? i32.const(1) : roundsToNearest(c);
  if (width === 32) {
    const a: F32 = c.let(f32x4.extract(source, 0));
    const r = c.let(chop ? f32.trunc(a) : f32.nearest(a));
    const limit = f32.reinterpret(i32.const(bits === 64 ? 0x5f000000 : 0x4f000000));
    const fits = f32.lt(f32.abs(r), limit);
    return { condition: all(mode, fits, either(f32.eq(r, a), precisionSticky(c))), value: i64.trunc_sat_f32_s(r) };
  }
  const a: F64 = c.let(f64x2.extract(source, 0));
  const r = c.let(chop ? f64.trunc(a) : f64.nearest(a));
  const limit = f64.reinterpret(i64.const(bits === 64 ? 0x43e0000000000000n : 0x41e0000000000000n));
  const fits = f64.lt(f64.abs(r), limit);
  return { condition: all(mode, fits, either(f64.eq(r, a), precisionSticky(c))), value: i64.trunc_sat_f64_s(r) };
}

/** CVT(T)PD2DQ. */
export const doublesToIntegers = (chop: boolean): Lower =>
  narrowing(
    (count) => each32(count, (env, s, i) => Number(f64ToInt(env, s.u64(0, i), 32, chop))),
    (c, v) => {
      const r = c.let(chop ? f64x2.trunc(v) : f64x2.nearest(v));
      const fits = f64x2.lt(f64x2.abs(r), i64x2.splat(i64.const(0x41e0000000000000n)));
      const exact = v128.or(f64x2.eq(r, v), i64x2.splat(i64.extend_s(i32.sub(0, precisionSticky(c)))));
      return { value: i32x4.trunc_sat_f64x2_s_zero(r), mask: v128.and(fits, exact) };
    },
    (c) => (chop ? i32.const(1) : roundsToNearest(c)),
    (c, v, mxcsr) => integerOf(c, 64, 32, chop, v, mxcsr),
  );

/** CVTDQ2PD: exact. */
export const integersToDoubles: Lower = (c) => {
  const source = c.readVector(1);
  const parts = c.lanes === 2 ? [source, c.let(upperHalf(source))] : [source];
  writeLanes(
    c,
    0,
    parts.map((v) => f64x2.convert_low_i32x4_s(v)),
  );
};

export const integersToSingles: Lower = (c) => {
  const a = lanesOf(c, 1);
  c.if(
    plainMxcsr(c),
    () =>
      writeLanes(
        c,
        0,
        a.map((v) => f32x4.convert_i32x4_s(v)),
      ),
    () =>
      softlyPacked(
        c,
        32,
        [a],
        (i, mxcsr) => c.call(order.fromInteger32, i64.extend32_s(element(32, a, i)), mxcsr),
        (count) => each32(count, (env, s, i) => intToF32(env, BigInt(s.i32(0, i)))),
      ),
  );
};

/** CVT(T)PS2DQ. */
export const singlesToIntegers =
  (chop: boolean): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const r = a.map((v) => c.let(chop ? f32x4.trunc(v) : f32x4.nearest(v)));
    const sticky = c.let(i32x4.splat(i32.sub(0, precisionSticky(c))));
    const masks = r.map((v, lane) => {
      const fits = f32x4.lt(f32x4.abs(v), i32x4.splat(i32.const(0x4f000000)));
      return v128.and(fits, v128.or(f32x4.eq(v, a[lane]!), sticky));
    });
    c.if(
      all(chop ? i32.const(1) : roundsToNearest(c), packed32.every(both(...masks))),
      () =>
        writeLanes(
          c,
          0,
          r.map((v) => i32x4.trunc_sat_f32x4_s(v)),
        ),
      () =>
        softlyPacked(
          c,
          32,
          [a],
          (i, mxcsr) => integerOf(c, 32, 32, chop, element(32, a, i), mxcsr),
          (count) => each32(count, (env, s, i) => Number(f32ToInt(env, s.u32(0, i), 32, chop))),
        ),
    );
  };
