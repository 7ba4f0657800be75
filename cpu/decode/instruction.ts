/** A decoded instruction. */
import type { CompiledRow } from './encoding.ts';

/** No prefix names a segment. */
export const NO_SEGMENT = -1;
/** Base register number of RIP-relative addresses. */
export const RIP_BASE = 16;
/** Bytes of the longest instruction. */
export const MAX_LENGTH = 15;

/** A decoded instruction; the decoder fills the same object again and again. */
export class Instruction {
  row!: CompiledRow;
  length = 0;
  /** Bytes before the displacement. */
  head = 0;
  /** Operand-size attribute and address size in bits. */
  size: 16 | 32 | 64 = 32;
  addressSize: 16 | 32 | 64 = 32;
  opcode = 0;
  modrm = 0;
  rex = 0;
  /** Mandatory prefix as a number of PREFIXES. */
  prefix = 0;
  lock = false;
  segment: number = NO_SEGMENT;
  vex = false;
  /** Vector length: 128, 256 or (EVEX) 512 bits. */
  vexL: 0 | 1 | 2 = 0;
  w: 0 | 1 = 0;
  vvvv = 0;
  /** EVEX: aaa, z, b; L'L as rounding control. */
  evex = false;
  opmask = 0;
  zeroing = false;
  b = false;
  rounding = 0;
  reg = 0;
  rm = 0;
  isMemory = false;
  base = -1;
  index = -1;
  scale = 0;
  /** Displacement and immediates as two signed 32-bit halves. */
  disp = 0;
  dispHigh = 0;
  imm = 0;
  immHigh = 0;
  /** Second immediate (ENTER, far pointers). */
  imm2 = 0;

  /** Forgets what prefixes, an address and immediates of the last one said. */
  begin(): void {
    this.lock = false;
    this.segment = NO_SEGMENT;
    this.vex = false;
    this.evex = false;
    this.vexL = 0;
    this.vvvv = 0;
    this.isMemory = false;
    this.base = -1;
    this.index = -1;
    this.scale = 0;
    this.disp = this.dispHigh = this.imm = this.immHigh = this.imm2 = 0;
    this.modrm = 0;
  }
}
