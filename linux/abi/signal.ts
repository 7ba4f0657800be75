/** include/uapi/asm-generic/signal.h, siginfo.h, arch/x86/include/uapi/asm/signal.h and the ia32 counterparts. */
import { struct } from './struct.ts';

export const SIGHUP = 1,
  SIGINT = 2,
  SIGQUIT = 3,
  SIGILL = 4,
  SIGTRAP = 5,
  SIGABRT = 6,
  SIGBUS = 7,
  SIGFPE = 8;
export const SIGKILL = 9,
  SIGUSR1 = 10,
  SIGSEGV = 11,
  SIGUSR2 = 12,
  SIGPIPE = 13,
  SIGALRM = 14,
  SIGTERM = 15;
export const SIGSTKFLT = 16,
  SIGCHLD = 17,
  SIGCONT = 18,
  SIGSTOP = 19,
  SIGTSTP = 20,
  SIGTTIN = 21,
  SIGTTOU = 22;
export const SIGURG = 23,
  SIGXCPU = 24,
  SIGXFSZ = 25,
  SIGVTALRM = 26,
  SIGPROF = 27,
  SIGWINCH = 28,
  SIGIO = 29;
export const SIGPWR = 30,
  SIGSYS = 31,
  SIGRTMIN = 32,
  NSIG = 64;

/** Names for logs and strace lines; index is the number. */
export const SIGNAL_NAMES: readonly string[] = (
  '- HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP ' +
  'TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
)
  .split(' ')
  .map((name) => (name === '-' ? '0' : `SIG${name}`));

export const signalName = (sig: number): string =>
  SIGNAL_NAMES[sig] ?? (sig >= SIGRTMIN && sig <= NSIG ? `SIGRT_${sig - SIGRTMIN}` : String(sig));

export const SA_NOCLDSTOP = 0x1,
  SA_NOCLDWAIT = 0x2,
  SA_SIGINFO = 0x4;
/** Patch 0006, arch/x86/include/asm/signal.h (kernel only). */
export const SA_X32_ABI = 0x0100_0000,
  SA_IA32_ABI = 0x0200_0000;
/** si_code of SIGSYS. */
export const SYS_SECCOMP = 1;
export const SA_RESTORER = 0x0400_0000,
  SA_ONSTACK = 0x0800_0000,
  SA_RESTART = 0x1000_0000;
export const SA_NODEFER = 0x4000_0000,
  SA_RESETHAND = 0x8000_0000;

export const SIG_DFL = 0n,
  SIG_IGN = 1n;
export const SIG_BLOCK = 0,
  SIG_UNBLOCK = 1,
  SIG_SETMASK = 2;

export const SS_ONSTACK = 1,
  SS_DISABLE = 2,
  SS_AUTODISARM = 0x8000_0000;
export const MINSIGSTKSZ = 2048;

/** si_code values, include/uapi/asm-generic/siginfo.h. */
export const SI_USER = 0,
  SI_KERNEL = 0x80,
  SI_QUEUE = -1,
  SI_TIMER = -2,
  SI_MESGQ = -3,
  SI_ASYNCIO = -4;
export const SI_SIGIO = -5,
  SI_TKILL = -6;
export const ILL_ILLOPN = 2,
  FPE_INTDIV = 1,
  FPE_INTOVF = 2,
  FPE_FLTDIV = 3,
  FPE_FLTOVF = 4;
export const FPE_FLTUND = 5,
  FPE_FLTRES = 6,
  FPE_FLTINV = 7;
export const SEGV_MAPERR = 1,
  SEGV_ACCERR = 2,
  BUS_ADRALN = 1,
  BUS_ADRERR = 2;
export const TRAP_BRKPT = 1,
  TRAP_TRACE = 2,
  TRAP_HWBKPT = 4;
export const CLD_EXITED = 1,
  CLD_KILLED = 2,
  CLD_DUMPED = 3,
  CLD_TRAPPED = 4,
  CLD_STOPPED = 5,
  CLD_CONTINUED = 6;
export const POLL_IN = 1,
  POLL_OUT = 2,
  POLL_MSG = 3,
  POLL_ERR = 4,
  POLL_PRI = 5,
  POLL_HUP = 6;

/**
 * `siginfo_t` as the kernel holds it: plain data; which members count follows `layout`, the union member that
 * Linux 4.7 finds through the upper half of si_code (`__SI_KILL` ...). Both user layouts are made in signal/siginfo.ts.
 */
export interface SigInfo {
  signo: number;
  errno: number;
  code: number;
  layout: 'kill' | 'timer' | 'poll' | 'fault' | 'chld' | 'rt' | 'sys';
  /** kill, rt, chld */
  pid?: number;
  uid?: number;
  /** rt, timer: sigval */
  value?: bigint;
  /** timer */
  tid?: number;
  overrun?: number;
  /** chld */
  status?: number;
  utime?: number;
  stime?: number;
  /** fault */
  addr?: bigint;
  addrLsb?: number;
  /** poll */
  band?: number;
  fd?: number;
  /** sys */
  callAddr?: bigint;
  syscall?: number;
  arch?: number;
  /** The 128 bytes that user space gave to rt_sigqueueinfo(), copied out as they are when si_code < 0. */
  raw?: Uint8Array;
}

/** struct kernel_sigaction of rt_sigaction(2), 64-bit and x32. */
export const kernel_sigaction = struct('kernel_sigaction', [
  ['handler', 'u64'],
  ['flags', 'u64'],
  ['restorer', 'u64'],
  ['mask', 'u64'],
]);
/** struct compat_sigaction: i386 rt_sigaction(2). */
export const compat_sigaction = struct(
  'compat_sigaction',
  [
    ['handler', 'u32'],
    ['flags', 'u32'],
    ['restorer', 'u32'],
    ['mask', 'u64'],
  ],
  { align: 4 },
);
/** struct compat_old_sigaction: i386 sigaction(2). */
export const compat_old_sigaction = struct('compat_old_sigaction', [
  ['handler', 'u32'],
  ['mask', 'u32'],
  ['flags', 'u32'],
  ['restorer', 'u32'],
]);
export const stack_t = struct('stack_t', [
  ['ss_sp', 'u64'],
  ['ss_flags', 'i32'],
  ['_pad', 'u32'],
  ['ss_size', 'u64'],
]);
export const compat_stack_t = struct('compat_stack_t', [
  ['ss_sp', 'u32'],
  ['ss_flags', 'i32'],
  ['ss_size', 'u32'],
]);
/** sizeof(siginfo_t) in every ABI. */
export const SIGINFO_SIZE = 128;

export const sigmask = (sig: number): bigint => 1n << BigInt(sig - 1);
/** SIG_KERNEL_ONLY_MASK: cannot be caught, blocked or ignored. */
export const SIG_KERNEL_ONLY = sigmask(SIGKILL) | sigmask(SIGSTOP);
export const SIG_KERNEL_STOP = sigmask(SIGSTOP) | sigmask(SIGTSTP) | sigmask(SIGTTIN) | sigmask(SIGTTOU);
export const SIG_KERNEL_IGNORE = sigmask(SIGCONT) | sigmask(SIGCHLD) | sigmask(SIGWINCH) | sigmask(SIGURG);
export const SIG_KERNEL_COREDUMP =
  sigmask(SIGQUIT) |
  sigmask(SIGILL) |
  sigmask(SIGTRAP) |
  sigmask(SIGABRT) |
  sigmask(SIGFPE) |
  sigmask(SIGSEGV) |
  sigmask(SIGBUS) |
  sigmask(SIGSYS) |
  sigmask(SIGXCPU) |
  sigmask(SIGXFSZ);
/** SYNCHRONOUS_MASK: dequeued first. */
export const SIG_SYNCHRONOUS =
  sigmask(SIGSEGV) | sigmask(SIGBUS) | sigmask(SIGILL) | sigmask(SIGTRAP) | sigmask(SIGFPE) | sigmask(SIGSYS);
