/**
 * The block in which a target hands over one thread's registers: user_regs_struct of Linux (arch/x86/include/asm/user_64.h)
 * followed by an XSAVE area in the standard format (Intel SDM vol. 1, 13.4).
 */

/** Order of `struct user_regs_struct`, 8 bytes each. */
export const USER_REGS = [
  'r15',
  'r14',
  'r13',
  'r12',
  'rbp',
  'rbx',
  'r11',
  'r10',
  'r9',
  'r8',
  'rax',
  'rcx',
  'rdx',
  'rsi',
  'rdi',
  'orig_rax',
  'rip',
  'cs',
  'eflags',
  'rsp',
  'ss',
  'fs_base',
  'gs_base',
  'ds',
  'es',
  'fs',
  'gs',
] as const;
export type UserReg = (typeof USER_REGS)[number];

export const userRegOffset = (name: UserReg): number => 8 * USER_REGS.indexOf(name);
export const XSAVE_OFFSET = 8 * USER_REGS.length;
/** Room for x87, SSE, AVX and AVX-512. */
export const XSAVE_SIZE = 2688;
export const STATE_SIZE = XSAVE_OFFSET + XSAVE_SIZE;

/** Offsets in the FXSAVE image (Intel SDM vol. 2, FXSAVE, 64-bit form with REX.W) and behind it. */
export const FX = {
  fcw: XSAVE_OFFSET,
  fsw: XSAVE_OFFSET + 2,
  ftw: XSAVE_OFFSET + 4,
  fop: XSAVE_OFFSET + 6,
  fip: XSAVE_OFFSET + 8,
  fcs: XSAVE_OFFSET + 12,
  fdp: XSAVE_OFFSET + 16,
  fds: XSAVE_OFFSET + 20,
  mxcsr: XSAVE_OFFSET + 24,
  st: (i: number): number => XSAVE_OFFSET + 32 + 16 * i,
  xmm: (i: number): number => XSAVE_OFFSET + 160 + 16 * i,
  ymmh: (i: number): number => XSAVE_OFFSET + 576 + 16 * i,
  k: (i: number): number => XSAVE_OFFSET + 1088 + 8 * i,
  zmmh: (i: number): number => XSAVE_OFFSET + 1152 + 32 * i,
  /** zmm16 to zmm31, whole. */
  hi16: (i: number): number => XSAVE_OFFSET + 1664 + 64 * (i - 16),
} as const;

export const stateView = (state: Uint8Array): DataView =>
  new DataView(state.buffer, state.byteOffset, state.byteLength);

export function getUserReg(state: Uint8Array, name: UserReg): bigint {
  return stateView(state).getBigUint64(userRegOffset(name), true);
}

export function setUserReg(state: Uint8Array, name: UserReg, value: bigint): void {
  stateView(state).setBigUint64(userRegOffset(name), value, true);
}
