/** dup, fcntl, flock, truncate, sync and copies inside the kernel: fs/file.c, fs/fcntl.c, fs/locks.c, fs/open.c, fs/splice.c. */

import {
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EISDIR,
  ENODEV,
  ENOTDIR,
  EOVERFLOW,
  EPERM,
  EPIPE,
  ERESTARTSYS,
  ESPIPE,
} from '../abi/errno.ts';
import * as F from '../abi/fcntl.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import { type File, get_file } from '../fs/file.ts';
import { inode_permission, MAY_WRITE } from '../fs/inode.ts';
import { fsnotify, IN_ACCESS, IN_MODIFY } from '../fs/inotify.ts';
import { applyLock, type FileLock, findConflict, lockChannel, tryLock } from '../fs/locks.ts';
import { FifoInode } from '../fs/pipe.ts';
import { RegularInode } from '../fs/regular.ts';
import { UpperError } from '../fs/upper.ts';
import { copy_from_user, copy_to_user, get_user_u32, get_user_u64, put_user_u32, put_user_u64 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { do_readv, do_writev, loff, raiseSigpipe } from './file.ts';
import { fdget, fdget_raw, importIovec, installFile, rlimitNofile, user_path_at, vfsOf, viewOf } from './fs-args.ts';

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

/** Where `struct flock`'s fields stand, and how wide the offsets are. */
interface FlockLayout {
  readonly size: number;
  readonly start: number;
  readonly len: number;
  readonly pid: number;
  readonly wide: boolean;
}
const FLOCK64: FlockLayout = { size: 32, start: 8, len: 16, pid: 24, wide: true };
const COMPAT_FLOCK: FlockLayout = { size: 16, start: 4, len: 8, pid: 12, wide: false };
const COMPAT_FLOCK64: FlockLayout = { size: 24, start: 4, len: 12, pid: 20, wide: true };

/** flock_to_posix_lock(): the range that a `struct flock` means, or an errno. */
function lockRange(file: File, view: DataView, layout: FlockLayout): { start: number; end: number } | number {
  const read = (at: number): number => (layout.wide ? Number(view.getBigInt64(at, true)) : view.getInt32(at, true));
  const whence = view.getInt16(2, true);
  const base =
    whence === F.SEEK_SET ? 0 : whence === F.SEEK_CUR ? file.pos : whence === F.SEEK_END ? file.inode.size : -1;
  if (base < 0) return -EINVAL;
  const at = base + read(layout.start);
  const length = read(layout.len);
  if (at >= 2 ** 63) return -EOVERFLOW;
  const start = length < 0 ? at + length : at;
  if (start < 0) return -EINVAL;
  return { start, end: length === 0 ? Number.POSITIVE_INFINITY : Math.max(start, start + Math.abs(length) - 1) };
}

/** fcntl_getlk(), fcntl_setlk(). */
function fcntl_lock(task: Task, file: File, cmd: number, arg: number, layout: FlockLayout): SysResult {
  const bytes = copy_from_user(task.mm, arg, layout.size);
  if (typeof bytes === 'number') return bytes;
  const view = viewOf(bytes);
  const type = view.getInt16(0, true);
  const query = cmd === F.F_GETLK || cmd === F.F_OFD_GETLK;
  if (type < F.F_RDLCK || type > F.F_UNLCK || (query && type === F.F_UNLCK)) return -EINVAL;
  const range = lockRange(file, view, layout);
  if (typeof range === 'number') return range;
  const ofd = cmd >= F.F_OFD_GETLK && cmd <= F.F_OFD_SETLKW;
  if (ofd && view.getInt32(layout.pid, true) !== 0) return -EINVAL;
  const wanted: FileLock = {
    kind: ofd ? 'ofd' : 'posix',
    owner: ofd ? file : task.files,
    pid: task.tgid,
    type,
    ...range,
  };
  if (query) {
    const conflict = findConflict(file.inode, wanted);
    if (conflict === undefined) view.setInt16(0, F.F_UNLCK, true);
    else putConflict(view, layout, conflict);
    return copy_to_user(task.mm, arg, bytes);
  }
  if ((type === F.F_RDLCK && !file.readable) || (type === F.F_WRLCK && !file.writable)) return -EBADF;
  return waitForLock(task, file, wanted, cmd === F.F_SETLKW || cmd === F.F_OFD_SETLKW);
}

function putConflict(view: DataView, layout: FlockLayout, lock: FileLock): void {
  const length = lock.end === Number.POSITIVE_INFINITY ? 0 : lock.end - lock.start + 1;
  view.setInt16(0, lock.type, true);
  view.setInt16(2, F.SEEK_SET, true);
  for (const [at, value] of [[layout.start, lock.start] as const, [layout.len, length] as const]) {
    if (layout.wide) view.setBigInt64(at, BigInt(value), true);
    else view.setInt32(at, value, true);
  }
  view.setInt32(layout.pid, lock.kind === 'ofd' ? -1 : lock.pid, true);
}

/** do_lock_file_wait() */
function waitForLock(task: Task, file: File, wanted: FileLock, wait: boolean): SysResult {
  const result = tryLock(file.inode, wanted, wait);
  if (result !== -EAGAIN || !wait) return result;
  if (task.wait?.reason === 'signal') {
    vfsOf(task).lockWaits.delete(wanted.owner);
    return -ERESTARTSYS;
  }
  return block(task, { channels: [lockChannel(file.inode)] });
}

/** All but DN_MULTISHOT. */
const DN_MASK = 0x7fff_ffff;
const SETFL = F.O_APPEND | F.O_NONBLOCK | F.O_DIRECT | F.O_NOATIME | F.O_ASYNC;

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
      return 0;
    case F.F_GETLK:
    case F.F_SETLK:
    case F.F_SETLKW:
    case F.F_OFD_GETLK:
    case F.F_OFD_SETLK:
    case F.F_OFD_SETLKW:
      return fcntl_lock(task, file, cmd, arg, flock);
    case F.F_GETOWN:
      return file.owner;
    case F.F_NOTIFY:
      // fcntl_dirnotify(). Not modelled: dnotify itself; -EINVAL is the answer without CONFIG_DNOTIFY.
      if ((arg & DN_MASK) === 0) return 0;
      return file.inode.isDir() ? -EINVAL : -ENOTDIR;
    case F.F_SETOWN:
      file.owner = arg | 0;
      return 0;
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

/** flock(2): a lock of the open file, on all of it; a change of kind gives the old one up first. */
export function sys_flock(task: Task, fd: number, op: number): SysResult {
  const file = fdget(task, fd);
  if (file === undefined || (file.flags & F.O_PATH) !== 0) return -EBADF;
  const kind = op & ~F.LOCK_NB;
  if (kind !== F.LOCK_SH && kind !== F.LOCK_EX && kind !== F.LOCK_UN) return -EINVAL;
  const type = kind === F.LOCK_SH ? F.F_RDLCK : kind === F.LOCK_EX ? F.F_WRLCK : F.F_UNLCK;
  const whole = { kind: 'flock', owner: file, pid: task.tgid, start: 0, end: Number.POSITIVE_INFINITY } as const;
  const had = file.inode.locks.find((lock) => lock.kind === 'flock' && lock.owner === file);
  if (had?.type === type) return 0;
  if (had !== undefined && type !== F.F_UNLCK) applyLock(file.inode, { ...whole, type: F.F_UNLCK });
  return waitForLock(task, file, { ...whole, type }, (op & F.LOCK_NB) === 0);
}

export function sys_fsync(task: Task, fd: number): number {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  if (!file.inode.isReg() && !file.inode.isDir()) return -EINVAL;
  return file.inode.flush(file);
}
export function sys_sync(task: Task): number {
  try {
    vfsOf(task).sync();
  } catch (error) {
    if (!(error instanceof UpperError)) throw error;
    task.kernel.log.warn(error.message);
  }
  return 0;
}
export const sys_syncfs = (task: Task, fd: number): number => (fdget(task, fd) === undefined ? -EBADF : sys_sync(task));
export const sys_sync_file_range = (task: Task, fd: number): number => (fdget(task, fd) === undefined ? -EBADF : 0);
/** fadvise64(2), readahead(2): advice only. */
export function sys_fadvise64(task: Task, fd: number): number {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  return file.inode.isFifo() ? -ESPIPE : 0;
}
export const sys_readahead = sys_fadvise64;

// ---- sizes

export function sys_ftruncate(task: Task, fd: number, length: number): number {
  if (length < 0 || length >= 2 ** 63) return -EINVAL;
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  if (!file.inode.isReg() || !file.writable) return -EINVAL;
  const sealed = file.inode instanceof RegularInode ? (file.inode.seals ?? 0) : 0;
  if (length < file.inode.size && (sealed & F.F_SEAL_SHRINK) !== 0) return -EPERM;
  if (length > file.inode.size && (sealed & F.F_SEAL_GROW) !== 0) return -EPERM;
  const failed = file.inode.truncate(length);
  if (failed === 0) fsnotify(file.dentry, IN_MODIFY);
  return failed;
}
export function sys_truncate(task: Task, path: number, length: number): number {
  if (length < 0 || length >= 2 ** 63) return -EINVAL;
  const dentry = user_path_at(task, F.AT_FDCWD, path);
  if (typeof dentry === 'number') return dentry;
  if (dentry.inode.isDir()) return -EISDIR;
  if (!dentry.inode.isReg()) return -EINVAL;
  const error = inode_permission(task.cred, dentry.inode, MAY_WRITE);
  if (error < 0) return error;
  const failed = dentry.inode.truncate(length);
  if (failed === 0) {
    fsnotify(dentry, IN_MODIFY);
    vfsOf(task).flushDentry(dentry);
  }
  return failed;
}
export const sys32_truncate64 = (task: Task, path: number, low: number, high: number): number =>
  sys_truncate(task, path, loff(low, high));
export const sys32_ftruncate64 = (task: Task, fd: number, low: number, high: number): number =>
  sys_ftruncate(task, fd, loff(low, high));

/** do_fallocate(), fs/open.c: room costs nothing here, so only sizes and holes change. */
export function sys_fallocate(task: Task, fd: number, mode: number, offset: number, length: number): number {
  if (offset < 0 || length <= 0) return -EINVAL;
  const file = fdget(task, fd);
  if (file === undefined || !file.writable) return -EBADF;
  const { inode } = file;
  if (inode.isFifo()) return -ESPIPE;
  if (!(inode instanceof RegularInode)) return -ENODEV;
  if ((mode & (F.FALLOC_FL_PUNCH_HOLE | F.FALLOC_FL_ZERO_RANGE)) !== 0) {
    inode.content.zeroRange(offset, length);
    inode.upper = true;
    inode.unflushed = true;
  }
  if ((mode & F.FALLOC_FL_KEEP_SIZE) === 0 && offset + length > inode.size) return inode.truncate(offset + length);
  return 0;
}
export const sys32_fallocate = (
  task: Task,
  fd: number,
  mode: number,
  ol: number,
  oh: number,
  ll: number,
  lh: number,
): number => sys_fallocate(task, fd, mode, loff(ol, oh), loff(ll, lh));

// ---- copies without user memory

/** A copy that sleeps until the output takes more: bytes moved, and those that are read but have not found room. */
interface CopyWait {
  readonly done: number;
  readonly rest: Uint8Array | undefined;
}

/**
 * splice_direct_to_actor(), do_splice(): moves up to `count` bytes; waits on the file that is not ready when nothing was moved,
 * and on an output that blocks until all that was read has gone. `at` stands where the call began.
 */
function copyBytes(task: Task, from: File, to: File, count: number, at: { in?: number; out?: number }): SysResult {
  const waited = task.wait?.data as CopyWait | undefined;
  let done = waited?.done ?? 0;
  let rest = waited?.rest;
  if (at.in !== undefined) at.in += done;
  if (at.out !== undefined) at.out += done;
  count = Math.min(count, F.MAX_RW_COUNT);
  while (done < count) {
    const pos = at.in ?? (from.inode.seekable() ? from.pos : 0);
    const out = at.out ?? ((to.flags & F.O_APPEND) !== 0 ? to.inode.size : to.inode.seekable() ? to.pos : 0);
    if (to.inode instanceof FifoInode && to.inode.readers > 0 && to.inode.capacity === to.inode.queue.length)
      return done > 0 ? done : waitEither(task, from, to);
    let want = Math.min(count - done, 65536);
    if (to.inode instanceof FifoInode) want = Math.min(want, to.inode.capacity - to.inode.queue.length || want);
    const bytes: Uint8Array | number = rest ?? from.inode.read(from, pos, want);
    const all = rest === undefined && typeof bytes !== 'number' && bytes.length < want;
    rest = undefined;
    if (typeof bytes === 'number') {
      if (done > 0) return done;
      return bytes === -EAGAIN ? waitEither(task, from, to) : bytes;
    }
    if (bytes.length === 0) break;
    let written = 0;
    let failed = 0;
    while (written < bytes.length && failed === 0) {
      const n = to.inode.write(to, out + written, bytes.subarray(written));
      if (n < 0) failed = n;
      else written += n;
    }
    if (at.in !== undefined) at.in += written;
    else if (from.inode.seekable()) from.pos += written;
    if (at.out !== undefined) at.out += written;
    else if (to.inode.seekable()) to.pos = out + written;
    done += written;
    if (written > 0) {
      fsnotify(from.dentry, IN_ACCESS);
      fsnotify(to.dentry, IN_MODIFY);
    }
    if (failed === -EAGAIN && (to.flags & F.O_NONBLOCK) === 0 && task.wait?.reason !== 'signal') {
      // What a pipe gave cannot be read again.
      const left = from.inode.seekable() ? undefined : bytes.slice(written);
      const data: CopyWait = { done, rest: left };
      return block(task, { channels: to.inode.channels(to), data });
    }
    if (failed === -EPIPE) raiseSigpipe(task);
    if (failed !== 0) {
      if (done > 0) return done;
      return failed === -EAGAIN && (to.flags & F.O_NONBLOCK) === 0 ? -ERESTARTSYS : failed;
    }
    if (all) break;
  }
  return done;
}

function waitEither(task: Task, from: File, to: File): SysResult {
  if (((from.flags | to.flags) & F.O_NONBLOCK) !== 0) return -EAGAIN;
  if (task.wait?.reason === 'signal') return -ERESTARTSYS;
  return block(task, { channels: [...from.inode.channels(from), ...to.inode.channels(to)] });
}

/** do_sendfile(), fs/read_write.c; the offset is 4 or 8 bytes wide. */
function do_sendfile(task: Task, outFd: number, inFd: number, offset: number, count: number, wide: boolean): SysResult {
  const from = fdget(task, inFd);
  const to = fdget(task, outFd);
  if (from === undefined || !from.readable || to === undefined || !to.writable) return -EBADF;
  if (!from.inode.isReg()) return -EINVAL;
  const at: { in?: number } = {};
  if (offset !== 0) {
    const pos = wide ? get_user_u64(task.mm, offset) : get_user_u32(task.mm, offset);
    if (pos === undefined) return -EFAULT;
    const signed = wide ? Number(BigInt.asIntN(64, BigInt(pos))) : Number(pos) | 0;
    if (signed < 0) return -EINVAL;
    at.in = signed;
  }
  const done = copyBytes(task, from, to, count, at);
  if (offset !== 0 && typeof done === 'number' && done >= 0) {
    const failed = wide ? put_user_u64(task.mm, offset, at.in!) : put_user_u32(task.mm, offset, at.in!);
    if (failed < 0) return failed;
  }
  return done;
}
export const sys_sendfile64 = (task: Task, out: number, from: number, offset: number, count: number): SysResult =>
  do_sendfile(task, out, from, offset, count, true);
export const compat_sys_sendfile = (task: Task, out: number, from: number, offset: number, count: number): SysResult =>
  do_sendfile(task, out, from, offset, count, false);

/** splice(2): at least one side is a pipe. */
export function sys_splice(
  task: Task,
  inFd: number,
  offIn: number,
  outFd: number,
  offOut: number,
  count: number,
): SysResult {
  const from = fdget(task, inFd);
  const to = fdget(task, outFd);
  if (from === undefined || !from.readable || to === undefined || !to.writable) return -EBADF;
  if (!from.inode.isFifo() && !to.inode.isFifo()) return -EINVAL;
  if ((from.inode.isFifo() && offIn !== 0) || (to.inode.isFifo() && offOut !== 0)) return -ESPIPE;
  const at: { in?: number; out?: number } = {};
  for (const [key, address] of [['in', offIn] as const, ['out', offOut] as const]) {
    if (address === 0) continue;
    const pos = get_user_u64(task.mm, address);
    if (pos === undefined) return -EFAULT;
    if (pos >= 2n ** 63n) return -EINVAL;
    at[key] = Number(pos);
  }
  const done = copyBytes(task, from, to, count, at);
  if (typeof done === 'number' && done >= 0) {
    if (offIn !== 0) put_user_u64(task.mm, offIn, at.in!);
    if (offOut !== 0) put_user_u64(task.mm, offOut, at.out!);
  }
  return done;
}

/** tee(2): copies between pipes, and leaves the bytes in the first. */
export function sys_tee(task: Task, inFd: number, outFd: number, count: number): SysResult {
  const from = fdget(task, inFd);
  const to = fdget(task, outFd);
  if (from === undefined || !from.readable || to === undefined || !to.writable) return -EBADF;
  if (!(from.inode instanceof FifoInode) || !(to.inode instanceof FifoInode) || from.inode === to.inode) return -EINVAL;
  const { queue } = from.inode;
  const room = to.inode.capacity - to.inode.queue.length;
  if (queue.length === 0 || room === 0)
    return queue.length === 0 && from.inode.writers === 0 ? 0 : waitEither(task, from, to);
  return to.inode.write(to, 0, queue.peek(Math.min(count, room)));
}

/** copy_file_range(2) */
export function sys_copy_file_range(
  task: Task,
  inFd: number,
  offIn: number,
  outFd: number,
  offOut: number,
  count: number,
): SysResult {
  const from = fdget(task, inFd);
  const to = fdget(task, outFd);
  if (from === undefined || !from.readable || to === undefined || !to.writable) return -EBADF;
  if (from.inode.isDir() || to.inode.isDir()) return -EISDIR;
  if (!from.inode.isReg() || !to.inode.isReg()) return -EINVAL;
  const at: { in?: number; out?: number } = {};
  for (const [key, address] of [['in', offIn] as const, ['out', offOut] as const]) {
    if (address === 0) continue;
    const pos = get_user_u64(task.mm, address);
    if (pos === undefined) return -EFAULT;
    if (pos >= 2n ** 63n) return -EINVAL;
    at[key] = Number(pos);
  }
  const done = copyBytes(task, from, to, count, at);
  if (offIn !== 0 && at.in !== undefined) put_user_u64(task.mm, offIn, at.in);
  if (offOut !== 0 && at.out !== undefined) put_user_u64(task.mm, offOut, at.out);
  return done;
}

/** vmsplice(2): the pages are copied, not lent. */
function vmsplice(task: Task, fd: number, vec: number, n: number, compat: boolean): SysResult {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  if (!file.inode.isFifo()) return -EBADF;
  const segments = importIovec(task, vec, n, compat);
  return file.writable ? do_writev(task, fd, segments) : do_readv(task, fd, segments);
}
export const sys_vmsplice = (task: Task, fd: number, vec: number, n: number): SysResult =>
  vmsplice(task, fd, vec, n, false);
export const compat_sys_vmsplice = (task: Task, fd: number, vec: number, n: number): SysResult =>
  vmsplice(task, fd, vec, n, true);
