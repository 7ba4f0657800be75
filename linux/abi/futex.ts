/** include/uapi/linux/futex.h. */
import { struct } from './struct.ts';

export const FUTEX_WAIT = 0,
  FUTEX_WAKE = 1,
  FUTEX_FD = 2,
  FUTEX_REQUEUE = 3,
  FUTEX_CMP_REQUEUE = 4,
  FUTEX_WAKE_OP = 5;
export const FUTEX_LOCK_PI = 6,
  FUTEX_UNLOCK_PI = 7,
  FUTEX_TRYLOCK_PI = 8,
  FUTEX_WAIT_BITSET = 9,
  FUTEX_WAKE_BITSET = 10;
export const FUTEX_PRIVATE_FLAG = 128,
  FUTEX_CLOCK_REALTIME = 256;
export const FUTEX_BITSET_MATCH_ANY = -1;

/** Word bits of robust and PI futexes. */
export const FUTEX_WAITERS = 0x8000_0000,
  FUTEX_OWNER_DIED = 0x4000_0000,
  FUTEX_TID_MASK = 0x3fff_ffff;
export const ROBUST_LIST_LIMIT = 2048;

/** FUTEX_OP_*: the operation, and the comparison, of FUTEX_WAKE_OP. */
export const FUTEX_OP_SET = { SET: 0, ADD: 1, OR: 2, ANDN: 3, XOR: 4 } as const;
export const FUTEX_OP_CMP = { EQ: 0, NE: 1, LT: 2, LE: 3, GT: 4, GE: 5 } as const;
export const FUTEX_OP_OPARG_SHIFT = 8;

export const robust_list_head = struct('robust_list_head', [
  ['list', 'u64'],
  ['futex_offset', 'i64'],
  ['list_op_pending', 'u64'],
]);
export const compat_robust_list_head = struct('compat_robust_list_head', [
  ['list', 'u32'],
  ['futex_offset', 'i32'],
  ['list_op_pending', 'u32'],
]);
