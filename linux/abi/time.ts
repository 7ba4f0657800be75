/** include/uapi/linux/time.h, timer sigevents, and the i386 layouts. */
import { struct } from './struct.ts';

export const CLOCK_REALTIME = 0,
  CLOCK_MONOTONIC = 1,
  CLOCK_PROCESS_CPUTIME_ID = 2,
  CLOCK_THREAD_CPUTIME_ID = 3;
export const CLOCK_MONOTONIC_RAW = 4,
  CLOCK_REALTIME_COARSE = 5,
  CLOCK_MONOTONIC_COARSE = 6,
  CLOCK_BOOTTIME = 7;
export const CLOCK_REALTIME_ALARM = 8,
  CLOCK_BOOTTIME_ALARM = 9,
  CLOCK_TAI = 11;
export const TIMER_ABSTIME = 1;

export const ITIMER_REAL = 0,
  ITIMER_VIRTUAL = 1,
  ITIMER_PROF = 2;

export const SIGEV_SIGNAL = 0,
  SIGEV_NONE = 1,
  SIGEV_THREAD = 2,
  SIGEV_THREAD_ID = 4;

export const NSEC_PER_SEC = 1_000_000_000;
/** One tick of the COARSE clocks and of times(2): CONFIG_HZ=250, USER_HZ=100. */
export const TICK_NSEC = 4_000_000,
  USER_HZ = 100;

export const timespec = struct('timespec', [
  ['tv_sec', 'i64'],
  ['tv_nsec', 'i64'],
]);
export const compat_timespec = struct('compat_timespec', [
  ['tv_sec', 'i32'],
  ['tv_nsec', 'i32'],
]);
export const itimerspec = struct('itimerspec', [
  ['interval_sec', 'i64'],
  ['interval_nsec', 'i64'],
  ['value_sec', 'i64'],
  ['value_nsec', 'i64'],
]);
export const compat_itimerspec = struct('compat_itimerspec', [
  ['interval_sec', 'i32'],
  ['interval_nsec', 'i32'],
  ['value_sec', 'i32'],
  ['value_nsec', 'i32'],
]);
export const sigevent = struct('sigevent', [
  ['value', 'u64'],
  ['signo', 'i32'],
  ['notify', 'i32'],
  ['tid', 'i32'],
  ['_pad', 'u8', 44],
]);
export const compat_sigevent = struct('compat_sigevent', [
  ['value', 'u32'],
  ['signo', 'i32'],
  ['notify', 'i32'],
  ['tid', 'i32'],
  ['_pad', 'u8', 48],
]);
