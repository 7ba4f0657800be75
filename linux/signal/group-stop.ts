/** Stopping as a group, and trapping for it: do_signal_stop(), do_jobctl_trap(), kernel/signal.c. */
import { PT_SEIZED, PTRACE_EVENT_STOP } from '../abi/ptrace.ts';
import { CLD_STOPPED, SIGTRAP } from '../abi/signal.ts';
import { ptrace_do_notify, ptrace_stop } from '../ptrace/stop.ts';
import { SIGNAL_GROUP_EXIT, SIGNAL_STOP_STOPPED } from '../task/group.ts';
import {
  JOBCTL_STOP_CONSUME,
  JOBCTL_STOP_DEQUEUED,
  JOBCTL_STOP_PENDING,
  JOBCTL_STOP_SIGMASK,
  JOBCTL_TRAP_STOP,
  task_participate_group_stop,
  task_set_jobctl_pending,
} from '../task/jobctl.ts';
import type { Task } from '../task/task.ts';
import { do_notify_parent_cldstop, ptrace_trap_notify, signal_wake_up } from './queue.ts';

/**
 * do_signal_stop(): starts a group stop, or takes part in one (`signr` 0).
 * @returns false when the task goes on: a SIGCONT came between, or the stop is a matter of its tracer
 */
export function do_signal_stop(task: Task, signr: number): boolean {
  const { group, kernel } = task;
  if ((task.jobctl & JOBCTL_STOP_PENDING) === 0) {
    if ((task.jobctl & JOBCTL_STOP_DEQUEUED) === 0 || (group.flags & SIGNAL_GROUP_EXIT) !== 0) return false;
    startGroupStop(task, signr);
  }
  if (task.ptrace !== 0) {
    task_set_jobctl_pending(task, JOBCTL_TRAP_STOP);
    return false;
  }
  const sig = task.jobctl & JOBCTL_STOP_SIGMASK;
  const complete = task_participate_group_stop(task);
  kernel.makeStopped(task);
  if (complete) {
    do_notify_parent_cldstop(task, false, CLD_STOPPED);
    kernel.report({ kind: 'group-stop', task: group.leader, sig });
  }
  return true;
}

function startGroupStop(task: Task, signr: number): void {
  const { group } = task;
  const pending = signr | JOBCTL_STOP_PENDING | JOBCTL_STOP_CONSUME;
  // A traced task may start a stop while the group is stopped: the parent still waits for the first signal.
  if ((group.flags & SIGNAL_STOP_STOPPED) === 0) group.groupExitCode = signr;
  group.groupStopCount = 0;
  for (const t of group.threads) {
    if (t !== task && t.state === 'stopped') continue;
    if (!task_set_jobctl_pending(t, pending)) continue;
    group.groupStopCount++;
    if (t === task) continue;
    if ((t.ptrace & PT_SEIZED) !== 0) ptrace_trap_notify(t);
    else signal_wake_up(t, false);
  }
}

/** do_jobctl_trap(): the group stop of a traced task, PTRACE_INTERRUPT, and for seized tasks the end of a stop. */
export function do_jobctl_trap(task: Task): void {
  const { group } = task;
  let signr = task.jobctl & JOBCTL_STOP_SIGMASK;
  if ((task.ptrace & PT_SEIZED) === 0) {
    ptrace_stop(task, signr, CLD_STOPPED, undefined, { kind: 'jobctl', clearCode: true });
    return;
  }
  if (group.groupStopCount === 0 && (group.flags & SIGNAL_STOP_STOPPED) === 0) signr = SIGTRAP;
  ptrace_do_notify(task, signr, signr | (PTRACE_EVENT_STOP << 8), CLD_STOPPED, { kind: 'jobctl', clearCode: false });
}
