/** stat, statfs, access, readlink: fs/stat.c, fs/statfs.c, fs/open.c, arch/x86/ia32/sys_ia32.c. */

import { EBADF, EFAULT, EINVAL, ENOSYS, EOVERFLOW } from '../abi/errno.ts';
import { AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW } from '../abi/fcntl.ts';
import { encodeName } from '../abi/names.ts';
import { COMPAT_STAT, OLD_STAT, packStat, STAT, STAT64_IA32 } from '../abi/stat.ts';
import { COMPAT_STATFS, COMPAT_STATFS64, type Kstatfs, packStatfs, STATFS } from '../abi/statfs.ts';
import type { Dentry } from '../fs/dentry.ts';
import { inode_permission } from '../fs/inode.ts';
import { lookupPath } from '../fs/namei.ts';
import { SCRATCH_STAT } from '../mm/scratch.ts';
import { copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { atOptions, contextOf, fdget_raw, getname, startOf, user_path_at } from './fs-args.ts';

type StatLayout = typeof STAT;

/** cp_new_stat(), cp_stat64(), cp_compat_stat(). */
function putStat(task: Task, dentry: Dentry | number, buf: number, layout: StatLayout): number {
  if (typeof dentry === 'number') return dentry;
  const { bytes, view } = task.mm.frames.scratch.zeroed(SCRATCH_STAT, layout.size);
  return packStat(layout, dentry.inode.stat(), view) ? copy_to_user(task.mm, buf, bytes) : -EOVERFLOW;
}

const STAT_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH;

/** vfs_fstatat() */
function fstatat(task: Task, dfd: number, path: number, buf: number, flags: number, layout: StatLayout): number {
  const options = atOptions(flags, AT_SYMLINK_NOFOLLOW, STAT_FLAGS);
  if (typeof options === 'number') return options;
  return putStat(task, user_path_at(task, dfd, path, options), buf, layout);
}
function fstat(task: Task, fd: number, buf: number, layout: StatLayout): number {
  return putStat(task, fdget_raw(task, fd)?.dentry ?? -EBADF, buf, layout);
}

type PathStat = (task: Task, path: number, buf: number) => number;
const stat =
  (layout: StatLayout, flags: number): PathStat =>
  (task, path, buf) =>
    fstatat(task, AT_FDCWD, path, buf, flags, layout);

export const sys_newstat = stat(STAT, 0);
export const sys_newlstat = stat(STAT, AT_SYMLINK_NOFOLLOW);
export const sys_newfstat: PathStat = (task, fd, buf) => fstat(task, fd, buf, STAT);
export const sys_newfstatat = (task: Task, dfd: number, path: number, buf: number, flags: number): number =>
  fstatat(task, dfd, path, buf, flags, STAT);

export const sys32_stat64 = stat(STAT64_IA32, 0);
export const sys32_lstat64 = stat(STAT64_IA32, AT_SYMLINK_NOFOLLOW);
export const sys32_fstat64: PathStat = (task, fd, buf) => fstat(task, fd, buf, STAT64_IA32);
export const sys32_fstatat = (task: Task, dfd: number, path: number, buf: number, flags: number): number =>
  fstatat(task, dfd, path, buf, flags, STAT64_IA32);

export const compat_sys_newstat = stat(COMPAT_STAT, 0);
export const compat_sys_newlstat = stat(COMPAT_STAT, AT_SYMLINK_NOFOLLOW);
export const compat_sys_newfstat: PathStat = (task, fd, buf) => fstat(task, fd, buf, COMPAT_STAT);

export const sys_stat = stat(OLD_STAT, 0);
export const sys_lstat = stat(OLD_STAT, AT_SYMLINK_NOFOLLOW);
export const sys_fstat: PathStat = (task, fd, buf) => fstat(task, fd, buf, OLD_STAT);

// ---- statfs

/** simple_statfs() with room for what guests can write; what they wrote is in use, and the root directory. */
function kstatfs(dentry: Dentry): Kstatfs {
  const { owner } = dentry.inode.sb;
  const disk = dentry.inode.sb.fsType === 'overlay' || dentry.inode.sb.fsType === 'devtmpfs';
  const blocks = disk ? 4194304 : 0;
  const files = disk ? 1048576 : 0;
  const used = (count: number): number => (disk ? count + 1 : 0);
  const type = dentry.inode.sb.magic;
  return {
    type,
    bsize: 4096,
    blocks,
    bfree: Math.max(0, blocks - used(owner.filePages)),
    bavail: Math.max(0, blocks - used(owner.filePages)),
    files,
    ffree: Math.max(0, files - used(owner.inodes)),
    namelen: 255,
    frsize: 4096,
    flags: 0x1020, // ST_VALID | ST_RELATIME
  };
}

type StatfsLayout = typeof STATFS;
function statfsPath(task: Task, path: number, buf: number, layout: StatfsLayout): number {
  const dentry = user_path_at(task, AT_FDCWD, path);
  return typeof dentry === 'number' ? dentry : copy_to_user(task.mm, buf, packStatfs(layout, kstatfs(dentry)));
}
function statfsFd(task: Task, fd: number, buf: number, layout: StatfsLayout): number {
  const file = fdget_raw(task, fd);
  return file === undefined ? -EBADF : copy_to_user(task.mm, buf, packStatfs(layout, kstatfs(file.dentry)));
}
export const sys_statfs = (task: Task, path: number, buf: number): number => statfsPath(task, path, buf, STATFS);
export const sys_fstatfs = (task: Task, fd: number, buf: number): number => statfsFd(task, fd, buf, STATFS);
export const compat_sys_statfs = (task: Task, path: number, buf: number): number =>
  statfsPath(task, path, buf, COMPAT_STATFS);
export const compat_sys_fstatfs = (task: Task, fd: number, buf: number): number =>
  statfsFd(task, fd, buf, COMPAT_STATFS);
/** compat_sys_statfs64(): the size must be the packed one, or with the tail padding of x86-64. */
const goodSize = (size: number): boolean => size === COMPAT_STATFS64.size || size === COMPAT_STATFS64.size + 4;
export const compat_sys_statfs64 = (task: Task, path: number, size: number, buf: number): number =>
  goodSize(size) ? statfsPath(task, path, buf, COMPAT_STATFS64) : -EINVAL;
export const compat_sys_fstatfs64 = (task: Task, fd: number, size: number, buf: number): number =>
  goodSize(size) ? statfsFd(task, fd, buf, COMPAT_STATFS64) : -EINVAL;
export const sys_ustat = (): number => -ENOSYS;

// ---- access and links

/** sys_faccessat(): by the real ids, not the effective ones. */
export function sys_faccessat(task: Task, dfd: number, path: number, mode: number): number {
  if ((mode & ~7) !== 0) return -EINVAL;
  const name = getname(task, path);
  if (typeof name === 'number') return name;
  const start = startOf(task, dfd, name);
  if (typeof start === 'number') return start;
  const { uid, gid, groups } = task.cred;
  const cred = { fsuid: uid, fsgid: gid, groups };
  const dentry = lookupPath({ ...contextOf(task), cred }, name, {}, start);
  if (typeof dentry === 'number') return dentry;
  return mode === 0 ? 0 : inode_permission(cred, dentry.inode, mode);
}
export const sys_access = (task: Task, path: number, mode: number): number => sys_faccessat(task, AT_FDCWD, path, mode);

export function sys_readlinkat(task: Task, dfd: number, path: number, buf: number, size: number): number {
  if ((size | 0) <= 0) return -EINVAL;
  const dentry = user_path_at(task, dfd, path, { follow: false, empty: true });
  if (typeof dentry === 'number') return dentry;
  const { inode } = dentry;
  const target = inode.readlink();
  if (typeof target === 'number') return target;
  inode.touchAtime();
  const bytes = encodeName(target).subarray(0, size);
  return copy_to_user(task.mm, buf, bytes) < 0 ? -EFAULT : bytes.length;
}
export const sys_readlink = (task: Task, path: number, buf: number, size: number): number =>
  sys_readlinkat(task, AT_FDCWD, path, buf, size);
