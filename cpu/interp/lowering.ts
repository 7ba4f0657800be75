/** The builder of interpreter handlers: operands come from the fields of the op record. */
import { Vector } from '../exit.ts';
import {
  type Expr,
  type I32,
  type I64,
  type Int,
  type IntLike,
  i32,
  i64,
  node,
  type Type,
  type V128,
} from '../ir/expr.ts';
import type { AnyFunction, Exprs, Results, RuntimeFunction, Variable } from '../ir/function.ts';
import type { Lane, Ops } from '../ir/ops.ts';
import { v128 } from '../ir/vector.ts';
import { emitCall, shaped } from '../runtime/module.ts';
import { fieldSize, gprOffset, State, type StateField, vectorOffset } from '../state.ts';
import { emitExpr, Load } from '../wasm/emit.ts';
import type { ByteWriter } from '../wasm/writer.ts';
import { HandlerCode, Import, type Locals, loadAt, masked, RECORD_LOCAL } from './handler-code.ts';
import type { HelperContext } from './helper-context.ts';
import { OperandOps } from './operand-ops.ts';
import { AccessInfo, Outcome, Rec } from './record.ts';
import type { Variant } from './variant.ts';

/** How a handler leaves: differs between cases of the main function and functions of their own. */
export interface Surroundings {
  /** Goes on with the next record; the stack is empty. `depth` is the number of blocks opened since the handler began. */
  next(w: ByteWriter, depth: number): void;
  /** Leaves the block for the address on the stack (i64); `link` is the offset of the record's link field, 0 for none. */
  jump(w: ByteWriter, depth: number, link: number): void;
  /** Returns from the main function. */
  leave(w: ByteWriter, depth: number, outcome: number): void;
  /** Does what the Action on the stack says. */
  act(w: ByteWriter, depth: number): void;
}

export class RecordOps extends OperandOps<I32> implements Ops {
  readonly size: 16 | 32 | 64;
  readonly lanes: 1 | 2 | 4;
  readonly vex: boolean;
  readonly checked: boolean;
  private readonly hosts = new Map<string, I32>();
  protected readonly code: HandlerCode;
  protected readonly variant: Variant;
  private readonly vectorBytes: 32 | 64;
  private readonly around: Surroundings;
  private readonly helperIndex: (run: (h: HelperContext) => void) => number;
  private readonly functionIndex: (fn: AnyFunction) => number;

  constructor(
    w: ByteWriter,
    locals: Locals,
    variant: Variant,
    around: Surroundings,
    helperIndex: (run: (h: HelperContext) => void) => number,
    functionIndex: (fn: AnyFunction) => number,
    vectorBytes: 32 | 64,
  ) {
    super();
    this.vectorBytes = vectorBytes;
    this.code = new HandlerCode(w, locals);
    this.variant = variant;
    this.around = around;
    this.helperIndex = helperIndex;
    this.functionIndex = functionIndex;
    this.size = variant.size;
    this.lanes = variant.lanes;
    this.vex = variant.row.vex;
    this.checked = variant.checked;
  }

  /** Emits the whole handler. */
  build(): void {
    this.meaning();
    if (this.touchesMmx) this.enterMmx();
    if (!this.code.ended) this.around.next(this.code.w, this.code.depth);
    this.code.locals.releaseAll();
  }

  protected meaning(): void {
    this.variant.row.row.lower(this);
  }

  // Locals and control.

  let<T extends Type>(e: Expr<T>): Expr<T> {
    return this.code.let(e);
  }

  variable<T extends Type>(init: Expr<T>): Variable<T> {
    return this.code.variable(init);
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    this.code.if(condition, then, otherwise);
  }

  loop(body: (again: (condition: I32) => void) => void): void {
    this.code.loop(body);
  }

  // Operands.

  read(i: number): Int {
    const { kind, bits } = this.form(i);
    switch (kind) {
      case 'memory':
        return this.loadHost(bits, this.host(i, bits >> 3, false));
      case 'immediate':
        return this.let(bits === 64 ? this.code.field64(Rec.imm) : masked(bits, this.code.field32(Rec.imm)));
      case 'mmx':
        this.touchesMmx = true;
        return this.let(loadAt(bits, this.code.slot(i)));
      case 'segment':
      case 'other':
        return this.let(this.code.slot(i));
      default:
        return this.let(loadAt(bits, this.code.slot(i)));
    }
  }

  write(i: number, v: Int): void {
    const { kind, bits } = this.form(i);
    if (kind === 'memory') this.writeMemory(i, v);
    else if (kind === 'register') {
      this.code.storeRegister(bits, this.code.slot(i), v);
    } else if (kind === 'mmx') {
      this.touchesMmx = true;
      this.code.storeAt(64, this.code.slot(i), v);
      this.code.storeAt(16, this.code.slot(i), i32.const(0xffff), 8);
    } else if (kind === 'opmask')
      this.code.storeAt(64, this.code.slot(i), v.type === 'i64' ? v : i64.extend_u(v as I32));
    else this.code.storeAt(bits, this.code.slot(i), v);
  }

  address(i: number): I64 {
    void i;
    const base = loadAt(64, this.code.field16(Rec.base)) as I64;
    const index = loadAt(64, this.code.field16(Rec.index)) as I64;
    const scaled = i64.shl(index, i64.extend_u(this.code.field8(Rec.scale)));
    const sum = i64.add(i64.add(base, scaled), this.code.field64(Rec.disp));
    return this.let(i64.and(sum, this.code.field64(Rec.mask)));
  }

  // Vectors.

  protected vectorRegister(i: number, lane: Lane): V128 {
    return this.let(node('v128', Load.v128, [this.code.slot(i)], lane * 16));
  }

  protected setVectorRegister(i: number, v: V128, lane: Lane): void {
    const slot = this.code.slot(i);
    this.code.storeV128(slot, v, lane * 16);
    if (!this.vex || lane !== this.lanes - 1) return;
    for (let at = 16 * this.lanes; at < this.vectorBytes; at += 16) this.code.storeV128(slot, v128.zero(), at);
  }

  vector(n: number, lane: Lane = 0): V128 {
    return this.let(node('v128', Load.v128, [i32.const(0)], vectorOffset(n) + lane * 16));
  }

  setVector(n: number, v: V128, lane: Lane = 0): void {
    this.code.storeV128(i32.const(0), v, vectorOffset(n) + lane * 16);
  }

  stackIndex(): I32 {
    return this.let(i32.and(this.code.field8(Rec.modrm), 7));
  }

  // Registers and state.

  register(n: number, bits: number): Int {
    return this.let(loadAt(bits, i32.const(0), gprOffset(n)));
  }

  setRegister(n: number, bits: number, v: Int): void {
    this.code.storeRegister(bits, i32.const(0), v, gprOffset(n));
  }

  get(field: StateField): Int {
    return this.let(loadAt(fieldSize(field) * 8, i32.const(0), State[field]));
  }

  set(field: StateField, v: Int): void {
    this.code.storeAt(fieldSize(field) * 8, i32.const(0), v, State[field]);
  }

  setFlags(result: I64, aux: I32): void {
    this.set('flagResult', result);
    this.set('flagAux', aux);
  }

  flagResult(): I64 {
    return this.get('flagResult') as I64;
  }

  flagAux(): I32 {
    return this.get('flagAux') as I32;
  }

  // Memory.

  checkAddress(address: I64, bytes: number, write: boolean): I64 {
    return this.linear(this.let(address), bytes, write);
  }

  push(bits: 16 | 32 | 64, v: Int): void {
    const value = this.let(v);
    const bytes = bits >> 3;
    const sp = this.register(4, 64) as I64;
    const top = this.let(i64.and(i64.sub(sp, bytes), this.get('stackMask') as I64));
    const host = this.code.translate(this.code.stackAddress(top, bytes, true), bytes, true, true);
    this.code.storeAt(bits, host, value);
    this.code.commit(host);
    this.setRegister(4, 64, i64.or(i64.and(sp, this.get('stackKeep') as I64), top));
  }

  pop(bits: 16 | 32 | 64): { readonly value: Int; commit(): void } {
    const bytes = bits >> 3;
    const sp = this.register(4, 64) as I64;
    const mask = this.get('stackMask') as I64;
    const top = this.let(i64.and(sp, mask));
    const host = this.code.translate(this.code.stackAddress(top, bytes, false), bytes, false, true);
    const value = this.let(loadAt(bits, host));
    return {
      value,
      commit: () =>
        this.setRegister(4, 64, i64.or(i64.and(sp, this.get('stackKeep') as I64), i64.and(i64.add(top, bytes), mask))),
    };
  }

  loadStack(bits: 16 | 32 | 64, offset: I64): Int {
    const bytes = bits >> 3;
    return this.let(
      loadAt(bits, this.code.translate(this.code.stackAddress(this.let(offset), bytes, false), bytes, false, true)),
    );
  }

  // Leaving.

  raise(vector: number, errorCode: IntLike = 0): void {
    this.code.w.raw(0x20, RECORD_LOCAL);
    emitExpr(this.code.w, i32.const(vector));
    emitExpr(this.code.w, typeof errorCode === 'object' ? (errorCode as I32) : i32.const(Number(errorCode)));
    this.code.callImport(Import.raise);
    this.code.w.u8(0x00);
    this.code.ended = true;
  }

  thisRip(): I64 {
    const rip = i64.add(this.get('blockRip') as I64, i64.extend_u(this.code.field16(Rec.offset)));
    return this.let(i64.and(rip, this.get('ripMask') as I64));
  }

  nextRip(): I64 {
    return this.let(this.wrapRip(i64.add(this.get('blockRip') as I64, i64.extend_u(this.code.field16(Rec.next)))));
  }

  checkTarget(rip?: I64): void {
    if (!this.checked) return;
    const to = this.let(rip ?? this.branchTarget());
    this.if(i64.gt_u(to, this.get('codeLimit') as I64), () => this.raise(Vector.GP));
  }

  branch(condition?: I32): void {
    const taken = (): void => {
      const to = this.let(this.branchTarget());
      this.checkTarget(to);
      emitExpr(this.code.w, to);
      this.around.jump(this.code.w, this.code.depth, Rec.taken);
    };
    if (condition === undefined) taken();
    else {
      this.if(condition, taken);
      this.fallThrough();
    }
    this.code.ended = true;
  }

  /** Leaves the block for the instruction after it. */
  fallThrough(): void {
    const target = i64.add(this.get('blockRip') as I64, i64.extend_u(this.code.field16(Rec.next)));
    emitExpr(this.code.w, i64.and(target, this.get('ripMask') as I64));
    this.around.jump(this.code.w, this.code.depth, Rec.fallThrough);
    this.code.ended = true;
  }

  /** Enters the block at this one's address that is there now. */
  again(): void {
    this.set('budget', i32.add(this.get('budget') as I32, this.code.field16(Rec.remaining)));
    emitExpr(this.code.w, this.get('blockRip'));
    this.around.jump(this.code.w, this.code.depth, 0);
    this.code.ended = true;
  }

  jump(rip: I64): void {
    this.checkTarget(rip);
    emitExpr(this.code.w, rip);
    this.around.jump(this.code.w, this.code.depth, 0);
    this.code.ended = true;
  }

  leave(): void {
    const target = i64.add(this.get('blockRip') as I64, i64.extend_u(this.code.field16(Rec.next)));
    this.set('rip', i64.and(target, this.get('ripMask') as I64));
    this.around.leave(this.code.w, this.code.depth, Outcome.Leave);
    this.code.ended = true;
  }

  call<P extends readonly Type[], R extends readonly Type[]>(fn: RuntimeFunction<P, R>, ...args: Exprs<P>): Results<R> {
    const any = fn as unknown as AnyFunction;
    return shaped(emitCall(this.code, any, this.functionIndex(any), args as unknown as readonly Expr[]));
  }

  helper(run: (h: HelperContext) => void): void {
    emitExpr(this.code.w, i32.const(this.helperIndex(run)));
    this.code.w.raw(0x20, RECORD_LOCAL);
    this.code.callImport(Import.helper);
    if (this.variant.row.row.options.ends) {
      this.around.act(this.code.w, this.code.depth);
      this.code.ended = true;
    } else this.code.w.u8(0x1a);
  }

  // For the records that are not instructions (pseudo.ts).

  /** Takes back the count of the instructions that do not run, points RIP at this one and returns. */
  stop(outcome: number): void {
    this.set('budget', i32.add(this.get('budget') as I32, this.code.field16(Rec.remaining)));
    const rip = i64.add(this.get('blockRip') as I64, i64.extend_u(this.code.field16(Rec.offset)));
    this.set('rip', i64.and(rip, this.get('ripMask') as I64));
    this.around.leave(this.code.w, this.code.depth, outcome);
    this.code.ended = true;
  }

  /** Returns for the region to be run, when the budget is more than it may take; otherwise goes on with the block. */
  enterRegion(): void {
    const whole = i32.add(this.get('budget') as I32, this.get('reserve') as I32);
    const budget = i32.add(whole, this.code.field16(Rec.remaining));
    this.if(i32.gt_s(budget, this.code.field32(Rec.imm2)), () => this.stop(Outcome.Region));
  }

  setEffectiveAddress(): void {
    const base = loadAt(64, this.code.field16(Rec.segmentBase)) as I64;
    const wrap = this.let(this.get('ripMask')) as I64;
    const offset = this.address(0);
    const size = i64.extend_u(i32.and(this.code.field32(Rec.imm), 0xff));
    // A flat segment with a base still ends at 4 GiB.
    this.if(i64.gt_u(i64.sub(i64.add(offset, size), 1), wrap), () => this.raise(Vector.GP));
    this.set('ea', i64.and(i64.add(offset, base), wrap));
  }

  raiseImmediate(): void {
    this.code.w.raw(0x20, RECORD_LOCAL);
    emitExpr(this.code.w, this.code.field32(Rec.imm));
    emitExpr(this.code.w, i32.const(0));
    this.code.callImport(Import.raise);
    this.code.w.u8(0x00);
    this.code.ended = true;
  }

  segmentBase(): I64 {
    if (this.checked) return i64.const(0);
    return this.let(loadAt(64, this.code.field16(Rec.segmentBase)) as I64);
  }

  extraBase(): I64 {
    if (this.checked) return i64.const(0);
    return this.let(loadAt(64, this.code.field16(Rec.base)) as I64);
  }

  addressMask(): I64 {
    return this.let(this.code.field64(Rec.mask));
  }

  // Private parts.

  protected scalarRegister(i: number, bits: number): Int {
    return loadAt(bits, this.code.slot(i));
  }

  protected loadHost(bits: number, host: I32, offset = 0): Int {
    return this.let(loadAt(bits, host, offset));
  }

  protected storeHost(bits: number, host: I32, v: Int): void {
    this.code.storeAt(bits, host, v);
    this.code.commit(host);
  }

  protected loadVectorHost(host: I32, offset: number): V128 {
    return this.let(node('v128', Load.v128, [host], offset));
  }

  protected storeVectorHost(host: I32, v: V128, offset: number, last: boolean): void {
    this.code.storeV128(host, v, offset);
    if (last) this.code.commit(host);
  }

  /** Host address of memory operand `i`, checked for the access; once per handler and kind of access. */
  protected host(i: number, bytes: number, write: boolean): I32 {
    const key = `${i}${write}`;
    const known = this.hosts.get(key);
    if (known) return known;
    const aligned = bytes >= 16 && this.isAligned;
    const address = this.linear(this.address(i), bytes, write, aligned ? AccessInfo.Aligned : 0);
    // Checked accesses have that in them, before the limit.
    if (aligned && !this.checked) this.if(this.misaligned(address, bytes)!, () => this.raise(Vector.GP));
    const host = this.code.translate(address, bytes, write);
    if (this.code.depth === 0) this.hosts.set(key, host);
    return host;
  }

  private branchTarget(): I64 {
    return this.wrapRip(i64.add(this.get('blockRip') as I64, this.code.field64(Rec.imm)));
  }

  protected hostOf(address: I64, bytes: number, write: boolean, extra = false): I32 {
    return this.code.translate(
      this.linear(this.let(address), bytes, write, extra ? AccessInfo.Extra : 0),
      bytes,
      write,
    );
  }

  protected linear(address: I64, bytes: number, write: boolean, flags = 0): I64 {
    if (!this.checked) return address;
    const { unaligned, elementwise } = this.variant.row.row.options;
    return this.code.checkedAddress(
      address,
      bytes | (write ? AccessInfo.Write : 0) | flags | (unaligned || elementwise ? AccessInfo.Unaligned : 0),
    );
  }

  /** Not zero for an address that the instruction does not take, if it is so particular. */
  protected misaligned(address: I64, bytes: number): I32 | undefined {
    return this.isAligned ? i32.and(i32.wrap(address), bytes - 1) : undefined;
  }
}
