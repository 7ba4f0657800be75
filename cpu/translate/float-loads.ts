/**
 * Where in memory the floating-point values in locals are, as long as they are there for certain: their exponents are looked
 * at there, which takes fewer steps than to take them out of a vector register.
 */
import { type Expr, type I32, node } from '../ir/expr.ts';
import { Load } from '../wasm/emit.ts';
import type { Host } from './addresses.ts';

export class FloatLoads {
  /** By local, the place of the upper 32 bits: of registers, and of values within an instruction. */
  private readonly registers = new Map<number, Host>();
  private readonly scratch = new Map<number, Host>();

  /** A value was loaded. */
  loaded(v: Expr, host: Host): void {
    if (v.op !== 0x20) return;
    this.scratch.set(v.value as number, { ...host, offset: host.offset + (v.type === 'f64' ? 4 : 0) });
  }

  /** The upper 32 bits of a value. */
  upper(v: Expr): I32 | undefined {
    const n = v.op === 0x20 ? (v.value as number) : -1;
    const host = this.scratch.get(n) ?? this.registers.get(n);
    return host && node('i32', Load.i32, [host.base], host.offset);
  }

  /** A register's local has a new value, which may have been loaded. */
  become(local: number, v?: Expr): void {
    const host =
      v?.op === 0x20 ? (this.scratch.get(v.value as number) ?? this.registers.get(v.value as number)) : undefined;
    if (host?.steady) this.registers.set(local, host);
    else this.registers.delete(local);
  }

  /** Memory changes, or blocks do. */
  forget(): void {
    this.registers.clear();
    this.scratch.clear();
  }

  endInstruction(): void {
    this.scratch.clear();
  }
}
