import { O_CLOEXEC } from '../../abi/fcntl.ts';
import type { Task } from '../../task/task.ts';

/** seq_show(), fs/proc/fd.c. */
export function fdinfo(task: Task, fd: number): string {
  const file = task.files.get(fd);
  if (file === undefined) return '';
  const flags = (file.flags & ~O_CLOEXEC) | (task.files.cloexec(fd) ? O_CLOEXEC : 0);
  const mnt = file.inode.sb.fsType === 'overlay' ? 20 : Number(file.inode.sb.dev);
  return `pos:\t${file.pos}\nflags:\t0${flags.toString(8)}\nmnt_id:\t${mnt}\n${file.inode.fdinfo(file)}`;
}
