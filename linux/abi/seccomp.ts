/** include/uapi/linux/seccomp.h, audit.h and bpf_common.h. */
import { struct } from './struct.ts';

export const SECCOMP_MODE_DISABLED = 0,
  SECCOMP_MODE_STRICT = 1,
  SECCOMP_MODE_FILTER = 2;
export const SECCOMP_SET_MODE_STRICT = 0,
  SECCOMP_SET_MODE_FILTER = 1;
export const SECCOMP_FILTER_FLAG_TSYNC = 1;

export const SECCOMP_RET_KILL = 0,
  SECCOMP_RET_TRAP = 0x3_0000,
  SECCOMP_RET_ERRNO = 0x5_0000,
  SECCOMP_RET_TRACE = 0x7ff0_0000,
  SECCOMP_RET_ALLOW = 0x7fff_0000;
export const SECCOMP_RET_ACTION = 0x7fff_0000,
  SECCOMP_RET_DATA = 0xffff;

export const AUDIT_ARCH_I386 = 0x4000_0003,
  AUDIT_ARCH_X86_64 = 0xc000_003e;

export const seccomp_data = struct('seccomp_data', [
  ['nr', 'i32'],
  ['arch', 'u32'],
  ['instruction_pointer', 'u64'],
  ['args', 'u64', 6],
]);

export const sock_filter = struct('sock_filter', [
  ['code', 'u16'],
  ['jt', 'u8'],
  ['jf', 'u8'],
  ['k', 'u32'],
]);
export const sock_fprog = struct('sock_fprog', [
  ['len', 'u16'],
  ['filter', 'u64'],
]);
export const compat_sock_fprog = struct('compat_sock_fprog', [
  ['len', 'u16'],
  ['filter', 'u32'],
]);

export const BPF_MAXINSNS = 4096,
  BPF_MEMWORDS = 16;

// Classes, sizes, modes, operations and sources of an instruction's code.
export const BPF_LD = 0,
  BPF_LDX = 1,
  BPF_ST = 2,
  BPF_STX = 3,
  BPF_ALU = 4,
  BPF_JMP = 5,
  BPF_RET = 6,
  BPF_MISC = 7;
export const BPF_W = 0,
  BPF_IMM = 0,
  BPF_ABS = 0x20,
  BPF_MEM = 0x60,
  BPF_LEN = 0x80;
export const BPF_ADD = 0,
  BPF_SUB = 0x10,
  BPF_MUL = 0x20,
  BPF_DIV = 0x30,
  BPF_OR = 0x40,
  BPF_AND = 0x50,
  BPF_LSH = 0x60,
  BPF_RSH = 0x70,
  BPF_NEG = 0x80,
  BPF_XOR = 0xa0;
export const BPF_JA = 0,
  BPF_JEQ = 0x10,
  BPF_JGT = 0x20,
  BPF_JGE = 0x30,
  BPF_JSET = 0x40;
export const BPF_K = 0,
  BPF_X = 8,
  BPF_A = 0x10;
export const BPF_TAX = 0,
  BPF_TXA = 0x80;
