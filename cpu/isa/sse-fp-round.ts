/** Rounding to integral values (Intel SDM vol. 2, ROUNDPD to ROUNDSS). */
import { f32, f64, type I32, type I64, i32, select } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { f32x4, f64x2, i32x4 } from '../ir/vector.ts';
import * as order from '../runtime/sse-compare.ts';
import type { Lower } from './row.ts';
import { imm8, lanesOf, writeLanes } from './simd-forms.ts';
import { all, both, either, packed32, packed64, precisionSticky, scalar32, scalar64 } from './sse-fp-fast.ts';
import { elements, type FpWidth } from './sse-fp-forms.ts';
import { roundTo } from './sse-fp-ops.ts';
import type { Slow } from './sse-fp-slow.ts';
import { element, softlyPacked, softlyScalar } from './sse-fp-soft.ts';

/** The immediate is staged as the third operand. */
const roundSlow =
  (width: FpWidth, count: number): Slow =>
  (env, s) =>
    elements(width, count, roundTo(s.u32(2, 0)))(env, s);
const integral = (c: Ops, width: FpWidth, v: I64, imm: I32, mxcsr: I32): readonly [I64, I32] =>
  c.call(width === 32 ? order.integral32 : order.integral64, v, imm, mxcsr);
/** The rounding that the immediate asks for, or MXCSR. */
export const roundingOf = (c: Ops, imm: I32): I32 =>
  c.let(select(i32.and(i32.shr_u(c.get('mxcsr') as I32, 13), 3), i32.and(imm, 3), i32.and(imm, 4)));
/** Inexactness does not show. */
const silent = (c: Ops, imm: I32): I32 => either(i32.and(i32.shr_u(imm, 3), 1), precisionSticky(c));

/** ROUNDPS, ROUNDPD. */
export const roundPacked =
  (width: FpWidth): Lower =>
  (c) => {
    const imm = imm8(c, 2);
    const a = lanesOf(c, 1);
    const s = width === 32 ? packed32 : packed64;
    const shape = width === 32 ? f32x4 : f64x2;
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
        softlyPacked(
          c,
          width,
          [a, a, [i32x4.splat(imm)]],
          (i, mxcsr) => integral(c, width, element(width, a, i), imm, mxcsr),
          (count) => roundSlow(width, count),
        ),
    );
  };

/** ROUNDSS, ROUNDSD. */
export const roundScalar =
  (width: FpWidth): Lower =>
  (c) => {
    const imm = imm8(c, 3);
    const base = c.readVector(1);
    const source = c.readVector(2);
    const slow = (): void =>
      softlyScalar(
        c,
        width,
        base,
        [source, source, i32x4.splat(imm)],
        (mxcsr) => integral(c, width, element(width, [source], 0), imm, mxcsr),
        roundSlow(width, 1),
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
