/** futex(2) and the robust lists: kernel/futex.c, kernel/futex_compat.c. */
import {
  EAGAIN,
  EFAULT,
  EINVAL,
  ENOSYS,
  EPERM,
  ERESTART_RESTARTBLOCK,
  ERESTARTSYS,
  ESRCH,
  ETIMEDOUT,
} from '../abi/errno.ts';
import {
  compat_robust_list_head,
  FUTEX_BITSET_MATCH_ANY,
  FUTEX_CLOCK_REALTIME,
  FUTEX_CMP_REQUEUE,
  FUTEX_PRIVATE_FLAG,
  FUTEX_REQUEUE,
  FUTEX_WAIT,
  FUTEX_WAIT_BITSET,
  FUTEX_WAKE,
  FUTEX_WAKE_BITSET,
  FUTEX_WAKE_OP,
  robust_list_head,
} from '../abi/futex.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import { get_user_u32, put_user_u32, put_user_u64 } from '../mm/uaccess.ts';
import { type FutexWait, futex_requeue, futex_wake, futex_wake_op, get_futex_channel } from '../task/futex.ts';
import type { Task } from '../task/task.ts';
import { isCompatCall } from '../task/thread-info.ts';
import { FOREVER, get_timespec } from './user-time.ts';

/** What a restarted FUTEX_WAIT needs: restart_block.futex. */
interface FutexRestart {
  readonly uaddr: number;
  readonly value: number;
  readonly shared: boolean;
  readonly deadline: number;
  readonly bitset: number;
}

/** futex(2). */
export function sys_futex(
  task: Task,
  uaddr: number,
  op: number,
  value: number,
  timeoutOrValue2: number,
  uaddr2: number,
  value3: number,
): SysResult {
  const command = op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
  const shared = (op & FUTEX_PRIVATE_FLAG) === 0;
  const realtime = (op & FUTEX_CLOCK_REALTIME) !== 0;
  if (realtime && command !== FUTEX_WAIT_BITSET && command !== FUTEX_WAIT) return -ENOSYS;
  switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
      const absolute = command === FUTEX_WAIT_BITSET;
      const bitset = absolute ? value3 | 0 : FUTEX_BITSET_MATCH_ANY;
      if (task.wait) return futexWaitEnded(task, uaddr, value, shared, bitset, absolute);
      const deadline = readTimeout(task, timeoutOrValue2, absolute, realtime);
      if (typeof deadline === 'object') return deadline.error;
      return futex_wait(task, uaddr, value, shared, deadline, bitset);
    }
    case FUTEX_WAKE:
      return futex_wake(task, uaddr, shared, value | 0, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET:
      return futex_wake(task, uaddr, shared, value | 0, value3 | 0);
    case FUTEX_REQUEUE:
      return futex_requeue(task, uaddr, uaddr2, shared, value | 0, timeoutOrValue2 | 0, undefined);
    case FUTEX_CMP_REQUEUE:
      return futex_requeue(task, uaddr, uaddr2, shared, value | 0, timeoutOrValue2 | 0, value3 >>> 0);
    case FUTEX_WAKE_OP:
      return futex_wake_op(task, uaddr, uaddr2, shared, value | 0, timeoutOrValue2 | 0, value3 | 0);
    default:
      // Not modelled: the priority-inheriting operations (6-8, 11-13).
      return -ENOSYS;
  }
}

/** The deadline on the boot clock; undefined waits for ever. */
function readTimeout(
  task: Task,
  at: number,
  absolute: boolean,
  realtime: boolean,
): number | undefined | { readonly error: number } {
  if (at === 0) return undefined;
  const time = get_timespec(task, at, isCompatCall(task));
  if (typeof time === 'number') return { error: time };
  if (time.ns >= FOREVER) return undefined;
  const { kernel } = task;
  if (!absolute) return kernel.now() + time.ns;
  const deadline = realtime ? Number(time.exact - kernel.bootEpochNs) : time.ns - kernel.monotonicOffsetNs;
  return Math.max(deadline, kernel.now());
}

/** futex_wait(): sleeps if the word still holds `value`. */
function futex_wait(
  task: Task,
  uaddr: number,
  value: number,
  shared: boolean,
  deadline: number | undefined,
  bitset: number,
): SysResult {
  if (bitset === 0) return -EINVAL;
  const channel = get_futex_channel(task, uaddr, shared);
  if (typeof channel === 'number') return channel;
  const current = get_user_u32(task.mm, uaddr);
  if (current === undefined) return -EFAULT;
  if (current !== value >>> 0) return -EAGAIN;
  const data: FutexWait = { kind: 'futex', bitset };
  return block(task, { channels: [channel], deadline, data });
}

function futexWaitEnded(
  task: Task,
  uaddr: number,
  value: number,
  shared: boolean,
  bitset: number,
  absolute: boolean,
): SysResult {
  const { reason, deadline } = task.wait!;
  if (reason === 'woken') return 0;
  if (reason === 'timeout') return -ETIMEDOUT;
  if (deadline === undefined) return -ERESTARTSYS;
  void absolute;
  const data: FutexRestart = { uaddr, value, shared, deadline, bitset };
  task.restartBlock = { fn: 'futex', data };
  return -ERESTART_RESTARTBLOCK;
}

/** futex_wait_restart(). */
export function futex_wait_restart(task: Task): SysResult {
  const r = task.restartBlock.data as FutexRestart;
  if (task.wait) return futexWaitEnded(task, r.uaddr, r.value, r.shared, r.bitset, false);
  return futex_wait(task, r.uaddr, r.value, r.shared, r.deadline, r.bitset);
}

/** set_robust_list(2): a list per ABI. */
export function sys_set_robust_list(task: Task, head: number, size: number): number {
  const compat = isCompatCall(task);
  if (size !== (compat ? compat_robust_list_head.size : robust_list_head.size)) return -EINVAL;
  if (compat) task.compatRobustList = head;
  else task.robustList = head;
  return 0;
}

/** get_robust_list(2). */
export function sys_get_robust_list(task: Task, pid: number, headAt: number, sizeAt: number): number {
  const target = pid === 0 ? task : task.kernel.tasks.get(pid);
  if (!target) return -ESRCH;
  if (target !== task && task.cred.euid !== 0 && task.cred.euid !== target.cred.euid) return -EPERM;
  if (isCompatCall(task)) {
    return (
      put_user_u32(task.mm, sizeAt, compat_robust_list_head.size) ||
      put_user_u32(task.mm, headAt, target.compatRobustList)
    );
  }
  return (
    put_user_u64(task.mm, sizeAt, BigInt(robust_list_head.size)) ||
    put_user_u64(task.mm, headAt, BigInt(target.robustList))
  );
}
