/**
 * The host's files under the model's file system. All access to `--root` goes through `HostFiles`, which only reads:
 * it is given names that our own walk made out of real directory entries, and opens with O_NOFOLLOW, so the host's
 * symbolic links lead nowhere. Its descriptors are a cache beside the machine's state.
 */

import fs from 'node:fs';
import { decodeName, hostPath } from '../abi/names.ts';
import type { Kstat } from '../abi/stat.ts';

/** A regular file of the host, and which one it was when it was looked up. */
export interface HostSource {
  readonly files: HostFiles;
  readonly path: string;
  readonly dev: bigint;
  readonly ino: bigint;
}

const MAX_OPEN = 64;

export class HostFiles {
  readonly #fds = new Map<string, number>();

  /** lstat(2) of the host; undefined when there is no such file. */
  lstat(path: string): Kstat | undefined {
    let st: fs.BigIntStats | undefined;
    try {
      st = fs.lstatSync(hostPath(path), { bigint: true, throwIfNoEntry: false });
    } catch {
      return undefined;
    }
    if (st === undefined) return undefined;
    return {
      dev: st.dev,
      ino: st.ino,
      mode: Number(st.mode),
      nlink: Number(st.nlink),
      uid: Number(st.uid),
      gid: Number(st.gid),
      rdev: st.rdev,
      size: Number(st.size),
      blksize: Number(st.blksize),
      blocks: Number(st.blocks),
      // Unlike Linux: the host's access time depends on who read the file before, so the guest sees that of the last change.
      atime: st.mtimeNs,
      mtime: st.mtimeNs,
      ctime: st.ctimeNs,
    };
  }

  readlink(path: string): string | undefined {
    try {
      return decodeName(fs.readlinkSync(hostPath(path), 'buffer'));
    } catch {
      return undefined;
    }
  }

  /** The names in a directory, sorted; undefined when it cannot be read. */
  readdir(path: string): string[] | undefined {
    try {
      return fs.readdirSync(hostPath(path), 'buffer').map(decodeName).sort(compareNames);
    } catch {
      return undefined;
    }
  }

  /** Reads bytes of a regular file; `false` when the host refuses, or has another file there now. Fewer bytes than asked leave the rest as it is. */
  pread(source: HostSource, into: Uint8Array, pos: number): boolean {
    const fd = this.#open(source);
    if (fd === undefined) return false;
    try {
      for (let done = 0; done < into.length; ) {
        const n = fs.readSync(fd, into, done, into.length - done, pos + done);
        if (n === 0) break;
        done += n;
      }
    } catch {
      return false;
    }
    return true;
  }

  #open({ path, dev, ino }: HostSource): number | undefined {
    const known = this.#fds.get(path);
    if (known !== undefined) return known;
    let fd: number;
    try {
      fd = fs.openSync(hostPath(path), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
    } catch {
      return undefined;
    }
    const stat = fs.fstatSync(fd, { bigint: true });
    if (stat.dev !== dev || stat.ino !== ino) {
      fs.closeSync(fd);
      return undefined;
    }
    if (this.#fds.size >= MAX_OPEN) {
      const [oldest, oldFd] = this.#fds.entries().next().value!;
      this.#fds.delete(oldest);
      fs.closeSync(oldFd);
    }
    this.#fds.set(path, fd);
    return fd;
  }

  close(): void {
    for (const fd of this.#fds.values()) fs.closeSync(fd);
    this.#fds.clear();
  }
}

/** Order of bytes, as in the C locale. */
export const compareNames = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
