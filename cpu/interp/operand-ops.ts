/**
 * What both builders of instructions have in common: operands in memory, and what rows say in terms of simpler things. `Host`
 * is a checked address, as the builder keeps it.
 */
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
  type Type,
  type V128,
} from '../ir/expr.ts';
import type { Lane } from '../ir/ops.ts';
import { i64x2, lowDouble, lowQuad } from '../ir/vector.ts';
import type { StateField } from '../state.ts';
import type { Form, Variant } from './variant.ts';

export abstract class OperandOps<Host> {
  protected abstract readonly variant: Variant;
  protected touchesMmx = false;

  abstract let<T extends Type>(e: Expr<T>): Expr<T>;
  abstract read(i: number): Int;
  abstract write(i: number, v: Int): void;
  abstract get(field: StateField): Int;
  abstract set(field: StateField, v: Int): void;

  /** Memory operand `i`, checked for the access; once per instruction and kind of access. */
  abstract address(i: number): I64;
  abstract addressMask(): I64;
  protected abstract host(i: number, bytes: number, write: boolean): Host;
  /** An address of the row's own, checked. `extra`: in ES. */
  protected abstract hostOf(address: I64, bytes: number, write: boolean, extra?: boolean): Host;
  protected abstract loadHost(bits: number, host: Host, offset?: number): Int;
  protected abstract storeHost(bits: number, host: Host, v: Int): void;
  protected abstract loadVectorHost(host: Host, offset: number): V128;
  /** `last`: nothing else of the access comes after it. */
  protected abstract storeVectorHost(host: Host, v: V128, offset: number, last: boolean): void;
  /** Operands that are no memory. */
  protected abstract scalarRegister(i: number, bits: number): Int;
  protected abstract vectorRegister(i: number, lane: Lane): V128;
  protected abstract setVectorRegister(i: number, v: V128, lane: Lane): void;

  bits(i: number): number {
    return this.form(i).bits;
  }

  isMemory(i: number): boolean {
    return this.form(i).kind === 'memory';
  }

  protected form(i: number): Form {
    const f = this.variant.forms[i];
    if (!f) throw new Error(`${this.variant.row.row.name}: no operand ${i}`);
    return f;
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

  /** A store to memory operand `i`. */
  protected writeMemory(i: number, v: Int): void {
    const { bits } = this.form(i);
    const value = this.let(v);
    // The processor resets TOP before it finds that a store of an MMX register faults.
    if (this.touchesMmx) this.resetTop();
    this.storeHost(bits, this.host(i, bits >> 3, true), value);
  }

  readVector(i: number, lane: Lane = 0): V128 {
    const { kind, bits } = this.form(i);
    if (kind === 'mmx') return lowQuad(this.read(i) as I64);
    if (kind !== 'memory') return this.vectorRegister(i, lane);
    if (bits === 64) return this.let(lowQuad(this.read(i) as I64));
    if (bits <= 32) return this.let(lowDouble(this.read(i) as I32));
    return this.loadVectorHost(this.host(i, bits >> 3, false), lane * 16);
  }

  writeVector(i: number, v: V128, lane: Lane = 0): void {
    const { kind, bits } = this.form(i);
    if (kind !== 'memory') {
      this.setVectorRegister(i, v, lane);
      return;
    }
    const value = this.let(v);
    const host = this.host(i, bits >> 3, true);
    if (bits === 64) this.storeHost(64, host, i64x2.extract(value, 0));
    else if (bits < 64) this.storeHost(bits, host, i32.wrap(i64x2.extract(value, 0)));
    else this.storeVectorHost(host, value, lane * 16, (lane + 1) * 128 >= bits);
  }

  readF32(i: number): F32 {
    return this.let(f32.reinterpret(this.scalar(i, 32) as I32));
  }

  readF64(i: number): F64 {
    return this.let(f64.reinterpret(this.scalar(i, 64) as I64));
  }

  private scalar(i: number, bits: number): Int {
    return this.isMemory(i) ? this.read(i) : this.scalarRegister(i, bits);
  }

  readExtended(i: number): { readonly significand: I64; readonly signExponent: I32 } {
    if (this.variant.checked) {
      const at = this.let(this.address(i));
      return { significand: this.load(64, at) as I64, signExponent: this.load(16, this.further(at, 8)) as I32 };
    }
    const host = this.host(i, 10, false);
    const significand = this.loadHost(64, host) as I64;
    return { significand, signExponent: this.loadHost(16, host, 8) as I32 };
  }

  further(address: I64, n: number): I64 {
    return i64.and(i64.add(address, n), this.variant.checked ? this.addressMask() : (this.get('ripMask') as I64));
  }

  load(bits: 8 | 16 | 32 | 64, address: I64, extra = false): Int {
    return this.loadHost(bits, this.hostOf(address, bits >> 3, false, extra));
  }

  store(bits: 8 | 16 | 32 | 64, address: I64, v: Int, extra = false): void {
    const value = this.let(v);
    this.storeHost(bits, this.hostOf(address, bits >> 3, true, extra), value);
  }

  loadVector(address: I64): V128 {
    return this.loadVectorHost(this.hostOf(address, 16, false), 0);
  }

  storeVector(address: I64, v: V128): void {
    const value = this.let(v);
    this.storeVectorHost(this.hostOf(address, 16, true), value, 0, true);
  }

  probe(address: I64, bytes: number): void {
    this.hostOf(address, bytes, true);
  }

  /** RIP as the program sees it. */
  protected wrapRip(rip: I64): I64 {
    const { size } = this.variant;
    return size === 64 ? rip : i64.and(rip, size === 32 ? 0xffffffff : 0xffff);
  }

  /** Must vector operands in memory be aligned? */
  protected get isAligned(): boolean {
    const { align } = this.variant.row.row.options;
    return align === 'always' || (align === undefined && !this.variant.row.vex);
  }

  private resetTop(): void {
    this.set('fsw', i32.and(this.get('fsw') as I32, ~0x3800));
  }

  /** MMX instructions set TOP = 0 and mark all registers in use; Intel SDM vol. 1, 9.5.1. */
  protected enterMmx(): void {
    this.resetTop();
    this.set('ftw', i32.const(0xff));
  }
}
