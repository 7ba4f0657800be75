/** The end of tasks: kernel/exit.c and the parts of kernel/signal.c and kernel/fork.c that belong to it. */

import { FUTEX_BITSET_MATCH_ANY } from '../abi/futex.ts';
import {
  CLD_DUMPED,
  CLD_EXITED,
  CLD_KILLED,
  SA_NOCLDWAIT,
  SIG_IGN,
  SIGCHLD,
  SIGCONT,
  SIGHUP,
  type SigInfo,
  signalName,
} from '../abi/signal.ts';
import { mmput } from '../mm/dup.ts';
import { put_user_u32 } from '../mm/uaccess.ts';
import { kernelInfo, kill_thread, send_signal } from '../signal/queue.ts';
import { exit_robust_list, futex_wake } from './futex.ts';
import { SIGNAL_GROUP_EXIT } from './group.ts';
import type { Task } from './task.ts';

/** do_group_exit(): the whole process ends with this status; the first call decides. */
export function do_group_exit(task: Task, code: number): void {
  const { group } = task;
  if ((group.flags & SIGNAL_GROUP_EXIT) === 0) {
    group.flags = SIGNAL_GROUP_EXIT;
    group.groupExitCode = code;
    for (const t of group.threads) if (t !== task) kill_thread(t);
  }
  do_exit(task, group.groupExitCode);
}

/** do_exit(): one thread ends. */
export function do_exit(task: Task, code: number): void {
  if (task.exitState !== undefined) return;
  const { group, kernel, pid } = task;
  kernel.cancelWait(task);
  task.exitCode = code;
  task.inSyscall = false;
  mm_release(task);
  const others = group.threads.some((t) => t !== task && t.exitState === undefined);
  if (!others) {
    for (const timer of group.itimers) timer.expires = 0;
    group.posixTimers.clear();
  }
  task.files.release();
  task.fs.release();
  mmput(task.mm);
  group.deadTime += task.cpuTime;
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

/** The status that wait(2) gives for a thread: the group's when the group ended as a whole. */
export function groupStatus(task: Task): number {
  const { group } = task;
  return (group.flags & SIGNAL_GROUP_EXIT) !== 0 ? group.groupExitCode : task.exitCode;
}

/** mm_release(), kernel/fork.c: at exit and at exec. */
export function mm_release(task: Task): void {
  if (task.robustList !== 0) exit_robust_list(task, task.robustList, false);
  if (task.compatRobustList !== 0) exit_robust_list(task, task.compatRobustList, true);
  task.robustList = 0;
  task.compatRobustList = 0;
  if (task.clearChildTid !== 0) {
    if (task.mm.users > 1) {
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

/** exit_notify(): children get another parent, the parent is told. */
function exit_notify(task: Task, others: boolean): void {
  const { group } = task;
  forget_original_parent(task);
  if (!task.isLeader) {
    const leader = group.leader;
    release_task(task);
    // The last thread of a process whose leader went before.
    if (!others && leader.exitState === 'zombie') notifyOrReap(leader);
    return;
  }
  if (!others) notifyOrReap(task);
}

function notifyOrReap(leader: Task): void {
  kill_orphaned_pgrp(leader);
  if (do_notify_parent(leader, leader.exitSignal)) release_task(leader);
}

/** kill_orphaned_pgrp(): a stopped process group that lost its last outside parent gets SIGHUP and SIGCONT. */
function kill_orphaned_pgrp(leader: Task): void {
  for (const child of leader.children) {
    if (child.group.pgrp === leader.group.pgrp || child.state !== 'stopped') continue;
    send_signal(child, kernelInfo(SIGHUP), true);
    send_signal(child, kernelInfo(SIGCONT), true);
  }
}

/** do_notify_parent(). @returns whether nobody waits for the zombie */
function do_notify_parent(task: Task, sig: number): boolean {
  const parent = task.parent;
  if (!parent || parent.exitState !== undefined) return true;
  const status = groupStatus(task);
  const time = Math.floor((task.group.deadTime / 1_000_000_000) * 100);
  const info: SigInfo = {
    signo: sig,
    errno: 0,
    code: (status & 0x80) !== 0 ? CLD_DUMPED : (status & 0x7f) !== 0 ? CLD_KILLED : CLD_EXITED,
    layout: 'chld',
    pid: task.pid,
    uid: task.cred.uid,
    status: (status & 0x7f) !== 0 ? status & 0x7f : (status >> 8) & 0xff,
    utime: time,
    stime: 0,
  };
  let autoreap = false;
  let signal = sig;
  if (sig === SIGCHLD) {
    const action = parent.sighand.actions[SIGCHLD]!;
    if (action.handler === SIG_IGN || (action.flags & SA_NOCLDWAIT) !== 0) {
      autoreap = true;
      if (action.handler === SIG_IGN) signal = 0;
    }
  }
  if (signal > 0) send_signal(parent, info, true);
  task.kernel.wake(`child:${parent.tgid}`);
  return autoreap;
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
      t.parent = reaper;
      if (t.pdeathSignal !== 0) send_signal(t, kernelInfo(t.pdeathSignal), true);
    }
    if (reaper) reaper.children.push(child);
    const sameProcess = reaper?.group === task.group;
    if (sameProcess) continue;
    child.exitSignal = SIGCHLD;
    if (child.exitState === 'zombie' && child.group.threads.length === 1 && do_notify_parent(child, SIGCHLD)) {
      release_task(child);
    }
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

/** release_task(): the pid is free again. */
export function release_task(task: Task): void {
  const { group, kernel } = task;
  task.exitState = 'dead';
  task.state = 'dead';
  kernel.tasks.delete(task.pid);
  group.threads = group.threads.filter((t) => t !== task);
  const parent = task.realParent;
  if (parent && task.isLeader) {
    parent.children = parent.children.filter((t) => t !== task);
    parent.group.childrenTime += group.deadTime + group.childrenTime;
  }
}

/**
 * de_thread(), fs/exec.c: the other threads die, and the caller becomes the leader under the process's own pid.
 * Unlike Linux: they die at once instead of at their next look at signals.
 */
export function de_thread(task: Task): void {
  const { group, kernel } = task;
  const oldLeader = group.leader;
  for (const t of [...group.threads]) {
    if (t === task) continue;
    if (t === oldLeader) continue;
    do_exit(t, 9);
  }
  if (oldLeader === task) return;
  if (oldLeader.exitState === undefined) do_exit(oldLeader, 9);
  // The new leader takes over the old one's identity.
  const oldPid = task.pid;
  kernel.tasks.delete(oldPid);
  task.pid = oldLeader.pid;
  task.exitSignal = SIGCHLD;
  task.realParent = oldLeader.realParent;
  task.parent = oldLeader.parent;
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
    child.parent = task;
  }
  oldLeader.children = [];
}
