/** The code of one handler under construction: locals, fields of the op record, and memory through the TLB. */
import {
  type Expr,
  type I32,
  type I64,
  type Int,
  i32,
  i64,
  node,
  type Type,
  type V128,
  zeroExtend,
} from '../ir/expr.ts';
import type { Variable } from '../ir/function.ts';
import { READ_TLB, STATE_END, WRITE_TLB } from '../state.ts';
import { emitExpr, Load } from '../wasm/emit.ts';
import type { ByteWriter } from '../wasm/writer.ts';
import { AccessInfo, Rec, RecordFlag } from './record.ts';

/** Function numbers of the imports, the same in every module. */
export const Import = { slow: 0, commit: 1, raise: 2, helper: 3, check: 4, resolve: 5 } as const;

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

const VOID = 0x40;
/** The local that holds the record's address: the first one, in the main function and in those of their own. */
export const RECORD_LOCAL = 0;

export class HandlerCode {
  readonly w: ByteWriter;
  readonly locals: Locals;
  /** WebAssembly blocks opened since the handler began. */
  depth = 0;
  /** The handler has left on all paths. */
  ended = false;

  constructor(w: ByteWriter, locals: Locals) {
    this.w = w;
    this.locals = locals;
  }

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

  field8(at: number): I32 {
    return node('i32', Load.u8, [ptr()], at);
  }

  field16(at: number): I32 {
    return node('i32', Load.u16, [ptr()], at);
  }

  field32(at: number): I32 {
    return node('i32', Load.i32, [ptr()], at);
  }

  field64(at: number): I64 {
    return node('i64', Load.i64, [ptr()], at);
  }

  /** Address of register operand `i`. */
  slot(i: number): I32 {
    return this.field16(Rec.operand + 2 * i);
  }

  /** A linear address through the TLB; the miss goes to TypeScript, which gives a host address as well. */
  translate(address: I64, bytes: number, write: boolean, stack = false, masked = false): I32 {
    const { w } = this;
    const tlb = write ? WRITE_TLB : READ_TLB;
    const entry = this.let(i32.and(i32.wrap(i64.shr_u(address, 8)), 0xfff0));
    const tag: I64 = node('i64', Load.i64, [entry], tlb);
    emitExpr(w, i64.gt_u(i64.xor(tag, address), 4096 - bytes));
    w.raw(0x04, 0x7f);
    w.raw(0x20, RECORD_LOCAL);
    emitExpr(w, i32.wrap(address));
    emitExpr(w, i32.wrap(i64.shr_u(address, 32)));
    emitExpr(w, i32.const(bytes | (write ? 0x100 : 0) | (stack ? 0x200 : 0) | (masked ? 0x400 : 0)));
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
  commit(host: I32): void {
    emitExpr(this.w, i32.lt_u(host, STATE_END));
    this.w.raw(0x04, VOID);
    this.callImport(Import.commit);
    this.w.u8(0x0b);
  }

  /** Linear address of an offset in the stack segment. */
  stackAddress(top: I64, bytes: number, write: boolean): I64 {
    const { w } = this;
    emitExpr(w, i32.and(this.field8(Rec.flags), RecordFlag.Checked));
    w.raw(0x04, 0x7e);
    this.check(top, bytes | (write ? AccessInfo.Write : 0) | AccessInfo.Stack);
    w.u8(0x05);
    emitExpr(w, top);
    w.u8(0x0b);
    return this.takeI64();
  }

  /** Linear address of an offset in the segment of the memory operand, or in ES. */
  checkedAddress(offset: I64, info: number): I64 {
    this.check(offset, info);
    return this.takeI64();
  }

  private check(offset: I64, info: number): void {
    this.w.raw(0x20, RECORD_LOCAL);
    emitExpr(this.w, offset);
    emitExpr(this.w, i32.const(info));
    this.callImport(Import.check);
  }

  private takeI64(): I64 {
    const n = this.locals.take('i64');
    this.w.u8(0x21);
    this.w.uleb(n);
    return node('i64', 0x20, [], n);
  }

  /** The host address for some elements of a vector operand, whose segment is checked for each of them. */
  maskedHost(offset: I64, bytes: number, write: boolean): I32 {
    this.w.raw(0x20, RECORD_LOCAL);
    emitExpr(this.w, i32.wrap(offset));
    emitExpr(this.w, i32.wrap(i64.shr_u(offset, 32)));
    emitExpr(this.w, i32.const(bytes | (write ? 0x100 : 0) | 0xc00));
    this.callImport(Import.slow);
    const n = this.locals.take('i32');
    this.w.u8(0x21);
    this.w.uleb(n);
    return node('i32', 0x20, [], n);
  }

  callImport(n: number): void {
    this.w.u8(0x10);
    this.w.uleb(n);
  }

  storeRegister(bits: number, address: I32, v: Int, offset = 0): void {
    if (bits === 32) this.storeAt(64, address, zeroExtend(v), offset);
    else this.storeAt(bits, address, v, offset);
  }

  storeAt(bits: number, address: I32, v: Int, offset = 0): void {
    emitExpr(this.w, address);
    emitExpr(this.w, v);
    const op64 = v.type === 'i64';
    if (bits === 8) this.w.u8(op64 ? 0x3c : 0x3a);
    else if (bits === 16) this.w.u8(op64 ? 0x3d : 0x3b);
    else if (bits === 32) this.w.u8(op64 ? 0x3e : 0x36);
    else if (op64) this.w.u8(0x37);
    else throw new Error('an i32 value for 64 bits');
    this.w.u8(0);
    this.w.uleb(offset);
  }

  storeV128(address: I32, v: V128, offset: number): void {
    emitExpr(this.w, address);
    emitExpr(this.w, v);
    this.w.raw(0xfd, 0x0b, 0);
    this.w.uleb(offset);
  }
}

const ptr = (): I32 => node('i32', 0x20, [], RECORD_LOCAL);

export function masked(bits: number, v: I32): I32 {
  return bits === 32 ? v : i32.and(v, (1 << bits) - 1);
}

export function loadAt(bits: number, address: I32, offset = 0): Int {
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
