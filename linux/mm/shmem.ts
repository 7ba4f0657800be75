import { O_RDWR } from '../abi/fcntl.ts';
import { Dentry } from '../fs/dentry.ts';
import { alloc_file, type File } from '../fs/file.ts';
import { RegularInode } from '../fs/regular.ts';
import type { Task } from '../task/task.ts';

/** shmem_zero_setup(), mm/shmem.c: the file of a shared anonymous mapping. */
export function shmem_zero_setup(task: Task, size: number): File | number {
  const inode = new RegularInode(task.kernel.vfs.shm, 0o777);
  inode.nlink = 0;
  const error = inode.truncate(size);
  if (error < 0) return error;
  return alloc_file(new Dentry('/dev/zero (deleted)', undefined, inode), O_RDWR);
}
