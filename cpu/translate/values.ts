/**
 * What a region's builder knows of registers: whether one holds the value that another had, or a fixed distance from it, and
 * how large a number can be. Values are told apart by number.
 */
import type { Expr } from '../ir/expr.ts';
import { Load } from '../wasm/emit.ts';

/** The value of a register: that of some moment, by number, plus `delta`. */
export interface Value {
  readonly version: number;
  readonly delta: number;
  /** The most that it can be, or undefined. */
  readonly bound?: number | undefined;
}

const REGISTERS = 16;

export class Values {
  private readonly long: boolean;
  private versions = 0;
  private values: Value[] = [];
  /** The same at the start of the block. */
  private start: readonly Value[] = [];
  /** The same of scratch locals, within an instruction. */
  private readonly known = new Map<number, Value>();
  private readonly bounds = new Map<number, number>();

  /** @param long addresses are 64 bits wide: additions of 32 bits do not give one */
  constructor(long: boolean) {
    this.long = long;
  }

  /** A block begins, with what is known of the registers from the only block before it. */
  begin(values?: readonly Value[]): void {
    this.endInstruction();
    if (values) this.values = [...values];
    else this.forget();
    this.start = this.all;
  }

  /** Scratch locals will be used for something else. */
  endInstruction(): void {
    this.known.clear();
    this.bounds.clear();
  }

  /** What is known of the registers at this place. */
  get all(): readonly Value[] {
    return [...this.values];
  }

  forget(): void {
    this.values = Array.from({ length: REGISTERS }, () => this.unlike());
  }

  of(register: number): Value {
    return this.values[register]!;
  }

  atStart(register: number): Value {
    return this.start[register]!;
  }

  /** The register that had a value at the start of the block, and its distance from that. */
  sourceOf(value: Value): { readonly register: number; readonly delta: number } | undefined {
    const register = this.start.findIndex((v) => v.version === value.version);
    return register < 0 ? undefined : { register, delta: value.delta - this.start[register]!.delta };
  }

  /** How far a register has moved since the block's start; undefined when it became something else. */
  moved(register: number): number | undefined {
    const [now, then] = [this.of(register), this.atStart(register)];
    return now.version === then.version ? now.delta - then.delta : undefined;
  }

  /** A scratch local holds the expression from here on. */
  name(local: number, e: Expr, value: Value | undefined): void {
    if (value) this.known.set(local, value);
    const bound = this.boundOf(e);
    if (bound !== undefined && e.op !== 0x20) this.bounds.set(local, bound);
  }

  /** A register holds something else from here on; `e` when it is not told under a condition. */
  assign(register: number, value: Value | undefined, bound: number | undefined): void {
    this.values[register] = value ?? { ...this.unlike(), bound };
  }

  /** The most that an unsigned number can be, where that is plain. */
  boundOf(e: Expr): number | undefined {
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
  affineOf(e: Expr): Value | undefined {
    const [a, b] = e.args;
    switch (e.op) {
      case 0x20: {
        const n = e.value as number;
        return n < REGISTERS ? this.values[n] : this.known.get(n);
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

  private unlike(): Value {
    return { version: this.versions++, delta: 0 };
  }
}
