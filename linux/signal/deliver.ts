/** get_signal(), handle_signal() and the restart rules: kernel/signal.c and arch/x86/kernel/signal.c. */
import { initFpu } from '../../cpu/xsave.ts';
import { EINTR, ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS } from '../abi/errno.ts';
import {
  CLD_CONTINUED,
  CLD_STOPPED,
  CLD_TRAPPED,
  SA_NODEFER,
  SA_RESETHAND,
  SA_RESTART,
  SA_SIGINFO,
  SI_USER,
  SIG_DFL,
  SIG_IGN,
  SIG_KERNEL_COREDUMP,
  SIG_KERNEL_IGNORE,
  SIG_KERNEL_STOP,
  SIGKILL,
  SIGSTOP,
  SIGTRAP,
  type SigInfo,
  sigmask,
  signalName,
} from '../abi/signal.ts';
import { user_disable_single_step } from '../ptrace/step.ts';
import { ptrace_notify, ptrace_reparented, ptrace_stop } from '../ptrace/stop.ts';
import { do_group_exit } from '../task/exit.ts';
import {
  SIGNAL_CLD_CONTINUED,
  SIGNAL_CLD_STOPPED,
  SIGNAL_GROUP_EXIT,
  SIGNAL_STOP_CONTINUED,
  SIGNAL_STOP_STOPPED,
} from '../task/group.ts';
import { JOBCTL_STOP_DEQUEUED, JOBCTL_STOP_PENDING, JOBCTL_TRAP_MASK } from '../task/jobctl.ts';
import { is_current_pgrp_orphaned } from '../task/pgrp.ts';
import { X86_EFLAGS_DF, X86_EFLAGS_RF, X86_EFLAGS_TF } from '../task/pt-regs.ts';
import { NO_CALL, type Task } from '../task/task.ts';
import { TIF_SINGLESTEP, TS_COMPAT } from '../task/thread-info.ts';
import type { KSignal } from './frame.ts';
import { setup_rt_frame_64, setup_rt_frame_x32 } from './frame-64.ts';
import { ia32_setup_frame, ia32_setup_rt_frame } from './frame-ia32.ts';
import { do_jobctl_trap, do_signal_stop } from './group-stop.ts';
import {
  dequeue_signal,
  do_notify_parent_cldstop,
  force_sigsegv,
  recalc_sigpending,
  send_signal,
  set_current_blocked,
} from './queue.ts';

/** The task cannot go on now: it stopped, died, or waits for the debugger's word. */
const PAUSE = 'pause';

/** do_signal(): called before the return to user mode until nothing is pending. @returns false if the task must not run */
export function do_signal(task: Task): boolean {
  const ksig = get_signal(task);
  if (ksig === PAUSE) return false;
  if (ksig) {
    handle_signal(task, ksig);
    return true;
  }
  if (syscallNr(task) >= 0) {
    switch (syscall_get_error(task)) {
      case -ERESTARTNOHAND:
      case -ERESTARTSYS:
      case -ERESTARTNOINTR:
        task.regs.rax = task.origAx;
        task.regs.rip -= 2n;
        break;
      case -ERESTART_RESTARTBLOCK:
        task.regs.rax = task.kernel.ops.get_nr_restart_syscall(task);
        task.regs.rip -= 2n;
        break;
    }
  }
  restore_saved_sigmask(task);
  return true;
}

/** syscall_get_nr(): orig_ax as an int. */
const syscallNr = (task: Task): number => Number(BigInt.asIntN(32, task.origAx));

/** syscall_get_error(): the result if it is an error; 32-bit calls sign-extend. */
function syscall_get_error(task: Task): number {
  const ax = task.regs.rax;
  const error = (task.threadInfo.status & TS_COMPAT) !== 0 ? BigInt.asIntN(32, ax) : BigInt.asIntN(64, ax);
  return error < 0n && error >= -4095n ? Number(error) : 0;
}

/** restore_saved_sigmask(). */
function restore_saved_sigmask(task: Task): void {
  if (task.savedSigmask === undefined) return;
  const mask = task.savedSigmask;
  task.savedSigmask = undefined;
  set_current_blocked(task, mask);
}

/** get_signal(): the next signal with a handler; default actions happen in here. */
function get_signal(task: Task): KSignal | undefined | typeof PAUSE {
  const { group, kernel } = task;
  for (;;) {
    if ((group.flags & (SIGNAL_CLD_STOPPED | SIGNAL_CLD_CONTINUED)) !== 0) reportCld(task);
    if ((group.flags & SIGNAL_GROUP_EXIT) !== 0 && !task.inDebugStop) {
      // Taken out of the queue, so that the task can stop for PTRACE_EVENT_EXIT.
      task.pending.set &= ~sigmask(SIGKILL);
      do_group_exit(task, group.groupExitCode);
      return PAUSE;
    }
    const passed = task.inDebugStop;
    let info = passed ? afterDebugger(task) : task.ptraceSignal;
    if (info === 'dropped') continue;
    if (!info) {
      if ((task.jobctl & JOBCTL_STOP_PENDING) !== 0 && do_signal_stop(task, 0)) return PAUSE;
      if ((task.jobctl & JOBCTL_TRAP_MASK) !== 0) {
        do_jobctl_trap(task);
        return PAUSE;
      }
      info = dequeue_signal(task, task.blocked);
      if (!info) {
        recalc_sigpending(task);
        return undefined;
      }
      if (task.ptrace !== 0 && info.signo !== SIGKILL) {
        ptrace_signal(task, info);
        return PAUSE;
      }
    }
    task.ptraceSignal = undefined;
    if (!passed && info.signo !== SIGKILL && kernel.debug.attached(task.tgid)) {
      task.debugSignal = info;
      task.inDebugStop = true;
      task.sigPending = true;
      task.stepping = false;
      kernel.report({ kind: 'signal', task, info });
      return PAUSE;
    }
    const sig = info.signo;
    kernel.options.strace?.(`${task.pid} --- ${signalName(sig)} si_code=${info.code} ---`);
    const action = task.sighand.actions[sig]!;
    if (action.handler === SIG_IGN) continue;
    if (action.handler !== SIG_DFL) {
      const ksig: KSignal = { ka: { ...action }, info, sig };
      if ((action.flags & SA_RESETHAND) !== 0) action.handler = SIG_DFL;
      return ksig;
    }
    if ((sigmask(sig) & SIG_KERNEL_IGNORE) !== 0n) continue;
    if ((sigmask(sig) & SIG_KERNEL_STOP) !== 0n) {
      // Not modelled: orphaned process groups ignore SIGTSTP, SIGTTIN and SIGTTOU only when the group has no parent here.
      if (sig !== SIGSTOP && is_current_pgrp_orphaned(task)) continue;
      if (do_signal_stop(task, sig)) return PAUSE;
      continue;
    }
    const core = (sigmask(sig) & SIG_KERNEL_COREDUMP) !== 0n && kernel.dumpCore(task, info);
    if (core === 'piped') return PAUSE;
    kernel.log.debug({ pid: task.pid, sig, core }, 'fatal signal');
    do_group_exit(task, sig);
    return PAUSE;
  }
}

/** ptrace_signal(), up to the stop. The tracer sees every signal but SIGKILL before anything is done with it. */
function ptrace_signal(task: Task, info: SigInfo): void {
  // Whatever the tracer makes of it, it may be a stop signal.
  task.jobctl |= JOBCTL_STOP_DEQUEUED;
  ptrace_stop(task, info.signo, CLD_TRAPPED, info, { kind: 'signal' });
}

/** ptrace_signal(), after the stop: what the tracer gave along is the signal. */
export function afterPtraceSignal(task: Task, stopped: SigInfo): void {
  const signr = task.exitCode;
  if (signr === 0) return;
  task.exitCode = 0;
  const tracer = task.parent;
  const info: SigInfo =
    signr === stopped.signo
      ? stopped
      : { signo: signr, errno: 0, code: SI_USER, layout: 'kill', pid: tracer?.pid ?? 0, uid: tracer?.cred.uid ?? 0 };
  if ((task.blocked & sigmask(signr)) !== 0n) send_signal(task, info, false);
  else task.ptraceSignal = info;
}

/** As ptrace_signal(): what the debugger made of the signal. */
function afterDebugger(task: Task): SigInfo | undefined | 'dropped' {
  const info = task.debugSignal;
  task.inDebugStop = false;
  task.debugSignal = undefined;
  if (!info) return 'dropped';
  if ((task.blocked & sigmask(info.signo)) !== 0n) {
    send_signal(task, info, false);
    return 'dropped';
  }
  return info;
}

/** The parent, and a tracer of the leader, are told of a stop or continuation by the first thread that comes by. */
function reportCld(task: Task): void {
  const { group } = task;
  const why = (group.flags & SIGNAL_CLD_CONTINUED) !== 0 ? CLD_CONTINUED : CLD_STOPPED;
  group.flags &= ~(SIGNAL_CLD_STOPPED | SIGNAL_CLD_CONTINUED);
  do_notify_parent_cldstop(task, false, why);
  if (ptrace_reparented(group.leader)) do_notify_parent_cldstop(group.leader, true, why);
}

/** handle_signal(). */
function handle_signal(task: Task, ksig: KSignal): void {
  const { regs } = task;
  if (syscallNr(task) >= 0) {
    switch (syscall_get_error(task)) {
      case -ERESTART_RESTARTBLOCK:
      case -ERESTARTNOHAND:
        regs.rax = BigInt.asUintN(64, BigInt(-EINTR));
        break;
      case -ERESTARTSYS:
        if ((ksig.ka.flags & SA_RESTART) === 0) {
          regs.rax = BigInt.asUintN(64, BigInt(-EINTR));
          break;
        }
        regs.rax = task.origAx;
        regs.rip -= 2n;
        break;
      case -ERESTARTNOINTR:
        regs.rax = task.origAx;
        regs.rip -= 2n;
        break;
    }
  }
  const stepping = (task.threadInfo.flags & TIF_SINGLESTEP) !== 0;
  if (stepping) user_disable_single_step(task);
  if (setup_rt_frame(task, ksig) < 0) {
    force_sigsegv(task, ksig.sig);
    return;
  }
  regs.rflags &= ~BigInt(X86_EFLAGS_DF | X86_EFLAGS_RF | X86_EFLAGS_TF);
  initFpu(regs);
  task.origAx = NO_CALL;
  signal_delivered(task, ksig);
  task.kernel.handlerEntered(task);
  // tracehook_signal_handler(): a step that leads into a handler ends before its first instruction.
  if (stepping && task.ptrace !== 0) ptrace_notify(task, SIGTRAP, { kind: 'handler' });
}

/** setup_rt_frame(): which of the frames it is; patch 0006 changes the question. */
function setup_rt_frame(task: Task, ksig: KSignal): number {
  const { ops } = task.kernel;
  if (ops.is_ia32_compat_frame(ksig.ka, task)) {
    return (ksig.ka.flags & SA_SIGINFO) !== 0 ? ia32_setup_rt_frame(task, ksig) : ia32_setup_frame(task, ksig);
  }
  if (ops.is_x32_frame(ksig.ka, task)) return setup_rt_frame_x32(task, ksig);
  return setup_rt_frame_64(task, ksig);
}

/** signal_delivered(). */
function signal_delivered(task: Task, ksig: KSignal): void {
  task.savedSigmask = undefined;
  let blocked = task.blocked | ksig.ka.mask;
  if ((ksig.ka.flags & SA_NODEFER) === 0) blocked |= sigmask(ksig.sig);
  set_current_blocked(task, blocked);
}

/** Also of use to tests. */
export const isStopped = (task: Task): boolean => (task.group.flags & SIGNAL_STOP_STOPPED) !== 0;
export const wasContinued = (task: Task): boolean => (task.group.flags & SIGNAL_STOP_CONTINUED) !== 0;
