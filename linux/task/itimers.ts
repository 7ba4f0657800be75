/** setitimer(2)'s timers: kernel/time/itimer.c. */

import { SIGALRM, SIGPROF, SIGVTALRM } from '../abi/signal.ts';
import { ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL } from '../abi/time.ts';
import type { Kernel } from '../kernel.ts';
import { kernelInfo, send_signal } from '../signal/queue.ts';
import type { ThreadGroup } from './group.ts';
import type { Task } from './task.ts';

/** CPU time of a process: its living threads and the dead ones. */
export function groupCpuTime(group: ThreadGroup): number {
  let sum = group.deadTime;
  for (const t of group.threads) if (t.exitState === undefined) sum += t.cpuTime;
  return sum;
}

/** What a timer's `expires` is compared with: boot time or the group's CPU time. */
export const itimerClock = (task: Task, which: number): number =>
  which === ITIMER_REAL ? task.kernel.now() : groupCpuTime(task.group);

/** Time left, and interval, in nanoseconds. */
export function get_itimer(task: Task, which: number): { value: number; interval: number } {
  const timer = task.group.itimers[which]!;
  const left = timer.expires === 0 ? 0 : Math.max(timer.expires - itimerClock(task, which), 1000);
  return { value: left, interval: timer.interval };
}

/** do_setitimer(): `value` 0 disarms. */
export function set_itimer(task: Task, which: number, value: number, interval: number): void {
  const { group, kernel } = task;
  const timer = group.itimers[which]!;
  timer.interval = interval;
  timer.expires = value === 0 ? 0 : itimerClock(task, which) + value;
  if (which === ITIMER_REAL) {
    if (value !== 0) kernel.timers.add(timer.expires, { kind: 'itimer', tgid: group.tgid });
  } else {
    group.cpuTimersArmed = group.itimers[ITIMER_VIRTUAL]!.expires !== 0 || group.itimers[ITIMER_PROF]!.expires !== 0;
  }
}

/** it_real_fn(). */
export function itimer_fired(kernel: Kernel, tgid: number, at: number): void {
  const group = findGroup(kernel, tgid);
  const timer = group?.itimers[ITIMER_REAL];
  if (!group || !timer || timer.expires !== at) return;
  // Unlike Linux: a periodic timer is armed again here, not when the signal is dequeued.
  timer.expires = timer.interval === 0 ? 0 : at + timer.interval;
  if (timer.expires !== 0) kernel.timers.add(timer.expires, { kind: 'itimer', tgid });
  send_signal(group.leader, kernelInfo(SIGALRM), true);
}

export function findGroup(kernel: Kernel, tgid: number): ThreadGroup | undefined {
  const leader = kernel.tasks.get(tgid);
  return leader?.group;
}

/** check_cpu_itimer(): after a task has run. Unlike Linux: all CPU time counts as user time. */
export function checkCpuTimers(task: Task, ran: number): void {
  void ran;
  const { group } = task;
  const spent = groupCpuTime(group);
  for (const [which, sig] of [
    [ITIMER_VIRTUAL, SIGVTALRM],
    [ITIMER_PROF, SIGPROF],
  ] as const) {
    const timer = group.itimers[which]!;
    if (timer.expires === 0 || spent < timer.expires) continue;
    timer.expires = timer.interval === 0 ? 0 : spent + timer.interval;
    send_signal(task, kernelInfo(sig), true);
  }
  group.cpuTimersArmed = group.itimers[ITIMER_VIRTUAL]!.expires !== 0 || group.itimers[ITIMER_PROF]!.expires !== 0;
}
