/** The transformations of AES and the carry-less product, on 16-byte blocks (FIPS 197; Intel SDM vol. 2, AESENC, PCLMULQDQ). */
import { type I64, i64, type V128 } from '../ir/expr.ts';
import { type Builder, define } from '../ir/function.ts';
import { i8x16, v128 } from '../ir/vector.ts';

/** FIPS 197, 5.1.1: the inverse in GF(2^8), then an affine map. */
function substitutionBox(): Uint8Array {
  const box = new Uint8Array(256);
  let p = 1;
  let q = 1;
  do {
    // p runs through the powers of 3, q through those of its inverse.
    p = (p ^ (p << 1) ^ (p & 0x80 ? 0x11b : 0)) & 0xff;
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q = (q ^ (q & 0x80 ? 0x09 : 0)) & 0xff;
    const rotated = (n: number): number => ((q << n) | (q >> (8 - n))) & 0xff;
    box[p] = q ^ rotated(1) ^ rotated(2) ^ rotated(3) ^ rotated(4) ^ 0x63;
  } while (p !== 1);
  box[0] = 0x63;
  return box;
}
const BOX = substitutionBox();
const INVERSE_BOX = Uint8Array.from({ length: 256 }, (_, v) => BOX.indexOf(v));

const splat = (byte: number): V128 => v128.const(new Uint8Array(16).fill(byte));
const permute = (v: V128, from: (i: number) => number): V128 =>
  i8x16.swizzle(v, v128.const(Uint8Array.from({ length: 16 }, (_, i) => from(i))));

/** Each byte through a table of 256, sixteen at a time: an index out of the range of a swizzle gives zero. */
function substitute(f: Builder, v: V128, table: Uint8Array): V128 {
  const sum = f.variable(v128.zero());
  for (let high = 0; high < 16; high++) {
    const part = v128.const(table.slice(16 * high, 16 * high + 16));
    sum.set(v128.or(sum.value, i8x16.swizzle(part, i8x16.sub(v, splat(16 * high)))));
  }
  return sum.value;
}

/** Each byte times 2 in GF(2^8). */
const doubled = (v: V128): V128 => v128.xor(i8x16.shl(v, 1), v128.and(i8x16.shr_s(v, 7), splat(0x1b)));
/** Byte `n` places further in each column. */
const rotated = (v: V128, n: number): V128 => permute(v, (i) => (i & 12) | ((i + n) & 3));

function mixColumns(f: Builder, v: V128): V128 {
  const one = f.let(rotated(v, 1));
  const others = v128.xor(one, v128.xor(rotated(v, 2), rotated(v, 3)));
  return f.let(v128.xor(doubled(f.let(v128.xor(v, one))), others));
}
/** The inverse matrix is the matrix times one of 5 and 4. */
function unmixColumns(f: Builder, v: V128): V128 {
  const pair = f.let(v128.xor(v, rotated(v, 2)));
  const four = f.let(doubled(f.let(doubled(pair))));
  return mixColumns(f, f.let(v128.xor(v, four)));
}

/** Row r of the state (bytes r, r + 4, ...) moves r columns to the left, or back. */
const shiftRows = (v: V128): V128 => permute(v, (i) => (i + 4 * (i & 3)) & 15);
const unshiftRows = (v: V128): V128 => permute(v, (i) => (i - 4 * (i & 3)) & 15);

export const aesSubstitute = define('aesSubstitute', ['v128'], ['v128'], (f, v) => [substitute(f, v, BOX)]);

/** A round without the key: the last one has no mixing. */
export const aesEncrypt = define('aesEncrypt', ['v128'], ['v128'], (f, v) => {
  const s = substitute(f, f.let(shiftRows(v)), BOX);
  return [mixColumns(f, s)];
});
export const aesEncryptLast = define('aesEncryptLast', ['v128'], ['v128'], (f, v) => {
  return [substitute(f, f.let(shiftRows(v)), BOX)];
});
export const aesDecrypt = define('aesDecrypt', ['v128'], ['v128'], (f, v) => {
  const s = substitute(f, f.let(unshiftRows(v)), INVERSE_BOX);
  return [unmixColumns(f, s)];
});
export const aesDecryptLast = define('aesDecryptLast', ['v128'], ['v128'], (f, v) => {
  return [substitute(f, f.let(unshiftRows(v)), INVERSE_BOX)];
});
export const aesUnmix = define('aesUnmix', ['v128'], ['v128'], (f, v) => [unmixColumns(f, v)]);

/**
 * The low half of a carry-less product by integer multiplication: operands split into four with three holes after each
 * bit, where carries end (T. Pornin, BearSSL, ghash_ctmul64).
 */
function lowProduct(f: Builder, x: I64, y: I64): I64 {
  const HOLES = 0x1111111111111111n;
  const part = (v: I64, n: number): I64 => f.let(i64.and(v, HOLES << BigInt(n)));
  const a = [0, 1, 2, 3].map((n) => part(x, n));
  const b = [0, 1, 2, 3].map((n) => part(y, n));
  return [0, 1, 2, 3]
    .map((n) => {
      const products = a.map((v, i) => i64.mul(v, b[(n - i) & 3]!));
      return i64.and(
        products.reduce((sum, p) => i64.xor(sum, p)),
        HOLES << BigInt(n),
      );
    })
    .reduce((sum, p) => f.let(i64.or(sum, p)));
}
function reversed(f: Builder, v: I64): I64 {
  const swap = (x: I64, n: number, mask: bigint): I64 =>
    f.let(i64.or(i64.and(i64.shr_u(x, n), mask), i64.shl(i64.and(x, mask), n)));
  let r = swap(v, 1, 0x5555555555555555n);
  r = swap(r, 2, 0x3333333333333333n);
  r = swap(r, 4, 0x0f0f0f0f0f0f0f0fn);
  r = swap(r, 8, 0x00ff00ff00ff00ffn);
  r = swap(r, 16, 0x0000ffff0000ffffn);
  return f.let(i64.rotl(r, 32));
}
/** The carry-less product of two quadwords: low and high half. */
export const carrylessProduct = define('carrylessProduct', ['i64', 'i64'], ['i64', 'i64'], (f, x, y) => {
  const mirrored = lowProduct(f, reversed(f, x), reversed(f, y));
  return [lowProduct(f, x, y), i64.shr_u(reversed(f, mirrored), 1)];
});
