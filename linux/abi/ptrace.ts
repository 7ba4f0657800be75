/** arch/x86/include/uapi/asm/ptrace.h and ptrace-abi.h: register images. The requests come with ptrace(2). */
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
