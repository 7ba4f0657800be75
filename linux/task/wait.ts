/** do_wait(), kernel/exit.c: which child, and what it has to say. */
import { __WALL, __WCLONE, __WNOTHREAD, WCONTINUED, WEXITED, WNOWAIT, WSTOPPED } from '../abi/process.ts';
import {
  CLD_CONTINUED,
  CLD_DUMPED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  CLD_TRAPPED,
  SIGCHLD,
  SIGCONT,
} from '../abi/signal.ts';
import { ptrace_unlink } from '../ptrace/link.ts';
import { ptrace_reparented } from '../ptrace/stop.ts';
import { type CpuTime, sumOfTimes } from './cpu-time.ts';
import { SIGNAL_STOP_CONTINUED, SIGNAL_STOP_STOPPED } from './group.ts';
import { JOBCTL_LISTENING } from './jobctl.ts';
import { do_notify_parent, groupStatus, thread_group_empty } from './notify.ts';
import { release_task } from './release.ts';
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
  readonly cpuTime: CpuTime;
}

/** One look at children and tracees. @returns a result, `none` when there is no such task, `later` when none has changed */
export function do_wait(task: Task, target: WaitTarget, options: number): WaitResult | 'none' | 'later' {
  let found = false;
  const look = (child: Task, traced: boolean): WaitResult | undefined => {
    if (child.exitState === 'dead' || !eligible_child(child, target, options, traced)) return undefined;
    const answer = wait_consider_task(child, options, traced);
    if (answer !== 'never') found = true;
    return typeof answer === 'object' ? answer : undefined;
  };
  const parents = (options & __WNOTHREAD) !== 0 ? [task] : task.group.threads;
  for (const parent of parents) {
    for (const child of [...parent.children]) {
      const answer = look(child, false);
      if (answer) return answer;
    }
    for (const child of [...parent.ptraced]) {
      const answer = look(child, true);
      if (answer) return answer;
    }
  }
  return found ? 'later' : 'none';
}

/** eligible_child(): a tracer need not say __WALL. */
function eligible_child(child: Task, target: WaitTarget, options: number, traced: boolean): boolean {
  if (target.type === 'pid' && child.pid !== target.id) return false;
  if (target.type === 'pgid' && child.group.pgrp !== target.id) return false;
  if (traced || (options & __WALL) !== 0) return true;
  const isClone = child.exitSignal !== SIGCHLD;
  return isClone === ((options & __WCLONE) !== 0);
}

/** wait_consider_task(). @returns a result, `later`, or `never` for a task that this call can say nothing about */
function wait_consider_task(child: Task, options: number, asTracer: boolean): WaitResult | 'later' | 'never' {
  // A parent that traces its own child sees the stops of the tracee, not those of the group.
  const traced = asTracer || (child.ptrace !== 0 && !ptrace_reparented(child));
  if (child.exitState === 'zombie') {
    // delay_group_leader(): a leader stays as long as its threads. A zombie that another traces is that one's.
    const delayed = child.isLeader && !thread_group_empty(child);
    if (!delayed && (traced || child.ptrace === 0)) {
      return (options & WEXITED) !== 0 ? wait_task_zombie(child, options) : 'never';
    }
    if (traced && (options & (WCONTINUED | WEXITED)) === 0) return 'never';
  }
  return wait_task_stopped(child, options, traced) ?? wait_task_continued(child, options) ?? 'later';
}

/** wait_task_stopped(): a tracer sees stops without asking for them. */
function wait_task_stopped(child: Task, options: number, traced: boolean): WaitResult | undefined {
  const { group } = child;
  const keep = (options & WNOWAIT) !== 0;
  if (traced) {
    if (child.state !== 'traced' || (child.jobctl & JOBCTL_LISTENING) !== 0 || child.exitCode === 0) return undefined;
    const code = child.exitCode;
    if (!keep) child.exitCode = 0;
    return result(child, (code << 8) | 0x7f, CLD_TRAPPED, code);
  }
  if ((options & WSTOPPED) === 0 || (group.flags & SIGNAL_STOP_STOPPED) === 0 || group.groupExitCode === 0) {
    return undefined;
  }
  const sig = group.groupExitCode;
  if (!keep) group.groupExitCode = 0;
  return result(child, (sig << 8) | 0x7f, CLD_STOPPED, sig);
}

/** wait_task_continued(). */
function wait_task_continued(child: Task, options: number): WaitResult | undefined {
  const { group } = child;
  if ((options & WCONTINUED) === 0 || (group.flags & SIGNAL_STOP_CONTINUED) === 0) return undefined;
  if ((options & WNOWAIT) === 0) group.flags &= ~SIGNAL_STOP_CONTINUED;
  return result(child, 0xffff, CLD_CONTINUED, SIGCONT);
}

/** wait_task_zombie(): a leader that a tracer has waited for is still a zombie for its parent. */
function wait_task_zombie(child: Task, options: number): WaitResult {
  const status = groupStatus(child);
  const killed = (status & 0x7f) !== 0;
  const code = (status & 0x80) !== 0 ? CLD_DUMPED : killed ? CLD_KILLED : CLD_EXITED;
  const answer = result(child, status, code, killed ? status & 0x7f : (status >> 8) & 0xff);
  if ((options & WNOWAIT) !== 0) return answer;
  if (ptrace_reparented(child) && child.isLeader) {
    ptrace_unlink(child);
    if (!do_notify_parent(child, child.exitSignal)) return answer;
  }
  release_task(child);
  return answer;
}

const result = (child: Task, status: number, code: number, siStatus: number): WaitResult => ({
  pid: child.pid,
  uid: child.cred.uid,
  status,
  code,
  siStatus,
  cpuTime: sumOfTimes(child.group.deadTime, child.group.childrenTime),
});
