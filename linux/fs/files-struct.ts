import { EBADF, EMFILE } from '../abi/errno.ts';
import { dnotify_flush } from './dnotify.ts';
import { type File, fput, get_file } from './file.ts';
import { removeLocks } from './locks.ts';

interface Descriptor {
  readonly file: File;
  cloexec: boolean;
}

const DENSE = 1024;

/** `struct files_struct`, include/linux/fdtable.h: a task's (or with CLONE_FILES several tasks') descriptors. */
export class FilesStruct {
  readonly fds: (Descriptor | undefined)[] = [];
  /** next_fd: below it none is free. */
  private next = 0;
  /** Tasks that share it. */
  count = 1;

  /** fget(): the open file of a descriptor. */
  get(fd: number): File | undefined {
    return this.fds[fd]?.file;
  }

  cloexec(fd: number): boolean {
    return this.fds[fd]?.cloexec ?? false;
  }
  setCloexec(fd: number, on: boolean): void {
    const descriptor = this.fds[fd];
    if (descriptor !== undefined) descriptor.cloexec = on;
  }

  /** get_unused_fd_flags() and fd_install(): takes over the caller's reference. `limit` is RLIMIT_NOFILE. */
  install(file: File, options: { from?: number; cloexec?: boolean; limit?: number } = {}): number {
    const from = options.from ?? 0;
    let fd = Math.max(from, this.next);
    while (this.fds[fd] !== undefined) fd++;
    if (fd >= (options.limit ?? 1024 * 1024)) return -EMFILE;
    if (from <= this.next) this.next = fd + 1;
    this.put(fd, file, options.cloexec ?? false);
    return fd;
  }

  /** do_dup2(): what stood at `fd` is closed. Takes over the caller's reference. */
  installAt(fd: number, file: File, cloexec = false): void {
    const old = this.fds[fd]?.file;
    this.put(fd, file, cloexec);
    if (old !== undefined) this.drop(old);
  }

  private put(fd: number, file: File, cloexec: boolean): void {
    // Far beyond the others V8 keeps the array as a table, which costs by entry.
    if (fd - this.fds.length < DENSE) while (this.fds.length < fd) this.fds.push(undefined);
    this.fds[fd] = { file, cloexec };
  }

  /** __close_fd(), fs/file.c. */
  close(fd: number): number {
    const file = this.fds[fd]?.file;
    if (file === undefined) return -EBADF;
    this.fds[fd] = undefined;
    if (fd < this.next) this.next = fd;
    return this.drop(file);
  }

  /** filp_close(): the process's record locks on the file go with any of its descriptors. */
  private drop(file: File): number {
    removeLocks(file.inode, this);
    if (file.inode.dnotify.length > 0) dnotify_flush(file, this);
    return closeFile(file);
  }

  /** Descriptors in use, ascending. */
  *numbers(): IterableIterator<number> {
    const used: number[] = [];
    // Gaps are not visited.
    this.fds.forEach((descriptor, fd) => {
      if (descriptor !== undefined) used.push(fd);
    });
    yield* used;
  }

  /** dup_fd(): for fork without CLONE_FILES, and for exec and unshare of a shared table. */
  clone(): FilesStruct {
    const copy = new FilesStruct();
    for (const fd of this.numbers()) {
      const { file, cloexec } = this.fds[fd]!;
      copy.put(fd, get_file(file), cloexec);
    }
    return copy;
  }

  /** CLONE_FILES */
  share(): FilesStruct {
    this.count++;
    return this;
  }

  /** put_files_struct(): at exit; the last user closes all. */
  release(): void {
    if (--this.count > 0) return;
    for (const fd of [...this.numbers()]) this.close(fd);
  }

  /** do_close_on_exec(), fs/file.c. */
  closeOnExec(): void {
    for (const fd of [...this.numbers()]) if (this.cloexec(fd)) this.close(fd);
  }
}

/** filp_close(): flushes and drops one reference. */
export function closeFile(file: File): number {
  const error = file.inode.flush(file);
  fput(file);
  return error;
}
