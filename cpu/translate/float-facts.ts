/** What is known of the floating-point values in a region's locals (ir/known-floats.ts). */
import type { F32, F64 } from '../ir/expr.ts';
import type { KnownFloats } from '../ir/known-floats.ts';

export class FloatFacts implements KnownFloats {
  readonly inexact: boolean;
  readonly leave: () => void;
  /** By local. */
  private readonly facts = new Map<number, number>();

  constructor(inexact: boolean, leave: () => void) {
    this.inexact = inexact;
    this.leave = leave;
  }

  knows(v: F32 | F64, what: number): boolean {
    return v.op === 0x20 && ((this.facts.get(v.value as number) ?? 0) & what) === what;
  }

  learn(v: F32 | F64, what: number): void {
    if (v.op !== 0x20) return;
    const n = v.value as number;
    this.facts.set(n, (this.facts.get(n) ?? 0) | what);
  }

  /** Scratch locals get other values from here on. */
  forget(): void {
    this.facts.clear();
  }
}
