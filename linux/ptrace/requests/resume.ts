/** Letting a tracee go on, and how: ptrace_resume(), ptrace_setoptions() ..., kernel/ptrace.c. */
import { EINVAL, EIO, EPERM } from '../../abi/errno.ts';
import {
  PT_OPT_FLAG_SHIFT,
  PT_SEIZED,
  PT_SUSPEND_SECCOMP,
  PTRACE_CONT,
  PTRACE_DETACH,
  PTRACE_EVENT_STOP,
  PTRACE_INTERRUPT,
  PTRACE_KILL,
  PTRACE_LISTEN,
  PTRACE_O_MASK,
  PTRACE_O_SUSPEND_SECCOMP,
  PTRACE_OLDSETOPTIONS,
  PTRACE_SETOPTIONS,
  PTRACE_SINGLEBLOCK,
  PTRACE_SINGLESTEP,
  PTRACE_SYSCALL,
  PTRACE_SYSEMU,
  PTRACE_SYSEMU_SINGLESTEP,
} from '../../abi/ptrace.ts';
import { SECCOMP_MODE_DISABLED } from '../../abi/seccomp.ts';
import { SIGKILL } from '../../abi/signal.ts';
import { ptrace_signal_wake_up } from '../../signal/queue.ts';
import { CAP_SYS_ADMIN, capable } from '../../task/cred.ts';
import { JOBCTL_LISTENING, JOBCTL_TRAP_NOTIFY, JOBCTL_TRAP_STOP, task_set_jobctl_pending } from '../../task/jobctl.ts';
import type { Task } from '../../task/task.ts';
import { TIF_SYSCALL_EMU, TIF_SYSCALL_TRACE } from '../../task/thread-info.ts';
import { ptrace_detach } from '../detach.ts';
import { user_disable_single_step, user_enable_block_step, user_enable_single_step } from '../step.ts';
import { type PtraceRequest, type RequestTable, valid_signal } from './call.ts';

/** A resume: what the next stop may be. */
const resume =
  (tif: number, step: (child: Task) => void): PtraceRequest =>
  ({ child, data }) => {
    if (!valid_signal(data)) return -EIO;
    child.threadInfo.flags = (child.threadInfo.flags & ~(TIF_SYSCALL_TRACE | TIF_SYSCALL_EMU)) | tif;
    step(child);
    child.exitCode = Number(data);
    if (child.state === 'traced') child.kernel.makeRunnable(child);
    return 0;
  };

const cont = resume(0, user_disable_single_step);

/** ptrace_detach(). */
const detach: PtraceRequest = ({ tracer, child, data }) => {
  if (!valid_signal(data)) return -EIO;
  user_disable_single_step(child);
  child.threadInfo.flags &= ~(TIF_SYSCALL_TRACE | TIF_SYSCALL_EMU);
  child.exitCode = Number(data);
  ptrace_detach(tracer, child);
  return 0;
};

/** ptrace_setoptions(). */
const setoptions: PtraceRequest = ({ tracer, child, data }) => {
  if ((data & ~BigInt(PTRACE_O_MASK)) !== 0n) return -EINVAL;
  const options = Number(data);
  if ((options & PTRACE_O_SUSPEND_SECCOMP) !== 0) {
    if (!capable(tracer.cred, CAP_SYS_ADMIN)) return -EPERM;
    if (tracer.seccomp.mode !== SECCOMP_MODE_DISABLED || (tracer.ptrace & PT_SUSPEND_SECCOMP) !== 0) return -EPERM;
  }
  child.ptrace = (child.ptrace & ~(PTRACE_O_MASK << PT_OPT_FLAG_SHIFT)) | (options << PT_OPT_FLAG_SHIFT);
  return 0;
};

/** A trap at the next chance, whatever the tracee does; one that listens traps again. */
const interrupt: PtraceRequest = ({ child }) => {
  if ((child.ptrace & PT_SEIZED) === 0 || child.exitState !== undefined) return -EIO;
  if (task_set_jobctl_pending(child, JOBCTL_TRAP_STOP)) {
    ptrace_signal_wake_up(child, (child.jobctl & JOBCTL_LISTENING) !== 0);
  }
  return 0;
};

/** The tracee stays in its stop, and traps again when its group goes on. */
const listen: PtraceRequest = ({ child }) => {
  if ((child.ptrace & PT_SEIZED) === 0) return -EIO;
  const info = child.lastSiginfo;
  if (!info || info.code >> 8 !== PTRACE_EVENT_STOP) return -EIO;
  child.jobctl |= JOBCTL_LISTENING;
  if ((child.jobctl & JOBCTL_TRAP_NOTIFY) !== 0) ptrace_signal_wake_up(child, true);
  return 0;
};

export const resuming: RequestTable = new Map<number, PtraceRequest>([
  [PTRACE_CONT, cont],
  [PTRACE_SYSCALL, resume(TIF_SYSCALL_TRACE, user_disable_single_step)],
  [PTRACE_SINGLESTEP, resume(0, user_enable_single_step)],
  [PTRACE_SINGLEBLOCK, resume(0, user_enable_block_step)],
  [PTRACE_SYSEMU, resume(TIF_SYSCALL_EMU, user_disable_single_step)],
  [PTRACE_SYSEMU_SINGLESTEP, resume(TIF_SYSCALL_EMU, user_enable_single_step)],
  [PTRACE_KILL, (call) => (call.child.exitState ? 0 : cont({ ...call, data: BigInt(SIGKILL) }))],
  [PTRACE_DETACH, detach],
  [PTRACE_INTERRUPT, interrupt],
  [PTRACE_LISTEN, listen],
  [PTRACE_SETOPTIONS, setoptions],
  [PTRACE_OLDSETOPTIONS, setoptions],
]);
