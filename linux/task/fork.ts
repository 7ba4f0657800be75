/** copy_process() and _do_fork(): kernel/fork.c and copy_thread_tls() of arch/x86/kernel/process_64.c. */
import { EAGAIN, EINVAL, ENOMEM, EPERM } from '../abi/errno.ts';
import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEW_ANY,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_PTRACE,
  CLONE_SETTLS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
  CSIGNAL,
} from '../abi/process.ts';
import { SIGCHLD } from '../abi/signal.ts';
import { dup_mm } from '../mm/dup.ts';
import { put_user_u32 } from '../mm/uaccess.ts';
import { ptrace_init_task } from '../ptrace/link.ts';
import { user_disable_single_step } from '../ptrace/step.ts';
import { sas_ss_reset } from '../signal/frame.ts';
import { copySighand } from '../signal/sighand.ts';
import { set_fs_base } from './fsgs.ts';
import { ThreadGroup } from './group.ts';
import { Task } from './task.ts';
import { TIF_SYSCALL_EMU, TIF_SYSCALL_TRACE, TS_COMPAT } from './thread-info.ts';
import { do_set_thread_area } from './tls.ts';

export interface CloneArgs {
  readonly flags: number;
  /** 0: the parent's. */
  readonly stack: bigint;
  readonly parentTid: number;
  readonly childTid: number;
  readonly tls: bigint;
  /** The parent's tracer has asked for this event. */
  readonly traced?: boolean;
}

/** copy_process(). @returns the child, ready to run, or an errno */
export function copy_process(parent: Task, args: CloneArgs): Task | number {
  const { flags } = args;
  const { kernel } = parent;
  // Not modelled: namespaces.
  if ((flags & CLONE_NEW_ANY) !== 0) return -EPERM;
  if ((flags & CLONE_THREAD) !== 0 && (flags & CLONE_SIGHAND) === 0) return -EINVAL;
  if ((flags & CLONE_SIGHAND) !== 0 && (flags & CLONE_VM) === 0) return -EINVAL;
  if (kernel.tasks.size >= kernel.maxThreads) return -EAGAIN;

  const mm = (flags & CLONE_VM) !== 0 ? parent.mm : dup_mm(parent.mm);
  if (typeof mm === 'number') return -ENOMEM;
  if (mm === parent.mm) mm.users++;
  const thread = (flags & CLONE_THREAD) !== 0;
  const pid = kernel.allocPid();
  const child = new Task({
    kernel,
    pid,
    group: parent.group,
    context: parent.context.clone(),
    mm,
    files: (flags & CLONE_FILES) !== 0 ? parent.files.share() : parent.files.clone(),
    fs: (flags & CLONE_FS) !== 0 ? parent.fs.share() : parent.fs.clone(),
    cred: parent.cred,
    sighand: (flags & CLONE_SIGHAND) !== 0 ? parent.sighand : copySighand(parent.sighand),
  });
  copyPlain(parent, child);
  user_disable_single_step(child);
  if (!thread) {
    const rlimits = parent.group.rlimits.map((r) => ({ ...r }));
    child.group = new ThreadGroup(pid, child, parent.group.pgrp, parent.group.session, rlimits);
    child.group.tty = parent.group.tty;
    child.group.oomScoreAdj = parent.group.oomScoreAdj;
    if (mm !== parent.mm) mm.rlimits = rlimits;
    child.exitSignal = (flags & CLONE_PARENT) !== 0 ? parent.group.leader.exitSignal : flags & CSIGNAL;
  }
  if ((flags & (CLONE_VM | CLONE_VFORK)) === CLONE_VM) sas_ss_reset(child);
  if ((flags & CLONE_CHILD_CLEARTID) !== 0) child.clearChildTid = args.childTid;
  if ((flags & CLONE_VFORK) !== 0) child.vforkParent = parent.pid;

  const error = copy_thread_tls(parent, child, args);
  if (error) {
    // Not modelled: the mm and files of a clone() that fails this late are not given back.
    return error;
  }
  if (thread) child.realParent = parent.realParent;
  else child.realParent = (flags & CLONE_PARENT) !== 0 ? parent.realParent : parent;
  child.parent = child.realParent;
  ptrace_init_task(parent, child, (flags & CLONE_PTRACE) !== 0 || args.traced === true);
  if (!thread) child.realParent?.children.push(child);
  child.group.threads.push(child);
  kernel.tasks.set(pid, child);
  if ((flags & CLONE_PARENT_SETTID) !== 0) put_user_u32(parent.mm, args.parentTid, pid);
  if ((flags & CLONE_CHILD_SETTID) !== 0) put_user_u32(child.mm, args.childTid, pid);
  kernel.makeRunnable(child);
  return child;
}

/** dup_task_struct(): what is copied as it is. */
function copyPlain(parent: Task, child: Task): void {
  child.comm = parent.comm;
  child.threadInfo.flags = parent.threadInfo.flags & ~TIF_SYSCALL_TRACE & ~TIF_SYSCALL_EMU;
  child.threadInfo.status = parent.threadInfo.status;
  child.origAx = parent.origAx;
  child.debugreg6 = parent.debugreg6;
  child.ptraceDr7 = parent.ptraceDr7;
  child.personality = parent.personality;
  child.blocked = parent.blocked;
  child.sas = { ...parent.sas };
  child.noNewPrivs = parent.noNewPrivs;
  child.seccomp = parent.seccomp;
  child.keepCaps = parent.keepCaps;
  child.thpDisabled = parent.thpDisabled;
  child.timerSlack = parent.timerSlack;
  child.nice = parent.nice;
  child.policy = parent.policy;
  child.rtPriority = parent.rtPriority;
  if (parent.schedResetOnFork) sched_reset(child);
  child.cpusAllowed = parent.cpusAllowed;
  child.ioprio = parent.ioprio;
  child.startTime = parent.kernel.now();
}

const SCHED_DEADLINE = 6;

/** sched_fork() behind SCHED_RESET_ON_FORK: the child starts as an ordinary task. */
function sched_reset(child: Task): void {
  const realtime = child.rtPriority !== 0 || child.policy === SCHED_DEADLINE;
  child.nice = realtime ? 0 : Math.max(child.nice, 0);
  if (realtime) child.policy = 0;
  child.rtPriority = 0;
}

/** copy_thread_tls(): the child's registers. */
function copy_thread_tls(parent: Task, child: Task, args: CloneArgs): number {
  const { regs } = child;
  regs.rax = 0n;
  if (args.stack !== 0n) regs.rsp = args.stack;
  child.tls.set(parent.tls);
  if ((args.flags & CLONE_SETTLS) === 0) return 0;
  if ((parent.threadInfo.status & TS_COMPAT) !== 0) {
    return do_set_thread_area(child, parent, Number(args.tls & 0xffff_ffffn), { canAllocate: false });
  }
  return set_fs_base(child, args.tls);
}

/** SIGCHLD, for fork() and vfork(). */
export const FORK_FLAGS = SIGCHLD;
