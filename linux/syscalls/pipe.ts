/** pipe(2), memfd_create(2): fs/pipe.c, mm/shmem.c. */
import { EFAULT, EINVAL } from '../abi/errno.ts';
import {
  F_SEAL_SEAL,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  O_CLOEXEC,
  O_DIRECT,
  O_LARGEFILE,
  O_NONBLOCK,
  O_RDWR,
} from '../abi/fcntl.ts';
import { Dentry } from '../fs/dentry.ts';
import { alloc_file, fput } from '../fs/file.ts';
import { create_pipe_files } from '../fs/pipe.ts';
import { RegularInode } from '../fs/regular.ts';
import { copy_to_user, strncpy_from_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { installFile, vfsOf } from './fs-args.ts';

export function sys_pipe2(task: Task, fildes: number, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) !== 0) return -EINVAL;
  const [read, write] = create_pipe_files(vfsOf(task).pipefs, flags & (O_NONBLOCK | O_DIRECT));
  const cloexec = (flags & O_CLOEXEC) !== 0;
  const first = installFile(task, read, cloexec);
  if (first < 0) {
    fput(read);
    fput(write);
    return first;
  }
  const second = installFile(task, write, cloexec);
  if (second < 0) {
    task.files.close(first);
    fput(write);
    return second;
  }
  if (copy_to_user(task.mm, fildes, new Uint8Array(Int32Array.of(first, second).buffer)) < 0) {
    task.files.close(first);
    task.files.close(second);
    return -EFAULT;
  }
  return 0;
}
export const sys_pipe = (task: Task, fildes: number): number => sys_pipe2(task, fildes, 0);

const MFD_NAME_MAX = 249;

export function sys_memfd_create(task: Task, uname: number, flags: number): number {
  if ((flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) !== 0) return -EINVAL;
  const name = strncpy_from_user(task.mm, uname, MFD_NAME_MAX + 1);
  if (typeof name === 'number') return name === -EFAULT ? name : -EINVAL;
  const inode = new RegularInode(vfsOf(task).shm, 0o777);
  inode.nlink = 0;
  inode.seals = (flags & MFD_ALLOW_SEALING) !== 0 ? 0 : F_SEAL_SEAL;
  const file = alloc_file(new Dentry(`/memfd:${name} (deleted)`, undefined, inode), O_RDWR | O_LARGEFILE);
  const fd = installFile(task, file, (flags & MFD_CLOEXEC) !== 0);
  if (fd < 0) fput(file);
  return fd;
}
