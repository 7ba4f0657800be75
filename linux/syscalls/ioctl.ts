/** ioctl(2): fs/ioctl.c, fs/compat_ioctl.c. The structures used here are the same in both ABIs. */
import { EBADF, EFAULT, ENOTTY } from '../abi/errno.ts';
import { O_ASYNC, O_NONBLOCK, O_PATH } from '../abi/fcntl.ts';
import { FIGETBSZ, FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD, FIOQSIZE } from '../abi/ioctl.ts';
import { get_user_u32, put_user_u32, put_user_u64 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { fdget } from './fs-args.ts';

export function sys_ioctl(task: Task, fd: number, cmd: number, arg: number): number {
  const file = fdget(task, fd);
  if (file === undefined || (file.flags & O_PATH) !== 0) return -EBADF;
  const { inode } = file;
  switch (cmd) {
    case FIOCLEX:
    case FIONCLEX:
      task.files.setCloexec(fd, cmd === FIOCLEX);
      return 0;
    case FIONBIO:
    case FIOASYNC: {
      const on = get_user_u32(task.mm, arg);
      if (on === undefined) return -EFAULT;
      const bit = cmd === FIONBIO ? O_NONBLOCK : O_ASYNC;
      file.flags = on !== 0 ? file.flags | bit : file.flags & ~bit;
      return 0;
    }
    case FIONREAD: {
      const bytes = inode.available(file);
      return bytes === undefined ? inode.ioctl(task, file, cmd, arg) : put_user_u32(task.mm, arg, bytes);
    }
    case FIGETBSZ:
      return put_user_u32(task.mm, arg, 4096);
    case FIOQSIZE:
      return inode.isReg() || inode.isDir() ? put_user_u64(task.mm, arg, inode.size) : -ENOTTY;
    default:
      return inode.ioctl(task, file, cmd, arg);
  }
}
export const compat_sys_ioctl = sys_ioctl;
