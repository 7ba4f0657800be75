/** The i386 signal frames and their sigreturns: arch/x86/ia32/ia32_signal.c. */
import { EFAULT } from '../abi/errno.ts';
import {
  RT_SIGRETURN_CODE,
  rt_sigframe_ia32,
  SIGRETURN_CODE,
  sigcontext_32,
  sigframe_ia32,
  UC_FP_XSTATE,
} from '../abi/sigcontext.ts';
import { compat_stack_t, SA_RESTORER } from '../abi/signal.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import { __USER_DS, __USER32_CS, csOf, loadDataSegment, setUserEntry, ssOf } from '../task/pt-regs.ts';
import { NO_CALL, type Task } from '../task/task.ts';
import { restore_altstack } from './altstack.ts';
import { forceIretFault } from './fault.ts';
import { fpu__restore_sig } from './fpstate.ts';
import { disarmAltstack, get_sigframe, type KSignal, sigmask_to_save } from './frame.ts';
import { badFrame, FIX_EFLAGS } from './frame-64.ts';
import { set_current_blocked } from './queue.ts';
import { siginfoTo32 } from './siginfo.ts';

const low = (value: bigint): number => Number(value & 0xffff_ffffn);

/** ia32_setup_frame(): the frame of a handler without SA_SIGINFO. */
export function ia32_setup_frame(task: Task, ksig: KSignal): number {
  const layout = sigframe_ia32;
  const { regs, mm } = task;
  const placed = get_sigframe(task, ksig.ka, layout.size, true);
  if (!placed) return -EFAULT;
  const { frame, fpstate } = placed;
  const bytes = new Uint8Array(layout.size);
  const view = new DataView(bytes.buffer);
  const mask = sigmask_to_save(task);
  view.setUint32(layout.sig, ksig.sig, true);
  ia32_setup_sigcontext(task, bytes, layout.sc, fpstate, low(mask));
  view.setUint32(layout.extramask, low(mask >> 32n), true);
  let restorer: number;
  if ((ksig.ka.flags & SA_RESTORER) !== 0) restorer = low(ksig.ka.restorer);
  else if (mm.vdso) restorer = mm.vdso + (task.kernel.vdso.image32?.symbols.__kernel_sigreturn ?? 0);
  else restorer = frame + layout.retcode;
  view.setUint32(layout.pretcode, restorer % 0x1_0000_0000, true);
  bytes.set(SIGRETURN_CODE, layout.retcode);
  // The old fpstate space in the middle keeps what it holds.
  const error =
    copy_to_user(mm, frame, bytes.subarray(0, layout.fpstate)) ||
    copy_to_user(mm, frame + layout.extramask, bytes.subarray(layout.extramask));
  if (error) return error;
  regs.rax = BigInt(ksig.sig);
  regs.rdx = 0n;
  regs.rcx = 0n;
  enterHandler(task, ksig, frame);
  return 0;
}

/** ia32_setup_rt_frame(). */
export function ia32_setup_rt_frame(task: Task, ksig: KSignal): number {
  const layout = rt_sigframe_ia32;
  const { regs, mm, sas } = task;
  const placed = get_sigframe(task, ksig.ka, layout.size, true);
  if (!placed) return -EFAULT;
  const { frame, fpstate } = placed;
  const bytes = new Uint8Array(layout.size);
  const view = new DataView(bytes.buffer);
  const mask = sigmask_to_save(task);
  view.setUint32(layout.sig, ksig.sig, true);
  view.setUint32(layout.pinfo, (frame + layout.info) % 0x1_0000_0000, true);
  view.setUint32(layout.puc, (frame + layout.uc) % 0x1_0000_0000, true);
  view.setUint32(layout.uc_flags, UC_FP_XSTATE, true);
  compat_stack_t.writeTo(
    bytes,
    { ss_sp: low(sas.sp), ss_flags: sas.flags | 0, ss_size: low(sas.size) },
    layout.uc_stack,
  );
  // Unlike the frame without siginfo, a missing vDSO goes unnoticed: the bare offset is the return address.
  const restorer =
    (ksig.ka.flags & SA_RESTORER) !== 0
      ? low(ksig.ka.restorer)
      : (mm.vdso ?? 0) + (task.kernel.vdso.image32?.symbols.__kernel_rt_sigreturn ?? 0);
  view.setUint32(layout.pretcode, restorer % 0x1_0000_0000, true);
  bytes.set(RT_SIGRETURN_CODE, layout.retcode);
  bytes.set(siginfoTo32(ksig.info), layout.info);
  ia32_setup_sigcontext(task, bytes, layout.mcontext, fpstate, low(mask));
  view.setBigUint64(layout.sigmask, mask, true);
  const error = copy_to_user(mm, frame, bytes);
  if (error) return error;
  disarmAltstack(task);
  regs.rax = BigInt(ksig.sig);
  regs.rdx = BigInt(frame + layout.info);
  regs.rcx = BigInt(frame + layout.uc);
  enterHandler(task, ksig, frame);
  return 0;
}

function enterHandler(task: Task, ksig: KSignal, frame: number): void {
  task.regs.rsp = BigInt(frame);
  loadDataSegment(task, 'ds', __USER_DS);
  loadDataSegment(task, 'es', __USER_DS);
  const fault = setUserEntry(task, __USER32_CS, __USER_DS, ksig.ka.handler);
  if (fault) forceIretFault(task, fault);
}

/** ia32_setup_sigcontext(): the live selectors, registers cut to 32 bits. */
function ia32_setup_sigcontext(task: Task, bytes: Uint8Array, at: number, fpstate: number, mask: number): void {
  const { regs } = task;
  sigcontext_32.writeTo(
    bytes,
    {
      gs: regs.gs,
      fs: regs.fs,
      ds: regs.ds,
      es: regs.es,
      di: low(regs.rdi),
      si: low(regs.rsi),
      bp: low(regs.rbp),
      sp: low(regs.rsp),
      bx: low(regs.rbx),
      dx: low(regs.rdx),
      cx: low(regs.rcx),
      ax: low(regs.rax),
      trapno: task.trapNr,
      err: task.errorCode,
      ip: low(regs.rip),
      cs: csOf(task),
      flags: low(regs.rflags),
      sp_at_signal: low(regs.rsp),
      ss: ssOf(task),
      fpstate: fpstate % 0x1_0000_0000,
      oldmask: mask,
      cr2: low(task.cr2),
    },
    at,
  );
}

/** sys32_sigreturn(), i386 number 119: the frame lies 8 below ESP, as the return address and the number were popped. */
export function sys32_sigreturn(task: Task): bigint | number {
  const layout = sigframe_ia32;
  const frame = low(task.regs.rsp) - 8;
  const sc = copy_from_user(task.mm, frame, layout.fpstate);
  const extra = copy_from_user(task.mm, frame + layout.extramask, 4);
  if (typeof sc === 'number' || typeof extra === 'number') return badFrame(task);
  const oldmask = sigcontext_32.read(sc, layout.sc).oldmask;
  const high = new DataView(extra.buffer, extra.byteOffset).getUint32(0, true);
  set_current_blocked(task, (BigInt(high) << 32n) | BigInt(oldmask));
  if (ia32_restore_sigcontext(task, sc, layout.sc) !== 0) return badFrame(task);
  return task.regs.rax;
}

/** sys32_rt_sigreturn(), i386 number 173: the frame lies 4 below ESP. */
export function sys32_rt_sigreturn(task: Task): bigint | number {
  const layout = rt_sigframe_ia32;
  const frame = low(task.regs.rsp) - 4;
  const bytes = copy_from_user(task.mm, frame, layout.retcode);
  if (typeof bytes === 'number') return badFrame(task);
  set_current_blocked(task, new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(layout.sigmask, true));
  if (ia32_restore_sigcontext(task, bytes, layout.mcontext) !== 0) return badFrame(task);
  if (restore_altstack(task, frame + layout.uc_stack, true) !== 0) return badFrame(task);
  return task.regs.rax;
}

/** ia32_restore_sigcontext(): any selector goes, but its RPL becomes 3; IRET judges CS and SS. */
function ia32_restore_sigcontext(task: Task, bytes: Uint8Array, at: number): number {
  const { regs } = task;
  const sc = sigcontext_32.read(bytes, at);
  task.restartBlock = { fn: 'none' };
  for (const segment of ['gs', 'fs', 'ds', 'es'] as const) {
    // RELOAD_SEG(): also the null selector gets RPL 3.
    const selector = (sc[segment] & 0xffff) | 3;
    if (selector !== regs[segment]) loadDataSegment(task, segment, selector);
  }
  regs.rdi = BigInt(sc.di);
  regs.rsi = BigInt(sc.si);
  regs.rbp = BigInt(sc.bp);
  regs.rsp = BigInt(sc.sp);
  regs.rbx = BigInt(sc.bx);
  regs.rdx = BigInt(sc.dx);
  regs.rcx = BigInt(sc.cx);
  regs.rax = BigInt(sc.ax);
  regs.rflags = (regs.rflags & ~FIX_EFLAGS) | (BigInt(sc.flags) & FIX_EFLAGS);
  task.origAx = NO_CALL;
  const fault = setUserEntry(task, (sc.cs & 0xffff) | 3, (sc.ss & 0xffff) | 3, BigInt(sc.ip));
  if (fpu__restore_sig(task, sc.fpstate, true) !== 0) return -EFAULT;
  if (fault) forceIretFault(task, fault);
  return 0;
}
