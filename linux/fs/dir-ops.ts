/** Names that come and go: the second half of fs/namei.c. */

import { EBUSY, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EXDEV } from '../abi/errno.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from '../abi/fcntl.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, S_ISVTX } from '../abi/stat.ts';
import { CAP_MKNOD, capable } from '../task/cred.ts';
import { Dentry, isBelow } from './dentry.ts';
import { FS_DN_RENAME } from './dnotify.ts';
import { inode_permission, MAY_EXEC, MAY_WRITE, type NewInode } from './inode.ts';
import {
  fsnotifyInode,
  fsnotifyName,
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_MOVE_SELF,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  inodeRemoved,
} from './inotify.ts';
import { type Found, type LookupContext, walk } from './namei.ts';

/** filename_create(): the place for a new name. */
function findPlace(ctx: LookupContext, start: Dentry, path: string, directory: boolean): Found | number {
  const found = walk(ctx, start, path, { parent: true });
  if (typeof found === 'number') return found;
  if (found.dentry !== undefined || found.name === '.' || found.name === '..' || found.name === '/') return -EEXIST;
  if (found.trailing && !directory) return -ENOENT;
  return found;
}

/** may_create() */
function may_create(ctx: LookupContext, found: Found): number {
  if (found.parent.unhashed) return -ENOENT;
  return inode_permission(ctx.cred, found.parent.inode, MAY_WRITE | MAY_EXEC);
}

/** may_delete(); `dir` says whether a directory is wanted. */
function may_delete(ctx: LookupContext, parent: Dentry, victim: Dentry, dir: boolean): number {
  const error = inode_permission(ctx.cred, parent.inode, MAY_WRITE | MAY_EXEC);
  if (error < 0) return error;
  const uid = ctx.cred?.fsuid ?? 0;
  const sticky = (parent.inode.mode & S_ISVTX) !== 0 && uid !== 0;
  if (sticky && victim.inode.uid !== uid && parent.inode.uid !== uid) return -EPERM;
  if (dir) {
    if (!victim.inode.isDir()) return -ENOTDIR;
    if (isMountPoint(parent, victim)) return -EBUSY;
  } else if (victim.inode.isDir()) return -EISDIR;
  return 0;
}

const isMountPoint = (parent: Dentry, dentry: Dentry): boolean =>
  parent.mounts.get(dentry.name) === dentry || dentry.parent === undefined;

function create(ctx: LookupContext, found: Found, init: Pick<NewInode, 'mode' | 'rdev' | 'target'>): number {
  const error = may_create(ctx, found);
  if (error < 0) return error;
  const owner = { uid: ctx.cred?.fsuid ?? 0, gid: ctx.cred?.fsgid ?? 0 };
  const inode = found.parent.inode.create(found.name, { ...init, ...owner });
  if (typeof inode === 'number') return inode;
  if (inode.sb.cacheable) found.parent.children.set(found.name, new Dentry(found.name, found.parent, inode));
  fsnotifyName(found.parent.inode, found.name, inode, IN_CREATE);
  return 0;
}

/** sys_mkdirat(), fs/namei.c. */
export function do_mkdirat(ctx: LookupContext, start: Dentry, path: string, mode: number): number {
  const found = findPlace(ctx, start, path, true);
  if (typeof found === 'number') return found;
  return create(ctx, found, { mode: S_IFDIR | (mode & 0o1777 & ~(ctx.umask ?? 0)) });
}

/** sys_mknodat(), fs/namei.c. */
export function do_mknodat(ctx: LookupContext, start: Dentry, path: string, mode: number, rdev: bigint): number {
  const type = mode & S_IFMT || S_IFREG;
  if (type === S_IFDIR) return -EPERM;
  if (![S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK].includes(type)) return -EINVAL;
  const found = findPlace(ctx, start, path, false);
  if (typeof found === 'number') return found;
  if ((type === S_IFCHR || type === S_IFBLK) && !mayMknod(ctx)) return -EPERM;
  return create(ctx, found, { mode: type | (mode & 0o7777 & ~(ctx.umask ?? 0)), rdev });
}

/** sys_symlinkat(), fs/namei.c. */
export function do_symlinkat(ctx: LookupContext, start: Dentry, path: string, target: string): number {
  if (target === '') return -ENOENT;
  const found = findPlace(ctx, start, path, false);
  if (typeof found === 'number') return found;
  return create(ctx, found, { mode: S_IFLNK | 0o777, target });
}

/** vfs_link() */
export function do_linkat(ctx: LookupContext, old: Dentry, start: Dentry, path: string): number {
  const found = findPlace(ctx, start, path, false);
  if (typeof found === 'number') return found;
  if (old.inode.sb !== found.parent.inode.sb) return -EXDEV;
  if (old.inode.isDir()) return -EPERM;
  const error = may_create(ctx, found);
  if (error < 0) return error;
  const failed = found.parent.inode.link(found.name, old.inode);
  if (failed < 0) return failed;
  found.parent.children.set(found.name, new Dentry(found.name, found.parent, old.inode));
  fsnotifyInode(old.inode, IN_ATTRIB);
  fsnotifyName(found.parent.inode, found.name, old.inode, IN_CREATE);
  return 0;
}

/** d_delete(): the name is gone; who has it open or stands in it keeps the dentry. */
function dropName(dentry: Dentry): void {
  dentry.unhashed = true;
  dentry.parent?.children.delete(dentry.name);
}

/** do_unlinkat(), fs/namei.c. */
export function do_unlinkat(ctx: LookupContext, start: Dentry, path: string): number {
  const found = walk(ctx, start, path, { parent: true });
  if (typeof found === 'number') return found;
  if (found.name === '.' || found.name === '..' || found.name === '/') return -EISDIR;
  const { dentry, parent } = found;
  if (dentry === undefined) return -ENOENT;
  if (found.trailing) return dentry.inode.isDir() ? -EISDIR : -ENOTDIR;
  const error = may_delete(ctx, parent, dentry, false);
  if (error < 0) return error;
  const failed = parent.inode.unlink(dentry.name, dentry.inode);
  if (failed < 0) return failed;
  dropName(dentry);
  fsnotifyInode(dentry.inode, IN_ATTRIB);
  fsnotifyName(parent.inode, found.name, dentry.inode, IN_DELETE);
  inodeRemoved(dentry.inode);
  return 0;
}

/** do_rmdir(), fs/namei.c. */
export function do_rmdir(ctx: LookupContext, start: Dentry, path: string): number {
  const found = walk(ctx, start, path, { parent: true });
  if (typeof found === 'number') return found;
  if (found.name === '..') return -ENOTEMPTY;
  if (found.name === '.') return -EINVAL;
  if (found.name === '/') return -EBUSY;
  const { dentry, parent } = found;
  if (dentry === undefined) return -ENOENT;
  const error = may_delete(ctx, parent, dentry, true);
  if (error < 0) return error;
  if (!dentry.inode.isEmptyDir()) return -ENOTEMPTY;
  const failed = parent.inode.unlink(dentry.name, dentry.inode);
  if (failed < 0) return failed;
  dropName(dentry);
  inodeRemoved(dentry.inode);
  fsnotifyName(parent.inode, found.name, dentry.inode, IN_DELETE);
  return 0;
}

/** SYSCALL_DEFINE5(renameat2), vfs_rename(). */
export function do_renameat2(
  ctx: LookupContext,
  oldStart: Dentry,
  oldPath: string,
  newStart: Dentry,
  newPath: string,
  flags: number,
): number {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  const whiteout = (flags & RENAME_WHITEOUT) !== 0;
  if (exchange && (whiteout || (flags & RENAME_NOREPLACE) !== 0)) return -EINVAL;
  if (whiteout && !mayMknod(ctx)) return -EPERM;
  const from = walk(ctx, oldStart, oldPath, { parent: true });
  if (typeof from === 'number') return from;
  const to = walk(ctx, newStart, newPath, { parent: true });
  if (typeof to === 'number') return to;
  if (from.parent.inode.sb !== to.parent.inode.sb) return -EXDEV;
  const special = (name: string): boolean => name === '.' || name === '..' || name === '/';
  if (special(from.name)) return -EBUSY;
  if (special(to.name)) return (flags & RENAME_NOREPLACE) !== 0 ? -EEXIST : -EBUSY;
  const { dentry: source } = from;
  if (source === undefined) return -ENOENT;
  const target = to.dentry;
  if (target !== undefined && (flags & RENAME_NOREPLACE) !== 0) return -EEXIST;
  if (exchange && target === undefined) return -ENOENT;
  if (exchange && to.trailing && !target!.inode.isDir()) return -ENOTDIR;
  if (!source.inode.isDir() && (from.trailing || (to.trailing && !exchange))) return -ENOTDIR;
  if (isBelow(to.parent, source)) return -EINVAL;
  if (target !== undefined && isBelow(from.parent, target)) return exchange ? -EINVAL : -ENOTEMPTY;
  if (source.inode === target?.inode) return 0;
  const error = may_delete(ctx, from.parent, source, source.inode.isDir());
  if (error < 0) return error;
  if (target !== undefined) {
    if (!exchange && source.inode.isDir() && !target.inode.isDir()) return -ENOTDIR;
    const refused = may_delete(ctx, to.parent, target, (exchange ? target : source).inode.isDir());
    if (refused < 0) return refused;
  } else {
    const refused = may_create(ctx, to);
    if (refused < 0) return refused;
  }
  if (from.parent !== to.parent)
    for (const moved of [source, exchange ? target : undefined]) {
      const fixed = moved?.inode.isDir() ? inode_permission(ctx.cred, moved.inode, MAY_WRITE) : 0;
      if (fixed < 0) return fixed;
    }
  if (exchange) return renameExchange(from, source, to, target!);
  // As overlayfs of 4.7 has it.
  if (whiteout && source.inode.sb.fsType === 'overlay') return -EINVAL;
  const failed = to.parent.inode.rename(from.parent.inode, from.name, to.name, source.inode);
  if (failed < 0) return failed;
  if (target !== undefined) dropName(target);
  d_move(source, to.parent, to.name);
  if (whiteout) from.parent.inode.create(from.name, { mode: S_IFCHR, uid: 0, gid: 0 });
  const cookie = ++source.inode.sb.owner.lastCookie;
  const inPlace = from.parent.inode === to.parent.inode ? FS_DN_RENAME : 0;
  fsnotifyName(from.parent.inode, from.name, source.inode, IN_MOVED_FROM | inPlace, cookie);
  fsnotifyName(to.parent.inode, to.name, source.inode, IN_MOVED_TO, cookie);
  if (target !== undefined) fsnotifyInode(target.inode, IN_ATTRIB);
  fsnotifyInode(source.inode, IN_MOVE_SELF);
  if (target !== undefined) inodeRemoved(target.inode);
  return 0;
}

/** The end of vfs_rename() for RENAME_EXCHANGE. */
function renameExchange(from: Found, source: Dentry, to: Found, target: Dentry): number {
  const failed = to.parent.inode.exchange(from.parent.inode, from.name, to.name);
  if (failed < 0) return failed;
  d_move(source, to.parent, to.name);
  target.parent = from.parent;
  target.name = from.name;
  from.parent.children.set(from.name, target);
  const moves = [
    [from, to, source],
    [to, from, target],
  ] as const;
  for (const [left, reached, moved] of moves) {
    const cookie = ++moved.inode.sb.owner.lastCookie;
    const inPlace = left.parent.inode === reached.parent.inode ? FS_DN_RENAME : 0;
    fsnotifyName(left.parent.inode, left.name, moved.inode, IN_MOVED_FROM | inPlace, cookie);
    fsnotifyName(reached.parent.inode, reached.name, moved.inode, IN_MOVED_TO, cookie);
    fsnotifyInode(moved.inode, IN_MOVE_SELF);
  }
  return 0;
}

const mayMknod = (ctx: LookupContext): boolean => ctx.task === undefined || capable(ctx.task.cred, CAP_MKNOD);

function d_move(dentry: Dentry, parent: Dentry, name: string): void {
  dentry.parent?.children.delete(dentry.name);
  dentry.parent = parent;
  dentry.name = name;
  parent.children.set(name, dentry);
}

/** chmod, chown and utimes need the owner, or root: inode_change_ok(), fs/attr.c. */
export function ownerOrRoot(ctx: LookupContext, dentry: Dentry): number {
  const uid = ctx.cred?.fsuid ?? 0;
  return uid === 0 || uid === dentry.inode.uid ? 0 : -EPERM;
}
