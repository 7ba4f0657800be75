/** Copies inside the kernel: fs/splice.c, fs/read_write.c. */
import { EAGAIN, EBADF, EFAULT, EINVAL, EISDIR, EPIPE, ERESTARTSYS, ESPIPE } from '../abi/errno.ts';
import * as F from '../abi/fcntl.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import type { File } from '../fs/file.ts';
import { fsnotify, IN_ACCESS, IN_MODIFY } from '../fs/inotify.ts';
import { FifoInode } from '../fs/pipe.ts';
import { get_user_u32, get_user_u64, put_user_u32, put_user_u64 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { do_readv, do_writev, raiseSigpipe } from './file.ts';
import { fdget, importIovec } from './fs-args.ts';

/** A copy that sleeps until the output takes more: bytes moved, and those that are read but have not found room. */
interface CopyWait {
  readonly done: number;
  readonly rest: Uint8Array | undefined;
}

/** Positions that are not those of the open files. */
interface Offsets {
  in?: number;
  out?: number;
}

/**
 * splice_direct_to_actor(), do_splice(): moves up to `count` bytes; waits on the file that is not ready when nothing was moved,
 * and on an output that blocks until all that was read has gone. `at` stands where the call began.
 */
function copyBytes(task: Task, from: File, to: File, count: number, at: Offsets): SysResult {
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
    const fifo = from.inode instanceof FifoInode && from.inode.queue.length > 0 ? from.inode : undefined;
    // A pipe keeps what the output does not take.
    const bytes: Uint8Array | number = rest ?? fifo?.queue.peek(want) ?? from.inode.read(from, pos, want);
    const all = rest === undefined && typeof bytes !== 'number' && bytes.length < want;
    const taken = rest !== undefined;
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
    if (fifo && !taken && written > 0) fifo.read(from, 0, written);
    if (written > 0) {
      fsnotify(from.dentry, IN_ACCESS);
      fsnotify(to.dentry, IN_MODIFY);
    }
    if (failed === -EAGAIN && (to.flags & F.O_NONBLOCK) === 0 && task.wait?.reason !== 'signal') {
      // What a terminal or a socket gave cannot be read again.
      const left = from.inode.seekable() || (fifo && !taken) ? undefined : bytes.slice(written);
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
  const ends = bothEnds(task, inFd, outFd);
  if (ends === undefined) return -EBADF;
  const { from, to } = ends;
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

/** Where a copy begins: the offsets that the caller gives stand in user memory. */
function readOffsets(task: Task, offIn: number, offOut: number): Offsets | number {
  const at: Offsets = {};
  for (const [key, address] of [['in', offIn] as const, ['out', offOut] as const]) {
    if (address === 0) continue;
    const pos = get_user_u64(task.mm, address);
    if (pos === undefined) return -EFAULT;
    if (pos >= 2n ** 63n) return -EINVAL;
    at[key] = Number(pos);
  }
  return at;
}

/** The file that is read and the one that is written, each open for it. */
function bothEnds(task: Task, inFd: number, outFd: number): { from: File; to: File } | undefined {
  const from = fdget(task, inFd);
  const to = fdget(task, outFd);
  return from?.readable && to?.writable ? { from, to } : undefined;
}

/** splice(2): at least one side is a pipe. */
export function sys_splice(
  task: Task,
  inFd: number,
  offIn: number,
  outFd: number,
  offOut: number,
  count: number,
): SysResult {
  const ends = bothEnds(task, inFd, outFd);
  if (ends === undefined) return -EBADF;
  const { from, to } = ends;
  if (!from.inode.isFifo() && !to.inode.isFifo()) return -EINVAL;
  if ((from.inode.isFifo() && offIn !== 0) || (to.inode.isFifo() && offOut !== 0)) return -ESPIPE;
  const at = readOffsets(task, offIn, offOut);
  if (typeof at === 'number') return at;
  const done = copyBytes(task, from, to, count, at);
  if (typeof done === 'number' && done >= 0) {
    if (offIn !== 0) put_user_u64(task.mm, offIn, at.in!);
    if (offOut !== 0) put_user_u64(task.mm, offOut, at.out!);
  }
  return done;
}

/** tee(2): copies between pipes, and leaves the bytes in the first. */
export function sys_tee(task: Task, inFd: number, outFd: number, count: number): SysResult {
  const ends = bothEnds(task, inFd, outFd);
  if (ends === undefined) return -EBADF;
  const { from, to } = ends;
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
  const ends = bothEnds(task, inFd, outFd);
  if (ends === undefined) return -EBADF;
  const { from, to } = ends;
  if (from.inode.isDir() || to.inode.isDir()) return -EISDIR;
  if (!from.inode.isReg() || !to.inode.isReg()) return -EINVAL;
  const at = readOffsets(task, offIn, offOut);
  if (typeof at === 'number') return at;
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
