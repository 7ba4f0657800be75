/** Times between user memory and nanoseconds, in the 64-bit and the i386 layout. */
import { EFAULT, EINVAL } from '../abi/errno.ts';
import { compat_timespec, NSEC_PER_SEC, timespec } from '../abi/time.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';

/** KTIME_MAX: longer times mean never. */
export const FOREVER = 2 ** 63;

/** A time as nanoseconds; `ns` is at most 2^63: forever. Moments of CLOCK_REALTIME need `exact`. */
export interface UserTime {
  readonly ns: number;
  readonly exact: bigint;
}

/** A timespec; -EFAULT, or -EINVAL if it is none. */
export function get_timespec(task: Task, at: number, compat: boolean): number | UserTime {
  const layout = compat ? compat_timespec : timespec;
  const bytes = copy_from_user(task.mm, at, layout.size);
  if (typeof bytes === 'number') return -EFAULT;
  const { tv_sec, tv_nsec } = layout.read(bytes);
  const seconds = Number(tv_sec);
  const nanoseconds = Number(tv_nsec);
  if (seconds < 0 || nanoseconds < 0 || nanoseconds >= NSEC_PER_SEC) return -EINVAL;
  return userTime(seconds, nanoseconds);
}

export const userTime = (seconds: number, nanoseconds: number): UserTime => ({
  ns: Math.min(seconds * NSEC_PER_SEC + nanoseconds, FOREVER),
  exact: BigInt(seconds) * BigInt(NSEC_PER_SEC) + BigInt(nanoseconds),
});

/** @returns 0 or -EFAULT */
export function put_timespec(task: Task, at: number, ns: number | bigint, compat: boolean): number {
  const total = BigInt(ns);
  const seconds = total / 1_000_000_000n;
  const rest = total % 1_000_000_000n;
  const bytes = compat
    ? compat_timespec.write({ tv_sec: Number(seconds), tv_nsec: Number(rest) })
    : timespec.write({ tv_sec: seconds, tv_nsec: rest });
  return copy_to_user(task.mm, at, bytes);
}

/** A timeval; the same layout with microseconds. */
export function get_timeval(task: Task, at: number, compat: boolean): number | { readonly ns: number } {
  const layout = compat ? compat_timespec : timespec;
  const bytes = copy_from_user(task.mm, at, layout.size);
  if (typeof bytes === 'number') return -EFAULT;
  return timevalToNs(Number(layout.read(bytes).tv_sec), Number(layout.read(bytes).tv_nsec));
}

/** Nanoseconds of a `struct timeval`; -EINVAL. */
export function timevalToNs(seconds: number, microseconds: number): number | { readonly ns: number } {
  if (seconds < 0 || microseconds < 0 || microseconds >= 1_000_000) return -EINVAL;
  return { ns: Math.min(seconds * NSEC_PER_SEC + microseconds * 1000, FOREVER) };
}

/** Writes nanoseconds as a `struct timeval` of either size. @returns 0 or -EFAULT */
export function put_timeval(task: Task, at: number, ns: number | bigint, compat: boolean): number {
  const total = BigInt(ns);
  const seconds = total / 1_000_000_000n;
  const rest = (total % 1_000_000_000n) / 1000n;
  const bytes = compat
    ? compat_timespec.write({ tv_sec: Number(seconds), tv_nsec: Number(rest) })
    : timespec.write({ tv_sec: seconds, tv_nsec: rest });
  return copy_to_user(task.mm, at, bytes);
}
