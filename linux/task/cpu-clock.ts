/** The clocks of what a thread or a process has spent: kernel/time/posix-cpu-timers.c. */
import { CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID } from '../abi/time.ts';
import { thread_group_cputime, wholeTime } from './cpu-time.ts';
import type { ThreadGroup } from './group.ts';
import type { Task } from './task.ts';

/** CPUCLOCK_WHICH(): user and system time, user time, and what the scheduler has counted, which is the same here as the first. */
const CPUCLOCK_VIRT = 1,
  CPUCLOCK_SCHED = 2,
  CPUCLOCK_MAX = 3;
const CPUCLOCK_PERTHREAD = 4;

/** A clock whose process or thread is known. */
export interface CpuClock {
  readonly group: ThreadGroup;
  /** Of one thread only. */
  readonly thread: Task | undefined;
  readonly userOnly: boolean;
}

/** Whether it is one at all, with a process or not: clockid_to_kclock(). Unlike Linux: no clock of a descriptor, CLOCKFD. */
export const isCpuClock = (clock: number): boolean =>
  clock === CLOCK_PROCESS_CPUTIME_ID || clock === CLOCK_THREAD_CPUTIME_ID || (clock < 0 && (clock & 3) < CPUCLOCK_MAX);

/**
 * The clocks of clock_getcpuclockid() and pthread_getcpuclockid() have the pid in their number. `strict` is has_group_leader_pid(),
 * which timers ask for; else any task of its own process will do.
 */
export function cpuClock(task: Task, clock: number, strict: boolean): CpuClock | undefined {
  if (!isCpuClock(clock)) return undefined;
  const { group } = task;
  if (clock === CLOCK_PROCESS_CPUTIME_ID) return { group, thread: undefined, userOnly: false };
  if (clock === CLOCK_THREAD_CPUTIME_ID) return { group, thread: task, userOnly: false };
  const pid = ~(clock >> 3);
  const userOnly = (clock & 3) === CPUCLOCK_VIRT;
  const target = pid === 0 ? task : task.kernel.tasks.get(pid);
  if (target === undefined) return undefined;
  if ((clock & CPUCLOCK_PERTHREAD) !== 0) {
    return target.group === group ? { group, thread: target, userOnly } : undefined;
  }
  if (!target.isLeader && pid !== 0 && (strict || target !== task)) return undefined;
  return { group: target.group, thread: undefined, userOnly };
}

/** cpu_clock_sample() and cpu_clock_sample_group(), in nanoseconds. */
export function cpu_clock_sample({ group, thread, userOnly }: CpuClock): number {
  const spent = thread ? thread.cpuTime : thread_group_cputime(group);
  return userOnly ? spent.user : wholeTime(spent);
}

/** False for the clocks that count in ticks. */
export const isSchedClock = (clock: number): boolean => clock >= 0 || (clock & 3) === CPUCLOCK_SCHED;
