/** POSIX timers: kernel/time/posix-timers.c. A timer's time is kept on the boot clock, or on its CPU clock. */
import { SI_TIMER, type SigInfo } from '../abi/signal.ts';
import { SIGEV_NONE, SIGEV_THREAD_ID } from '../abi/time.ts';
import type { Kernel } from '../kernel.ts';
import { send_signal } from '../signal/queue.ts';
import { cpu_clock_sample } from './cpu-clock.ts';
import { cancelCpuTimer } from './cpu-timers.ts';
import type { PosixTimer, ThreadGroup } from './group.ts';
import { findGroup } from './itimers.ts';
import type { Task } from './task.ts';

/** DELAYTIMER_MAX. */
const DELAYTIMER_MAX = 0x7fff_ffff;

/** The clock on which the timer's `expires` is. */
export const timerNow = (kernel: Kernel, timer: PosixTimer): number =>
  timer.cpu ? cpu_clock_sample(timer.cpu) : kernel.now();

/** Arms a timer for a moment of its clock, or with 0 disarms it. */
export function armPosixTimer(kernel: Kernel, group: ThreadGroup, timer: PosixTimer, expires: number): void {
  disarmPosixTimer(group, timer);
  timer.expires = expires;
  if (expires === 0 || timer.notify === SIGEV_NONE) return;
  const { tgid } = group;
  const { id, cpu } = timer;
  if (cpu) cpu.group.cpuTimers.push({ clock: cpu, expires, timer: { tgid, id } });
  else kernel.timers.add(expires, { kind: 'posix', tgid, id });
}

/** Before the timer is armed anew or deleted. */
export function disarmPosixTimer({ tgid }: ThreadGroup, { id, cpu }: PosixTimer): void {
  if (cpu) cancelCpuTimer(cpu.group, ({ timer }) => timer?.tgid === tgid && timer.id === id);
}

/** exit_itimers(): at exit and at exec. */
export function exit_itimers(group: ThreadGroup): void {
  for (const timer of group.posixTimers.values()) disarmPosixTimer(group, timer);
  group.posixTimers.clear();
}

/** posix_timer_fn(). */
export function posix_timer_fired(kernel: Kernel, tgid: number, id: number, at: number): void {
  const group = findGroup(kernel, tgid);
  const timer = group?.posixTimers.get(id);
  if (!group || !timer || timer.expires !== at) return;
  if (timer.interval === 0) timer.expires = 0;
  if (timer.queued) {
    timer.overrun = Math.min(timer.overrun + 1, DELAYTIMER_MAX);
    return;
  }
  timer.queued = true;
  const info: SigInfo = {
    signo: timer.signo,
    errno: 0,
    code: SI_TIMER,
    layout: 'timer',
    tid: timer.id,
    overrun: 0,
    value: timer.value,
  };
  const thread = timer.notify === SIGEV_THREAD_ID ? kernel.tasks.get(timer.tid) : undefined;
  send_signal(thread ?? group.leader, info, (timer.notify & SIGEV_THREAD_ID) === 0);
  // An ignored signal: nobody will dequeue it, so that the timer goes on by itself.
  if (!isQueued(group, info)) rearm(kernel, group, timer);
}

const isQueued = (group: ThreadGroup, info: SigInfo): boolean =>
  group.sharedPending.list.includes(info) || group.threads.some((t) => t.pending.list.includes(info));

/** do_schedule_next_timer(): the signal was taken; a periodic timer is armed again and its overruns are counted. */
export function rearmPosixTimer(task: Task, info: SigInfo): void {
  const timer = task.group.posixTimers.get(info.tid ?? -1);
  if (!timer?.queued) return;
  rearm(task.kernel, task.group, timer);
  info.overrun = timer.overrunLast;
}

function rearm(kernel: Kernel, group: ThreadGroup, timer: PosixTimer): void {
  timer.queued = false;
  if (timer.interval !== 0 && timer.expires !== 0) {
    const missed = Math.floor((timerNow(kernel, timer) - timer.expires) / timer.interval) + 1;
    timer.overrun += Math.max(0, missed - 1);
    armPosixTimer(kernel, group, timer, timer.expires + Math.max(missed, 1) * timer.interval);
  }
  timer.overrunLast = timer.overrun;
  timer.overrun = 0;
}
