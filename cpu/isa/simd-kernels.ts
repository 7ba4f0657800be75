/**
 * What the packed integer instructions compute, as WebAssembly SIMD over whole 128-bit values.
 *
 * A kernel knows neither registers nor encodings: the MMX, SSE, VEX.128 and VEX.256 rows of an instruction share one
 * (`simd-forms.ts` derives them).
 */
import { type Expr, type I32, i32, type Type, type V128 } from '../ir/expr.ts';
import { i8x16, i16x8, i32x4, i64x2, v128 } from '../ir/vector.ts';

/** The part of `Ops` that kernels need: a value that is used more than once is bound first. */
export interface Binder {
  let<T extends Type>(value: Expr<T>): Expr<T>;
}

export type Kernel1 = (o: Binder, a: V128) => V128;
/** a: the destination or first source, b: the second source */
export type Kernel2 = (o: Binder, a: V128, b: V128) => V128;
/** The immediate (or count) is clean above 8 bits. */
export type KernelImm = (o: Binder, a: V128, imm: I32) => V128;
export type KernelImm2 = (o: Binder, a: V128, b: V128, imm: I32) => V128;
export type Kernel3 = (o: Binder, a: V128, b: V128, mask: V128) => V128;

type Bin = (a: V128, b: V128) => V128;
type Shift = (a: V128, count: I32 | number) => V128;

const range = (n: number, of: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => of(i));

/** Sixteen bytes with every lane of `size` bytes holding `values[lane]`. */
export function lanes(size: number, ...values: number[]): V128 {
  const byte = (i: number): number =>
    Math.floor(values[Math.floor(i / size) % values.length]! / 2 ** (8 * (i % size))) & 255;
  return v128.const(Uint8Array.from(range(16, byte)));
}

export const iota = (): V128 => v128.const(Uint8Array.from(range(16, (i) => i)));

/** The value, when it is known while lowering. */
function known(value: I32): number | undefined {
  return value.op === 0x41 ? Number(value.value) & 255 : undefined;
}

/** An instruction that WebAssembly has. */
export const direct =
  (op: Bin): Kernel2 =>
  (_, a, b) =>
    op(a, b);

export const shuffled =
  (bytes: readonly number[]): Kernel2 =>
  (_, a, b) =>
    i8x16.shuffle(a, b, bytes);

/** PUNPCKL* (start 0) and PUNPCKH* (start 8). */
export function unpack(size: number, start: number): Kernel2 {
  return shuffled(
    range(16, (i) => start + Math.floor(i / (2 * size)) * size + (i % size) + (Math.floor(i / size) % 2) * 16),
  );
}

export const pandn: Kernel2 = (_, a, b) => v128.andnot(b, a);

/** PMULHW, PMULHUW: the high halves of the products. */
function multiplyHigh(low: Bin, high: Bin): Kernel2 {
  const upper = range(16, (i) => Math.floor(i / 2) * 4 + 2 + (i % 2));
  return (o, x, y) => {
    const a = o.let(x);
    const b = o.let(y);
    return i8x16.shuffle(low(a, b), high(a, b), upper);
  };
}
export const pmulhw = multiplyHigh(i32x4.extmul_low_i16x8_s, i32x4.extmul_high_i16x8_s);
export const pmulhuw = multiplyHigh(i32x4.extmul_low_i16x8_u, i32x4.extmul_high_i16x8_u);

/** PMULHRSW: i16x8.q15mulr_sat_s, but -1 * -1 does not saturate. */
export const pmulhrsw: Kernel2 = (o, x, y) => {
  const a = o.let(x);
  const b = o.let(y);
  const minimum = lanes(2, 0x8000);
  return v128.xor(i16x8.q15mulr_sat_s(a, b), v128.and(i16x8.eq(a, minimum), i16x8.eq(b, minimum)));
};

/** PMULUDQ and PMULDQ: products of the even lanes. */
function multiplyEven(op: Bin): Kernel2 {
  const even = [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];
  return (_, a, b) => op(i8x16.shuffle(a, v128.zero(), even), i8x16.shuffle(b, v128.zero(), even));
}
export const pmuludq = multiplyEven(i64x2.extmul_low_i32x4_u);
export const pmuldq = multiplyEven(i64x2.extmul_low_i32x4_s);

const EVEN16 = range(16, (i) => Math.floor(i / 2) * 4 + (i % 2));
const ODD16 = EVEN16.map((i) => i + 2);
const EVEN32 = range(16, (i) => Math.floor(i / 4) * 8 + (i % 4));
const ODD32 = EVEN32.map((i) => i + 4);

/** PHADDW and the like: neighbours of a, then of b. */
export function horizontal(size: 2 | 4, op: Bin): Kernel2 {
  return (o, x, y) => {
    const a = o.let(x);
    const b = o.let(y);
    return op(i8x16.shuffle(a, b, size === 2 ? EVEN16 : EVEN32), i8x16.shuffle(a, b, size === 2 ? ODD16 : ODD32));
  };
}

/** PMADDUBSW: unsigned bytes of a by signed bytes of b, neighbours added with saturation. */
export const pmaddubsw: Kernel2 = (o, x, y) => {
  const a = o.let(x);
  const b = o.let(y);
  const low = o.let(i16x8.mul(i16x8.extend_low_i8x16_u(a), i16x8.extend_low_i8x16_s(b)));
  const high = o.let(i16x8.mul(i16x8.extend_high_i8x16_u(a), i16x8.extend_high_i8x16_s(b)));
  return i16x8.add_sat_s(i8x16.shuffle(low, high, EVEN16), i8x16.shuffle(low, high, ODD16));
};

const absoluteDifference = (o: Binder, x: V128, y: V128): V128 => {
  const a = o.let(x);
  const b = o.let(y);
  return v128.or(i8x16.sub_sat_u(a, b), i8x16.sub_sat_u(b, a));
};

/** Sums of four bytes each. */
const sumsOf4 = (bytes: V128): V128 => i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes));

/** PSADBW: sums of eight absolute differences. */
export const psadbw: Kernel2 = (o, a, b) => {
  const sums = o.let(sumsOf4(absoluteDifference(o, a, b)));
  return v128.and(i64x2.add(sums, i64x2.shr_u(sums, 32)), lanes(4, 0xffff, 0));
};

/** PSHUFB; `width` 8 is MMX's. */
export function pshufb(width: 8 | 16): Kernel2 {
  return (_, a, b) => i8x16.swizzle(a, v128.and(b, lanes(1, 0x80 | (width - 1))));
}

/** PSIGNB/W/D. */
export function psign(shape: { readonly eq: Bin; readonly lt_s: Bin; readonly sub: Bin }): Kernel2 {
  return (o, a, y) => {
    const b = o.let(y);
    const negative = o.let(shape.lt_s(b, v128.zero()));
    return v128.andnot(shape.sub(v128.xor(a, negative), negative), shape.eq(b, v128.zero()));
  };
}

/** PMOVSX, PMOVZX: one to three widenings of the low half. */
export const widen =
  (...steps: ((a: V128) => V128)[]): Kernel1 =>
  (_, a) =>
    steps.reduce((value, step) => step(value), a);

/** PHMINPOSUW: the smallest word and where it first stands. */
export const phminposuw: Kernel1 = (o, x) => {
  const a = o.let(x);
  const low = v128.or(i32x4.shl(i32x4.extend_low_i16x8_u(a), 16), lanes(4, 0, 1, 2, 3));
  const high = v128.or(i32x4.shl(i32x4.extend_high_i16x8_u(a), 16), lanes(4, 4, 5, 6, 7));
  const four = o.let(i32x4.min_u(low, high));
  const two = o.let(
    i32x4.min_u(four, i8x16.shuffle(four, four, [8, 9, 10, 11, 12, 13, 14, 15, ...range(8, (i) => i)])),
  );
  const one = i32x4.min_u(two, i8x16.shuffle(two, two, [4, 5, 6, 7, ...range(12, () => 0)]));
  return i8x16.shuffle(one, v128.zero(), [2, 3, 0, 1, ...range(12, () => 16)]);
};

/** Shifts by a count in a register or an immediate: all bits leave at the lane's width. */
export function shift(op: Shift, bits: number): KernelImm {
  return (o, a, imm) => {
    const count = known(imm);
    if (count !== undefined) return count < bits ? op(a, count) : v128.zero();
    const n = o.let(imm);
    return v128.and(op(a, n), i32x4.splat(i32.sub(0, i32.lt_u(n, bits))));
  };
}

/** PSRAW, PSRAD: a count beyond the lane is the lane's width less one. */
export function shiftSigned(op: Shift, bits: number): KernelImm {
  return (o, a, imm) => {
    const n = o.let(imm);
    return op(a, i32.or(n, i32.sub(0, i32.gt_u(n, bits - 1)))); // the count is taken modulo the width
  };
}

/** Byte indices iota + n, saturating: what lies beyond 15 reads as 0 in a swizzle. */
const iotaPlus = (n: I32): V128 => i8x16.add_sat_u(iota(), i8x16.splat(n));

/** PSRLDQ */
export const psrldq: KernelImm = (_, a, imm) => {
  const n = known(imm);
  if (n !== undefined)
    return i8x16.shuffle(
      a,
      v128.zero(),
      range(16, (i) => Math.min(i + n, 16)),
    );
  return i8x16.swizzle(a, iotaPlus(imm));
};

/** PSLLDQ: indices below 0 are large unsigned numbers, so n is cut to 16. */
export const pslldq: KernelImm = (_, a, imm) => {
  const n = known(imm);
  if (n !== undefined)
    return i8x16.shuffle(
      a,
      v128.zero(),
      range(16, (i) => (i < n ? 16 : i - n)),
    );
  return i8x16.swizzle(a, i8x16.sub(iota(), i8x16.min_u(i8x16.splat(imm), lanes(1, 16))));
};

/** PALIGNR: bytes imm.. of b (low) and a (high). */
export const palignr: KernelImm2 = (o, a, b, imm) => {
  const n = known(imm);
  if (n !== undefined && n <= 16)
    return i8x16.shuffle(
      b,
      a,
      range(16, (i) => i + n),
    );
  const indices = o.let(iotaPlus(imm));
  return v128.or(i8x16.swizzle(b, indices), i8x16.swizzle(a, i8x16.sub(indices, lanes(1, 16))));
};

const field = (imm: number, i: number): number => (imm >> (2 * i)) & 3;

/** Byte indices of the four 32-bit lanes that an immediate's two-bit fields name. */
function dwordIndices(imm: I32): V128 {
  const fields = v128.and(i32x4.shr_u(i32x4.mul(i32x4.splat(imm), lanes(4, 64, 16, 4, 1)), 6), lanes(4, 3));
  return i8x16.add(i32x4.mul(fields, lanes(4, 0x04040404)), lanes(4, 0x03020100));
}

/** PSHUFD, VPERMILPS */
export const pshufd: KernelImm = (_, a, imm) => {
  const n = known(imm);
  if (n !== undefined)
    return i8x16.shuffle(
      a,
      v128.zero(),
      range(16, (i) => field(n, i >> 2) * 4 + (i & 3)),
    );
  return i8x16.swizzle(a, dwordIndices(imm));
};

/** PSHUFLW (start 0, and PSHUFW), PSHUFHW (start 8). */
export function shuffleWords(start: 0 | 8): KernelImm {
  const inside = (i: number): boolean => i >= start && i < start + 8;
  return (_, a, imm) => {
    const n = known(imm);
    if (n !== undefined) {
      const moved = (i: number): number => start + field(n, (i - start) >> 1) * 2 + (i & 1);
      return i8x16.shuffle(
        a,
        v128.zero(),
        range(16, (i) => (inside(i) ? moved(i) : i)),
      );
    }
    const fields = v128.and(i16x8.shr_u(i16x8.mul(i16x8.splat(imm), lanes(2, 64, 16, 4, 1)), 6), lanes(2, 3));
    const indices = i8x16.add(i16x8.mul(fields, lanes(2, 0x0202)), lanes(2, 0x0100 + start * 0x0101));
    return i8x16.swizzle(
      a,
      i8x16.shuffle(
        indices,
        iota(),
        range(16, (i) => (inside(i) ? i : 16 + i)),
      ),
    );
  };
}

const LOW_HIGH = [0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31];

/** SHUFPS: two lanes of a, two of b. */
export const shufps: KernelImm2 = (o, a, b, imm) => {
  const n = known(imm);
  if (n !== undefined) {
    return i8x16.shuffle(
      a,
      b,
      range(16, (i) => field(n, i >> 2) * 4 + (i & 3) + (i >= 8 ? 16 : 0)),
    );
  }
  const indices = o.let(dwordIndices(imm));
  return i8x16.shuffle(i8x16.swizzle(a, indices), i8x16.swizzle(b, indices), LOW_HIGH);
};

/** All ones in the lanes whose bit of the immediate is set; `bits` are the lanes' bits. */
function immediateMask(size: 2 | 4, imm: I32, ...bits: number[]): V128 {
  const shape = size === 2 ? i16x8 : i32x4;
  return shape.eq(v128.and(shape.splat(imm), lanes(size, ...bits)), lanes(size, ...bits));
}

/** SHUFPD */
export const shufpd: KernelImm2 = (o, x, y, imm) => {
  const a = o.let(x);
  const b = o.let(y);
  const lows = i8x16.shuffle(a, b, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  const highs = i8x16.shuffle(a, b, [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31]);
  return v128.bitselect(highs, lows, immediateMask(4, imm, 1, 1, 2, 2));
};

/** PBLENDW, BLENDPS, BLENDPD, VPBLENDD: b where the bit is set. */
export function blend(size: 2 | 4, ...bits: number[]): KernelImm2 {
  return (_, a, b, imm) => v128.bitselect(b, a, immediateMask(size, imm, ...bits));
}
export const pblendw = blend(2, 1, 2, 4, 8, 16, 32, 64, 128);
export const blendps = blend(4, 1, 2, 4, 8);
export const blendpd = blend(4, 1, 1, 2, 2);

/** PBLENDVB, BLENDVPS, BLENDVPD: b where the mask's lane is negative. */
export function blendVariable(signs: Shift, bits: number): Kernel3 {
  return (_, a, b, mask) => v128.bitselect(b, a, signs(mask, bits - 1));
}

/** Every 32-bit lane of the result is lane `n` (0..3) of a. */
export const spreadDword: KernelImm = (_, a, n) =>
  i8x16.swizzle(a, i8x16.add(i8x16.splat(i32.shl(n, 2)), lanes(4, 0x03020100)));

/** INSERTPS; `element` has the source in every lane. */
export const insertps: KernelImm2 = (o, a, element, x) => {
  const imm = o.let(x);
  const put = immediateMask(4, i32.shl(1, i32.and(i32.shr_u(imm, 4), 3)), 1, 2, 4, 8);
  return v128.andnot(v128.bitselect(element, a, put), immediateMask(4, imm, 1, 2, 4, 8));
};

/** MPSADBW on one 128-bit lane: eight sums of four absolute differences. */
export const mpsadbw: KernelImm2 = (o, x, b, immediate) => {
  const a = o.let(x);
  const imm = o.let(immediate);
  const block = o.let(spreadDword(o, b, i32.and(imm, 3)));
  const start = o.let(i8x16.splat(i32.and(imm, 4))); // bit 2 chooses byte 0 or 4
  const part = (offset: number): V128 => {
    const first = v128.const(Uint8Array.from(range(16, (i) => offset + Math.floor(i / 4) + (i % 4))));
    return sumsOf4(absoluteDifference(o, i8x16.swizzle(a, i8x16.add(first, start)), block));
  };
  return i16x8.narrow_i32x4_u(part(0), part(4));
};
