/** Comparisons of SSE and AVX: to masks (Intel SDM vol. 2, CMPPS to CMPSS) and to flags (COMISS, UCOMISS). */
import { setFromWord } from '../flags.ts';
import { type Expr, type F32, type F64, f32, f64, type I32, type I64, i32, i64, type V128 } from '../ir/expr.ts';
import type { KnownFloats } from '../ir/known-floats.ts';
import type { Ops } from '../ir/ops.ts';
import { f32x4, f64x2, i32x4, v128 } from '../ir/vector.ts';
import * as order from '../runtime/sse-compare.ts';
import { PREDICATES } from '../softfloat/compare.ts';
import { unpack32, unpack64 } from '../softfloat/real.ts';
import { type Lower, type Row, sse } from './row.ts';
import { imm8, lanesOf, writeLanes } from './simd-forms.ts';
import { all, numbers, scalar32, scalar64 } from './sse-fp-fast.ts';
import { elements, type FpWidth, fourForms, mergeLow } from './sse-fp-forms.ts';
import { operandIsNoDenormal, operandIsNoNan } from './sse-fp-known.ts';
import { compareFlags, compareMask } from './sse-fp-ops.ts';
import { type Slow, slowly } from './sse-fp-slow.ts';
import { element, settleFlags, softlyPacked, softlyScalar } from './sse-fp-soft.ts';

/** CMP: for ordered operands, which of less (1), equal (2), greater (4) make predicate 0-15 true; four bits each. */
const ORDERED = [2, 1, 3, 0, 5, 6, 4, 7, 2, 1, 3, 0, 5, 6, 4, 7].reduce(
  (t, v, i) => t | (BigInt(v) << BigInt(4 * i)),
  0n,
);

export function compareLanes(c: Ops, width: FpWidth, a: readonly V128[], b: readonly V128[], imm: I32, low: boolean) {
  const shape = width === 32 ? f32x4 : f64x2;
  const table = i64.const(ORDERED);
  const wanted = c.let(i32.wrap(i64.shr_u(table, i64.extend_u(i32.shl(i32.and(imm, 15), 2)))));
  const choose = (bit: number): V128 => c.let(i32x4.splat(i32.sub(0, i32.and(i32.shr_u(wanted, bit), 1))));
  const [lt, eq, gt] = [choose(0), choose(1), choose(2)];
  const r = a.map((x, lane) =>
    c.let(
      v128.or(
        v128.or(v128.and(shape.lt(x, b[lane]!), lt), v128.and(shape.eq(x, b[lane]!), eq)),
        v128.and(shape.gt(x, b[lane]!), gt),
      ),
    ),
  );
  return { r, condition: numbers(width, a, b, low) };
}

/** The predicates as masks over the four relations, four bits each; and those for which a QNaN raises IE. */
const [RELATIONS, SIGNALLING] = PREDICATES.reduce(
  ([relations, signalling], v, i) => [relations | (BigInt(v & 15) << BigInt(4 * i)), signalling | ((v >> 4) << i)],
  [0n, 0],
);

/** Element `i` of a comparison: all ones or zeros. */
function predicate(
  c: Ops,
  width: FpWidth,
  a: readonly V128[],
  b: readonly V128[],
  i: number,
  mxcsr: I32,
  imm: I32,
): readonly [I64, I32] {
  const f = width === 32 ? order.compare32 : order.compare64;
  // The upper sixteen have it the other way round.
  const signals = i32.xor(i32.and(i32.shr_u(SIGNALLING, i32.and(imm, 15)), 1), i32.and(i32.shr_u(imm, 4), 1));
  const [relation, flags] = c.call(f, element(width, a, i), element(width, b, i), mxcsr, signals);
  const wanted = i32.wrap(i64.shr_u(RELATIONS, i64.extend_u(i32.shl(i32.and(imm, 15), 2))));
  return [i64.sub(0, i64.extend_u(i32.ne(i32.and(wanted, relation), 0))), flags];
}

/** The predicate comes staged as a third operand. */
const compareSlow =
  (width: FpWidth, count: number, predicates: number): Slow =>
  (env, s) =>
    elements(width, count, compareMask(s.u32(2, 0) & predicates))(env, s);

/** The legacy encodings have eight predicates, VEX has 32. */
const comparePacked =
  (width: FpWidth): Lower =>
  (c) => {
    const predicates = c.vex ? 31 : 7;
    const imm = c.let(i32.and(imm8(c, 3), predicates));
    const a = lanesOf(c, 1);
    const b = lanesOf(c, 2);
    const { r, condition } = compareLanes(c, width, a, b, imm, false);
    c.if(
      condition,
      () => writeLanes(c, 0, r),
      () =>
        softlyPacked(
          c,
          width,
          [a, b, [i32x4.splat(imm)]],
          (i, mxcsr) => predicate(c, width, a, b, i, mxcsr, imm),
          (count) => compareSlow(width, count, predicates),
        ),
    );
  };
const compareScalar =
  (width: FpWidth): Lower =>
  (c) => {
    const predicates = c.vex ? 31 : 7;
    const imm = c.let(i32.and(imm8(c, 3), predicates));
    const base = c.readVector(1);
    const source = c.readVector(2);
    const { r, condition } = compareLanes(c, width, [base], [source], imm, true);
    c.if(
      condition,
      () => c.writeVector(0, mergeLow(width, base, r[0]!)),
      () =>
        softlyScalar(
          c,
          width,
          base,
          [base, source, i32x4.splat(imm)],
          (mxcsr) => predicate(c, width, [base], [source], 0, mxcsr, imm),
          compareSlow(width, 1, predicates),
        ),
    );
  };

/** COMISS, COMISD, UCOMISS, UCOMISD: ZF PF CF, the others clear. */
const compareToFlags =
  (width: FpWidth, signalling: boolean): Lower =>
  (c) => {
    const a = c.readVector(0);
    const b = c.readVector(1);
    if (c.floats && c.keepOrder && compareKnown(c, c.floats, width, a, b)) return;
    const word = c.variable(i32.const(0));
    const [ordered, less, equal] = width === 32 ? ordered32(c, a, b) : ordered64(c, a, b);
    c.if(
      ordered,
      () => word.set(i32.or(less, i32.shl(equal, 6))),
      () => {
        const f = width === 32 ? order.compare32 : order.compare64;
        const mxcsr = c.get('mxcsr') as I32;
        const [relation, raised] = c.call(
          f,
          element(width, [a], 0),
          element(width, [b], 0),
          mxcsr,
          i32.const(signalling ? 1 : 0),
        );
        settleFlags(
          c,
          mxcsr,
          raised,
          // Less is CF, equal ZF, greater none, unordered ZF PF CF: a byte each by the number of the relation's bit.
          () => word.set(i32.and(i32.shr_u(0x45004001, i32.shl(i32.ctz(relation), 3)), 0xff)),
          () => {
            slowly(c, [[a], [b]], (env, s) => {
              if (width === 32) compareFlags(env, unpack32(s.u32(0, 0)), unpack32(s.u32(1, 0)), signalling);
              else compareFlags(env, unpack64(s.u64(0, 0)), unpack64(s.u64(1, 0)), signalling);
            });
          },
        );
      },
    );
    setFromWord(c, word.value);
  };

function compareKnown(c: Ops, floats: KnownFloats, width: FpWidth, x: V128, y: V128): boolean {
  const [a, b] = [x, y].map((v) => c.let<'f32' | 'f64'>(width === 32 ? f32x4.extract(v, 0) : f64x2.extract(v, 0)));
  for (const v of [a!, b!] as (F32 | F64)[]) {
    operandIsNoDenormal(c, floats, v);
    operandIsNoNan(c, floats, v);
  }
  const wide = (v: Expr): F64 => (width === 32 ? f64.promote(v as F32) : (v as F64));
  return c.keepOrder?.(wide(a!), wide(b!)) ?? false;
}

function ordered32(c: Ops, x: V128, y: V128): [I32, I32, I32] {
  const a = c.let(f32x4.extract(x, 0));
  const b = c.let(f32x4.extract(y, 0));
  const s = scalar32;
  return [all(s.number(a), s.number(b), s.notDenormal(a), s.notDenormal(b)), f32.lt(a, b), f32.eq(a, b)];
}
function ordered64(c: Ops, x: V128, y: V128): [I32, I32, I32] {
  const a = c.let(f64x2.extract(x, 0));
  const b = c.let(f64x2.extract(y, 0));
  const s = scalar64;
  return [all(s.number(a), s.number(b), s.notDenormal(a), s.notDenormal(b)), f64.lt(a, b), f64.eq(a, b)];
}

export const compareRows: readonly Row[] = [
  ...fourForms('cmp', 'C2', comparePacked, compareScalar, ' Ib'),
  ...sse('ucomiss', 'NP 0F 2E /r', 'Vd Wd', compareToFlags(32, false), { vex: 'LIG' }),
  ...sse('ucomisd', '66 0F 2E /r', 'Vq Wq', compareToFlags(64, false), { vex: 'LIG' }),
  ...sse('comiss', 'NP 0F 2F /r', 'Vd Wd', compareToFlags(32, true), { vex: 'LIG' }),
  ...sse('comisd', '66 0F 2F /r', 'Vq Wq', compareToFlags(64, true), { vex: 'LIG' }),
];
