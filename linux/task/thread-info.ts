/** arch/x86/include/asm/thread_info.h: the flags that the model keeps per task. */

/** TIF_*: set and cleared by execve only. */
export const TIF_IA32 = 1 << 17,
  TIF_ADDR32 = 1 << 29,
  TIF_X32 = 1 << 30;
/** What the tracer wants: stops at system calls, single steps, calls that are not carried out, steps from jump to jump. */
export const TIF_SYSCALL_TRACE = 1 << 0,
  TIF_SINGLESTEP = 1 << 4,
  TIF_SYSCALL_EMU = 1 << 6,
  TIF_BLOCKSTEP = 1 << 25;
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

interface InSyscall {
  readonly threadInfo: ThreadInfo;
  readonly sysNr: number;
}

/** in_ia32_syscall(), arch/x86/include/asm/compat.h. */
export const in_ia32_syscall = (task: InSyscall): boolean => (task.threadInfo.status & TS_COMPAT) !== 0;

/** in_x32_syscall(). */
export const in_x32_syscall = (task: InSyscall): boolean =>
  !in_ia32_syscall(task) && (task.sysNr & X32_SYSCALL_BIT) !== 0;

/** COMPAT_USE_64BIT_TIME is false: structures of times are those of i386. x32 has the 64-bit ones in its compat calls too. */
export const hasCompatTimes = in_ia32_syscall;

/** The call is of the i386 table, or one of 512 to 547 of x32: the layouts are those of compat_sys_*(). */
export const isCompatCall = (task: InSyscall): boolean =>
  in_ia32_syscall(task) || (task.sysNr & ~X32_SYSCALL_BIT) >= 512;
