import { Dentry } from '../../linux/fs/dentry.ts';
import { alloc_file, type File } from '../../linux/fs/file.ts';
import { RegularInode } from '../../linux/fs/regular.ts';
import type { Kernel } from '../../linux/kernel.ts';
import type { ImageDir } from '../image-dir.ts';
import { readPages } from '../pagemap.ts';

/** Larger memory files than this are taken for a mistake. */
const MAX_SIZE = 2n ** 32n;

/** memfd.img: memory that has a descriptor, and shared anonymous memory. criu/memfd.c. */
export class RestoredMemfds {
  private readonly kernel: Kernel;
  private readonly dir: ImageDir;
  private readonly inodes = new Map<bigint, Dentry>();

  constructor(kernel: Kernel, dir: ImageDir) {
    this.kernel = kernel;
    this.dir = dir;
  }

  /** An open file of the inode with this id, which is made and filled the first time; undefined: no such inode. */
  open(id: number, flags: number): File | undefined {
    const dentry = this.inodes.get(BigInt(id)) ?? this.make(BigInt(id));
    return dentry === undefined ? undefined : alloc_file(dentry, flags);
  }

  private make(id: bigint): Dentry | undefined {
    const entries = this.dir.memfds();
    const index = entries.findIndex((each) => each.inode_id === id);
    const entry = entries[index];
    if (entry === undefined) {
      return undefined;
    }
    const fail = (message: string): never => this.dir.fail('memfd.img', `${entry.name}: ${message}`, index);
    if (entry.size > MAX_SIZE) {
      fail(`${entry.size} bytes`);
    }
    const inode = new RegularInode(this.kernel.vfs.shm, (entry.mode ?? 0o777) & 0o7777);
    inode.nlink = 0;
    inode.uid = entry.uid;
    inode.gid = entry.gid;
    const pages = this.dir.sharedPages(entry.shmid);
    inode.truncate(Number(entry.size));
    for (const run of pages.runs) {
      const size = Math.min(run.pages * 4096, Number(entry.size) - run.address);
      if (size <= 0) {
        fail(`a page at ${run.address}, behind its end`);
      }
      inode.content.write(run.address, readPages(pages, run.address, size));
    }
    inode.seals = entry.seals;
    const name = entry.name === '/dev/zero' ? entry.name : `/memfd:${entry.name}`;
    const dentry = new Dentry(`${name} (deleted)`, undefined, inode);
    this.inodes.set(id, dentry);
    return dentry;
  }
}
