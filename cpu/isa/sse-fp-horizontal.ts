/** Arithmetic within a vector, of SSE3 and SSE4.1 (Intel SDM vol. 2, HADDPS, HSUBPS, ADDSUBPS, DPPS). */
import { type I32, type I64, i32, i64 } from '../ir/expr.ts';
import { f32x4, f64x2, i8x16, i32x4, i64x2, v128 } from '../ir/vector.ts';
import * as soft from '../runtime/sse-arith.ts';
import { type Lower, type Row, sse } from './row.ts';
import { imm8, lanesOf, shifted, writeLanes } from './simd-forms.ts';
import { ADDITION, exactly, type Operation, packedOperation, SUBTRACTION } from './sse-fp-arith.ts';
import { all, both, packed32, packed64, plainMxcsr } from './sse-fp-fast.ts';
import { elementsBy, type FpWidth, perLane } from './sse-fp-forms.ts';
import { ADD, dotProduct32, dotProduct64, SUB } from './sse-fp-ops.ts';
import { type Slow, slowly } from './sse-fp-slow.ts';
import { element, settleFlags, softlyPacked } from './sse-fp-soft.ts';

/** HADD and HSUB: even elements of both sources against the odd ones. */
const horizontal =
  (o: Operation, width: FpWidth): Lower =>
  (c) => {
    const bytes = width / 8;
    const pick = (odd: number): number[] =>
      Array.from({ length: 16 }, (_, i) => (Math.floor(i / bytes) * 2 + odd) * bytes + (i % bytes));
    const x = lanesOf(c, 1);
    const y = lanesOf(c, 2);
    const a = x.map((v, lane) => c.let(i8x16.shuffle(v, y[lane]!, pick(0))));
    const b = x.map((v, lane) => c.let(i8x16.shuffle(v, y[lane]!, pick(1))));
    packedOperation(c, o, width, a, b);
  };

/** ADDSUB: differences in the even elements, sums in the odd ones. */
const addSubtract =
  (width: FpWidth): Lower =>
  (c) => {
    const s = width === 32 ? packed32 : packed64;
    const shape = width === 32 ? f32x4 : f64x2;
    const a = lanesOf(c, 1);
    const b = lanesOf(c, 2);
    const signs =
      width === 32 ? i64x2.splat(i64.const(0x80000000)) : i64x2.replace(v128.zero(), 0, i64.const(1n << 63n));
    const r = a.map((x, lane) => c.let(shape.add(x, v128.xor(b[lane]!, signs))));
    const masks = r.map((x, lane) =>
      both(s.finite(x), s.notDenormal(x), s.notDenormal(a[lane]!), s.notDenormal(b[lane]!)),
    );
    c.if(
      all(plainMxcsr(c), s.every(both(...masks))),
      () => writeLanes(c, 0, r),
      () =>
        softlyPacked(
          c,
          width,
          [a, b],
          (i, mxcsr) => exactly(c, ADDITION, width, a, b, i, mxcsr, (i & 1) === 0),
          (count) => elementsBy(width, count, (i) => (i & 1 ? ADD : SUB)),
        ),
    );
  };

/** DPPS and DPPD: products that the immediate chooses, their sum where it says. */
const dotProduct =
  (width: FpWidth): Lower =>
  (c) => {
    const imm = imm8(c, 3);
    const a = lanesOf(c, 1);
    const b = lanesOf(c, 2);
    const slow: Slow = (env, s) => {
      const control = s.u32(2, 0);
      if (width === 32) {
        const count = 4 * a.length;
        dotProduct32(
          env,
          (i) => s.u32(0, i),
          (i) => s.u32(1, i),
          control,
          count,
        ).forEach((v, i) => {
          s.set32(i, v);
        });
      } else {
        dotProduct64(
          env,
          (i) => s.u64(0, i),
          (i) => s.u64(1, i),
          control,
        ).forEach((v, i) => {
          s.set64(i, v);
        });
      }
    };
    const raising = (): void => writeLanes(c, 0, slowly(c, [a, b, [i32x4.splat(imm)]], slow, true).slice(0, a.length));
    const mxcsr = c.get('mxcsr') as I32;
    const flags = c.variable(i32.const(0));
    const [product, sum] = width === 32 ? [soft.mul32, soft.add32] : [soft.mul64, soft.add64];
    const run = (f: soft.Operation, x: I64, y: I64, counts: I32 = i32.const(1)): I64 => {
      const [r, raised] = c.call(f, x, y, mxcsr, i32.const(0));
      flags.set(i32.or(flags.value, i32.and(i32.sub(0, counts), raised)));
      return c.let(i64.and(r, i64.sub(0, i64.extend_u(counts))));
    };
    const bit = (n: number): I32 => c.let(i32.and(shifted(imm, n), 1));
    const each = perLane(width);
    const r = a.map((x, lane) => {
      const n = Array.from({ length: each }, (_, i) => i);
      const products = n.map((i) => run(product, element(width, [x], i), element(width, [b[lane]!], i), bit(4 + i)));
      const pairs = n.map((i) =>
        width === 32 ? run(sum, products[i ^ 1]!, products[i]!) : run(sum, products[i]!, products[i ^ 1]!),
      );
      const sums = width === 32 ? n.map((i) => run(sum, pairs[i]!, pairs[i ^ 2]!)) : pairs;
      return sums.reduce((v, s, i) => {
        const kept = i64.and(s, i64.sub(0, i64.extend_u(bit(i))));
        return c.let(width === 32 ? i32x4.replace(v, i, i32.wrap(kept)) : i64x2.replace(v, i, kept));
      }, v128.zero());
    });
    settleFlags(c, mxcsr, flags.value, () => writeLanes(c, 0, r), raising);
  };

export const horizontalRows: readonly Row[] = [
  ...sse('haddps', 'F2 0F 7C /r', 'Vx Hx Wx', horizontal(ADDITION, 32)),
  ...sse('haddpd', '66 0F 7C /r', 'Vx Hx Wx', horizontal(ADDITION, 64)),
  ...sse('hsubps', 'F2 0F 7D /r', 'Vx Hx Wx', horizontal(SUBTRACTION, 32)),
  ...sse('hsubpd', '66 0F 7D /r', 'Vx Hx Wx', horizontal(SUBTRACTION, 64)),
  ...sse('addsubps', 'F2 0F D0 /r', 'Vx Hx Wx', addSubtract(32)),
  ...sse('addsubpd', '66 0F D0 /r', 'Vx Hx Wx', addSubtract(64)),
  ...sse('dpps', '66 0F3A 40 /r', 'Vx Hx Wx Ib', dotProduct(32)),
  ...sse('dppd', '66 0F3A 41 /r', 'Vdq Hdq Wdq Ib', dotProduct(64), { vex: '128' }),
];
