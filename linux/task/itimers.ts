/** setitimer(2)'s timers: kernel/time/itimer.c. */

import { SIGALRM } from '../abi/signal.ts';
import { ITIMER_REAL, ITIMER_VIRTUAL } from '../abi/time.ts';
import type { Kernel } from '../kernel.ts';
import { kernelInfo, send_signal } from '../signal/queue.ts';
import { thread_group_cputime, wholeTime } from './cpu-time.ts';
import type { ThreadGroup } from './group.ts';
import type { Task } from './task.ts';

/** What a timer's `expires` is compared with: boot time, the process's user time, or all that it has spent. */
function itimerClock({ kernel, group }: Task, which: number): number {
  if (which === ITIMER_REAL) return kernel.now();
  const spent = thread_group_cputime(group);
  return which === ITIMER_VIRTUAL ? spent.user : wholeTime(spent);
}

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
  if (which === ITIMER_REAL && value !== 0) {
    kernel.timers.add(timer.expires, { kind: 'itimer', tgid: group.tgid });
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

/** The process with this id. */
export function findGroup(kernel: Kernel, tgid: number): ThreadGroup | undefined {
  const leader = kernel.tasks.get(tgid);
  return leader?.group;
}
