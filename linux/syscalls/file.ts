/** read, write, open and what else works on descriptors: fs/read_write.c, fs/open.c, fs/file.c, fs/fcntl.c. */

import {
  EAGAIN,
  EBADF,
  EFAULT,
  EFBIG,
  EINVAL,
  EISDIR,
  ENXIO,
  EOVERFLOW,
  EPIPE,
  ERESTARTSYS,
  ESPIPE,
} from '../abi/errno.ts';
import {
  AT_FDCWD,
  MAX_NON_LFS,
  MAX_RW_COUNT,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_LARGEFILE,
  O_NONBLOCK,
  O_PATH,
  O_TRUNC,
  O_WRONLY,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from '../abi/fcntl.ts';
import { RLIMIT_FSIZE } from '../abi/process.ts';
import { SI_USER, SIGPIPE, SIGXFSZ } from '../abi/signal.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import { type File, fput } from '../fs/file.ts';
import type { Inode } from '../fs/inode.ts';
import { fsnotify, IN_ACCESS, IN_MODIFY } from '../fs/inotify.ts';
import { FifoInode } from '../fs/pipe.ts';
import { SCRATCH_WRITE, SCRATCH_WRITE_SIZE } from '../mm/scratch.ts';
import { access_ok, copy_from_user_partial, copy_to_user_partial, pagesWritable, put_user_u64 } from '../mm/uaccess.ts';
import { send_signal } from '../signal/queue.ts';
import type { Task } from '../task/task.ts';
import {
  contextOf,
  fdget,
  getname,
  importIovec,
  installFile,
  type Segment,
  startOf,
  vfsOf,
  writableBytes,
} from './fs-args.ts';

/** Bytes moved between two looks at the user's memory. */
const CHUNK = 1 << 20;

/** An operation gave -EAGAIN: wait, or say why not. `done` bytes were moved before. */
export function waitForFile(task: Task, file: File, done = 0): SysResult {
  if ((file.flags & O_NONBLOCK) !== 0) return done > 0 ? done : -EAGAIN;
  if (task.wait?.reason === 'signal') return done > 0 ? done : -ERESTARTSYS;
  return block(task, { channels: file.inode.channels(file), deadline: file.inode.nextEvent(file), data: { done } });
}

/** Bytes that the call had moved before it went to sleep. */
function doneBefore(task: Task): number {
  const data = task.wait?.data as { done?: number } | undefined;
  return data?.done ?? 0;
}

/** do_readv_writev(READ): `pos` is given for pread and leaves the file's position alone. */
export function do_readv(task: Task, fd: number, segments: readonly Segment[] | number, pos?: number): SysResult {
  const file = fdget(task, fd);
  if (file === undefined || !file.readable) return -EBADF;
  if (typeof segments === 'number') return segments;
  const { inode } = file;
  const seekable = inode.seekable();
  if (pos !== undefined && !seekable) return -ESPIPE;
  if (inode.isDir()) return -EISDIR;
  let at = pos ?? (seekable ? file.pos : 0);
  if (at < 0) return -EINVAL;
  let done = 0;
  const finish = (): number => {
    if (done > 0) fsnotify(file.dentry, IN_ACCESS);
    if (pos === undefined && seekable) file.pos = at;
    return done;
  };
  for (const { base, length } of segments) {
    for (let used = 0; used < length; ) {
      let want = Math.min(length - used, CHUNK);
      if (!seekable) {
        want = writableBytes(task, base + used, want);
        if (want === 0) return done > 0 ? finish() : -EFAULT;
      }
      // A page that is made for the user's bytes might be taken from the cache.
      const ready = pagesWritable(task.mm, base + used, want);
      const bytes = (ready ? inode.readInPlace(file, at, want) : undefined) ?? inode.read(file, at, want);
      if (typeof bytes === 'number') {
        if (done > 0) return finish();
        return bytes === -EAGAIN ? waitForFile(task, file) : bytes;
      }
      const copied = copy_to_user_partial(task.mm, base + used, bytes);
      done += copied;
      at += copied;
      used += copied;
      if (copied < bytes.length) return done > 0 ? finish() : -EFAULT;
      if (bytes.length < want) return finish();
    }
  }
  return finish();
}

/** What a write may still add below RLIMIT_FSIZE; generic_write_checks(). */
function limitWrite(task: Task, file: File, pos: number, count: number): number {
  if (!file.inode.isReg()) return count;
  const limit = task.group.rlimits[RLIMIT_FSIZE]?.cur ?? 0xffff_ffff_ffff_ffffn;
  if (limit < 0xffff_ffff_ffff_ffffn) {
    if (BigInt(pos) >= limit) {
      send_signal(
        task,
        { signo: SIGXFSZ, errno: 0, code: SI_USER, layout: 'kill', pid: task.tgid, uid: task.cred.uid },
        false,
      );
      return -EFBIG;
    }
    count = Math.min(count, Number(limit) - pos);
  }
  if ((file.flags & O_LARGEFILE) === 0) {
    if (pos >= MAX_NON_LFS) return -EFBIG;
    count = Math.min(count, MAX_NON_LFS - pos);
  }
  return count;
}

/** Fills `out` with bytes of the segments from `from` on. @returns it, or its beginning as far as memory can be read */
function gather(task: Task, segments: readonly Segment[], from: number, out: Uint8Array): Uint8Array {
  let skip = from;
  let done = 0;
  for (const { base, length } of segments) {
    if (skip >= length) {
      skip -= length;
      continue;
    }
    const want = Math.min(length - skip, out.length - done);
    const part = want === out.length ? out : out.subarray(done, done + want);
    const got = copy_from_user_partial(task.mm, base + skip, part);
    done += got;
    if (got < want || done === out.length) break;
    skip = 0;
  }
  return done === out.length ? out : out.subarray(0, done);
}

/** Where the bytes of a write stand, at most a chunk: regular files and pipes copy them, others may keep them. */
function roomFor(task: Task, inode: Inode, size: number): Uint8Array {
  if (size > SCRATCH_WRITE_SIZE || !(inode.isReg() || inode.isFifo())) return new Uint8Array(Math.min(CHUNK, size));
  const room = task.mm.frames.scratch.unset(SCRATCH_WRITE, SCRATCH_WRITE_SIZE).bytes;
  return size === SCRATCH_WRITE_SIZE ? room : room.subarray(0, size);
}

/** do_readv_writev(WRITE). */
export function do_writev(task: Task, fd: number, segments: readonly Segment[] | number, pos?: number): SysResult {
  const file = fdget(task, fd);
  if (file === undefined || !file.writable) return -EBADF;
  if (typeof segments === 'number') return segments;
  const { inode } = file;
  const seekable = inode.seekable();
  if (pos !== undefined && !seekable) return -ESPIPE;
  const total = segments.reduce((sum, s) => sum + s.length, 0);
  let done = doneBefore(task);
  const append = (file.flags & O_APPEND) !== 0 && inode.isReg();
  let at = append ? inode.size : (pos ?? (seekable ? file.pos : 0));
  if (at < 0) return -EINVAL;
  if (total === 0) return inode.write(file, at, new Uint8Array(0));
  while (done < total) {
    let bytes = gather(task, segments, done, roomFor(task, inode, total - done));
    if (bytes.length === 0) return done > 0 ? done : -EFAULT;
    const allowed = limitWrite(task, file, at, bytes.length);
    if (allowed < 0) return done > 0 ? done : allowed;
    if (allowed < bytes.length) bytes = bytes.subarray(0, allowed);
    const written = inode.write(file, at, bytes);
    if (written < 0) {
      if (written === -EAGAIN) return waitForFile(task, file, done);
      if (done > 0) return done;
      if (written === -EPIPE) raiseSigpipe(task);
      return written;
    }
    done += written;
    at += written;
    if (pos === undefined && seekable) file.pos = at;
    if (written < bytes.length && seekable) break;
  }
  if (done > 0) fsnotify(file.dentry, IN_MODIFY);
  return done;
}

/** send_sig(SIGPIPE, current, 0) */
export function raiseSigpipe(task: Task): void {
  send_signal(
    task,
    { signo: SIGPIPE, errno: 0, code: SI_USER, layout: 'kill', pid: task.tgid, uid: task.cred.uid },
    false,
  );
}

/** One buffer as a list; access_ok() as read(2) and write(2) check it first. */
const single = (base: number, count: number): Segment[] | number =>
  count < 0 || count >= 2 ** 63
    ? -EINVAL
    : access_ok(base, Math.min(count, MAX_RW_COUNT))
      ? [{ base, length: Math.min(count, MAX_RW_COUNT) }]
      : -EFAULT;

export const sys_read = (task: Task, fd: number, buf: number, count: number): SysResult =>
  do_readv(task, fd, single(buf, count));
export const sys_write = (task: Task, fd: number, buf: number, count: number): SysResult =>
  do_writev(task, fd, single(buf, count));
export const sys_pread64 = (task: Task, fd: number, buf: number, count: number, pos: number): SysResult =>
  pos < 0 ? -EINVAL : do_readv(task, fd, single(buf, count), pos);
export const sys_pwrite64 = (task: Task, fd: number, buf: number, count: number, pos: number): SysResult =>
  pos < 0 ? -EINVAL : do_writev(task, fd, single(buf, count), pos);
export const sys_readv = (task: Task, fd: number, vec: number, n: number): SysResult =>
  do_readv(task, fd, importIovec(task, vec, n, false));
export const sys_writev = (task: Task, fd: number, vec: number, n: number): SysResult =>
  do_writev(task, fd, importIovec(task, vec, n, false));
export const compat_sys_readv = (task: Task, fd: number, vec: number, n: number): SysResult =>
  do_readv(task, fd, importIovec(task, vec, n, true));
export const compat_sys_writev = (task: Task, fd: number, vec: number, n: number): SysResult =>
  do_writev(task, fd, importIovec(task, vec, n, true));
/** preadv(2): the 64-bit call ignores the high word, which shifts out of a 64-bit long. */
export const sys_preadv = (task: Task, fd: number, vec: number, n: number, pos: number): SysResult =>
  pos < 0 ? -EINVAL : do_readv(task, fd, importIovec(task, vec, n, false), pos);
export const sys_pwritev = (task: Task, fd: number, vec: number, n: number, pos: number): SysResult =>
  pos < 0 ? -EINVAL : do_writev(task, fd, importIovec(task, vec, n, false), pos);

/** Two u32 halves of a loff_t. */
export const loff = (low: number, high: number): number => (high | 0) * 0x1_0000_0000 + (low >>> 0);

export const sys32_pread = (task: Task, fd: number, buf: number, count: number, low: number, high: number): SysResult =>
  sys_pread64(task, fd, buf, count, loff(low, high));
export const sys32_pwrite = (
  task: Task,
  fd: number,
  buf: number,
  count: number,
  low: number,
  high: number,
): SysResult => sys_pwrite64(task, fd, buf, count, loff(low, high));
export function compat_sys_preadv(
  task: Task,
  fd: number,
  vec: number,
  n: number,
  low: number,
  high: number,
): SysResult {
  const pos = loff(low, high);
  return pos < 0 ? -EINVAL : do_readv(task, fd, importIovec(task, vec, n, true), pos);
}
export function compat_sys_pwritev(
  task: Task,
  fd: number,
  vec: number,
  n: number,
  low: number,
  high: number,
): SysResult {
  const pos = loff(low, high);
  return pos < 0 ? -EINVAL : do_writev(task, fd, importIovec(task, vec, n, true), pos);
}

// ---- open and close

interface OpenWait {
  readonly file: File;
  readonly readers: number;
  readonly writers: number;
}

/** do_sys_open(), fs/open.c; a FIFO's open waits for its other side. */
export function do_sys_open(task: Task, dfd: number, name: number, flags: number, mode: number): SysResult {
  const waiting = task.wait?.data as OpenWait | undefined;
  if (waiting !== undefined) return openFifo(task, waiting, flags);
  const path = getname(task, name);
  if (typeof path === 'number') return path;
  const start = startOf(task, dfd, path);
  if (typeof start === 'number') return start;
  const file = vfsOf(task).open(contextOf(task), path, flags, mode, start);
  if (typeof file === 'number') return file;
  if (file.inode instanceof FifoInode && file.dentry.parent !== undefined && (file.flags & O_PATH) === 0) {
    const { readerOpens: readers, writerOpens: writers } = file.inode;
    return openFifo(task, { file, readers, writers }, flags);
  }
  return installFile(task, file, (flags & O_CLOEXEC) !== 0);
}

function openFifo(task: Task, waiting: OpenWait, flags: number): SysResult {
  const { file } = waiting;
  const fifo = file.inode as FifoInode;
  if (fifo.openWaits(file, waiting)) {
    if (task.wait?.reason === 'signal') {
      fput(file);
      return -ERESTARTSYS;
    }
    const other = file.readable ? 'r' : 'w';
    return block(task, { channels: [`pipe:${fifo.ino}:${other}`], data: waiting });
  }
  return installFile(task, file, (flags & O_CLOEXEC) !== 0);
}

/** 64-bit and x32 tasks always open large files: force_o_largefile(). */
export const sys_open = (task: Task, name: number, flags: number, mode: number): SysResult =>
  do_sys_open(task, AT_FDCWD, name, flags | O_LARGEFILE, mode);
export const sys_openat = (task: Task, dfd: number, name: number, flags: number, mode: number): SysResult =>
  do_sys_open(task, dfd, name, flags | O_LARGEFILE, mode);
export const compat_sys_open = (task: Task, name: number, flags: number, mode: number): SysResult =>
  do_sys_open(task, AT_FDCWD, name, flags, mode);
export const compat_sys_openat = (task: Task, dfd: number, name: number, flags: number, mode: number): SysResult =>
  do_sys_open(task, dfd, name, flags, mode);
export const sys_creat = (task: Task, name: number, mode: number): SysResult =>
  do_sys_open(task, AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC | O_LARGEFILE, mode);

export const sys_close = (task: Task, fd: number): number => task.files.close(fd);

// ---- positions

/** vfs_llseek(), generic_file_llseek(). */
export function vfs_llseek(file: File, offset: number, whence: number): number {
  const { inode } = file;
  if (!inode.seekable()) return -ESPIPE;
  let pos: number;
  switch (whence) {
    case SEEK_SET:
      pos = offset;
      break;
    case SEEK_CUR:
      pos = file.pos + offset;
      break;
    case SEEK_END:
      pos = inode.size + offset;
      break;
    case SEEK_DATA:
      if (offset < 0 || offset >= inode.size) return -ENXIO;
      pos = offset;
      break;
    case SEEK_HOLE:
      if (offset < 0 || offset >= inode.size) return -ENXIO;
      pos = inode.size;
      break;
    default:
      return -EINVAL;
  }
  if (pos < 0 || pos > Number.MAX_SAFE_INTEGER) return -EINVAL;
  file.pos = pos;
  return pos;
}

export function sys_lseek(task: Task, fd: number, offset: number, whence: number): number {
  const file = fdget(task, fd);
  return file === undefined ? -EBADF : vfs_llseek(file, offset, whence);
}

/** compat_sys_lseek(): what does not fit into an off_t of 32 bits is -EOVERFLOW. */
export function compat_sys_lseek(task: Task, fd: number, offset: number, whence: number): number {
  const pos = sys_lseek(task, fd, offset | 0, whence);
  return pos > 0x7fffffff ? -EOVERFLOW : pos;
}

export function sys_llseek(task: Task, fd: number, high: number, low: number, result: number, whence: number): number {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  const pos = vfs_llseek(file, loff(low, high), whence);
  if (pos < 0) return pos;
  return put_user_u64(task.mm, result, pos);
}

/** compat_sys_preadv64() of x32: one 64-bit position, compat iovecs. */
export const compat_sys_preadv64 = (task: Task, fd: number, vec: number, n: number, pos: number): SysResult =>
  pos < 0 ? -EINVAL : do_readv(task, fd, importIovec(task, vec, n, true), pos);
export const compat_sys_pwritev64 = (task: Task, fd: number, vec: number, n: number, pos: number): SysResult =>
  pos < 0 ? -EINVAL : do_writev(task, fd, importIovec(task, vec, n, true), pos);

const RWF_HIPRI = 1;
type Vectored = (task: Task, fd: number, segments: Segment[] | number, pos?: number) => SysResult;
/** preadv2(2), pwritev2(2): position -1 is the file's own. */
const vectored2 = (
  move: Vectored,
  task: Task,
  fd: number,
  segments: Segment[] | number,
  pos: number,
  flags: number,
): SysResult => {
  if ((flags & ~RWF_HIPRI) !== 0) return -EINVAL;
  return pos === -1 ? move(task, fd, segments) : pos < 0 ? -EINVAL : move(task, fd, segments, pos);
};

/** One of the six p*v2 calls: the position is one argument, or for i386 the low and the high half. */
const positioned =
  (move: typeof do_readv, iovec: 'native' | 'compat', position: 'whole' | 'halves') =>
  (task: Task, fd: number, vec: number, n: number, low: number, high: number, flags: number): SysResult => {
    const segments = importIovec(task, vec, n, iovec === 'compat');
    return vectored2(move, task, fd, segments, position === 'halves' ? loff(low, high) : low, flags);
  };
export const sys_preadv2 = positioned(do_readv, 'native', 'whole');
export const sys_pwritev2 = positioned(do_writev, 'native', 'whole');
export const compat_sys_preadv2 = positioned(do_readv, 'compat', 'halves');
export const compat_sys_pwritev2 = positioned(do_writev, 'compat', 'halves');
/** x32: one 64-bit position, compat iovecs. */
export const compat_sys_preadv64v2 = positioned(do_readv, 'compat', 'whole');
export const compat_sys_pwritev64v2 = positioned(do_writev, 'compat', 'whole');
