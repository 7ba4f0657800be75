/** vFile over the guest's file system: gdb sees the files, and the /proc, that a process of the machine sees. */
import { EBADF, EINVAL, EISDIR, EMFILE, ENOENT } from '../../linux/abi/errno.ts';
import { O_LARGEFILE } from '../../linux/abi/fcntl.ts';
import { do_unlinkat } from '../../linux/fs/dir-ops.ts';
import { type File, fput } from '../../linux/fs/file.ts';
import type { Kernel } from '../../linux/kernel.ts';
import type { Task } from '../../linux/task/task.ts';
import type { FileStat, TargetFiles } from '../target.ts';

const MOST_OPEN = 64;
const SECOND = 1_000_000_000n;

/** A file that is in no file system of the guest: an image of the machine's vDSO, under VDSO_PREFIX. */
class MachineFile {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** `/@vdso/32`: for gdb, when the header of a mapped vDSO is gone (CRIU writes its mark over it). */
export const VDSO_PREFIX = '/@vdso/';

const PLAIN_FILE: FileStat = {
  dev: 0,
  ino: 0,
  mode: 0o100444,
  nlink: 1,
  uid: 0,
  gid: 0,
  rdev: 0,
  size: 0,
  blksize: 4096,
  blocks: 0,
  atime: 0,
  mtime: 0,
  ctime: 0,
};

export class LinuxFiles implements TargetFiles {
  readonly #kernel: Kernel;
  readonly #leader: (pid: number) => Task | undefined;
  readonly #open = new Map<number, File | MachineFile>();

  /** @param leader the first thread of a process; undefined for 0 */
  constructor(kernel: Kernel, leader: (pid: number) => Task | undefined) {
    this.#kernel = kernel;
    this.#leader = leader;
  }

  open(pid: number, path: string, flags: number, mode: number): number {
    if (this.#open.size >= MOST_OPEN) return -EMFILE;
    const file = path.startsWith(VDSO_PREFIX)
      ? this.#vdso(path.slice(VDSO_PREFIX.length))
      : this.#kernel.vfs.openAs(this.#leader(pid), path, flags | O_LARGEFILE, mode);
    if (typeof file === 'number') return file;
    if (!(file instanceof MachineFile) && file.inode.isDir()) {
      fput(file);
      return -EISDIR;
    }
    let fd = 3;
    while (this.#open.has(fd)) fd++;
    this.#open.set(fd, file);
    return fd;
  }

  #vdso(kind: string): MachineFile | number {
    const { image64, image32, imageX32 } = this.#kernel.vdso;
    const image = [image64, image32, imageX32].find((each) => each?.kind === kind);
    return image ? new MachineFile(image.bytes) : -ENOENT;
  }

  close(fd: number): number {
    const file = this.#open.get(fd);
    if (!file) return -EBADF;
    this.#open.delete(fd);
    if (file instanceof MachineFile) return 0;
    if (file.writable) this.#kernel.vfs.flush(file);
    fput(file);
    return 0;
  }

  pread(fd: number, count: number, offset: number): Uint8Array | number {
    const file = this.#open.get(fd);
    if (file instanceof MachineFile) return file.bytes.subarray(offset, offset + count);
    if (!file?.readable) return -EBADF;
    if (!file.inode.seekable()) return -EINVAL;
    return file.inode.read(file, offset, count);
  }

  pwrite(fd: number, bytes: Uint8Array, offset: number): number {
    const file = this.#open.get(fd);
    if (file instanceof MachineFile || !file?.writable) return -EBADF;
    return file.inode.seekable() ? file.inode.write(file, offset, bytes) : -EINVAL;
  }

  fstat(fd: number): FileStat | number {
    const file = this.#open.get(fd);
    if (!file) return -EBADF;
    if (file instanceof MachineFile) return { ...PLAIN_FILE, size: file.bytes.length };
    const stat = file.inode.stat();
    return {
      ...stat,
      dev: Number(stat.dev),
      ino: Number(BigInt.asUintN(32, stat.ino)),
      rdev: Number(stat.rdev),
      atime: Number(stat.atime / SECOND),
      mtime: Number(stat.mtime / SECOND),
      ctime: Number(stat.ctime / SECOND),
    };
  }

  readlink(pid: number, path: string): string | number {
    const task = this.#leader(pid);
    const { vfs } = this.#kernel;
    const dentry = vfs.lookup(vfs.rootContext(task), path, { follow: false });
    if (typeof dentry === 'number') return dentry;
    return dentry.inode.isLink() ? dentry.inode.readlink() : -EINVAL;
  }

  unlink(pid: number, path: string): number {
    const ctx = this.#kernel.vfs.rootContext(this.#leader(pid));
    return do_unlinkat(ctx, ctx.root, path);
  }

  closeAll(): void {
    for (const fd of [...this.#open.keys()]) this.close(fd);
  }
}
