/**
 * Scalar SSE arithmetic where MXCSR is known (ir/known-floats.ts): WebAssembly's operator, and as few checks as tell that
 * it gives x86's result and no flag. What a check does not let pass is looked at once more, out of the way, before the
 * instruction is given up: zeros and infinities are ordinary, only not frequent.
 */
import { type F32, type F64, f32, f64, type I32, i32, i64 } from '../ir/expr.ts';
import { Known, type KnownFloats } from '../ir/known-floats.ts';
import type { Ops } from '../ir/ops.ts';
import { all, type Exactness, either, exact32, exact64, scalar32, scalar64 } from './sse-fp-fast.ts';

type Float = F32 | F64;

/** What the checks need of one width. */
interface Format<T extends Float> {
  /** The upper 32 bits, which hold the exponent. */
  readonly upper: (v: T) => I32;
  readonly exponent: number;
  /** The exponent's lowest bit in `upper`, doubled; and the number of exponents from 2 to the highest of a number. */
  readonly step: number;
  readonly span: number;
  readonly eq: (a: T, b: T) => I32;
  readonly ne: (a: T, b: T) => I32;
  readonly infinite: (v: T) => I32;
  readonly shape: {
    readonly finite: (r: T) => I32;
    readonly aboveTiny: (r: T) => I32;
    readonly zero: (a: T) => I32;
    readonly notDenormal: (a: T) => I32;
  };
  readonly exact: Exactness<T>;
}

const FORMAT64: Format<F64> = {
  upper: (v) => i32.wrap(i64.shr_u(i64.reinterpret(v), 32)),
  exponent: 0x7ff00000,
  step: 1 << 21,
  span: 0x7fd,
  eq: f64.eq,
  ne: f64.ne,
  infinite: (v) => f64.eq(f64.abs(v), f64.reinterpret(i64.const(0x7ff0000000000000n))),
  shape: scalar64,
  exact: exact64,
};
const FORMAT32: Format<F32> = {
  upper: (v) => i32.reinterpret(v),
  exponent: 0x7f800000,
  step: 1 << 24,
  span: 0xfd,
  eq: f32.eq,
  ne: f32.ne,
  infinite: (v) => f32.eq(f32.abs(v), f32.reinterpret(i32.const(0x7f800000))),
  shape: scalar32,
  exact: exact32,
};
const formatOf = <T extends Float>(v: T): Format<T> => (v.type === 'f64' ? FORMAT64 : FORMAT32) as unknown as Format<T>;

/** What tells the operations apart: see Operation in sse-fp.ts. */
interface Kind {
  readonly exact: keyof Exactness<F64>;
  readonly tiny: 'exact' | 'either' | 'first';
}

const unless = (c: Ops, floats: KnownFloats, likely: I32, else_: I32): void =>
  c.if(i32.eqz(likely), () => c.if(i32.eqz(else_), () => floats.leave()), undefined, false);

/** Gives the instruction up when an operand is a denormal. */
export function operandIsNoDenormal<T extends Float>(c: Ops, floats: KnownFloats, v: T): void {
  if (floats.knows(v, Known.notDenormal)) return;
  const format = formatOf(v);
  const upper = floats.inMemory(v) ?? format.upper(v);
  unless(c, floats, i32.and(upper, format.exponent), format.shape.zero(v));
  floats.learn(v, Known.notDenormal);
}

export function operandIsNoNan<T extends Float>(c: Ops, floats: KnownFloats, v: T): void {
  if (floats.knows(v, Known.notNan)) return;
  c.if(formatOf(v).ne(v, v), () => floats.leave());
  floats.learn(v, Known.notNan);
}

/**
 * With both exponents in the middle quarter of their range, which the two have in common but for the shift, the operands
 * are normal and so is their product or quotient.
 */
const MIDDLE = { lowest: 0x30000000, others: 0x60000000 } as const;

/**
 * The result, checked. The operands have been read, nothing has been written.
 * @param a for a root the same as `b`
 */
export function checkedResult<T extends Float>(c: Ops, floats: KnownFloats, kind: Kind, a: T, b: T, result: T): T {
  const [x, y] = [floats.inMemory(a), floats.inMemory(b)];
  const r = c.let(result) as T;
  if (x && y && kind.tiny !== 'exact' && floats.inexact) {
    const distance = (upper: I32): I32 => i32.sub(upper, MIDDLE.lowest);
    const outside = i32.and(i32.or(distance(x), distance(y)), MIDDLE.others);
    c.if(outside, () => checkResult(c, floats, kind, a, b, r), undefined, false);
    floats.learn(a, Known.notDenormal);
    floats.learn(b, Known.notDenormal);
  } else checkResult(c, floats, kind, a, b, r);
  floats.learn(r, Known.notDenormal | Known.notNan);
  return r;
}

function checkResult<T extends Float>(c: Ops, floats: KnownFloats, kind: Kind, a: T, b: T, r: T): void {
  const format = formatOf(a);
  const { shape } = format;
  operandIsNoDenormal(c, floats, a);
  operandIsNoDenormal(c, floats, b);
  // Doubling drops the sign. Exponents of 2 and more are far enough from where results are tiny.
  const upper = i32.shl(format.upper(r), 1);
  const ordinary = i32.lt_u(i32.sub(upper, 2 * format.step), format.span * format.step);
  const zero = kind.tiny === 'either' ? either(shape.zero(a), shape.zero(b)) : shape.zero(a);
  const small = kind.tiny === 'exact' ? shape.notDenormal(r) : either(shape.aboveTiny(r), zero);
  const infinite = all(format.infinite(r), either(format.infinite(a), format.infinite(b)));
  unless(c, floats, ordinary, either(all(shape.finite(r), small), infinite));
  if (!floats.inexact) c.if(i32.eqz(format.exact[kind.exact](a, b, r)), () => floats.leave());
}
