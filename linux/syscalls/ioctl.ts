/** ioctl(2): fs/ioctl.c, fs/compat_ioctl.c. The structures used here are the same in both ABIs. */
import { EBADF, EFAULT, ENOTTY } from '../abi/errno.ts';
import { O_ASYNC, O_NONBLOCK, O_PATH } from '../abi/fcntl.ts';
import {
  FIGETBSZ,
  FIOASYNC,
  FIOCLEX,
  FIOGETOWN,
  FIONBIO,
  FIONCLEX,
  FIONREAD,
  FIOQSIZE,
  FIOSETOWN,
  SIOCGPGRP,
  SIOCSPGRP,
} from '../abi/ioctl.ts';
import { SocketInode } from '../fs/socket.ts';
import { get_user_u32, put_user_u32, put_user_u64 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { f_getown, f_setown, setAsync } from './file-owner.ts';
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
    case FIONBIO: {
      const on = get_user_u32(task.mm, arg);
      if (on === undefined) return -EFAULT;
      file.flags = on !== 0 ? file.flags | O_NONBLOCK : file.flags & ~O_NONBLOCK;
      return 0;
    }
    case FIOASYNC: {
      const on = get_user_u32(task.mm, arg);
      if (on === undefined) return -EFAULT;
      // Nothing is asked of a file that has it, or has it not, already.
      const changes = (on !== 0) !== ((file.flags & O_ASYNC) !== 0);
      return changes && !setAsync(task, file, fd, on !== 0) ? -ENOTTY : 0;
    }
    case FIOSETOWN:
    case SIOCSPGRP: {
      if (!(inode instanceof SocketInode)) return inode.ioctl(task, file, cmd, arg);
      const who = get_user_u32(task.mm, arg);
      if (who === undefined) return -EFAULT;
      f_setown(task, file, who | 0);
      return 0;
    }
    case FIOGETOWN:
    case SIOCGPGRP:
      if (!(inode instanceof SocketInode)) return inode.ioctl(task, file, cmd, arg);
      return put_user_u32(task.mm, arg, f_getown(file) >>> 0);
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
