/** What is known of the floating-point values in a region's locals (ir/known-floats.ts). */
import type { Expr, F32, F64, I32 } from '../ir/expr.ts';
import { Known, type KnownFloats } from '../ir/known-floats.ts';
import type { FloatLoads } from './float-loads.ts';
import { MxcsrClass } from './mxcsr.ts';

const BOTH = Known.notDenormal | Known.notNan;

export class FloatFacts implements KnownFloats {
  readonly inexact: boolean;
  readonly leave: () => void;
  private readonly loads: FloatLoads;
  /** Is what is being built run only under some condition? */
  private readonly conditional: () => boolean;
  /** By local: of registers, and of values within an instruction. */
  private readonly registers = new Map<number, number>();
  private readonly scratch = new Map<number, number>();
  /** Locals that are taken for no denormals as long as nothing is written to them, and those where that was of use. */
  private readonly assumed = new Set<number>();
  readonly relied = new Set<number>();

  constructor(mxcsr: MxcsrClass, loads: FloatLoads, leave: () => void, conditional: () => boolean) {
    this.loads = loads;
    this.inexact = mxcsr === MxcsrClass.inexact;
    this.leave = leave;
    this.conditional = conditional;
  }

  knows(v: F32 | F64, what: number): boolean {
    const known = (this.of(v) & what) === what;
    if (known && v.op === 0x20 && this.assumed.has(v.value as number)) this.relied.add(v.value as number);
    return known;
  }

  /** Takes registers' locals for no denormals. */
  assume(locals: Iterable<number>): void {
    this.relied.clear();
    for (const n of locals) {
      this.assumed.add(n);
      this.registers.set(n, Known.notDenormal);
    }
  }

  /** What was relied on and does not hold here. */
  get broken(): readonly number[] {
    return [...this.relied].filter((n) => !(this.registers.get(n)! & Known.notDenormal));
  }

  learn(v: F32 | F64, what: number): void {
    if (v.op !== 0x20 || this.conditional()) return;
    const n = v.value as number;
    const map = this.registers.has(n) ? this.registers : this.scratch;
    map.set(n, (map.get(n) ?? 0) | what);
  }

  /** What is known of a value. */
  of(v: Expr): number {
    switch (v.op) {
      case 0x20:
        return this.registers.get(v.value as number) ?? this.scratch.get(v.value as number) ?? 0;
      case 0xb2: // conversions of integers
      case 0xb4:
      case 0xb7:
      case 0xb9:
        return BOTH;
      case 0x8b: // absolute value and negation
      case 0x8c:
      case 0x99:
      case 0x9a:
      case 0xbb: // a double made of a single
        return this.of(v.args[0]!);
      case 0xbe:
      case 0xbf:
        return ofConstant(v.args[0]!);
      default:
        return 0;
    }
  }

  inMemory(v: F32 | F64): I32 | undefined {
    return this.loads.upper(v);
  }

  /** A register's local has a new value: `v`, if that is said. */
  become(local: number, what: number, v?: Expr): void {
    this.registers.set(local, this.conditional() ? 0 : what);
    this.loads.become(local, this.conditional() ? undefined : v);
    this.assumed.delete(local);
  }

  /** Nothing is known of registers, or what was at the end of the only block before. */
  begin(before?: ReadonlyMap<number, number>): void {
    this.assumed.clear();
    this.loads.forget();
    for (const n of this.registers.keys()) this.registers.set(n, 0);
    for (const [n, what] of before ?? []) this.registers.set(n, what);
    this.endInstruction();
  }

  get all(): ReadonlyMap<number, number> {
    return new Map(this.registers);
  }

  endInstruction(): void {
    this.scratch.clear();
    this.loads.endInstruction();
  }
}

function ofConstant(bits: Expr): number {
  if (bits.op === 0x42) return kind(Number((BigInt.asUintN(64, bits.value as bigint) << 1n) >> 53n), bits.value === 0n);
  if (bits.op === 0x41) return kind(((bits.value as number) >>> 23) & 0xff, bits.value === 0);
  return 0;
}
const kind = (exponent: number, zero: boolean): number => (zero || (exponent > 0 && exponent < 0xff) ? BOTH : 0);
