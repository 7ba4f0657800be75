/** do_wait(), kernel/exit.c: which child, and what it has to say. */
import { __WALL, __WCLONE, __WNOTHREAD, WCONTINUED, WEXITED, WNOWAIT, WSTOPPED } from '../abi/process.ts';
import { CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGCHLD, SIGCONT } from '../abi/signal.ts';
import { groupStatus, release_task } from './exit.ts';
import { SIGNAL_STOP_CONTINUED, SIGNAL_STOP_STOPPED } from './group.ts';
import type { Task } from './task.ts';

/** Which children a wait call asks for. */
export interface WaitTarget {
  readonly type: 'all' | 'pid' | 'pgid';
  readonly id: number;
}

export interface WaitResult {
  readonly pid: number;
  readonly uid: number;
  /** As wait4() stores it. */
  readonly status: number;
  /** CLD_* and the value of si_status, for waitid(). */
  readonly code: number;
  readonly siStatus: number;
  readonly cpuTime: number;
}

/** One look at the children. @returns a result, `none` when there is no such child, `later` when none has changed */
export function do_wait(task: Task, target: WaitTarget, options: number): WaitResult | 'none' | 'later' {
  let found = false;
  const parents = (options & __WNOTHREAD) !== 0 ? [task] : task.group.threads;
  for (const parent of parents) {
    for (const child of parent.children) {
      if (!eligible_child(child, target, options)) continue;
      if (child.exitState === 'dead') continue;
      found = true;
      const result = wait_consider_task(child, options);
      if (result) return result;
    }
  }
  return found ? 'later' : 'none';
}

/** eligible_child(). */
function eligible_child(child: Task, target: WaitTarget, options: number): boolean {
  if (target.type === 'pid' && child.pid !== target.id) return false;
  if (target.type === 'pgid' && child.group.pgrp !== target.id) return false;
  if ((options & __WALL) !== 0) return true;
  const isClone = child.exitSignal !== SIGCHLD;
  return isClone === ((options & __WCLONE) !== 0);
}

function wait_consider_task(child: Task, options: number): WaitResult | undefined {
  const { group } = child;
  if (child.exitState === 'zombie') {
    // delay_group_leader(): other threads still run.
    if (group.threads.some((t) => t.exitState === undefined)) return undefined;
    return (options & WEXITED) !== 0 ? wait_task_zombie(child, options) : undefined;
  }
  if ((options & WSTOPPED) !== 0 && (group.flags & SIGNAL_STOP_STOPPED) !== 0 && group.groupExitCode !== 0) {
    const sig = group.groupExitCode;
    if ((options & WNOWAIT) === 0) group.groupExitCode = 0;
    return result(child, (sig << 8) | 0x7f, CLD_STOPPED, sig);
  }
  if ((options & WCONTINUED) !== 0 && (group.flags & SIGNAL_STOP_CONTINUED) !== 0) {
    if ((options & WNOWAIT) === 0) group.flags &= ~SIGNAL_STOP_CONTINUED;
    return result(child, 0xffff, CLD_CONTINUED, SIGCONT);
  }
  return undefined;
}

/** wait_task_zombie(). */
function wait_task_zombie(child: Task, options: number): WaitResult {
  const status = groupStatus(child);
  const killed = (status & 0x7f) !== 0;
  const code = (status & 0x80) !== 0 ? CLD_DUMPED : killed ? CLD_KILLED : CLD_EXITED;
  const answer = result(child, status, code, killed ? status & 0x7f : (status >> 8) & 0xff);
  if ((options & WNOWAIT) === 0) release_task(child);
  return answer;
}

const result = (child: Task, status: number, code: number, siStatus: number): WaitResult => ({
  pid: child.pid,
  uid: child.cred.uid,
  status,
  code,
  siStatus,
  cpuTime: child.group.deadTime + child.group.childrenTime,
});
