/** Floating-point arithmetic and comparison of SSE and AVX. */
import type { Row } from './row.ts';
import { approximationRows } from './sse-fp-approximate.ts';
import { arithmeticRows } from './sse-fp-arith.ts';
import { compareRows } from './sse-fp-compare.ts';
import { horizontalRows } from './sse-fp-horizontal.ts';
import { minMaxRows } from './sse-fp-minmax.ts';

export const sseFpRows: readonly Row[] = [
  ...arithmeticRows,
  ...minMaxRows,
  ...compareRows,
  ...horizontalRows,
  ...approximationRows,
];
