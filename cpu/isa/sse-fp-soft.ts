/**
 * The path of SSE floating point between the fast one and TypeScript: runtime functions compute each element exactly, under any
 * MXCSR. Only an exception that is not masked goes on to the meaning in TypeScript, which raises it.
 */
import { type I32, type I64, i32, i64, type V128 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { i32x4, i64x2, v128 } from '../ir/vector.ts';
import type { Width } from './sse-fp.ts';

/** Element `i` of a vector of lanes, zero-extended. */
export function element(width: Width, lanes: readonly V128[], i: number): I64 {
  const each = 128 / width;
  const lane = lanes[Math.floor(i / each)]!;
  return width === 32 ? i64.extend_u(i32x4.extract(lane, i % each)) : i64x2.extract(lane, i % each);
}

/** Takes the flags of an operation: `masked` when nothing is to be raised, after they went to MXCSR. */
export function settleFlags(c: Ops, mxcsr: I32, flags: I32, masked: () => void, raising: () => void): void {
  const unmasked = i32.and(i32.and(flags, i32.xor(i32.shr_u(mxcsr, 7), -1)), 0x3f);
  c.if(unmasked, raising, () => {
    c.set('mxcsr', i32.or(mxcsr, flags));
    masked();
  });
}

/**
 * `count` elements of `width` bits, each with its flags: gives their lanes to `write`, or leaves everything to `raising`.
 */
export function softly(
  c: Ops,
  width: Width,
  count: number,
  each: (i: number, mxcsr: I32) => readonly [I64, I32],
  write: (lanes: readonly V128[]) => void,
  raising: () => void,
): void {
  const mxcsr = c.get('mxcsr') as I32;
  const perLane = 128 / width;
  const flags = c.variable(i32.const(0));
  const lanes = Array.from({ length: Math.ceil(count / perLane) }, () => c.variable(v128.zero()));
  for (let i = 0; i < count; i++) {
    const [r, raised] = each(i, mxcsr);
    const lane = lanes[Math.floor(i / perLane)]!;
    const at = i % perLane;
    lane.set(width === 32 ? i32x4.replace(lane.value, at, i32.wrap(r)) : i64x2.replace(lane.value, at, r));
    flags.set(i32.or(flags.value, raised));
  }
  settleFlags(c, mxcsr, flags.value, () => write(lanes.map((lane) => lane.value)), raising);
}
