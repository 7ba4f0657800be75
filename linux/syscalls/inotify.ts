/** inotify(7): fs/notify/inotify/inotify_user.c. */
import { EBADF, EINVAL, ENOSPC, ENOTDIR } from '../abi/errno.ts';
import { AT_FDCWD, O_CLOEXEC, O_NONBLOCK } from '../abi/fcntl.ts';
import { inode_permission, MAY_READ } from '../fs/inode.ts';
import { IN_ALL_EVENTS, IN_DONT_FOLLOW, IN_ONLYDIR, InotifyInode, MAX_WATCHES } from '../fs/inotify.ts';
import type { Task } from '../task/task.ts';
import { anonInodeFd } from './eventfd.ts';
import { fdget, user_path_at, vfsOf } from './fs-args.ts';

export function sys_inotify_init1(task: Task, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
  return anonInodeFd(task, 'inotify', new InotifyInode(vfsOf(task).anon, 0o600), flags);
}
export const sys_inotify_init = (task: Task): number => sys_inotify_init1(task, 0);

function groupOf(task: Task, fd: number): InotifyInode | number {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  return file.inode instanceof InotifyInode ? file.inode : -EINVAL;
}

export function sys_inotify_add_watch(task: Task, fd: number, path: number, mask: number): number {
  if ((mask & IN_ALL_EVENTS) === 0) return -EINVAL;
  const group = groupOf(task, fd);
  if (typeof group === 'number') return group;
  const dentry = user_path_at(task, AT_FDCWD, path, { follow: (mask & IN_DONT_FOLLOW) === 0 });
  if (typeof dentry === 'number') return dentry;
  if ((mask & IN_ONLYDIR) !== 0 && !dentry.inode.isDir()) return -ENOTDIR;
  const error = inode_permission(task.cred, dentry.inode, MAY_READ);
  if (error < 0) return error;
  if (vfsOf(task).watches >= MAX_WATCHES) return -ENOSPC;
  return group.watch(dentry.inode, mask);
}

export function sys_inotify_rm_watch(task: Task, fd: number, wd: number): number {
  const group = groupOf(task, fd);
  if (typeof group === 'number') return group;
  const mark = group.watches.get(wd);
  if (mark === undefined) return -EINVAL;
  group.unwatch(mark);
  return 0;
}
