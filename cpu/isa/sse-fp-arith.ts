/** ADD, SUB, MUL, DIV and SQRT of SSE and AVX (Intel SDM vol. 2, ADDPS to SUBSS). */
import { type Expr, type F32, type F64, f32, f64, type I32, type I64, i32, type V128 } from '../ir/expr.ts';
import type { KnownFloats } from '../ir/known-floats.ts';
import type { Ops } from '../ir/ops.ts';
import { f32x4, f64x2, v128 } from '../ir/vector.ts';
import * as soft from '../runtime/sse-arith.ts';
import { type Lower, type Row, sse } from './row.ts';
import { lanesOf, writeLanes } from './simd-forms.ts';
import {
  all,
  both,
  type Exactness,
  either,
  exact32,
  exact64,
  exactLanes,
  ordinary32,
  ordinary64,
  packed32,
  packed64,
  plainButPrecision,
  plainMxcsr,
  scalar32,
  scalar64,
} from './sse-fp-fast.ts';
import { elements, type FpWidth, fourForms, mergeLow } from './sse-fp-forms.ts';
import { checkedResult } from './sse-fp-known.ts';
import { ADD, type Arithmetic, DIV, MUL, SQRT, SUB } from './sse-fp-ops.ts';
import { element, softlyPacked, softlyScalar } from './sse-fp-soft.ts';

/** What tells the operations apart on the fast path. */
export interface Operation {
  readonly name: string;
  readonly opcode: string;
  readonly soft: Arithmetic;
  /** In WebAssembly, by width; `negate`: the second operand's sign changes. */
  readonly exactly32: soft.Operation;
  readonly exactly64: soft.Operation;
  readonly negate: boolean;
  readonly scalar32: (a: F32, b: F32) => F32;
  readonly scalar64: (a: F64, b: F64) => F64;
  readonly packed32: (a: V128, b: V128) => V128;
  readonly packed64: (a: V128, b: V128) => V128;
  readonly exact: keyof Exactness<F64>;
  /** A result of zero or near it may be inexact: it counts only when the operands show that it is exact. */
  readonly tiny: 'exact' | 'either' | 'first';
}

function resultMask(o: Operation, width: FpWidth, a: V128, b: V128, r: V128): V128 {
  const s = width === 32 ? packed32 : packed64;
  const operands = both(s.finite(r), s.notDenormal(a), s.notDenormal(b));
  if (o.tiny === 'exact') {
    return v128.and(operands, s.notDenormal(r));
  }
  const zero = o.tiny === 'either' ? v128.or(s.zero(a), s.zero(b)) : s.zero(a);
  return v128.and(operands, v128.or(s.aboveTiny(r), zero));
}

/** Element `i` of an operation by its runtime function. */
export function exactly(
  c: Ops,
  o: Operation,
  width: FpWidth,
  a: readonly V128[],
  b: readonly V128[],
  i: number,
  mxcsr: I32,
  negate = o.negate,
): readonly [I64, I32] {
  const f = width === 32 ? o.exactly32 : o.exactly64;
  return c.call(f, element(width, a, i), element(width, b, i), mxcsr, i32.const(negate ? 1 : 0));
}

/** Packed arithmetic on given lanes: all fast or all slow. */
export function packedOperation(c: Ops, o: Operation, width: FpWidth, a: readonly V128[], b: readonly V128[]): void {
  const s = width === 32 ? packed32 : packed64;
  const f = width === 32 ? o.packed32 : o.packed64;
  const r = a.map((x, lane) => c.let(f(x, b[lane]!)));
  const masks = r.map((x, lane) => resultMask(o, width, a[lane]!, b[lane]!, x));
  const good = c.let(s.every(both(...masks)));
  const slow = (): void =>
    softlyPacked(
      c,
      width,
      [a, b],
      (i, mxcsr) => exactly(c, o, width, a, b, i, mxcsr),
      (count) => elements(width, count, o.soft),
    );
  const fast = (): void => writeLanes(c, 0, r);
  c.if(all(plainMxcsr(c), good), fast, () => {
    if (o.exact !== 'sum' && o.exact !== 'difference') {
      slow();
      return;
    }
    const exact = r.map((x, lane) => exactLanes(width, o.exact === 'difference', a[lane]!, b[lane]!, x));
    c.if(all(plainButPrecision(c), good, s.every(both(...exact))), fast, slow);
  });
}

const packed =
  (o: Operation, width: FpWidth): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    packedOperation(c, o, width, a, lanesOf(c, 2));
  };

function scalarMask<T extends F32 | F64>(
  o: Operation,
  s: {
    finite: (r: T) => I32;
    aboveTiny: (r: T) => I32;
    zero: (a: T) => I32;
    notDenormal: (a: T) => I32;
  },
  a: T,
  b: T,
  r: T,
): I32 {
  const operands = all(s.finite(r), s.notDenormal(a), s.notDenormal(b));
  if (o.tiny === 'exact') {
    return i32.and(operands, s.notDenormal(r));
  }
  const zero = o.tiny === 'either' ? either(s.zero(a), s.zero(b)) : s.zero(a);
  return i32.and(operands, either(s.aboveTiny(r), zero));
}

const scalar =
  (o: Operation, width: FpWidth): Lower =>
  (c) => {
    const base = c.readVector(1);
    const source = c.readVector(2);
    const slow = (): void =>
      softlyScalar(
        c,
        width,
        base,
        [base, source],
        (mxcsr) => exactly(c, o, width, [base], [source], 0, mxcsr),
        elements(width, 1, o.soft),
      );
    scalarFast(c, o, width, base, source, (r) => c.writeVector(0, r), slow);
  };

/** Writes the result the fast way where it is right, else `slow`. */
function scalarFast(
  c: Ops,
  o: Operation,
  width: FpWidth,
  base: V128,
  source: V128,
  write: (r: V128) => void,
  slow: () => void,
): void {
  if (c.floats) {
    if (width === 32) write(f32x4.replace(base, 0, known(c, c.floats, o, o.scalar32, f32x4.extract, base, source)));
    else write(f64x2.replace(base, 0, known(c, c.floats, o, o.scalar64, f64x2.extract, base, source)));
    return;
  }
  let ordinary: I32;
  let good: () => I32;
  let exact: () => I32;
  let fast: () => void;
  if (width === 32) {
    const a = c.let(f32x4.extract(base, 0));
    const b = c.let(f32x4.extract(source, 0));
    const r = c.let(o.scalar32(a, b));
    ordinary = ordinary32(a, b, r);
    good = () => scalarMask(o, scalar32, a, b, r);
    exact = () => exact32[o.exact](a, b, r);
    fast = () => write(f32x4.replace(base, 0, r));
  } else {
    const a = c.let(f64x2.extract(base, 0));
    const b = c.let(f64x2.extract(source, 0));
    const r = c.let(o.scalar64(a, b));
    ordinary = ordinary64(a, b, r);
    good = () => scalarMask(o, scalar64, a, b, r);
    exact = () => exact64[o.exact](a, b, r);
    fast = () => write(f64x2.replace(base, 0, r));
  }
  c.if(all(plainMxcsr(c), ordinary), fast, () => {
    const inRange = c.let(good());
    c.if(all(plainMxcsr(c), inRange), fast, () => c.if(all(plainButPrecision(c), inRange, exact()), fast, slow));
  });
}

function known<T extends F32 | F64>(
  c: Ops,
  floats: KnownFloats,
  o: Operation,
  f: (a: T, b: T) => T,
  extract: (v: V128, lane: number) => Expr,
  base: V128,
  source: V128,
): T {
  const a = c.let(extract(base, 0)) as T;
  const b = c.let(extract(source, 0)) as T;
  return checkedResult(c, floats, o, a, b, f(a, b));
}

const OPERATIONS: readonly Operation[] = [
  {
    name: 'add',
    exact: 'sum',
    opcode: '58',
    soft: ADD,
    exactly32: soft.add32,
    exactly64: soft.add64,
    negate: false,
    scalar32: f32.add,
    scalar64: f64.add,
    packed32: f32x4.add,
    packed64: f64x2.add,
    tiny: 'exact',
  },
  {
    name: 'mul',
    exact: 'product',
    opcode: '59',
    soft: MUL,
    exactly32: soft.mul32,
    exactly64: soft.mul64,
    negate: false,
    scalar32: f32.mul,
    scalar64: f64.mul,
    packed32: f32x4.mul,
    packed64: f64x2.mul,
    tiny: 'either',
  },
  {
    name: 'sub',
    exact: 'difference',
    opcode: '5C',
    soft: SUB,
    exactly32: soft.add32,
    exactly64: soft.add64,
    negate: true,
    scalar32: f32.sub,
    scalar64: f64.sub,
    packed32: f32x4.sub,
    packed64: f64x2.sub,
    tiny: 'exact',
  },
  {
    name: 'div',
    exact: 'quotient',
    opcode: '5E',
    soft: DIV,
    exactly32: soft.div32,
    exactly64: soft.div64,
    negate: false,
    scalar32: f32.div,
    scalar64: f64.div,
    packed32: f32x4.div,
    packed64: f64x2.div,
    tiny: 'first',
  },
];
export const [ADDITION, , SUBTRACTION] = OPERATIONS as [Operation, Operation, Operation, Operation];

/** SQRT: only the source counts. */
const sqrtPacked =
  (width: FpWidth): Lower =>
  (c) => {
    const s = width === 32 ? packed32 : packed64;
    const b = lanesOf(c, 1);
    const r = b.map((x) => c.let(width === 32 ? f32x4.sqrt(x) : f64x2.sqrt(x)));
    const masks = r.map((x, lane) => both(s.finite(x), s.notDenormal(b[lane]!)));
    c.if(
      all(plainMxcsr(c), s.every(both(...masks))),
      () => writeLanes(c, 0, r),
      () =>
        softlyPacked(
          c,
          width,
          [b, b],
          (i, mxcsr) => exactly(c, SQUARE_ROOT, width, b, b, i, mxcsr),
          (count) => elements(width, count, SQRT),
        ),
    );
  };
const SQUARE_ROOT: Operation = {
  name: 'sqrt',
  exact: 'root',
  opcode: '51',
  soft: SQRT,
  exactly32: soft.sqrt32,
  exactly64: soft.sqrt64,
  negate: false,
  scalar32: (_a, b) => f32.sqrt(b),
  scalar64: (_a, b) => f64.sqrt(b),
  packed32: (_a, b) => f32x4.sqrt(b),
  packed64: (_a, b) => f64x2.sqrt(b),
  tiny: 'exact',
};
const sqrtScalar =
  (width: FpWidth): Lower =>
  (c) => {
    const base = c.readVector(1);
    const source = c.readVector(2);
    const merged = (r: V128): void => c.writeVector(0, mergeLow(width, base, r));
    const slow = (): void =>
      softlyScalar(
        c,
        width,
        base,
        [base, source],
        (mxcsr) => exactly(c, SQUARE_ROOT, width, [source], [source], 0, mxcsr),
        elements(width, 1, SQRT),
      );
    scalarFast(c, SQUARE_ROOT, width, source, source, merged, slow);
  };

/** ADD, MUL, SUB, DIV, SQRT. */
export const arithmeticRows: readonly Row[] = [
  ...OPERATIONS.flatMap((o) =>
    fourForms(
      o.name,
      o.opcode,
      (w) => packed(o, w),
      (w) => scalar(o, w),
    ),
  ),
  ...sse('sqrtps', 'NP 0F 51 /r', 'Vx Wx', sqrtPacked(32)),
  ...sse('sqrtpd', '66 0F 51 /r', 'Vx Wx', sqrtPacked(64)),
  ...sse('sqrtss', 'F3 0F 51 /r', 'Vd Hd Wd', sqrtScalar(32), { vex: 'LIG' }),
  ...sse('sqrtsd', 'F2 0F 51 /r', 'Vq Hq Wq', sqrtScalar(64), { vex: 'LIG' }),
];
