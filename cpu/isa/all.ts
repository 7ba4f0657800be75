/** The whole table. */
import { arithRows } from './arith.ts';
import { bcdRows } from './bcd.ts';
import { bitsRows } from './bits.ts';
import { bmiRows } from './bmi.ts';
import { controlRows } from './control.ts';
import { cryptoRows } from './crypto.ts';
import { logicRows } from './logic.ts';
import { movRows } from './mov.ts';
import { muldivRows } from './muldiv.ts';
import { randomRows } from './random.ts';
import type { Row } from './row.ts';
import { simdAvxIntRows } from './simd-avx-int.ts';
import { simdGatherRows } from './simd-gather.ts';
import { simdIntRows } from './simd-int.ts';
import { simdLaneRows } from './simd-lane.ts';
import { simdMoveRows } from './simd-move.ts';
import { simdTextRows } from './simd-text.ts';
import { sseFpRows } from './sse-fp.ts';
import { sseFpConvertRows } from './sse-fp-convert.ts';
import { fmaRows } from './sse-fp-fma.ts';
import { stackRows } from './stack.ts';
import { stringRows } from './string.ts';
import { systemRows } from './system.ts';
import { x87Rows } from './x87.ts';
import { xsaveRows } from './x87-xsave.ts';

export const allRows: readonly Row[] = [
  ...arithRows,
  ...logicRows,
  ...movRows,
  ...bitsRows,
  ...muldivRows,
  ...stackRows,
  ...controlRows,
  ...stringRows,
  ...systemRows,
  ...bcdRows,
  ...bmiRows,
  ...simdMoveRows,
  ...simdIntRows,
  ...simdLaneRows,
  ...simdAvxIntRows,
  ...simdTextRows,
  ...simdGatherRows,
  ...sseFpRows,
  ...sseFpConvertRows,
  ...fmaRows,
  ...cryptoRows,
  ...randomRows,
  ...xsaveRows,
  ...x87Rows,
];
