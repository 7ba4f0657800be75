/** Making, ending and awaiting processes; process groups and sessions: kernel/{fork,exit,sys}.c. */
import { ECHILD, EFAULT, EINVAL, EPERM, ERESTARTSYS, ESRCH } from '../abi/errno.ts';
import {
  __WALL,
  __WCLONE,
  __WNOTHREAD,
  CLONE_FILES,
  CLONE_FS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_UNTRACED,
  CLONE_VFORK,
  CLONE_VM,
  CSIGNAL,
  compat_rusage,
  P_ALL,
  P_PGID,
  P_PID,
  RUSAGE_CHILDREN,
  RUSAGE_SELF,
  RUSAGE_THREAD,
  rusage,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
  WUNTRACED,
} from '../abi/process.ts';
import { PTRACE_EVENT_CLONE, PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK, PTRACE_EVENT_VFORK_DONE } from '../abi/ptrace.ts';
import { SIGCHLD, type SigInfo } from '../abi/signal.ts';
import { NSEC_PER_SEC } from '../abi/time.ts';
import { BLOCKED, block, type SysResult, trapped } from '../entry/syscall-row.ts';
import { copy_to_user, put_user_u32 } from '../mm/uaccess.ts';
import { ptrace_event, ptrace_event_enabled } from '../ptrace/stop.ts';
import { copySighand } from '../signal/sighand.ts';
import { siginfoTo32, siginfoTo64 } from '../signal/siginfo.ts';
import { type CpuTime, thread_group_cputime } from '../task/cpu-time.ts';
import { do_exit, do_group_exit } from '../task/exit.ts';
import { type CloneArgs, copy_process } from '../task/fork.ts';
import type { Task } from '../task/task.ts';
import { hasCompatTimes, in_x32_syscall, isCompatCall } from '../task/thread-info.ts';
import { do_wait, type WaitResult, type WaitTarget } from '../task/wait.ts';

// ---- fork

/** What do_fork() still has to do when it is called again. */
interface ForkWait {
  readonly child: number;
  readonly next: 'vfork' | 'vfork-done' | 'return';
}

/** PTRACE_EVENT_FORK, _VFORK or _CLONE. */
function eventOf(flags: number): number {
  if ((flags & CLONE_VFORK) !== 0) return PTRACE_EVENT_VFORK;
  return (flags & CSIGNAL) === SIGCHLD ? PTRACE_EVENT_FORK : PTRACE_EVENT_CLONE;
}

/** _do_fork(): with CLONE_VFORK the parent sleeps until the child gives the memory back. */
function do_fork(task: Task, args: CloneArgs): SysResult {
  const { kernel } = task;
  if (task.wait) return goOnForking(task, task.wait.data as ForkWait, task.wait.reason);
  const event = eventOf(args.flags);
  const traced = (args.flags & CLONE_UNTRACED) === 0 && ptrace_event_enabled(task, event);
  const child = copy_process(task, { ...args, traced });
  if (typeof child === 'number') return child;
  const vfork = (args.flags & CLONE_VFORK) !== 0;
  kernel.report({ kind: vfork ? 'vfork' : event === PTRACE_EVENT_FORK ? 'fork' : 'clone', task, child });
  const wait: ForkWait = { child: child.pid, next: vfork ? 'vfork' : 'return' };
  if (traced && ptrace_event(task, event, child.pid)) return trapped(task, wait);
  return goOnForking(task, wait, undefined);
}

function goOnForking(task: Task, wait: ForkWait, reason: 'woken' | 'timeout' | 'signal' | undefined): SysResult {
  const { child, next } = wait;
  switch (next) {
    case 'vfork':
      // The child may have ended, or executed a program, while the parent was stopped.
      if (task.kernel.tasks.get(child)?.vforkParent !== task.pid)
        return goOnForking(task, { child, next: 'vfork-done' }, 'woken');
      return block(task, { channels: [`vfork:${child}`], killable: true, data: { child, next: 'vfork-done' } });
    case 'vfork-done':
      if (reason === 'signal') return child;
      task.kernel.report({ kind: 'vfork-done', task });
      if (ptrace_event(task, PTRACE_EVENT_VFORK_DONE, child)) return trapped(task, { child, next: 'return' });
      return child;
    case 'return':
      return child;
  }
}

/** clone(2) of the 64-bit table: flags, stack, parent_tid, child_tid, tls. */
export const sys_clone = (
  task: Task,
  flags: number,
  _stack: number,
  ptid: number,
  ctid: number,
  _tls: number,
): SysResult =>
  do_fork(task, { flags, stack: task.sysArgs[1]!, parentTid: ptid, childTid: ctid, tls: task.sysArgs[4]! });

/** clone(2) of i386: flags, stack, parent_tid, tls, child_tid. */
export const compat_sys_clone = (
  task: Task,
  flags: number,
  _stack: number,
  ptid: number,
  _tls: number,
  ctid: number,
): SysResult =>
  do_fork(task, { flags, stack: task.sysArgs[1]!, parentTid: ptid, childTid: ctid, tls: task.sysArgs[3]! });

/** fork(2). */
export const sys_fork = (task: Task): SysResult =>
  do_fork(task, { flags: SIGCHLD, stack: 0n, parentTid: 0, childTid: 0, tls: 0n });

/** vfork(2). */
export const sys_vfork = (task: Task): SysResult =>
  do_fork(task, { flags: CLONE_VFORK | CLONE_VM | SIGCHLD, stack: 0n, parentTid: 0, childTid: 0, tls: 0n });

/** unshare(2): files and directories. Not modelled: namespaces. */
export function sys_unshare(task: Task, flags: number): number {
  if ((flags & ~(CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VM | CLONE_THREAD)) !== 0) return -EPERM;
  if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) !== 0 && task.group.threads.length > 1) return -EINVAL;
  if ((flags & CLONE_FS) !== 0 && task.fs.count > 1) {
    const fs = task.fs.clone();
    task.fs.release();
    task.fs = fs;
  }
  if ((flags & CLONE_FILES) !== 0 && task.files.count > 1) {
    const files = task.files.clone();
    task.files.release();
    task.files = files;
  }
  if ((flags & CLONE_SIGHAND) !== 0) task.sighand = copySighand(task.sighand);
  return 0;
}

/** set_tid_address(2). */
export function sys_set_tid_address(task: Task, at: number): number {
  task.clearChildTid = at;
  return task.pid;
}

// ---- exit and wait

/** exit(2): this thread only. */
export function sys_exit(task: Task, code: number): SysResult {
  do_exit(task, (code & 0xff) << 8);
  return BLOCKED;
}

/** exit_group(2). */
export function sys_exit_group(task: Task, code: number): SysResult {
  do_group_exit(task, (code & 0xff) << 8);
  return BLOCKED;
}

/** The common part of wait4() and waitid(). */
function waitFor(task: Task, target: WaitTarget, options: number): WaitResult | 'none' | 'nohang' | SysResult {
  const found = do_wait(task, target, options);
  if (found === 'none') return 'none';
  if (found !== 'later') return found as WaitResult;
  if ((options & WNOHANG) !== 0) return 'nohang';
  if (task.wait?.reason === 'signal') return -ERESTARTSYS;
  return block(task, { channels: [`child:${task.tgid}`] });
}

const isResult = (r: unknown): r is WaitResult => typeof r === 'object' && r !== null && 'siStatus' in r;

/** wait4(2) and compat_sys_wait4(). */
export function sys_wait4(task: Task, pid: number, statusAt: number, options: number, usageAt: number): SysResult {
  const allowed = (WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL) >>> 0;
  if ((options & ~allowed) !== 0) return -EINVAL;
  let target: WaitTarget;
  if (pid === -1) target = { type: 'all', id: 0 };
  else if (pid < 0) target = { type: 'pgid', id: -pid };
  else if (pid === 0) target = { type: 'pgid', id: task.group.pgrp };
  else target = { type: 'pid', id: pid };
  const r = waitFor(task, target, options | WEXITED);
  if (r === 'none') return -ECHILD;
  if (r === 'nohang') return 0;
  if (!isResult(r)) return r;
  if (statusAt !== 0 && put_user_u32(task.mm, statusAt, r.status)) return -EFAULT;
  if (usageAt !== 0 && putRusage(task, usageAt, { cpuTime: r.cpuTime })) return -EFAULT;
  return r.pid;
}

/** waitpid(2), i386 number 7. */
export const sys_waitpid = (task: Task, pid: number, statusAt: number, options: number): SysResult =>
  sys_wait4(task, pid, statusAt, options, 0);

/** waitid(2). */
export function sys_waitid(
  task: Task,
  which: number,
  id: number,
  infoAt: number,
  options: number,
  usageAt: number,
): SysResult {
  const allowed = (WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL) >>> 0;
  if ((options & ~allowed) !== 0 || (options & (WEXITED | WSTOPPED | WCONTINUED)) === 0) return -EINVAL;
  let target: WaitTarget;
  if (which === P_ALL) target = { type: 'all', id: 0 };
  else if (which === P_PID && id > 0) target = { type: 'pid', id };
  else if (which === P_PGID && id > 0) target = { type: 'pgid', id };
  else return -EINVAL;
  const r = waitFor(task, target, options);
  if (r === 'none') return -ECHILD;
  if (r !== 'nohang' && !isResult(r)) return r;
  if (isResult(r) && usageAt !== 0 && putRusage(task, usageAt, { cpuTime: r.cpuTime })) return -EFAULT;
  if (infoAt === 0) return 0;
  return copy_to_user(task.mm, infoAt, waitidInfo(task, r === 'nohang' ? undefined : r));
}

/** waitid() never writes the times. */
function waitidInfo(task: Task, r: WaitResult | undefined): Uint8Array {
  const info: SigInfo = {
    signo: r ? SIGCHLD : 0,
    errno: 0,
    code: r?.code ?? 0,
    layout: 'chld',
    pid: r?.pid ?? 0,
    uid: r?.uid ?? 0,
    status: r?.siStatus ?? 0,
  };
  return isCompatCall(task)
    ? siginfoTo32(info, in_x32_syscall(task)).subarray(0, 24)
    : siginfoTo64(info).subarray(0, 28);
}

// ---- usage

interface Usage {
  readonly cpuTime: CpuTime;
  readonly minflt?: number;
  readonly majflt?: number;
  readonly nvcsw?: number;
  readonly nivcsw?: number;
  readonly maxrss?: number;
}

/** @returns 0 or -EFAULT */
export function putRusage(task: Task, at: number, u: Usage): number {
  const seconds = (ns: number): number => Math.floor(ns / NSEC_PER_SEC);
  const micros = (ns: number): number => Math.floor((ns % NSEC_PER_SEC) / 1000);
  const { user, system } = u.cpuTime;
  const fields = {
    utime_sec: seconds(user),
    utime_usec: micros(user),
    stime_sec: seconds(system),
    stime_usec: micros(system),
    maxrss: u.maxrss ?? 0,
    minflt: u.minflt ?? 0,
    majflt: u.majflt ?? 0,
    nvcsw: u.nvcsw ?? 0,
    nivcsw: u.nivcsw ?? 0,
  };
  if (hasCompatTimes(task)) return copy_to_user(task.mm, at, compat_rusage.write(fields));
  const wide = Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, BigInt(v)]));
  return copy_to_user(task.mm, at, rusage.write(wide));
}

/** getrusage(2). */
export function sys_getrusage(task: Task, who: number, at: number): number {
  const { group } = task;
  switch (who) {
    case RUSAGE_SELF: {
      let minflt = 0;
      let majflt = 0;
      for (const t of group.threads) {
        minflt += t.minFaults;
        majflt += t.majFaults;
      }
      const maxrss = task.mm.rss * 4;
      return putRusage(task, at, { cpuTime: thread_group_cputime(group), minflt, majflt, maxrss });
    }
    case RUSAGE_CHILDREN:
      return putRusage(task, at, { cpuTime: group.childrenTime });
    case RUSAGE_THREAD:
      return putRusage(task, at, { cpuTime: task.cpuTime });
    default:
      return -EINVAL;
  }
}

// ---- ids

export const sys_getpid = (task: Task): number => task.tgid;
export const sys_gettid = (task: Task): number => task.pid;
/** Without a parent in the model it is init. */
export const sys_getppid = (task: Task): number => task.group.leader.realParent?.tgid ?? 1;

/** getpgid(2). */
export function sys_getpgid(task: Task, pid: number): number {
  const target = pid === 0 ? task : task.kernel.tasks.get(pid);
  return target ? target.group.pgrp : -ESRCH;
}

export const sys_getpgrp = (task: Task): number => task.group.pgrp;

/** getsid(2). */
export function sys_getsid(task: Task, pid: number): number {
  const target = pid === 0 ? task : task.kernel.tasks.get(pid);
  return target ? target.group.session : -ESRCH;
}

/** setpgid(2). */
export function sys_setpgid(task: Task, pidArg: number, pgidArg: number): number {
  const pid = pidArg || task.tgid;
  const pgid = pgidArg || pid;
  if (pgid < 0) return -EINVAL;
  const target = task.kernel.tasks.get(pid);
  if (!target) return -ESRCH;
  if (!target.isLeader) return -EINVAL;
  if (target.realParent?.group === task.group) {
    if (target.group.session !== task.group.session) return -EPERM;
    if (target.didExec) return -13;
  } else if (target.group !== task.group) return -ESRCH;
  if (target.group.session === target.tgid) return -EPERM;
  if (pgid !== pid && !groupExists(task, pgid)) return -EPERM;
  target.group.pgrp = pgid;
  return 0;
}

function groupExists(task: Task, pgid: number): boolean {
  for (const t of task.kernel.tasks.values()) {
    if (t.group.pgrp === pgid && t.group.session === task.group.session) return true;
  }
  return false;
}

/** setsid(2). */
export function sys_setsid(task: Task): number {
  const { group, kernel } = task;
  for (const t of kernel.tasks.values()) if (t.group.pgrp === group.tgid) return -EPERM;
  group.session = group.tgid;
  group.pgrp = group.tgid;
  group.tty = undefined;
  return group.tgid;
}
