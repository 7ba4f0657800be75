/** Locks of files: flock(2) and those of fcntl(2); fs/locks.c. */
import { EAGAIN, EBADF, EINVAL, EOVERFLOW, ERESTARTSYS } from '../abi/errno.ts';
import * as F from '../abi/fcntl.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import type { File } from '../fs/file.ts';
import { applyLock, type FileLock, findConflict, lockChannel, tryLock } from '../fs/locks.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { fdget, vfsOf, viewOf } from './fs-args.ts';

/** Where `struct flock`'s fields stand, and how wide the offsets are. */
export interface FlockLayout {
  readonly size: number;
  readonly start: number;
  readonly len: number;
  readonly pid: number;
  readonly wide: boolean;
}
export const FLOCK64: FlockLayout = { size: 32, start: 8, len: 16, pid: 24, wide: true };
export const COMPAT_FLOCK: FlockLayout = { size: 16, start: 4, len: 8, pid: 12, wide: false };
export const COMPAT_FLOCK64: FlockLayout = { size: 24, start: 4, len: 12, pid: 20, wide: true };

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
export function fcntl_lock(task: Task, file: File, cmd: number, arg: number, layout: FlockLayout): SysResult {
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
