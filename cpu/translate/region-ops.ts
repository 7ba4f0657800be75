/** The builder of a region's instructions: operands are constants and locals, flags are kept as their operands. */
import { addAux, subAux } from '../flags.ts';
import { loadAt } from '../interp/handler-code.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { Rec } from '../interp/record.ts';
import type { Form, Variant } from '../interp/variant.ts';
import {
  type Expr,
  type F32,
  type F64,
  f32,
  f64,
  type I32,
  type I64,
  type Int,
  i32,
  i64,
  node,
  signExtend,
  type Type,
  truncate,
  type V128,
  word,
  zeroExtend,
} from '../ir/expr.ts';
import type { AnyFunction, Exprs, Results, RuntimeFunction, Variable } from '../ir/function.ts';
import type { Lane, Ops } from '../ir/ops.ts';
import { i64x2, lowDouble, lowQuad, v128 } from '../ir/vector.ts';
import { auxOfFlags, FlagKind, resultOfFlags } from '../runtime/flags.ts';
import { shaped } from '../runtime/module.ts';
import { fieldSize, READ_TLB, State, type StateField, WRITE_TLB } from '../state.ts';
import { Load } from '../wasm/emit.ts';
import { constant32, fold } from './fold.ts';
import { Local, local, type RegionCode } from './region-code.ts';
import type { Site } from './sites.ts';
import { LONG_SPAN, SHORT_SPAN } from './windows.ts';

/** The instruction has no translation: the region leaves before it. */
export class Untranslatable extends Error {}

/** How the block leaves, once its last instruction is built. */
export type End =
  | { readonly kind: 'branch'; readonly condition: I32 | undefined }
  | { readonly kind: 'jump'; readonly rip: I64 };

/** What is known of the flags: the operands of what set them, or their result and aux. `kept`: they stand in the locals. */
export type Flags =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'generic'; readonly result: I64; readonly aux: I32; kept: boolean }
  | { readonly kind: 'add' | 'sub'; readonly bits: number; readonly a: Int; readonly b: Int; r?: Int; kept: boolean };

/** What the flags are like at the end of a block, for the next one: all of it is in the locals. */
export type FlagShape =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'generic' }
  | { readonly kind: 'add' | 'sub'; readonly bits: number };

/** What the region's builder gives. */
export interface Region {
  /** Puts the number of the exit before this instruction on the stack and leaves, when the condition on the stack holds. */
  exitIf(): void;
  /** Leaves there in any case. */
  exit(): void;
  functionIndex(fn: AnyFunction): number;
  /** The window that an access is likely to be in, or -1; for stores one that may be written. */
  windowOf(site: Site, write: boolean): number;
}

/** A checked host address and what to add to it. */
interface Host {
  readonly base: I32;
  readonly offset: number;
}

/** The value of a register: that of some moment, by number, plus `delta`. */
interface Value {
  readonly version: number;
  readonly delta: number;
  /** The most that it can be, or undefined. */
  readonly bound?: number | undefined;
}

/** An address: what it is made of, and the distance from it; undefined when that is not followed. */
interface Place {
  readonly address: I64;
  readonly key: string | undefined;
  readonly delta: number;
}

/** The bytes from `low` to `high` (as distances from what `key` names) have been checked and lie at `host` on. */
interface Fact {
  readonly key: string;
  readonly write: boolean;
  readonly low: number;
  readonly high: number;
  readonly host: number;
}

/** An access has no place in the copy of a loop that does not check. */
export class NotFast extends Error {}

/** What is known of registers and memory, for the block after this one. */
export interface Knowledge {
  readonly values: readonly Value[];
  readonly facts: readonly Fact[];
}

const GPR_END = State.gpr + 128;
const VECTOR_END = State.vector + 32 * 64;

export class RegionOps implements Ops {
  size: 16 | 32 | 64 = 64;
  lanes: 1 | 2 | 4 = 1;
  vex = false;
  /** What is checked one by one is left to the interpreter. */
  readonly checked = false;
  end: End | undefined;
  flags: Flags = { kind: 'unknown' };
  readonly code: RegionCode;
  private readonly region: Region;
  private readonly data: DataView;
  /** All ones or 2^32-1: what RIP, RSP and addresses wrap at. */
  private readonly long: boolean;
  /** 16-byte lanes of the vector registers that exist. */
  private readonly vectorLanes: number;
  private variant!: Variant;
  private record = 0;
  private blockRip = 0;
  private touchesMmx = false;
  /** Conditions around what is built. */
  private level = 0;
  private ended = false;
  private ea: I64 | undefined;
  private hosts: { operand: number; write: boolean; host: Host }[] = [];
  /** Accesses of the block, by record. */
  private sites: readonly Site[] = [];
  private versions = 0;
  private values: Value[] = [];
  /** The same at the start of the block. */
  private start: readonly Value[] = [];
  /** The same of scratch locals, within an instruction. */
  private readonly known = new Map<number, Value>();
  private readonly bounds = new Map<number, number>();
  private facts: Fact[] = [];
  private readonly factLocals: number[] = [];
  /** The block's accesses stay in their windows: nothing is checked. */
  unchecked = false;

  constructor(code: RegionCode, region: Region, data: DataView, long: boolean, vectorLanes: number) {
    this.code = code;
    this.region = region;
    this.data = data;
    this.long = long;
    this.vectorLanes = vectorLanes;
  }

  /** Builds the instruction of a record. */
  build(record: number, variant: Variant, blockRip: number): void {
    this.record = record;
    this.variant = variant;
    this.blockRip = blockRip;
    this.size = variant.size;
    this.lanes = variant.lanes;
    this.vex = variant.row.vex;
    this.touchesMmx = false;
    this.level = 0;
    this.ended = false;
    this.hosts = [];
    variant.row.row.lower(this);
    if (this.touchesMmx) this.enterMmx();
    this.ea = undefined;
    this.known.clear();
    this.bounds.clear();
    if (this.end === undefined) this.code.release(this.heldByFlags());
  }

  /** The `ea` record before an instruction: offset and base of FS or GS. */
  buildEa(record: number, blockRip: number): void {
    this.record = record;
    this.blockRip = blockRip;
    const base = loadAt(64, i32.const(0), this.u16(Rec.segmentBase)) as I64;
    const offset = this.address();
    if (!this.long) {
      const size = this.data.getInt32(record + Rec.imm, true) & 0xff;
      this.code.emit(i64.gt_u(i64.add(offset, size - 1), 0xffffffff));
      this.region.exitIf();
    }
    this.ea = this.let(this.wrap(i64.add(offset, base)));
  }

  /** What is known at this place. */
  get knowledge(): Knowledge {
    return { values: [...this.values], facts: [...this.facts] };
  }

  /** Starts a block, with its accesses and with what is known from the only block before it. */
  begin(shape: FlagShape, sites: readonly Site[], knowledge?: Knowledge): void {
    this.end = undefined;
    this.sites = sites;
    this.known.clear();
    this.bounds.clear();
    if (knowledge) {
      this.values = [...knowledge.values];
      this.facts = [...knowledge.facts];
    } else this.forgetValues();
    this.start = [...this.values];
    this.code.release([]);
    if (shape.kind === 'unknown') this.flags = { kind: 'unknown' };
    else if (shape.kind === 'generic') {
      this.flags = {
        kind: 'generic',
        result: local('i64', Local.flagA),
        aux: i32.wrap(local('i64', Local.flagB)),
        kept: true,
      };
    } else {
      const operand = (n: number): Int => (shape.bits === 64 ? local('i64', n) : i32.wrap(local('i64', n)));
      this.flags = { ...shape, a: operand(Local.flagA), b: operand(Local.flagB), kept: true };
    }
  }

  /** Puts the flags into their locals, where exits and the next block find them. */
  keep(): void {
    const { flags, code } = this;
    if (flags.kind === 'unknown' || flags.kept) return;
    flags.kept = true;
    if (flags.kind === 'generic') {
      // Both values may be made of the locals.
      code.emit(flags.result);
      code.emit(i64.extend_u(flags.aux));
      code.set(Local.flagB);
      code.set(Local.flagA);
      code.constant(FlagKind.Generic);
    } else {
      code.emit(zeroExtend(flags.a));
      code.emit(zeroExtend(flags.b));
      code.set(Local.flagB);
      code.set(Local.flagA);
      code.constant((flags.kind === 'add' ? FlagKind.Add : FlagKind.Sub) + Math.log2(flags.bits) - 3);
    }
    code.set(Local.flagKind);
  }

  get shape(): FlagShape {
    const { flags } = this;
    if (flags.kind === 'unknown' || flags.kind === 'generic') return { kind: flags.kind };
    return { kind: flags.kind, bits: flags.bits };
  }

  private heldByFlags(): readonly Expr[] {
    const { flags } = this;
    if (flags.kind === 'unknown') return [];
    if (flags.kind === 'generic') return [flags.result, flags.aux];
    return flags.r ? [flags.a, flags.b, flags.r] : [flags.a, flags.b];
  }

  bits(i: number): number {
    return this.form(i).bits;
  }

  isMemory(i: number): boolean {
    return this.form(i).kind === 'memory';
  }

  // Locals and control.

  let<T extends Type>(e: Expr<T>): Expr<T> {
    const f = fold(e);
    const value = this.level === 0 ? this.affineOf(f) : undefined;
    const named = this.code.let(f);
    if (named.op === 0x20 && (named.value as number) >= 16) {
      if (value) this.known.set(named.value as number, value);
      const bound = this.boundOf(f);
      if (bound !== undefined && f.op !== 0x20) this.bounds.set(named.value as number, bound);
    }
    return named;
  }

  /** The most that an unsigned number can be, where that is plain. */
  private boundOf(e: Expr): number | undefined {
    const [a, b] = e.args;
    switch (e.op) {
      case 0x20:
        return this.bounds.get(e.value as number);
      case Load.u8:
        return 0xff;
      case Load.u16:
        return 0xffff;
      case 0x71: // i32.and
        return b?.op === 0x41 && (b.value as number) >= 0 ? (b.value as number) : undefined;
      case 0xad: // i64.extend_u
        return this.boundOf(a!);
      default:
        return undefined;
    }
  }

  /** What an expression is in terms of a register's value, when it is that or a fixed distance from it. */
  private affineOf(e: Expr): Value | undefined {
    const [a, b] = e.args;
    switch (e.op) {
      case 0x20: {
        const n = e.value as number;
        return n < 16 ? this.values[n] : this.known.get(n);
      }
      case 0x7c: // i64.add
      case 0x7d: {
        if (b?.op !== 0x42) return undefined;
        const by = Number(b.value as bigint);
        const v = Number.isSafeInteger(by) ? this.affineOf(a!) : undefined;
        return v && { version: v.version, delta: v.delta + (e.op === 0x7c ? by : -by) };
      }
      case 0x6a: // i32.add
      case 0x6b: {
        if (this.long || b?.op !== 0x41) return undefined;
        const v = this.affineOf(a!);
        const by = b.value as number;
        return v && { version: v.version, delta: (v.delta + (e.op === 0x6a ? by : -by)) | 0 };
      }
      case 0xa7: // i32.wrap and i64.extend_u: outside 64-bit mode the upper half is zero
      case 0xad:
        return this.long ? undefined : this.affineOf(a!);
      default:
        return undefined;
    }
  }

  private forgetValues(): void {
    this.facts = [];
    this.values = Array.from({ length: 16 }, () => this.newValue());
  }

  private newValue(): Value {
    return { version: this.versions++, delta: 0 };
  }

  private assignRegister(n: number, e: I64): void {
    const f = fold(e);
    // Under a condition the register may or may not get it.
    const value = this.level === 0 ? this.affineOf(f) : undefined;
    const bound = this.level === 0 ? this.boundOf(f) : undefined;
    this.code.setRegister(n, f);
    this.values[n] = value ?? { ...this.newValue(), bound };
  }

  variable<T extends Type>(init: Expr<T>): Variable<T> {
    return this.code.variable(init);
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    const test = fold(condition);
    const known = constant32(test);
    if (known !== undefined) {
      if (known !== 0) then();
      else otherwise?.();
      return;
    }
    this.keep();
    const before = this.flags;
    const ends: FlagShape[] = [];
    const arm = (body: (() => void) | undefined) => (): void => {
      this.flags = before;
      this.ended = false;
      body?.();
      if (!this.ended) {
        this.keep();
        ends.push(this.flags === before ? { kind: 'unknown' } : this.shape);
      }
      if (!this.ended && this.flags !== before) changed = true;
    };
    let changed = false;
    const wasEnded = this.ended;
    this.level++;
    this.code.if(test, arm(then), otherwise && arm(otherwise));
    this.level--;
    this.ended = wasEnded;
    this.flags = before;
    if (changed) this.afterChange(before, ends, otherwise !== undefined);
  }

  /** Some arm of a condition has set the flags: they are in the locals, in a way that is known or not. */
  private afterChange(before: Flags, ends: readonly FlagShape[], both: boolean): void {
    const generic = before.kind === 'generic' || both;
    const all = ends.every((s) => s.kind === 'generic' || (s.kind === 'unknown' && before.kind === 'generic'));
    this.flags =
      generic && all
        ? { kind: 'generic', result: local('i64', Local.flagA), aux: i32.wrap(local('i64', Local.flagB)), kept: true }
        : { kind: 'unknown' };
  }

  loop(body: (again: (condition: I32) => void) => void): void {
    this.keep();
    const before = this.flags;
    const start: Flags = { kind: 'unknown' };
    this.flags = start;
    this.forgetValues();
    this.level++;
    this.code.loop((again) =>
      body((condition) => {
        const test = this.let(condition);
        this.keep();
        again(test);
      }),
    );
    this.level--;
    this.forgetValues();
    this.flags = this.flags === start ? before : { kind: 'unknown' };
  }

  // Operands.

  read(i: number): Int {
    const { kind, bits } = this.form(i);
    switch (kind) {
      case 'memory':
        return this.loadHost(bits, this.host(i, bits >> 3, false));
      case 'immediate':
        return bits === 64
          ? this.i64(Rec.imm)
          : i32.const(this.mask(bits, this.data.getInt32(this.record + Rec.imm, true)));
      case 'mmx':
        this.touchesMmx = true;
        return this.let(loadAt(bits, i32.const(0), this.slot(i)));
      case 'segment':
      case 'other':
        return i32.const(this.slot(i));
      case 'vector':
        return this.vectorPart(this.slot(i), bits);
      default:
        return this.part(this.slot(i), bits);
    }
  }

  write(i: number, v: Int): void {
    const { kind, bits } = this.form(i);
    if (kind === 'memory') {
      const value = this.let(v);
      if (this.touchesMmx) this.set('fsw', i32.and(this.get('fsw') as I32, ~0x3800));
      this.storeHost(bits, this.host(i, bits >> 3, true), value);
    } else if (kind === 'register') this.setPart(this.slot(i), bits, v);
    else if (kind === 'vector') this.setVectorPart(this.slot(i), bits, v);
    else if (kind === 'mmx') {
      this.touchesMmx = true;
      this.storeAt(64, i32.const(0), v, this.slot(i));
      this.storeAt(16, i32.const(0), i32.const(0xffff), this.slot(i) + 8);
    } else throw new Untranslatable();
  }

  modify(i: number, f: (old: Int) => Int): Int {
    const { kind, bits } = this.form(i);
    if (kind !== 'memory') {
      const r = this.let(f(this.read(i)));
      this.write(i, r);
      return r;
    }
    const host = this.host(i, bits >> 3, true);
    const r = this.let(f(this.loadHost(bits, host)));
    this.storeHost(bits, host, r);
    return r;
  }

  address(i = 0): I64 {
    void i;
    const base = this.u16(Rec.base);
    const index = this.u16(Rec.index);
    const scale = this.data.getUint8(this.record + Rec.scale);
    const narrow = this.data.getInt32(this.record + Rec.mask + 4, true) === 0;
    const mask = this.data.getInt32(this.record + Rec.mask, true);
    if (narrow && mask === -1) {
      let sum: I32 = i32.wrap(this.baseValue(base));
      if (index !== State.zero) sum = i32.add(sum, i32.shl(i32.wrap(this.baseValue(index)), scale));
      return this.let(i64.extend_u(i32.add(sum, this.data.getInt32(this.record + Rec.disp, true))));
    }
    let sum = this.baseValue(base);
    if (index !== State.zero) sum = i64.add(sum, i64.shl(this.baseValue(index), scale));
    sum = i64.add(sum, this.i64(Rec.disp));
    return this.let(narrow ? i64.and(sum, 0xffff) : sum);
  }

  // Vectors.

  readVector(i: number, lane: Lane = 0): V128 {
    const { kind, bits } = this.form(i);
    if (kind === 'mmx') return lowQuad(this.read(i) as I64);
    if (kind === 'memory') {
      if (bits === 64) return this.let(lowQuad(this.read(i) as I64));
      if (bits <= 32) return this.let(lowDouble(this.read(i) as I32));
      return this.loadVectorHost(this.host(i, bits >> 3, false), lane * 16);
    }
    return this.vectorAt(this.slot(i), lane);
  }

  writeVector(i: number, v: V128, lane: Lane = 0): void {
    const { kind, bits } = this.form(i);
    if (kind === 'memory') {
      const value = this.let(v);
      const host = this.host(i, bits >> 3, true);
      if (bits === 64) this.storeHost(64, host, i64x2.extract(value, 0));
      else if (bits < 64) this.storeHost(bits, host, i32.wrap(i64x2.extract(value, 0)));
      else this.storeVectorAt(host.base, value, host.offset + lane * 16);
      return;
    }
    const slot = this.slot(i);
    this.setVectorAt(slot, lane, v);
    if (!this.vex || lane !== this.lanes - 1) return;
    for (let above = this.lanes; above < this.vectorLanes; above++) this.setVectorAt(slot, above, v128.zero());
  }

  vector(n: number, lane: Lane = 0): V128 {
    return this.code.read(this.code.vectorLocal(n, lane), 'v128');
  }

  setVector(n: number, v: V128, lane: Lane = 0): void {
    const l = this.code.vectorLocal(n, lane);
    this.code.vectorsWritten.add(n * 4 + lane);
    this.code.assign(l, v);
  }

  readF32(i: number): F32 {
    return this.let(f32.reinterpret(this.scalar(i, 32) as I32));
  }

  readF64(i: number): F64 {
    const { kind } = this.form(i);
    if (kind === 'vector') return this.let(node('f64', 0xfd0000 + 0x21, [this.readVector(i)], 0) as F64);
    return this.let(f64.reinterpret(this.scalar(i, 64) as I64));
  }

  readExtended(i: number): { readonly significand: I64; readonly signExponent: I32 } {
    const host = this.host(i, 10, false);
    const significand = this.loadHost(64, host) as I64;
    return { significand, signExponent: this.loadHost(16, host, 8) as I32 };
  }

  stackIndex(): I32 {
    return i32.const(this.data.getUint8(this.record + Rec.modrm) & 7);
  }

  // Registers and state.

  register(n: number, bits: number): Int {
    return this.part(State.gpr + n * 8, bits);
  }

  setRegister(n: number, bits: number, v: Int): void {
    this.setPart(State.gpr + n * 8, bits, v);
  }

  get(field: StateField): Int {
    switch (field) {
      case 'stackMask':
      case 'ripMask':
        return this.wide();
      case 'stackKeep':
        return i64.const(0);
      default:
        return this.let(loadAt(fieldSize(field) * 8, i32.const(0), State[field]));
    }
  }

  set(field: StateField, v: Int): void {
    this.storeAt(fieldSize(field) * 8, i32.const(0), v, State[field]);
  }

  // Flags.

  setFlags(result: I64, aux: I32): void {
    this.flags = { kind: 'generic', result: this.let(result), aux: this.let(aux), kept: false };
  }

  keepFlags(kind: 'add' | 'sub', bits: number, a: Int, b: Int, r: Int): boolean {
    this.flags = { kind, bits, a: this.let(a), b: this.let(b), r, kept: false };
    return true;
  }

  private flagValue(): Int {
    const { flags } = this;
    if (flags.kind !== 'add' && flags.kind !== 'sub') throw new Error('flags without operands');
    if (flags.r) return flags.r;
    const r = this.let<'i32' | 'i64'>(truncate(flags.bits, word(flags.bits)[flags.kind](flags.a, flags.b))) as Int;
    if (this.level === 0) flags.r = r;
    return r;
  }

  flagResult(): I64 {
    const { flags } = this;
    if (flags.kind === 'generic') return flags.result;
    if (flags.kind === 'unknown') return this.fromLocals(resultOfFlags as unknown as AnyFunction) as I64;
    return signExtend(flags.bits, this.flagValue());
  }

  flagAux(): I32 {
    const { flags } = this;
    if (flags.kind === 'generic') return flags.aux;
    if (flags.kind === 'unknown') return this.fromLocals(auxOfFlags as unknown as AnyFunction) as I32;
    return (flags.kind === 'add' ? addAux : subAux)(this, flags.bits, flags.a, flags.b, this.flagValue());
  }

  private fromLocals(fn: AnyFunction): Int {
    const args = [local('i32', Local.flagKind), local('i64', Local.flagA), local('i64', Local.flagB)];
    return this.callFunction(fn, args)[0] as Int;
  }

  condition(cc: number): I32 | undefined {
    const { flags } = this;
    const negated = (e: I32): I32 => (cc & 1 ? i32.eqz(e) : e);
    if (flags.kind === 'unknown') return undefined;
    if (flags.kind === 'generic') {
      // After logic operations CF and OF are clear.
      if (constant32(fold(flags.aux)) !== 0) return undefined;
      if (cc >> 1 === 3) return negated(i64.eqz(flags.result));
      if (cc >> 1 === 4 || cc >> 1 === 6) return negated(i64.lt_s(flags.result, 0));
      return cc >> 1 === 7 ? negated(i64.le_s(flags.result, 0)) : undefined;
    }
    const { bits, a, b } = flags;
    const w = word(bits);
    const top = (v: Int): Int => (bits >= 32 ? v : i32.shl(v as I32, 32 - bits));
    if (cc >> 1 === 4) return negated(w.lt_s(top(this.flagValue()), 0));
    if (flags.kind === 'add') {
      if (cc >> 1 === 1) return negated(w.lt_u(this.flagValue(), a));
      return cc >> 1 === 2 ? negated(w.eqz(this.flagValue())) : undefined;
    }
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

  // Memory.

  load(bits: 8 | 16 | 32 | 64, address: I64): Int {
    return this.loadHost(bits, this.translate(this.somewhere(address), bits >> 3, false));
  }

  store(bits: 8 | 16 | 32 | 64, address: I64, v: Int): void {
    const value = this.let(v);
    this.storeHost(bits, this.translate(this.somewhere(address), bits >> 3, true), value);
  }

  loadVector(address: I64): V128 {
    return this.loadVectorHost(this.translate(this.somewhere(address), 16, false), 0);
  }

  storeVector(address: I64, v: V128): void {
    const value = this.let(v);
    const host = this.translate(this.somewhere(address), 16, true);
    this.storeVectorAt(host.base, value, host.offset);
  }

  checkAddress(): void {}

  checkTarget(): void {}

  probe(address: I64, bytes: number): void {
    this.translate(this.somewhere(address), bytes, true);
  }

  push(bits: 16 | 32 | 64, v: Int): void {
    const value = this.let(v);
    const top = this.let(this.wrap(i64.sub(this.code.register(4), bits >> 3)));
    this.storeHost(bits, this.translate(this.onStack(top), bits >> 3, true, true), value);
    this.assignRegister(4, top);
  }

  pop(bits: 16 | 32 | 64): { readonly value: Int; commit(): void } {
    const top = this.wrap(this.code.register(4));
    const value = this.loadHost(bits, this.translate(this.onStack(top), bits >> 3, false, true));
    return { value, commit: () => this.assignRegister(4, this.wrap(i64.add(top, bits >> 3))) };
  }

  loadStack(bits: 16 | 32 | 64, offset: I64): Int {
    return this.loadHost(bits, this.translate(this.onStack(offset), bits >> 3, false, true));
  }

  // Leaving.

  raise(): void {
    this.keep();
    this.region.exit();
    this.ended = true;
    if (this.level === 0) throw new Untranslatable();
  }

  thisRip(): I64 {
    return this.rip(this.blockRip + this.u16(Rec.offset));
  }

  nextRip(): I64 {
    return this.rip(this.blockRip + this.u16(Rec.next));
  }

  branch(condition?: I32): void {
    this.end = { kind: 'branch', condition };
  }

  jump(rip: I64): void {
    this.end = { kind: 'jump', rip: this.let(rip) };
  }

  leave(): void {
    throw new Untranslatable();
  }

  segmentBase(): I64 {
    return this.baseValue(this.u16(Rec.segmentBase));
  }

  extraBase(): I64 {
    return this.baseValue(this.u16(Rec.base));
  }

  addressMask(): I64 {
    return this.i64(Rec.mask);
  }

  call<P extends readonly Type[], R extends readonly Type[]>(fn: RuntimeFunction<P, R>, ...args: Exprs<P>): Results<R> {
    const any = fn as unknown as AnyFunction;
    if (this.level === 0) return shaped(this.callFunction(any, args as unknown as readonly Expr[]));
    // What is called under a condition is the rare case, of which nothing has happened yet. With a call in the loop, V8
    // would keep every local of it in memory: the interpreter does it.
    this.keep();
    this.region.exit();
    this.ended = true;
    const nothing = { i32: i32.const(0), i64: i64.const(0), f32: f32.reinterpret(i32.const(0)) } as const;
    const none = (type: Type): Expr =>
      type === 'v128' ? v128.zero() : type === 'f64' ? f64.reinterpret(i64.const(0)) : nothing[type];
    return shaped(fn.results.map(none));
  }

  private callFunction(fn: AnyFunction, args: readonly Expr[]): Expr[] {
    const { code } = this;
    for (const a of args) code.emit(a);
    code.call(this.region.functionIndex(fn));
    const locals = fn.results.map((type) => code.take(type));
    for (const n of [...locals].reverse()) code.set(n);
    return locals.map((n, i) => node(fn.results[i]!, 0x20, [], n));
  }

  /** What TypeScript does is left to the interpreter: nothing of the instruction has happened yet. */
  helper(run: (h: HelperContext) => void): void {
    void run;
    if (this.level === 0) throw new Untranslatable();
    this.keep();
    this.region.exit();
    this.ended = true;
  }

  // Private parts.

  private form(i: number): Form {
    const f = this.variant.forms[i];
    if (!f) throw new Error(`${this.variant.row.row.name}: no operand ${i}`);
    return f;
  }

  private u16(field: number): number {
    return this.data.getUint16(this.record + field, true);
  }

  private i64(field: number): I64 {
    return i64.const(this.data.getBigInt64(this.record + field, true));
  }

  private slot(i: number): number {
    return this.u16(Rec.operand + 2 * i);
  }

  private mask(bits: number, v: number): number {
    return bits === 32 ? v : v & ((1 << bits) - 1);
  }

  private wide(): I64 {
    return i64.const(this.long ? -1 : 0xffffffff);
  }

  private wrap(v: I64): I64 {
    return this.long ? v : i64.extend_u(i32.wrap(v));
  }

  private rip(v: number): I64 {
    return i64.const(this.size === 64 ? v : this.size === 32 ? v % 2 ** 32 : v % 2 ** 16);
  }

  /** The 64 bits at an address in the state that an address is made of. */
  private baseValue(at: number): I64 {
    if (at === State.zero) return i64.const(0);
    if (at === State.blockRip) return i64.const(this.blockRip);
    if (at === State.ea) {
      if (this.ea === undefined) throw new Untranslatable();
      return this.ea;
    }
    if (at < GPR_END) return this.code.register((at - State.gpr) >> 3);
    return loadAt(64, i32.const(0), at) as I64;
  }

  /** `bits` bits of the general register at `slot`. */
  private part(slot: number, bits: number): Int {
    if (slot >= GPR_END) return this.let(loadAt(bits, i32.const(0), slot));
    const whole = this.code.register((slot - State.gpr) >> 3);
    if (bits === 64) return whole;
    const low = i32.wrap(whole);
    if (bits === 32) return low;
    if (slot & 1) return i32.and(i32.shr_u(low, 8), 0xff);
    return i32.and(low, (1 << bits) - 1);
  }

  private setPart(slot: number, bits: number, v: Int): void {
    const n = (slot - State.gpr) >> 3;
    if (bits === 64) {
      this.assignRegister(n, v as I64);
      return;
    }
    if (bits === 32) {
      this.assignRegister(n, zeroExtend(v.type === 'i64' ? i32.wrap(v as I64) : v));
      return;
    }
    const at = slot & 1 ? 8 : 0;
    const mask = bits === 8 ? 0xff : 0xffff;
    const part = i64.extend_u(i32.shl(i32.and(v.type === 'i64' ? i32.wrap(v as I64) : (v as I32), mask), at));
    const kept = i64.and(this.code.register(n), i64.const(-1n ^ (BigInt(mask) << BigInt(at))));
    this.assignRegister(n, i64.or(kept, part));
  }

  private vectorAt(slot: number, lane: number): V128 {
    if (slot < State.vector || slot >= VECTOR_END) {
      return this.let(node('v128', Load.v128, [i32.const(0)], slot + lane * 16));
    }
    return this.code.read(this.code.vectorLocal((slot - State.vector) >> 6, lane), 'v128');
  }

  private setVectorAt(slot: number, lane: number, v: V128): void {
    const n = (slot - State.vector) >> 6;
    const l = this.code.vectorLocal(n, lane);
    this.code.vectorsWritten.add(n * 4 + lane);
    this.code.assign(l, v);
  }

  /** The low bits of a vector register as an integer. */
  private vectorPart(slot: number, bits: number): Int {
    const v = this.vectorAt(slot, 0);
    if (bits === 64) return this.let(i64x2.extract(v, 0));
    const low = node('i32', 0xfd0000 + 0x1b, [v], 0) as I32;
    return this.let(bits === 32 ? low : i32.and(low, (1 << bits) - 1));
  }

  private setVectorPart(slot: number, bits: number, v: Int): void {
    const old = this.vectorAt(slot, 0);
    const replaced =
      bits === 64
        ? i64x2.replace(old, 0, v as I64)
        : bits === 32
          ? node('v128', 0xfd0000 + 0x1c, [old, v], 0)
          : bits === 16
            ? node('v128', 0xfd0000 + 0x1a, [old, v], 0)
            : node('v128', 0xfd0000 + 0x17, [old, v], 0);
    this.setVectorAt(slot, 0, replaced as V128);
  }

  private scalar(i: number, bits: number): Int {
    const { kind } = this.form(i);
    if (kind === 'memory') return this.read(i);
    if (kind === 'vector') return this.vectorPart(this.slot(i), bits);
    return this.part(this.slot(i), bits);
  }

  /** Host address of memory operand `i`, checked for the access; once per instruction and kind of access. */
  private host(i: number, bytes: number, write: boolean): Host {
    const known = this.hosts.find((h) => h.operand === i && h.write === write);
    if (known) return known.host;
    const address = this.address(i);
    if (bytes >= 16) this.checkAlignment(address, bytes);
    const host = this.translate(this.placeOf(address), bytes, write);
    if (this.level === 0) this.hosts.push({ operand: i, write, host });
    return host;
  }

  private checkAlignment(address: I64, bytes: number): void {
    const { align } = this.variant.row.row.options;
    if (align === 'never' || (align === undefined && this.vex)) return;
    this.keep();
    this.code.emit(i32.and(i32.wrap(address), bytes - 1));
    this.region.exitIf();
  }

  private somewhere(address: I64): Place {
    return { address: this.let(address), key: undefined, delta: 0 };
  }

  /** An address on the stack: the stack pointer's value, or RBP's with LEAVE, and some bytes. */
  private onStack(at: I64): Place {
    const address = this.let(at);
    const value = this.level === 0 ? this.affineOf(address) : undefined;
    return { address, key: value && `${value.version}||0`, delta: value?.delta ?? 0 };
  }

  /** The memory operand's address in terms of its registers. */
  private placeOf(address: I64): Place {
    const value = (at: number): Value | undefined => (at < GPR_END ? this.values[(at - State.gpr) >> 3] : undefined);
    const base = this.u16(Rec.base);
    const index = this.u16(Rec.index);
    const narrow = this.data.getInt32(this.record + Rec.mask + 4, true) === 0;
    const followed = (at: number): boolean => at < GPR_END || at === State.zero || at === State.blockRip;
    if (narrow === this.long || !followed(base) || !followed(index)) return { address, key: undefined, delta: 0 };
    const [b, i] = [value(base), value(index)];
    const scale = i ? this.data.getUint8(this.record + Rec.scale) : 0;
    const low = this.data.getInt32(this.record + Rec.disp, true);
    const disp = this.data.getInt32(this.record + Rec.disp + 4, true) * 2 ** 32 + (low >>> 0);
    const sum = disp + (base === State.blockRip ? this.blockRip : 0) + (b?.delta ?? 0) + (i?.delta ?? 0) * 2 ** scale;
    return { address, key: `${b?.version ?? ''}|${i?.version ?? ''}|${scale}`, delta: narrow ? sum | 0 : sum };
  }

  /** A linear address as one of the host, checked; what the TLB does not have either is left to the interpreter. */
  private translate(place: Place, bytes: number, write: boolean, implicit = false): Host {
    const { key, delta } = place;
    const known =
      !this.unchecked &&
      this.facts.find((f) => f.key === key && (f.write || !write) && f.low <= delta && delta + bytes <= f.high);
    if (known) return { base: local('i32', known.host), offset: delta - known.low };
    const site = this.sites.find((s) => s.record === this.record && s.implicit === implicit);
    let window = site ? this.region.windowOf(site, write) : -1;
    if (this.unchecked) {
      if (!site || window < 0 || !this.isAsPlanned(place, site)) throw new NotFast();
      const { addend } = this.code.window(window);
      return { base: this.let(i32.add(i32.wrap(place.address), local('i32', addend))), offset: 0 };
    }
    if (!site || key === undefined || this.level > 0) return this.check(place.address, bytes, write, window);
    // What the block touches around it is checked at the same time.
    let [low, high, writes] = [0, bytes, write];
    const most = window >= 0 ? LONG_SPAN : SHORT_SPAN;
    for (const s of this.sites) {
      if (s.record < site.record || s.key !== site.key) continue;
      const from = Math.min(low, s.delta - site.delta);
      const to = Math.max(high, s.delta - site.delta + s.bytes);
      if (to - from > most) continue;
      [low, high, writes] = [from, to, writes || s.write];
    }
    if (writes) window = this.region.windowOf(site, true);
    const at = low === 0 ? place.address : this.let(this.wrap(i64.add(place.address, low)));
    const host = this.check(at, high - low, writes, window, true);
    this.facts.push({ key, write: writes, low: delta + low, high: delta + high, host: host.base.value as number });
    return { base: host.base, offset: -low };
  }

  /** Is the address made of the registers at the block's start as the plan of a loop without checks has it? */
  private isAsPlanned(place: Place, site: Site): boolean {
    const start = (register: number): string => (register < 0 ? '' : `${this.start[register]!.version}`);
    let index = start(site.index);
    if (site.index === -2) {
      const value = this.values[(this.u16(Rec.index) - State.gpr) >> 3];
      if (site.implicit || value?.bound === undefined || value.bound > site.bound || value.delta !== 0) return false;
      index = `${value.version}`;
    }
    const scale = index === '' ? 0 : site.scale;
    const delta = this.long ? site.delta : site.delta | 0;
    return site.base !== -2 && place.key === `${start(site.base)}|${index}|${scale}` && place.delta === delta;
  }

  /** How far a register has moved since the block's start; undefined when it became something else. */
  moved(register: number): number | undefined {
    const [now, then] = [this.values[register]!, this.start[register]!];
    return now.version === then.version ? now.delta - then.delta : undefined;
  }

  /** Checks the bytes at an address, in a window or by the TLB. `stays`: the host address is wanted after the instruction. */
  private check(address: I64, bytes: number, write: boolean, window: number, stays = false): Host {
    const { code } = this;
    this.keep();
    const host = stays ? this.factLocal() : code.take('i32');
    if (window < 0) {
      this.byTlb(address, bytes, write);
      code.set(host);
      return { base: local('i32', host), offset: 0 };
    }
    const { low, length, groupLength, addend } = code.window(window);
    const room = bytes > SHORT_SPAN ? groupLength : length;
    if (this.long) code.emit(i64.ge_u(i64.sub(address, local('i64', low)), local('i64', room)));
    else code.emit(i32.ge_u(i32.sub(i32.wrap(address), local('i32', low)), local('i32', room)));
    code.op(0x04, 0x7f);
    code.depth++;
    this.byTlb(address, bytes, write);
    code.depth--;
    code.op(0x05);
    code.emit(i32.add(i32.wrap(address), local('i32', addend)));
    code.op(0x0b);
    code.set(host);
    return { base: local('i32', host), offset: 0 };
  }

  /**
   * Leaves the host address on the stack, or the region. Without a call: where one is, V8 keeps every local of the loop
   * around in memory.
   */
  private byTlb(address: I64, bytes: number, write: boolean): void {
    const { code } = this;
    const tlb = write ? WRITE_TLB : READ_TLB;
    const entry = this.let(i32.and(i32.wrap(i64.shr_u(address, 8)), 0xfff0));
    const tag: I64 = node('i64', Load.i64, [entry], tlb);
    code.emit(i64.gt_u(i64.xor(tag, address), 4096 - bytes));
    this.region.exitIf();
    code.emit(i32.add(i32.wrap(address), node('i32', Load.i32, [entry], tlb + 8)));
  }

  /** A local that no fact uses now. */
  private factLocal(): number {
    for (const l of this.factLocals) if (!this.facts.some((f) => f.host === l)) return l;
    const l = this.code.reserve('i32');
    this.factLocals.push(l);
    return l;
  }

  private loadHost(bits: number, host: Host, offset = 0): Int {
    return this.let(loadAt(bits, host.base, host.offset + offset));
  }

  private storeHost(bits: number, host: Host, v: Int): void {
    this.storeAt(bits, host.base, v, host.offset);
  }

  private loadVectorHost(host: Host, offset: number): V128 {
    return this.let(node('v128', Load.v128, [host.base], host.offset + offset));
  }

  private storeAt(bits: number, address: I32, v: Int, offset = 0): void {
    const { code } = this;
    code.emit(address);
    code.emit(v);
    const wide = v.type === 'i64';
    const opcode = { 8: [0x3a, 0x3c], 16: [0x3b, 0x3d], 32: [0x36, 0x3e], 64: [0, 0x37] }[bits]?.[wide ? 1 : 0];
    if (!opcode) throw new Error(`no store of ${v.type} for ${bits} bits`);
    code.op(opcode, 0);
    code.w.uleb(offset);
  }

  private storeVectorAt(address: I32, v: V128, offset: number): void {
    this.code.emit(address);
    this.code.emit(v);
    this.code.op(0xfd, 0x0b, 0);
    this.code.w.uleb(offset);
  }

  private enterMmx(): void {
    this.set('fsw', i32.and(this.get('fsw') as I32, ~0x3800));
    this.set('ftw', i32.const(0xff));
  }
}
