/** Tying a tracee to its tracer and untying it: kernel/ptrace.c and ptrace_init_task() of include/linux/ptrace.h. */
import { PT_SEIZED } from '../abi/ptrace.ts';
import { SIGSTOP, sigmask } from '../abi/signal.ts';
import { ptrace_signal_wake_up } from '../signal/queue.ts';
import { SIGNAL_STOP_STOPPED } from '../task/group.ts';
import {
  JOBCTL_STOP_PENDING,
  JOBCTL_STOP_SIGMASK,
  JOBCTL_TRAP_MASK,
  JOBCTL_TRAP_STOP,
  task_clear_jobctl_pending,
  task_set_jobctl_pending,
} from '../task/jobctl.ts';
import type { Task } from '../task/task.ts';

/** __ptrace_link(). `tracer` undefined is init. */
export function ptrace_link(child: Task, tracer: Task | undefined): void {
  tracer?.ptraced.unshift(child);
  child.parent = tracer;
}

/** __ptrace_unlink(): the task goes on, or joins the group stop that there is. */
export function ptrace_unlink(child: Task): void {
  const tracer = child.parent;
  if (tracer) tracer.ptraced = tracer.ptraced.filter((t) => t !== child);
  child.parent = child.realParent;
  child.ptrace = 0;
  task_clear_jobctl_pending(child, JOBCTL_TRAP_MASK);
  const { group } = child;
  const stopping = (group.flags & SIGNAL_STOP_STOPPED) !== 0 || group.groupStopCount > 0;
  if (child.exitState === undefined && stopping) {
    child.jobctl |= JOBCTL_STOP_PENDING;
    // A thread that was cloned in a stopped group has no signal yet.
    if ((child.jobctl & JOBCTL_STOP_SIGMASK) === 0) child.jobctl |= SIGSTOP;
  }
  if (child.exitState !== undefined) return;
  if ((child.jobctl & JOBCTL_STOP_PENDING) !== 0 || child.state === 'traced') ptrace_signal_wake_up(child, true);
}

/** ptrace_init_task(): a new task whose parent's tracer asked for it is traced from its first instruction on. */
export function ptrace_init_task(parent: Task, child: Task, traced: boolean): void {
  if (!traced || parent.ptrace === 0) return;
  child.ptrace = parent.ptrace;
  ptrace_link(child, parent.parent);
  if ((child.ptrace & PT_SEIZED) !== 0) task_set_jobctl_pending(child, JOBCTL_TRAP_STOP);
  else child.pending.set |= sigmask(SIGSTOP);
  child.sigPending = true;
}
