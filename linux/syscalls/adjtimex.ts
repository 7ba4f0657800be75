/** adjtimex(2) and clock_adjtime(2): kernel/time/ntp.c. */
import { EFAULT, EINVAL, EOPNOTSUPP, EPERM } from '../abi/errno.ts';
import { CLOCK_REALTIME, NSEC_PER_SEC, USER_HZ } from '../abi/time.ts';
import {
  ADJ_ADJTIME,
  ADJ_OFFSET_READONLY,
  ADJ_OFFSET_SINGLESHOT,
  compat_timex,
  STA_UNSYNC,
  TIME_ERROR,
  timex,
} from '../abi/timex.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { isCompatCall } from '../task/thread-info.ts';
import { readClock } from './time.ts';

/** What ntp_clear() leaves: NTP_PHASE_LIMIT in microseconds. */
const MAXERROR = 16_000_000;
/** 500 ppm in the unit of `freq`. */
const TOLERANCE = 500 * 65536;

/** Only reading. Unlike Linux: nobody may set anything, as time is a function of the instruction count. */
export function sys_adjtimex(task: Task, at: number): number {
  const compat = isCompatCall(task);
  const bytes = copy_from_user(task.mm, at, compat ? compat_timex.size : timex.size);
  if (typeof bytes === 'number') return -EFAULT;
  const { modes } = compat ? compat_timex.read(bytes) : timex.read(bytes);
  const reads = (modes & ADJ_ADJTIME) !== 0 ? (modes & ADJ_OFFSET_READONLY) !== 0 : modes === 0;
  if ((modes & ADJ_ADJTIME) !== 0 && (modes & ADJ_OFFSET_SINGLESHOT) === 0) return -EINVAL;
  if (!reads) return -EPERM;
  const now = task.kernel.realtimeNs();
  const values = {
    maxerror: MAXERROR,
    esterror: MAXERROR,
    constant: 2,
    precision: 1,
    tolerance: TOLERANCE,
    time_sec: Number(now / BigInt(NSEC_PER_SEC)),
    time_usec: Math.floor(Number(now % BigInt(NSEC_PER_SEC)) / 1000),
    tick: 1_000_000 / USER_HZ,
  };
  const wide = Object.fromEntries(Object.entries(values).map(([name, n]) => [name, BigInt(n)]));
  const out = compat
    ? compat_timex.write({ modes, status: STA_UNSYNC, ...values })
    : timex.write({ modes, status: STA_UNSYNC, ...wide });
  return copy_to_user(task.mm, at, out) || TIME_ERROR;
}

/** clock_adjtime(2): only CLOCK_REALTIME can be adjusted. */
export function sys_clock_adjtime(task: Task, clock: number, at: number): number {
  if (clock === CLOCK_REALTIME) return sys_adjtimex(task, at);
  return readClock(task, clock) === undefined ? -EINVAL : -EOPNOTSUPP;
}
