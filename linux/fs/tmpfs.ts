import { EEXIST, ELOOP, ENOSPC, ENOTEMPTY, EPERM } from '../abi/errno.ts';
import { encodeName } from '../abi/names.ts';
import { type Kstat, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../abi/stat.ts';
import { DeviceInode } from './device-node.ts';
import type { File } from './file.ts';
import { compareNames } from './host-files.ts';
import { type DirEntry, Inode, type NewInode } from './inode.ts';
import { FifoInode } from './pipe.ts';
import { RegularInode } from './regular.ts';
import type { SuperBlock } from './super-block.ts';

/** A symbolic link with a text. */
export class SymlinkInode extends Inode {
  readonly target: string;
  /** It belongs to the upper layer. */
  upper = true;

  constructor(sb: SuperBlock, target: string, ino?: bigint) {
    super(sb, S_IFLNK | 0o777, ino);
    this.target = target;
  }
  override get size(): number {
    return encodeName(this.target).length;
  }
  override readlink(): string {
    return this.target;
  }
}

/** A file with a fixed text: of sysfs. */
export class TextInode extends Inode {
  readonly text: string;

  constructor(sb: SuperBlock, text: string) {
    super(sb, S_IFREG | 0o444);
    this.text = text;
  }
  override get size(): number {
    return 4096;
  }
  override read(_file: File, pos: number, count: number): Uint8Array {
    return encodeName(this.text).subarray(pos, pos + count);
  }
}

/** A socket's name: bind(2) makes one. */
export class SocketNodeInode extends Inode {
  constructor(sb: SuperBlock, mode: number, ino?: bigint) {
    super(sb, S_IFSOCK | (mode & 0o7777), ino);
  }
}

/** new_inode() and init_special_inode() for what create, mkdir, mknod and symlink make. */
export function newNode(sb: SuperBlock, init: NewInode, newDir: () => Inode): Inode | number {
  if (sb.owner.inodes >= sb.owner.maxInodes) return -ENOSPC;
  sb.owner.inodes++;
  let inode: Inode;
  switch (init.mode & S_IFMT) {
    case S_IFDIR:
      inode = newDir();
      break;
    case S_IFLNK:
      inode = new SymlinkInode(sb, init.target ?? '');
      break;
    case S_IFIFO:
      inode = new FifoInode(sb, init.mode);
      break;
    case S_IFSOCK:
      inode = new SocketNodeInode(sb, init.mode);
      break;
    case 0:
    case S_IFREG:
      inode = new RegularInode(sb, init.mode);
      break;
    default:
      inode = new DeviceInode(sb, init.mode, init.rdev ?? 0n);
  }
  inode.made = true;
  inode.uid = init.uid;
  inode.gid = init.gid;
  return inode;
}

/** A directory in memory: of tmpfs, devtmpfs, and the fixed directories of procfs and sysfs. */
export class MemoryDirInode extends Inode {
  readonly entries = new Map<string, Inode>();
  /** The directory below, where this one is mounted: it gives the size. */
  covered: Kstat | undefined = undefined;

  constructor(sb: SuperBlock, mode = 0o755, ino?: bigint) {
    super(sb, S_IFDIR | (mode & 0o7777), ino);
    this.nlink = 2;
  }

  override lookup(name: string): Inode | undefined {
    return this.entries.get(name);
  }
  override readdir(): DirEntry[] {
    return [...this.entries]
      .sort(([a], [b]) => compareNames(a, b))
      .map(([name, inode]) => ({ name, ino: inode.ino, mode: inode.mode }));
  }
  override create(name: string, init: NewInode): Inode | number {
    if (this.entries.has(name)) return -EEXIST;
    const inode = newNode(this.sb, init, () => new MemoryDirInode(this.sb, init.mode));
    if (typeof inode === 'number') return inode;
    this.add(name, inode);
    this.touchMtime();
    return inode;
  }
  /** Puts an inode in, without a look at the clock. */
  add<T extends Inode>(name: string, inode: T): T {
    this.entries.set(name, inode);
    if (inode.isDir()) this.nlink++;
    return inode;
  }
  override link(name: string, target: Inode): number {
    if (target.isDir()) return -EPERM;
    this.entries.set(name, target);
    target.nlink++;
    target.ctime = this.sb.currentTime();
    this.touchMtime();
    return 0;
  }
  override unlink(name: string, child: Inode): number {
    this.entries.delete(name);
    dropLink(this, child);
    this.touchMtime();
    return 0;
  }
  override isEmptyDir(): boolean {
    return this.entries.size === 0;
  }
  override rename(from: Inode, oldName: string, newName: string, child: Inode): number {
    if (!(from instanceof MemoryDirInode)) return -ELOOP;
    const replaced = this.entries.get(newName);
    if (replaced !== undefined) {
      if (replaced.isDir() && !replaced.isEmptyDir()) return -ENOTEMPTY;
      dropLink(this, replaced);
    }
    from.entries.delete(oldName);
    this.entries.set(newName, child);
    if (child.isDir()) {
      from.nlink--;
      this.nlink++;
    }
    from.touchMtime();
    this.touchMtime();
    child.ctime = this.sb.currentTime();
    return 0;
  }
  override exchange(from: Inode, oldName: string, newName: string): number {
    if (!(from instanceof MemoryDirInode)) return -ELOOP;
    const one = from.entries.get(oldName)!;
    const other = this.entries.get(newName)!;
    from.entries.set(oldName, other);
    this.entries.set(newName, one);
    exchanged(from, one, this, other);
    return 0;
  }
  override stat(): Kstat {
    const size = this.sb.fsType === 'sysfs' ? 0 : this.entries.size * 20 + 40;
    return { ...super.stat(), size: this.covered?.size ?? size, blocks: 0 };
  }
}

/** Link counts and times behind an exchange: simple_rename_exchange(). */
export function exchanged(from: Inode, one: Inode, to: Inode, other: Inode): void {
  if (from !== to && one.isDir() !== other.isDir()) {
    from.nlink += one.isDir() ? -1 : 1;
    to.nlink += one.isDir() ? 1 : -1;
  }
  from.touchMtime();
  to.touchMtime();
  one.ctime = one.sb.currentTime();
  other.ctime = one.ctime;
}

/** drop_nlink(): a name of `child` in `dir` is gone; its memory too if nobody has it open. */
export function dropLink(dir: Inode, child: Inode): void {
  if (child.isDir()) {
    dir.nlink--;
    child.nlink = 0;
  } else child.nlink--;
  child.ctime = child.sb.currentTime();
  if (child.nlink === 0 && child.made) child.sb.owner.inodes--;
  if (child.nlink === 0 && child.opens === 0) child.evict();
}
