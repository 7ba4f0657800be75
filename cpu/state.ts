/**
 * The layout of linear memory. The CPU state lies in the first 64 KiB, so that a register's offset is its address.
 * The fields up to `vector` are a task's context: `CpuContext` saves and restores them as one run of bytes.
 */

const FIELDS = {
  /** rax rcx rdx rbx rsp rbp rsi rdi r8..r15 */
  gpr: 16 * 8,
  rip: 8,
  /** Lazy status flags (flags.ts) and the bits of RFLAGS that are not lazy. */
  flagResult: 8,
  flagAux: 4,
  flagRest: 4,
  /** Selectors, bases, limits (in bytes, inclusive) and attributes (segment.ts); in order es cs ss ds fs gs. */
  selector: 6 * 4,
  segmentLimit: 6 * 4,
  segmentAttributes: 6 * 4,
  segmentBase: 6 * 8,
  /** x87: control and status word (TOP in bits 11-13), tags as in FXSAVE by physical register (1 = in use), last instruction. FCS and FDS are always 0 (cpuid.ts). */
  fcw: 4,
  fsw: 4,
  ftw: 4,
  fop: 4,
  fip: 8,
  fdp: 8,
  /** Physical registers R0..R7, 16 bytes apart: mantissa u64, sign and exponent u16. MMX registers are the mantissas. */
  st: 8 * 16,
  mxcsr: 4,
  pad: 4,
  k: 8 * 8,
  /** zmm0..zmm31, 64 bytes each; xmm and ymm are the low parts. */
  vector: 32 * 64,

  /** More vector registers, of no program: result and up to four operands of meanings in TypeScript. */
  stage: 5 * 64,
  /** Always zero: what an absent base or index register reads. */
  zero: 8,
  /** Linear address left by an `ea` record for the instruction after it. */
  ea: 8,
  /** RIP at the start of the running block; records hold offsets from it. */
  blockRip: 8,
  /** XORed into jump cache tags so that blocks of other modes do not match. */
  modeTag: 8,
  /** What RIP and RSP wrap at: 2^64-1, 2^32-1 or (stack) 2^16-1. */
  ripMask: 8,
  stackMask: 8,
  /** What RIP may not exceed: the limit of CS outside 64-bit mode. */
  codeLimit: 8,
  /** Bits of RSP that stack operations outside the mask keep (only with a 16-bit stack). */
  stackKeep: 8,
  /** Instructions that may still run; goes below zero to stop at the next block. */
  budget: 4,
  /** Instructions of the run that are not in `budget` yet: the interpreter is stopped in between for the translator. */
  reserve: 4,
  /** The mode bits that blocks are keyed by (segment.ts). */
  mode: 4,
  /** Repeated string instructions: 0, or RepeatStep. */
  repeatStep: 4,
  /** Where accesses go that cross a page or are watched; see memory-access.ts. */
  readScratch: 64,
  writeScratch: 64,
} as const;

/** In `repeatStep`: stop after one element; and the answer that there are more to come. */
export const RepeatStep = { One: 1, Unfinished: 2 } as const;

export type StateField = keyof typeof FIELDS;

function layOut(): Readonly<Record<StateField, number>> {
  // A copy has the shape of the literal; what gets so many names one by one becomes a hash table in V8.
  const offsets: Record<StateField, number> = { ...FIELDS };
  let at = 0;
  for (const [name, size] of Object.entries(FIELDS)) {
    const align = size % 64 === 0 ? 64 : size % 8 === 0 ? 8 : 4;
    at = Math.ceil(at / align) * align;
    offsets[name as StateField] = at;
    at += size;
  }
  return offsets;
}

/** Offset of each field. */
export const State = layOut();
export const CONTEXT_SIZE = State.stage;

export const fieldSize = (field: StateField): number => FIELDS[field];
export const gprOffset = (n: number): number => State.gpr + n * 8;
/** Numbers from STAGE on are those of the stage. */
export const STAGE = 32;
export const vectorOffset = (n: number): number => State.vector + n * 64;
export const opmaskOffset = (n: number): number => State.k + n * 8;
export const mmxOffset = (n: number): number => State.st + n * 16;

/** Segment registers by their number in ModRM. */
export const Segment = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5 } as const;
export type Segment = (typeof Segment)[keyof typeof Segment];
export const segmentBaseOffset = (s: number): number => State.segmentBase + s * 8;

/** The regions of linear memory above the state. */
export const TLB_ENTRIES = 4096;
export const TLB_ENTRY_SIZE = 16;
export const READ_TLB = 0x10000;
export const WRITE_TLB = 0x20000;
export const JUMP_CACHE = 0x80000;
export const JUMP_CACHE_ENTRIES = 32768;
export const JUMP_CACHE_ENTRY_SIZE = 16;
/** The windows of the region that is about to run (translate/windows.ts). */
export const WINDOWS = 0x40000;
/** Accesses below this host address went to a scratch field. */
export const STATE_END = 0x10000;
/** What is known of instructions that were decoded before (runtime/known-code.ts). */
export const KNOWN_CLASSES = 0x50000;
export const KNOWN_STATE = 0x52000;
export const RECORDS = 0x100000;
export const RECORDS_END = 0x5d80000;
export const KNOWN_SLOTS = RECORDS_END;
export const KNOWN_SLOTS_LOG2 = 15;
export const TEMPLATES = 0x5e00000;
export const FRAMES = 0x6000000;
export const MEMORY_PAGES = 65536;
export const PAGE_SIZE = 4096;
