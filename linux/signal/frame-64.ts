/** The 64-bit and the x32 signal frame: __setup_rt_frame(), x32_setup_rt_frame(), sys_rt_sigreturn(). */
import { EFAULT } from '../abi/errno.ts';
import {
  rt_sigframe,
  rt_sigframe_x32,
  sigcontext_64,
  UC_FP_XSTATE,
  UC_SIGCONTEXT_SS,
  UC_STRICT_RESTORE_SS,
} from '../abi/sigcontext.ts';
import { compat_stack_t, SA_RESTORER, SIGSEGV, stack_t } from '../abi/signal.ts';
import { SCRATCH_FRAME } from '../mm/scratch.ts';
import { copy_from_user_into, copy_to_user } from '../mm/uaccess.ts';
import {
  __USER_CS,
  __USER_DS,
  csOf,
  force_valid_ss,
  loadDataSegment,
  setUserEntry,
  ssOf,
  user_64bit_mode,
} from '../task/pt-regs.ts';
import { NO_CALL, type Task } from '../task/task.ts';
import { restore_altstack } from './altstack.ts';
import { forceIretFault } from './fault.ts';
import { fpu__restore_sig } from './fpstate.ts';
import { disarmAltstack, get_sigframe, type KSignal, sigmask_to_save, wantsSiginfo } from './frame.ts';
import { force_sig, set_current_blocked } from './queue.ts';
import { siginfoTo32, siginfoTo64 } from './siginfo.ts';

/** FIX_EFLAGS: the flags that a frame restores. */
export const FIX_EFLAGS = 0x50dd5n;

/** __setup_rt_frame(). @returns 0 or -EFAULT */
export function setup_rt_frame_64(task: Task, ksig: KSignal): number {
  const layout = rt_sigframe;
  const { regs, mm } = task;
  const placed = get_sigframe(task, ksig.ka, layout.size, false);
  if (!placed) return -EFAULT;
  const { frame, fpstate } = placed;
  const { bytes, view } = task.mm.frames.scratch.zeroed(SCRATCH_FRAME, layout.size);
  if ((ksig.ka.flags & SA_RESTORER) === 0) return -EFAULT;
  view.setBigUint64(layout.pretcode, ksig.ka.restorer, true);
  view.setBigUint64(layout.uc_flags, BigInt(frame_uc_flags(task)), true);
  stack_t.writeTo(bytes, { ss_sp: task.sas.sp, ss_flags: task.sas.flags | 0, ss_size: task.sas.size }, layout.uc_stack);
  setup_sigcontext(task, view, layout.mcontext, fpstate);
  view.setBigUint64(layout.sigmask, sigmask_to_save(task), true);
  let error: number;
  if (wantsSiginfo(ksig.ka)) {
    bytes.set(siginfoTo64(ksig.info), layout.info);
    error = copy_to_user(mm, frame, bytes);
  } else {
    // siginfo is left as it was.
    error = copy_to_user(mm, frame, bytes.subarray(0, layout.info));
  }
  if (error) return error;
  disarmAltstack(task);
  regs.rdi = BigInt(ksig.sig);
  regs.rax = 0n;
  regs.rsi = BigInt(frame + layout.info);
  regs.rdx = BigInt(frame + layout.uc);
  enterHandler(task, ksig, frame, force_valid_ss(task, ssOf(task)));
  return 0;
}

/** x32_setup_rt_frame(). */
export function setup_rt_frame_x32(task: Task, ksig: KSignal): number {
  const layout = rt_sigframe_x32;
  const { regs, mm } = task;
  const placed = get_sigframe(task, ksig.ka, layout.size, false);
  if (!placed) return -EFAULT;
  const { frame, fpstate } = placed;
  const { bytes, view } = task.mm.frames.scratch.zeroed(SCRATCH_FRAME, layout.size);
  if ((ksig.ka.flags & SA_RESTORER) === 0) return -EFAULT;
  view.setBigUint64(layout.pretcode, ksig.ka.restorer, true);
  view.setUint32(layout.uc_flags, frame_uc_flags(task), true);
  compat_stack_t.writeTo(
    bytes,
    {
      ss_sp: Number(BigInt.asUintN(32, task.sas.sp)),
      ss_flags: task.sas.flags | 0,
      ss_size: Number(BigInt.asUintN(32, task.sas.size)),
    },
    layout.uc_stack,
  );
  setup_sigcontext(task, view, layout.mcontext, fpstate);
  view.setBigUint64(layout.sigmask, sigmask_to_save(task), true);
  if (wantsSiginfo(ksig.ka)) bytes.set(siginfoTo32(ksig.info, true), layout.info);
  const error = copy_to_user(mm, frame, wantsSiginfo(ksig.ka) ? bytes : bytes.subarray(0, layout.info));
  if (error) return error;
  disarmAltstack(task);
  regs.rdi = BigInt(ksig.sig);
  regs.rsi = BigInt(frame + layout.info);
  regs.rdx = BigInt(frame + layout.uc);
  loadDataSegment(task, 'ds', __USER_DS);
  loadDataSegment(task, 'es', __USER_DS);
  enterHandler(task, ksig, frame, __USER_DS);
  return 0;
}

function enterHandler(task: Task, ksig: KSignal, frame: number, ss: number): void {
  task.regs.rsp = BigInt(frame);
  const fault = setUserEntry(task, __USER_CS, ss, ksig.ka.handler);
  if (fault) forceIretFault(task, fault);
}

/** frame_uc_flags(). */
function frame_uc_flags(task: Task): number {
  return UC_FP_XSTATE | UC_SIGCONTEXT_SS | (user_64bit_mode(task) ? UC_STRICT_RESTORE_SS : 0);
}

/** Where the registers stand in a sigcontext, in the order of their numbers. */
const GPR_OFFSETS = (
  [
    ...(['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'] as const),
    ...(['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const),
  ] as const
).map((name) => sigcontext_64.offset[name]);

/** setup_sigcontext(). */
function setup_sigcontext(task: Task, view: DataView, at: number, fpstate: number): void {
  const { regs } = task;
  const { offset } = sigcontext_64;
  for (let n = 0; n < 16; n++) {
    const to = at + GPR_OFFSETS[n]!;
    view.setUint32(to, regs.gprHalf(2 * n), true);
    view.setUint32(to + 4, regs.gprHalf(2 * n + 1), true);
  }
  view.setBigUint64(at + offset.ip, regs.rip, true);
  view.setBigUint64(at + offset.flags, regs.rflags, true);
  view.setUint16(at + offset.cs, csOf(task), true);
  view.setUint16(at + offset.ss, ssOf(task), true);
  view.setBigUint64(at + offset.err, BigInt(task.errorCode), true);
  view.setBigUint64(at + offset.trapno, BigInt(task.trapNr), true);
  view.setBigUint64(at + offset.oldmask, sigmask_to_save(task), true);
  view.setBigUint64(at + offset.cr2, task.cr2, true);
  view.setBigUint64(at + offset.fpstate, BigInt(fpstate), true);
}

/** sys_rt_sigreturn(): the frame lies 8 bytes below RSP, as the handler's `ret` took the return address. */
export function sys_rt_sigreturn(task: Task): bigint | number {
  return sigreturn64(task, rt_sigframe, false);
}

/** sys32_x32_rt_sigreturn(). */
export function sys32_x32_rt_sigreturn(task: Task): bigint | number {
  return sigreturn64(task, rt_sigframe_x32, true);
}

function sigreturn64(task: Task, layout: typeof rt_sigframe | typeof rt_sigframe_x32, x32: boolean): bigint | number {
  const { regs, mm } = task;
  const frame = Number(regs.rsp) - 8;
  const { bytes, view } = task.mm.frames.scratch.unset(SCRATCH_FRAME, layout.info);
  if (!copy_from_user_into(mm, frame, bytes)) return badFrame(task);
  const flags = x32 ? view.getUint32(layout.uc_flags, true) : Number(view.getBigUint64(layout.uc_flags, true) & 7n);
  set_current_blocked(task, view.getBigUint64(layout.sigmask, true));
  if (restore_sigcontext(task, view, layout.mcontext, flags) !== 0) return badFrame(task);
  if (restore_altstack(task, frame + layout.uc_stack, x32) !== 0) return badFrame(task);
  return task.regs.rax;
}

/** The frame cannot be read: SIGSEGV. */
export function badFrame(task: Task): number {
  task.kernel.log.debug({ pid: task.pid }, 'bad signal frame');
  force_sig(task, SIGSEGV);
  return 0;
}

/** restore_sigcontext(), arch/x86/kernel/signal.c. */
function restore_sigcontext(task: Task, view: DataView, at: number, ucFlags: number): number {
  const { regs } = task;
  const { offset } = sigcontext_64;
  task.restartBlock = { fn: 'none' };
  for (let n = 0; n < 16; n++) {
    const from = at + GPR_OFFSETS[n]!;
    regs.setGprHalf(2 * n, view.getUint32(from, true));
    regs.setGprHalf(2 * n + 1, view.getUint32(from + 4, true));
  }
  const flags = view.getBigUint64(at + offset.flags, true);
  regs.rflags = (regs.rflags & ~FIX_EFLAGS) | (flags & FIX_EFLAGS);
  task.origAx = NO_CALL;
  const cs = view.getUint16(at + offset.cs, true) | 3;
  let ss = view.getUint16(at + offset.ss, true) | 3;
  // For the frames of old DOSEMU and CRIU, which hold no SS.
  if ((ucFlags & UC_STRICT_RESTORE_SS) === 0 && cs === __USER_CS) ss = force_valid_ss(task, ss);
  const fault = setUserEntry(task, cs, ss, view.getBigUint64(at + offset.ip, true));
  const fpstate = Number(view.getBigUint64(at + offset.fpstate, true));
  if (fpu__restore_sig(task, fpstate, false) !== 0) return -EFAULT;
  if (fault) forceIretFault(task, fault);
  return 0;
}
