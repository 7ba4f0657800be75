/** Opmask bits to vector lanes. */
import { type I64, i32, type V128 } from './expr.ts';
import { i8x16, i16x8, i32x4, i64x2, v128 } from './vector.ts';

/** The lane mask for elements of `bits` bits whose numbers begin at bit 0 of `k`. */
export function expandMask(bits: number, k: I64): V128 {
  const bytes = (list: readonly number[]): V128 => v128.const(Uint8Array.from(list));
  const powers = (width: number): V128 =>
    bytes(
      Array.from({ length: 16 }, (_, i) => {
        const bit = Math.floor(i / width);
        return Math.floor(bit / 8) === i % width ? 1 << (bit % 8) : 0;
      }),
    );
  const low = i32.wrap(k);
  switch (bits) {
    case 8: {
      const spread = i8x16.swizzle(i16x8.splat(low), bytes([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]));
      const bit = bytes(Array.from({ length: 16 }, (_, i) => 1 << (i % 8)));
      return i8x16.eq(v128.and(spread, bit), bit);
    }
    case 16:
      return i16x8.eq(v128.and(i16x8.splat(low), powers(2)), powers(2));
    case 32:
      return i32x4.eq(v128.and(i32x4.splat(low), powers(4)), powers(4));
    default:
      return i64x2.eq(v128.and(i64x2.splat(k), powers(8)), powers(8));
  }
}
