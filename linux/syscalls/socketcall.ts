/** socketcall(2), the one call of 32-bit sockets: net/compat.c. */
import { EINVAL } from '../abi/errno.ts';
import type { SysResult } from '../entry/syscall-row.ts';
import { copy_from_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { viewOf } from './fs-args.ts';
import {
  sys_accept,
  sys_accept4,
  sys_bind,
  sys_connect,
  sys_getpeername,
  sys_getsockname,
  sys_listen,
  sys_shutdown,
  sys_socket,
  sys_socketpair,
} from './socket.ts';
import {
  compat_sys_recvmsg,
  compat_sys_sendmsg,
  sys_recv,
  sys_recvfrom,
  sys_recvmmsg,
  sys_send,
  sys_sendmmsg,
  sys_sendto,
} from './socket-message.ts';
import { sys_getsockopt, sys_setsockopt } from './socket-options.ts';

type Call = (task: Task, ...args: number[]) => SysResult;
/** Number of arguments and function of each SYS_*, include/uapi/linux/net.h. */
const CALLS: readonly (readonly [number, Call] | undefined)[] = [
  undefined,
  [3, sys_socket as Call],
  [3, sys_bind as Call],
  [3, sys_connect as Call],
  [2, sys_listen as Call],
  [3, sys_accept as Call],
  [3, sys_getsockname as Call],
  [3, sys_getpeername as Call],
  [4, sys_socketpair as Call],
  [4, sys_send as Call],
  [4, sys_recv as Call],
  [6, sys_sendto as Call],
  [6, sys_recvfrom as Call],
  [2, sys_shutdown as Call],
  [5, sys_setsockopt as Call],
  [5, sys_getsockopt as Call],
  [3, compat_sys_sendmsg as Call],
  [3, compat_sys_recvmsg as Call],
  [4, sys_accept4 as Call],
  [5, sys_recvmmsg as Call],
  [4, sys_sendmmsg as Call],
];

/** compat_sys_socketcall(), net/compat.c: the arguments stand in user memory. */
export function compat_sys_socketcall(task: Task, call: number, args: number): SysResult {
  const row = CALLS[call];
  if (row === undefined) return -EINVAL;
  const bytes = copy_from_user(task.mm, args, row[0] * 4);
  if (typeof bytes === 'number') return bytes;
  const view = viewOf(bytes);
  const words = Array.from({ length: row[0] }, (_, i) => view.getUint32(i * 4, true));
  words[0] = words[0]! | 0;
  return row[1](task, ...words);
}
