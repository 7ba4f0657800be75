/**
 * The frame through which a restored thread leaves the restorer: rt_sigreturn loads all user registers, the FPU, the alternate
 * stack and the signal mask from it. CRIU: criu/arch/x86/sigframe.c, construct_sigframe() of criu/cr-restore.c.
 */
import {
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  FPX_SW_OFFSET,
  FSAVE_HEADER_SIZE,
  fpx_sw_bytes,
  RT_SIGRETURN_CODE,
  rt_sigframe,
  rt_sigframe_ia32,
  sigcontext_32,
  sigcontext_64,
  UC_FP_XSTATE,
  UC_SIGCONTEXT_SS,
  UC_STRICT_RESTORE_SS,
} from '../../linux/abi/sigcontext.ts';
import { compat_stack_t, stack_t } from '../../linux/abi/signal.ts';
import type { CoreEntry } from '../image-dir.ts';
import { fullTagWord } from './fpu.ts';

/** Room for one thread: the tail of the restorer uses the bytes before the frame as its stack. */
export const SIGFRAME_ROOM = 4096;
const STACK_ROOM = 256;

type ThreadInfo = NonNullable<CoreEntry['thread_info']>;

export interface ThreadState {
  readonly gpregs: ThreadInfo['gpregs'];
  /** In the standard format, with room for the components `xcr0`. */
  readonly xsave: Uint8Array;
  readonly xcr0: number;
  readonly mask: bigint;
  readonly sas: { readonly sp: bigint; readonly size: bigint; readonly flags: number };
}

const low = (value: bigint): number => Number(value & 0xffff_ffffn);

/** Builds a page for the thread at the guest address `page`; `frame` is what rt_sigreturn is to find. */
export function buildSigframe(state: ThreadState, compat: boolean, page: number): { bytes: Uint8Array; frame: number } {
  const bytes = new Uint8Array(SIGFRAME_ROOM);
  const size = compat ? rt_sigframe_ia32.size : rt_sigframe.size;
  const fxsave = Math.ceil((STACK_ROOM + size + FSAVE_HEADER_SIZE) / 64) * 64;
  const fpstate = page + (compat ? fxsave - FSAVE_HEADER_SIZE : fxsave);
  bytes.set(state.xsave, fxsave);
  const xstate_size = state.xsave.length;
  const extended_size = xstate_size + 4 + (compat ? FSAVE_HEADER_SIZE : 0);
  const software = { magic1: FP_XSTATE_MAGIC1, extended_size, xfeatures: BigInt(state.xcr0), xstate_size };
  fpx_sw_bytes.writeTo(bytes, software, fxsave + FPX_SW_OFFSET);
  new DataView(bytes.buffer).setUint32(fxsave + xstate_size, FP_XSTATE_MAGIC2, true);
  if (compat) {
    bytes.set(fsaveHeader(state.xsave), fxsave - FSAVE_HEADER_SIZE);
    writeCompat(bytes, STACK_ROOM, state, fpstate);
  } else {
    writeNative(bytes, STACK_ROOM, state, fpstate);
  }
  return { bytes, frame: page + STACK_ROOM };
}

/** struct rt_sigframe_ia32. */
function writeCompat(bytes: Uint8Array, at: number, state: ThreadState, fpstate: number): void {
  const { gpregs: r, sas } = state;
  const view = new DataView(bytes.buffer);
  view.setUint32(at + rt_sigframe_ia32.uc_flags, UC_FP_XSTATE, true);
  const stack = { ss_sp: low(sas.sp), ss_flags: sas.flags | 0, ss_size: low(sas.size) };
  compat_stack_t.writeTo(bytes, stack, at + rt_sigframe_ia32.uc_stack);
  sigcontext_32.writeTo(
    bytes,
    {
      gs: low(r.gs),
      fs: low(r.fs),
      es: low(r.es),
      ds: low(r.ds),
      di: low(r.di),
      si: low(r.si),
      bp: low(r.bp),
      sp: low(r.sp),
      bx: low(r.bx),
      dx: low(r.dx),
      cx: low(r.cx),
      ax: low(r.ax),
      ip: low(r.ip),
      cs: low(r.cs),
      flags: low(r.flags),
      ss: low(r.ss),
      fpstate,
      oldmask: low(state.mask),
    },
    at + rt_sigframe_ia32.mcontext,
  );
  view.setBigUint64(at + rt_sigframe_ia32.sigmask, state.mask, true);
  bytes.set(RT_SIGRETURN_CODE, at + rt_sigframe_ia32.retcode);
}

/** struct rt_sigframe. */
function writeNative(bytes: Uint8Array, at: number, state: ThreadState, fpstate: number): void {
  const { gpregs: r, sas } = state;
  const view = new DataView(bytes.buffer);
  const flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
  view.setBigUint64(at + rt_sigframe.uc_flags, BigInt(flags), true);
  const stack = { ss_sp: sas.sp, ss_flags: sas.flags | 0, ss_size: sas.size };
  stack_t.writeTo(bytes, stack, at + rt_sigframe.uc_stack);
  sigcontext_64.writeTo(
    bytes,
    {
      r8: r.r8,
      r9: r.r9,
      r10: r.r10,
      r11: r.r11,
      r12: r.r12,
      r13: r.r13,
      r14: r.r14,
      r15: r.r15,
      di: r.di,
      si: r.si,
      bp: r.bp,
      bx: r.bx,
      dx: r.dx,
      ax: r.ax,
      cx: r.cx,
      sp: r.sp,
      ip: r.ip,
      flags: r.flags,
      cs: low(r.cs),
      gs: low(r.gs),
      fs: low(r.fs),
      ss: low(r.ss),
      oldmask: state.mask,
      fpstate: BigInt(fpstate),
    },
    at + rt_sigframe.mcontext,
  );
  view.setBigUint64(at + rt_sigframe.sigmask, state.mask, true);
}

/** struct fregs_state before the FXSAVE image: convert_from_fxsr() of arch/x86/kernel/fpu/regset.c. */
function fsaveHeader(xsave: Uint8Array): Uint8Array {
  const from = new DataView(xsave.buffer, xsave.byteOffset);
  const header = new Uint8Array(FSAVE_HEADER_SIZE);
  const to = new DataView(header.buffer);
  to.setUint32(0, from.getUint16(0, true) | 0xffff0000, true);
  to.setUint32(4, from.getUint16(2, true) | 0xffff0000, true);
  to.setUint32(8, fullTagWord(xsave) | 0xffff0000, true);
  to.setUint32(12, from.getUint32(8, true), true);
  to.setUint32(16, from.getUint16(12, true) | (from.getUint16(6, true) << 16), true);
  to.setUint32(20, from.getUint32(16, true), true);
  to.setUint32(24, from.getUint16(20, true) | 0xffff0000, true);
  for (let register = 0; register < 8; register++) {
    header.set(xsave.subarray(32 + 16 * register, 42 + 16 * register), 28 + 10 * register);
  }
  to.setUint16(108, from.getUint16(2, true), true);
  return header;
}
