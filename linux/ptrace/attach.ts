/** The beginning of tracing: ptrace_attach(), ptrace_traceme(), kernel/ptrace.c. */
import { EIO, EPERM } from '../abi/errno.ts';
import { PT_OPT_FLAG_SHIFT, PT_PTRACE_CAP, PT_PTRACED, PT_SEIZED, PTRACE_O_MASK } from '../abi/ptrace.ts';
import { SIGSTOP } from '../abi/signal.ts';
import { do_jobctl_trap } from '../signal/group-stop.ts';
import { kernelInfo, send_signal } from '../signal/queue.ts';
import { CAP_SYS_PTRACE, capable } from '../task/cred.ts';
import { JOBCTL_TRAP_STOP, task_set_jobctl_pending } from '../task/jobctl.ts';
import type { Task } from '../task/task.ts';
import { cap_ptrace_traceme, ptrace_may_access } from './access.ts';
import { ptrace_link } from './link.ts';

/** PTRACE_TRACEME. A first process, whose parent is outside of the model, is traced by nobody who would answer. */
export function ptrace_traceme(task: Task): number {
  if (task.ptrace !== 0) return -EPERM;
  const parent = task.realParent;
  const error = parent ? cap_ptrace_traceme(parent, task) : 0;
  if (error === 0 && parent?.exitState === undefined) {
    task.ptrace = PT_PTRACED;
    ptrace_link(task, parent);
  }
  return error;
}

/** PTRACE_ATTACH, which also sends SIGSTOP. */
export const ptrace_attach = (tracer: Task, task: Task): number => attach(tracer, task, PT_PTRACED, false);

/** PTRACE_SEIZE: with options, without a stop. */
export function ptrace_seize(tracer: Task, task: Task, addr: number, options: number): number {
  if (addr !== 0) return -EIO;
  if (options < 0 || options > 0xffff_ffff || (options & ~PTRACE_O_MASK) !== 0) return -EIO;
  return attach(tracer, task, PT_PTRACED | PT_SEIZED | (options << PT_OPT_FLAG_SHIFT), true);
}

function attach(tracer: Task, task: Task, flags: number, seize: boolean): number {
  if (tracer.group === task.group) return -EPERM;
  const error = ptrace_may_access(tracer, task, 'real');
  if (error) return error;
  if (task.exitState !== undefined || task.ptrace !== 0) return -EPERM;
  task.ptrace = flags | (capable(tracer.cred, CAP_SYS_PTRACE) ? PT_PTRACE_CAP : 0);
  ptrace_link(task, tracer);
  if (!seize) send_signal(task, kernelInfo(SIGSTOP), false);
  // A stopped task goes over into the tracer's stop, and nobody sees it run meanwhile.
  if (task.state === 'stopped' && task_set_jobctl_pending(task, JOBCTL_TRAP_STOP)) do_jobctl_trap(task);
  return 0;
}
