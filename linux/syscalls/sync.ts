/** Files to disk, and advice about them: fs/sync.c, mm/fadvise.c. */
import { EBADF, EINVAL, ESPIPE } from '../abi/errno.ts';
import { UpperError } from '../fs/upper.ts';
import type { Task } from '../task/task.ts';
import { fdget, vfsOf } from './fs-args.ts';

export function sys_fsync(task: Task, fd: number): number {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  if (!file.inode.isReg() && !file.inode.isDir()) return -EINVAL;
  return file.inode.flush(file);
}
export function sys_sync(task: Task): number {
  try {
    vfsOf(task).sync();
  } catch (error) {
    if (!(error instanceof UpperError)) throw error;
    task.kernel.log.warn(error.message);
  }
  return 0;
}
export const sys_syncfs = (task: Task, fd: number): number => (fdget(task, fd) === undefined ? -EBADF : sys_sync(task));
export const sys_sync_file_range = (task: Task, fd: number): number => (fdget(task, fd) === undefined ? -EBADF : 0);
/** fadvise64(2), readahead(2): advice only. */
export function sys_fadvise64(task: Task, fd: number): number {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  return file.inode.isFifo() ? -ESPIPE : 0;
}
export const sys_readahead = sys_fadvise64;
