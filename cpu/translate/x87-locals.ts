/**
 * The x87 registers in a region's locals. TOP and the tags are constants while the region is built: it is made for what
 * they are at its start, and wherever control comes together they have to be the same. MMX and what stores or loads the
 * whole state are left to the interpreter in regions with x87 instructions.
 */
import { type I32, type I64, i32, i64 } from '../ir/expr.ts';
import type { KnownX87, Number80 } from '../ir/known-x87.ts';
import { isOrdinary } from '../isa/x87-known-arith.ts';
import { SW_C1, SW_ES } from '../isa/x87-state.ts';
import { CONTROL_FIELDS, CONTROL_PLAIN } from '../runtime/x87-arith.ts';
import { State } from '../state.ts';
import { local, type RegionCode } from './region-code.ts';

const TOP = 0x3800;
const EMPTY = 0xff;

/** What a region asks of the x87: nothing, that it is not of the plain kind, or TOP (from bit 8) and tags. */
export const X87_ANY = -1;
export const X87_OTHER = -2;

/** TOP and tags, or X87_OTHER when precision, rounding, masks or pending exceptions are not the ordinary ones. */
export function shapeOfX87(fcw: number, fsw: number, ftw: number): number {
  const plain = (fcw & CONTROL_FIELDS) === CONTROL_PLAIN && !(fsw & SW_ES);
  return plain ? (((fsw >> 11) & 7) << 8) | (ftw & 0xff) : X87_OTHER;
}

/** Control comes together with different TOPs or tags, or the stack overflows: the interpreter has to do it. */
export class X87Mismatch extends Error {}

interface Register {
  readonly m: number;
  readonly se: number;
}

/** What leaves and refuses an instruction. */
export interface X87Exits {
  leave(): void;
  refuse(): never;
  thisRip(): I64;
}

export class X87Locals implements KnownX87 {
  /** Is there any x87 instruction in the region? */
  readonly active: boolean;
  readonly entry: number;
  private readonly code: RegionCode;
  private readonly exits: X87Exits;
  private readonly registers = new Map<number, Register>();
  private readonly written = new Set<number>();
  /** TOP and tags now, and at the start of the block. */
  private shape: number;
  private first: number;
  /** By address: what they have to be at the start of a block. */
  private readonly edges = new Map<number, number>();
  /** Physical registers that hold a normal number or zero. */
  private readonly ordinary = new Set<number>();
  /** Those with an exponent like a double's. */
  private readonly near = new Set<number>();
  /** Registers that are taken for such as long as nothing is written to them, and those where that was of use. */
  private assumed = new Set<number>();
  private readonly relied = new Set<number>();
  private readonly locals: { shape: number; rest: number; c1: number; lost: number; fip: number };

  constructor(code: RegionCode, exits: X87Exits, entry: number, active: boolean) {
    this.code = code;
    this.exits = exits;
    this.entry = entry;
    this.active = active;
    this.shape = entry;
    this.first = entry;
    const all = { shape: -1, rest: -1, c1: -1, lost: -1, fip: -1 };
    this.locals = active
      ? {
          shape: code.reserve('i32'),
          rest: code.reserve('i32'),
          c1: code.reserve('i64'),
          lost: code.reserve('i64'),
          fip: code.reserve('i64'),
        }
      : all;
  }

  // Blocks.

  /** The block at `rip` is about to be built. */
  enter(rip: number, isRoot: boolean): void {
    if (!this.active) return;
    if (isRoot) this.edge(rip, this.entry);
    const shape = this.edges.get(rip);
    if (shape === undefined) throw new X87Mismatch();
    this.first = shape;
  }

  begin(): void {
    this.shape = this.first;
    this.ordinary.clear();
    this.near.clear();
    this.assumed.clear();
  }

  /** A round of a loop begins: takes the registers in use for ordinary, but for some. */
  assume(but: ReadonlySet<number>): void {
    this.relied.clear();
    for (let n = 0; n < 8; n++) if (this.first & (1 << n) && !but.has(n)) this.assumed.add(n);
    for (const n of this.assumed) this.ordinary.add(n);
  }

  /** What was relied on and does not hold here. */
  get broken(): readonly number[] {
    return [...this.relied].filter((n) => !this.ordinary.has(n));
  }

  /** Whether what was relied on does not hold before the loop. */
  get unfit(): I32 {
    const bad = [...this.relied].map((n) => {
      const { m, se } = this.register(n);
      return i32.eqz(isOrdinary({ m: local('i64', m), se: local('i32', se), ordinary: false }));
    });
    return bad.reduce((a, b) => i32.or(a, b), i32.const(0));
  }

  /** Is everything in its place as at the start of the block? */
  get unmoved(): boolean {
    return this.shape === this.first;
  }

  /** Control goes to `rip`; gives what to restore when other blocks have been built in between. */
  leaveTo(rip: number): number {
    if (this.active) this.edge(rip, this.shape);
    return this.shape;
  }

  restore(shape: number): void {
    this.shape = shape;
  }

  private edge(rip: number, shape: number): void {
    const known = this.edges.get(rip) ?? shape;
    if (known !== shape) throw new X87Mismatch();
    this.edges.set(rip, shape);
  }

  // Registers.

  st(i: number): Number80 {
    const n = this.physical(i);
    if (!(this.shape & (1 << n))) throw new X87Mismatch();
    const { m, se } = this.register(n);
    if (this.assumed.has(n)) this.relied.add(n);
    const known = { ordinary: this.ordinary.has(n), near: this.near.has(n) };
    return { m: this.code.read(m, 'i64'), se: this.code.read(se, 'i32'), ...known };
  }

  put(i: number, v: Number80): void {
    const n = this.physical(i);
    const { m, se } = this.register(n);
    this.written.add(n);
    this.assumed.delete(n);
    this.code.assign(m, v.m);
    this.code.assign(se, v.se);
    if (v.ordinary && !this.code.conditional) this.ordinary.add(n);
    else this.ordinary.delete(n);
    if (v.near && !this.code.conditional) this.near.add(n);
    else this.near.delete(n);
    this.change(this.shape | (1 << n));
  }

  push(v: Number80): void {
    if (this.shape & (1 << this.physical(-1))) throw new X87Mismatch();
    this.turn(-1);
    this.put(0, v);
  }

  pop(): void {
    this.change(this.shape & ~(1 << this.physical(0)));
    this.turn(1);
  }

  exchange(i: number): void {
    const { code } = this;
    const [a, b] = [this.st(0), this.st(i)];
    const copy = (v: Number80): Number80 => {
      const m = code.take('i64');
      const se = code.take('i32');
      code.emit(v.m);
      code.set(m);
      code.emit(v.se);
      code.set(se);
      return { ...v, m: local('i64', m), se: local('i32', se) };
    };
    const [x, y] = [copy(a), copy(b)];
    this.put(0, y);
    this.put(i, x);
  }

  empty(i: number): void {
    this.change(this.shape & ~(1 << this.physical(i)));
  }

  rotate(by: number): void {
    this.turn(by);
  }

  // Status.

  rounded(up: I64, lost: I64): void {
    const { code, locals } = this;
    code.emit(up);
    code.set(locals.c1);
    code.emit(i64.or(local('i64', locals.lost), lost));
    code.set(locals.lost);
  }

  exact(): void {
    this.code.emit(i64.const(0));
    this.code.set(this.locals.c1);
  }

  compared(conditions: I32): void {
    const { code, locals } = this;
    code.emit(i32.or(i32.and(local('i32', locals.rest), ~0x4700), conditions));
    code.set(locals.rest);
    this.exact();
  }

  clear(): void {
    const { code, locals } = this;
    code.emit(i32.and(local('i32', locals.rest), 0x7f00));
    code.set(locals.rest);
    code.emit(i64.const(0));
    code.set(locals.lost);
  }

  setControl(cw: I32): void {
    this.code.storeState('i32', State.fcw, () => this.code.emit(cw));
  }

  /** The status word. */
  get status(): I32 {
    return i32.or(this.statusButTop(), ((this.shape >> 8) & 7) << 11);
  }

  get tags(): I32 {
    return i32.const(this.shape & EMPTY);
  }

  private statusButTop(): I32 {
    const { rest, c1, lost } = this.locals;
    const precision = i32.shl(i64.ne(local('i64', lost), 0), 5);
    return i32.or(i32.or(local('i32', rest), precision), i32.shl(i32.wrap(local('i64', c1)), 9));
  }

  note(): void {
    this.code.emit(this.exits.thisRip());
    this.code.set(this.locals.fip);
  }

  leave(): void {
    this.exits.leave();
  }

  refuse(): never {
    return this.exits.refuse();
  }

  // Frame.

  load(): void {
    if (!this.active) return;
    const { code, locals } = this;
    for (const [n, { m, se }] of this.registers) {
      code.loadState('i64', State.st + 16 * n);
      code.set(m);
      code.loadState('i32', State.st + 16 * n + 8);
      code.constant(0xffff);
      code.op(0x71);
      code.set(se);
    }
    code.constant(this.entry);
    code.set(locals.shape);
    code.loadState('i32', State.fsw);
    code.set(locals.rest);
    code.emit(i64.extend_u(i32.and(i32.shr_u(local('i32', locals.rest), 9), 1)));
    code.set(locals.c1);
    code.emit(i32.and(local('i32', locals.rest), 0xffff & ~(TOP | SW_C1)));
    code.set(locals.rest);
    code.loadState('i64', State.fip);
    code.set(locals.fip);
  }

  store(): void {
    if (!this.active) return;
    const { code, locals } = this;
    for (const n of this.written) {
      const { m, se } = this.register(n);
      code.storeState('i64', State.st + 16 * n, () => code.get(m));
      code.constant(0);
      code.get(se);
      code.op(0x3b, 0);
      code.w.uleb(State.st + 16 * n + 8);
    }
    const shape = local('i32', locals.shape);
    code.storeState('i32', State.ftw, () => code.emit(i32.and(shape, EMPTY)));
    const top = i32.and(i32.shl(shape, 3), TOP);
    code.storeState('i32', State.fsw, () => code.emit(i32.or(this.statusButTop(), top)));
    code.storeState('i64', State.fip, () => code.get(locals.fip));
  }

  private physical(i: number): number {
    return ((this.shape >> 8) + i) & 7;
  }

  private turn(by: number): void {
    this.change((this.shape & EMPTY) | ((((this.shape >> 8) + by) & 7) << 8));
  }

  private change(shape: number): void {
    if (shape === this.shape) return;
    this.shape = shape;
    this.code.constant(shape);
    this.code.set(this.locals.shape);
  }

  private register(n: number): Register {
    let r = this.registers.get(n);
    if (!r) {
      r = { m: this.code.reserve('i64'), se: this.code.reserve('i32') };
      this.registers.set(n, r);
    }
    return r;
  }
}
