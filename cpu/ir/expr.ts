/**
 * Expressions of the semantics: pure, typed trees over WebAssembly's operators. A row's `lower` builds them with the
 * namespaces `i32`, `i64`, `f32`, `f64` and the vector shapes below; the tiers turn them into code.
 *
 * An expression is evaluated where it is used, each time it is used: bind it with `Ops.let` before using it twice.
 */

export type Type = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

export interface Expr<T extends Type = Type> {
  readonly type: T;
  /** WebAssembly opcode; prefixed ones as `0xfc00 + n` and `0xfd0000 + n`. */
  readonly op: number;
  readonly args: readonly Expr[];
  /** Constant, lane, local index or memory offset, as the opcode wants it. */
  readonly value?: number | bigint | Uint8Array;
}

export type I32 = Expr<'i32'>;
export type I64 = Expr<'i64'>;
export type F32 = Expr<'f32'>;
export type F64 = Expr<'f64'>;
export type V128 = Expr<'v128'>;
/** An integer of either width; operands of 8, 16 and 32 bits are i32, those of 64 bits i64. */
export type Int = I32 | I64;

/** Numbers stand for constants wherever an integer expression is wanted. */
type I32Like = I32 | number;
type I64Like = I64 | number | bigint;
export type IntLike = Int | number | bigint;

export const node = <T extends Type>(
  type: T,
  op: number,
  args: readonly Expr[],
  value?: number | bigint | Uint8Array,
): Expr<T> => (value === undefined ? { type, op, args } : { type, op, args, value });

const c32 = (v: I32Like): I32 => (typeof v === 'number' ? node('i32', 0x41, [], v | 0) : v);
const c64 = (v: I64Like): I64 =>
  typeof v === 'number' || typeof v === 'bigint' ? node('i64', 0x42, [], BigInt.asIntN(64, BigInt(v))) : v;

const un32 =
  (op: number) =>
  (a: I32Like): I32 =>
    node('i32', op, [c32(a)]);
const bin32 =
  (op: number) =>
  (a: I32Like, b: I32Like): I32 =>
    node('i32', op, [c32(a), c32(b)]);
const un64 =
  (op: number) =>
  (a: I64Like): I64 =>
    node('i64', op, [c64(a)]);
const bin64 =
  (op: number) =>
  (a: I64Like, b: I64Like): I64 =>
    node('i64', op, [c64(a), c64(b)]);
const rel64 =
  (op: number) =>
  (a: I64Like, b: I64Like): I32 =>
    node('i32', op, [c64(a), c64(b)]);
const conv =
  <A extends Type, R extends Type>(type: R, op: number) =>
  (a: Expr<A>): Expr<R> =>
    node(type, op, [a]);

export const i32 = {
  const: (v: number): I32 => c32(v),
  eqz: un32(0x45),
  eq: bin32(0x46),
  ne: bin32(0x47),
  lt_s: bin32(0x48),
  lt_u: bin32(0x49),
  gt_s: bin32(0x4a),
  gt_u: bin32(0x4b),
  le_s: bin32(0x4c),
  le_u: bin32(0x4d),
  ge_s: bin32(0x4e),
  ge_u: bin32(0x4f),
  clz: un32(0x67),
  ctz: un32(0x68),
  popcnt: un32(0x69),
  add: bin32(0x6a),
  sub: bin32(0x6b),
  mul: bin32(0x6c),
  div_s: bin32(0x6d),
  div_u: bin32(0x6e),
  rem_s: bin32(0x6f),
  rem_u: bin32(0x70),
  and: bin32(0x71),
  or: bin32(0x72),
  xor: bin32(0x73),
  shl: bin32(0x74),
  shr_s: bin32(0x75),
  shr_u: bin32(0x76),
  rotl: bin32(0x77),
  rotr: bin32(0x78),
  not: (a: I32Like): I32 => node('i32', 0x73, [c32(a), c32(-1)]),
  wrap: conv<'i64', 'i32'>('i32', 0xa7),
  reinterpret: conv<'f32', 'i32'>('i32', 0xbc),
  extend8_s: un32(0xc0),
  extend16_s: un32(0xc1),
  trunc_sat_f32_s: conv<'f32', 'i32'>('i32', 0xfc00),
  trunc_sat_f64_s: conv<'f64', 'i32'>('i32', 0xfc02),
} as const;

export const i64 = {
  const: (v: number | bigint): I64 => c64(v),
  eqz: (a: I64Like): I32 => node('i32', 0x50, [c64(a)]),
  eq: rel64(0x51),
  ne: rel64(0x52),
  lt_s: rel64(0x53),
  lt_u: rel64(0x54),
  gt_s: rel64(0x55),
  gt_u: rel64(0x56),
  le_s: rel64(0x57),
  le_u: rel64(0x58),
  ge_s: rel64(0x59),
  ge_u: rel64(0x5a),
  clz: un64(0x79),
  ctz: un64(0x7a),
  popcnt: un64(0x7b),
  add: bin64(0x7c),
  sub: bin64(0x7d),
  mul: bin64(0x7e),
  div_s: bin64(0x7f),
  div_u: bin64(0x80),
  rem_s: bin64(0x81),
  rem_u: bin64(0x82),
  and: bin64(0x83),
  or: bin64(0x84),
  xor: bin64(0x85),
  shl: bin64(0x86),
  shr_s: bin64(0x87),
  shr_u: bin64(0x88),
  rotl: bin64(0x89),
  rotr: bin64(0x8a),
  not: (a: I64Like): I64 => node('i64', 0x85, [c64(a), c64(-1)]),
  /** Zero extension of an i32. */
  extend_u: (a: I32Like): I64 => node('i64', 0xad, [c32(a)]),
  /** Sign extension of an i32. */
  extend_s: (a: I32Like): I64 => node('i64', 0xac, [c32(a)]),
  extend8_s: un64(0xc2),
  extend16_s: un64(0xc3),
  extend32_s: un64(0xc4),
  reinterpret: conv<'f64', 'i64'>('i64', 0xbd),
  trunc_sat_f32_s: conv<'f32', 'i64'>('i64', 0xfc04),
  trunc_sat_f64_s: conv<'f64', 'i64'>('i64', 0xfc06),
  trunc_sat_f64_u: conv<'f64', 'i64'>('i64', 0xfc07),
} as const;

const funary =
  <T extends 'f32' | 'f64'>(type: T, op: number) =>
  (a: Expr<T>): Expr<T> =>
    node(type, op, [a]);
const fbinary =
  <T extends 'f32' | 'f64'>(type: T, op: number) =>
  (a: Expr<T>, b: Expr<T>): Expr<T> =>
    node(type, op, [a, b]);
const frel =
  <T extends 'f32' | 'f64'>(op: number) =>
  (a: Expr<T>, b: Expr<T>): I32 =>
    node('i32', op, [a, b]);

export const f32 = {
  reinterpret: conv<'i32', 'f32'>('f32', 0xbe),
  eq: frel<'f32'>(0x5b),
  ne: frel<'f32'>(0x5c),
  lt: frel<'f32'>(0x5d),
  gt: frel<'f32'>(0x5e),
  le: frel<'f32'>(0x5f),
  ge: frel<'f32'>(0x60),
  abs: funary('f32', 0x8b),
  neg: funary('f32', 0x8c),
  ceil: funary('f32', 0x8d),
  floor: funary('f32', 0x8e),
  trunc: funary('f32', 0x8f),
  nearest: funary('f32', 0x90),
  sqrt: funary('f32', 0x91),
  add: fbinary('f32', 0x92),
  sub: fbinary('f32', 0x93),
  mul: fbinary('f32', 0x94),
  div: fbinary('f32', 0x95),
  convert_i32_s: conv<'i32', 'f32'>('f32', 0xb2),
  convert_i64_s: conv<'i64', 'f32'>('f32', 0xb4),
  demote: conv<'f64', 'f32'>('f32', 0xb6),
} as const;

export const f64 = {
  reinterpret: conv<'i64', 'f64'>('f64', 0xbf),
  eq: frel<'f64'>(0x61),
  ne: frel<'f64'>(0x62),
  lt: frel<'f64'>(0x63),
  gt: frel<'f64'>(0x64),
  le: frel<'f64'>(0x65),
  ge: frel<'f64'>(0x66),
  abs: funary('f64', 0x99),
  neg: funary('f64', 0x9a),
  ceil: funary('f64', 0x9b),
  floor: funary('f64', 0x9c),
  trunc: funary('f64', 0x9d),
  nearest: funary('f64', 0x9e),
  sqrt: funary('f64', 0x9f),
  add: fbinary('f64', 0xa0),
  sub: fbinary('f64', 0xa1),
  mul: fbinary('f64', 0xa2),
  div: fbinary('f64', 0xa3),
  convert_i32_s: conv<'i32', 'f64'>('f64', 0xb7),
  convert_i64_s: conv<'i64', 'f64'>('f64', 0xb9),
  convert_i64_u: conv<'i64', 'f64'>('f64', 0xba),
  promote: conv<'f32', 'f64'>('f64', 0xbb),
} as const;

/** The branch-free choice `condition ? a : b`; both are evaluated. */
export const select = <T extends Type>(a: Expr<T>, b: Expr<T>, condition: I32): Expr<T> =>
  node(a.type, 0x1b, [a, b, condition]);

/** The operators that i32 and i64 share, for semantics written once for all operand sizes. */
export interface IntOps {
  readonly const: (v: number) => Int;
  readonly eqz: (a: IntLike) => I32;
  readonly eq: IntRelation;
  readonly ne: IntRelation;
  readonly lt_s: IntRelation;
  readonly lt_u: IntRelation;
  readonly gt_s: IntRelation;
  readonly gt_u: IntRelation;
  readonly le_s: IntRelation;
  readonly le_u: IntRelation;
  readonly ge_s: IntRelation;
  readonly ge_u: IntRelation;
  readonly clz: (a: IntLike) => Int;
  readonly ctz: (a: IntLike) => Int;
  readonly popcnt: (a: IntLike) => Int;
  readonly add: IntBinary;
  readonly sub: IntBinary;
  readonly mul: IntBinary;
  readonly div_s: IntBinary;
  readonly div_u: IntBinary;
  readonly rem_s: IntBinary;
  readonly rem_u: IntBinary;
  readonly and: IntBinary;
  readonly or: IntBinary;
  readonly xor: IntBinary;
  readonly shl: IntBinary;
  readonly shr_s: IntBinary;
  readonly shr_u: IntBinary;
  readonly rotl: IntBinary;
  readonly rotr: IntBinary;
  readonly not: (a: IntLike) => Int;
}
type IntRelation = (a: IntLike, b: IntLike) => I32;
type IntBinary = (a: IntLike, b: IntLike) => Int;

/** `i64` for 64-bit operands, `i32` for narrower ones. */
export const word = (bits: number): IntOps => (bits === 64 ? i64 : i32) as unknown as IntOps;

/** Sign-extends the low `bits` bits to 64. */
export function signExtend(bits: number, v: Int): I64 {
  if (v.type === 'i64') return v as I64;
  if (bits === 32) return i64.extend_s(v as I32);
  return i64.extend_s(bits === 8 ? i32.extend8_s(v as I32) : i32.extend16_s(v as I32));
}

/** Zero-extends to 64 bits; the value must be clean above `bits`. */
export const zeroExtend = (v: Int): I64 => (v.type === 'i64' ? (v as I64) : i64.extend_u(v as I32));

/** Clears what stands above the low `bits` bits. */
export function truncate(bits: number, v: Int): Int {
  if (bits >= 32) return bits === 32 && v.type === 'i64' ? i32.wrap(v as I64) : v;
  return i32.and(v.type === 'i64' ? i32.wrap(v as I64) : (v as I32), (1 << bits) - 1);
}
