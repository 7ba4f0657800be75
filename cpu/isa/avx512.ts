/** AVX-512 F, CD, BW, DQ and VL. The rows are made when a CPU that has them first needs one. */
import { avx512ConvertRows } from './avx512-convert.ts';
import { avx512FpRows } from './avx512-fp.ts';
import { avx512IntRows } from './avx512-int.ts';
import { avx512MoveRows } from './avx512-move.ts';
import { avx512OpmaskRows } from './avx512-opmask.ts';
import { avx512PermuteRows } from './avx512-permute.ts';
import type { Row } from './row.ts';

export const avx512Rows = (): readonly Row[] => [
  ...avx512OpmaskRows(),
  ...avx512MoveRows(),
  ...avx512IntRows(),
  ...avx512PermuteRows(),
  ...avx512FpRows(),
  ...avx512ConvertRows(),
];
