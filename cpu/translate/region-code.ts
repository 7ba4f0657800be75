/**
 * The code of a region under construction: locals, registers in locals, control constructs.
 *
 * A read of a register is not copied: the expression names the register's local. Only when the register is written while
 * such expressions are still about are they turned to a copy, made just before.
 */
import { type Expr, type I32, type I64, i32, i64, node, type Type } from '../ir/expr.ts';
import type { Variable } from '../ir/function.ts';
import { State, WINDOWS } from '../state.ts';
import { emitExpr } from '../wasm/emit.ts';
import { ByteWriter } from '../wasm/writer.ts';
import { fold } from './fold.ts';
import { VectorRegisters } from './vector-registers.ts';
import { WindowEntry } from './windows.ts';

export const VOID = 0x40;
/** Locals with a place of their own; the general registers are 0 to 15. */
export const Local = { flagKind: 16, flagA: 17, flagB: 18, budget: 19, dispatch: 20, exit: 21, flagCarry: 22 } as const;
const FIXED: readonly Type[] = [...Array(16).fill('i64'), 'i32', 'i64', 'i64', 'i32', 'i32', 'i32', 'i32'];

/** Bounds and addend of a window. */
export interface WindowLocals {
  readonly low: number;
  readonly length: number;
  readonly groupLength: number;
  readonly addend: number;
}

interface Read {
  /** The expression, whose local may change. */
  readonly expr: { value: number };
  readonly level: number;
}
/** A condition or loop whose body is under construction. */
interface Frame {
  /** What has to run before it. */
  readonly prelude: ByteWriter;
  readonly level: number;
}

export class RegionCode {
  w = new ByteWriter();
  readonly types: Type[] = [...FIXED];
  /** WebAssembly constructs open at this place. */
  depth = 0;
  /** Bit n: general register n is used; is written. */
  used = 0;
  written = 0;
  readonly vectors = new VectorRegisters(this);
  /** Locals of the windows in use. */
  readonly windows = new Map<number, WindowLocals>();
  /** The mode is 64-bit: so are addresses, and the windows' bounds. */
  readonly long: boolean;
  private readonly free: number[] = [];
  private temporaries: number[] = [];
  private readonly reads: (Read[] | undefined)[] = [];
  private readonly frames: Frame[] = [];

  constructor(long: boolean) {
    this.long = long;
  }

  /** A scratch local, until `release`. */
  take(type: Type): number {
    for (let k = this.free.length - 1; k >= 0; k--) {
      const n = this.free[k]!;
      if (this.types[n] !== type) continue;
      this.free.splice(k, 1);
      this.temporaries.push(n);
      return n;
    }
    this.types.push(type);
    this.temporaries.push(this.types.length - 1);
    return this.types.length - 1;
  }

  /** A local that stays. */
  reserve(type: Type): number {
    this.types.push(type);
    return this.types.length - 1;
  }

  /** The instruction is done: its scratch locals may be used again, but for those in `kept`. */
  release(kept: readonly Expr[]): void {
    const keep: Expr[] = [];
    for (const e of kept) this.collect(e, keep);
    for (const list of this.reads) {
      if (list === undefined || list.length === 0) continue;
      const left = list.filter(({ expr }) => keep.some((e) => (e as unknown) === expr));
      list.length = 0;
      list.push(...left);
    }
    const still: number[] = [];
    for (const n of this.temporaries) (keep.some((e) => e.value === n) ? still : this.free).push(n);
    this.temporaries = still;
  }

  private collect(e: Expr, into: Expr[]): void {
    if (e.op === 0x20) into.push(e);
    for (const a of e.args) this.collect(a, into);
  }

  emit(e: Expr): void {
    emitExpr(this.w, fold(e));
  }

  op(...bytes: number[]): void {
    for (const b of bytes) this.w.u8(b);
  }

  get(local: number): void {
    this.w.u8(0x20);
    this.w.uleb(local);
  }

  set(local: number): void {
    this.w.u8(0x21);
    this.w.uleb(local);
  }

  constant(v: number): void {
    this.w.u8(0x41);
    this.w.sleb(v);
  }

  call(index: number): void {
    this.w.u8(0x10);
    this.w.uleb(index);
  }

  let<T extends Type>(e: Expr<T>): Expr<T> {
    const f = fold(e);
    if (f.op === 0x20 || f.op === 0x41 || f.op === 0x42) return f;
    const n = this.take(f.type);
    emitExpr(this.w, f);
    this.set(n);
    return node(f.type, 0x20, [], n);
  }

  variable<T extends Type>(init: Expr<T>): Variable<T> {
    const n = this.take(init.type);
    const set = (e: Expr<T>): void => {
      this.emit(e);
      this.set(n);
    };
    set(init);
    return { value: node(init.type, 0x20, [], n), set };
  }

  // Registers in locals.

  /** The value of a register's local, now. */
  read<T extends Type>(local: number, type: T): Expr<T> {
    const expr = { type, op: 0x20, args: [], value: local };
    let list = this.reads[local];
    if (list === undefined) {
      list = [];
      this.reads[local] = list;
    }
    list.push({ expr, level: this.frames.length });
    return expr;
  }

  /** Gives a register's local a new value. */
  assign(local: number, e: Expr): void {
    // The value may be made of the reads that are saved here: it is emitted first.
    emitExpr(this.w, fold(e));
    const list = this.reads[local];
    if (list !== undefined && list.length > 0) {
      const fixed = this.take(this.types[local]!);
      this.saveReads(list, local, fixed);
    }
    this.set(local);
  }

  register(n: number): I64 {
    this.used |= 1 << n;
    return this.read(n, 'i64');
  }

  setRegister(n: number, e: I64): void {
    this.used |= 1 << n;
    this.written |= 1 << n;
    this.assign(n, e);
  }

  /** Is what is being built run only under some condition? */
  get conditional(): boolean {
    return this.frames.length > 0;
  }

  private saveReads(list: Read[], local: number, fixed: number): void {
    let here = false;
    for (const { expr, level } of list) {
      // An expression from outside a condition has to be copied before it.
      if (level < this.frames.length) this.copy(this.frames[level]!.prelude, local, fixed);
      else here = true;
      expr.value = fixed;
    }
    // The value to be assigned is on the stack, which does not matter.
    if (here) this.copy(this.w, local, fixed);
    list.length = 0;
  }

  private copy(w: ByteWriter, from: number, to: number): void {
    w.u8(0x20);
    w.uleb(from);
    w.u8(0x21);
    w.uleb(to);
  }

  private saveAllReads(): void {
    this.reads.forEach((list, local) => {
      if (list === undefined || list.length === 0) return;
      this.saveReads(list, local, this.take(this.types[local]!));
    });
  }

  // Control.

  /** A construct of its own: `body` runs with another writer, so that a prelude can come before it. */
  private framed(body: () => void): { readonly prelude: ByteWriter; readonly body: ByteWriter } {
    const outer = this.w;
    const frame: Frame = { prelude: new ByteWriter(), level: this.frames.length };
    this.frames.push(frame);
    this.depth++;
    this.w = new ByteWriter();
    body();
    const code = this.w;
    this.depth--;
    this.frames.pop();
    this.w = outer;
    return { prelude: frame.prelude, body: code };
  }

  /** @param likely asked when the arms are built: how the condition goes nearly always, if that is known */
  if(condition: I32, then: () => void, otherwise?: () => void, likely?: () => boolean | undefined): void {
    const first = this.framed(then);
    const second = otherwise === undefined ? undefined : this.framed(otherwise);
    this.w.appendCode(first.prelude);
    if (second) this.w.appendCode(second.prelude);
    this.emit(condition);
    const hint = likely?.();
    if (hint !== undefined) this.w.hint(hint);
    this.op(0x04, VOID);
    this.w.appendCode(first.body);
    if (second) {
      this.op(0x05);
      this.w.appendCode(second.body);
    }
    this.op(0x0b);
  }

  loop(body: (again: (condition: I32) => void) => void): void {
    this.saveAllReads();
    const { prelude, body: code } = this.framed(() => {
      const top = this.depth;
      body((condition) => {
        this.emit(condition);
        this.w.u8(0x0d);
        this.w.uleb(this.depth - top);
      });
    });
    this.w.appendCode(prelude);
    this.op(0x03, VOID);
    this.w.appendCode(code);
    this.op(0x0b);
  }

  window(n: number): WindowLocals {
    let w = this.windows.get(n);
    if (!w) {
      const type = this.long ? 'i64' : 'i32';
      const bounds = { low: this.reserve(type), length: this.reserve(type), groupLength: this.reserve(type) };
      w = { ...bounds, addend: this.reserve('i32') };
      this.windows.set(n, w);
    }
    return w;
  }

  /** Loads the windows' locals from their table. */
  loadWindows(): void {
    const type = this.long ? 'i64' : 'i32';
    for (const [n, w] of this.windows) {
      const at = WINDOWS + n * WindowEntry.size;
      for (const field of ['low', 'length', 'groupLength'] as const) {
        this.loadState(type, at + WindowEntry[field]);
        this.set(w[field]);
      }
      this.loadState('i32', at + WindowEntry.addend);
      this.set(w.addend);
    }
  }

  // State in memory.

  loadState(type: 'i32' | 'i64', at: number): void {
    this.constant(0);
    this.op(type === 'i32' ? 0x28 : 0x29, 0);
    this.w.uleb(at);
  }

  /** A store to the state of what `value` puts on the stack. */
  storeState(type: 'i32' | 'i64', at: number, value: () => void): void {
    this.constant(0);
    value();
    this.op(type === 'i32' ? 0x36 : 0x37, 0);
    this.w.uleb(at);
  }

  storeRip(rip: I64): void {
    this.storeState('i64', State.rip, () => this.emit(rip));
  }
}

export const local = <T extends Type>(type: T, n: number): Expr<T> => node(type, 0x20, [], n);
export const zero32 = i32.const(0);
export const zero64 = i64.const(0);
