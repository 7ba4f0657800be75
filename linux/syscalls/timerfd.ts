/** timerfd(2): fs/timerfd.c. */
import { EBADF, EINVAL } from '../abi/errno.ts';
import { O_CLOEXEC, O_NONBLOCK } from '../abi/fcntl.ts';
import { CLOCK_MONOTONIC, CLOCK_REALTIME } from '../abi/time.ts';
import { TimerfdInode } from '../fs/timerfd.ts';
import type { Task } from '../task/task.ts';
import { anonInodeFd } from './eventfd.ts';
import { fdget, vfsOf } from './fs-args.ts';
import { get_timespec, put_timespec } from './user-time.ts';

const CLOCK_BOOTTIME = 7;
const TFD_TIMER_ABSTIME = 1;
const TFD_TIMER_CANCEL_ON_SET = 2;

export function sys_timerfd_create(task: Task, clock: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
  if (![CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME].includes(clock)) return -EINVAL;
  return anonInodeFd(task, '[timerfd]', new TimerfdInode(vfsOf(task).anon, clock), flags);
}

function timerOf(task: Task, fd: number): TimerfdInode | number {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  return file.inode instanceof TimerfdInode ? file.inode : -EINVAL;
}

function putTimer(task: Task, timer: TimerfdInode, at: number, compat: boolean): number {
  const error = put_timespec(task, at, timer.interval, compat);
  return error < 0 ? error : put_timespec(task, at + (compat ? 8 : 16), timer.remaining(), compat);
}

function settime(task: Task, fd: number, flags: number, utmr: number, otmr: number, compat: boolean): number {
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) !== 0) return -EINVAL;
  const interval = get_timespec(task, utmr, compat);
  if (typeof interval === 'number') return interval;
  const value = get_timespec(task, utmr + (compat ? 8 : 16), compat);
  if (typeof value === 'number') return value;
  const timer = timerOf(task, fd);
  if (typeof timer === 'number') return timer;
  if (otmr !== 0) {
    const error = putTimer(task, timer, otmr, compat);
    if (error < 0) return error;
  }
  const { kernel } = task;
  const now = kernel.now();
  let expires = 0;
  if (value.ns > 0) {
    const absolute = (flags & TFD_TIMER_ABSTIME) !== 0;
    const clockNow = timer.clock === CLOCK_REALTIME ? Number(kernel.realtimeNs()) : kernel.monotonicNs();
    expires = Math.max(1, absolute ? now + (value.ns - clockNow) : now + value.ns);
  }
  timer.arm(expires, interval.ns);
  return 0;
}
function gettime(task: Task, fd: number, otmr: number, compat: boolean): number {
  const timer = timerOf(task, fd);
  return typeof timer === 'number' ? timer : putTimer(task, timer, otmr, compat);
}
export const sys_timerfd_settime = (task: Task, fd: number, flags: number, utmr: number, otmr: number): number =>
  settime(task, fd, flags, utmr, otmr, false);
export const compat_sys_timerfd_settime = (task: Task, fd: number, flags: number, utmr: number, otmr: number): number =>
  settime(task, fd, flags, utmr, otmr, true);
export const sys_timerfd_gettime = (task: Task, fd: number, otmr: number): number => gettime(task, fd, otmr, false);
export const compat_sys_timerfd_gettime = (task: Task, fd: number, otmr: number): number =>
  gettime(task, fd, otmr, true);
