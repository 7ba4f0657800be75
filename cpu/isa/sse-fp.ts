/** SSE and AVX floating-point arithmetic, comparison, minimum, maximum, roots (Intel SDM vol. 2). */
import { setFromWord } from '../flags.ts';
import { type Expr, type F32, type F64, f32, f64, type I32, type I64, i32, i64, type V128 } from '../ir/expr.ts';
import type { KnownFloats } from '../ir/known-floats.ts';
import type { Ops } from '../ir/ops.ts';
import { f32x4, f64x2, i8x16, i32x4, i64x2, v128 } from '../ir/vector.ts';
import * as soft from '../runtime/sse-arith.ts';
import * as order from '../runtime/sse-compare.ts';
import { PREDICATES } from '../softfloat/compare.ts';
import { unpack32, unpack64 } from '../softfloat/real.ts';
import { type Lower, type Row, sse } from './row.ts';
import { imm8, lanesOf, shifted, writeLanes } from './simd-forms.ts';
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
import { checkedResult, operandIsNoDenormal, operandIsNoNan } from './sse-fp-known.ts';
import {
  ADD,
  type Arithmetic,
  compareFlags,
  compareMask,
  DIV,
  dotProduct32,
  dotProduct64,
  MAX,
  MIN,
  MUL,
  SQRT,
  SUB,
} from './sse-fp-ops.ts';
import { type Slow, slowly } from './sse-fp-slow.ts';
import { element, settleFlags, softly } from './sse-fp-soft.ts';

export type Width = 32 | 64;

/** Each of `count` elements by soft float. */
export const elements =
  (width: Width, count: number, f: Arithmetic): Slow =>
  (env, s) => {
    for (let i = 0; i < count; i++) {
      if (width === 32) {
        s.set32(i, f.f32(env, s.u32(0, i), s.u32(1, i)));
      } else {
        s.set64(i, f.f64(env, s.u64(0, i), s.u64(1, i)));
      }
    }
  };
export const perLane = (width: Width): number => (width === 32 ? 4 : 2);

/** What tells the operations apart on the fast path. */
interface Operation {
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

function resultMask(o: Operation, width: Width, a: V128, b: V128, r: V128): V128 {
  const s = width === 32 ? packed32 : packed64;
  const operands = both(s.finite(r), s.notDenormal(a), s.notDenormal(b));
  if (o.tiny === 'exact') {
    return v128.and(operands, s.notDenormal(r));
  }
  const zero = o.tiny === 'either' ? v128.or(s.zero(a), s.zero(b)) : s.zero(a);
  return v128.and(operands, v128.or(s.aboveTiny(r), zero));
}

/** Element `i` of an operation by its runtime function. */
function exactly(
  c: Ops,
  o: Operation,
  width: Width,
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
function packedOperation(c: Ops, o: Operation, width: Width, a: readonly V128[], b: readonly V128[]): void {
  const s = width === 32 ? packed32 : packed64;
  const f = width === 32 ? o.packed32 : o.packed64;
  const r = a.map((x, lane) => c.let(f(x, b[lane]!)));
  const masks = r.map((x, lane) => resultMask(o, width, a[lane]!, b[lane]!, x));
  const good = c.let(s.every(both(...masks)));
  const count = perLane(width) * a.length;
  const raising = (): void => writeLanes(c, 0, slowly(c, [a, b], elements(width, count, o.soft)).slice(0, a.length));
  const slow = (): void =>
    softly(
      c,
      width,
      count,
      (i, mxcsr) => exactly(c, o, width, a, b, i, mxcsr),
      (lanes) => writeLanes(c, 0, lanes),
      raising,
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
  (o: Operation, width: Width): Lower =>
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

/** Element 0 of `from`, the rest of `to`. */
export const mergeLow = (width: Width, to: V128, from: V128): V128 =>
  width === 32 ? f32x4.replace(to, 0, f32x4.extract(from, 0)) : f64x2.replace(to, 0, f64x2.extract(from, 0));

const scalar =
  (o: Operation, width: Width): Lower =>
  (c) => {
    const base = c.readVector(1);
    const source = c.readVector(2);
    const merged = (r: V128): void => c.writeVector(0, mergeLow(width, base, r));
    scalarFast(
      c,
      o,
      width,
      base,
      source,
      (r) => c.writeVector(0, r),
      () =>
        softly(
          c,
          width,
          1,
          (i, mxcsr) => exactly(c, o, width, [base], [source], i, mxcsr),
          ([r]) => merged(r!),
          () => merged(slowly(c, [[base], [source]], elements(width, 1, o.soft))[0]!),
        ),
    );
  };

/** Writes the result the fast way where it is right, else `slow`. */
function scalarFast(
  c: Ops,
  o: Operation,
  width: Width,
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
const [ADDITION, , SUBTRACTION] = OPERATIONS as [Operation, Operation, Operation, Operation];

/** The four forms ps, pd, ss, sd of a two-operand instruction. */
function fourForms(
  name: string,
  opcode: string,
  packedOf: (w: Width) => Lower,
  scalarOf: (w: Width) => Lower,
  tail = '',
): Row[] {
  return [
    ...sse(`${name}ps`, `NP 0F ${opcode} /r`, `Vx Hx Wx${tail}`, packedOf(32)),
    ...sse(`${name}pd`, `66 0F ${opcode} /r`, `Vx Hx Wx${tail}`, packedOf(64)),
    ...sse(`${name}ss`, `F3 0F ${opcode} /r`, `Vd Hd Wd${tail}`, scalarOf(32), { vex: 'LIG' }),
    ...sse(`${name}sd`, `F2 0F ${opcode} /r`, `Vq Hq Wq${tail}`, scalarOf(64), { vex: 'LIG' }),
  ];
}

/** SQRT: only the source counts. */
const sqrtPacked =
  (width: Width): Lower =>
  (c) => {
    const s = width === 32 ? packed32 : packed64;
    const b = lanesOf(c, 1);
    const r = b.map((x) => c.let(width === 32 ? f32x4.sqrt(x) : f64x2.sqrt(x)));
    const masks = r.map((x, lane) => both(s.finite(x), s.notDenormal(b[lane]!)));
    const count = perLane(width) * b.length;
    c.if(
      all(plainMxcsr(c), s.every(both(...masks))),
      () => writeLanes(c, 0, r),
      () =>
        softly(
          c,
          width,
          count,
          (i, mxcsr) => exactly(c, SQUARE_ROOT, width, b, b, i, mxcsr),
          (lanes) => writeLanes(c, 0, lanes),
          () => writeLanes(c, 0, slowly(c, [b, b], elements(width, count, SQRT)).slice(0, b.length)),
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
  (width: Width): Lower =>
  (c) => {
    const base = c.readVector(1);
    const source = c.readVector(2);
    const merged = (r: V128): void => c.writeVector(0, mergeLow(width, base, r));
    scalarFast(c, SQUARE_ROOT, width, source, source, merged, () =>
      softly(
        c,
        width,
        1,
        (i, mxcsr) => exactly(c, SQUARE_ROOT, width, [source], [source], i, mxcsr),
        ([r]) => merged(r!),
        () => merged(slowly(c, [[base], [source]], elements(width, 1, SQRT))[0]!),
      ),
    );
  };

/** MIN and MAX: exact, so only NaNs and denormals matter. */
const minMaxPacked =
  (max: boolean) =>
  (width: Width): Lower =>
  (c) => {
    const a = lanesOf(c, 1);
    const b = lanesOf(c, 2);
    const [condition, r] = minMaxFast(c, max, width, a, b);
    const count = perLane(width) * a.length;
    c.if(
      condition,
      () => writeLanes(c, 0, r),
      () =>
        softly(
          c,
          width,
          count,
          (i, mxcsr) => extreme(c, max, width, a, b, i, mxcsr),
          (lanes) => writeLanes(c, 0, lanes),
          () => writeLanes(c, 0, slowly(c, [a, b], elements(width, count, max ? MAX : MIN)).slice(0, a.length)),
        ),
    );
  };

/** Element `i` of MIN or MAX by its runtime function. */
function extreme(
  c: Ops,
  max: boolean,
  width: Width,
  a: readonly V128[],
  b: readonly V128[],
  i: number,
  mxcsr: I32,
): readonly [I64, I32] {
  const f = width === 32 ? order.extreme32 : order.extreme64;
  const wanted = i32.const(max ? order.GREATER : order.LESS);
  return c.call(f, element(width, a, i), element(width, b, i), mxcsr, wanted);
}

function minMaxFast(
  c: Ops,
  max: boolean,
  width: Width,
  a: readonly V128[],
  b: readonly V128[],
  low = false,
): [I32, V128[]] {
  const s = width === 32 ? packed32 : packed64;
  const shape = width === 32 ? f32x4 : f64x2;
  // pmin(x, y) is y < x ? y : x: with the operands swapped just what MINPS says.
  const r = a.map((x, lane) => c.let(max ? shape.pmax(b[lane]!, x) : shape.pmin(b[lane]!, x)));
  const masks = a.map((x, lane) => both(s.number(x), s.number(b[lane]!), s.notDenormal(x), s.notDenormal(b[lane]!)));
  const mask = both(...masks);
  return [low ? lowElement(mask) : s.every(mask), r];
}
/** Element 0 of a mask. */
const lowElement = (mask: V128): I32 => i32.and(i32x4.extract(mask, 0), 1);

const minMaxScalar =
  (max: boolean) =>
  (width: Width): Lower =>
  (c) => {
    const base = c.readVector(1);
    const source = c.readVector(2);
    const [condition, r] = minMaxFast(c, max, width, [base], [source], true);
    const merged = (v: V128): void => c.writeVector(0, mergeLow(width, base, v));
    c.if(
      condition,
      () => merged(r[0]!),
      () =>
        softly(
          c,
          width,
          1,
          (i, mxcsr) => extreme(c, max, width, [base], [source], i, mxcsr),
          ([v]) => merged(v!),
          () => merged(slowly(c, [[base], [source]], elements(width, 1, max ? MAX : MIN))[0]!),
        ),
    );
  };

/** CMP: for ordered operands, which of less (1), equal (2), greater (4) make predicate 0-15 true; four bits each. */
const ORDERED = [2, 1, 3, 0, 5, 6, 4, 7, 2, 1, 3, 0, 5, 6, 4, 7].reduce(
  (t, v, i) => t | (BigInt(v) << BigInt(4 * i)),
  0n,
);

export function compareLanes(c: Ops, width: Width, a: readonly V128[], b: readonly V128[], imm: I32, low: boolean) {
  const s = width === 32 ? packed32 : packed64;
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
  const mask = both(
    ...a.map((x, lane) => both(s.number(x), s.number(b[lane]!), s.notDenormal(x), s.notDenormal(b[lane]!))),
  );
  return { r, condition: low ? lowElement(mask) : s.every(mask) };
}

/** The predicates as masks over the four relations, four bits each; and those for which a QNaN raises IE. */
const [RELATIONS, SIGNALLING] = PREDICATES.reduce(
  ([relations, signalling], v, i) => [relations | (BigInt(v & 15) << BigInt(4 * i)), signalling | ((v >> 4) << i)],
  [0n, 0],
);

/** Element `i` of a comparison: all ones or zeros. */
function predicate(
  c: Ops,
  width: Width,
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
  (width: Width, count: number, predicates: number): Slow =>
  (env, s) =>
    elements(width, count, compareMask(s.u32(2, 0) & predicates))(env, s);

/** The legacy encodings have eight predicates, VEX has 32. */
const comparePacked =
  (width: Width): Lower =>
  (c) => {
    const predicates = c.vex ? 31 : 7;
    const imm = c.let(i32.and(imm8(c, 3), predicates));
    const a = lanesOf(c, 1);
    const b = lanesOf(c, 2);
    const { r, condition } = compareLanes(c, width, a, b, imm, false);
    const count = perLane(width) * a.length;
    c.if(
      condition,
      () => writeLanes(c, 0, r),
      () =>
        softly(
          c,
          width,
          count,
          (i, mxcsr) => predicate(c, width, a, b, i, mxcsr, imm),
          (lanes) => writeLanes(c, 0, lanes),
          () => {
            const slow = compareSlow(width, count, predicates);
            writeLanes(c, 0, slowly(c, [a, b, [i32x4.splat(imm)]], slow).slice(0, a.length));
          },
        ),
    );
  };
const compareScalar =
  (width: Width): Lower =>
  (c) => {
    const predicates = c.vex ? 31 : 7;
    const imm = c.let(i32.and(imm8(c, 3), predicates));
    const base = c.readVector(1);
    const source = c.readVector(2);
    const { r, condition } = compareLanes(c, width, [base], [source], imm, true);
    const merged = (v: V128): void => c.writeVector(0, mergeLow(width, base, v));
    c.if(
      condition,
      () => merged(r[0]!),
      () =>
        softly(
          c,
          width,
          1,
          (i, mxcsr) => predicate(c, width, [base], [source], i, mxcsr, imm),
          ([v]) => merged(v!),
          () => {
            const slow = compareSlow(width, 1, predicates);
            merged(slowly(c, [[base], [source], [i32x4.splat(imm)]], slow)[0]!);
          },
        ),
    );
  };

/** COMISS, COMISD, UCOMISS, UCOMISD: ZF PF CF, the others clear. */
const compareToFlags =
  (width: Width, signalling: boolean): Lower =>
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

function compareKnown(c: Ops, floats: KnownFloats, width: Width, x: V128, y: V128): boolean {
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

/** HADD and HSUB: even elements of both sources against the odd ones. */
const horizontal =
  (o: Operation, width: Width): Lower =>
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
  (width: Width): Lower =>
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
    const count = perLane(width) * a.length;
    c.if(
      all(plainMxcsr(c), s.every(both(...masks))),
      () => writeLanes(c, 0, r),
      () => {
        const slow: Slow = (env, st) => {
          for (let i = 0; i < count; i++) {
            const f = i & 1 ? ADD : SUB;
            if (width === 32) {
              st.set32(i, f.f32(env, st.u32(0, i), st.u32(1, i)));
            } else {
              st.set64(i, f.f64(env, st.u64(0, i), st.u64(1, i)));
            }
          }
        };
        softly(
          c,
          width,
          count,
          (i, mxcsr) => exactly(c, ADDITION, width, a, b, i, mxcsr, (i & 1) === 0),
          (lanes) => writeLanes(c, 0, lanes),
          () => writeLanes(c, 0, slowly(c, [a, b], slow).slice(0, a.length)),
        );
      },
    );
  };

const dotProduct =
  (width: Width): Lower =>
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

/** RCPPS, RSQRTPS: no flags at all. */
const approximate =
  (f: typeof order.reciprocal, packedForm: boolean): Lower =>
  (c) => {
    const at = (v: V128, i: number): I32 => c.call(f, i32x4.extract(v, i));
    if (!packedForm) {
      const base = c.readVector(1);
      c.writeVector(0, i32x4.replace(base, 0, at(c.readVector(2), 0)));
      return;
    }
    writeLanes(
      c,
      0,
      lanesOf(c, 1).map((v) => [0, 1, 2, 3].reduce((r, i) => i32x4.replace(r, i, at(v, i)), v)),
    );
  };
function approximations(name: string, opcode: string, f: typeof order.reciprocal): Row[] {
  return [
    ...sse(`${name}ps`, `NP 0F ${opcode} /r`, 'Vx Wx', approximate(f, true)),
    ...sse(`${name}ss`, `F3 0F ${opcode} /r`, 'Vd Hd Wd', approximate(f, false), { vex: 'LIG' }),
  ];
}

export const sseFpRows: readonly Row[] = [
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
  ...fourForms('min', '5D', minMaxPacked(false), minMaxScalar(false)),
  ...fourForms('max', '5F', minMaxPacked(true), minMaxScalar(true)),
  ...fourForms('cmp', 'C2', comparePacked, compareScalar, ' Ib'),
  ...sse('ucomiss', 'NP 0F 2E /r', 'Vd Wd', compareToFlags(32, false), { vex: 'LIG' }),
  ...sse('ucomisd', '66 0F 2E /r', 'Vq Wq', compareToFlags(64, false), { vex: 'LIG' }),
  ...sse('comiss', 'NP 0F 2F /r', 'Vd Wd', compareToFlags(32, true), { vex: 'LIG' }),
  ...sse('comisd', '66 0F 2F /r', 'Vq Wq', compareToFlags(64, true), { vex: 'LIG' }),
  ...sse('haddps', 'F2 0F 7C /r', 'Vx Hx Wx', horizontal(ADDITION, 32)),
  ...sse('haddpd', '66 0F 7C /r', 'Vx Hx Wx', horizontal(ADDITION, 64)),
  ...sse('hsubps', 'F2 0F 7D /r', 'Vx Hx Wx', horizontal(SUBTRACTION, 32)),
  ...sse('hsubpd', '66 0F 7D /r', 'Vx Hx Wx', horizontal(SUBTRACTION, 64)),
  ...sse('addsubps', 'F2 0F D0 /r', 'Vx Hx Wx', addSubtract(32)),
  ...sse('addsubpd', '66 0F D0 /r', 'Vx Hx Wx', addSubtract(64)),
  ...sse('dpps', '66 0F3A 40 /r', 'Vx Hx Wx Ib', dotProduct(32)),
  ...sse('dppd', '66 0F3A 41 /r', 'Vdq Hdq Wdq Ib', dotProduct(64), { vex: '128' }),
  ...approximations('rsqrt', '52', order.reciprocalRoot),
  ...approximations('rcp', '53', order.reciprocal),
];
