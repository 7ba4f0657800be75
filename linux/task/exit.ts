/** The end of tasks: kernel/exit.c and the parts of kernel/signal.c and kernel/fork.c that belong to it. */

import { EAGAIN, ERESTARTNOINTR } from '../abi/errno.ts';
import { FUTEX_BITSET_MATCH_ANY } from '../abi/futex.ts';
import { PTRACE_EVENT_EXIT } from '../abi/ptrace.ts';
import { SIGCHLD, SIGCONT, SIGHUP, signalName } from '../abi/signal.ts';
import { exit_sem } from '../ipc/exit.ts';
import { mmput } from '../mm/dup.ts';
import { put_user_u32 } from '../mm/uaccess.ts';
import { exit_ptrace } from '../ptrace/detach.ts';
import { ptrace_unlink } from '../ptrace/link.ts';
import { ptrace_event, ptrace_reparented } from '../ptrace/stop.ts';
import { kernelInfo, kill_thread, send_signal } from '../signal/queue.ts';
import { sumOfTimes } from './cpu-time.ts';
import { exit_robust_list, futex_wake } from './futex.ts';
import { execChannel, SIGNAL_GROUP_COREDUMP, SIGNAL_GROUP_EXIT } from './group.ts';
import { do_notify_parent, groupStatus, thread_group_empty } from './notify.ts';
import { has_stopped_jobs, processesOf, will_become_orphaned_pgrp } from './pgrp.ts';
import { exit_itimers } from './posix-timers.ts';
import { release_task } from './release.ts';
import type { Task } from './task.ts';

/** do_group_exit(): the whole process ends with this status; the first call decides. */
export function do_group_exit(task: Task, code: number): void {
  const { group } = task;
  // Killed by another thread's execve, the process goes on: signal_group_exit().
  if ((group.flags & SIGNAL_GROUP_EXIT) === 0 && (group.execTask ?? task) === task) {
    group.flags = SIGNAL_GROUP_EXIT;
    group.groupExitCode = code;
    for (const t of group.threads) if (t !== task) kill_thread(t);
  }
  do_exit(task, group.groupExitCode);
}

/** do_exit(): one thread ends; a traced one may stop before that. */
export function do_exit(task: Task, code: number): void {
  if (task.exitState !== undefined) return;
  if (ptrace_event(task, PTRACE_EVENT_EXIT, code, { kind: 'exit', code })) return;
  finishExit(task, code);
}

/** do_exit() after PTRACE_EVENT_EXIT. */
export function finishExit(task: Task, code: number): void {
  if (task.exitState !== undefined) return;
  const { group, kernel, pid } = task;
  kernel.cancelWait(task);
  task.exitCode = code;
  task.inSyscall = false;
  mm_release(task);
  const others = group.threads.some((t) => t !== task && t.exitState === undefined);
  if (!others) {
    for (const timer of group.itimers) timer.expires = 0;
    exit_itimers(group);
    exit_sem(task);
  }
  task.files.release();
  task.fs.release();
  if (!others && group.session === group.tgid) group.tty?.disassociate(true);
  mmput(task.mm);
  group.deadTime = sumOfTimes(group.deadTime, task.cpuTime);
  task.exitState = 'zombie';
  task.state = 'zombie';
  kernel.removeFromQueue(task);
  const status = groupStatus(task);
  exit_notify(task, others);
  const sig = status & 0x7f;
  kernel.options.strace?.(
    `${pid} +++ ${sig !== 0 ? `killed by ${signalName(sig)}` : `exited with ${status >> 8}`} +++`,
  );
  if (others) kernel.report({ kind: 'thread-exit', task, status: code });
  else {
    if (group.tgid === kernel.firstPid) kernel.exitStatus = status;
    kernel.report({ kind: 'exit', task: group.leader, status });
  }
}

/** mm_release(), kernel/fork.c: at exit and at exec. */
export function mm_release(task: Task): void {
  if (task.robustList !== 0) exit_robust_list(task, task.robustList, false);
  if (task.compatRobustList !== 0) exit_robust_list(task, task.compatRobustList, true);
  task.robustList = 0;
  task.compatRobustList = 0;
  if (task.clearChildTid !== 0) {
    // While the memory is being dumped nobody writes to it.
    if (task.mm.users > 1 && (task.group.flags & SIGNAL_GROUP_COREDUMP) === 0) {
      put_user_u32(task.mm, task.clearChildTid, 0);
      futex_wake(task, task.clearChildTid, true, 1, FUTEX_BITSET_MATCH_ANY);
      futex_wake(task, task.clearChildTid, false, 1, FUTEX_BITSET_MATCH_ANY);
    }
    task.clearChildTid = 0;
  }
  complete_vfork_done(task);
}

/** complete_vfork_done(): the parent in vfork() goes on. */
function complete_vfork_done(task: Task): void {
  if (task.vforkParent === undefined) return;
  task.vforkParent = undefined;
  task.kernel.wake(`vfork:${task.pid}`);
}

/** exit_notify(): children get another parent, tracees none; the tracer or the parent is told, or the task goes at once. */
function exit_notify(task: Task, others: boolean): void {
  const { group } = task;
  exit_ptrace(task);
  forget_original_parent(task);
  if (!others) kill_orphaned_pgrp(group.leader);
  let autoreap = true;
  if (task.ptrace !== 0) {
    const own = task.isLeader && thread_group_empty(task) && !ptrace_reparented(task);
    autoreap = do_notify_parent(task, own ? task.exitSignal : SIGCHLD);
  } else if (task.isLeader) autoreap = thread_group_empty(task) && do_notify_parent(task, task.exitSignal);
  if (autoreap) release_task(task);
  else if (group.execTask) task.kernel.wake(execChannel(group));
}

/**
 * kill_orphaned_pgrp(): a process group with a stopped member that loses its last parent outside gets SIGHUP and SIGCONT.
 * Without `parent` the task ends; else its `parent` did.
 */
function kill_orphaned_pgrp(task: Task, parent?: Task): void {
  const { kernel, group } = task;
  const outside = (parent ?? task.realParent)?.group;
  if (!outside || outside.pgrp === group.pgrp || outside.session !== group.session) return;
  if (!will_become_orphaned_pgrp(kernel, group.pgrp, parent === undefined ? task : undefined)) return;
  if (!has_stopped_jobs(kernel, group.pgrp)) return;
  for (const sig of [SIGHUP, SIGCONT]) {
    for (const member of processesOf(kernel, group.pgrp)) send_signal(member.leader, kernelInfo(sig), true);
  }
}

/** forget_original_parent(): to another thread of the process, to a subreaper, or to init. */
function forget_original_parent(task: Task): void {
  if (task.children.length === 0) return;
  const reaper = find_new_reaper(task);
  const children = task.children;
  task.children = [];
  for (const child of children) {
    for (const t of child.group.threads) {
      t.realParent = reaper;
      if (t.ptrace === 0) t.parent = reaper;
      if (t.pdeathSignal !== 0) send_signal(t, kernelInfo(t.pdeathSignal), true);
    }
    if (reaper) reaper.children.push(child);
    const sameProcess = reaper?.group === task.group;
    if (sameProcess) continue;
    child.exitSignal = SIGCHLD;
    const gone = child.ptrace === 0 && child.exitState === 'zombie' && thread_group_empty(child);
    if (gone && do_notify_parent(child, SIGCHLD)) release_task(child);
    kill_orphaned_pgrp(child, task);
  }
}

/** find_new_reaper(); undefined is init, which is not in the model and reaps at once. */
function find_new_reaper(task: Task): Task | undefined {
  const sibling = task.group.threads.find((t) => t !== task && t.exitState === undefined);
  if (sibling) return sibling;
  for (let p = task.realParent; p; p = p.realParent) {
    if (!p.group.isChildSubreaper) continue;
    const alive = p.group.threads.find((t) => t.exitState === undefined);
    if (alive) return alive;
  }
  return undefined;
}

/**
 * de_thread(), fs/exec.c: the other threads die, and the caller becomes the leader under the process's own pid. Traced ones
 * are gone only when their tracers have waited for them.
 * @returns 0, -ERESTARTNOINTR while others are left: to be called again when `execChannel()` is woken, or -EAGAIN
 */
export function de_thread(task: Task): number {
  const { group } = task;
  if ((group.flags & SIGNAL_GROUP_EXIT) !== 0 || (group.execTask ?? task) !== task) return -EAGAIN;
  if (group.threads.length > 1 && !group.execTask) {
    // zap_other_threads().
    group.execTask = task;
    group.groupStopCount = 0;
    for (const t of group.threads) if (t !== task) kill_thread(t);
  }
  const oldLeader = group.leader;
  const isGone = (t: Task): boolean => t === task || (t === oldLeader && t.exitState !== undefined);
  if (!group.threads.every(isGone)) return -ERESTARTNOINTR;
  group.execTask = undefined;
  task.kernel.wake(execChannel(group));
  if (oldLeader !== task) takeOver(task, oldLeader);
  return 0;
}

/** The new leader takes over the old one's identity; a tracer of the old one hears no more of it. */
function takeOver(task: Task, oldLeader: Task): void {
  const { group, kernel } = task;
  if (oldLeader.ptrace !== 0) {
    const tracer = oldLeader.parent;
    ptrace_unlink(oldLeader);
    if (tracer) kernel.wake(`child:${tracer.tgid}`);
  }
  kernel.tasks.delete(task.pid);
  task.pid = oldLeader.pid;
  task.exitSignal = SIGCHLD;
  task.realParent = oldLeader.realParent;
  if (task.ptrace === 0) task.parent = task.realParent;
  group.leader = task;
  kernel.tasks.set(task.pid, task);
  group.threads = [task];
  oldLeader.exitState = 'dead';
  oldLeader.state = 'dead';
  const parent = task.realParent;
  if (parent) parent.children = parent.children.map((t) => (t === oldLeader ? task : t));
  task.children.push(...oldLeader.children);
  for (const child of oldLeader.children) {
    child.realParent = task;
    if (child.ptrace === 0) child.parent = task;
  }
  oldLeader.children = [];
}
