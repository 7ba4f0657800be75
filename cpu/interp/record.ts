/** The op record: one decoded instruction in linear memory. A block is a run of records; the last one leaves it. */

export const RECORD_SIZE = 64;

/** Byte offsets in a record. */
export const Rec = {
  /** u16: handler number. */
  handler: 0,
  /** u16: offset of the instruction, and of the one after it, from the start of the block. */
  offset: 2,
  next: 4,
  /** u16: instructions from this one to the end of the block, itself included. In the first record: those of the block. */
  remaining: 6,
  /** i64: immediate, sign-extended; for relative branches the target from the start of the block. */
  imm: 8,
  /** u16 x 4: address in the CPU state of register operand 0..3. */
  operand: 16,
  /** Memory operand: u16 addresses of base and index register, u8 scale, i64 displacement, i64 mask of the address size. */
  base: 24,
  index: 26,
  scale: 28,
  /** u8: RecordFlag. */
  flags: 29,
  /** u16: address of the segment base that `ea` records and string operations add. */
  segmentBase: 30,
  disp: 32,
  mask: 40,
  /** u32: block to go on with after a taken branch and after falling through; 0 until known. */
  taken: 48,
  fallThrough: 52,
  /** u8: raw bytes and numbers for TypeScript handlers. */
  modrm: 56,
  opcode: 57,
  segment: 58,
  length: 59,
  /** i32: second immediate. */
  imm2: 60,
  /** EVEX, which has none: u16 address of the opmask register, u8 rounding control. */
  opmask: 60,
  rounding: 62,
} as const;

export const RecordFlag = {
  /** Accesses to the stack go through the checks of segment and alignment. */
  Checked: 1,
  Rep: 2,
  Repne: 4,
  Long: 8,
} as const;

/**
 * What the generated code says of an access: its bytes (up to 64), and these. `Extra`: in ES, of a string instruction.
 * `Aligned`: #GP when it is not aligned to its size. `Unaligned`: no alignment check.
 */
export const AccessInfo = { Write: 0x100, Stack: 0x200, Extra: 0x400, Aligned: 0x800, Unaligned: 0x1000 } as const;

/** What a handler function tells the main function to do next. */
export const Action = { Continue: 0, Jump: 1, Exit: 2, Leave: 3 } as const;

/** Why the main function returned. */
export const Outcome = { Budget: 0, Leave: 1, Stop: 2, Breakpoint: 3, Exit: 4, Region: 5 } as const;
