/**
 * Flags as a region keeps them in locals: a kind and two values; and where an instruction has changed CF and OF alone, those.
 * What they stand for is had without a call, around which V8 would keep every local in memory: it is moved to where it is
 * needed, often an exit.
 */
import { type F64, f64, type I32, type I64, i32, i64, select } from '../ir/expr.ts';
import { Local, local } from './region-code.ts';

/**
 * `Generic` has the result and `aux` themselves (see ../flags.ts); the others the two operands of an operation,
 * zero-extended, for 8, 16, 32 and 64 bits. `Ordered` has two doubles that were compared, neither a NaN. With `Carried` CF and OF are in a local of their own as in `aux`, with `CarriedCf`
 * CF alone.
 */
export const FlagKind = { Generic: 0, Sub: 1, Add: 5, Ordered: 9, Carried: 16, CarriedCf: 32 } as const;
const OPERATION = 15;

/** The number of a kind of flags that are kept as operands. */
export const operationKind = (kind: 'add' | 'sub', bits: number): number =>
  (kind === 'add' ? FlagKind.Add : FlagKind.Sub) + Math.log2(bits) - 3;

const kind = (): I32 => local('i32', Local.flagKind);
const operation = (): I32 => i32.and(kind(), OPERATION);
const a = (): I64 => local('i64', Local.flagA);
const b = (): I64 => local('i64', Local.flagB);
const carries = (): I32 => local('i32', Local.flagCarry);
/** 64 less the operation's bits. */
const unused = (): I64 => i64.extend_u(i32.sub(64, i32.shl(8, i32.and(i32.sub(operation(), 1), 3))));

const doubleA = (): F64 => f64.reinterpret(a());
const doubleB = (): F64 => f64.reinterpret(b());

/** ZF and CF as COMISD sets them, PF clear. */
export const resultOfOrder = (x: F64, y: F64): I64 => i64.extend_u(f64.ne(x, y));
export const auxOfOrder = (x: F64, y: F64): I32 =>
  i32.or(i32.and(i32.sub(0, f64.lt(x, y)), 0xc0000000 | 0), i32.shl(f64.eq(x, y), 8));

/** The six flags' `result` by what the locals hold. */
export function resultInLocals(): I64 {
  const value = select(i64.sub(a(), b()), i64.add(a(), b()), i32.lt_u(operation(), FlagKind.Add));
  const narrow = i64.shr_s(i64.shl(value, unused()), unused());
  const compared = select(resultOfOrder(doubleA(), doubleB()), narrow, i32.eq(operation(), FlagKind.Ordered));
  return select(compared, a(), operation());
}

/** The same of `aux`. */
export function auxInLocals(): I32 {
  const borrows = i64.or(i64.and(i64.not(a()), b()), i64.and(i64.or(i64.not(a()), b()), i64.sub(a(), b())));
  const sums = i64.or(i64.and(a(), b()), i64.and(i64.or(a(), b()), i64.not(i64.add(a(), b()))));
  const c = select(borrows, sums, i32.lt_u(operation(), FlagKind.Add));
  const top = i32.and(i32.wrap(i64.shr_u(i64.shl(c, unused()), 32)), 0xc0000000 | 0);
  const computed = i32.or(top, i32.and(i32.wrap(c), 8));
  const compared = select(auxOfOrder(doubleA(), doubleB()), computed, i32.eq(operation(), FlagKind.Ordered));
  const own = select(compared, i32.wrap(b()), operation());
  const withCf = select(withCarry(own, carries()), own, i32.and(kind(), FlagKind.CarriedCf));
  return select(withBoth(own, carries()), withCf, i32.and(kind(), FlagKind.Carried));
}

/** `aux` with CF and OF from another. */
export const withBoth = (aux: I32, carried: I32): I32 =>
  i32.or(i32.and(aux, 0x3fffffff), i32.and(carried, 0xc0000000 | 0));

/** `aux` with CF from another, and its own OF. */
export function withCarry(aux: I32, carried: I32): I32 {
  const overflow = i32.xor(i32.shr_u(aux, 1), aux);
  // Bit 30 is CF ^ OF.
  const cf = i32.shr_u(carried, 31);
  const low = i32.and(i32.xor(overflow, i32.shl(cf, 30)), 1 << 30);
  return i32.or(i32.and(aux, 0x3fffffff), i32.or(i32.shl(cf, 31), low));
}
