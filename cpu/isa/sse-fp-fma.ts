/** FMA3: fused multiply-add in all forms and operand orders (Intel SDM vol. 2, VFMADD132PD to VFNMSUB231SS). */

import { type F32, type F64, f32, f64, type I32, type I64, i32, i64, select, type V128 } from '../ir/expr.ts';
import type { Ops } from '../ir/ops.ts';
import { f32x4, f64x2 } from '../ir/vector.ts';
import { fma32, fma64 } from '../runtime/sse-fma.ts';
import { type Lower, op, type Row } from './row.ts';
import { lanesOf, writeLanes } from './simd-forms.ts';
import { all, plainMxcsr, scalar32 } from './sse-fp-fast.ts';
import { type FpWidth, perLane } from './sse-fp-forms.ts';
import { fused32, fused64 } from './sse-fp-ops.ts';
import type { Slow } from './sse-fp-slow.ts';
import { element, softlyPacked, softlyScalar } from './sse-fp-soft.ts';

interface Form {
  readonly name: string;
  /** Low digit of the packed opcode; the scalar one follows it. */
  readonly digit: number;
  readonly negateProduct: boolean;
  /** Whether element `i` subtracts the addend. */
  readonly negateAddend: (i: number) => boolean;
  readonly scalar: boolean;
}

const FORMS: readonly Form[] = [
  { name: 'maddsub', digit: 6, negateProduct: false, negateAddend: (i) => (i & 1) === 0, scalar: false },
  { name: 'msubadd', digit: 7, negateProduct: false, negateAddend: (i) => (i & 1) === 1, scalar: false },
  { name: 'madd', digit: 8, negateProduct: false, negateAddend: () => false, scalar: true },
  { name: 'msub', digit: 10, negateProduct: false, negateAddend: () => true, scalar: true },
  { name: 'nmadd', digit: 12, negateProduct: true, negateAddend: () => false, scalar: true },
  { name: 'nmsub', digit: 14, negateProduct: true, negateAddend: () => true, scalar: true },
];
/** Operand orders by the high digit of the opcode. */
const ORDERS = [
  [9, 132],
  [10, 213],
  [11, 231],
] as const;

function slowFused(form: Form, width: FpWidth, order: number, count: number): Slow {
  return (env, s) => {
    for (let i = 0; i < count; i++) {
      const minus = form.negateAddend(i);
      if (width === 32) {
        s.set32(i, fused32(env, s.u32(0, i), s.u32(1, i), s.u32(2, i), order, form.negateProduct, minus));
      } else {
        s.set64(i, fused64(env, s.u64(0, i), s.u64(1, i), s.u64(2, i), order, form.negateProduct, minus));
      }
    }
  };
}

/** Which operands are multiplied, and which is added. */
const rolesOf = (order: number): readonly [number, number, number] =>
  order === 132 ? [0, 2, 1] : order === 213 ? [1, 0, 2] : [1, 2, 0];

/** Element `i` by its runtime function. */
function exactly(
  c: Ops,
  form: Form,
  width: FpWidth,
  order: number,
  operands: readonly (readonly V128[])[],
  i: number,
  mxcsr: I32,
): readonly [I64, I32] {
  const [a, b, d] = rolesOf(order).map((k) => element(width, operands[k]!, i)) as [I64, I64, I64];
  const signs = i32.const((form.negateProduct ? 1 : 0) | (form.negateAddend(i) ? 2 : 0));
  return c.call(width === 32 ? fma32 : fma64, a, b, d, mxcsr, signs);
}

/** Knuth's two-sum: `high` is the rounded sum, `low` what it lacks. */
function twoSum(c: Ops, a: F64, b: F64): { high: F64; low: F64 } {
  const high = c.let(f64.add(a, b));
  const part = c.let(f64.sub(high, a));
  return { high, low: c.let(f64.add(f64.sub(a, f64.sub(high, part)), f64.sub(b, part))) };
}

/** Dekker's product after Veltkamp's splitting: `high + low` is exactly a * b. */
function twoProduct(c: Ops, a: F64, b: F64): { high: F64; low: F64 } {
  const split = (v: F64): { head: F64; tail: F64 } => {
    const t = c.let(f64.mul(v, f64.reinterpret(i64.const(0x41a0000002000000n))));
    const head = c.let(f64.sub(t, f64.sub(t, v)));
    return { head, tail: c.let(f64.sub(v, head)) };
  };
  const high = c.let(f64.mul(a, b));
  const x = split(a);
  const y = split(b);
  const first = f64.sub(f64.mul(x.head, y.head), high);
  const crossed = f64.add(f64.add(first, f64.mul(x.head, y.tail)), f64.mul(x.tail, y.head));
  return { high, low: c.let(f64.add(crossed, f64.mul(x.tail, y.tail))) };
}

/** A sum rounded to odd: an inexact one ends in a one bit, so that rounding it again to less is right. */
function oddSum(c: Ops, a: F64, b: F64): F64 {
  const { high, low } = twoSum(c, a, b);
  const bits = c.let(i64.reinterpret(high));
  const error = c.let(i64.reinterpret(low));
  const inexact = f64.ne(low, f64.reinterpret(i64.const(0)));
  const even = i64.eqz(i64.and(bits, 1));
  // Away from zero when sum and error have the same sign.
  const step = i64.or(i64.shr_s(i64.xor(bits, error), 63), 1);
  const adjusted = i64.add(bits, select(step, i64.const(0), i32.and(inexact, even)));
  return c.let(f64.reinterpret(adjusted));
}

/** Exponent of a double within 2^-n..2^n. */
const within = (v: F64, n: number): I32 =>
  i64.le_u(i64.sub(i64.and(i64.shr_u(i64.reinterpret(v), 52), 0x7ff), 1023 - n), 2 * n);
const isZero = (v: F64): I32 => f64.eq(v, f64.reinterpret(i64.const(0)));

/**
 * a * b + d in doubles (Boldo and Melquiond, Emulation of FMA and correctly rounded sums, 2008), right where neither the
 * operands nor the parts of the product come near the ends of the range.
 */
function fusedFast64(c: Ops, a: F64, b: F64, d: F64): { r: F64; good: I32 } {
  const u = twoProduct(c, a, b);
  const t = twoSum(c, d, u.low);
  const v = twoSum(c, u.high, t.high);
  const sum = f64.add(v.high, oddSum(c, t.low, v.low));
  // Nothing to fuse in a product of zero, but the sign of a sum of zeros.
  const nought = c.let(i32.or(isZero(a), isZero(b)));
  const r = c.let(select(f64.add(u.high, d), sum, nought));
  const fits = (x: F64, n: number): I32 => i32.or(isZero(x), within(x, n));
  const operands = all(fits(a, 400), fits(b, 400), fits(d, 850));
  return { r, good: i32.and(operands, i32.or(nought, i32.eqz(isZero(r)))) };
}

/** The same for singles: the product is exact in double, and the odd sum rounds to single as the exact one would. */
function fusedFast32(c: Ops, a: F32, b: F32, d: F32): { r: F32; good: I32 } {
  const product = c.let(f64.mul(f64.promote(a), f64.promote(b)));
  const r = c.let(f32.demote(oddSum(c, product, f64.promote(d))));
  const operands = all(scalar32.notDenormal(a), scalar32.notDenormal(b), scalar32.notDenormal(d));
  return { r, good: all(operands, scalar32.finite(r), i32.or(scalar32.aboveTiny(r), isZero(product))) };
}

/** Element `i` of a lane by the fast way: the lane with it in place, and whether it is right. */
function fuseElement(
  c: Ops,
  form: Form,
  width: FpWidth,
  order: number,
  x: readonly V128[],
  into: V128,
  i: number,
  number: number,
): { lane: V128; good: I32 } {
  const [m, n, p] = rolesOf(order);
  const minus = form.negateAddend(number);
  if (width === 32) {
    const get = (k: number): F32 => f32x4.extract(x[k]!, i);
    const a = c.let(form.negateProduct ? f32.neg(get(m)) : get(m));
    const { r, good } = fusedFast32(c, a, c.let(get(n)), c.let(minus ? f32.neg(get(p)) : get(p)));
    return { lane: c.let(f32x4.replace(into, i, r)), good };
  }
  const get = (k: number): F64 => f64x2.extract(x[k]!, i);
  const a = c.let(form.negateProduct ? f64.neg(get(m)) : get(m));
  const { r, good } = fusedFast64(c, a, c.let(get(n)), c.let(minus ? f64.neg(get(p)) : get(p)));
  return { lane: c.let(f64x2.replace(into, i, r)), good };
}

const packed =
  (form: Form, width: FpWidth, order: number): Lower =>
  (c) => {
    const operands = [lanesOf(c, 0), lanesOf(c, 1), lanesOf(c, 2)];
    const count = perLane(width);
    const slow = (): void =>
      softlyPacked(
        c,
        width,
        operands,
        (i, mxcsr) => exactly(c, form, width, order, operands, i, mxcsr),
        (n) => slowFused(form, width, order, n),
      );
    const fast = (): void => {
      const good = c.variable(i32.const(1));
      const r = operands[0]!.map((first, lane) => {
        const x = operands.map((o) => o[lane]!);
        let into = first;
        for (let i = 0; i < count; i++) {
          const element = fuseElement(c, form, width, order, x, into, i, lane * count + i);
          into = element.lane;
          good.set(i32.and(good.value, element.good));
        }
        return into;
      });
      c.if(good.value, () => writeLanes(c, 0, r), slow);
    };
    c.if(plainMxcsr(c), fast, slow);
  };
const scalar =
  (form: Form, width: FpWidth, order: number): Lower =>
  (c) => {
    const x = [c.readVector(0), c.readVector(1), c.readVector(2)];
    const base = x[0]!;
    const single = x.map((v) => [v]);
    const slow = (): void =>
      softlyScalar(
        c,
        width,
        base,
        x,
        (mxcsr) => exactly(c, form, width, order, single, 0, mxcsr),
        slowFused(form, width, order, 1),
      );
    const fast = (): void => {
      const { lane, good } = fuseElement(c, form, width, order, x, base, 0, 0);
      c.if(good, () => c.writeVector(0, lane), slow);
    };
    c.if(plainMxcsr(c), fast, slow);
  };

function rows(form: Form): Row[] {
  return ORDERS.flatMap(([high, order]) =>
    ([32, 64] as const).flatMap((width): Row[] => {
      const opcode = (digit: number): string => (high * 16 + digit).toString(16).toUpperCase();
      const w = width === 64 ? 'W1' : 'W0';
      const letter = width === 64 ? 'd' : 's';
      const name = `vf${form.name}${order}`;
      const lower = packed(form, width, order);
      const rest = form.scalar
        ? [
            op(
              `${name}s${letter}`,
              `VEX.LIG.66.0F38.${w} ${opcode(form.digit + 1)} /r`,
              width === 64 ? 'Vq Hq Wq' : 'Vd Hd Wd',
              scalar(form, width, order),
            ),
          ]
        : [];
      return [
        op(`${name}p${letter}`, `VEX.128.66.0F38.${w} ${opcode(form.digit)} /r`, 'Vx Hx Wx', lower),
        op(`${name}p${letter}`, `VEX.256.66.0F38.${w} ${opcode(form.digit)} /r`, 'Vx Hx Wx', lower),
        ...rest,
      ];
    }),
  );
}

export const fmaRows: readonly Row[] = FORMS.flatMap(rows);
