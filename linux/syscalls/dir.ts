/** Names and directories: fs/namei.c, fs/readdir.c, fs/open.c, fs/dcache.c. */

import { type Dirent, dt, packDirent, packDirent64 } from '../abi/dirent.ts';
import { EACCES, EBADF, EFAULT, EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, ERANGE } from '../abi/errno.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  AT_SYMLINK_NOFOLLOW,
  PATH_MAX,
} from '../abi/fcntl.ts';
import { encodeName } from '../abi/names.ts';
import { S_ISGID, S_ISUID, UTIME_NOW, UTIME_OMIT } from '../abi/stat.ts';
import { type Dentry, d_path, isBelow } from '../fs/dentry.ts';
import {
  do_linkat,
  do_mkdirat,
  do_mknodat,
  do_renameat2,
  do_rmdir,
  do_symlinkat,
  do_unlinkat,
  ownerOrRoot,
} from '../fs/dir-ops.ts';
import type { File } from '../fs/file.ts';
import { inode_permission, MAY_EXEC, MAY_WRITE, type SetAttr } from '../fs/inode.ts';
import { fsnotify, IN_ACCESS, IN_ATTRIB, IN_MODIFY } from '../fs/inotify.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import { CAP_CHOWN, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';
import { contextOf, fdget, fdget_raw, getname, startOf, user_path_at, viewOf } from './fs-args.ts';

// ---- reading directories

type Pack = (entry: Dirent, name: Uint8Array) => Uint8Array;

/** iterate_dir(): the entries with `.` and `..`, taken when the directory is read from its start. */
function entriesOf(file: File): Dirent[] | number {
  if (file.pos === 0 || !Array.isArray(file.privateData)) {
    const names = file.inode.readdir();
    if (typeof names === 'number') return names;
    const parent = file.dentry.parent?.inode ?? file.inode;
    const all = [{ name: '.', ...file.inode.stat() }, { name: '..', ...parent.stat() }, ...names];
    file.privateData = all.map((e, i): Dirent => ({ name: e.name, ino: e.ino, type: dt(e.mode), off: i + 1 }));
  }
  return file.privateData as Dirent[];
}

function getdents(task: Task, fd: number, buf: number, count: number, pack: Pack): number {
  const file = fdget(task, fd);
  if (file === undefined || !file.readable) return -EBADF;
  if (!file.inode.isDir()) return -ENOTDIR;
  if (file.dentry.unhashed) return -ENOENT;
  const entries = entriesOf(file);
  if (typeof entries === 'number') return entries;
  fsnotify(file.dentry, IN_ACCESS);
  let done = 0;
  while (file.pos < entries.length) {
    const entry = entries[file.pos]!;
    const record = pack(entry, encodeName(entry.name));
    if (done + record.length > count) return done > 0 ? done : -EINVAL;
    if (copy_to_user(task.mm, buf + done, record) < 0) return done > 0 ? done : -EFAULT;
    done += record.length;
    file.pos++;
  }
  return done;
}

export const sys_getdents64 = (task: Task, fd: number, buf: number, count: number): number =>
  getdents(task, fd, buf, count, packDirent64);
export const sys_getdents = (task: Task, fd: number, buf: number, count: number): number =>
  getdents(task, fd, buf, count, (e, name) => packDirent(e, name, 8));
export const compat_sys_getdents = (task: Task, fd: number, buf: number, count: number): number =>
  getdents(task, fd, buf, count, (e, name) => packDirent(e, name, 4));

// ---- where a task stands

export function sys_getcwd(task: Task, buf: number, size: number): number {
  const { cwd, root } = task.fs;
  if (cwd.unhashed) return -ENOENT;
  const path = isBelow(cwd, root) ? d_path(cwd, root) : `(unreachable)${d_path(cwd)}`;
  const bytes = encodeName(`${path}\0`);
  if (bytes.length > PATH_MAX) return -ENAMETOOLONG;
  if (bytes.length > size) return -ERANGE;
  return copy_to_user(task.mm, buf, bytes) < 0 ? -EFAULT : bytes.length;
}

function setCwd(task: Task, dentry: Dentry): number {
  if (!dentry.inode.isDir()) return -ENOTDIR;
  const error = inode_permission(task.cred, dentry.inode, MAY_EXEC);
  if (error < 0) return error;
  task.fs.cwd = dentry;
  return 0;
}
export function sys_chdir(task: Task, path: number): number {
  const dentry = user_path_at(task, AT_FDCWD, path);
  return typeof dentry === 'number' ? dentry : setCwd(task, dentry);
}
export function sys_fchdir(task: Task, fd: number): number {
  const file = fdget_raw(task, fd);
  return file === undefined ? -EBADF : setCwd(task, file.dentry);
}
export function sys_chroot(task: Task, path: number): number {
  const dentry = user_path_at(task, AT_FDCWD, path);
  if (typeof dentry === 'number') return dentry;
  if (!dentry.inode.isDir()) return -ENOTDIR;
  if (task.cred.euid !== 0) return -EPERM;
  task.fs.root = dentry;
  return 0;
}
export function sys_umask(task: Task, mask: number): number {
  const old = task.fs.umask;
  task.fs.umask = mask & 0o777;
  return old;
}

// ---- making and removing names

/** A path argument with its start, for the calls that change a directory. */
function withPath(task: Task, dfd: number, address: number, action: (path: string, start: Dentry) => number): number {
  const path = getname(task, address);
  if (typeof path === 'number') return path;
  const start = startOf(task, dfd, path);
  return typeof start === 'number' ? start : action(path, start);
}

export const sys_mkdirat = (task: Task, dfd: number, path: number, mode: number): number =>
  withPath(task, dfd, path, (name, start) => do_mkdirat(contextOf(task), start, name, mode));
export const sys_mkdir = (task: Task, path: number, mode: number): number => sys_mkdirat(task, AT_FDCWD, path, mode);
export const sys_rmdir = (task: Task, path: number): number =>
  withPath(task, AT_FDCWD, path, (name, start) => do_rmdir(contextOf(task), start, name));
export const sys_unlink = (task: Task, path: number): number =>
  withPath(task, AT_FDCWD, path, (name, start) => do_unlinkat(contextOf(task), start, name));
export function sys_unlinkat(task: Task, dfd: number, path: number, flags: number): number {
  if ((flags & ~AT_REMOVEDIR) !== 0) return -EINVAL;
  const remove = (flags & AT_REMOVEDIR) !== 0 ? do_rmdir : do_unlinkat;
  return withPath(task, dfd, path, (name, start) => remove(contextOf(task), start, name));
}
export const sys_mknodat = (task: Task, dfd: number, path: number, mode: number, dev: number): number =>
  withPath(task, dfd, path, (name, start) => do_mknodat(contextOf(task), start, name, mode, BigInt(dev >>> 0)));
export const sys_mknod = (task: Task, path: number, mode: number, dev: number): number =>
  sys_mknodat(task, AT_FDCWD, path, mode, dev);

export function sys_symlinkat(task: Task, target: number, dfd: number, path: number): number {
  const text = getname(task, target);
  if (typeof text === 'number') return text;
  return withPath(task, dfd, path, (name, start) => do_symlinkat(contextOf(task), start, name, text));
}
export const sys_symlink = (task: Task, target: number, path: number): number =>
  sys_symlinkat(task, target, AT_FDCWD, path);

export function sys_linkat(
  task: Task,
  oldDfd: number,
  oldPath: number,
  newDfd: number,
  newPath: number,
  flags: number,
): number {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const follow = (flags & AT_SYMLINK_FOLLOW) !== 0;
  const old = user_path_at(task, oldDfd, oldPath, { follow, empty: (flags & AT_EMPTY_PATH) !== 0 });
  if (typeof old === 'number') return old;
  return withPath(task, newDfd, newPath, (name, start) => do_linkat(contextOf(task), old, start, name));
}
export const sys_link = (task: Task, oldPath: number, newPath: number): number =>
  sys_linkat(task, AT_FDCWD, oldPath, AT_FDCWD, newPath, 0);

export function sys_renameat2(
  task: Task,
  oldDfd: number,
  oldPath: number,
  newDfd: number,
  newPath: number,
  flags: number,
): number {
  return withPath(task, oldDfd, oldPath, (from, oldStart) =>
    withPath(task, newDfd, newPath, (to, newStart) =>
      do_renameat2(contextOf(task), oldStart, from, newStart, to, flags),
    ),
  );
}
export const sys_renameat = (task: Task, oldDfd: number, oldPath: number, newDfd: number, newPath: number): number =>
  sys_renameat2(task, oldDfd, oldPath, newDfd, newPath, 0);
export const sys_rename = (task: Task, oldPath: number, newPath: number): number =>
  sys_renameat2(task, AT_FDCWD, oldPath, AT_FDCWD, newPath, 0);

// ---- owners, modes, times

/** notify_change() and fsnotify_change(): the two times together are an attribute, one alone is an access or a change. */
function notify_change(dentry: Dentry, attr: SetAttr): number {
  const failed = dentry.inode.setattr(attr);
  if (failed < 0) return failed;
  const onlyAtime = attr.atime !== undefined && attr.mtime === undefined;
  const onlyMtime = attr.mtime !== undefined && attr.atime === undefined;
  fsnotify(dentry, onlyAtime ? IN_ACCESS : onlyMtime ? IN_MODIFY : IN_ATTRIB);
  return 0;
}

function setattr(task: Task, dentry: Dentry, attr: SetAttr): number {
  const error = ownerOrRoot(contextOf(task), dentry);
  return error < 0 ? error : notify_change(dentry, attr);
}

export function sys_fchmod(task: Task, fd: number, mode: number): number {
  const file = fdget(task, fd);
  return file === undefined ? -EBADF : setattr(task, file.dentry, { mode });
}
export function sys_fchmodat(task: Task, dfd: number, path: number, mode: number): number {
  const dentry = user_path_at(task, dfd, path);
  return typeof dentry === 'number' ? dentry : setattr(task, dentry, { mode });
}
export const sys_chmod = (task: Task, path: number, mode: number): number => sys_fchmodat(task, AT_FDCWD, path, mode);

/** chown_common(), fs/open.c: -1 leaves a number as it is; programs lose their set-id bits. */
function chown(task: Task, dentry: Dentry, uid: number, gid: number): number {
  const { inode } = dentry;
  const attr: SetAttr = {};
  if (uid >>> 0 !== 0xffffffff) attr.uid = uid >>> 0;
  if (gid >>> 0 !== 0xffffffff) attr.gid = gid >>> 0;
  const changesOwner = attr.uid !== undefined && attr.uid !== inode.uid;
  if (!capable(task.cred, CAP_CHOWN)) {
    const { fsuid, fsgid, groups } = task.cred;
    const { gid: to = inode.gid } = attr;
    const mine = fsuid === inode.uid && (to === inode.gid || to === fsgid || groups.includes(to));
    if (changesOwner || !mine) return -EPERM;
  }
  if (!inode.isDir() && (inode.mode & (S_ISUID | S_ISGID)) !== 0)
    attr.mode = inode.mode & 0o7777 & ~(S_ISUID | S_ISGID);
  return notify_change(dentry, attr);
}
export function sys_fchownat(task: Task, dfd: number, path: number, uid: number, gid: number, flags: number): number {
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0;
  const dentry = user_path_at(task, dfd, path, { follow, empty: (flags & AT_EMPTY_PATH) !== 0 });
  return typeof dentry === 'number' ? dentry : chown(task, dentry, uid, gid);
}
export const sys_chown = (task: Task, path: number, uid: number, gid: number): number =>
  sys_fchownat(task, AT_FDCWD, path, uid, gid, 0);
export const sys_lchown = (task: Task, path: number, uid: number, gid: number): number =>
  sys_fchownat(task, AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
export function sys_fchown(task: Task, fd: number, uid: number, gid: number): number {
  const file = fdget(task, fd);
  return file === undefined ? -EBADF : chown(task, file.dentry, uid, gid);
}
/** low2highuid(): 16-bit ids of the old i386 calls. */
const wide = (id: number): number => ((id & 0xffff) === 0xffff ? -1 : id & 0xffff);
export const sys_chown16 = (task: Task, path: number, uid: number, gid: number): number =>
  sys_chown(task, path, wide(uid), wide(gid));
export const sys_lchown16 = (task: Task, path: number, uid: number, gid: number): number =>
  sys_lchown(task, path, wide(uid), wide(gid));
export const sys_fchown16 = (task: Task, fd: number, uid: number, gid: number): number =>
  sys_fchown(task, fd, wide(uid), wide(gid));

type Times = { readonly atime: bigint | 'now' | 'omit'; readonly mtime: bigint | 'now' | 'omit' };

function applyTimes(task: Task, dentry: Dentry, times: Times | undefined): number {
  const now = dentry.inode.sb.currentTime();
  const value = (t: bigint | 'now' | 'omit'): bigint | undefined => (t === 'now' ? now : t === 'omit' ? undefined : t);
  const atime = times === undefined ? now : value(times.atime);
  const mtime = times === undefined ? now : value(times.mtime);
  const justNow = times === undefined || (times.atime === 'now' && times.mtime === 'now');
  const error = ownerOrRoot(contextOf(task), dentry);
  if (error < 0) {
    if (!justNow) return error;
    if (inode_permission(task.cred, dentry.inode, MAY_WRITE) < 0) return -EACCES;
  }
  const attr: SetAttr = {};
  if (atime !== undefined) attr.atime = atime;
  if (mtime !== undefined) attr.mtime = mtime;
  return notify_change(dentry, attr);
}

/** Two time values of user memory; `scale` turns the second word into nanoseconds. */
function readTimes(task: Task, address: number, word: 4 | 8, scale: 1 | 1000): Times | number {
  const bytes = copy_from_user(task.mm, address, word * 4);
  if (typeof bytes === 'number') return bytes;
  const view = viewOf(bytes);
  const get = (i: number): bigint => (word === 8 ? view.getBigInt64(i * 8, true) : BigInt(view.getInt32(i * 4, true)));
  const one = (i: number): bigint | 'now' | 'omit' | undefined => {
    const part = get(i + 1);
    if (scale === 1 && part === BigInt(UTIME_NOW)) return 'now';
    if (scale === 1 && part === BigInt(UTIME_OMIT)) return 'omit';
    if (part < 0n || part >= 1_000_000_000n / BigInt(scale)) return undefined;
    return get(i) * 1_000_000_000n + part * BigInt(scale);
  };
  const atime = one(0);
  const mtime = one(2);
  return atime === undefined || mtime === undefined ? -EINVAL : { atime, mtime };
}

/** do_utimes(), fs/utimes.c: without a path the descriptor itself. */
function do_utimes(task: Task, dfd: number, path: number, times: Times | undefined, flags: number): number {
  if ((flags & ~AT_SYMLINK_NOFOLLOW) !== 0) return -EINVAL;
  if (path === 0 && dfd !== AT_FDCWD) {
    const file = fdget(task, dfd);
    return file === undefined ? -EBADF : applyTimes(task, file.dentry, times);
  }
  const dentry = user_path_at(task, dfd, path, { follow: (flags & AT_SYMLINK_NOFOLLOW) === 0 });
  return typeof dentry === 'number' ? dentry : applyTimes(task, dentry, times);
}

function utimes(
  task: Task,
  dfd: number,
  path: number,
  at: number,
  flags: number,
  word: 4 | 8,
  scale: 1 | 1000,
): number {
  const times = at === 0 ? undefined : readTimes(task, at, word, scale);
  if (typeof times === 'number') return times;
  if (times?.atime === 'omit' && times.mtime === 'omit') return 0;
  return do_utimes(task, dfd, path, times, flags);
}
export const sys_utimensat = (task: Task, dfd: number, path: number, at: number, flags: number): number =>
  utimes(task, dfd, path, at, flags, 8, 1);
export const compat_sys_utimensat = (task: Task, dfd: number, path: number, at: number, flags: number): number =>
  utimes(task, dfd, path, at, flags, 4, 1);
export const sys_futimesat = (task: Task, dfd: number, path: number, at: number): number =>
  utimes(task, dfd, path, at, 0, 8, 1000);
export const compat_sys_futimesat = (task: Task, dfd: number, path: number, at: number): number =>
  utimes(task, dfd, path, at, 0, 4, 1000);
export const sys_utimes = (task: Task, path: number, at: number): number => sys_futimesat(task, AT_FDCWD, path, at);
export const compat_sys_utimes = (task: Task, path: number, at: number): number =>
  compat_sys_futimesat(task, AT_FDCWD, path, at);

function utime(task: Task, path: number, at: number, word: 4 | 8): number {
  if (at === 0) return do_utimes(task, AT_FDCWD, path, undefined, 0);
  const bytes = copy_from_user(task.mm, at, word * 2);
  if (typeof bytes === 'number') return bytes;
  const view = viewOf(bytes);
  const get = (i: number): bigint => (word === 8 ? view.getBigInt64(i * 8, true) : BigInt(view.getInt32(i * 4, true)));
  const times = { atime: get(0) * 1_000_000_000n, mtime: get(1) * 1_000_000_000n };
  return do_utimes(task, AT_FDCWD, path, times, 0);
}
export const sys_utime = (task: Task, path: number, at: number): number => utime(task, path, at, 8);
export const compat_sys_utime = (task: Task, path: number, at: number): number => utime(task, path, at, 4);

/** mount(2) and friends. Not modelled: mounts of the guest's own. */
export const sys_mount = (): number => -EPERM;
