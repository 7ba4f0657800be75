/** MIN and MAX of SSE and AVX: exact, so only NaNs and denormals matter (Intel SDM vol. 2, MAXPS to MINSS). */
import { type I32, type I64, i32, type V128 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { f32x4, f64x2 } from '../ir/vector.ts';
import * as order from '../runtime/sse-compare.ts';
import type { Lower, Row } from './row.ts';
import { lanesOf, writeLanes } from './simd-forms.ts';
import { numbers } from './sse-fp-fast.ts';
import { elements, type FpWidth, fourForms, mergeLow } from './sse-fp-forms.ts';
import { MAX, MIN } from './sse-fp-ops.ts';
import { element, softlyPacked, softlyScalar } from './sse-fp-soft.ts';

const minMaxPacked =
  (max: boolean) =>
  (width: FpWidth): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const b = lanesOf(c, 2);
    const [condition, r] = minMaxFast(c, max, width, a, b);
    c.if(
      condition,
      () => writeLanes(c, 0, r),
      () =>
        softlyPacked(
          c,
          width,
          [a, b],
          (i, mxcsr) => extreme(c, max, width, a, b, i, mxcsr),
          (count) => elements(width, count, max ? MAX : MIN),
        ),
    );
  };

/** Element `i` of MIN or MAX by its runtime function. */
function extreme(
  c: Ops,
  max: boolean,
  width: FpWidth,
  a: readonly V128[],
  b: readonly V128[],
  i: number,
  mxcsr: I32,
): readonly [I64, I32] {
  const f = width === 32 ? order.extreme32 : order.extreme64;
  const wanted = i32.const(max ? order.GREATER : order.LESS);
  return c.call(f, element(width, a, i), element(width, b, i), mxcsr, wanted);
}

function minMaxFast(
  c: Ops,
  max: boolean,
  width: FpWidth,
  a: readonly V128[],
  b: readonly V128[],
  low = false,
): [I32, V128[]] {
  const shape = width === 32 ? f32x4 : f64x2;
  // pmin(x, y) is y < x ? y : x: with the operands swapped just what MINPS says.
  const r = a.map((x, lane) => c.let(max ? shape.pmax(b[lane]!, x) : shape.pmin(b[lane]!, x)));
  return [numbers(width, a, b, low), r];
}

const minMaxScalar =
  (max: boolean) =>
  (width: FpWidth): Lower =>
  (c) => {
    const base = c.readVector(1);
    const source = c.readVector(2);
    const [condition, r] = minMaxFast(c, max, width, [base], [source], true);
    c.if(
      condition,
      () => c.writeVector(0, mergeLow(width, base, r[0]!)),
      () =>
        softlyScalar(
          c,
          width,
          base,
          [base, source],
          (mxcsr) => extreme(c, max, width, [base], [source], 0, mxcsr),
          elements(width, 1, max ? MAX : MIN),
        ),
    );
  };

export const minMaxRows: readonly Row[] = [
  ...fourForms('min', '5D', minMaxPacked(false), minMaxScalar(false)),
  ...fourForms('max', '5F', minMaxPacked(true), minMaxScalar(true)),
];
