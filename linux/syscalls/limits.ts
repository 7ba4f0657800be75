/** Resource limits: kernel/sys.c. */
import { EFAULT, EINVAL, EPERM, ESRCH } from '../abi/errno.ts';
import { compat_rlimit, RLIM_INFINITY, RLIM_NLIMITS, rlimit } from '../abi/process.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import { CAP_SYS_RESOURCE, capable } from '../task/cred.ts';
import type { Rlimit } from '../task/group.ts';
import type { Task } from '../task/task.ts';
import { isCompatCall } from '../task/thread-info.ts';

const COMPAT_INFINITY = 0xffff_ffffn;

/** do_prlimit(). @returns the old limit or an errno */
function do_prlimit(task: Task, target: Task, resource: number, next: Rlimit | undefined): Rlimit | number {
  if (resource >= RLIM_NLIMITS) return -EINVAL;
  const limit = target.group.rlimits[resource]!;
  const old = { ...limit };
  if (!next) return old;
  if (next.cur > next.max) return -EINVAL;
  if (next.max > limit.max && !capable(task.cred, CAP_SYS_RESOURCE)) return -EPERM;
  limit.cur = next.cur;
  limit.max = next.max;
  return old;
}

const toCompat = (value: bigint): number => Number(value > COMPAT_INFINITY ? COMPAT_INFINITY : value);
const fromCompat = (value: number): bigint => (BigInt(value) === COMPAT_INFINITY ? RLIM_INFINITY : BigInt(value));

function readLimit(task: Task, at: number, compat: boolean): Rlimit | undefined {
  const bytes = copy_from_user(task.mm, at, compat ? compat_rlimit.size : rlimit.size);
  if (typeof bytes === 'number') return undefined;
  if (!compat) return rlimit.read(bytes);
  const l = compat_rlimit.read(bytes);
  return { cur: fromCompat(l.cur), max: fromCompat(l.max) };
}

/** getrlimit(2); ugetrlimit of i386. */
export function sys_getrlimit(task: Task, resource: number, at: number): number {
  const old = do_prlimit(task, task, resource, undefined);
  if (typeof old === 'number') return old;
  const bytes = isCompatCall(task)
    ? compat_rlimit.write({ cur: toCompat(old.cur), max: toCompat(old.max) })
    : rlimit.write(old);
  return copy_to_user(task.mm, at, bytes);
}

/** compat_sys_old_getrlimit(), i386 number 76: infinity is 0x7fffffff. */
export function compat_sys_old_getrlimit(task: Task, resource: number, at: number): number {
  const old = do_prlimit(task, task, resource, undefined);
  if (typeof old === 'number') return old;
  const cap = (v: bigint): number => Number(v > 0x7fff_ffffn ? 0x7fff_ffffn : v);
  return copy_to_user(task.mm, at, compat_rlimit.write({ cur: cap(old.cur), max: cap(old.max) }));
}

/** setrlimit(2). */
export function sys_setrlimit(task: Task, resource: number, at: number): number {
  const next = readLimit(task, at, isCompatCall(task));
  if (!next) return -EFAULT;
  const old = do_prlimit(task, task, resource, next);
  return typeof old === 'number' ? old : 0;
}

/** prlimit64(2): the same layout in every ABI. */
export function sys_prlimit64(task: Task, pid: number, resource: number, newAt: number, oldAt: number): number {
  const target = pid === 0 ? task : task.kernel.tasks.get(pid);
  let next: Rlimit | undefined;
  if (newAt !== 0) {
    next = readLimit(task, newAt, false);
    if (!next) return -EFAULT;
  }
  if (!target) return -ESRCH;
  const old = do_prlimit(task, target, resource, next);
  if (typeof old === 'number') return old;
  return oldAt === 0 ? 0 : copy_to_user(task.mm, oldAt, rlimit.write(old));
}
