/** getsockopt(2), setsockopt(2): net/socket.c, net/core/sock.c. */
import { EDOM, EFAULT, EINVAL } from '../abi/errno.ts';
import * as S from '../abi/socket.ts';
import type { SocketInode } from '../fs/socket.ts';
import { copy_from_user, copy_to_user, get_user_u32, put_user_u32 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { hasCompatTimes } from '../task/thread-info.ts';
import { viewOf } from './fs-args.ts';

import { sockfd } from './socket-args.ts';

const isTimeout = (level: number, name: number): boolean =>
  level === S.SOL_SOCKET && (name === S.SO_RCVTIMEO || name === S.SO_SNDTIMEO);

/** sock_set_timeout(), a `struct timeval` of longs. */
function setSocketTimeout(task: Task, socket: SocketInode, name: number, value: number, length: number): number {
  const word = hasCompatTimes(task) ? 4 : 8;
  if (length < 2 * word) return -EINVAL;
  const bytes = copy_from_user(task.mm, value, 2 * word);
  if (typeof bytes === 'number') return bytes;
  const view = viewOf(bytes);
  const at = (offset: number): number =>
    word === 4 ? view.getInt32(offset, true) : Number(view.getBigInt64(offset, true));
  const micro = at(word);
  if (micro < 0 || micro >= 1_000_000) return -EDOM;
  // A negative time is none: it ends at once.
  const ns = at(0) < 0 ? 1 : at(0) * 1e9 + micro * 1000;
  if (name === S.SO_RCVTIMEO) socket.receiveTimeout = ns;
  else socket.sendTimeout = ns;
  return 0;
}

export function sys_setsockopt(
  task: Task,
  fd: number,
  level: number,
  name: number,
  value: number,
  length: number,
): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  if (length < 0) return -EINVAL;
  const { socket } = found;
  if (isTimeout(level, name)) return setSocketTimeout(task, socket, name, value, length);
  if (level === S.SOL_SOCKET && name === S.SO_LINGER) {
    if (length < 8) return -EINVAL;
    const bytes = copy_from_user(task.mm, value, 8);
    if (typeof bytes === 'number') return bytes;
    socket.linger = [viewOf(bytes).getInt32(0, true), viewOf(bytes).getInt32(4, true)];
    return 0;
  }
  // IP's options may be a byte long.
  if (level === S.SOL_IP && length >= 1 && length < 4) {
    const byte = copy_from_user(task.mm, value, 1);
    return typeof byte === 'number' ? byte : socket.setOption(level, name, byte[0]!);
  }
  if (length < 4) return level === S.SOL_SOCKET || level === S.SOL_TCP ? -EINVAL : socket.setOption(level, name, 0);
  const word = get_user_u32(task.mm, value);
  return word === undefined ? -EFAULT : socket.setOption(level, name, word | 0);
}

/** The bytes of an option. */
function optionBytes(task: Task, socket: SocketInode, level: number, name: number): Uint8Array | number {
  if (isTimeout(level, name)) {
    const ns = name === S.SO_RCVTIMEO ? socket.receiveTimeout : socket.sendTimeout;
    const parts = [Math.floor(ns / 1e9), Math.floor((ns % 1e9) / 1000)];
    const words = hasCompatTimes(task) ? Int32Array.from(parts) : BigInt64Array.from(parts.map(BigInt));
    return new Uint8Array(words.buffer as ArrayBuffer);
  }
  const words = socket.getOption(level, name);
  return typeof words === 'number' ? words : new Uint8Array(words.buffer as ArrayBuffer);
}

export function sys_getsockopt(
  task: Task,
  fd: number,
  level: number,
  name: number,
  value: number,
  lengthAt: number,
): number {
  const found = sockfd(task, fd);
  if (typeof found === 'number') return found;
  const room = get_user_u32(task.mm, lengthAt);
  if (room === undefined) return -EFAULT;
  if ((room | 0) < 0) return -EINVAL;
  const all = optionBytes(task, found.socket, level, name);
  if (typeof all === 'number') return all;
  const bytes = all.subarray(0, room);
  if (copy_to_user(task.mm, value, bytes) < 0) return -EFAULT;
  return put_user_u32(task.mm, lengthAt, bytes.length);
}
