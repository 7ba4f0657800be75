/**
 * The builder through which a row says what its instruction does. A row sees operands by their number and never knows
 * whether they come from an op record (interpreter) or are constants (translator).
 *
 * Order matters: `read`, `load` and the like take effect where they are called. Do every access that can fault before
 * the first side effect (`write` to a register, `setFlags`): a memory destination is written before registers and flags.
 */
import type { HelperContext } from '../interp/helper-context.ts';
import type { F32, F64, I32, I64, Int, IntLike, V128 } from './expr.ts';
import type { Builder } from './function.ts';
import type { KnownFloats } from './known-floats.ts';
import type { KnownX87 } from './known-x87.ts';

/** Number of a 16-byte lane in a vector register. */
export type Lane = 0 | 1 | 2 | 3;

export interface Ops extends Builder {
  /** The operand-size attribute: 16, 32 or 64. */
  readonly size: 16 | 32 | 64;
  /** Vector length in 16-byte lanes; 2 for VEX.256, 4 only under EVEX. */
  readonly lanes: 1 | 2 | 4;
  /** Code whose segments are not flat, or with AC set: see interp/variant.ts. */
  readonly checked: boolean;
  /** VEX or EVEX encoded: writes to a vector register clear what is above the vector length (done by `writeVector`). */
  readonly vex: boolean;
  /** Size in bits of operand `i`. */
  bits(i: number): number;
  isMemory(i: number): boolean;

  /** Operand `i`: i32, zero-extended, up to 32 bits; i64 for 64 bits. Immediates are sign-extended to the operand size. */
  read(i: number): Int;
  write(i: number, v: Int): void;
  /** Reads, then writes what `f` makes of it; memory is checked for writing first. Returns the new value. */
  modify(i: number, f: (old: Int) => Int): Int;
  /** Linear address of memory operand `i`; only the offset for `addressOnly` rows. */
  address(i: number): I64;

  /** A 16-byte lane of a vector operand; a memory operand smaller than 16 bytes is zero-extended. */
  readVector(i: number, lane?: Lane): V128;
  /** Writes a lane; register: the rest of the register is kept (SSE) or cleared (VEX, above the vector length). */
  writeVector(i: number, v: V128, lane?: Lane): void;
  /** Vector register by number, and a lane of it, whatever the operands are. */
  vector(n: number, lane?: Lane): V128;
  setVector(n: number, v: V128, lane?: Lane): void;
  readF32(i: number): F32;
  readF64(i: number): F64;

  /** General register by number (0 = rAX ... 15); 8 bits means the low byte. */
  register(n: number, bits: number): Int;
  /** 32-bit writes clear the upper half, narrower ones keep the rest. */
  setRegister(n: number, bits: number, v: Int): void;

  /** An 80-bit number in memory: one access of ten bytes. */
  readExtended(i: number): { readonly significand: I64; readonly signExponent: I32 };
  /** The number of an x87 register in the instruction's second byte: the `i` of ST(i). */
  stackIndex(): I32;

  /** `n` bytes behind an address, as the address size wraps: for an operand of more accesses than one. */
  further(address: I64, n: number): I64;
  /** At an address made from `address` (or a segment base below). `extra`: in ES, the destination of string instructions. */
  load(bits: 8 | 16 | 32 | 64, address: I64, extra?: boolean): Int;
  store(bits: 8 | 16 | 32 | 64, address: I64, v: Int, extra?: boolean): void;
  loadVector(address: I64): V128;
  storeVector(address: I64, v: V128): void;
  /** In checked code, faults as the segment of an access has it, without regard to pages. */
  checkAddress(address: I64, bytes: number, write: boolean): I64;
  /** Faults as a store of `bytes` bytes would. */
  probe(address: I64, bytes: number): void;
  /** Stores at the top of the stack and then commits RSP. Width in bits. */
  push(bits: 16 | 32 | 64, v: Int): void;
  /** Loads from the top of the stack; RSP moves when `commit` is called. */
  pop(bits: 16 | 32 | 64): { readonly value: Int; commit(): void };

  /** Lazy flags, see ../flags.ts, whose functions rows use. */
  setFlags(result: I64, aux: I32): void;
  flagResult(): I64;
  flagAux(): I32;
  /** A tier that keeps the operands of `r = a + b` or `a - b` takes them in place of `setFlags`. */
  keepFlags?(kind: 'add' | 'sub', bits: number, a: Int, b: Int, r: Int): boolean;
  /** The same for a comparison of two numbers that sets ZF and CF and clears the others. */
  keepOrder?(a: F64, b: F64): boolean;
  /** Such a tier keeps CF, and OF if it is given, apart from the others. */
  keepCarries?(cf: I32, of?: I32): boolean;
  /** Such a tier's condition number `cc`, where it is had more directly than from the flags. */
  condition?(cc: number): I32 | undefined;

  /** For a tier whose code is made for what MXCSR holds. */
  readonly floats?: KnownFloats | undefined;
  /** For one whose code is made for what TOP, the tags and the control word are. */
  readonly x87?: KnownX87 | undefined;

  /** Loads from an offset in the stack segment. */
  loadStack(bits: 16 | 32 | 64, offset: I64): Int;

  raise(vector: number, errorCode?: IntLike): void;
  /** RIP of this instruction. */
  thisRip(): I64;
  /** RIP after this instruction, as it is seen by the program (32 or 16 bits outside 64-bit mode). */
  nextRip(): I64;
  /**
   * Faults when the branch (or a jump to `rip`) would leave the code segment. `branch` and `jump` do so by themselves: this
   * is for instructions that do something before.
   */
  checkTarget(rip?: I64): void;
  /** Relative branch to operand J, when the condition holds. Ends the block. */
  branch(condition?: I32): void;
  /** Jump to an address in CS. Ends the block. */
  jump(rip: I64): void;
  /**
   * A tier that knows most targets of `jump` finds out by itself whether a target is canonical, when it is none of those: RSP,
   * all that may have changed by then, is what it is now.
   */
  canonicalLater?(): boolean;
  /** Goes on after this instruction through the run loop: TF or the mode changed. Ends the block. */
  leave(): void;
  /** Base of the segment of the memory operand, or of DS or its override in string instructions. */
  segmentBase(): I64;
  /** Base of ES, for the destination of string instructions. */
  extraBase(): I64;
  /** 2^16-1, 2^32-1 or 2^64-1 by the address size. */
  addressMask(): I64;
  /** Runs a meaning, or the part of one that is rare, in TypeScript. */
  helper(run: (h: HelperContext) => void): void;
}
