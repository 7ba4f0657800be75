/** Conversions between half, single and double precision (Intel SDM vol. 2, CVTPD2PS, CVTPS2PD, VCVTPH2PS, VCVTPS2PH). */
import { f32, f64, type I32, type I64, i32, i64, type V128 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { f32x4, f64x2, i16x8, i32x4, i64x2, lowQuad, v128 } from '../ir/vector.ts';
import * as order from '../runtime/sse-compare.ts';
import type { Lower } from './row.ts';
import { imm8, lanesOf, writeLanes } from './simd-forms.ts';
import { all, both, either, packed32, packed64, plainMxcsr, scalar32, scalar64 } from './sse-fp-fast.ts';
import { f16ToF32, f32ToF16, f32ToF64, f64ToF32 } from './sse-fp-ops.ts';
import { roundingOf } from './sse-fp-round.ts';
import { each32, each64, type Slow, slowly } from './sse-fp-slow.ts';
import { element, settleFlags, softly, softlyPacked, softlyScalar } from './sse-fp-soft.ts';

const widened = (count: number): Slow => each64(count, (env, s, i) => f32ToF64(env, s.u32(0, i)));
const narrowed = (count: number): Slow => each32(count, (env, s, i) => f64ToF32(env, s.u64(0, i)));

/** CVTSS2SD: exact but for NaNs and denormals. */
export const singleToDouble: Lower = (c) => {
  const base = c.readVector(1);
  const source = c.readVector(2);
  const a = c.let(f32x4.extract(source, 0));
  c.if(
    all(scalar32.number(a), scalar32.notDenormal(a)),
    () => c.writeVector(0, f64x2.replace(base, 0, f64.promote(a))),
    () =>
      softlyScalar(c, 64, base, [source], (mxcsr) => c.call(order.widen, element(32, [source], 0), mxcsr), widened(1)),
  );
};

/** CVTSD2SS. */
export const doubleToSingle: Lower = (c) => {
  const base = c.readVector(1);
  const source = c.readVector(2);
  const a = c.let(f64x2.extract(source, 0));
  const r = c.let(f32.demote(a));
  c.if(
    all(plainMxcsr(c), scalar32.finite(r), either(scalar32.aboveTiny(r), scalar64.zero(a))),
    () => c.writeVector(0, f32x4.replace(base, 0, r)),
    () =>
      softlyScalar(
        c,
        32,
        base,
        [source],
        (mxcsr) => c.call(order.narrow, element(64, [source], 0), mxcsr),
        narrowed(1),
      ),
  );
};

/** What widens into the upper lane: the last two of four narrow elements. */
export const upperHalf = (v: V128): V128 => lowQuad(i64x2.extract(v, 1));

/** CVTPS2PD: half the source. */
export const singlesToDoubles: Lower = (c) => {
  const source = c.readVector(1);
  const parts = c.lanes === 2 ? [source, c.let(upperHalf(source))] : [c.let(lowQuad(c.let(i64x2.extract(source, 0))))];
  const used = c.lanes === 2 ? source : parts[0]!;
  const r = parts.map((v) => c.let(f64x2.promote_low_f32x4(v)));
  c.if(
    packed32.every(both(packed32.number(used), packed32.notDenormal(used))),
    () => writeLanes(c, 0, r),
    () => softlyPacked(c, 64, [[source]], (i, mxcsr) => c.call(order.widen, element(32, [source], i), mxcsr), widened),
  );
};

/** Conversions of doubles to half as many bytes: the result fills the low half (VEX.256: one lane), the rest is zero. */
export function narrowing(
  slow: (count: number) => Slow,
  fast: (c: Ops, v: V128) => { value: V128; mask: V128 },
  mode: (c: Ops) => I32,
  exactly: (c: Ops, v: I64, mxcsr: I32) => readonly [I64, I32],
): Lower {
  return (c) => {
    const source = lanesOf(c, 1);
    const parts = source.map((v) => {
      const { value, mask } = fast(c, v);
      return { value: c.let(value), mask };
    });
    const joined = (): V128 =>
      parts.length === 1 ? parts[0]!.value : i64x2.replace(parts[0]!.value, 1, i64x2.extract(parts[1]!.value, 0));
    const put = (v: V128): void => {
      c.writeVector(0, v, 0);
      if (c.lanes === 2) {
        c.writeVector(0, v128.zero(), 1);
      }
    };
    const count = 2 * source.length;
    c.if(
      all(mode(c), packed64.every(both(...parts.map((p) => p.mask)))),
      () => put(joined()),
      () =>
        softly(
          c,
          32,
          count,
          (i, mxcsr) => exactly(c, element(64, source, i), mxcsr),
          ([lane]) => put(lane!),
          () => {
            const r = slowly(c, [source], slow(count))[0]!;
            put(count === 4 ? r : lowQuad(i64x2.extract(r, 0)));
          },
        ),
    );
  };
}

/** CVTPD2PS. The mask asks for normal results well inside the range, or zeros. */
export const doublesToSingles = narrowing(
  narrowed,
  (c, v) => {
    const a = c.let(f64x2.abs(v));
    const bound = (bits: bigint): V128 => i64x2.splat(i64.const(bits));
    const normal = v128.and(f64x2.lt(a, bound(0x47efffffe0000000n)), f64x2.gt(a, bound(0x3810000000000000n)));
    return { value: f32x4.demote_f64x2_zero(v), mask: v128.or(normal, packed64.zero(v)) };
  },
  plainMxcsr,
  (c, v, mxcsr) => c.call(order.narrow, v, mxcsr),
);

/** VCVTPH2PS. */
export const fromHalf: Lower = (c) => {
  const source = c.readVector(1);
  softlyPacked(
    c,
    32,
    [[source]],
    (i) => {
      // Half precision ignores DAZ and raises no DE.
      const [v, flags] = c.call(order.fromHalf, i64.extend_u(i16x8.extract_u(source, i)), i32.const(0x1f80));
      return [v, i32.and(flags, 1)];
    },
    (count) => each32(count, (env, s, i) => f16ToF32(env, s.u16(0, i))),
  );
};
/** VCVTPS2PH. */
export const toHalf: Lower = (c) => {
  const imm = imm8(c, 2);
  const a = lanesOf(c, 1);
  const count = 4 * a.length;
  const slow: Slow = (env, s) => {
    const control = s.u32(2, 0);
    for (let i = 0; i < count; i++) {
      s.set16(i, f32ToF16(env, s.u32(0, i), control));
    }
  };
  const put = (r: V128): void => {
    c.writeVector(0, r, 0);
    if (c.lanes === 2 && !c.isMemory(0)) {
      c.writeVector(0, v128.zero(), 1);
    }
  };
  const mxcsr = c.get('mxcsr') as I32;
  // Bits 2:0 choose the rounding; FTZ does not count.
  const own = c.let(i32.or(i32.and(mxcsr, 0x1fff), i32.shl(roundingOf(c, imm), 13)));
  const flags = c.variable(i32.const(0));
  const r = c.variable(v128.zero());
  for (let i = 0; i < count; i++) {
    const [v, raised] = c.call(order.toHalf, element(32, a, i), own);
    r.set(i16x8.replace(r.value, i, i32.wrap(v)));
    flags.set(i32.or(flags.value, raised));
  }
  settleFlags(
    c,
    mxcsr,
    flags.value,
    () => put(r.value),
    () => {
      const v = slowly(c, [a, [], [i32x4.splat(imm)]], slow)[0]!;
      put(count === 8 ? v : lowQuad(i64x2.extract(v, 0)));
    },
  );
};
