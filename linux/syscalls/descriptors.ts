/** dup and fcntl: fs/file.c, fs/fcntl.c. */
import { EBADF, EINVAL, EPERM } from '../abi/errno.ts';
import * as F from '../abi/fcntl.ts';
import type { SysResult } from '../entry/syscall-row.ts';
import { fcntl_dirnotify } from '../fs/dnotify.ts';
import { type File, get_file } from '../fs/file.ts';
import { FifoInode } from '../fs/pipe.ts';
import { RegularInode } from '../fs/regular.ts';
import { copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { f_getown, f_getown_ex, f_setown, f_setown_ex, setAsync } from './file-owner.ts';
import { fdget_raw, installFile, rlimitNofile } from './fs-args.ts';

import { COMPAT_FLOCK, COMPAT_FLOCK64, FLOCK64, type FlockLayout, fcntl_lock } from './locks.ts';

export function sys_dup(task: Task, fd: number): number {
  const file = fdget_raw(task, fd);
  return file === undefined ? -EBADF : installFile(task, get_file(file), false);
}

export function sys_dup3(task: Task, from: number, to: number, flags: number): number {
  if ((flags & ~F.O_CLOEXEC) !== 0 || from === to) return -EINVAL;
  if (to < 0 || to >= rlimitNofile(task)) return -EBADF;
  const file = fdget_raw(task, from);
  if (file === undefined) return -EBADF;
  task.files.installAt(to, get_file(file), (flags & F.O_CLOEXEC) !== 0);
  return to;
}

export function sys_dup2(task: Task, from: number, to: number): number {
  if (from === to) return fdget_raw(task, from) === undefined ? -EBADF : to;
  return sys_dup3(task, from, to, 0);
}

const SETFL = F.O_APPEND | F.O_NONBLOCK | F.O_DIRECT | F.O_NOATIME;

/** do_fcntl(), fs/fcntl.c. */
function do_fcntl(task: Task, fd: number, cmd: number, arg: number, flock: FlockLayout): SysResult {
  const file = fdget_raw(task, fd);
  if (file === undefined) return -EBADF;
  const pathOnly = (file.flags & F.O_PATH) !== 0;
  if (pathOnly && ![F.F_DUPFD, F.F_DUPFD_CLOEXEC, F.F_GETFD, F.F_SETFD, F.F_GETFL].includes(cmd)) return -EBADF;
  switch (cmd) {
    case F.F_DUPFD:
    case F.F_DUPFD_CLOEXEC:
      if (arg < 0 || arg >= rlimitNofile(task)) return -EINVAL;
      return installFile(task, get_file(file), cmd === F.F_DUPFD_CLOEXEC, arg);
    case F.F_GETFD:
      return task.files.cloexec(fd) ? F.FD_CLOEXEC : 0;
    case F.F_SETFD:
      task.files.setCloexec(fd, (arg & F.FD_CLOEXEC) !== 0);
      return 0;
    case F.F_GETFL:
      return file.flags;
    case F.F_SETFL:
      file.flags = (file.flags & ~SETFL) | (arg & SETFL);
      setAsync(task, file, fd, (arg & F.O_ASYNC) !== 0);
      return 0;
    case F.F_GETLK:
    case F.F_SETLK:
    case F.F_SETLKW:
    case F.F_OFD_GETLK:
    case F.F_OFD_SETLK:
    case F.F_OFD_SETLKW:
      return fcntl_lock(task, file, cmd, arg, flock);
    case F.F_GETOWN:
      return f_getown(file);
    case F.F_SETOWN:
      f_setown(task, file, arg | 0);
      return 0;
    case F.F_GETOWN_EX:
      return f_getown_ex(task, file, arg);
    case F.F_SETOWN_EX:
      return f_setown_ex(task, file, arg);
    case F.F_GETOWNER_UIDS:
      return copy_to_user(task.mm, arg, new Uint8Array(Uint32Array.of(file.owner.uid, file.owner.euid).buffer));
    case F.F_NOTIFY: {
      const watched = fcntl_dirnotify(file, task.files, fd, arg);
      // __f_setown() without force.
      if (watched === 0 && file.owner.pid === 0 && file.inode.dnotify.length > 0) f_setown(task, file, task.pid);
      return watched;
    }
    case F.F_GETSIG:
      return file.ownerSignal;
    case F.F_SETSIG:
      if (arg < 0 || arg > 64) return -EINVAL;
      file.ownerSignal = arg;
      return 0;
    case F.F_GETLEASE:
      return F.F_UNLCK;
    case F.F_SETPIPE_SZ:
      return file.inode instanceof FifoInode ? file.inode.setCapacity(arg) : -EBADF;
    case F.F_GETPIPE_SZ:
      return file.inode instanceof FifoInode ? file.inode.capacity : -EBADF;
    case F.F_ADD_SEALS:
      return addSeals(file, arg);
    case F.F_GET_SEALS:
      return file.inode instanceof RegularInode ? (file.inode.seals ?? -EINVAL) : -EINVAL;
    default:
      return -EINVAL;
  }
}

/** shmem_add_seals(), mm/shmem.c. */
function addSeals(file: File, seals: number): number {
  const { inode } = file;
  if (!(inode instanceof RegularInode) || inode.seals === undefined || (seals & ~15) !== 0) return -EINVAL;
  if (!file.writable || (inode.seals & F.F_SEAL_SEAL) !== 0) return -EPERM;
  inode.seals |= seals;
  return 0;
}

export const sys_fcntl = (task: Task, fd: number, cmd: number, arg: number): SysResult =>
  do_fcntl(task, fd, cmd, arg, FLOCK64);

/** compat_sys_fcntl64(), fs/compat.c; compat_sys_fcntl() refuses the 64-bit locks. */
export function compat_sys_fcntl64(task: Task, fd: number, cmd: number, arg: number): SysResult {
  const wide = cmd >= F.F_GETLK64 && cmd <= F.F_SETLKW64;
  if (wide) return do_fcntl(task, fd, cmd - F.F_GETLK64 + F.F_GETLK, arg, COMPAT_FLOCK64);
  const ofd = cmd >= F.F_OFD_GETLK && cmd <= F.F_OFD_SETLKW;
  return do_fcntl(task, fd, cmd, arg, ofd ? COMPAT_FLOCK64 : COMPAT_FLOCK);
}
export function compat_sys_fcntl(task: Task, fd: number, cmd: number, arg: number): SysResult {
  const wide = (cmd >= F.F_GETLK64 && cmd <= F.F_SETLKW64) || (cmd >= F.F_OFD_GETLK && cmd <= F.F_OFD_SETLKW);
  return wide ? -EINVAL : compat_sys_fcntl64(task, fd, cmd, arg);
}
