import { struct } from './struct.ts';

/** include/uapi/linux/prctl.h: the options that this kernel knows. */
export const PR_SET_PDEATHSIG = 1,
  PR_GET_PDEATHSIG = 2,
  PR_GET_DUMPABLE = 3,
  PR_SET_DUMPABLE = 4;
export const PR_GET_KEEPCAPS = 7,
  PR_SET_KEEPCAPS = 8,
  PR_SET_NAME = 15,
  PR_GET_NAME = 16;
export const PR_GET_SECCOMP = 21,
  PR_SET_SECCOMP = 22,
  PR_CAPBSET_READ = 23,
  PR_CAPBSET_DROP = 24;
export const PR_GET_TSC = 25,
  PR_SET_TSC = 26,
  PR_GET_SECUREBITS = 27,
  PR_SET_SECUREBITS = 28,
  PR_SET_TIMERSLACK = 29,
  PR_GET_TIMERSLACK = 30;
export const PR_SET_MM = 35,
  PR_SET_CHILD_SUBREAPER = 36,
  PR_GET_CHILD_SUBREAPER = 37,
  PR_SET_NO_NEW_PRIVS = 38,
  PR_GET_NO_NEW_PRIVS = 39;
export const PR_GET_TID_ADDRESS = 40,
  PR_SET_THP_DISABLE = 41,
  PR_GET_THP_DISABLE = 42,
  PR_CAP_AMBIENT = 47;
export const PR_SET_MM_START_CODE = 1,
  PR_SET_MM_END_CODE = 2,
  PR_SET_MM_START_DATA = 3,
  PR_SET_MM_END_DATA = 4,
  PR_SET_MM_START_STACK = 5;
export const PR_SET_MM_START_BRK = 6,
  PR_SET_MM_BRK = 7,
  PR_SET_MM_ARG_START = 8,
  PR_SET_MM_ARG_END = 9,
  PR_SET_MM_ENV_START = 10;
export const PR_SET_MM_ENV_END = 11,
  PR_SET_MM_AUXV = 12,
  PR_SET_MM_EXE_FILE = 13,
  PR_SET_MM_MAP = 14,
  PR_SET_MM_MAP_SIZE = 15;

/** arch/x86/include/uapi/asm/prctl.h; ARCH_MAP_VDSO_* come with patch 0003. */
export const ARCH_SET_GS = 0x1001,
  ARCH_SET_FS = 0x1002,
  ARCH_GET_FS = 0x1003,
  ARCH_GET_GS = 0x1004;
export const ARCH_MAP_VDSO_X32 = 0x2001,
  ARCH_MAP_VDSO_32 = 0x2002,
  ARCH_MAP_VDSO_64 = 0x2003;

/** struct prctl_mm_map: the same 104 bytes in every ABI. */
export const PRCTL_MM_MAP_FIELDS = [
  ['start_code', 'u64'],
  ['end_code', 'u64'],
  ['start_data', 'u64'],
  ['end_data', 'u64'],
  ['start_brk', 'u64'],
  ['brk', 'u64'],
  ['start_stack', 'u64'],
  ['arg_start', 'u64'],
  ['arg_end', 'u64'],
  ['env_start', 'u64'],
  ['env_end', 'u64'],
  ['auxv', 'u64'],
  ['auxv_size', 'u32'],
  ['exe_fd', 'u32'],
] as const;
export const prctl_mm_map = struct('prctl_mm_map', PRCTL_MM_MAP_FIELDS);
