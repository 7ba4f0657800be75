/** eventfd(2): fs/eventfd.c. */
import { EINVAL } from '../abi/errno.ts';
import { O_CLOEXEC, O_NONBLOCK, O_RDWR } from '../abi/fcntl.ts';
import { Dentry } from '../fs/dentry.ts';
import { EventfdInode } from '../fs/eventfd.ts';
import { alloc_file, fput } from '../fs/file.ts';
import type { Inode } from '../fs/inode.ts';
import type { Task } from '../task/task.ts';
import { installFile, vfsOf } from './fs-args.ts';

const EFD_SEMAPHORE = 1;

/** anon_inode_getfd() */
export function anonInodeFd(task: Task, name: string, inode: Inode, flags: number): number {
  const file = alloc_file(new Dentry(`anon_inode:${name}`, undefined, inode), O_RDWR | (flags & O_NONBLOCK));
  const fd = installFile(task, file, (flags & O_CLOEXEC) !== 0);
  if (fd < 0) fput(file);
  return fd;
}

export function sys_eventfd2(task: Task, count: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE)) !== 0) return -EINVAL;
  const inode = new EventfdInode(vfsOf(task).anon, count, (flags & EFD_SEMAPHORE) !== 0);
  return anonInodeFd(task, '[eventfd]', inode, flags);
}
export const sys_eventfd = (task: Task, count: number): number => sys_eventfd2(task, count, 0);
