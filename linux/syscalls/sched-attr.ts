/** sched_setattr(2), sched_getattr(2): kernel/sched/core.c. */
import { E2BIG, EFAULT, EINVAL, EPERM, ESRCH } from '../abi/errno.ts';
import { RLIMIT_NICE, RLIMIT_RTPRIO } from '../abi/process.ts';
import { struct } from '../abi/struct.ts';
import { PAGE_SIZE } from '../addr.ts';
import { copy_from_user, copy_to_user, get_user_u32, put_user_u32 } from '../mm/uaccess.ts';
import { CAP_SYS_NICE, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';

/** `struct sched_attr`, SCHED_ATTR_SIZE_VER0. */
const sched_attr = struct('sched_attr', [
  ['size', 'u32'],
  ['policy', 'u32'],
  ['flags', 'u64'],
  ['nice', 'i32'],
  ['priority', 'u32'],
  ['runtime', 'u64'],
  ['deadline', 'u64'],
  ['period', 'u64'],
]);
export const SCHED_NORMAL = 0,
  SCHED_FIFO = 1,
  SCHED_RR = 2,
  SCHED_BATCH = 3,
  SCHED_IDLE = 5,
  SCHED_DEADLINE = 6;
const SCHED_FLAG_RESET_ON_FORK = 1n;
const MAX_RT_PRIO = 100;

export const isRealtime = (policy: number): boolean => policy === SCHED_FIFO || policy === SCHED_RR;
const isFair = (policy: number): boolean => policy === SCHED_NORMAL || policy === SCHED_BATCH;

/** What a task's scheduling is set to. */
export interface SchedSettings {
  readonly policy: number;
  readonly nice: number;
  readonly priority: number;
  readonly resetOnFork: boolean;
  readonly deadline?: { readonly runtime: bigint; readonly deadline: bigint; readonly period: bigint };
}

/** __checkparam_dl() */
function deadlineFits({ runtime, deadline, period }: NonNullable<SchedSettings['deadline']>): boolean {
  const top = 1n << 63n;
  if (deadline === 0n || runtime < 1024n || deadline >= top || period >= top) return false;
  return (period === 0n || period >= deadline) && deadline >= runtime;
}

/** can_nice() */
export const canNice = (task: Task, nice: number): boolean =>
  BigInt(20 - nice) <= (task.group.rlimits[RLIMIT_NICE]?.cur ?? 0n) || capable(task.cred, CAP_SYS_NICE);

/** __sched_setscheduler(). Not modelled: real-time policies have no effect on who runs. */
export function sched_setscheduler(task: Task, target: Task, next: SchedSettings): number {
  const { policy, priority, nice } = next;
  const realtime = isRealtime(policy);
  if (!realtime && !isFair(policy) && policy !== SCHED_IDLE && policy !== SCHED_DEADLINE) return -EINVAL;
  if (priority >= MAX_RT_PRIO) return -EINVAL;
  if (policy === SCHED_DEADLINE && (next.deadline === undefined || !deadlineFits(next.deadline))) return -EINVAL;
  if (realtime !== (priority !== 0)) return -EINVAL;
  if (!capable(task.cred, CAP_SYS_NICE)) {
    if (isFair(policy) && nice < target.nice && !canNice(target, nice)) return -EPERM;
    if (realtime) {
      const limit = target.group.rlimits[RLIMIT_RTPRIO]?.cur ?? 0n;
      if (policy !== target.policy && limit === 0n) return -EPERM;
      if (priority > target.rtPriority && BigInt(priority) > limit) return -EPERM;
    }
    if (policy === SCHED_DEADLINE) return -EPERM;
    if (target.policy === SCHED_IDLE && policy !== SCHED_IDLE && !canNice(target, target.nice)) return -EPERM;
    const { euid } = task.cred;
    if (euid !== target.cred.euid && euid !== target.cred.uid) return -EPERM;
    if (target.schedResetOnFork && !next.resetOnFork) return -EPERM;
  }
  target.policy = policy;
  target.rtPriority = priority;
  target.schedResetOnFork = next.resetOnFork;
  target.deadlineParams = policy === SCHED_DEADLINE ? next.deadline : undefined;
  if (isFair(policy)) target.nice = nice;
  return 0;
}

const find = (task: Task, pid: number): Task | undefined => (pid === 0 ? task : task.kernel.tasks.get(pid));

export function sys_sched_setattr(task: Task, pid: number, at: number, flags: number): number {
  if (at === 0 || pid < 0 || flags !== 0) return -EINVAL;
  const given = get_user_u32(task.mm, at);
  if (given === undefined) return -EFAULT;
  const size = given === 0 ? sched_attr.size : given;
  const tooBig = (): number => {
    put_user_u32(task.mm, at, sched_attr.size);
    return -E2BIG;
  };
  if (size > PAGE_SIZE || size < sched_attr.size) return tooBig();
  const bytes = copy_from_user(task.mm, at, size);
  if (typeof bytes === 'number') return -EFAULT;
  if (bytes.subarray(sched_attr.size).some((byte) => byte !== 0)) return tooBig();
  const attr = sched_attr.read(bytes);
  if ((attr.policy | 0) < 0) return -EINVAL;
  const target = find(task, pid);
  if (!target) return -ESRCH;
  if ((attr.flags & ~SCHED_FLAG_RESET_ON_FORK) !== 0n) return -EINVAL;
  const { runtime, deadline, period } = attr;
  return sched_setscheduler(task, target, {
    policy: attr.policy,
    nice: Math.max(-20, Math.min(19, attr.nice)),
    priority: attr.priority,
    resetOnFork: attr.flags === SCHED_FLAG_RESET_ON_FORK,
    deadline: { runtime, deadline, period },
  });
}

export function sys_sched_getattr(task: Task, pid: number, at: number, size: number, flags: number): number {
  if (at === 0 || pid < 0 || size > PAGE_SIZE || size < sched_attr.size || flags !== 0) return -EINVAL;
  const target = find(task, pid);
  if (!target) return -ESRCH;
  const { policy, deadlineParams } = target;
  const bytes = sched_attr.write({
    size: sched_attr.size,
    policy,
    flags: target.schedResetOnFork ? SCHED_FLAG_RESET_ON_FORK : 0n,
    ...(policy === SCHED_DEADLINE
      ? deadlineParams
      : isRealtime(policy)
        ? { priority: target.rtPriority }
        : { nice: target.nice }),
  });
  return copy_to_user(task.mm, at, bytes) < 0 ? -EFAULT : 0;
}
