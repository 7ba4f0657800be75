/** Flags in a region: kept as the operands of what set them, and put into their locals where somebody may want them. */
import { addAux, subAux } from '../flags.ts';
import {
  type Expr,
  type F64,
  f64,
  type I32,
  type I64,
  type Int,
  i32,
  i64,
  signExtend,
  truncate,
  word,
  zeroExtend,
} from '../ir/expr.ts';
import type { Builder } from '../ir/function.ts';
import {
  auxInLocals,
  auxOfOrder,
  FlagKind,
  operationKind,
  resultInLocals,
  resultOfOrder,
  withBoth,
  withCarry,
} from './flags-in-locals.ts';
import { constant32, fold } from './fold.ts';
import { Local, local, type RegionCode } from './region-code.ts';
import type { Value, Values } from './values.ts';

/**
 * What is known of the flags: the operands of what set them, or their result and aux. `kept`: they stand in the locals.
 * `carried`: CF, and OF if `both`, are those of `carries` (a word like aux), the others as `under` has them.
 */
export type Flags = Plain | Carried;
interface Carried {
  readonly kind: 'carried';
  readonly under: Plain;
  readonly both: boolean;
  readonly carries: I32;
  kept: boolean;
}
type Plain =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'generic'; readonly result: I64; readonly aux: I32; kept: boolean }
  | { readonly kind: 'ordered'; readonly a: F64; readonly b: F64; kept: boolean }
  | Operands;
interface Operands {
  readonly kind: 'add' | 'sub';
  readonly bits: number;
  readonly a: Int;
  readonly b: Int;
  r?: Int;
  kept: boolean;
  /** What the operands are in terms of registers, where that is known. */
  readonly of?: readonly [Comparand | undefined, Comparand | undefined];
}
/** A register's value, or a number. */
export type Comparand = Value | bigint;

/** What the flags are like at the end of a block, for the next one: all of it is in the locals. */
export type FlagShape =
  | { readonly kind: 'unknown' | 'carried' | 'generic' | 'ordered' }
  | { readonly kind: 'add' | 'sub'; readonly bits: number };

/** What the keeper needs of the builder. */
export interface FlagBuilder extends Pick<Builder, 'let'> {
  /** Is what is built here run whenever the instruction is? */
  readonly unconditional: boolean;
  readonly values: Values;
}

export class FlagKeeper {
  now: Flags = { kind: 'unknown' };
  private readonly code: RegionCode;
  private readonly builder: FlagBuilder;

  constructor(code: RegionCode, builder: FlagBuilder) {
    this.code = code;
    this.builder = builder;
  }

  /** A block begins. */
  begin(shape: FlagShape): void {
    if (shape.kind === 'generic') this.now = inLocals();
    else if (shape.kind === 'add' || shape.kind === 'sub') {
      const operand = (n: number): Int => (shape.bits === 64 ? local('i64', n) : i32.wrap(local('i64', n)));
      this.now = { ...shape, a: operand(Local.flagA), b: operand(Local.flagB), kept: true };
    } else if (shape.kind === 'ordered') {
      const operand = (n: number): F64 => f64.reinterpret(local('i64', n));
      this.now = { kind: 'ordered', a: operand(Local.flagA), b: operand(Local.flagB), kept: true };
    } else this.now = { kind: 'unknown' };
  }

  /** Puts the flags into their locals, where exits and the next block find them. */
  keep(): void {
    const { now, code } = this;
    if (now.kind === 'unknown' || now.kept) return;
    now.kept = true;
    if (now.kind !== 'carried') {
      this.keepPlain(now);
      return;
    }
    // Made of the locals as they are before anything is kept, perhaps.
    // OF may be carried in the local already, and stays there.
    const alone = now.under.kind === 'unknown' && !now.both;
    code.emit(alone ? withCarry(local('i32', Local.flagCarry), now.carries) : now.carries);
    if (now.under.kind !== 'unknown' && !now.under.kept) this.keepPlain(now.under);
    code.set(Local.flagCarry);
    const carried = now.both ? FlagKind.Carried : FlagKind.CarriedCf;
    code.emit(i32.or(now.under.kind === 'unknown' ? local('i32', Local.flagKind) : kindOf(now.under), carried));
    code.set(Local.flagKind);
  }

  private keepPlain(now: Exclude<Plain, { kind: 'unknown' }>): void {
    const { code } = this;
    now.kept = true;
    // Both values may be made of the locals.
    if (now.kind === 'generic') {
      code.emit(now.result);
      code.emit(i64.extend_u(now.aux));
    } else if (now.kind === 'ordered') {
      code.emit(i64.reinterpret(now.a));
      code.emit(i64.reinterpret(now.b));
    } else {
      code.emit(zeroExtend(now.a));
      code.emit(zeroExtend(now.b));
    }
    code.set(Local.flagB);
    code.set(Local.flagA);
    code.constant(kindOf(now));
    code.set(Local.flagKind);
  }

  get shape(): FlagShape {
    const { now } = this;
    return now.kind === 'add' || now.kind === 'sub' ? { kind: now.kind, bits: now.bits } : { kind: now.kind };
  }

  /** The expressions that are still wanted after the instruction. */
  get held(): readonly Expr[] {
    const { now } = this;
    return now.kind === 'carried' ? [now.carries, ...heldBy(now.under)] : heldBy(now);
  }

  /** CF, and OF if it is given, change alone. */
  setCarries(cf: I32, of?: I32): void {
    const { builder, now } = this;
    const under = now.kind === 'carried' ? now.under : now;
    const carryOut = builder.let(cf);
    const carry = i32.shl(carryOut, 31);
    let carries = of ? i32.or(carry, i32.shl(i32.xor(carryOut, of), 30)) : carry;
    const both = of !== undefined || (now.kind === 'carried' && now.both);
    if (!of && now.kind === 'carried' && now.both) carries = withCarry(now.carries, builder.let(carry));
    this.now = { kind: 'carried', under, both, carries: builder.let(carries), kept: false };
  }

  set(result: I64, aux: I32): void {
    this.now = { kind: 'generic', result: this.builder.let(result), aux: this.builder.let(aux), kept: false };
  }

  setOperands(kind: 'add' | 'sub', bits: number, a: Int, b: Int, r: Int): void {
    const [x, y] = [this.builder.let(a), this.builder.let(b)];
    const of = this.builder.unconditional ? ([this.comparand(x), this.comparand(y)] as const) : undefined;
    this.now = { kind, bits, a: x, b: y, r, kept: false, ...(of && { of }) };
  }

  private comparand(e: Int): Comparand | undefined {
    if (e.op === 0x41 || e.op === 0x42) return BigInt(e.value as number | bigint);
    return this.builder.values.affineOf(e);
  }

  /** Those of COMISD with two numbers. */
  setOrdered(a: F64, b: F64): void {
    this.now = { kind: 'ordered', a: this.builder.let(a), b: this.builder.let(b), kept: false };
  }

  /** Some arm of a condition has set the flags: they are in the locals, in a way that is known or not. */
  afterArms(before: Flags, ends: readonly FlagShape[], both: boolean): void {
    const generic = before.kind === 'generic' || both;
    const all = ends.every((s) => s.kind === 'generic');
    this.now = generic && all ? inLocals() : { kind: 'unknown' };
  }

  private value(): Int {
    const { now } = this;
    if (now.kind !== 'add' && now.kind !== 'sub') throw new Error('flags without operands');
    if (now.r) return now.r;
    const r = this.builder.let<'i32' | 'i64'>(truncate(now.bits, word(now.bits)[now.kind](now.a, now.b))) as Int;
    if (this.builder.unconditional) now.r = r;
    return r;
  }

  result(): I64 {
    const { now } = this;
    if (now.kind === 'carried') return this.beneath(now, () => this.result());
    if (now.kind === 'generic') return now.result;
    if (now.kind === 'ordered') return resultOfOrder(now.a, now.b);
    if (now.kind === 'unknown') return this.builder.let(resultInLocals());
    return signExtend(now.bits, this.value());
  }

  aux(): I32 {
    const { now, builder } = this;
    if (now.kind === 'carried') {
      const aux = builder.let(this.beneath(now, () => this.aux()));
      return builder.let((now.both ? withBoth : withCarry)(aux, now.carries));
    }
    if (now.kind === 'generic') return now.aux;
    if (now.kind === 'ordered') return auxOfOrder(now.a, now.b);
    if (now.kind === 'unknown') return builder.let(auxInLocals());
    return (now.kind === 'add' ? addAux : subAux)(this.builder, now.bits, now.a, now.b, this.value());
  }

  /** Asks for what lies under changed carries. */
  private beneath<T>({ under }: Carried, ask: () => T): T {
    const { now } = this;
    this.now = under;
    try {
      return ask();
    } finally {
      this.now = now;
    }
  }

  /** Condition number `cc` where it is had more directly than from result and aux. */
  condition(cc: number): I32 | undefined {
    const { now } = this;
    const negated = (e: I32): I32 => (cc & 1 ? i32.eqz(e) : e);
    if (now.kind === 'unknown') return undefined;
    if (now.kind === 'ordered') return ordered(cc, now.a, now.b);
    if (now.kind === 'carried') {
      if (cc >> 1 === 1) return negated(i32.lt_s(now.carries, 0));
      return [2, 4, 5].includes(cc >> 1) ? this.beneath(now, () => this.condition(cc)) : undefined;
    }
    if (now.kind === 'generic') {
      // After logic operations CF and OF are clear.
      if (constant32(fold(now.aux)) !== 0) return undefined;
      if (cc >> 1 === 3) return negated(i64.eqz(now.result));
      if (cc >> 1 === 4 || cc >> 1 === 6) return negated(i64.lt_s(now.result, 0));
      return cc >> 1 === 7 ? negated(i64.le_s(now.result, 0)) : undefined;
    }
    const { bits, a, b } = now;
    const w = word(bits);
    if (cc >> 1 === 4) return negated(w.lt_s(this.atTop(bits, this.value()), 0));
    if (now.kind === 'sub') return this.difference(cc, bits, a, b);
    if (cc >> 1 === 1) return negated(w.lt_u(this.value(), a));
    return cc >> 1 === 2 ? negated(w.eqz(this.value())) : undefined;
  }

  private difference(cc: number, bits: number, a: Int, b: Int): I32 | undefined {
    const w = word(bits);
    const top = (v: Int): Int => this.atTop(bits, v);
    switch (cc) {
      case 2:
        return w.lt_u(a, b);
      case 3:
        return w.ge_u(a, b);
      case 4:
        return w.eq(a, b);
      case 5:
        return w.ne(a, b);
      case 6:
        return w.le_u(a, b);
      case 7:
        return w.gt_u(a, b);
      case 12:
        return w.lt_s(top(a), top(b));
      case 13:
        return w.ge_s(top(a), top(b));
      case 14:
        return w.le_s(top(a), top(b));
      case 15:
        return w.gt_s(top(a), top(b));
      default:
        return undefined;
    }
  }

  /** The sign where signed comparisons look for it. */
  private atTop(bits: number, v: Int): Int {
    return bits >= 32 ? v : i32.shl(v as I32, 32 - bits);
  }
}

/** Conditions after a comparison of two numbers: OF SF PF are clear. */
function ordered(cc: number, a: F64, b: F64): I32 {
  switch (cc) {
    case 2:
      return f64.lt(a, b);
    case 3:
      return f64.ge(a, b);
    case 4:
    case 14:
      return f64.eq(a, b);
    case 5:
    case 15:
      return f64.ne(a, b);
    case 6:
      return f64.le(a, b);
    case 7:
      return f64.gt(a, b);
    default:
      return i32.const(cc & 1);
  }
}

const inLocals = (): Plain => ({
  kind: 'generic',
  result: local('i64', Local.flagA),
  aux: i32.wrap(local('i64', Local.flagB)),
  kept: true,
});

function kindOf(flags: Exclude<Plain, { kind: 'unknown' }>): number {
  if (flags.kind === 'generic') return FlagKind.Generic;
  return flags.kind === 'ordered' ? FlagKind.Ordered : operationKind(flags.kind, flags.bits);
}

function heldBy(flags: Plain): readonly Expr[] {
  if (flags.kind === 'unknown') return [];
  if (flags.kind === 'generic') return [flags.result, flags.aux];
  return flags.kind !== 'ordered' && flags.r ? [flags.a, flags.b, flags.r] : [flags.a, flags.b];
}
