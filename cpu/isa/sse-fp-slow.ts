/**
 * The exact path of SSE floating point: operands are staged in memory, soft float computes, MXCSR gets its flags, #XM is
 * raised. Rows take it when their fast path cannot prove the same result and flags.
 */
import { Vector } from '../exit.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import type { V128 } from '../ir/expr.ts';
import type { Lane, Ops } from '../ir/ops.ts';
import { FpEnv } from '../softfloat/env.ts';
import { STAGE, State, vectorOffset } from '../state.ts';
import { settle } from './sse-fp-ops.ts';

/** The stage: result and up to three operands. */
const RESULT = STAGE;
const FIRST = STAGE + 1;

/** Staged operands `0..2`, 64 bytes each, by element. */
export class Stage {
  private readonly view: DataView;
  constructor(view: DataView) {
    this.view = view;
  }
  u16(operand: number, i: number): number {
    return this.view.getUint16(vectorOffset(FIRST + operand) + 2 * i, true);
  }
  u32(operand: number, i: number): number {
    return this.view.getUint32(vectorOffset(FIRST + operand) + 4 * i, true);
  }
  i32(operand: number, i: number): number {
    return this.view.getInt32(vectorOffset(FIRST + operand) + 4 * i, true);
  }
  u64(operand: number, i: number): bigint {
    return this.view.getBigUint64(vectorOffset(FIRST + operand) + 8 * i, true);
  }
  i64(operand: number, i: number): bigint {
    return this.view.getBigInt64(vectorOffset(FIRST + operand) + 8 * i, true);
  }
  set16(i: number, v: number): void {
    this.view.setUint16(vectorOffset(RESULT) + 2 * i, v, true);
  }
  set32(i: number, v: number): void {
    this.view.setUint32(vectorOffset(RESULT) + 4 * i, v, true);
  }
  set64(i: number, v: bigint): void {
    this.view.setBigUint64(vectorOffset(RESULT) + 8 * i, v, true);
  }
}

export type Slow = (env: FpEnv, stage: Stage) => void;

/** `count` elements of 32 bits, one after the other. */
export const each32 =
  (count: number, f: (env: FpEnv, stage: Stage, i: number) => number): Slow =>
  (env, stage) => {
    for (let i = 0; i < count; i++) stage.set32(i, f(env, stage, i));
  };
/** `count` elements of 64 bits. */
export const each64 =
  (count: number, f: (env: FpEnv, stage: Stage, i: number) => bigint): Slow =>
  (env, stage) => {
    for (let i = 0; i < count; i++) stage.set64(i, f(env, stage, i));
  };

/**
 * Stages `operands` (each up to four 16-byte lanes), runs `f` and gives the result's lanes.
 * @param settled `f` settles its own flags
 */
export function slowly(c: Ops, operands: readonly (readonly V128[])[], f: Slow, settled = false): readonly V128[] {
  operands.forEach((lanes, i) => {
    lanes.forEach((v, lane) => {
      c.setVector(FIRST + i, v, lane as Lane);
    });
  });
  c.helper((h) => runStaged(h, f, settled));
  return Array.from({ length: Math.max(2, c.lanes) }, (_, lane) => c.vector(RESULT, lane as Lane));
}

function runStaged(h: HelperContext, f: Slow, settled: boolean): void {
  const { view } = h;
  const env = new FpEnv();
  const mxcsr = view.getUint32(State.mxcsr, true);
  env.beginSse(mxcsr);
  f(env, new Stage(view));
  const end = settle(env, mxcsr, settled);
  view.setUint32(State.mxcsr, end.mxcsr, true);
  if (end.fault) {
    h.raise(Vector.XM);
  }
}
