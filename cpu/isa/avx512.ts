/** AVX-512 F, CD, BW, DQ and VL. The rows are made when a CPU that has them first needs one. */
import { avx512IntRows } from './avx512-int.ts';
import { avx512MoveRows } from './avx512-move.ts';
import { avx512OpmaskRows } from './avx512-opmask.ts';
import type { Row } from './row.ts';

export const avx512Rows = (): readonly Row[] => [...avx512OpmaskRows(), ...avx512MoveRows(), ...avx512IntRows()];
