/** Conversions of SSE, AVX and F16C, and rounding to integral values (Intel SDM vol. 2, CVT*, ROUND*, VCVTPH2PS). */
import { Vector } from '../exit.ts';
import { type F32, type F64, f32, f64, type I32, type I64, type Int, i32, i64, select, type V128 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { f32x4, f64x2, i16x8, i32x4, i64x2, lowQuad, v128 } from '../ir/vector.ts';
import * as order from '../runtime/sse-compare.ts';
import { type Lower, op, type Row, sse } from './row.ts';
import { imm8, lanesOf, writeLanes } from './simd-forms.ts';
import {
  all,
  both,
  either,
  packed32,
  packed64,
  plainMxcsr,
  precisionSticky,
  roundsToNearest,
  scalar32,
  scalar64,
} from './sse-fp-fast.ts';
import { elements, mergeLow, perLane, type FpWidth as Width } from './sse-fp-forms.ts';
import {
  f16ToF32,
  f32ToF16,
  f32ToF64,
  f32ToInt,
  f64ToF32,
  f64ToInt,
  intToF32,
  intToF64,
  roundTo,
} from './sse-fp-ops.ts';
import { type Slow, slowly } from './sse-fp-slow.ts';
import { element, settleFlags, softly } from './sse-fp-soft.ts';
import { SW_ES } from './x87-state.ts';

const low64 = (c: Ops, v: V128): I64 => c.let(i64x2.extract(v, 0));

/** CVTSI2SS, CVTSI2SD: exact, or inexact where that does not show. */
const fromInteger =
  (width: Width): Lower =>
  (c) => {
    const base = c.readVector(1);
    const v = c.read(2);
    const wide = v.type === 'i64';
    if (width === 64 && !wide) {
      c.writeVector(0, f64x2.replace(base, 0, f64.convert_i32_s(v as I32)));
      return;
    }
    const staged = (): V128 => lowQuad(signExtended(v));
    const slow: Slow = (env, s) => {
      const n = s.i64(0, 0);
      if (width === 32) {
        s.set32(0, intToF32(env, n));
      } else {
        s.set64(0, intToF64(env, n));
      }
    };
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
        softly(
          c,
          width,
          1,
          (_, mxcsr) => c.call(width === 32 ? order.fromInteger32 : order.fromInteger64, signExtended(v), mxcsr),
          ([lane]) => c.writeVector(0, mergeLow(width, base, lane!)),
          () => c.writeVector(0, mergeLow(width, base, slowly(c, [[staged()]], slow)[0]!)),
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
const toInteger =
  (width: Width, chop: boolean): Lower =>
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
            const slow: Slow = (env, s) =>
              s.set64(
                0,
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
function integerOf(c: Ops, width: Width, bits: number, chop: boolean, v: I64, mxcsr: I32): readonly [I64, I32] {
  const least = i64.const(1n << BigInt(bits - 1));
  const mode = chop ? i32.const(3) : i32.and(i32.shr_u(mxcsr, 13), 3);
  return c.call(width === 32 ? order.toInteger32 : order.toInteger64, v, least, mode, mxcsr);
}

function toIntegerFast(
  c: Ops,
  width: Width,
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

/** CVTSS2SD: exact but for NaNs and denormals. */
const singleToDouble: Lower = (c) => {
  const base = c.readVector(1);
  const source = c.readVector(2);
  const a = c.let(f32x4.extract(source, 0));
  c.if(
    all(scalar32.number(a), scalar32.notDenormal(a)),
    () => c.writeVector(0, f64x2.replace(base, 0, f64.promote(a))),
    () =>
      softly(
        c,
        64,
        1,
        (_, mxcsr) => c.call(order.widen, element(32, [source], 0), mxcsr),
        ([lane]) => c.writeVector(0, mergeLow(64, base, lane!)),
        () => {
          const r = slowly(c, [[source]], (env, s) => s.set64(0, f32ToF64(env, s.u32(0, 0))));
          c.writeVector(0, mergeLow(64, base, r[0]!));
        },
      ),
  );
};

const doubleToSingle: Lower = (c) => {
  const base = c.readVector(1);
  const source = c.readVector(2);
  const a = c.let(f64x2.extract(source, 0));
  const r = c.let(f32.demote(a));
  c.if(
    all(plainMxcsr(c), scalar32.finite(r), either(scalar32.aboveTiny(r), scalar64.zero(a))),
    () => c.writeVector(0, f32x4.replace(base, 0, r)),
    () =>
      softly(
        c,
        32,
        1,
        (_, mxcsr) => c.call(order.narrow, element(64, [source], 0), mxcsr),
        ([lane]) => c.writeVector(0, mergeLow(32, base, lane!)),
        () => {
          const slow = slowly(c, [[source]], (env, s) => s.set32(0, f64ToF32(env, s.u64(0, 0))));
          c.writeVector(0, mergeLow(32, base, slow[0]!));
        },
      ),
  );
};

/** The two 16-byte lanes that four narrow elements widen into: `high` takes elements 2 and 3. */
const upperHalf = (v: V128): V128 => lowQuad(i64x2.extract(v, 1));

/** CVTPS2PD: half the source. */
const singlesToDoubles: Lower = (c) => {
  const source = c.readVector(1);
  const count = 2 * c.lanes;
  const parts = c.lanes === 2 ? [source, c.let(upperHalf(source))] : [c.let(lowQuad(low64(c, source)))];
  const used = c.lanes === 2 ? source : parts[0]!;
  const r = parts.map((v) => c.let(f64x2.promote_low_f32x4(v)));
  const slow: Slow = (env, s) => {
    for (let i = 0; i < count; i++) {
      s.set64(i, f32ToF64(env, s.u32(0, i)));
    }
  };
  c.if(
    packed32.every(both(packed32.number(used), packed32.notDenormal(used))),
    () => writeLanes(c, 0, r),
    () =>
      softly(
        c,
        64,
        count,
        (i, mxcsr) => c.call(order.widen, element(32, [source], i), mxcsr),
        (lanes) => writeLanes(c, 0, lanes),
        () => writeLanes(c, 0, slowly(c, [[source]], slow).slice(0, c.lanes)),
      ),
  );
};

/** Conversions of doubles to half as many bytes: the result fills the low half (VEX.256: one lane), the rest is zero. */
function narrowing(
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
const doublesToSingles = narrowing(
  (count) => (env, s) => {
    for (let i = 0; i < count; i++) {
      s.set32(i, f64ToF32(env, s.u64(0, i)));
    }
  },
  (c, v) => {
    const a = c.let(f64x2.abs(v));
    const bound = (bits: bigint): V128 => i64x2.splat(i64.const(bits));
    const normal = v128.and(f64x2.lt(a, bound(0x47efffffe0000000n)), f64x2.gt(a, bound(0x3810000000000000n)));
    return { value: f32x4.demote_f64x2_zero(v), mask: v128.or(normal, packed64.zero(v)) };
  },
  plainMxcsr,
  (c, v, mxcsr) => c.call(order.narrow, v, mxcsr),
);

/** CVT(T)PD2DQ. */
const doublesToIntegers = (chop: boolean): Lower =>
  narrowing(
    (count) => (env, s) => {
      for (let i = 0; i < count; i++) {
        s.set32(i, Number(f64ToInt(env, s.u64(0, i), 32, chop)));
      }
    },
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
const integersToDoubles: Lower = (c) => {
  const source = c.readVector(1);
  const parts = c.lanes === 2 ? [source, c.let(upperHalf(source))] : [source];
  writeLanes(
    c,
    0,
    parts.map((v) => f64x2.convert_low_i32x4_s(v)),
  );
};

const integersToSingles: Lower = (c) => {
  const a = lanesOf(c, 1);
  const count = 4 * a.length;
  const slow: Slow = (env, s) => {
    for (let i = 0; i < count; i++) {
      s.set32(i, intToF32(env, BigInt(s.i32(0, i))));
    }
  };
  c.if(
    plainMxcsr(c),
    () =>
      writeLanes(
        c,
        0,
        a.map((v) => f32x4.convert_i32x4_s(v)),
      ),
    () =>
      softly(
        c,
        32,
        count,
        (i, mxcsr) => c.call(order.fromInteger32, i64.extend32_s(element(32, a, i)), mxcsr),
        (lanes) => writeLanes(c, 0, lanes),
        () => writeLanes(c, 0, slowly(c, [a], slow).slice(0, a.length)),
      ),
  );
};

/** CVT(T)PS2DQ. */
const singlesToIntegers =
  (chop: boolean): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const r = a.map((v) => c.let(chop ? f32x4.trunc(v) : f32x4.nearest(v)));
    const sticky = c.let(i32x4.splat(i32.sub(0, precisionSticky(c))));
    const masks = r.map((v, lane) => {
      const fits = f32x4.lt(f32x4.abs(v), i32x4.splat(i32.const(0x4f000000)));
      return v128.and(fits, v128.or(f32x4.eq(v, a[lane]!), sticky));
    });
    const count = 4 * a.length;
    const slow: Slow = (env, s) => {
      for (let i = 0; i < count; i++) {
        s.set32(i, Number(f32ToInt(env, s.u32(0, i), 32, chop)));
      }
    };
    c.if(
      all(chop ? i32.const(1) : roundsToNearest(c), packed32.every(both(...masks))),
      () =>
        writeLanes(
          c,
          0,
          r.map((v) => i32x4.trunc_sat_f32x4_s(v)),
        ),
      () =>
        softly(
          c,
          32,
          count,
          (i, mxcsr) => integerOf(c, 32, 32, chop, element(32, a, i), mxcsr),
          (lanes) => writeLanes(c, 0, lanes),
          () => writeLanes(c, 0, slowly(c, [a], slow).slice(0, a.length)),
        ),
    );
  };

/** The switch to MMX comes before the instruction's own exceptions, and a pending x87 exception before both. */
function enterMmx(c: Ops): void {
  c.if(i32.and(c.get('fsw') as I32, SW_ES), () => c.raise(Vector.MF));
  c.set('fsw', i32.and(c.get('fsw') as I32, ~0x3800));
  c.set('ftw', i32.const(0xff));
}

/** The MMX forms: CVTPI2PS, CVTPI2PD, CVT(T)PS2PI, CVT(T)PD2PI. Always by soft float. */
const fromMmx =
  (width: Width): Lower =>
  (c) => {
    const source = lowQuad(c.read(1) as I64);
    const base = c.readVector(0);
    if (!c.isMemory(1)) {
      enterMmx(c);
    }
    const slow: Slow = (env, s) => {
      for (let i = 0; i < 2; i++) {
        const n = BigInt(s.i32(0, i));
        if (width === 32) {
          s.set32(i, intToF32(env, n));
        } else {
          s.set64(i, intToF64(env, n));
        }
      }
    };
    const r = slowly(c, [[source]], slow)[0]!;
    c.writeVector(0, width === 64 ? r : i64x2.replace(base, 0, i64x2.extract(r, 0)));
  };
const toMmx =
  (width: Width, chop: boolean): Lower =>
  (c) => {
    const source = c.readVector(1);
    enterMmx(c);
    const slow: Slow = (env, s) => {
      for (let i = 0; i < 2; i++) {
        const v = width === 32 ? f32ToInt(env, s.u32(0, i), 32, chop) : f64ToInt(env, s.u64(0, i), 32, chop);
        s.set32(i, Number(v));
      }
    };
    c.write(0, i64x2.extract(slowly(c, [[source]], slow)[0]!, 0));
  };

/** ROUNDPS and its kin: the immediate is staged as the third operand. */
const roundSlow =
  (width: Width, count: number): Slow =>
  (env, s) =>
    elements(width, count, roundTo(s.u32(2, 0)))(env, s);
const integral = (c: Ops, width: Width, v: I64, imm: I32, mxcsr: I32): readonly [I64, I32] =>
  c.call(width === 32 ? order.integral32 : order.integral64, v, imm, mxcsr);
/** The rounding that the immediate asks for, or MXCSR. */
const roundingOf = (c: Ops, imm: I32): I32 =>
  c.let(select(i32.and(i32.shr_u(c.get('mxcsr') as I32, 13), 3), i32.and(imm, 3), i32.and(imm, 4)));
/** Inexactness does not show. */
const silent = (c: Ops, imm: I32): I32 => either(i32.and(i32.shr_u(imm, 3), 1), precisionSticky(c));

const roundPacked =
  (width: Width): Lower =>
  (c) => {
    const imm = imm8(c, 2);
    const a = lanesOf(c, 1);
    const s = width === 32 ? packed32 : packed64;
    const shape = width === 32 ? f32x4 : f64x2;
    const count = perLane(width) * a.length;
    const mode = roundingOf(c, imm);
    const r = a.map((v) => c.variable(shape.trunc(v)));
    const choices = [shape.nearest, shape.floor, shape.ceil];
    choices.forEach((f, n) => {
      c.if(i32.eq(mode, n), () => {
        a.forEach((v, lane) => {
          r[lane]!.set(f(v));
        });
      });
    });
    const masks = a.map((v) => both(s.number(v), s.notDenormal(v)));
    c.if(
      all(silent(c, imm), s.every(both(...masks))),
      () =>
        writeLanes(
          c,
          0,
          r.map((v) => v.value),
        ),
      () =>
        softly(
          c,
          width,
          count,
          (i, mxcsr) => integral(c, width, element(width, a, i), imm, mxcsr),
          (lanes) => writeLanes(c, 0, lanes),
          () => {
            const staged = [a, a, [i32x4.splat(imm)]];
            writeLanes(c, 0, slowly(c, staged, roundSlow(width, count)).slice(0, a.length));
          },
        ),
    );
  };

const roundScalar =
  (width: Width): Lower =>
  (c) => {
    const imm = imm8(c, 3);
    const base = c.readVector(1);
    const source = c.readVector(2);
    const merged = (v: V128): void => c.writeVector(0, mergeLow(width, base, v));
    const slow = (): void =>
      softly(
        c,
        width,
        1,
        (_, mxcsr) => integral(c, width, element(width, [source], 0), imm, mxcsr),
        ([lane]) => merged(lane!),
        () => merged(slowly(c, [[source], [source], [i32x4.splat(imm)]], roundSlow(width, 1))[0]!),
      );
    const mode = roundingOf(c, imm);
    if (width === 32) {
      const a = c.let(f32x4.extract(source, 0));
      const r = c.variable(f32.trunc(a));
      [f32.nearest, f32.floor, f32.ceil].forEach((f, n) => {
        c.if(i32.eq(mode, n), () => r.set(f(a)));
      });
      c.if(
        all(either(silent(c, imm), f32.eq(r.value, a)), scalar32.number(a), scalar32.notDenormal(a)),
        () => c.writeVector(0, f32x4.replace(base, 0, r.value)),
        slow,
      );
      return;
    }
    const a = c.let(f64x2.extract(source, 0));
    const r = c.variable(f64.trunc(a));
    [f64.nearest, f64.floor, f64.ceil].forEach((f, n) => {
      c.if(i32.eq(mode, n), () => r.set(f(a)));
    });
    c.if(
      all(either(silent(c, imm), f64.eq(r.value, a)), scalar64.number(a), scalar64.notDenormal(a)),
      () => c.writeVector(0, f64x2.replace(base, 0, r.value)),
      slow,
    );
  };

/** VCVTPH2PS and VCVTPS2PH. */
const fromHalf: Lower = (c) => {
  const slow: Slow = (env, s) => {
    for (let i = 0; i < 4 * c.lanes; i++) {
      s.set32(i, f16ToF32(env, s.u16(0, i)));
    }
  };
  const source = c.readVector(1);
  softly(
    c,
    32,
    4 * c.lanes,
    (i) => {
      // Half precision ignores DAZ and raises no DE.
      const [v, flags] = c.call(order.fromHalf, i64.extend_u(i16x8.extract_u(source, i)), i32.const(0x1f80));
      return [v, i32.and(flags, 1)];
    },
    (lanes) => writeLanes(c, 0, lanes),
    () => writeLanes(c, 0, slowly(c, [[source]], slow).slice(0, c.lanes)),
  );
};
const toHalf: Lower = (c) => {
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

/** The legacy, VEX.128 and VEX.256 encodings with operands of their own. */
function widths(
  name: string,
  prefix: 'NP' | '66' | 'F2' | 'F3',
  opcode: string,
  small: string,
  large: string,
  lower: Lower,
): Row[] {
  const pp = prefix === 'NP' ? '' : `.${prefix}`;
  return [
    op(name, `${prefix} 0F ${opcode} /r`, small, lower),
    op(`v${name}`, `VEX.128${pp}.0F.WIG ${opcode} /r`, small, lower),
    op(`v${name}`, `VEX.256${pp}.0F.WIG ${opcode} /r`, large, lower),
  ];
}

export const sseFpConvertRows: readonly Row[] = [
  op('cvtpi2ps', 'NP 0F 2A /r', 'Vdq Qq', fromMmx(32)),
  op('cvtpi2pd', '66 0F 2A /r', 'Vdq Qq', fromMmx(64)),
  ...sse('cvtsi2ss', 'F3 0F 2A /r', 'Vd Hd Ey', fromInteger(32), { vex: 'LIG' }),
  ...sse('cvtsi2sd', 'F2 0F 2A /r', 'Vq Hq Ey', fromInteger(64), { vex: 'LIG' }),
  op('cvttps2pi', 'NP 0F 2C /r', 'Pq Wq', toMmx(32, true)),
  op('cvttpd2pi', '66 0F 2C /r', 'Pq Wdq', toMmx(64, true)),
  ...sse('cvttss2si', 'F3 0F 2C /r', 'Gy Wd', toInteger(32, true), { vex: 'LIG' }),
  ...sse('cvttsd2si', 'F2 0F 2C /r', 'Gy Wq', toInteger(64, true), { vex: 'LIG' }),
  op('cvtps2pi', 'NP 0F 2D /r', 'Pq Wq', toMmx(32, false)),
  op('cvtpd2pi', '66 0F 2D /r', 'Pq Wdq', toMmx(64, false)),
  ...sse('cvtss2si', 'F3 0F 2D /r', 'Gy Wd', toInteger(32, false), { vex: 'LIG' }),
  ...sse('cvtsd2si', 'F2 0F 2D /r', 'Gy Wq', toInteger(64, false), { vex: 'LIG' }),
  ...widths('cvtps2pd', 'NP', '5A', 'Vdq Wq', 'Vqq Wdq', singlesToDoubles),
  ...widths('cvtpd2ps', '66', '5A', 'Vdq Wdq', 'Vdq Wqq', doublesToSingles),
  ...sse('cvtss2sd', 'F3 0F 5A /r', 'Vd Hd Wd', singleToDouble, { vex: 'LIG' }),
  ...sse('cvtsd2ss', 'F2 0F 5A /r', 'Vq Hq Wq', doubleToSingle, { vex: 'LIG' }),
  ...sse('cvtdq2ps', 'NP 0F 5B /r', 'Vx Wx', integersToSingles),
  ...sse('cvtps2dq', '66 0F 5B /r', 'Vx Wx', singlesToIntegers(false)),
  ...sse('cvttps2dq', 'F3 0F 5B /r', 'Vx Wx', singlesToIntegers(true)),
  ...widths('cvttpd2dq', '66', 'E6', 'Vdq Wdq', 'Vdq Wqq', doublesToIntegers(true)),
  ...widths('cvtpd2dq', 'F2', 'E6', 'Vdq Wdq', 'Vdq Wqq', doublesToIntegers(false)),
  ...widths('cvtdq2pd', 'F3', 'E6', 'Vdq Wq', 'Vqq Wdq', integersToDoubles),
  ...sse('roundps', '66 0F3A 08 /r', 'Vx Wx Ib', roundPacked(32)),
  ...sse('roundpd', '66 0F3A 09 /r', 'Vx Wx Ib', roundPacked(64)),
  ...sse('roundss', '66 0F3A 0A /r', 'Vd Hd Wd Ib', roundScalar(32), { vex: 'LIG' }),
  ...sse('roundsd', '66 0F3A 0B /r', 'Vq Hq Wq Ib', roundScalar(64), { vex: 'LIG' }),
  op('vcvtph2ps', 'VEX.128.66.0F38.W0 13 /r', 'Vdq Wq', fromHalf, { unaligned: true }),
  op('vcvtph2ps', 'VEX.256.66.0F38.W0 13 /r', 'Vqq Wdq', fromHalf, { unaligned: true }),
  op('vcvtps2ph', 'VEX.128.66.0F3A.W0 1D /r', 'Wq Vdq Ib', toHalf, { unaligned: true, late: true }),
  op('vcvtps2ph', 'VEX.256.66.0F3A.W0 1D /r', 'Wdq Vqq Ib', toHalf, { unaligned: true, late: true }),
];
