/** task->jobctl: what a task has still to do for job control and its tracer. include/linux/sched.h, kernel/signal.c. */
import { SIGKILL, sigmask } from '../abi/signal.ts';
import { SIGNAL_STOP_STOPPED } from './group.ts';
import type { Task } from './task.ts';

/** The signal of the last group stop. */
export const JOBCTL_STOP_SIGMASK = 0xffff;
/** A stop signal was dequeued, and no SIGCONT came since. */
export const JOBCTL_STOP_DEQUEUED = 1 << 16,
  /** The task is to stop for a group stop. */
  JOBCTL_STOP_PENDING = 1 << 17,
  /** It counts in `group_stop_count`. */
  JOBCTL_STOP_CONSUME = 1 << 18,
  /** It is to trap for its tracer. */
  JOBCTL_TRAP_STOP = 1 << 19,
  /** The state of the group has changed: it is to trap again. */
  JOBCTL_TRAP_NOTIFY = 1 << 20,
  /** PTRACE_LISTEN. */
  JOBCTL_LISTENING = 1 << 22;
export const JOBCTL_TRAP_MASK = JOBCTL_TRAP_STOP | JOBCTL_TRAP_NOTIFY,
  JOBCTL_PENDING_MASK = JOBCTL_STOP_PENDING | JOBCTL_TRAP_MASK;

/** fatal_signal_pending(). */
export const fatal_signal_pending = (task: Task): boolean => (task.pending.set & sigmask(SIGKILL)) !== 0n;

/** task_set_jobctl_pending(). @returns false for a dying task */
export function task_set_jobctl_pending(task: Task, mask: number): boolean {
  if (fatal_signal_pending(task) || task.exitState !== undefined) return false;
  if ((mask & JOBCTL_STOP_SIGMASK) !== 0) task.jobctl &= ~JOBCTL_STOP_SIGMASK;
  task.jobctl |= mask;
  return true;
}

/** task_clear_jobctl_pending(). */
export function task_clear_jobctl_pending(task: Task, mask: number): void {
  const also = (mask & JOBCTL_STOP_PENDING) !== 0 ? JOBCTL_STOP_CONSUME | JOBCTL_STOP_DEQUEUED : 0;
  task.jobctl &= ~(mask | also);
}

/** task_participate_group_stop(). @returns whether this completes a stop, of which the parent is to be told */
export function task_participate_group_stop(task: Task): boolean {
  const { group } = task;
  const consume = (task.jobctl & JOBCTL_STOP_CONSUME) !== 0;
  task_clear_jobctl_pending(task, JOBCTL_STOP_PENDING);
  if (!consume) return false;
  group.groupStopCount--;
  if (group.groupStopCount > 0 || (group.flags & SIGNAL_STOP_STOPPED) !== 0) return false;
  group.flags = SIGNAL_STOP_STOPPED;
  return true;
}
