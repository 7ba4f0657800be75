import { EACCES, EBADF, EINVAL, EISDIR, ENODEV, ENOTDIR, ENOTTY, EPERM } from '../abi/errno.ts';
import { DEFAULT_POLLMASK } from '../abi/poll.ts';
import { type Kstat, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from '../abi/stat.ts';
import type { Task } from '../task/task.ts';
import type { Dentry } from './dentry.ts';
import type { DnotifyMark } from './dnotify.ts';
import type { Fasync } from './fasync.ts';
import type { File } from './file.ts';
import type { InotifyMark } from './inotify.ts';
import type { FileLock } from './locks.ts';
import type { SuperBlock } from './super-block.ts';

/** A name in a directory as readdir gives it. */
export interface DirEntry {
  readonly name: string;
  readonly ino: bigint;
  /** File type bits (S_IF*). */
  readonly mode: number;
}

/** What is made by create, mkdir, mknod, symlink. */
export interface NewInode {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev?: bigint;
  readonly target?: string;
}

/** What may change by chmod, chown, utimensat. */
export interface SetAttr {
  mode?: number;
  uid?: number;
  gid?: number;
  atime?: bigint;
  mtime?: bigint;
}

/**
 * `struct inode` with its inode_operations, file_operations and address_space_operations, include/linux/fs.h.
 * An operation that a kind of inode lacks answers here with Linux's default error. Operations that would have to wait
 * return -EAGAIN; whoever calls them may wait on `channels()` and call them again.
 */
export abstract class Inode {
  readonly sb: SuperBlock;
  readonly ino: bigint;
  mode: number;
  nlink = 1;
  uid = 0;
  gid = 0;
  rdev = 0n;
  atime: bigint;
  mtime: bigint;
  ctime: bigint;
  /** Open files and mappings of files that hold this inode. */
  opens = 0;
  /** A guest made it: it counts. */
  made = false;
  /** Extended attributes that the guest set. */
  xattrs: Map<string, Uint8Array> | undefined = undefined;
  /** i_flctx: record locks and flock(2). */
  locks: FileLock[] = [];
  /** i_fsnotify_marks: inotify's, and dnotify's. */
  marks: InotifyMark[] = [];
  dnotify: DnotifyMark[] = [];
  /** Open files that want a signal when something happens. */
  fasync: Fasync[] = [];
  /** Counts what pollers may want to see: edge-triggered epoll looks whether it grew. */
  activity = 0;

  constructor(sb: SuperBlock, mode: number, ino: bigint = sb.newIno()) {
    this.sb = sb;
    this.mode = mode;
    this.ino = ino;
    const now = sb.currentTime();
    this.atime = now;
    this.mtime = now;
    this.ctime = now;
  }

  isDir(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }
  isLink(): boolean {
    return (this.mode & S_IFMT) === S_IFLNK;
  }
  isReg(): boolean {
    return (this.mode & S_IFMT) === S_IFREG;
  }
  isFifo(): boolean {
    return (this.mode & S_IFMT) === S_IFIFO;
  }
  /** Whether pread, pwrite and lseek make sense. */
  seekable(): boolean {
    return this.isReg() || this.isDir();
  }

  get size(): number {
    return 0;
  }

  stat(): Kstat {
    const size = this.size;
    return {
      dev: this.sb.dev,
      ino: this.ino,
      mode: this.mode,
      nlink: this.nlink,
      uid: this.uid,
      gid: this.gid,
      rdev: this.rdev,
      size,
      blksize: 4096,
      blocks: this.isReg() ? Math.ceil(size / 4096) * 8 : 0,
      atime: this.atime,
      mtime: this.mtime,
      ctime: this.ctime,
    };
  }

  /** notify_change() after the permission checks. */
  setattr(attr: SetAttr): number {
    if (attr.mode !== undefined) this.mode = (this.mode & S_IFMT) | (attr.mode & 0o7777);
    if (attr.uid !== undefined) this.uid = attr.uid;
    if (attr.gid !== undefined) this.gid = attr.gid;
    if (attr.atime !== undefined) this.atime = attr.atime;
    if (attr.mtime !== undefined) this.mtime = attr.mtime;
    this.ctime = this.sb.currentTime();
    return 0;
  }

  // ---- directories

  lookup(_name: string, _task: Task | undefined): Inode | undefined | number {
    return -ENOTDIR;
  }
  /** Names without `.` and `..`, in the order in which getdents gives them. */
  readdir(): readonly DirEntry[] | number {
    return -ENOTDIR;
  }
  create(_name: string, _init: NewInode): Inode | number {
    return -EPERM;
  }
  link(_name: string, _target: Inode): number {
    return -EPERM;
  }
  /** Takes a name away; the caller has checked what it names. */
  unlink(_name: string, _child: Inode): number {
    return -EPERM;
  }
  isEmptyDir(): boolean {
    return true;
  }
  /** Gives `child` a new name in this directory; takes the old one away from `from`. */
  rename(_from: Inode, _oldName: string, _newName: string, _child: Inode): number {
    return -EPERM;
  }

  /** Two names, of this directory and of `from`, change their inodes: RENAME_EXCHANGE. */
  exchange(_from: Inode, _oldName: string, _newName: string): number {
    return -EINVAL;
  }

  // ---- symbolic links

  readlink(): string | number {
    return -EINVAL;
  }
  /** The place of a "magic" link (/proc/PID/exe), which is not found by its text. */
  followLink(): Dentry | number | undefined {
    return undefined;
  }

  // ---- files

  /** May return another inode's file semantics through `file.inode` (a device node does). */
  open(_file: File, _task: Task | undefined): number {
    return 0;
  }
  /** The last reference to the open file is gone. */
  release(_file: File): void {}
  read(_file: File, _pos: number, _count: number): Uint8Array | number {
    return this.isDir() ? -EISDIR : -EINVAL;
  }
  /** As `read`: the bytes where they lie in memory, to be copied at once; undefined when they do not lie together. */
  readInPlace(_file: File, _pos: number, _count: number): Uint8Array | undefined {
    return undefined;
  }
  /** `bytes` are the inode's to keep, but for a regular file and a pipe, which copy them. */
  write(_file: File, _pos: number, _bytes: Uint8Array): number {
    return this.isDir() ? -EBADF : -EINVAL;
  }
  truncate(_size: number): number {
    return this.isDir() ? -EISDIR : -EINVAL;
  }
  poll(_file: File): number {
    return DEFAULT_POLLMASK;
  }
  /** What is woken when the file may have become readable or writable. */
  channels(_file: File): readonly string[] {
    return [];
  }
  ioctl(_task: Task, _file: File, _cmd: number, _arg: number): number {
    return -ENOTTY;
  }
  /** When, in `kernel.now()`, the file becomes readable by itself: a timer. */
  nextEvent(_file: File): number | undefined {
    return undefined;
  }
  /** Whether it has fasync(): O_ASYNC means something. */
  get asyncs(): boolean {
    return false;
  }
  /** Something changed for those who wait on a channel: wake_up_interruptible_poll(). */
  protected notify(channel: string): void {
    this.activity++;
    this.sb.kernel.wake(channel);
  }
  /** Bytes that FIONREAD tells; undefined for -ENOTTY. */
  available(_file: File): number | undefined {
    return undefined;
  }
  /** After a write to the file was finished by close or fsync. */
  flush(_file: File): number {
    return 0;
  }
  /** Extra lines of /proc/PID/fdinfo/N. */
  fdinfo(_file: File): string {
    return '';
  }

  // ---- mappings

  /** Whether mmap of this file is possible (-ENODEV otherwise). */
  mmapable(): boolean {
    return false;
  }
  /** The page cache's frame for a page of the file, brought in on demand; -1 beyond the end or without memory. */
  pageFrame(_index: number): number {
    return -ENODEV;
  }
  /** A shared mapping wrote to the page. */
  markDirty(_index: number): void {}

  /** Reading a file updates its access time; mounted relatime. */
  touchAtime(): void {
    const day = 86_400_000_000_000n;
    const now = this.sb.currentTime();
    if (this.atime <= this.mtime || this.atime <= this.ctime || now - this.atime > day) this.atime = now;
  }
  /** file_update_time() */
  touchMtime(): void {
    this.mtime = this.sb.currentTime();
    this.ctime = this.mtime;
  }
  /** An inode that no name and no open file holds can give its memory back. */
  evict(): void {
    for (const [name, value] of this.xattrs ?? []) this.sb.owner.buffered -= name.length + value.length;
    this.xattrs = undefined;
  }
}

/** Who asks, as far as permissions go: `struct cred`. */
export interface FsCred {
  readonly fsuid: number;
  readonly fsgid: number;
  readonly groups?: readonly number[];
}
export const MAY_EXEC = 1,
  MAY_WRITE = 2,
  MAY_READ = 4;

/** inode_permission()/generic_permission(), fs/namei.c; user 0 has CAP_DAC_OVERRIDE. */
export function inode_permission(cred: FsCred | undefined, inode: Inode, mask: number): number {
  if (cred === undefined || cred.fsuid === 0) {
    const execOnly = (mask & MAY_EXEC) !== 0 && !inode.isDir() && (inode.mode & 0o111) === 0;
    return execOnly ? -EACCES : 0;
  }
  let bits = inode.mode;
  if (cred.fsuid === inode.uid) bits >>= 6;
  else if (cred.fsgid === inode.gid || cred.groups?.includes(inode.gid)) bits >>= 3;
  return (bits & mask) === mask ? 0 : -EACCES;
}
