/** Clocks, sleeping and timers: kernel/time/{posix-timers,hrtimer,itimer,time}.c. */
import { EAGAIN, EFAULT, EINVAL, EOPNOTSUPP, EPERM, ERESTART_RESTARTBLOCK, ERESTARTNOHAND } from '../abi/errno.ts';
import { compat_tms, tms } from '../abi/process.ts';
import { SIGALRM } from '../abi/signal.ts';
import {
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_MONOTONIC_RAW,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  CLOCK_REALTIME_COARSE,
  CLOCK_TAI,
  CLOCK_THREAD_CPUTIME_ID,
  compat_itimerspec,
  compat_sigevent,
  ITIMER_PROF,
  ITIMER_REAL,
  itimerspec,
  NSEC_PER_SEC,
  SIGEV_NONE,
  SIGEV_SIGNAL,
  SIGEV_THREAD,
  SIGEV_THREAD_ID,
  sigevent,
  TICK_NSEC,
  TIMER_ABSTIME,
} from '../abi/time.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import { copy_from_user, copy_to_user, put_user_u32, put_user_u64 } from '../mm/uaccess.ts';
import { sigqueueRoom } from '../signal/queue.ts';
import { type CpuClock, cpu_clock_sample, cpuClock, isCpuClock, isSchedClock } from '../task/cpu-clock.ts';
import { clockTicks, thread_group_cputime } from '../task/cpu-time.ts';
import { cancelCpuTimer } from '../task/cpu-timers.ts';
import type { PosixTimer } from '../task/group.ts';
import { get_itimer, set_itimer } from '../task/itimers.ts';
import { armPosixTimer, disarmPosixTimer, timerNow } from '../task/posix-timers.ts';
import type { Task } from '../task/task.ts';
import { isCompatCall } from '../task/thread-info.ts';
import { get_timespec, put_timespec, put_timeval, timevalToNs, type UserTime, userTime } from './user-time.ts';

// ---- clocks

/**
 * The clock's value in nanoseconds, or undefined for a clock that is not there: CLOCK_REALTIME_ALARM and CLOCK_BOOTTIME_ALARM
 * need a real-time clock that can wake the machine.
 */
export function readClock(task: Task, clock: number): bigint | undefined {
  const { kernel } = task;
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_TAI:
      return kernel.realtimeNs();
    case CLOCK_REALTIME_COARSE:
      return kernel.realtimeNs() - (kernel.realtimeNs() % BigInt(TICK_NSEC));
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
      return BigInt(kernel.monotonicNs());
    case CLOCK_MONOTONIC_COARSE:
      return BigInt(kernel.monotonicNs() - (kernel.monotonicNs() % TICK_NSEC));
    default: {
      const cpu = cpuClock(task, clock, false);
      return cpu && BigInt(cpu_clock_sample(cpu));
    }
  }
}

/** clock_gettime(2). */
export function sys_clock_gettime(task: Task, clock: number, at: number): number {
  const value = readClock(task, clock);
  return value === undefined ? -EINVAL : put_timespec(task, at, value, isCompatCall(task));
}

/** clock_getres(2). */
export function sys_clock_getres(task: Task, clock: number, at: number): number {
  if (readClock(task, clock) === undefined) return -EINVAL;
  if (at === 0) return 0;
  const coarse = clock === CLOCK_REALTIME_COARSE || clock === CLOCK_MONOTONIC_COARSE || !isSchedClock(clock);
  return put_timespec(task, at, coarse ? TICK_NSEC : 1, isCompatCall(task));
}

/** clock_settime(2). Unlike Linux: nobody may, as time is a function of the instruction count. */
export function sys_clock_settime(task: Task, clock: number, at: number): number {
  if (clock !== CLOCK_REALTIME) return -EINVAL;
  const time = get_timespec(task, at, isCompatCall(task));
  return typeof time === 'number' ? time : -EPERM;
}

/** gettimeofday(2). */
export function sys_gettimeofday(task: Task, tv: number, tz: number): number {
  if (tv !== 0 && put_timeval(task, tv, task.kernel.realtimeNs(), isCompatCall(task))) return -EFAULT;
  return tz === 0 ? 0 : put_user_u64(task.mm, tz, 0n);
}

/** settimeofday(2). */
export const sys_settimeofday = (_task: Task, tv: number, _tz: number): number => (tv === 0 ? 0 : -EPERM);

/** stime(2), i386 number 25. */
export const sys_stime = (_task: Task, _at: number): number => -EPERM;

/** time(2). */
export function sys_time(task: Task, at: number): number {
  const seconds = Number(task.kernel.realtimeNs() / 1_000_000_000n);
  if (at === 0) return seconds;
  const error = isCompatCall(task) ? put_user_u32(task.mm, at, seconds) : put_user_u64(task.mm, at, BigInt(seconds));
  return error || seconds;
}

/** times(2): clock ticks. */
export function sys_times(task: Task, at: number): number {
  if (at !== 0) {
    const own = thread_group_cputime(task.group);
    const { childrenTime } = task.group;
    const fields = {
      utime: clockTicks(own.user),
      stime: clockTicks(own.system),
      cutime: clockTicks(childrenTime.user),
      cstime: clockTicks(childrenTime.system),
    };
    const wide = Object.fromEntries(Object.entries(fields).map(([name, n]) => [name, BigInt(n)]));
    const bytes = isCompatCall(task) ? compat_tms.write(fields) : tms.write(wide);
    if (copy_to_user(task.mm, at, bytes)) return -EFAULT;
  }
  return clockTicks(task.kernel.now());
}

// ---- sleeping

/** What nanosleep() keeps over a restart: plain data. */
interface Sleep {
  readonly deadline: number;
  readonly rem: number;
  readonly compat: boolean;
}

/** nanosleep(2). */
export function sys_nanosleep(task: Task, req: number, rem: number): SysResult {
  if (task.wait) return sleepEnded(task);
  const compat = isCompatCall(task);
  const time = get_timespec(task, req, compat);
  if (typeof time === 'number') return time;
  return sleepUntil(task, { deadline: task.kernel.now() + time.ns, rem, compat });
}

function sleepUntil(task: Task, sleep: Sleep): SysResult {
  return block(task, { channels: [], deadline: sleep.deadline, data: sleep });
}

/** hrtimer_nanosleep(): the time that is left, and how to go on. */
function sleepEnded(task: Task): SysResult {
  const wait = task.wait!;
  const sleep = wait.data as Sleep;
  const left = sleep.deadline - task.kernel.now();
  if (wait.reason === 'timeout' || left <= 0) return 0;
  if (sleep.rem !== 0 && put_timespec(task, sleep.rem, left, sleep.compat)) return -EFAULT;
  task.restartBlock = { fn: 'nanosleep', data: sleep };
  return -ERESTART_RESTARTBLOCK;
}

/** hrtimer_nanosleep_restart(). */
export function nanosleep_restart(task: Task): SysResult {
  if (task.wait) return sleepEnded(task);
  return sleepUntil(task, task.restartBlock.data as Sleep);
}

/** Clocks that can neither wake anybody nor have timers. */
const isOnlyRead = (clock: number): boolean =>
  clock === CLOCK_MONOTONIC_RAW || clock === CLOCK_REALTIME_COARSE || clock === CLOCK_MONOTONIC_COARSE;

/** alarm_timer_create() and alarm_timer_nsleep() of a machine without a real-time clock; no errno that a user knows. */
const ENOTSUPP = 524;
const isAlarmClock = (clock: number): boolean => clock === CLOCK_REALTIME_ALARM || clock === CLOCK_BOOTTIME_ALARM;

/** clock_nanosleep(2). */
export function sys_clock_nanosleep(task: Task, clock: number, flags: number, req: number, rem: number): SysResult {
  const absolute = (flags & TIMER_ABSTIME) !== 0;
  if (task.wait && isCpuClock(clock)) return cpuSleepEnded(task);
  if (task.wait) {
    if (!absolute) return sleepEnded(task);
    return task.wait.reason === 'timeout' ? 0 : -ERESTARTNOHAND;
  }
  if (isCpuClock(clock)) return posix_cpu_nsleep(task, clock, absolute, req, rem);
  if (isOnlyRead(clock)) return -EOPNOTSUPP;
  if (isAlarmClock(clock)) return -ENOTSUPP;
  if (readClock(task, clock) === undefined) return -EINVAL;
  const compat = isCompatCall(task);
  const time = get_timespec(task, req, compat);
  if (typeof time === 'number') return time;
  if (!absolute) return sleepUntil(task, { deadline: task.kernel.now() + time.ns, rem, compat });
  const deadline = toBootTime(task, clock, time);
  return block(task, { channels: [], deadline: Math.max(deadline, task.kernel.now()) });
}

/** What a sleep on a CPU clock keeps. */
interface CpuSleep {
  readonly clock: CpuClock;
  readonly expires: number;
  readonly rem: number;
  readonly absolute: boolean;
  readonly compat: boolean;
}

/** posix_cpu_nsleep() and process_cpu_nsleep(), kernel/time/posix-cpu-timers.c: until others of the process have spent so much. */
function posix_cpu_nsleep(task: Task, id: number, absolute: boolean, req: number, rem: number): SysResult {
  if (id === CLOCK_THREAD_CPUTIME_ID) return -EOPNOTSUPP;
  const compat = isCompatCall(task);
  const time = get_timespec(task, req, compat);
  if (typeof time === 'number') return time;
  const clock = cpuClock(task, id, true);
  // Nobody gets on while he sleeps.
  if (clock === undefined || clock.thread === task) return -EINVAL;
  const expires = absolute ? time.ns : cpu_clock_sample(clock) + time.ns;
  return cpuSleepUntil(task, { clock, expires, rem, absolute, compat });
}

function cpuSleepUntil(task: Task, sleep: CpuSleep): SysResult {
  const { clock, expires } = sleep;
  if (expires <= cpu_clock_sample(clock)) return 0;
  clock.group.cpuTimers.push({ clock, expires, sleeper: task });
  return block(task, { channels: [], data: sleep });
}

/** do_cpu_nanosleep() behind its schedule(). */
function cpuSleepEnded(task: Task): SysResult {
  const wait = task.wait!;
  const sleep = wait.data as CpuSleep;
  cancelCpuTimer(sleep.clock.group, ({ sleeper }) => sleeper === task);
  if (wait.reason === 'timeout') return 0;
  if (sleep.absolute) return -ERESTARTNOHAND;
  const left = sleep.expires - cpu_clock_sample(sleep.clock);
  if (left <= 0) return 0;
  if (sleep.rem !== 0 && put_timespec(task, sleep.rem, left, sleep.compat)) return -EFAULT;
  task.restartBlock = { fn: 'cpu_nsleep', data: sleep };
  return -ERESTART_RESTARTBLOCK;
}

/** posix_cpu_nsleep_restart(). */
export function posix_cpu_nsleep_restart(task: Task): SysResult {
  return task.wait ? cpuSleepEnded(task) : cpuSleepUntil(task, task.restartBlock.data as CpuSleep);
}

/** A moment of a clock on the boot clock. */
function toBootTime(task: Task, clock: number, time: UserTime): number {
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
      return Number(time.exact - task.kernel.bootEpochNs);
    default:
      return time.ns - task.kernel.monotonicOffsetNs;
  }
}

// ---- interval timers

/** `struct itimerval` has the layout of `struct itimerspec`, with microseconds. */
function readItimerval(task: Task, at: number): { value: number; interval: number } | number {
  const layout = isCompatCall(task) ? compat_itimerspec : itimerspec;
  const bytes = copy_from_user(task.mm, at, layout.size);
  if (typeof bytes === 'number') return -EFAULT;
  const t = layout.read(bytes);
  const value = timevalToNs(Number(t.value_sec), Number(t.value_nsec));
  const interval = timevalToNs(Number(t.interval_sec), Number(t.interval_nsec));
  if (typeof value === 'number' || typeof interval === 'number') return -EINVAL;
  return { value: value.ns, interval: interval.ns };
}

function writeItimer(task: Task, at: number, t: { value: number; interval: number }, unit: number): number {
  const parts = (ns: number): [number, number] => [
    Math.floor(ns / NSEC_PER_SEC),
    Math.floor((ns % NSEC_PER_SEC) / unit),
  ];
  const [vs, vn] = parts(t.value);
  const [is, in_] = parts(t.interval);
  const bytes = isCompatCall(task)
    ? compat_itimerspec.write({ value_sec: vs, value_nsec: vn, interval_sec: is, interval_nsec: in_ })
    : itimerspec.write({
        value_sec: BigInt(vs),
        value_nsec: BigInt(vn),
        interval_sec: BigInt(is),
        interval_nsec: BigInt(in_),
      });
  return copy_to_user(task.mm, at, bytes);
}

/** getitimer(2). */
export function sys_getitimer(task: Task, which: number, at: number): number {
  if (which < ITIMER_REAL || which > ITIMER_PROF) return -EINVAL;
  return writeItimer(task, at, get_itimer(task, which), 1000);
}

/** setitimer(2); a null pointer disarms, as it always has. */
export function sys_setitimer(task: Task, which: number, at: number, oldAt: number): number {
  const next = at === 0 ? { value: 0, interval: 0 } : readItimerval(task, at);
  if (typeof next === 'number') return next;
  if (which < ITIMER_REAL || which > ITIMER_PROF) return -EINVAL;
  const old = get_itimer(task, which);
  set_itimer(task, which, next.value, next.interval);
  return oldAt === 0 ? 0 : writeItimer(task, oldAt, old, 1000);
}

/** alarm(2): seconds, rounded. */
export function sys_alarm(task: Task, seconds: number): number {
  const old = get_itimer(task, ITIMER_REAL).value;
  set_itimer(task, ITIMER_REAL, seconds * NSEC_PER_SEC, 0);
  const whole = Math.floor(old / NSEC_PER_SEC);
  const rest = old % NSEC_PER_SEC;
  return (whole === 0 && rest > 0) || rest >= NSEC_PER_SEC / 2 ? whole + 1 : whole;
}

// ---- POSIX timers

/** timer_create(2): the ids of a process count up, as CRIU relies on. */
export function sys_timer_create(task: Task, clock: number, eventAt: number, idAt: number): number {
  if (isAlarmClock(clock)) return -ENOTSUPP;
  const cpu = cpuClock(task, clock, true);
  if (!cpu && (isCpuClock(clock) || readClock(task, clock) === undefined)) return -EINVAL;
  if (isOnlyRead(clock)) return -EOPNOTSUPP;
  const { group } = task;
  let event = { value: -1n, signo: SIGALRM, notify: SIGEV_SIGNAL, tid: 0 };
  if (eventAt !== 0) {
    const layout = isCompatCall(task) ? compat_sigevent : sigevent;
    const bytes = copy_from_user(task.mm, eventAt, layout.size);
    if (typeof bytes === 'number') return -EFAULT;
    const e = layout.read(bytes);
    event = { value: BigInt(e.value), signo: e.signo, notify: e.notify, tid: e.tid };
  }
  const error = good_sigevent(task, event);
  if (error) return error;
  if (!sigqueueRoom(task)) return -EAGAIN;
  while (group.posixTimers.has(group.nextPosixTimerId)) group.nextPosixTimerId++;
  const id = group.nextPosixTimerId++;
  if (put_user_u32(task.mm, idAt, id)) return -EFAULT;
  group.posixTimers.set(id, {
    id,
    clock,
    cpu,
    notify: event.notify,
    signo: event.signo,
    value: event.value === -1n ? BigInt(id) : event.value,
    tid: event.notify === SIGEV_THREAD_ID ? event.tid : 0,
    expires: 0,
    interval: 0,
    overrun: 0,
    overrunLast: 0,
    queued: false,
  });
  return 0;
}

/** good_sigevent(). */
function good_sigevent(task: Task, event: { signo: number; notify: number; tid: number }): number {
  switch (event.notify) {
    case SIGEV_NONE:
      return 0;
    case SIGEV_THREAD_ID: {
      const thread = task.kernel.tasks.get(event.tid);
      if (!thread || thread.group !== task.group) return -EINVAL;
      break;
    }
    case SIGEV_SIGNAL:
    case SIGEV_THREAD:
      break;
    default:
      return -EINVAL;
  }
  return event.signo > 0 && event.signo <= 64 ? 0 : -EINVAL;
}

const timerOf = (task: Task, id: number): PosixTimer | undefined => task.group.posixTimers.get(id);

/** common_timer_get(). */
function timerLeft(task: Task, timer: PosixTimer): { value: number; interval: number } {
  const now = timerNow(task.kernel, timer);
  let { expires } = timer;
  if (expires !== 0 && timer.interval !== 0 && expires < now) {
    // Waits for its signal to be taken, or notifies nobody.
    expires += Math.ceil((now - expires) / timer.interval) * timer.interval;
  }
  if (expires === 0) return { value: 0, interval: timer.interval };
  const left = expires - now;
  if (left <= 0) return { value: timer.notify === SIGEV_NONE ? 0 : 1, interval: timer.interval };
  return { value: left, interval: timer.interval };
}

/** timer_gettime(2). */
export function sys_timer_gettime(task: Task, id: number, at: number): number {
  const timer = timerOf(task, id);
  if (!timer) return -EINVAL;
  return writeItimer(task, at, timerLeft(task, timer), 1);
}

/** timer_settime(2). */
export function sys_timer_settime(task: Task, id: number, flags: number, at: number, oldAt: number): number {
  if (at === 0) return -EINVAL;
  const layout = isCompatCall(task) ? compat_itimerspec : itimerspec;
  const bytes = copy_from_user(task.mm, at, layout.size);
  if (typeof bytes === 'number') return -EFAULT;
  const t = layout.read(bytes);
  const parts = [Number(t.value_sec), Number(t.value_nsec), Number(t.interval_sec), Number(t.interval_nsec)] as const;
  const valid = (s: number, n: number): boolean => s >= 0 && n >= 0 && n < NSEC_PER_SEC;
  if (!valid(parts[0], parts[1]) || !valid(parts[2], parts[3])) return -EINVAL;
  const timer = timerOf(task, id);
  if (!timer) return -EINVAL;
  const old = timerLeft(task, timer);
  const value = userTime(parts[0], parts[1]);
  timer.interval = parts[2] * NSEC_PER_SEC + parts[3];
  timer.overrun = 0;
  timer.overrunLast = 0;
  timer.queued = false;
  let expires = 0;
  if (value.ns !== 0) {
    const now = timerNow(task.kernel, timer);
    const moment = (): number => (timer.cpu ? value.ns : toBootTime(task, timer.clock, value));
    expires = (flags & TIMER_ABSTIME) !== 0 ? moment() : now + value.ns;
    if (expires <= 0) expires = now;
  }
  armPosixTimer(task.kernel, task.group, timer, expires);
  return oldAt === 0 ? 0 : writeItimer(task, oldAt, old, 1);
}

/** timer_getoverrun(2). */
export function sys_timer_getoverrun(task: Task, id: number): number {
  const timer = timerOf(task, id);
  return timer ? timer.overrunLast : -EINVAL;
}

/** timer_delete(2). */
export function sys_timer_delete(task: Task, id: number): number {
  const timer = timerOf(task, id);
  if (!timer) return -EINVAL;
  disarmPosixTimer(task.group, timer);
  task.group.posixTimers.delete(id);
  return 0;
}
