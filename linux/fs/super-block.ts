import type { PhysicalMemory } from '../../cpu/physical-memory.ts';
import type { CoreState } from '../coredump/corename.ts';
import type { Task } from '../task/task.ts';
import type { AddressSpace } from './address-space.ts';
import type { File } from './file.ts';
import type { InetSocketInode } from './inet-socket.ts';
import type { Inode } from './inode.ts';
import type { LockOwner } from './locks.ts';
import type { UnixSocketInode } from './unix-socket.ts';

/** What the file system needs of the kernel; `Kernel` has it all, tests give less. */
export interface FsKernel {
  readonly cpu: { readonly memory: PhysicalMemory };
  /** Who maps which frame; without it nothing maps files. */
  readonly frames?: { releaseCache(frame: number): void; count(frame: number): number };
  readonly tasks: ReadonlyMap<number, Task>;
  /** Whose call is under way. */
  readonly current?: Task | undefined;
  /** CLOCK_REALTIME at boot, nanoseconds since the epoch. */
  readonly bootEpochNs: number | bigint;
  /** Nanoseconds since boot. */
  now(): number;
  /** What files of /proc/sys/kernel show and set. */
  lastPid?: number;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly options?: { readonly release?: string };
  readonly coreState?: CoreState;
  /** Calls the handlers of the tasks that wait on this channel again. */
  wake(channel: string): void;
}

/** The `Vfs` as its superblocks see it. */
export interface SuperBlockOwner {
  readonly kernel: FsKernel;
  /** Brings a closed file's bytes to the host. */
  flush(file: File): number;
  /** Bound sockets: abstract names in hex, and `ino:DEV:INO` of names in a directory. */
  readonly unixSockets: Map<string, UnixSocketInode>;
  /** Sockets of the internet families that have a port. */
  readonly inetSockets: Set<InetSocketInode>;
  /** The last port that a bind without one got. */
  lastPort: number;
  /** inotify's watches. */
  watches: number;
  /** What ties the two events of a rename together. */
  lastCookie: number;
  /** How many locks there are, of all inodes. */
  lockCount: number;
  /** Inodes with locks. */
  readonly locked: Set<Inode>;
  /** For whom the owners of record locks wait. */
  readonly lockWaits: Map<LockOwner, LockOwner>;
  /** Page caches with pages that could be read again. */
  readonly cached: Set<AddressSpace>;
  /** Pages of all page caches. */
  filePages: number;
  /** Gives back what the host has too. @returns whether frames came back */
  shrink(): boolean;
  /** files_stat.nr_files: open files. */
  openFiles: number;
  /** Inodes that guests made and that are not gone. */
  inodes: number;
  readonly maxInodes: number;
  /** Bytes in pipes, sockets, message queues and extended attributes. */
  buffered: number;
  /** How many netlink sockets got a port so far. */
  netlinkPorts: number;
}

/** file-max, the inodes of all memory file systems, and the bytes in pipes, sockets, queues and attributes: what guests can make the server keep. */
export const MAX_OPEN_FILES = 100_000;
export const MAX_INODES = 262_144;
export const MAX_BUFFERED = 256 * 1024 * 1024;

/** Counts bytes that the server keeps for a guest outside of its memory. @returns whether there is room for them */
export function charge(owner: { buffered: number }, bytes: number): boolean {
  if (owner.buffered + bytes > MAX_BUFFERED) return false;
  owner.buffered += bytes;
  return true;
}

/** `struct super_block`, include/linux/fs.h. */
export class SuperBlock {
  /** Whoever knows the kernel: the `Vfs`, which learns it when the machine boots. */
  readonly owner: SuperBlockOwner;
  readonly dev: bigint;
  readonly magic: number;
  readonly fsType: string;
  /** Whether names may be remembered: not in procfs, where they come and go with the tasks. */
  readonly cacheable: boolean;
  nextIno: number;

  constructor(
    owner: SuperBlockOwner,
    init: { dev: bigint; magic: number; fsType: string; cacheable: boolean; firstIno?: number },
  ) {
    this.owner = owner;
    this.dev = init.dev;
    this.magic = init.magic;
    this.fsType = init.fsType;
    this.cacheable = init.cacheable;
    this.nextIno = init.firstIno ?? 1;
  }

  get kernel(): FsKernel {
    return this.owner.kernel;
  }

  /** Numbers go up in the order of creation, so they are the same in every run. */
  newIno(): bigint {
    return BigInt(this.nextIno++);
  }

  /** current_time(): CLOCK_REALTIME of the guest in nanoseconds. */
  currentTime(): bigint {
    return BigInt(this.kernel.bootEpochNs) + BigInt(Math.floor(this.kernel.now()));
  }
}

/** Before the kernel boots: no tasks, and the clock stands at zero. */
export function unboundKernel(cpu: FsKernel['cpu']): FsKernel {
  return { cpu, tasks: new Map(), bootEpochNs: 0, now: () => 0, wake: () => {} };
}
