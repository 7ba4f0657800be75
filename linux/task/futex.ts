/** Futexes: kernel/futex.c. A waiter is a blocked task whose `wait.data` is a `FutexWait`; queues are wait channels. */
import { EAGAIN, EFAULT, EINVAL, ENOSYS } from '../abi/errno.ts';
import {
  FUTEX_BITSET_MATCH_ANY,
  FUTEX_OP_CMP,
  FUTEX_OP_OPARG_SHIFT,
  FUTEX_OP_SET,
  FUTEX_OWNER_DIED,
  FUTEX_TID_MASK,
  FUTEX_WAITERS,
  ROBUST_LIST_LIMIT,
} from '../abi/futex.ts';
import { futexKey, get_user_u32, get_user_u64, put_user_u32 } from '../mm/uaccess.ts';
import type { Task } from './task.ts';

/** `struct futex_q`. */
export interface FutexWait {
  readonly kind: 'futex';
  readonly bitset: number;
}

export const futexChannel = (key: string): string => `futex:${key}`;

/** get_futex_key(): the channel of a futex word, or an errno. */
export function get_futex_channel(task: Task, uaddr: number, shared: boolean): string | number {
  if (uaddr % 4 !== 0) return -EINVAL;
  const key = futexKey(task.mm, uaddr, shared);
  return key === undefined ? -EFAULT : futexChannel(key);
}

/** futex_wake(): wakes up to `count` waiters, the longest sleeper first. @returns how many */
export function futex_wake(task: Task, uaddr: number, shared: boolean, count: number, bitset: number): number {
  if (bitset === 0) return -EINVAL;
  const channel = get_futex_channel(task, uaddr, shared);
  if (typeof channel === 'number') return channel;
  return wakeChannel(task, channel, count, bitset);
}

function wakeChannel(task: Task, channel: string, count: number, bitset: number): number {
  let woken = 0;
  for (const waiter of task.kernel.sleepers(channel)) {
    if ((bitsetOf(waiter) & bitset) === 0) continue;
    task.kernel.wakeTask(waiter, 'woken');
    if (++woken >= count) break;
  }
  return woken;
}

const bitsetOf = (waiter: Task): number =>
  (waiter.wait?.data as FutexWait | undefined)?.bitset ?? FUTEX_BITSET_MATCH_ANY;

/** futex_requeue(). `expected` undefined: FUTEX_REQUEUE. @returns woken and moved waiters */
export function futex_requeue(
  task: Task,
  from: number,
  to: number,
  shared: boolean,
  wake: number,
  move: number,
  expected: number | undefined,
): number {
  if (wake < 0 || move < 0) return -EINVAL;
  const source = get_futex_channel(task, from, shared);
  if (typeof source === 'number') return source;
  const target = get_futex_channel(task, to, shared);
  if (typeof target === 'number') return target;
  if (expected !== undefined) {
    const value = get_user_u32(task.mm, from);
    if (value === undefined) return -EFAULT;
    if (value !== expected) return -EAGAIN;
  }
  let done = 0;
  for (const waiter of task.kernel.sleepers(source)) {
    if (done < wake) task.kernel.wakeTask(waiter, 'woken');
    else if (done - wake < move) task.kernel.moveSleeper(waiter, source, target);
    else break;
    done++;
  }
  return done;
}

/** futex_wake_op(). */
export function futex_wake_op(
  task: Task,
  uaddr1: number,
  uaddr2: number,
  shared: boolean,
  wake1: number,
  wake2: number,
  op: number,
): number {
  const first = get_futex_channel(task, uaddr1, shared);
  if (typeof first === 'number') return first;
  const second = get_futex_channel(task, uaddr2, shared);
  if (typeof second === 'number') return second;
  const compare = futex_atomic_op_inuser(task, op, uaddr2);
  if (typeof compare === 'number') return compare;
  const woken = wakeChannel(task, first, wake1, FUTEX_BITSET_MATCH_ANY);
  return woken + (compare ? wakeChannel(task, second, wake2, FUTEX_BITSET_MATCH_ANY) : 0);
}

/** futex_atomic_op_inuser(), arch/x86/include/asm/futex.h. */
function futex_atomic_op_inuser(task: Task, encoded: number, uaddr: number): boolean | number {
  const op = (encoded >> 28) & 7;
  const cmp = (encoded >> 24) & 15;
  let oparg = (encoded << 8) >> 20;
  const cmparg = (encoded << 20) >> 20;
  if ((encoded & (FUTEX_OP_OPARG_SHIFT << 28)) !== 0) oparg = 1 << oparg;
  const old = get_user_u32(task.mm, uaddr);
  if (old === undefined) return -EFAULT;
  let next: number;
  switch (op) {
    case FUTEX_OP_SET.SET:
      next = oparg;
      break;
    case FUTEX_OP_SET.ADD:
      next = old + oparg;
      break;
    case FUTEX_OP_SET.OR:
      next = old | oparg;
      break;
    case FUTEX_OP_SET.ANDN:
      next = old & ~oparg;
      break;
    case FUTEX_OP_SET.XOR:
      next = old ^ oparg;
      break;
    default:
      return -ENOSYS;
  }
  if (put_user_u32(task.mm, uaddr, next >>> 0)) return -EFAULT;
  const value = old | 0;
  switch (cmp) {
    case FUTEX_OP_CMP.EQ:
      return value === cmparg;
    case FUTEX_OP_CMP.NE:
      return value !== cmparg;
    case FUTEX_OP_CMP.LT:
      return value < cmparg;
    case FUTEX_OP_CMP.GE:
      return value >= cmparg;
    case FUTEX_OP_CMP.LE:
      return value <= cmparg;
    case FUTEX_OP_CMP.GT:
      return value > cmparg;
    default:
      return -ENOSYS;
  }
}

/** handle_futex_death(): the owner died; one waiter is woken. @returns 0, or -1 on a fault */
function handle_futex_death(task: Task, uaddr: number, pi: boolean): number {
  const value = get_user_u32(task.mm, uaddr);
  if (value === undefined || uaddr % 4 !== 0) return -1;
  if ((value & FUTEX_TID_MASK) !== task.pid) return 0;
  if (put_user_u32(task.mm, uaddr, ((value & FUTEX_WAITERS) | FUTEX_OWNER_DIED) >>> 0)) return -1;
  if (!pi && (value & FUTEX_WAITERS) !== 0) futex_wake(task, uaddr, true, 1, FUTEX_BITSET_MATCH_ANY);
  return 0;
}

/** exit_robust_list() and compat_exit_robust_list(): `struct robust_list_head` in words of 8 or 4 bytes. */
export function exit_robust_list(task: Task, head: number, compat: boolean): void {
  const word = compat ? 4 : 8;
  const fetch = (at: number): number | undefined => {
    if (compat) return get_user_u32(task.mm, at);
    const value = get_user_u64(task.mm, at);
    return value === undefined ? undefined : Number(value);
  };
  const first = fetch(head);
  const offsetRaw = fetch(head + word);
  const pendingRaw = fetch(head + 2 * word);
  if (first === undefined || offsetRaw === undefined || pendingRaw === undefined) return;
  const offset = compat ? offsetRaw | 0 : offsetRaw >= 2 ** 63 ? offsetRaw - 2 ** 64 : offsetRaw;
  const entryOf = (raw: number): { at: number; pi: boolean } => ({ at: raw - (raw % 2), pi: raw % 2 === 1 });
  const futexOf = (at: number): number => (compat ? (at + offset + 0x1_0000_0000) % 0x1_0000_0000 : at + offset);
  const pending = entryOf(pendingRaw);
  let entry = entryOf(first);
  for (let left = ROBUST_LIST_LIMIT; entry.at !== head && left > 0; left--) {
    const nextRaw = fetch(entry.at);
    if (entry.at !== pending.at && handle_futex_death(task, futexOf(entry.at), entry.pi)) return;
    if (nextRaw === undefined) return;
    entry = entryOf(nextRaw);
  }
  if (pending.at !== 0) handle_futex_death(task, futexOf(pending.at), pending.pi);
}
