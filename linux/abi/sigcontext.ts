/** arch/x86/include/uapi/asm/sigcontext.h, ucontext.h and the frames of arch/x86/include/asm/sigframe.h. */
import { struct } from './struct.ts';

/** struct sigcontext_64, also inside the x32 frame. */
export const sigcontext_64 = struct('sigcontext_64', [
  ['r8', 'u64'],
  ['r9', 'u64'],
  ['r10', 'u64'],
  ['r11', 'u64'],
  ['r12', 'u64'],
  ['r13', 'u64'],
  ['r14', 'u64'],
  ['r15', 'u64'],
  ['di', 'u64'],
  ['si', 'u64'],
  ['bp', 'u64'],
  ['bx', 'u64'],
  ['dx', 'u64'],
  ['ax', 'u64'],
  ['cx', 'u64'],
  ['sp', 'u64'],
  ['ip', 'u64'],
  ['flags', 'u64'],
  ['cs', 'u16'],
  ['gs', 'u16'],
  ['fs', 'u16'],
  ['ss', 'u16'],
  ['err', 'u64'],
  ['trapno', 'u64'],
  ['oldmask', 'u64'],
  ['cr2', 'u64'],
  ['fpstate', 'u64'],
  ['reserved1', 'u64', 8],
]);

/** struct sigcontext_32. */
export const sigcontext_32 = struct('sigcontext_32', [
  ['gs', 'u32'],
  ['fs', 'u32'],
  ['es', 'u32'],
  ['ds', 'u32'],
  ['di', 'u32'],
  ['si', 'u32'],
  ['bp', 'u32'],
  ['sp', 'u32'],
  ['bx', 'u32'],
  ['dx', 'u32'],
  ['cx', 'u32'],
  ['ax', 'u32'],
  ['trapno', 'u32'],
  ['err', 'u32'],
  ['ip', 'u32'],
  ['cs', 'u32'],
  ['flags', 'u32'],
  ['sp_at_signal', 'u32'],
  ['ss', 'u32'],
  ['fpstate', 'u32'],
  ['oldmask', 'u32'],
  ['cr2', 'u32'],
]);

/** struct rt_sigframe of 64-bit tasks: where its parts lie. */
export const rt_sigframe = {
  size: 440,
  pretcode: 0,
  uc: 8,
  uc_flags: 8,
  uc_link: 16,
  uc_stack: 24,
  mcontext: 48,
  sigmask: 304,
  info: 312,
} as const;

/** struct rt_sigframe_x32. */
export const rt_sigframe_x32 = {
  size: 424,
  pretcode: 0,
  uc: 8,
  uc_flags: 8,
  uc_link: 12,
  uc_stack: 16,
  mcontext: 32,
  sigmask: 288,
  info: 296,
} as const;

/** struct sigframe_ia32. */
export const sigframe_ia32 = {
  size: 732,
  pretcode: 0,
  sig: 4,
  sc: 8,
  fpstate: 96,
  extramask: 720,
  retcode: 724,
} as const;

/** struct rt_sigframe_ia32. */
export const rt_sigframe_ia32 = {
  size: 268,
  pretcode: 0,
  sig: 4,
  pinfo: 8,
  puc: 12,
  info: 16,
  uc: 144,
  uc_flags: 144,
  uc_link: 148,
  uc_stack: 152,
  mcontext: 164,
  sigmask: 252,
  retcode: 260,
} as const;

/** `popl %eax; movl $__NR_ia32_sigreturn, %eax; int $0x80`: debuggers know these bytes. */
export const SIGRETURN_CODE: readonly number[] = [0x58, 0xb8, 0x77, 0, 0, 0, 0xcd, 0x80];
/** `movl $__NR_ia32_rt_sigreturn, %eax; int $0x80; pad` */
export const RT_SIGRETURN_CODE: readonly number[] = [0xb8, 0xad, 0, 0, 0, 0xcd, 0x80, 0];

export const UC_FP_XSTATE = 1,
  UC_SIGCONTEXT_SS = 2,
  UC_STRICT_RESTORE_SS = 4;

/** struct _fpx_sw_bytes, at 464 of the fxsave image. */
export const FP_XSTATE_MAGIC1 = 0x46505853,
  FP_XSTATE_MAGIC2 = 0x46505845;
export const fpx_sw_bytes = struct('fpx_sw_bytes', [
  ['magic1', 'u32'],
  ['extended_size', 'u32'],
  ['xfeatures', 'u64'],
  ['xstate_size', 'u32'],
]);
export const FPX_SW_OFFSET = 464;
/** The i386 frame's fsave header before the fxsave image: struct fregs_state. */
export const FSAVE_HEADER_SIZE = 112;
