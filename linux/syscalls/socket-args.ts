/** What the system calls of sockets share: descriptors, addresses in user memory, waits; net/socket.c. */
import { EAGAIN, EBADF, EFAULT, EINTR, EINVAL, ENOTSOCK, ERESTARTSYS } from '../abi/errno.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import type { File } from '../fs/file.ts';
import { NO_ADDRESS, type SocketCred, SocketInode } from '../fs/socket.ts';
import { copy_from_user, copy_to_user, get_user_u32, put_user_u32 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { fdget } from './fs-args.ts';

export const credOf = (task: Task): SocketCred => ({ pid: task.tgid, uid: task.cred.euid, gid: task.cred.egid });

/** sockfd_lookup_light() */
export function sockfd(task: Task, fd: number): { file: File; socket: SocketInode } | number {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  return file.inode instanceof SocketInode ? { file, socket: file.inode } : -ENOTSOCK;
}

const SOCKADDR_STORAGE = 128;

/** move_addr_to_kernel() */
export function readAddress(task: Task, address: number, length: number): Uint8Array | number {
  if (length < 0 || length > SOCKADDR_STORAGE) return -EINVAL;
  if (length === 0) return NO_ADDRESS;
  const bytes = copy_from_user(task.mm, address, length);
  return typeof bytes === 'number' ? bytes : bytes.slice();
}

/** move_addr_to_user() */
export function putAddress(task: Task, bytes: Uint8Array, address: number, lengthAt: number): number {
  const room = get_user_u32(task.mm, lengthAt);
  if (room === undefined) return -EFAULT;
  if ((room | 0) < 0) return -EINVAL;
  if (copy_to_user(task.mm, address, bytes.subarray(0, room)) < 0) return -EFAULT;
  return put_user_u32(task.mm, lengthAt, bytes.length);
}

/** sock_rcvtimeo(), sock_sndtimeo(): the call waits on a channel, with the deadline that it began with. */
export function waitFor(task: Task, channel: string, timeout: number, data?: object): SysResult {
  const { wait, kernel } = task;
  if (wait?.reason === 'timeout') return -EAGAIN;
  if (wait?.reason === 'signal') return timeout === 0 ? -ERESTARTSYS : -EINTR;
  const deadline = timeout === 0 ? undefined : (wait?.deadline ?? kernel.now() + timeout);
  return block(task, { channels: [channel], ...(deadline !== undefined && { deadline }), ...(data && { data }) });
}
