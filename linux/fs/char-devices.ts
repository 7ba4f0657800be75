import { EIO, ENOSPC } from '../abi/errno.ts';
import { makedev, S_IFBLK, S_IFCHR } from '../abi/stat.ts';
import type { File } from './file.ts';
import { Inode } from './inode.ts';
import { PtmxInode } from './pty.ts';
import type { RandomPool } from './random.ts';
import type { SuperBlock } from './super-block.ts';
import { MemoryDirInode, SymlinkInode } from './tmpfs.ts';

/** drivers/char/mem.c and random.c: the devices that need no state but the random generator's. */
type MemDevice = 'null' | 'zero' | 'full' | 'random';

/** A character device of /dev. */
export class MemDeviceInode extends Inode {
  readonly device: MemDevice;
  readonly random: RandomPool;

  constructor(sb: SuperBlock, device: MemDevice, minor: number, random: RandomPool) {
    super(sb, S_IFCHR | 0o666);
    this.device = device;
    this.rdev = makedev(1, minor);
    this.random = random;
  }

  override read(_file: File, _pos: number, count: number): Uint8Array {
    if (this.device === 'null') return new Uint8Array(0);
    return this.device === 'random' ? this.random.bytes(count) : new Uint8Array(count);
  }
  override write(_file: File, _pos: number, bytes: Uint8Array): number {
    return this.device === 'full' ? -ENOSPC : bytes.length;
  }
  /** null_lseek(): a position is kept, though it means nothing. */
  override seekable(): boolean {
    return true;
  }
  /** mmap(2) of /dev/zero gives anonymous memory. */
  override mmapable(): boolean {
    return this.device === 'zero';
  }
}

/** A device that exists by name only. */
export class AbsentDeviceInode extends Inode {
  constructor(sb: SuperBlock, kind: 'char' | 'block', major: number, minor: number, mode: number) {
    super(sb, (kind === 'char' ? S_IFCHR : S_IFBLK) | mode);
    this.rdev = makedev(major, minor);
  }
  override open(): number {
    return -EIO;
  }
}

/** devtmpfs: what the machine's /dev holds. */
export function devtmpfs(sb: SuperBlock, random: RandomPool): MemoryDirInode {
  const root = new MemoryDirInode(sb, 0o755);
  const devices: readonly (readonly [string, MemDevice, number])[] = [
    ['null', 'null', 3],
    ['zero', 'zero', 5],
    ['full', 'full', 7],
    ['random', 'random', 8],
    ['urandom', 'random', 9],
  ];
  for (const [name, device, minor] of devices) root.add(name, new MemDeviceInode(sb, device, minor, random));
  root.add('fd', new SymlinkInode(sb, '/proc/self/fd'));
  root.add('stdin', new SymlinkInode(sb, '/proc/self/fd/0'));
  root.add('stdout', new SymlinkInode(sb, '/proc/self/fd/1'));
  root.add('stderr', new SymlinkInode(sb, '/proc/self/fd/2'));
  root.add('shm', new MemoryDirInode(sb, 0o1777));
  root.add('ptmx', new PtmxInode(sb));
  root.add('pts', new MemoryDirInode(sb, 0o755));
  return root;
}
