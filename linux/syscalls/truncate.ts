/** The sizes of files: fs/open.c. */
import { EBADF, EINVAL, EISDIR, ENODEV, EPERM, ESPIPE } from '../abi/errno.ts';
import * as F from '../abi/fcntl.ts';
import { inode_permission, MAY_WRITE } from '../fs/inode.ts';
import { fsnotify, IN_MODIFY } from '../fs/inotify.ts';
import { RegularInode } from '../fs/regular.ts';
import type { Task } from '../task/task.ts';
import { loff } from './file.ts';
import { fdget, user_path_at, vfsOf } from './fs-args.ts';

export function sys_ftruncate(task: Task, fd: number, length: number): number {
  if (length < 0 || length >= 2 ** 63) return -EINVAL;
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  if (!file.inode.isReg() || !file.writable) return -EINVAL;
  const sealed = file.inode instanceof RegularInode ? (file.inode.seals ?? 0) : 0;
  if (length < file.inode.size && (sealed & F.F_SEAL_SHRINK) !== 0) return -EPERM;
  if (length > file.inode.size && (sealed & F.F_SEAL_GROW) !== 0) return -EPERM;
  const failed = file.inode.truncate(length);
  if (failed === 0) fsnotify(file.dentry, IN_MODIFY);
  return failed;
}
export function sys_truncate(task: Task, path: number, length: number): number {
  if (length < 0 || length >= 2 ** 63) return -EINVAL;
  const dentry = user_path_at(task, F.AT_FDCWD, path);
  if (typeof dentry === 'number') return dentry;
  if (dentry.inode.isDir()) return -EISDIR;
  if (!dentry.inode.isReg()) return -EINVAL;
  const error = inode_permission(task.cred, dentry.inode, MAY_WRITE);
  if (error < 0) return error;
  const failed = dentry.inode.truncate(length);
  if (failed === 0) {
    fsnotify(dentry, IN_MODIFY);
    vfsOf(task).flushDentry(dentry);
  }
  return failed;
}
export const sys32_truncate64 = (task: Task, path: number, low: number, high: number): number =>
  sys_truncate(task, path, loff(low, high));
export const sys32_ftruncate64 = (task: Task, fd: number, low: number, high: number): number =>
  sys_ftruncate(task, fd, loff(low, high));

/** do_fallocate(), fs/open.c: room costs nothing here, so only sizes and holes change. */
export function sys_fallocate(task: Task, fd: number, mode: number, offset: number, length: number): number {
  if (offset < 0 || length <= 0) return -EINVAL;
  const file = fdget(task, fd);
  if (file === undefined || !file.writable) return -EBADF;
  const { inode } = file;
  if (inode.isFifo()) return -ESPIPE;
  if (!(inode instanceof RegularInode)) return -ENODEV;
  if ((mode & (F.FALLOC_FL_PUNCH_HOLE | F.FALLOC_FL_ZERO_RANGE)) !== 0) {
    inode.content.zeroRange(offset, length);
    inode.upper = true;
    inode.unflushed = true;
  }
  if ((mode & F.FALLOC_FL_KEEP_SIZE) === 0 && offset + length > inode.size) return inode.truncate(offset + length);
  return 0;
}
export const sys32_fallocate = (
  task: Task,
  fd: number,
  mode: number,
  ol: number,
  oh: number,
  ll: number,
  lh: number,
): number => sys_fallocate(task, fd, mode, loff(ol, oh), loff(ll, lh));
