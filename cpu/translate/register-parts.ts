/** Parts of registers that stand in locals whole. */
import { loadAt } from '../interp/handler-code.ts';
import { type I32, type I64, type Int, i32, i64, node, type V128, zeroExtend } from '../ir/expr.ts';
import type { Builder } from '../ir/function.ts';
import { i64x2 } from '../ir/vector.ts';
import { State } from '../state.ts';
import { Load } from '../wasm/emit.ts';
import type { RegionCode } from './region-code.ts';

/** Where the general registers end in the state, and the vector registers. */
export const GPR_END = State.gpr + 128;
const VECTOR_END = State.vector + 32 * 64;

const SIMD = 0xfd0000;
const EXTRACT32 = SIMD + 0x1b;
/** Opcodes by bits that replace the lowest lane of that width. */
const REPLACE: Readonly<Record<number, number>> = { 8: SIMD + 0x17, 16: SIMD + 0x1a, 32: SIMD + 0x1c, 64: SIMD + 0x1e };

export interface RegisterBuilder extends Pick<Builder, 'let'> {
  /** Gives a general register a new value. */
  assignRegister(n: number, e: I64): void;
}

export class RegisterParts {
  private readonly code: RegionCode;
  private readonly builder: RegisterBuilder;

  constructor(code: RegionCode, builder: RegisterBuilder) {
    this.code = code;
    this.builder = builder;
  }

  /** `bits` bits of the general register at `slot`. */
  get(slot: number, bits: number): Int {
    if (slot >= GPR_END) return this.builder.let(loadAt(bits, i32.const(0), slot));
    const whole = this.code.register((slot - State.gpr) >> 3);
    if (bits === 64) return whole;
    const low = i32.wrap(whole);
    if (bits === 32) return low;
    if (slot & 1) return i32.and(i32.shr_u(low, 8), 0xff);
    return i32.and(low, (1 << bits) - 1);
  }

  set(slot: number, bits: number, v: Int): void {
    const n = (slot - State.gpr) >> 3;
    if (bits === 64) {
      this.builder.assignRegister(n, v as I64);
      return;
    }
    const narrow = v.type === 'i64' ? i32.wrap(v as I64) : (v as I32);
    if (bits === 32) {
      this.builder.assignRegister(n, zeroExtend(narrow));
      return;
    }
    const at = slot & 1 ? 8 : 0;
    const mask = bits === 8 ? 0xff : 0xffff;
    const part = i64.extend_u(i32.shl(i32.and(narrow, mask), at));
    const kept = i64.and(this.code.register(n), i64.const(-1n ^ (BigInt(mask) << BigInt(at))));
    this.builder.assignRegister(n, i64.or(kept, part));
  }

  vectorAt(slot: number, lane: number): V128 {
    if (slot < State.vector || slot >= VECTOR_END) {
      return this.builder.let(node('v128', Load.v128, [i32.const(0)], slot + lane * 16));
    }
    return this.code.vectors.get((slot - State.vector) >> 6, lane);
  }

  setVectorAt(slot: number, lane: number, v: V128): void {
    this.code.vectors.set((slot - State.vector) >> 6, lane, v);
  }

  /** The low bits of a vector register as an integer. */
  vectorPart(slot: number, bits: number): Int {
    const v = this.vectorAt(slot, 0);
    if (bits === 64) return this.builder.let(i64x2.extract(v, 0));
    const low = node('i32', EXTRACT32, [v], 0) as I32;
    return this.builder.let(bits === 32 ? low : i32.and(low, (1 << bits) - 1));
  }

  setVectorPart(slot: number, bits: number, v: Int): void {
    this.setVectorAt(slot, 0, node('v128', REPLACE[bits]!, [this.vectorAt(slot, 0), v], 0));
  }
}
