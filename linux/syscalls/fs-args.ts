import { EBADF, EFAULT, EINVAL, ENFILE, ENOENT, ENOTDIR } from '../abi/errno.ts';
import { AT_EMPTY_PATH, AT_FDCWD, O_PATH, PATH_MAX } from '../abi/fcntl.ts';
import type { Dentry } from '../fs/dentry.ts';
import type { File } from '../fs/file.ts';
import { type LookupContext, lookupPath, type WalkOptions } from '../fs/namei.ts';
import { MAX_OPEN_FILES } from '../fs/super-block.ts';
import type { Vfs } from '../fs/vfs.ts';
import { copy_from_user, get_user_u8, put_user_u8, strncpy_from_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';

export const vfsOf = (task: Task): Vfs => task.kernel.vfs;
export const contextOf = (task: Task): LookupContext => vfsOf(task).context(task);

/** getname(), fs/namei.c: a path argument. */
export const getname = (task: Task, address: number): string | number => strncpy_from_user(task.mm, address, PATH_MAX);

/** Where a relative path of an *at() call starts. */
export function startOf(task: Task, dfd: number, path: string): Dentry | number {
  if (path.startsWith('/') || dfd === AT_FDCWD) return task.fs.cwd;
  const file = task.files.get(dfd);
  if (file === undefined) return -EBADF;
  return path !== '' && !file.inode.isDir() ? -ENOTDIR : file.dentry;
}

/** user_path_at(): the object that `dfd` and a path name. */
export function user_path_at(
  task: Task,
  dfd: number,
  address: number,
  options: WalkOptions & { readonly empty?: boolean } = {},
): Dentry | number {
  const path = getname(task, address);
  if (typeof path === 'number') return path;
  if (path === '') {
    if (options.empty !== true) return -ENOENT;
    return startOf(task, dfd, '');
  }
  const start = startOf(task, dfd, path);
  if (typeof start === 'number') return start;
  return lookupPath(contextOf(task), path, options, start);
}

/** Follow unless the flag says no; flags other than these are -EINVAL. */
export function atOptions(flags: number, nofollow: number, known: number): (WalkOptions & { empty: boolean }) | number {
  if ((flags & ~known) !== 0) return -EINVAL;
  return { follow: (flags & nofollow) === 0, empty: (flags & AT_EMPTY_PATH) !== 0 };
}

/** fdget(): the open file, or undefined (-EBADF), also for one that only names a place. */
export function fdget(task: Task, fd: number): File | undefined {
  const file = task.files.get(fd);
  return file !== undefined && (file.flags & O_PATH) !== 0 ? undefined : file;
}
/** fdget_raw(): O_PATH files too. */
export const fdget_raw = (task: Task, fd: number): File | undefined => task.files.get(fd);

/** rlimit(RLIMIT_NOFILE) */
export function rlimitNofile(task: Task): number {
  const limit = task.group.rlimits[7]?.cur ?? 1024n;
  return Number(limit > 1048576n ? 1048576n : limit);
}

/** Gives a new open file a descriptor: takes over the reference, unless there is none left (-EMFILE, -ENFILE). */
export const installFile = (task: Task, file: File, cloexec: boolean, from = 0): number =>
  vfsOf(task).openFiles > MAX_OPEN_FILES
    ? -ENFILE
    : task.files.install(file, { cloexec, from, limit: rlimitNofile(task) });

/** fault_in_pages_writeable(): how many bytes from `address` on can be written. */
export function writableBytes(task: Task, address: number, size: number): number {
  for (let at = address; at < address + size; at = (Math.floor(at / 4096) + 1) * 4096) {
    const byte = get_user_u8(task.mm, at);
    if (byte === undefined || put_user_u8(task.mm, at, byte) < 0) return at - address;
  }
  return size;
}

export interface Segment {
  readonly base: number;
  readonly length: number;
}
const UIO_MAXIOV = 1024;
const MAX_RW = 0x7ffff000;

/** rw_copy_check_uvector(), compat_rw_copy_check_uvector(): an iovec array; CHECK_IOVEC_ONLY without `check`. */
export function importIovec(
  task: Task,
  address: number,
  count: number,
  compat: boolean,
  check = true,
): Segment[] | number {
  if (count < 0 || count > UIO_MAXIOV) return -EINVAL;
  const word = compat ? 4 : 8;
  const bytes = copy_from_user(task.mm, address, count * word * 2);
  if (typeof bytes === 'number') return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const out: Segment[] = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const at = i * word * 2;
    const base = compat ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
    const length = compat ? view.getInt32(at + 4, true) : Number(view.getBigInt64(at + 8, true));
    if (length < 0) return -EINVAL;
    if (check && base + length > 2 ** 47) return -EFAULT;
    const part = Math.min(length, MAX_RW - total);
    total += part;
    out.push({ base, length: part });
  }
  return out;
}

/** A little-endian view of bytes. */
export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
