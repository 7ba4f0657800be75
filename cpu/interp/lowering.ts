/** The builder of interpreter handlers: operands come from the fields of the op record. */
import { Vector } from '../exit.ts';
import {
  type Expr,
  type F32,
  type F64,
  f32,
  f64,
  type I32,
  type I64,
  type Int,
  type IntLike,
  i32,
  i64,
  node,
  type Type,
  type V128,
  zeroExtend,
} from '../ir/expr.ts';
import type { Ops, Variable } from '../ir/ops.ts';
import { i64x2, lowDouble, lowQuad, v128 } from '../ir/vector.ts';
import {
  fieldSize,
  gprOffset,
  READ_TLB,
  STATE_END,
  State,
  type StateField,
  vectorOffset,
  WRITE_TLB,
} from '../state.ts';
import { emitExpr, Load } from '../wasm/emit.ts';
import type { ByteWriter } from '../wasm/writer.ts';
import type { HelperContext } from './helper-context.ts';
import { Outcome, Rec, RecordFlag } from './record.ts';
import type { Form, Variant } from './variant.ts';

/** Function numbers of the imports, the same in every module. */
export const Import = { slow: 0, commit: 1, raise: 2, helper: 3, stack: 4, address: 5, resolve: 6 } as const;

/** The scratch registers of a WebAssembly function, handed out per handler and used again by the next. */
export class Locals {
  readonly types: Type[] = [];
  private readonly inUse: number[] = [];
  private readonly first: number;
  constructor(first: number) {
    this.first = first;
  }

  take(type: Type): number {
    for (let n = 0; n < this.types.length; n++) {
      if (this.types[n] === type && !this.inUse.includes(n)) {
        this.inUse.push(n);
        return this.first + n;
      }
    }
    this.types.push(type);
    this.inUse.push(this.types.length - 1);
    return this.first + this.types.length - 1;
  }

  releaseAll(): void {
    this.inUse.length = 0;
  }
}

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

const VOID = 0x40;
const PTR = 0;

export class RecordOps implements Ops {
  readonly size: 16 | 32 | 64;
  readonly lanes: 1 | 2;
  readonly vex: boolean;
  /** The handler has left on all paths. */
  private ended = false;
  private touchesMmx = false;
  private depth = 0;
  private readonly hosts = new Map<string, I32>();
  private readonly w: ByteWriter;
  private readonly locals: Locals;
  private readonly variant: Variant;
  private readonly around: Surroundings;
  private readonly helperIndex: (run: (h: HelperContext) => void) => number;

  constructor(
    w: ByteWriter,
    locals: Locals,
    variant: Variant,
    around: Surroundings,
    helperIndex: (run: (h: HelperContext) => void) => number,
  ) {
    this.w = w;
    this.locals = locals;
    this.variant = variant;
    this.around = around;
    this.helperIndex = helperIndex;
    this.size = variant.size;
    this.lanes = variant.lanes;
    this.vex = variant.row.vex;
  }

  /** Emits the whole handler. */
  build(): void {
    this.variant.writes = false;
    this.variant.row.row.lower(this);
    if (this.touchesMmx) this.enterMmx();
    if (!this.ended) this.around.next(this.w, this.depth);
    this.locals.releaseAll();
  }

  bits(i: number): number {
    return this.form(i).bits;
  }

  isMemory(i: number): boolean {
    return this.form(i).kind === 'memory';
  }

  // Locals and control.

  let<T extends Type>(e: Expr<T>): Expr<T> {
    if (e.op === 0x20 || e.op === 0x41 || e.op === 0x42) return e;
    const n = this.locals.take(e.type);
    emitExpr(this.w, e);
    this.w.u8(0x21);
    this.w.uleb(n);
    return node(e.type, 0x20, [], n);
  }

  variable<T extends Type>(init: Expr<T>): Variable<T> {
    const n = this.locals.take(init.type);
    const set = (e: Expr<T>): void => {
      emitExpr(this.w, e);
      this.w.u8(0x21);
      this.w.uleb(n);
    };
    set(init);
    return { value: node(init.type, 0x20, [], n), set };
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    emitExpr(this.w, condition);
    this.w.raw(0x04, VOID);
    this.depth++;
    const before = this.ended;
    then();
    this.ended = before;
    if (otherwise) {
      this.w.u8(0x05);
      otherwise();
      this.ended = before;
    }
    this.w.u8(0x0b);
    this.depth--;
  }

  loop(body: (again: (condition: I32) => void) => void): void {
    this.w.raw(0x03, VOID);
    this.depth++;
    const top = this.depth;
    body((condition) => {
      emitExpr(this.w, condition);
      this.w.u8(0x0d);
      this.w.uleb(this.depth - top);
    });
    this.w.u8(0x0b);
    this.depth--;
  }

  // Operands.

  read(i: number): Int {
    const { kind, bits } = this.form(i);
    switch (kind) {
      case 'memory':
        return this.let(loadAt(bits, this.host(i, bits >> 3, false)));
      case 'immediate':
        return this.let(bits === 64 ? this.field64(Rec.imm) : masked(bits, this.field32(Rec.imm)));
      case 'mmx':
        this.touchesMmx = true;
        return this.let(loadAt(bits, this.slot(i)));
      case 'segment':
      case 'other':
        return this.let(this.slot(i));
      default:
        return this.let(loadAt(bits, this.slot(i)));
    }
  }

  write(i: number, v: Int): void {
    const { kind, bits } = this.form(i);
    if (kind === 'memory') {
      const value = this.let(v);
      // The processor resets TOP before it finds that a store of an MMX register faults.
      if (this.touchesMmx) this.set('fsw', i32.and(this.get('fsw') as I32, ~0x3800));
      const host = this.host(i, bits >> 3, true);
      this.storeAt(bits, host, value);
      this.commit(host);
    } else if (kind === 'register') {
      this.storeRegister(bits, this.slot(i), v);
    } else if (kind === 'mmx') {
      this.touchesMmx = true;
      this.storeAt(64, this.slot(i), v);
      this.storeAt(16, this.slot(i), i32.const(0xffff), 8);
    } else this.storeAt(bits, this.slot(i), v);
  }

  modify(i: number, f: (old: Int) => Int): Int {
    const { kind, bits } = this.form(i);
    if (kind !== 'memory') {
      const r = this.let(f(this.read(i)));
      this.write(i, r);
      return r;
    }
    const host = this.host(i, bits >> 3, true);
    const r = this.let(f(this.let(loadAt(bits, host))));
    this.storeAt(bits, host, r);
    this.commit(host);
    return r;
  }

  address(i: number): I64 {
    void i;
    const base = loadAt(64, this.field16(Rec.base)) as I64;
    const index = loadAt(64, this.field16(Rec.index)) as I64;
    const scaled = i64.shl(index, i64.extend_u(this.field8(Rec.scale)));
    const sum = i64.add(i64.add(base, scaled), this.field64(Rec.disp));
    return this.let(i64.and(sum, this.field64(Rec.mask)));
  }

  // Vectors.

  readVector(i: number, lane: 0 | 1 = 0): V128 {
    const { kind, bits } = this.form(i);
    if (kind === 'mmx') return lowQuad(this.read(i) as I64);
    if (kind === 'memory') {
      if (bits === 64) return this.let(lowQuad(this.read(i) as I64));
      if (bits <= 32) return this.let(lowDouble(this.read(i) as I32));
      return this.let(node('v128', Load.v128, [this.host(i, bits >> 3, false)], lane * 16));
    }
    return this.let(node('v128', Load.v128, [this.slot(i)], lane * 16));
  }

  writeVector(i: number, v: V128, lane: 0 | 1 = 0): void {
    const { kind, bits } = this.form(i);
    const value = this.let(v);
    if (kind === 'memory') {
      const host = this.host(i, bits >> 3, true);
      if (bits === 64) this.storeAt(64, host, i64x2.extract(value, 0));
      else if (bits < 64) this.storeAt(bits, host, i32.wrap(i64x2.extract(value, 0)));
      else this.storeV128(host, value, lane * 16);
      if ((lane + 1) * 128 >= bits) this.commit(host);
      return;
    }
    const slot = this.slot(i);
    this.storeV128(slot, value, lane * 16);
    if (this.vex && lane === this.lanes - 1 && this.lanes === 1) this.storeV128(slot, v128.zero(), 16);
  }

  vector(n: number, lane: 0 | 1 = 0): V128 {
    return this.let(node('v128', Load.v128, [i32.const(0)], vectorOffset(n) + lane * 16));
  }

  setVector(n: number, v: V128, lane: 0 | 1 = 0): void {
    this.storeV128(i32.const(0), v, vectorOffset(n) + lane * 16);
  }

  readF32(i: number): F32 {
    return this.let(f32.reinterpret(this.scalar(i, 32) as I32));
  }

  readF64(i: number): F64 {
    return this.let(f64.reinterpret(this.scalar(i, 64) as I64));
  }

  // Registers and state.

  register(n: number, bits: number): Int {
    return this.let(loadAt(bits, i32.const(0), gprOffset(n)));
  }

  setRegister(n: number, bits: number, v: Int): void {
    this.storeRegister(bits, i32.const(0), v, gprOffset(n));
  }

  get(field: StateField): Int {
    return this.let(loadAt(fieldSize(field) * 8, i32.const(0), State[field]));
  }

  set(field: StateField, v: Int): void {
    this.storeAt(fieldSize(field) * 8, i32.const(0), v, State[field]);
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

  load(bits: 8 | 16 | 32 | 64, address: I64): Int {
    return this.let(loadAt(bits, this.translate(this.let(address), bits >> 3, false)));
  }

  store(bits: 8 | 16 | 32 | 64, address: I64, v: Int): void {
    const value = this.let(v);
    const host = this.translate(this.let(address), bits >> 3, true);
    this.storeAt(bits, host, value);
    this.commit(host);
  }

  loadVector(address: I64): V128 {
    return this.let(node('v128', Load.v128, [this.translate(this.let(address), 16, false)], 0));
  }

  storeVector(address: I64, v: V128): void {
    const value = this.let(v);
    const host = this.translate(this.let(address), 16, true);
    this.storeV128(host, value, 0);
    this.commit(host);
  }

  probe(address: I64, bytes: number): void {
    this.translate(this.let(address), bytes, true);
  }

  push(bits: 16 | 32 | 64, v: Int): void {
    const value = this.let(v);
    const bytes = bits >> 3;
    const sp = this.register(4, 64) as I64;
    const top = this.let(i64.and(i64.sub(sp, bytes), this.get('stackMask') as I64));
    const host = this.translate(this.stackAddress(top, bytes, true), bytes, true, true);
    this.storeAt(bits, host, value);
    this.commit(host);
    this.setRegister(4, 64, i64.or(i64.and(sp, this.get('stackKeep') as I64), top));
  }

  pop(bits: 16 | 32 | 64): { readonly value: Int; commit(): void } {
    const bytes = bits >> 3;
    const sp = this.register(4, 64) as I64;
    const mask = this.get('stackMask') as I64;
    const top = this.let(i64.and(sp, mask));
    const host = this.translate(this.stackAddress(top, bytes, false), bytes, false, true);
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
      loadAt(bits, this.translate(this.stackAddress(this.let(offset), bytes, false), bytes, false, true)),
    );
  }

  // Leaving.

  raise(vector: number, errorCode: IntLike = 0): void {
    this.w.raw(0x20, PTR);
    emitExpr(this.w, i32.const(vector));
    emitExpr(this.w, typeof errorCode === 'object' ? (errorCode as I32) : i32.const(Number(errorCode)));
    this.callImport(Import.raise);
    this.w.u8(0x00);
    this.ended = true;
  }

  nextRip(): I64 {
    return this.let(this.wrapRip(i64.add(this.get('blockRip') as I64, i64.extend_u(this.field16(Rec.next)))));
  }

  branch(condition?: I32): void {
    const taken = (): void => {
      emitExpr(this.w, this.wrapRip(i64.add(this.get('blockRip') as I64, this.field64(Rec.imm))));
      this.around.jump(this.w, this.depth, Rec.taken);
    };
    if (condition === undefined) taken();
    else {
      this.if(condition, taken);
      this.fallThrough();
    }
    this.ended = true;
  }

  /** Leaves the block for the instruction after it. */
  fallThrough(): void {
    const target = i64.add(this.get('blockRip') as I64, i64.extend_u(this.field16(Rec.next)));
    emitExpr(this.w, i64.and(target, this.get('ripMask') as I64));
    this.around.jump(this.w, this.depth, Rec.fallThrough);
    this.ended = true;
  }

  jump(rip: I64): void {
    emitExpr(this.w, rip);
    this.around.jump(this.w, this.depth, 0);
    this.ended = true;
  }

  leave(): void {
    const target = i64.add(this.get('blockRip') as I64, i64.extend_u(this.field16(Rec.next)));
    this.set('rip', i64.and(target, this.get('ripMask') as I64));
    this.around.leave(this.w, this.depth, Outcome.Leave);
    this.ended = true;
  }

  call(run: (h: HelperContext) => void): void {
    delete this.variant.writes;
    emitExpr(this.w, i32.const(this.helperIndex(run)));
    this.w.raw(0x20, PTR);
    this.callImport(Import.helper);
    if (this.variant.row.row.options.ends) {
      this.around.act(this.w, this.depth);
      this.ended = true;
    } else this.w.u8(0x1a);
  }

  // For the records that are not instructions (pseudo.ts).

  /** Takes back the count of the instructions that do not run, points RIP at this one and returns. */
  stop(outcome: number): void {
    this.set('budget', i32.add(this.get('budget') as I32, this.field16(Rec.remaining)));
    const rip = i64.add(this.get('blockRip') as I64, i64.extend_u(this.field16(Rec.offset)));
    this.set('rip', i64.and(rip, this.get('ripMask') as I64));
    this.around.leave(this.w, this.depth, outcome);
    this.ended = true;
  }

  setEffectiveAddress(): void {
    const base = loadAt(64, this.field16(Rec.segmentBase)) as I64;
    const wrap = this.let(this.get('ripMask')) as I64;
    const offset = this.address(0);
    const size = i64.extend_u(i32.and(this.field32(Rec.imm), 0xff));
    // A flat segment with a base still ends at 4 GiB.
    this.if(i64.gt_u(i64.sub(i64.add(offset, size), 1), wrap), () => this.raise(Vector.GP));
    this.set('ea', i64.and(i64.add(offset, base), wrap));
  }

  checkAddress(): void {
    this.w.raw(0x20, PTR);
    this.callImport(Import.address);
  }

  raiseImmediate(): void {
    this.w.raw(0x20, PTR);
    emitExpr(this.w, this.field32(Rec.imm));
    emitExpr(this.w, i32.const(0));
    this.callImport(Import.raise);
    this.w.u8(0x00);
    this.ended = true;
  }

  segmentBase(): I64 {
    return this.let(loadAt(64, this.field16(Rec.segmentBase)) as I64);
  }

  extraBase(): I64 {
    return this.let(loadAt(64, this.field16(Rec.base)) as I64);
  }

  addressMask(): I64 {
    return this.let(this.field64(Rec.mask));
  }

  // Private parts.

  private form(i: number): Form {
    const f = this.variant.forms[i];
    if (!f) throw new Error(`${this.variant.row.row.name}: no operand ${i}`);
    return f;
  }

  private scalar(i: number, bits: number): Int {
    const { kind } = this.form(i);
    if (kind === 'memory') return this.read(i);
    return loadAt(bits, this.slot(i));
  }

  private field8(at: number): I32 {
    return node('i32', Load.u8, [ptr()], at);
  }

  private field16(at: number): I32 {
    return node('i32', Load.u16, [ptr()], at);
  }

  private field32(at: number): I32 {
    return node('i32', Load.i32, [ptr()], at);
  }

  private field64(at: number): I64 {
    return node('i64', Load.i64, [ptr()], at);
  }

  /** Address of register operand `i`. */
  private slot(i: number): I32 {
    return this.field16(Rec.operand + 2 * i);
  }

  private wrapRip(rip: I64): I64 {
    if (this.size === 64) return rip;
    return i64.and(rip, this.size === 32 ? 0xffffffff : 0xffff);
  }

  /** Host address of memory operand `i`, checked for the access; once per handler and kind of access. */
  private host(i: number, bytes: number, write: boolean): I32 {
    const key = `${i}${write}`;
    const known = this.hosts.get(key);
    if (known) return known;
    const address = this.address(i);
    if (bytes >= 16) this.checkAlignment(address, bytes);
    const host = this.translate(address, bytes, write);
    if (this.depth === 0) this.hosts.set(key, host);
    return host;
  }

  private checkAlignment(address: I64, bytes: number): void {
    const { align } = this.variant.row.row.options;
    if (align === 'never' || (align === undefined && this.vex)) return;
    this.if(i32.and(i32.wrap(address), bytes - 1), () => this.raise(Vector.GP));
  }

  /** A linear address through the TLB; the miss goes to TypeScript, which gives a host address as well. */
  private translate(address: I64, bytes: number, write: boolean, stack = false): I32 {
    const { w } = this;
    if (write && !stack) this.variant.writes = true;
    const tlb = write ? WRITE_TLB : READ_TLB;
    const entry = this.let(i32.and(i32.wrap(i64.shr_u(address, 8)), 0xfff0));
    const tag: I64 = node('i64', Load.i64, [entry], tlb);
    emitExpr(w, i64.gt_u(i64.xor(tag, address), 4096 - bytes));
    w.raw(0x04, 0x7f);
    w.raw(0x20, PTR);
    emitExpr(w, i32.wrap(address));
    emitExpr(w, i32.wrap(i64.shr_u(address, 32)));
    emitExpr(w, i32.const(bytes | (write ? 0x100 : 0) | (stack ? 0x200 : 0)));
    this.callImport(Import.slow);
    w.u8(0x05);
    emitExpr(w, i32.add(i32.wrap(address), node('i32', Load.i32, [entry], tlb + 8)));
    w.u8(0x0b);
    const n = this.locals.take('i32');
    w.u8(0x21);
    w.uleb(n);
    return node('i32', 0x20, [], n);
  }

  /** Completes a store that went to the scratch field. */
  private commit(host: I32): void {
    emitExpr(this.w, i32.lt_u(host, STATE_END));
    this.w.raw(0x04, VOID);
    this.callImport(Import.commit);
    this.w.u8(0x0b);
  }

  private stackAddress(top: I64, bytes: number, write: boolean): I64 {
    const { w } = this;
    emitExpr(w, i32.and(this.field8(Rec.flags), RecordFlag.Checked));
    w.raw(0x04, 0x7e);
    w.raw(0x20, PTR);
    emitExpr(w, i32.wrap(top));
    emitExpr(w, i32.const(bytes | (write ? 0x100 : 0)));
    this.callImport(Import.stack);
    w.u8(0xad);
    w.u8(0x05);
    emitExpr(w, top);
    w.u8(0x0b);
    const n = this.locals.take('i64');
    w.u8(0x21);
    w.uleb(n);
    return node('i64', 0x20, [], n);
  }

  private callImport(n: number): void {
    this.w.u8(0x10);
    this.w.uleb(n);
  }

  private storeRegister(bits: number, address: I32, v: Int, offset = 0): void {
    if (bits === 32) this.storeAt(64, address, zeroExtend(v), offset);
    else this.storeAt(bits, address, v, offset);
  }

  private storeAt(bits: number, address: I32, v: Int, offset = 0): void {
    emitExpr(this.w, address);
    emitExpr(this.w, v);
    const op64 = v.type === 'i64';
    if (bits === 8) this.w.u8(op64 ? 0x3c : 0x3a);
    else if (bits === 16) this.w.u8(op64 ? 0x3d : 0x3b);
    else if (bits === 32) this.w.u8(op64 ? 0x3e : 0x36);
    else if (op64) this.w.u8(0x37);
    else throw new Error(`${this.variant.row.row.name}: an i32 value for 64 bits`);
    this.w.u8(0);
    this.w.uleb(offset);
  }

  private storeV128(address: I32, v: V128, offset: number): void {
    emitExpr(this.w, address);
    emitExpr(this.w, v);
    this.w.raw(0xfd, 0x0b, 0);
    this.w.uleb(offset);
  }

  /** MMX instructions set TOP = 0 and mark all registers in use; Intel SDM vol. 1, 9.5.1. */
  private enterMmx(): void {
    this.set('fsw', i32.and(this.get('fsw') as I32, ~0x3800));
    this.set('ftw', i32.const(0xff));
  }
}

const ptr = (): I32 => node('i32', 0x20, [], PTR);

function masked(bits: number, v: I32): I32 {
  return bits === 32 ? v : i32.and(v, (1 << bits) - 1);
}

function loadAt(bits: number, address: I32, offset = 0): Int {
  switch (bits) {
    case 8:
      return node('i32', Load.u8, [address], offset);
    case 16:
      return node('i32', Load.u16, [address], offset);
    case 32:
      return node('i32', Load.i32, [address], offset);
    case 64:
      return node('i64', Load.i64, [address], offset);
    default:
      throw new Error(`no integer of ${bits} bits`);
  }
}
