/** arch/x86/include/asm/thread_info.h: the flags that the model keeps per task. */

/** TIF_*: set and cleared by execve only. */
export const TIF_IA32 = 1 << 17,
  TIF_ADDR32 = 1 << 29,
  TIF_X32 = 1 << 30;
/** A debugger forced RFLAGS.TF. */
export const TIF_FORCED_TF = 1 << 24;

/** TS_COMPAT: a 32-bit system call entry is in progress. */
export const TS_COMPAT = 2;

/** `struct thread_info`. */
export interface ThreadInfo {
  /** TIF_* */
  flags: number;
  /** TS_* */
  status: number;
}

/** Bit 30 of orig_ax: the call came through the x32 numbers. */
export const X32_SYSCALL_BIT = 0x4000_0000;
