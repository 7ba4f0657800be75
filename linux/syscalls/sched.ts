/** Scheduling calls: kernel/sched/core.c, kernel/sys.c. The machine has one CPU and one, deterministic, policy. */
import { EACCES, EFAULT, EINVAL, EPERM, ESRCH } from '../abi/errno.ts';
import { copy_from_user, copy_to_user, get_user_u32, put_user_u32 } from '../mm/uaccess.ts';
import { CAP_SYS_NICE, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';
import { isCompatCall } from '../task/thread-info.ts';
import { canNice, isRealtime, sched_setscheduler } from './sched-attr.ts';
import { put_timespec } from './user-time.ts';

const SCHED_RESET_ON_FORK = 0x4000_0000;
/** nr_cpu_ids in bytes, as the kernel rounds it. */
const CPUMASK_BYTES = 8;

const find = (task: Task, pid: number): Task | undefined => (pid === 0 ? task : task.kernel.tasks.get(pid));

/** sched_yield(2). */
export function sys_sched_yield(task: Task): number {
  task.kernel.sliceLeft = 0;
  return 0;
}

/** sched_getaffinity(2): bytes written; the mask in words of the caller's size is the same bytes here. */
export function sys_sched_getaffinity(task: Task, pid: number, size: number, at: number): number {
  const word = isCompatCall(task) ? 4 : 8;
  if (size % word !== 0 || size * 8 < 1) return -EINVAL;
  const target = find(task, pid);
  if (!target) return -ESRCH;
  const bytes = new Uint8Array(Math.min(size, CPUMASK_BYTES));
  bytes[0] = Number(target.cpusAllowed & 0xffn);
  return copy_to_user(task.mm, at, bytes) || bytes.length;
}

/** sched_setaffinity(2). */
export function sys_sched_setaffinity(task: Task, pid: number, size: number, at: number): number {
  const target = find(task, pid);
  const bytes = copy_from_user(task.mm, at, Math.min(size, CPUMASK_BYTES));
  if (typeof bytes === 'number') return -EFAULT;
  if (!target) return -ESRCH;
  return ((bytes[0] ?? 0) & 1) === 0 ? -EINVAL : 0;
}

/** sched_getscheduler(2). */
export function sys_sched_getscheduler(task: Task, pid: number): number {
  if (pid < 0) return -EINVAL;
  const target = find(task, pid);
  if (!target) return -ESRCH;
  return target.policy | (target.schedResetOnFork ? SCHED_RESET_ON_FORK : 0);
}

/** sched_getparam(2). */
export function sys_sched_getparam(task: Task, pid: number, at: number): number {
  if (pid < 0 || at === 0) return -EINVAL;
  const target = find(task, pid);
  return target ? put_user_u32(task.mm, at, target.rtPriority) : -ESRCH;
}

/** sched_setscheduler(2). */
export function sys_sched_setscheduler(task: Task, pid: number, policy: number, at: number): number {
  if (policy < 0 || pid < 0 || at === 0) return -EINVAL;
  const priority = get_user_u32(task.mm, at);
  if (priority === undefined) return -EFAULT;
  return setScheduler(task, pid, policy, priority);
}

/** sched_setparam(2). */
export function sys_sched_setparam(task: Task, pid: number, at: number): number {
  if (pid < 0 || at === 0) return -EINVAL;
  const priority = get_user_u32(task.mm, at);
  if (priority === undefined) return -EFAULT;
  const target = find(task, pid);
  return target ? setScheduler(task, pid, sys_sched_getscheduler(task, pid), priority) : -ESRCH;
}

/** _sched_setscheduler() */
function setScheduler(task: Task, pid: number, policy: number, priority: number): number {
  const target = find(task, pid);
  if (!target) return -ESRCH;
  const resetOnFork = (policy & SCHED_RESET_ON_FORK) !== 0;
  return sched_setscheduler(task, target, {
    policy: policy & ~SCHED_RESET_ON_FORK,
    nice: target.nice,
    priority,
    resetOnFork,
  });
}

const maxOf = (policy: number): number => (isRealtime(policy) ? 99 : 0);
const known = (policy: number): boolean => [0, 1, 2, 3, 5, 6].includes(policy);

export const sys_sched_get_priority_max = (_t: Task, policy: number): number =>
  known(policy) ? maxOf(policy) : -EINVAL;
export const sys_sched_get_priority_min = (_t: Task, policy: number): number =>
  known(policy) ? Math.min(maxOf(policy), 1) : -EINVAL;

/** sched_rr_get_interval(2): a turn. */
export function sys_sched_rr_get_interval(task: Task, pid: number, at: number): number {
  if (pid < 0) return -EINVAL;
  if (!find(task, pid)) return -ESRCH;
  return put_timespec(task, at, task.kernel.timeSlice, isCompatCall(task));
}

const PRIO_PROCESS = 0,
  PRIO_USER = 2;

/** Tasks that getpriority() and setpriority() mean. */
function byPriorityTarget(task: Task, which: number, who: number): Task[] {
  const all = [...task.kernel.tasks.values()];
  if (which === PRIO_PROCESS) return all.filter((t) => t.pid === (who || task.pid));
  if (which === PRIO_USER) return all.filter((t) => t.cred.uid === (who || task.cred.uid));
  return all.filter((t) => t.group.pgrp === (who || task.group.pgrp));
}

/** getpriority(2): 20 - nice, so that the answer is positive. */
export function sys_getpriority(task: Task, which: number, who: number): number {
  if (which < PRIO_PROCESS || which > PRIO_USER) return -EINVAL;
  const targets = byPriorityTarget(task, which, who);
  return targets.length === 0 ? -ESRCH : Math.max(...targets.map((t) => 20 - t.nice));
}

/** setpriority(2). */
export function sys_setpriority(task: Task, which: number, who: number, nice: number): number {
  if (which < PRIO_PROCESS || which > PRIO_USER) return -EINVAL;
  const value = Math.max(-20, Math.min(19, nice));
  const targets = byPriorityTarget(task, which, who);
  if (targets.length === 0) return -ESRCH;
  for (const t of targets) {
    const { euid } = task.cred;
    if (euid !== t.cred.uid && euid !== t.cred.euid && !capable(task.cred, CAP_SYS_NICE)) return -EPERM;
    if (value < t.nice && !canNice(t, value)) return -EACCES;
    t.nice = value;
  }
  return 0;
}

/** nice(2), i386 number 34. */
export const sys_nice = (task: Task, increment: number): number =>
  sys_setpriority(task, PRIO_PROCESS, 0, task.nice + increment);

/** getcpu(2): CPU 0 of node 0; the cache argument is unused. */
export function sys_getcpu(task: Task, cpuAt: number, nodeAt: number, _cache: number): number {
  if (cpuAt !== 0 && put_user_u32(task.mm, cpuAt, 0)) return -EFAULT;
  if (nodeAt !== 0 && put_user_u32(task.mm, nodeAt, 0)) return -EFAULT;
  return 0;
}

const IOPRIO_WHO_PROCESS = 1,
  IOPRIO_WHO_USER = 3;

/** ioprio_get(2), block/ioprio.c. */
export function sys_ioprio_get(task: Task, which: number, who: number): number {
  if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER) return -EINVAL;
  return find(task, who)?.ioprio ?? -ESRCH;
}

/** ioprio_set(2). */
export function sys_ioprio_set(task: Task, which: number, who: number, value: number): number {
  if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER) return -EINVAL;
  const target = find(task, who);
  if (!target) return -ESRCH;
  target.ioprio = value;
  return 0;
}

/** membarrier(2), kernel/membarrier.c: MEMBARRIER_CMD_QUERY 0, MEMBARRIER_CMD_SHARED 1. */
export function sys_membarrier(_task: Task, command: number, flags: number): number {
  if (flags !== 0) return -EINVAL;
  if (command === 0) return 1;
  return command === 1 ? 0 : -EINVAL;
}

const IO_BITMAP_BITS = 65536;
/** ioperm(2): the machine has no ports to give. Not modelled: port numbers that are granted and lead nowhere. */
export function sys_ioperm(_task: Task, from: number, count: number, on: number): number {
  if (from + count <= from || from + count > IO_BITMAP_BITS) return -EINVAL;
  return on !== 0 ? -EPERM : 0;
}
/** iopl(2): level 0 is what every task has. */
export function sys_iopl(_task: Task, level: number): number {
  if (level > 3) return -EINVAL;
  return level > 0 ? -EPERM : 0;
}
