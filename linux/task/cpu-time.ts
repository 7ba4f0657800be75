/** What tasks have spent: kernel/sched/cputime.c. */
import { NSEC_PER_SEC, USER_HZ } from '../abi/time.ts';
import type { ThreadGroup } from './group.ts';

/** utime and stime, in nanoseconds. */
export interface CpuTime {
  user: number;
  system: number;
}

/**
 * What a system call costs, in nanoseconds; every one the same. Without a price a loop of calls would see the clock stand nearly
 * still.
 */
export const SYSCALL_NS = 200;

export const noTime = (): CpuTime => ({ user: 0, system: 0 });

export const wholeTime = (t: CpuTime): number => t.user + t.system;

export const sumOfTimes = (...all: readonly CpuTime[]): CpuTime => {
  const sum = noTime();
  for (const { user, system } of all) {
    sum.user += user;
    sum.system += system;
  }
  return sum;
};

/** thread_group_cputime(): the living threads and the dead ones. */
export const thread_group_cputime = (group: ThreadGroup): CpuTime =>
  sumOfTimes(group.deadTime, ...group.threads.flatMap((t) => (t.exitState === undefined ? [t.cpuTime] : [])));

/** nsec_to_clock_t(). */
export const clockTicks = (ns: number): number => Math.floor(ns / (NSEC_PER_SEC / USER_HZ));
