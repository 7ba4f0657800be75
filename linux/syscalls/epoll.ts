/** epoll(7): fs/eventpoll.c. `struct epoll_event` is packed in both ABIs, so they share all calls. */
import { EBADF, EFAULT, EINTR, EINVAL } from '../abi/errno.ts';
import { O_CLOEXEC } from '../abi/fcntl.ts';
import { EPOLL_CTL_DEL, EPOLL_EVENT_SIZE } from '../abi/poll.ts';
import { BLOCKED, block, type SysResult } from '../entry/syscall-row.ts';
import { EpollInode, earliest } from '../fs/epoll.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { anonInodeFd } from './eventfd.ts';
import { fdget, vfsOf, viewOf } from './fs-args.ts';
import { restoreSigmask, swapSigmask } from './poll.ts';

export function sys_epoll_create1(task: Task, flags: number): number {
  if ((flags & ~O_CLOEXEC) !== 0) return -EINVAL;
  return anonInodeFd(task, '[eventpoll]', new EpollInode(vfsOf(task).anon), flags);
}
export const sys_epoll_create = (task: Task, size: number): number =>
  size <= 0 ? -EINVAL : sys_epoll_create1(task, 0);

export function sys_epoll_ctl(task: Task, epfd: number, op: number, fd: number, address: number): number {
  let event = { events: 0, data: 0n };
  if (op !== EPOLL_CTL_DEL) {
    const bytes = copy_from_user(task.mm, address, EPOLL_EVENT_SIZE);
    if (typeof bytes === 'number') return bytes;
    event = { events: viewOf(bytes).getUint32(0, true), data: viewOf(bytes).getBigUint64(4, true) };
  }
  const epoll = fdget(task, epfd);
  const file = fdget(task, fd);
  if (epoll === undefined || file === undefined) return -EBADF;
  if (!(epoll.inode instanceof EpollInode)) return -EINVAL;
  return epoll.inode.ctl(op, fd, file, event);
}

const MAX_EVENTS = Math.floor(0x7fffffff / EPOLL_EVENT_SIZE);

export function sys_epoll_wait(task: Task, epfd: number, events: number, max: number, timeoutMs: number): SysResult {
  if (max <= 0 || max > MAX_EVENTS) return -EINVAL;
  const file = fdget(task, epfd);
  if (file === undefined) return -EBADF;
  if (!(file.inode instanceof EpollInode)) return -EINVAL;
  const ready = file.inode.collect(max);
  if (ready.length > 0) {
    const bytes = new Uint8Array(ready.length * EPOLL_EVENT_SIZE);
    const view = viewOf(bytes);
    ready.forEach((event, i) => {
      view.setUint32(i * EPOLL_EVENT_SIZE, event.events, true);
      view.setBigUint64(i * EPOLL_EVENT_SIZE + 4, event.data, true);
    });
    return copy_to_user(task.mm, events, bytes) < 0 ? -EFAULT : ready.length;
  }
  const first = task.wait === undefined;
  const data = task.wait?.data as { deadline: number | undefined } | undefined;
  const deadline = first ? (timeoutMs < 0 ? undefined : task.kernel.now() + timeoutMs * 1e6) : data?.deadline;
  if (timeoutMs === 0 || (task.wait?.reason === 'timeout' && task.wait.deadline === deadline)) return 0;
  if (task.wait?.reason === 'signal' || task.sigPending) return -EINTR;
  const event = earliest([deadline, file.inode.nextEvent()]);
  return block(task, { channels: [...new Set(file.inode.channels())], deadline: event, data: { deadline } });
}

export function sys_epoll_pwait(
  task: Task,
  epfd: number,
  events: number,
  max: number,
  timeoutMs: number,
  mask: number,
  size: number,
): SysResult {
  const error = swapSigmask(task, mask, size);
  if (error < 0) return error;
  const result = sys_epoll_wait(task, epfd, events, max, timeoutMs);
  if (result !== BLOCKED) restoreSigmask(task, mask, result === -EINTR);
  return result;
}
