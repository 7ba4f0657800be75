/** Telling the parent of an end: do_notify_parent(), kernel/signal.c. */
import { CLD_DUMPED, CLD_EXITED, CLD_KILLED, SA_NOCLDWAIT, SIG_IGN, SIGCHLD, type SigInfo } from '../abi/signal.ts';
import { send_signal } from '../signal/queue.ts';
import { clockTicks } from './cpu-time.ts';
import { SIGNAL_GROUP_EXIT } from './group.ts';
import type { Task } from './task.ts';

/** The status that wait(2) gives for a thread: the group's when the group ended as a whole. */
export function groupStatus(task: Task): number {
  const { group } = task;
  return (group.flags & SIGNAL_GROUP_EXIT) !== 0 ? group.groupExitCode : task.exitCode;
}

/** thread_group_empty(): no other thread is left, not even one that its tracer has not waited for. */
export const thread_group_empty = (task: Task): boolean => task.group.threads.length <= 1;

/** do_notify_parent(): the tracer, or the parent. @returns whether nobody waits for the zombie */
export function do_notify_parent(task: Task, sig: number): boolean {
  const parent = task.parent;
  if (!parent || parent.exitState !== undefined) return true;
  const status = groupStatus(task);
  const info: SigInfo = {
    signo: sig,
    errno: 0,
    code: (status & 0x80) !== 0 ? CLD_DUMPED : (status & 0x7f) !== 0 ? CLD_KILLED : CLD_EXITED,
    layout: 'chld',
    pid: task.pid,
    uid: task.cred.uid,
    status: (status & 0x7f) !== 0 ? status & 0x7f : (status >> 8) & 0xff,
    utime: clockTicks(task.group.deadTime.user),
    stime: clockTicks(task.group.deadTime.system),
  };
  let autoreap = false;
  let signal = sig;
  if (task.ptrace === 0 && sig === SIGCHLD) {
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
