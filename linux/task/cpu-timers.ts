/** Timers that run while somebody spends CPU time: kernel/time/posix-cpu-timers.c. */
import { RLIM_INFINITY, RLIMIT_CPU } from '../abi/process.ts';
import { SIGKILL, SIGPROF, SIGVTALRM, SIGXCPU } from '../abi/signal.ts';
import { ITIMER_PROF, ITIMER_VIRTUAL, NSEC_PER_SEC } from '../abi/time.ts';
import { kernelInfo, send_signal } from '../signal/queue.ts';
import { type CpuClock, cpu_clock_sample } from './cpu-clock.ts';
import { thread_group_cputime, wholeTime } from './cpu-time.ts';
import type { ThreadGroup } from './group.ts';
import type { Task } from './task.ts';

/** What happens when a clock has reached a value; it is looked at while a thread of the clock's process runs. */
export interface CpuTimer {
  readonly clock: CpuClock;
  /** Of the clock. */
  readonly expires: number;
  /** A POSIX timer of a process, or a thread in clock_nanosleep(2). */
  readonly timer?: { readonly tgid: number; readonly id: number };
  readonly sleeper?: Task;
}

const hasLimit = (group: ThreadGroup): boolean => group.rlimits[RLIMIT_CPU]!.cur !== RLIM_INFINITY;

/** fastpath_timer_check(): whether there is anything to look at. */
export const cpuTimersArmed = (group: ThreadGroup): boolean =>
  group.cpuTimers.length > 0 ||
  group.itimers[ITIMER_VIRTUAL]!.expires !== 0 ||
  group.itimers[ITIMER_PROF]!.expires !== 0 ||
  hasLimit(group);

/** How long a thread of the process may run in user mode until one of them is due, in nanoseconds. */
export function untilCpuTimer(task: Task): number {
  const { group } = task;
  const spent = thread_group_cputime(group);
  const whole = wholeTime(spent);
  let left = Number.POSITIVE_INFINITY;
  const due = (expires: number, now: number): void => {
    if (expires !== 0) left = Math.min(left, expires - now);
  };
  due(group.itimers[ITIMER_VIRTUAL]!.expires, spent.user);
  due(group.itimers[ITIMER_PROF]!.expires, whole);
  if (hasLimit(group)) due(Math.max(1, Number(group.rlimits[RLIMIT_CPU]!.cur) * NSEC_PER_SEC), whole);
  for (const { clock, expires } of group.cpuTimers) {
    if (clock.thread === undefined || clock.thread === task) due(expires, cpu_clock_sample(clock));
  }
  return left;
}

/**
 * run_posix_cpu_timers(). Unlike Linux: to the nanosecond, not at the next tick.
 * @param fired tells the owner of a POSIX timer
 */
export function run_posix_cpu_timers(task: Task, fired: (tgid: number, id: number, at: number) => void): void {
  const { group, kernel } = task;
  const spent = thread_group_cputime(group);
  check_cpu_itimer(task, ITIMER_VIRTUAL, SIGVTALRM, spent.user);
  check_cpu_itimer(task, ITIMER_PROF, SIGPROF, wholeTime(spent));
  if (hasLimit(group)) check_rlimit_cpu(task, wholeTime(spent));
  const due = group.cpuTimers.filter(({ clock, expires }) => cpu_clock_sample(clock) >= expires);
  if (due.length === 0) return;
  group.cpuTimers = group.cpuTimers.filter((entry) => !due.includes(entry));
  for (const { expires, timer, sleeper } of due) {
    if (timer) fired(timer.tgid, timer.id, expires);
    if (sleeper) kernel.wakeTask(sleeper, 'timeout');
  }
}

function check_cpu_itimer(task: Task, which: number, sig: number, spent: number): void {
  const timer = task.group.itimers[which]!;
  if (timer.expires === 0 || spent < timer.expires) return;
  timer.expires = timer.interval === 0 ? 0 : timer.expires + timer.interval;
  send_signal(task, kernelInfo(sig), true);
}

/** The part of check_process_timers() on RLIMIT_CPU: SIGXCPU each second beyond the soft limit, SIGKILL at the hard one. */
function check_rlimit_cpu(task: Task, spent: number): void {
  const limit = task.group.rlimits[RLIMIT_CPU]!;
  const seconds = BigInt(Math.floor(spent / NSEC_PER_SEC));
  if (seconds >= limit.max) {
    send_signal(task, kernelInfo(SIGKILL), true);
    limit.cur = RLIM_INFINITY;
    return;
  }
  if (seconds < limit.cur) return;
  send_signal(task, kernelInfo(SIGXCPU), true);
  limit.cur = seconds + 1n;
}

/** The timer or sleeper of these marks is off. */
export function cancelCpuTimer(group: ThreadGroup, matches: (entry: CpuTimer) => boolean): void {
  group.cpuTimers = group.cpuTimers.filter((entry) => !matches(entry));
}
