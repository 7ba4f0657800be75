/**
 * Why `Cpu.run()` came back. The CPU never calls into an operating system: whatever needs one is an `Exit`.
 *
 * `rip` in the register file points after the instruction for `syscall`, `sysenter`, `interrupt`, `step` and
 * `watchpoint`, and at the instruction for `exception` (a fault), `breakpoint` and `budget`.
 */
export type Exit =
  /** The instruction budget is used up. */
  | { readonly kind: 'budget' }
  /** SYSCALL. RCX and R11 already hold the return RIP and RFLAGS (Intel SDM, SYSCALL). */
  | { readonly kind: 'syscall' }
  /** SYSENTER. */
  | { readonly kind: 'sysenter' }
  /** INT 0x80, INT3 and INT 3, INTO and INT 4, INT1 (vector 1, `icebp`). The gates of other vectors are closed: #GP. */
  | { readonly kind: 'interrupt'; readonly vector: number }
  /** A fault or trap: Intel SDM vol. 3, 6.3. `address` is CR2 for vector 14. TF's trap is vector 1 with `dr6` bit 14. */
  | {
      readonly kind: 'exception';
      readonly vector: number;
      readonly errorCode: number;
      readonly address: bigint;
      readonly dr6?: number;
    }
  /** An execution breakpoint of the debugger: the instruction at RIP has not run. */
  | { readonly kind: 'breakpoint'; readonly address: bigint }
  /** A far transfer or IRET between 64-bit and compatibility mode has completed: CS before and after. */
  | { readonly kind: 'cs-switch'; readonly from: number; readonly to: number }
  /** A data watchpoint of the debugger: the instruction before RIP touched `address`. */
  | { readonly kind: 'watchpoint'; readonly address: bigint; readonly access: 'read' | 'write' };

/** Exception vectors that user mode can meet; Intel SDM vol. 3, table 6-1. */
export const Vector = {
  DE: 0,
  DB: 1,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  XM: 19,
} as const;
