import { EFBIG, EINVAL, ENOMEM, ENOSPC, EPERM } from '../abi/errno.ts';
import { F_SEAL_GROW, F_SEAL_WRITE } from '../abi/fcntl.ts';
import { type Kstat, S_IFREG } from '../abi/stat.ts';
import { AddressSpace } from './address-space.ts';
import type { File } from './file.ts';
import type { HostSource } from './host-files.ts';
import { Inode, type SetAttr } from './inode.ts';
import type { SuperBlock } from './super-block.ts';

const MAX_LFS_FILESIZE = 2 ** 43;

/** A regular file: of the overlay, of tmpfs, or a memfd. */
export class RegularInode extends Inode {
  readonly content: AddressSpace;
  /** Its bytes, or its other properties, differ from the lower file's: it belongs to the upper layer. */
  upper: boolean;
  /** Size or metadata changed since the last flush to the host. */
  unflushed = false;
  /** Where in `--upper` all of it stands, but for the dirty pages. */
  upperPath: string | undefined = undefined;
  /** F_ADD_SEALS of a memfd; undefined where seals are not possible. */
  seals: number | undefined = undefined;
  /** Device and block counts of the lower file, for stat. */
  readonly lower: Kstat | undefined;

  constructor(sb: SuperBlock, mode: number, lower?: { stat: Kstat; source: HostSource }) {
    super(sb, S_IFREG | (mode & 0o7777), lower?.stat.ino ?? sb.newIno());
    this.content = new AddressSpace(sb, lower?.stat.size ?? 0, lower?.source);
    this.upper = lower === undefined;
    this.lower = lower?.stat;
    if (lower !== undefined) copyStat(this, lower.stat);
  }

  override get size(): number {
    return this.content.size;
  }

  override stat(): Kstat {
    const stat = super.stat();
    if (this.lower === undefined) return stat;
    const { dev, blksize, blocks } = this.lower;
    return { ...stat, dev, blksize, blocks: this.content.size === this.lower.size ? blocks : stat.blocks };
  }

  override read(_file: File, pos: number, count: number): Uint8Array | number {
    this.touchAtime();
    return this.content.read(pos, count);
  }

  override readInPlace(_file: File, pos: number, count: number): Uint8Array | undefined {
    const bytes = this.content.inPlace(pos, count);
    if (bytes !== undefined) this.touchAtime();
    return bytes;
  }

  override write(_file: File, pos: number, bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    const seals = this.seals ?? 0;
    if ((seals & F_SEAL_WRITE) !== 0) return -EPERM;
    if ((seals & F_SEAL_GROW) !== 0 && pos + bytes.length > this.size) return -EPERM;
    if (pos + bytes.length > MAX_LFS_FILESIZE) return -EFBIG;
    this.upper = true;
    this.unflushed = true;
    this.touchMtime();
    const done = this.content.write(pos, bytes);
    return done === 0 ? -ENOSPC : done;
  }

  override truncate(size: number): number {
    if (size < 0) return -EINVAL;
    if (size > MAX_LFS_FILESIZE) return -EFBIG;
    this.upper = true;
    this.unflushed = true;
    this.content.truncate(size);
    this.touchMtime();
    return 0;
  }

  override setattr(attr: SetAttr): number {
    this.upper = true;
    this.unflushed = true;
    return super.setattr(attr);
  }
  override flush(file: File): number {
    return file.writable && this.unflushed ? this.sb.owner.flush(file) : 0;
  }
  override mmapable(): boolean {
    return true;
  }
  override pageFrame(index: number): number {
    const frame = this.content.pageFrame(index);
    return frame < 0 && index * 4096 < this.content.size ? -ENOMEM : frame;
  }
  override markDirty(index: number): void {
    this.upper = true;
    this.unflushed = true;
    this.content.changed = true;
    this.content.dirty.add(index);
  }
  override available(file: File): number {
    return Math.max(0, this.content.size - file.pos);
  }
  override evict(): void {
    super.evict();
    this.content.free();
  }
}

/** Properties of a file of the host. */
export function copyStat(inode: Inode, stat: Kstat): void {
  inode.nlink = stat.nlink;
  inode.uid = stat.uid;
  inode.gid = stat.gid;
  inode.rdev = stat.rdev;
  inode.atime = stat.atime;
  inode.mtime = stat.mtime;
  inode.ctime = stat.ctime;
}
