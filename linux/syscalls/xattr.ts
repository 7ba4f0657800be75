/**
 * Extended attributes: fs/xattr.c.
 * Not modelled: storing them; every file has none.
 */
import { EBADF, ENODATA, EOPNOTSUPP } from '../abi/errno.ts';
import { AT_FDCWD } from '../abi/fcntl.ts';
import type { Task } from '../task/task.ts';
import { fdget, user_path_at } from './fs-args.ts';

type Call = (task: Task, object: number) => number;

/** The answer for an existing object. */
const byPath =
  (answer: number, follow: boolean): Call =>
  (task, path) => {
    const dentry = user_path_at(task, AT_FDCWD, path, { follow });
    return typeof dentry === 'number' ? dentry : answer;
  };
const byFd =
  (answer: number): Call =>
  (task, fd) =>
    fdget(task, fd) === undefined ? -EBADF : answer;

export const sys_setxattr = byPath(-EOPNOTSUPP, true);
export const sys_lsetxattr = byPath(-EOPNOTSUPP, false);
export const sys_fsetxattr = byFd(-EOPNOTSUPP);
export const sys_getxattr = byPath(-ENODATA, true);
export const sys_lgetxattr = byPath(-ENODATA, false);
export const sys_fgetxattr = byFd(-ENODATA);
export const sys_listxattr = byPath(0, true);
export const sys_llistxattr = byPath(0, false);
export const sys_flistxattr = byFd(0);
export const sys_removexattr = byPath(-ENODATA, true);
export const sys_lremovexattr = byPath(-ENODATA, false);
export const sys_fremovexattr = byFd(-ENODATA);
