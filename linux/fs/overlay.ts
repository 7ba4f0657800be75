import fs from 'node:fs';
import { EEXIST, ENOTEMPTY, EPERM, EXDEV } from '../abi/errno.ts';
import { type Kstat, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../abi/stat.ts';
import { DeviceInode } from './device-node.ts';
import { compareNames, type HostFiles } from './host-files.ts';
import { type DirEntry, Inode, type NewInode, type SetAttr } from './inode.ts';
import { FifoInode } from './pipe.ts';
import { copyStat, RegularInode } from './regular.ts';
import type { SuperBlock } from './super-block.ts';
import { dropLink, exchanged, newNode, SocketNodeInode, SymlinkInode } from './tmpfs.ts';

/** Marks of `--upper`: a deleted name, and a directory that hides the lower one. As aufs has them; overlayfs's own need root. */
export const WHITEOUT_PREFIX = '.wh.';
export const OPAQUE_MARK = '.wh..wh..opq';

/** What the directories of one overlay share. */
export interface OverlayLayers {
  readonly files: HostFiles;
  /** Inodes of host files with several names, by device and number. */
  readonly linked: Map<string, Inode>;
  /** Paths below `--upper` that the machine found or wrote there. */
  readonly known: Set<string>;
}

/** A name whose inode is made when somebody asks for it. */
interface Lazy {
  readonly hostPath: string;
  /** The lower directory's path too, when both layers have a directory of this name. */
  readonly lowerPath: string | undefined;
  readonly fromUpper: boolean;
}

const isLazy = (entry: Inode | Lazy): entry is Lazy => !(entry instanceof Inode);

/** A directory that the host has, or a new one with a mode. */
interface OverlayDirInit {
  readonly mode?: number;
  readonly stat?: Kstat;
  readonly upperPath?: string | undefined;
  readonly lowerPath?: string | undefined;
}

/** A directory of the overlay: fs/overlayfs/readdir.c and dir.c in one, over plain host directories. */
export class OverlayDirInode extends Inode {
  readonly layers: OverlayLayers;
  /** Host directories merged here, upper first. */
  readonly upperPath: string | undefined;
  readonly lowerPath: string | undefined;
  readonly lower: Kstat | undefined;
  /** Something below was changed: the upper layer has this directory. */
  upper: boolean;
  private merged: Map<string, Inode | Lazy> | undefined;
  /** Names of the lower directory. */
  private lowerSet: ReadonlySet<string> = new Set();

  constructor(sb: SuperBlock, layers: OverlayLayers, from: OverlayDirInit) {
    const { stat } = from;
    super(sb, S_IFDIR | ((stat?.mode ?? from.mode ?? 0o755) & 0o7777), stat?.ino ?? sb.newIno());
    this.layers = layers;
    this.lower = stat;
    this.upperPath = from.upperPath;
    this.lowerPath = from.lowerPath;
    this.upper = stat === undefined || this.upperPath !== undefined;
    if (stat !== undefined) copyStat(this, stat);
    else this.nlink = 2;
  }

  /** ovl_dir_read_merged(): all names, once. */
  entries(): Map<string, Inode | Lazy> {
    if (this.merged !== undefined) return this.merged;
    const entries = new Map<string, Inode | Lazy>();
    const { files } = this.layers;
    const upperNames = this.upperPath === undefined ? [] : (files.readdir(this.upperPath) ?? []);
    for (const name of upperNames) this.layers.known.add(`${this.upperPath}/${name}`);
    const whiteouts = new Set(upperNames.filter((n) => n.startsWith(WHITEOUT_PREFIX)).map((n) => n.slice(4)));
    const opaque = upperNames.includes(OPAQUE_MARK);
    const lowerNames =
      this.lowerPath === undefined || opaque ? [] : (files.readdir(this.lowerPath === '' ? '/' : this.lowerPath) ?? []);
    for (const name of lowerNames) {
      if (whiteouts.has(name)) continue;
      entries.set(name, { hostPath: `${this.lowerPath}/${name}`, lowerPath: undefined, fromUpper: false });
    }
    for (const name of upperNames) {
      if (name.startsWith(WHITEOUT_PREFIX)) continue;
      const below = entries.get(name);
      entries.set(name, {
        hostPath: `${this.upperPath}/${name}`,
        lowerPath: below === undefined ? undefined : `${this.lowerPath}/${name}`,
        fromUpper: true,
      });
    }
    this.lowerSet = new Set(lowerNames);
    this.merged = entries;
    return entries;
  }

  /** What was made or looked at; the rest is as the host has it. */
  loaded(): [string, Inode][] {
    return [...(this.merged ?? [])].filter((entry): entry is [string, Inode] => !isLazy(entry[1]));
  }

  /** Names that need a whiteout when they are gone. */
  lowerNames(): ReadonlySet<string> {
    this.entries();
    return this.lowerSet;
  }

  override lookup(name: string): Inode | undefined {
    const entry = this.entries().get(name);
    if (entry === undefined || !isLazy(entry)) return entry;
    const inode = this.instantiate(entry);
    if (inode === undefined) this.entries().delete(name);
    else this.entries().set(name, inode);
    return inode;
  }

  /** ovl_get_inode(): from the host's lstat, never through a symbolic link. */
  private instantiate(entry: Lazy): Inode | undefined {
    const { files, linked } = this.layers;
    const stat = files.lstat(entry.hostPath);
    if (stat === undefined) return undefined;
    const type = stat.mode & S_IFMT;
    const key = `${stat.dev}:${stat.ino}`;
    if (type !== S_IFDIR && stat.nlink > 1) {
      const known = linked.get(key);
      if (known !== undefined) return known;
    }
    const inode = this.fromHost(entry, stat, type);
    if (inode !== undefined && type !== S_IFDIR && stat.nlink > 1) linked.set(key, inode);
    return inode;
  }

  private fromHost(entry: Lazy, stat: Kstat, type: number): Inode | undefined {
    const { files } = this.layers;
    let inode: Inode;
    switch (type) {
      case S_IFREG: {
        const source = { files, path: entry.hostPath, dev: stat.dev, ino: stat.ino };
        const regular = new RegularInode(this.sb, stat.mode, { stat, source });
        regular.upper = entry.fromUpper;
        regular.upperPath = entry.fromUpper ? entry.hostPath : undefined;
        return regular;
      }
      case S_IFDIR: {
        const paths = entry.fromUpper
          ? { upperPath: entry.hostPath, lowerPath: this.lowerDir(entry) }
          : { upperPath: undefined, lowerPath: entry.hostPath };
        return new OverlayDirInode(this.sb, this.layers, { stat, ...paths });
      }
      case S_IFLNK:
        inode = new LowerSymlinkInode(this.sb, files.readlink(entry.hostPath) ?? '', stat);
        (inode as SymlinkInode).upper = entry.fromUpper;
        break;
      case S_IFIFO:
        inode = new FifoInode(this.sb, stat.mode, stat.ino);
        break;
      case S_IFSOCK:
        inode = new SocketNodeInode(this.sb, stat.mode, stat.ino);
        break;
      case S_IFCHR:
      case S_IFBLK:
        inode = new DeviceInode(this.sb, stat.mode, stat.rdev, stat.ino);
        break;
      default:
        return undefined;
    }
    copyStat(inode, stat);
    return inode;
  }

  private lowerDir(entry: Lazy): string | undefined {
    if (entry.lowerPath === undefined) return undefined;
    const stat = this.layers.files.lstat(entry.lowerPath);
    return stat !== undefined && (stat.mode & S_IFMT) === S_IFDIR ? entry.lowerPath : undefined;
  }

  override readdir(): DirEntry[] {
    const out: DirEntry[] = [];
    for (const name of [...this.entries().keys()].sort(compareNames)) {
      const inode = this.lookup(name);
      if (inode !== undefined) out.push({ name, ino: inode.ino, mode: inode.mode });
    }
    return out;
  }

  override create(name: string, init: NewInode): Inode | number {
    if (name.startsWith(WHITEOUT_PREFIX)) return -EPERM;
    if (this.lookup(name) !== undefined) return -EEXIST;
    const inode = newNode(this.sb, init, () => new OverlayDirInode(this.sb, this.layers, { mode: init.mode }));
    if (typeof inode === 'number') return inode;
    this.entries().set(name, inode);
    if (inode.isDir()) this.nlink++;
    this.upper = true;
    this.touchMtime();
    return inode;
  }

  override link(name: string, target: Inode): number {
    if (target.isDir() || name.startsWith(WHITEOUT_PREFIX)) return -EPERM;
    this.entries().set(name, target);
    target.nlink++;
    target.ctime = this.sb.currentTime();
    this.upper = true;
    if (target instanceof RegularInode) target.upper = true;
    this.touchMtime();
    return 0;
  }

  override unlink(name: string, child: Inode): number {
    if (child.opens > 0 && child instanceof RegularInode && child.upperPath !== undefined) child.content.load();
    this.entries().delete(name);
    dropLink(this, child);
    this.upper = true;
    this.touchMtime();
    return 0;
  }

  override isEmptyDir(): boolean {
    return this.entries().size === 0;
  }

  override rename(from: Inode, oldName: string, newName: string, child: Inode): number {
    if (!(from instanceof OverlayDirInode)) return -EXDEV;
    if (newName.startsWith(WHITEOUT_PREFIX)) return -EPERM;
    const replaced = this.lookup(newName);
    if (replaced !== undefined) {
      if (replaced.isDir() && !replaced.isEmptyDir()) return -ENOTEMPTY;
      dropLink(this, replaced);
    }
    from.entries().delete(oldName);
    this.entries().set(newName, child);
    if (child.isDir()) {
      from.nlink--;
      this.nlink++;
    }
    this.upper = true;
    from.upper = true;
    markMoved(child);
    from.touchMtime();
    this.touchMtime();
    child.ctime = this.sb.currentTime();
    return 0;
  }

  override exchange(from: Inode, oldName: string, newName: string): number {
    if (!(from instanceof OverlayDirInode)) return -EXDEV;
    const one = from.lookup(oldName)!;
    const other = this.lookup(newName)!;
    from.entries().set(oldName, other);
    this.entries().set(newName, one);
    exchanged(from, one, this, other);
    for (const inode of [one, other]) markMoved(inode);
    this.upper = true;
    from.upper = true;
    return 0;
  }

  override setattr(attr: SetAttr): number {
    this.upper = true;
    return super.setattr(attr);
  }

  override stat(): Kstat {
    const stat = super.stat();
    if (this.lower === undefined) return { ...stat, size: 4096, blocks: 8 };
    const { dev, blksize, blocks, size } = this.lower;
    return { ...stat, dev, blksize, blocks, size };
  }
}

/** Unlike Linux: overlayfs of 4.7 refuses to rename a directory of the lower layer (EXDEV); here it moves as a whole. */
function markMoved(moved: Inode): void {
  const rest = [moved];
  for (let inode = rest.pop(); inode !== undefined; inode = rest.pop()) {
    if (inode instanceof RegularInode) {
      inode.upper = true;
      inode.unflushed = true;
      if (inode.upperPath !== undefined) inode.content.load();
    }
    if (inode instanceof SymlinkInode) inode.upper = true;
    if (!(inode instanceof OverlayDirInode)) continue;
    inode.upper = true;
    for (const name of inode.entries().keys()) {
      const child = inode.lookup(name);
      if (child !== undefined) rest.push(child);
    }
  }
}

/** A symbolic link of the host's directory: its text is resolved by our walk, inside of the root. */
class LowerSymlinkInode extends SymlinkInode {
  readonly lower: Kstat;

  constructor(sb: SuperBlock, target: string, stat: Kstat) {
    super(sb, target, stat.ino);
    this.mode = stat.mode;
    this.lower = stat;
  }
  override stat(): Kstat {
    const { dev, blksize, blocks } = this.lower;
    return { ...super.stat(), dev, blksize, blocks };
  }
}

/** The host's path of a layer, resolved once by the host and without a slash at the end: the user named it. */
export function mountSource(path: string): string {
  const real = fs.realpathSync(path);
  return real === '/' ? '' : real;
}
