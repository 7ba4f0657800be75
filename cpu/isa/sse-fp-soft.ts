/**
 * The path of SSE floating point between the fast one and TypeScript: runtime functions compute each element exactly, under any
 * MXCSR. Only an exception that is not masked goes on to the meaning in TypeScript, which raises it.
 */
import { type I32, type I64, i32, i64, type V128 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { i32x4, i64x2, v128 } from '../ir/vector.ts';
import { writeLanes } from './simd-forms.ts';
import { type FpWidth, mergeLow, perLane } from './sse-fp-forms.ts';
import { type Slow, slowly } from './sse-fp-slow.ts';

/** Element `i` of a vector of lanes, zero-extended. */
export function element(width: FpWidth, lanes: readonly V128[], i: number): I64 {
  const count = perLane(width);
  const lane = lanes[Math.floor(i / count)]!;
  return width === 32 ? i64.extend_u(i32x4.extract(lane, i % count)) : i64x2.extract(lane, i % count);
}

/** Takes the flags of an operation: `masked` when nothing is to be raised, after they went to MXCSR. */
export function settleFlags(c: Ops, mxcsr: I32, flags: I32, masked: () => void, raising: () => void): void {
  const unmasked = i32.and(i32.and(flags, i32.xor(i32.shr_u(mxcsr, 7), -1)), 0x3f);
  c.if(unmasked, raising, () => {
    c.set('mxcsr', i32.or(mxcsr, flags));
    masked();
  });
}

/** An element's bits and the flags that computing it raises. */
export type Exactly = (i: number, mxcsr: I32) => readonly [I64, I32];

/** `count` elements of `width` bits: gives their lanes to `write`, or leaves everything to `raising`. */
export function softly(
  c: Ops,
  width: FpWidth,
  count: number,
  each: Exactly,
  write: (lanes: readonly V128[]) => void,
  raising: () => void,
): void {
  const mxcsr = c.get('mxcsr') as I32;
  const flags = c.variable(i32.const(0));
  const lanes = Array.from({ length: Math.ceil(count / perLane(width)) }, () => c.variable(v128.zero()));
  for (let i = 0; i < count; i++) {
    const [r, raised] = each(i, mxcsr);
    const lane = lanes[Math.floor(i / perLane(width))]!;
    const at = i % perLane(width);
    lane.set(width === 32 ? i32x4.replace(lane.value, at, i32.wrap(r)) : i64x2.replace(lane.value, at, r));
    flags.set(i32.or(flags.value, raised));
  }
  settleFlags(c, mxcsr, flags.value, () => write(lanes.map((lane) => lane.value)), raising);
}

/** Writes all elements of operand 0; `slow` does `count` of them in TypeScript, on the staged `operands`. */
export function softlyPacked(
  c: Ops,
  width: FpWidth,
  operands: readonly (readonly V128[])[],
  each: Exactly,
  slow: (count: number) => Slow,
): void {
  const count = perLane(width) * c.lanes;
  const write = (lanes: readonly V128[]): void => writeLanes(c, 0, lanes);
  softly(c, width, count, each, write, () => write(slowly(c, operands, slow(count)).slice(0, c.lanes)));
}

/** Writes element 0 of operand 0, the rest as in `base`; `slow` does it in TypeScript, on the staged `operands`. */
export function softlyScalar(
  c: Ops,
  width: FpWidth,
  base: V128,
  operands: readonly V128[],
  exactly: (mxcsr: I32) => readonly [I64, I32],
  slow: Slow,
): void {
  const write = ([r]: readonly V128[]): void => c.writeVector(0, mergeLow(width, base, r!));
  const staged = operands.map((v) => [v]);
  softly(
    c,
    width,
    1,
    (_, mxcsr) => exactly(mxcsr),
    write,
    () => write(slowly(c, staged, slow)),
  );
}
