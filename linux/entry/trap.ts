import { NSIG } from '../abi/signal.ts';
import { afterPtraceSignal } from '../signal/deliver.ts';
import { kernelInfo, recalc_sigpending, send_signal } from '../signal/queue.ts';
import { finishExit } from '../task/exit.ts';
import { fatal_signal_pending, JOBCTL_LISTENING } from '../task/jobctl.ts';
import type { Task } from '../task/task.ts';
import { TIF_SYSCALL_EMU } from '../task/thread-info.ts';
import type { Trap } from '../task/trap.ts';
import { afterSeccompStop, afterSyscallEntry, afterSyscallExit } from './entry.ts';

/** ptrace_stop() after the tracer has let the task go on, and what its callers do then. kernel/signal.c */
export function finishTrap(task: Task, trap: Trap): void {
  const info = task.lastSiginfo;
  task.trap = undefined;
  task.lastSiginfo = undefined;
  task.jobctl &= ~JOBCTL_LISTENING;
  recalc_sigpending(task);
  switch (trap.kind) {
    case 'syscall-entry':
      sendExitCode(task);
      afterSyscallEntry(task, (task.threadInfo.flags & TIF_SYSCALL_EMU) !== 0 || fatal_signal_pending(task));
      return;
    case 'syscall-exit':
      sendExitCode(task);
      afterSyscallExit(task);
      return;
    case 'seccomp':
      afterSeccompStop(task);
      return;
    case 'signal':
      if (info) afterPtraceSignal(task, info);
      // It goes on inside get_signal(): an interrupted call has still to be looked at.
      task.sigPending = true;
      return;
    case 'jobctl':
      if (trap.clearCode) task.exitCode = 0;
      task.sigPending = true;
      return;
    case 'event':
      if (task.wait) task.wait.reason = 'woken';
      return;
    case 'exit':
      finishExit(task, trap.code);
      return;
    case 'handler':
      return;
  }
}

/** ptrace_report_syscall(): the signal that the tracer gave along is sent. A stop that SIGKILL cut short leaves its own code. */
function sendExitCode(task: Task): void {
  const sig = task.exitCode;
  if (sig === 0) return;
  task.exitCode = 0;
  if (sig <= NSIG) send_signal(task, kernelInfo(sig), false);
}
