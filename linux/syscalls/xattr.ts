/**
 * Extended attributes: fs/xattr.c.
 * Not modelled: those that the host's files have; what the guest sets stays in memory, `--upper` does not keep it.
 */
import { E2BIG, EBADF, EFAULT, EINVAL, ERANGE } from '../abi/errno.ts';
import { AT_FDCWD } from '../abi/fcntl.ts';
import { encodeName } from '../abi/names.ts';
import type { Dentry } from '../fs/dentry.ts';
import { fsnotify, IN_ATTRIB } from '../fs/inotify.ts';
import {
  vfs_getxattr,
  vfs_listxattr,
  vfs_removexattr,
  vfs_setxattr,
  XATTR_CREATE,
  XATTR_NAME_MAX,
  XATTR_REPLACE,
  XATTR_SIZE_MAX,
} from '../fs/xattr.ts';
import { copy_from_user, copy_to_user, strncpy_from_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { fdget, user_path_at } from './fs-args.ts';

/** How a call names its object: by path, by the link itself, by descriptor. */
type Find = (task: Task, object: number) => Dentry | number;
const byPath: Find = (task, path) => user_path_at(task, AT_FDCWD, path);
const byLink: Find = (task, path) => user_path_at(task, AT_FDCWD, path, { follow: false });
const byFd: Find = (task, fd) => fdget(task, fd)?.dentry ?? -EBADF;

function attributeName(task: Task, address: number): string | number {
  const name = strncpy_from_user(task.mm, address, XATTR_NAME_MAX + 1);
  if (typeof name === 'number') return name === -EFAULT ? name : -ERANGE;
  return name === '' ? -ERANGE : name;
}

const setxattr =
  (find: Find) =>
  (task: Task, object: number, nameAt: number, valueAt: number, size: number, flags: number): number => {
    const dentry = find(task, object);
    if (typeof dentry === 'number') return dentry;
    if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EINVAL;
    const name = attributeName(task, nameAt);
    if (typeof name === 'number') return name;
    if (size > XATTR_SIZE_MAX) return -E2BIG;
    const value = copy_from_user(task.mm, valueAt, size);
    if (typeof value === 'number') return value;
    const result = vfs_setxattr(task.cred, dentry.inode, name, value.slice(), flags);
    if (result === 0) fsnotify(dentry, IN_ATTRIB);
    return result;
  };

/** A size of 0 asks how much there is. */
function answer(task: Task, at: number, size: number, bytes: Uint8Array): number {
  if (size === 0) return bytes.length;
  if (bytes.length > size) return -ERANGE;
  return copy_to_user(task.mm, at, bytes) < 0 ? -EFAULT : bytes.length;
}

const getxattr =
  (find: Find) =>
  (task: Task, object: number, nameAt: number, at: number, size: number): number => {
    const dentry = find(task, object);
    if (typeof dentry === 'number') return dentry;
    const name = attributeName(task, nameAt);
    if (typeof name === 'number') return name;
    const value = vfs_getxattr(task.cred, dentry.inode, name);
    return typeof value === 'number' ? value : answer(task, at, size, value);
  };

const listxattr =
  (find: Find) =>
  (task: Task, object: number, at: number, size: number): number => {
    const dentry = find(task, object);
    if (typeof dentry === 'number') return dentry;
    const names = vfs_listxattr(task.cred, dentry.inode);
    return answer(task, at, size, encodeName(names.map((name) => `${name}\0`).join('')));
  };

const removexattr =
  (find: Find) =>
  (task: Task, object: number, nameAt: number): number => {
    const dentry = find(task, object);
    if (typeof dentry === 'number') return dentry;
    const name = attributeName(task, nameAt);
    if (typeof name === 'number') return name;
    const result = vfs_removexattr(task.cred, dentry.inode, name);
    if (result === 0) fsnotify(dentry, IN_ATTRIB);
    return result;
  };

export const sys_setxattr = setxattr(byPath);
export const sys_lsetxattr = setxattr(byLink);
export const sys_fsetxattr = setxattr(byFd);
export const sys_getxattr = getxattr(byPath);
export const sys_lgetxattr = getxattr(byLink);
export const sys_fgetxattr = getxattr(byFd);
export const sys_listxattr = listxattr(byPath);
export const sys_llistxattr = listxattr(byLink);
export const sys_flistxattr = listxattr(byFd);
export const sys_removexattr = removexattr(byPath);
export const sys_lremovexattr = removexattr(byLink);
export const sys_fremovexattr = removexattr(byFd);
