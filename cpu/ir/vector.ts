/** Vector operators of WebAssembly SIMD by shape; numbering as in the core specification, section 5.4.8. */
import { type Expr, type F32, type F64, type I32, type I64, i32, node, type Type, type V128 } from './expr.ts';

const SIMD = 0xfd0000;
const un =
  (n: number) =>
  (a: V128): V128 =>
    node('v128', SIMD + n, [a]);
const bin =
  (n: number) =>
  (a: V128, b: V128): V128 =>
    node('v128', SIMD + n, [a, b]);
const test =
  (n: number) =>
  (a: V128): I32 =>
    node('i32', SIMD + n, [a]);
const shift =
  (n: number) =>
  (a: V128, count: I32 | number): V128 =>
    node('v128', SIMD + n, [a, typeof count === 'number' ? i32.const(count) : count]);
const splat =
  <T extends Type>(n: number) =>
  (a: Expr<T>): V128 =>
    node('v128', SIMD + n, [a]);
const extract =
  <T extends Type>(type: T, n: number) =>
  (a: V128, lane: number): Expr<T> =>
    node(type, SIMD + n, [a], lane);
const replace =
  <T extends Type>(n: number) =>
  (a: V128, lane: number, v: Expr<T>): V128 =>
    node('v128', SIMD + n, [a, v], lane);

export const v128 = {
  const: (bytes: Uint8Array): V128 => node('v128', SIMD + 0x0c, [], bytes),
  zero: (): V128 => node('v128', SIMD + 0x0c, [], new Uint8Array(16)),
  not: un(0x4d),
  and: bin(0x4e),
  /** `a & ~b`: the operands stand the other way round than in PANDN. */
  andnot: bin(0x4f),
  or: bin(0x50),
  xor: bin(0x51),
  bitselect: (a: V128, b: V128, mask: V128): V128 => node('v128', SIMD + 0x52, [a, b, mask]),
  any_true: test(0x53),
} as const;

export const i8x16 = {
  shuffle: (a: V128, b: V128, lanes: readonly number[]): V128 =>
    node('v128', SIMD + 0x0d, [a, b], Uint8Array.from(lanes)),
  swizzle: bin(0x0e),
  splat: splat<'i32'>(0x0f),
  extract_s: extract('i32', 0x15),
  extract_u: extract('i32', 0x16),
  replace: replace<'i32'>(0x17),
  eq: bin(0x23),
  ne: bin(0x24),
  lt_s: bin(0x25),
  lt_u: bin(0x26),
  gt_s: bin(0x27),
  gt_u: bin(0x28),
  abs: un(0x60),
  neg: un(0x61),
  popcnt: un(0x62),
  all_true: test(0x63),
  bitmask: test(0x64),
  narrow_i16x8_s: bin(0x65),
  narrow_i16x8_u: bin(0x66),
  shl: shift(0x6b),
  shr_s: shift(0x6c),
  shr_u: shift(0x6d),
  add: bin(0x6e),
  add_sat_s: bin(0x6f),
  add_sat_u: bin(0x70),
  sub: bin(0x71),
  sub_sat_s: bin(0x72),
  sub_sat_u: bin(0x73),
  min_s: bin(0x76),
  min_u: bin(0x77),
  max_s: bin(0x78),
  max_u: bin(0x79),
  avgr_u: bin(0x7b),
} as const;

export const i16x8 = {
  splat: splat<'i32'>(0x10),
  extract_s: extract('i32', 0x18),
  extract_u: extract('i32', 0x19),
  replace: replace<'i32'>(0x1a),
  eq: bin(0x2d),
  ne: bin(0x2e),
  lt_s: bin(0x2f),
  lt_u: bin(0x30),
  gt_s: bin(0x31),
  gt_u: bin(0x32),
  extadd_pairwise_i8x16_s: un(0x7c),
  extadd_pairwise_i8x16_u: un(0x7d),
  abs: un(0x80),
  neg: un(0x81),
  q15mulr_sat_s: bin(0x82),
  all_true: test(0x83),
  bitmask: test(0x84),
  narrow_i32x4_s: bin(0x85),
  narrow_i32x4_u: bin(0x86),
  extend_low_i8x16_s: un(0x87),
  extend_high_i8x16_s: un(0x88),
  extend_low_i8x16_u: un(0x89),
  extend_high_i8x16_u: un(0x8a),
  shl: shift(0x8b),
  shr_s: shift(0x8c),
  shr_u: shift(0x8d),
  add: bin(0x8e),
  add_sat_s: bin(0x8f),
  add_sat_u: bin(0x90),
  sub: bin(0x91),
  sub_sat_s: bin(0x92),
  sub_sat_u: bin(0x93),
  mul: bin(0x95),
  min_s: bin(0x96),
  min_u: bin(0x97),
  max_s: bin(0x98),
  max_u: bin(0x99),
  avgr_u: bin(0x9b),
  extmul_low_i8x16_s: bin(0x9c),
  extmul_high_i8x16_s: bin(0x9d),
  extmul_low_i8x16_u: bin(0x9e),
  extmul_high_i8x16_u: bin(0x9f),
} as const;

export const i32x4 = {
  splat: splat<'i32'>(0x11),
  extract: extract('i32', 0x1b),
  replace: replace<'i32'>(0x1c),
  eq: bin(0x37),
  ne: bin(0x38),
  lt_s: bin(0x39),
  lt_u: bin(0x3a),
  gt_s: bin(0x3b),
  gt_u: bin(0x3c),
  extadd_pairwise_i16x8_s: un(0x7e),
  extadd_pairwise_i16x8_u: un(0x7f),
  abs: un(0xa0),
  neg: un(0xa1),
  all_true: test(0xa3),
  bitmask: test(0xa4),
  extend_low_i16x8_s: un(0xa7),
  extend_high_i16x8_s: un(0xa8),
  extend_low_i16x8_u: un(0xa9),
  extend_high_i16x8_u: un(0xaa),
  shl: shift(0xab),
  shr_s: shift(0xac),
  shr_u: shift(0xad),
  add: bin(0xae),
  sub: bin(0xb1),
  mul: bin(0xb5),
  min_s: bin(0xb6),
  min_u: bin(0xb7),
  max_s: bin(0xb8),
  max_u: bin(0xb9),
  dot_i16x8_s: bin(0xba),
  extmul_low_i16x8_s: bin(0xbc),
  extmul_high_i16x8_s: bin(0xbd),
  extmul_low_i16x8_u: bin(0xbe),
  extmul_high_i16x8_u: bin(0xbf),
  trunc_sat_f32x4_s: un(0xf8),
  trunc_sat_f64x2_s_zero: un(0xfc),
} as const;

export const i64x2 = {
  splat: splat<'i64'>(0x12),
  extract: extract('i64', 0x1d),
  replace: replace<'i64'>(0x1e),
  abs: un(0xc0),
  neg: un(0xc1),
  all_true: test(0xc3),
  bitmask: test(0xc4),
  extend_low_i32x4_s: un(0xc7),
  extend_high_i32x4_s: un(0xc8),
  extend_low_i32x4_u: un(0xc9),
  extend_high_i32x4_u: un(0xca),
  shl: shift(0xcb),
  shr_s: shift(0xcc),
  shr_u: shift(0xcd),
  add: bin(0xce),
  sub: bin(0xd1),
  mul: bin(0xd5),
  eq: bin(0xd6),
  ne: bin(0xd7),
  lt_s: bin(0xd8),
  gt_s: bin(0xd9),
  le_s: bin(0xda),
  ge_s: bin(0xdb),
  extmul_low_i32x4_s: bin(0xdc),
  extmul_high_i32x4_s: bin(0xdd),
  extmul_low_i32x4_u: bin(0xde),
  extmul_high_i32x4_u: bin(0xdf),
} as const;

export const f32x4 = {
  splat: splat<'f32'>(0x13),
  extract: extract('f32', 0x1f) as (a: V128, lane: number) => F32,
  replace: replace<'f32'>(0x20),
  eq: bin(0x41),
  ne: bin(0x42),
  lt: bin(0x43),
  gt: bin(0x44),
  le: bin(0x45),
  ge: bin(0x46),
  demote_f64x2_zero: un(0x5e),
  ceil: un(0x67),
  floor: un(0x68),
  trunc: un(0x69),
  nearest: un(0x6a),
  abs: un(0xe0),
  neg: un(0xe1),
  sqrt: un(0xe3),
  add: bin(0xe4),
  sub: bin(0xe5),
  mul: bin(0xe6),
  div: bin(0xe7),
  pmin: bin(0xea),
  pmax: bin(0xeb),
  convert_i32x4_s: un(0xfa),
} as const;

export const f64x2 = {
  splat: splat<'f64'>(0x14),
  extract: extract('f64', 0x21) as (a: V128, lane: number) => F64,
  replace: replace<'f64'>(0x22),
  eq: bin(0x47),
  ne: bin(0x48),
  lt: bin(0x49),
  gt: bin(0x4a),
  le: bin(0x4b),
  ge: bin(0x4c),
  promote_low_f32x4: un(0x5f),
  ceil: un(0x74),
  floor: un(0x75),
  trunc: un(0x7a),
  nearest: un(0x94),
  abs: un(0xec),
  neg: un(0xed),
  sqrt: un(0xef),
  add: bin(0xf0),
  sub: bin(0xf1),
  mul: bin(0xf2),
  div: bin(0xf3),
  pmin: bin(0xf6),
  pmax: bin(0xf7),
  convert_low_i32x4_s: un(0xfe),
} as const;

/** The low 64 bits with zeros above, as MOVQ and MOVSD from memory load them. */
export const lowQuad = (v: I64): V128 => i64x2.replace(v128.zero(), 0, v);
/** The low 32 bits with zeros above, as MOVD and MOVSS from memory load them. */
export const lowDouble = (v: I32): V128 => i32x4.replace(v128.zero(), 0, v);
