/** The packed instructions of two sources, one line each; `simd-forms.ts` makes their MMX, SSE and VEX rows. */
import { i8x16, i16x8, i32x4, i64x2, v128 } from '../ir/vector.ts';
import {
  blendpd,
  blendps,
  direct,
  horizontal,
  type Kernel1,
  type Kernel2,
  type KernelImm,
  type KernelImm2,
  mpsadbw,
  palignr,
  pandn,
  pblendw,
  phminposuw,
  pmaddubsw,
  pmuldq,
  pmulhrsw,
  pmulhuw,
  pmulhw,
  pmuludq,
  psadbw,
  pshufb,
  pshufd,
  psign,
  shift,
  shiftSigned,
  shuffleWords,
  shufpd,
  shufps,
  unpack,
  widen,
} from './simd-kernels.ts';

/**
 * How the 64-bit MMX form computes with the same kernel: `same`: on the low halves; `join`: on both operands side by
 * side in one value; `high`: the upper half of the result of the low halves; a kernel of its own.
 */
export type MmxForm = 'same' | 'join' | 'high' | Kernel2;

export interface Packed2 {
  readonly name: string;
  /** 1: 0F, 2: 0F 38 */
  readonly map: 1 | 2;
  readonly opcode: number;
  /** Mandatory prefix of the SSE form. */
  readonly prefix: 0 | 0x66;
  readonly kernel: Kernel2;
  readonly mmx?: MmxForm;
  /** The 256-bit form came with AVX, not AVX2. */
  readonly avx256?: true;
}

const p = (name: string, opcode: number, kernel: Kernel2, mmx?: MmxForm): Packed2 =>
  mmx === undefined
    ? { name, map: 1, opcode, prefix: 0x66, kernel }
    : { name, map: 1, opcode, prefix: 0x66, kernel, mmx };
const p38 = (name: string, opcode: number, kernel: Kernel2, mmx?: MmxForm): Packed2 => ({
  ...p(name, opcode, kernel, mmx),
  map: 2,
});
const f = (name: string, prefix: 0 | 0x66, opcode: number, kernel: Kernel2): Packed2 => ({
  name,
  map: 1,
  opcode,
  prefix,
  kernel,
  avx256: true,
});

export const PACKED: readonly Packed2[] = [
  p('punpcklbw', 0x60, unpack(1, 0), 'same'),
  p('punpcklwd', 0x61, unpack(2, 0), 'same'),
  p('punpckldq', 0x62, unpack(4, 0), 'same'),
  p('packsswb', 0x63, direct(i8x16.narrow_i16x8_s), 'join'),
  p('pcmpgtb', 0x64, direct(i8x16.gt_s), 'same'),
  p('pcmpgtw', 0x65, direct(i16x8.gt_s), 'same'),
  p('pcmpgtd', 0x66, direct(i32x4.gt_s), 'same'),
  p('packuswb', 0x67, direct(i8x16.narrow_i16x8_u), 'join'),
  p('punpckhbw', 0x68, unpack(1, 8), 'high'),
  p('punpckhwd', 0x69, unpack(2, 8), 'high'),
  p('punpckhdq', 0x6a, unpack(4, 8), 'high'),
  p('packssdw', 0x6b, direct(i16x8.narrow_i32x4_s), 'join'),
  p('punpcklqdq', 0x6c, unpack(8, 0)),
  p('punpckhqdq', 0x6d, unpack(8, 8)),
  p('pcmpeqb', 0x74, direct(i8x16.eq), 'same'),
  p('pcmpeqw', 0x75, direct(i16x8.eq), 'same'),
  p('pcmpeqd', 0x76, direct(i32x4.eq), 'same'),
  p('paddq', 0xd4, direct(i64x2.add), 'same'),
  p('pmullw', 0xd5, direct(i16x8.mul), 'same'),
  p('psubusb', 0xd8, direct(i8x16.sub_sat_u), 'same'),
  p('psubusw', 0xd9, direct(i16x8.sub_sat_u), 'same'),
  p('pminub', 0xda, direct(i8x16.min_u), 'same'),
  p('pand', 0xdb, direct(v128.and), 'same'),
  p('paddusb', 0xdc, direct(i8x16.add_sat_u), 'same'),
  p('paddusw', 0xdd, direct(i16x8.add_sat_u), 'same'),
  p('pmaxub', 0xde, direct(i8x16.max_u), 'same'),
  p('pandn', 0xdf, pandn, 'same'),
  p('pavgb', 0xe0, direct(i8x16.avgr_u), 'same'),
  p('pavgw', 0xe3, direct(i16x8.avgr_u), 'same'),
  p('pmulhuw', 0xe4, pmulhuw, 'same'),
  p('pmulhw', 0xe5, pmulhw, 'same'),
  p('psubsb', 0xe8, direct(i8x16.sub_sat_s), 'same'),
  p('psubsw', 0xe9, direct(i16x8.sub_sat_s), 'same'),
  p('pminsw', 0xea, direct(i16x8.min_s), 'same'),
  p('por', 0xeb, direct(v128.or), 'same'),
  p('paddsb', 0xec, direct(i8x16.add_sat_s), 'same'),
  p('paddsw', 0xed, direct(i16x8.add_sat_s), 'same'),
  p('pmaxsw', 0xee, direct(i16x8.max_s), 'same'),
  p('pxor', 0xef, direct(v128.xor), 'same'),
  p('pmuludq', 0xf4, pmuludq, 'same'),
  p('pmaddwd', 0xf5, direct(i32x4.dot_i16x8_s), 'same'),
  p('psadbw', 0xf6, psadbw, 'same'),
  p('psubb', 0xf8, direct(i8x16.sub), 'same'),
  p('psubw', 0xf9, direct(i16x8.sub), 'same'),
  p('psubd', 0xfa, direct(i32x4.sub), 'same'),
  p('psubq', 0xfb, direct(i64x2.sub), 'same'),
  p('paddb', 0xfc, direct(i8x16.add), 'same'),
  p('paddw', 0xfd, direct(i16x8.add), 'same'),
  p('paddd', 0xfe, direct(i32x4.add), 'same'),

  p38('pshufb', 0x00, pshufb(16), pshufb(8)),
  p38('phaddw', 0x01, horizontal(2, i16x8.add), 'join'),
  p38('phaddd', 0x02, horizontal(4, i32x4.add), 'join'),
  p38('phaddsw', 0x03, horizontal(2, i16x8.add_sat_s), 'join'),
  p38('pmaddubsw', 0x04, pmaddubsw, 'same'),
  p38('phsubw', 0x05, horizontal(2, i16x8.sub), 'join'),
  p38('phsubd', 0x06, horizontal(4, i32x4.sub), 'join'),
  p38('phsubsw', 0x07, horizontal(2, i16x8.sub_sat_s), 'join'),
  p38('psignb', 0x08, psign(i8x16), 'same'),
  p38('psignw', 0x09, psign(i16x8), 'same'),
  p38('psignd', 0x0a, psign(i32x4), 'same'),
  p38('pmulhrsw', 0x0b, pmulhrsw, 'same'),
  p38('pmuldq', 0x28, pmuldq),
  p38('pcmpeqq', 0x29, direct(i64x2.eq)),
  p38('packusdw', 0x2b, direct(i16x8.narrow_i32x4_u)),
  p38('pcmpgtq', 0x37, direct(i64x2.gt_s)),
  p38('pminsb', 0x38, direct(i8x16.min_s)),
  p38('pminsd', 0x39, direct(i32x4.min_s)),
  p38('pminuw', 0x3a, direct(i16x8.min_u)),
  p38('pminud', 0x3b, direct(i32x4.min_u)),
  p38('pmaxsb', 0x3c, direct(i8x16.max_s)),
  p38('pmaxsd', 0x3d, direct(i32x4.max_s)),
  p38('pmaxuw', 0x3e, direct(i16x8.max_u)),
  p38('pmaxud', 0x3f, direct(i32x4.max_u)),
  p38('pmulld', 0x40, direct(i32x4.mul)),

  f('unpcklps', 0, 0x14, unpack(4, 0)),
  f('unpcklpd', 0x66, 0x14, unpack(8, 0)),
  f('unpckhps', 0, 0x15, unpack(4, 8)),
  f('unpckhpd', 0x66, 0x15, unpack(8, 8)),
  f('andps', 0, 0x54, direct(v128.and)),
  f('andpd', 0x66, 0x54, direct(v128.and)),
  f('andnps', 0, 0x55, pandn),
  f('andnpd', 0x66, 0x55, pandn),
  f('orps', 0, 0x56, direct(v128.or)),
  f('orpd', 0x66, 0x56, direct(v128.or)),
  f('xorps', 0, 0x57, direct(v128.xor)),
  f('xorpd', 0x66, 0x57, direct(v128.xor)),
];

/** One source, result in the destination: PABS*, PHMINPOSUW. */
export interface Packed1 {
  readonly name: string;
  readonly map: 1 | 2;
  readonly opcode: number;
  readonly kernel: Kernel1;
  readonly mmx?: true;
  readonly no256?: true;
}

export const PACKED_UNARY: readonly Packed1[] = [
  { name: 'pabsb', map: 2, opcode: 0x1c, kernel: (_, a) => i8x16.abs(a), mmx: true },
  { name: 'pabsw', map: 2, opcode: 0x1d, kernel: (_, a) => i16x8.abs(a), mmx: true },
  { name: 'pabsd', map: 2, opcode: 0x1e, kernel: (_, a) => i32x4.abs(a), mmx: true },
  { name: 'phminposuw', map: 2, opcode: 0x41, kernel: phminposuw, no256: true },
];

/** PMOVSX and PMOVZX: `bytes` of memory for 16 bytes of result. */
export interface Widening {
  readonly name: string;
  readonly opcode: number;
  readonly bytes: 2 | 4 | 8;
  readonly kernel: Kernel1;
}

const signed = [i16x8.extend_low_i8x16_s, i32x4.extend_low_i16x8_s, i64x2.extend_low_i32x4_s] as const;
const unsigned = [i16x8.extend_low_i8x16_u, i32x4.extend_low_i16x8_u, i64x2.extend_low_i32x4_u] as const;

export const WIDENING: readonly Widening[] = (
  [
    ['pmovsx', 0x20, signed],
    ['pmovzx', 0x30, unsigned],
  ] as const
).flatMap(([name, base, [word, dword, qword]]): Widening[] => [
  { name: `${name}bw`, opcode: base, bytes: 8, kernel: widen(word) },
  { name: `${name}bd`, opcode: base + 1, bytes: 4, kernel: widen(word, dword) },
  { name: `${name}bq`, opcode: base + 2, bytes: 2, kernel: widen(word, dword, qword) },
  { name: `${name}wd`, opcode: base + 3, bytes: 8, kernel: widen(dword) },
  { name: `${name}wq`, opcode: base + 4, bytes: 4, kernel: widen(dword, qword) },
  { name: `${name}dq`, opcode: base + 5, bytes: 8, kernel: widen(qword) },
]);

/** Shifts by a vector's low 64 bits (`opcode`) and by an immediate (`group` /`digit`). */
export interface ShiftLine {
  readonly name: string;
  readonly opcode: number;
  readonly group: 0x71 | 0x72 | 0x73;
  readonly digit: number;
  readonly kernel: KernelImm;
}

export const SHIFTS: readonly ShiftLine[] = [
  { name: 'psrlw', opcode: 0xd1, group: 0x71, digit: 2, kernel: shift(i16x8.shr_u, 16) },
  { name: 'psrld', opcode: 0xd2, group: 0x72, digit: 2, kernel: shift(i32x4.shr_u, 32) },
  { name: 'psrlq', opcode: 0xd3, group: 0x73, digit: 2, kernel: shift(i64x2.shr_u, 64) },
  { name: 'psraw', opcode: 0xe1, group: 0x71, digit: 4, kernel: shiftSigned(i16x8.shr_s, 16) },
  { name: 'psrad', opcode: 0xe2, group: 0x72, digit: 4, kernel: shiftSigned(i32x4.shr_s, 32) },
  { name: 'psllw', opcode: 0xf1, group: 0x71, digit: 6, kernel: shift(i16x8.shl, 16) },
  { name: 'pslld', opcode: 0xf2, group: 0x72, digit: 6, kernel: shift(i32x4.shl, 32) },
  { name: 'psllq', opcode: 0xf3, group: 0x73, digit: 6, kernel: shift(i64x2.shl, 64) },
];

/** One source and an immediate: shuffles within a 128-bit lane. */
export interface ShuffleLine {
  readonly name: string;
  readonly prefix: number;
  readonly kernel: KernelImm;
}
export const SHUFFLES: readonly ShuffleLine[] = [
  { name: 'pshufd', prefix: 0x66, kernel: pshufd },
  { name: 'pshufhw', prefix: 0xf3, kernel: shuffleWords(8) },
  { name: 'pshuflw', prefix: 0xf2, kernel: shuffleWords(0) },
];

/** Two sources and an immediate. `upper`: shift of the immediate for the upper 128-bit lane. */
export interface PackedImm {
  readonly name: string;
  readonly map: 1 | 3;
  readonly opcode: number;
  readonly prefix: 0 | 0x66;
  readonly kernel: KernelImm2;
  readonly upper: number;
  readonly avx256?: true;
  readonly mmx?: true;
}
export const PACKED_IMM: readonly PackedImm[] = [
  { name: 'shufps', map: 1, opcode: 0xc6, prefix: 0, kernel: shufps, upper: 0, avx256: true },
  { name: 'shufpd', map: 1, opcode: 0xc6, prefix: 0x66, kernel: shufpd, upper: 2, avx256: true },
  { name: 'blendps', map: 3, opcode: 0x0c, prefix: 0x66, kernel: blendps, upper: 4, avx256: true },
  { name: 'blendpd', map: 3, opcode: 0x0d, prefix: 0x66, kernel: blendpd, upper: 2, avx256: true },
  { name: 'pblendw', map: 3, opcode: 0x0e, prefix: 0x66, kernel: pblendw, upper: 0 },
  { name: 'palignr', map: 3, opcode: 0x0f, prefix: 0x66, kernel: palignr, upper: 0, mmx: true },
  { name: 'mpsadbw', map: 3, opcode: 0x42, prefix: 0x66, kernel: mpsadbw, upper: 3 },
];
