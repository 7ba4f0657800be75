/** How a task stops for its tracer: ptrace_stop() and who calls it, kernel/signal.c and include/linux/ptrace.h. */
import {
  PT_EVENT_FLAG,
  PT_PTRACED,
  PT_SEIZED,
  PT_TRACESYSGOOD,
  PTRACE_EVENT_EXEC,
  PTRACE_EVENT_STOP,
} from '../abi/ptrace.ts';
import { CLD_STOPPED, CLD_TRAPPED, SI_USER, SIGTRAP, type SigInfo } from '../abi/signal.ts';
import { do_notify_parent_cldstop, send_signal } from '../signal/queue.ts';
import {
  fatal_signal_pending,
  JOBCTL_STOP_PENDING,
  JOBCTL_TRAP_NOTIFY,
  JOBCTL_TRAP_STOP,
  task_clear_jobctl_pending,
  task_participate_group_stop,
} from '../task/jobctl.ts';
import type { Task } from '../task/task.ts';
import type { Trap, TrapInfo } from '../task/trap.ts';

/** ptrace_reparented(). */
export const ptrace_reparented = (task: Task): boolean => task.parent?.group !== task.realParent?.group;

/**
 * The first half of ptrace_stop(): the task stops and its tracer is told. The second half is `finishTrap()` of the entry
 * code, at the next turn of the task. A task that is being killed does not wait for its tracer.
 */
export function ptrace_stop(task: Task, exitCode: number, why: number, info: TrapInfo, trap: Trap): void {
  const { kernel } = task;
  task.lastSiginfo = info;
  task.exitCode = exitCode;
  let groupStopped = false;
  if (why === CLD_STOPPED && (task.jobctl & JOBCTL_STOP_PENDING) !== 0) {
    groupStopped = task_participate_group_stop(task);
  }
  task_clear_jobctl_pending(task, JOBCTL_TRAP_STOP);
  if (info && info.code >> 8 === PTRACE_EVENT_STOP) task_clear_jobctl_pending(task, JOBCTL_TRAP_NOTIFY);
  task.trap = trap;
  if (!fatal_signal_pending(task)) kernel.makeTraced(task);
  do_notify_parent_cldstop(task, true, why);
  if (groupStopped && ptrace_reparented(task)) do_notify_parent_cldstop(task, false, why);
}

/** ptrace_do_notify(): a stop that is no signal; its siginfo says which. */
export function ptrace_do_notify(task: Task, signr: number, exitCode: number, why: number, trap: Trap): void {
  const info: SigInfo = {
    signo: signr,
    errno: 0,
    code: exitCode,
    layout: 'kill',
    pid: task.pid,
    uid: task.cred.uid,
  };
  ptrace_stop(task, exitCode, why, info, trap);
}

/** ptrace_notify(). */
export const ptrace_notify = (task: Task, exitCode: number, trap: Trap): void =>
  ptrace_do_notify(task, SIGTRAP, exitCode, CLD_TRAPPED, trap);

/** ptrace_report_syscall(). @returns whether the task stops */
export function ptrace_report_syscall(task: Task, kind: 'syscall-entry' | 'syscall-exit'): boolean {
  if ((task.ptrace & PT_PTRACED) === 0) return false;
  ptrace_notify(task, SIGTRAP | ((task.ptrace & PT_TRACESYSGOOD) !== 0 ? 0x80 : 0), { kind });
  return true;
}

/** ptrace_event_enabled(). */
export const ptrace_event_enabled = (task: Task, event: number): boolean => (task.ptrace & PT_EVENT_FLAG(event)) !== 0;

/**
 * ptrace_event(). Without the option, execve has the signal SIGTRAP for a task that was not seized.
 * @returns whether the task stops
 */
export function ptrace_event(task: Task, event: number, message: number, trap: Trap = { kind: 'event' }): boolean {
  if (ptrace_event_enabled(task, event)) {
    task.ptraceMessage = message;
    ptrace_notify(task, (event << 8) | SIGTRAP, trap);
    return true;
  }
  if (event === PTRACE_EVENT_EXEC && (task.ptrace & (PT_PTRACED | PT_SEIZED)) === PT_PTRACED) {
    const { pid } = task;
    send_signal(task, { signo: SIGTRAP, errno: 0, code: SI_USER, layout: 'kill', pid, uid: task.cred.uid }, false);
  }
  return false;
}
