/** include/uapi/linux/ptrace.h, arch/x86/include/uapi/asm/ptrace-abi.h, asm/user_64.h and asm/user32.h. */
import { struct } from './struct.ts';

/** struct user_regs_struct: 27 words, 216 bytes. */
export const user_regs_struct = struct('user_regs_struct', [
  ['r15', 'u64'],
  ['r14', 'u64'],
  ['r13', 'u64'],
  ['r12', 'u64'],
  ['bp', 'u64'],
  ['bx', 'u64'],
  ['r11', 'u64'],
  ['r10', 'u64'],
  ['r9', 'u64'],
  ['r8', 'u64'],
  ['ax', 'u64'],
  ['cx', 'u64'],
  ['dx', 'u64'],
  ['si', 'u64'],
  ['di', 'u64'],
  ['orig_ax', 'u64'],
  ['ip', 'u64'],
  ['cs', 'u64'],
  ['flags', 'u64'],
  ['sp', 'u64'],
  ['ss', 'u64'],
  ['fs_base', 'u64'],
  ['gs_base', 'u64'],
  ['ds', 'u64'],
  ['es', 'u64'],
  ['fs', 'u64'],
  ['gs', 'u64'],
]);

/** struct user_regs_struct32: 17 words, 68 bytes. */
export const user_regs_struct32 = struct('user_regs_struct32', [
  ['ebx', 'u32'],
  ['ecx', 'u32'],
  ['edx', 'u32'],
  ['esi', 'u32'],
  ['edi', 'u32'],
  ['ebp', 'u32'],
  ['eax', 'u32'],
  ['ds', 'u32'],
  ['es', 'u32'],
  ['fs', 'u32'],
  ['gs', 'u32'],
  ['orig_eax', 'u32'],
  ['eip', 'u32'],
  ['cs', 'u32'],
  ['eflags', 'u32'],
  ['esp', 'u32'],
  ['ss', 'u32'],
]);

/** Note types of register sets, include/uapi/linux/elf.h. */
export const NT_PRSTATUS = 1,
  NT_PRFPREG = 2,
  NT_PRXFPREG = 0x46e6_2b7f,
  NT_386_TLS = 0x200,
  NT_386_IOPERM = 0x201,
  NT_X86_XSTATE = 0x202;

/** FLAG_MASK of arch/x86/kernel/ptrace.c: what a debugger may change. */
export const FLAG_MASK = 0x54dd5n;

/** Offsets and size of `struct user`: only the registers and u_debugreg hold something. */
export const USER_DEBUGREG = 848,
  USER_SIZE = 928;
/** The same of `struct user32`. */
export const USER32_DEBUGREG = 252,
  USER32_SIZE = 284;

export const PTRACE_TRACEME = 0,
  PTRACE_PEEKTEXT = 1,
  PTRACE_PEEKDATA = 2,
  PTRACE_PEEKUSR = 3,
  PTRACE_POKETEXT = 4,
  PTRACE_POKEDATA = 5,
  PTRACE_POKEUSR = 6,
  PTRACE_CONT = 7,
  PTRACE_KILL = 8,
  PTRACE_SINGLESTEP = 9;
export const PTRACE_GETREGS = 12,
  PTRACE_SETREGS = 13,
  PTRACE_GETFPREGS = 14,
  PTRACE_SETFPREGS = 15,
  PTRACE_ATTACH = 16,
  PTRACE_DETACH = 17,
  PTRACE_GETFPXREGS = 18,
  PTRACE_SETFPXREGS = 19,
  PTRACE_OLDSETOPTIONS = 21,
  PTRACE_SYSCALL = 24;
export const PTRACE_GET_THREAD_AREA = 25,
  PTRACE_SET_THREAD_AREA = 26,
  PTRACE_ARCH_PRCTL = 30,
  PTRACE_SYSEMU = 31,
  PTRACE_SYSEMU_SINGLESTEP = 32,
  PTRACE_SINGLEBLOCK = 33;
export const PTRACE_SETOPTIONS = 0x4200,
  PTRACE_GETEVENTMSG = 0x4201,
  PTRACE_GETSIGINFO = 0x4202,
  PTRACE_SETSIGINFO = 0x4203,
  PTRACE_GETREGSET = 0x4204,
  PTRACE_SETREGSET = 0x4205,
  PTRACE_SEIZE = 0x4206,
  PTRACE_INTERRUPT = 0x4207,
  PTRACE_LISTEN = 0x4208,
  PTRACE_PEEKSIGINFO = 0x4209;
export const PTRACE_GETSIGMASK = 0x420a,
  PTRACE_SETSIGMASK = 0x420b,
  PTRACE_SECCOMP_GET_FILTER = 0x420c;

/** struct ptrace_peeksiginfo_args; the same in every ABI. */
export const ptrace_peeksiginfo_args = struct('ptrace_peeksiginfo_args', [
  ['off', 'u64'],
  ['flags', 'u32'],
  ['nr', 'i32'],
]);
export const PTRACE_PEEKSIGINFO_SHARED = 1;

/** PTRACE_EVENT_*. */
export const PTRACE_EVENT_FORK = 1,
  PTRACE_EVENT_VFORK = 2,
  PTRACE_EVENT_CLONE = 3,
  PTRACE_EVENT_EXEC = 4,
  PTRACE_EVENT_VFORK_DONE = 5,
  PTRACE_EVENT_EXIT = 6,
  PTRACE_EVENT_SECCOMP = 7,
  PTRACE_EVENT_STOP = 128;

/** PTRACE_O_*: bit N asks for event N; bit 0 marks the stops of system calls. */
export const PTRACE_O_TRACESYSGOOD = 1,
  PTRACE_O_EXITKILL = 0x10_0000,
  PTRACE_O_SUSPEND_SECCOMP = 0x20_0000,
  PTRACE_O_MASK = 0x30_00ff;

/** task->ptrace, include/linux/ptrace.h: the options stand from bit 3 on. */
export const PT_PTRACED = 1,
  PT_PTRACE_CAP = 4,
  PT_OPT_FLAG_SHIFT = 3,
  PT_SEIZED = 0x1_0000;
export const PT_TRACESYSGOOD = PTRACE_O_TRACESYSGOOD << PT_OPT_FLAG_SHIFT,
  PT_EXITKILL = PTRACE_O_EXITKILL << PT_OPT_FLAG_SHIFT,
  PT_SUSPEND_SECCOMP = PTRACE_O_SUSPEND_SECCOMP << PT_OPT_FLAG_SHIFT;

/** PT_EVENT_FLAG(). */
export const PT_EVENT_FLAG = (event: number): number => 1 << (PT_OPT_FLAG_SHIFT + event);
