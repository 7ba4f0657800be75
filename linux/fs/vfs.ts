import {
  EACCES,
  EEXIST,
  EINVAL,
  EIO,
  EISDIR,
  ELOOP,
  ENOENT,
  ENOTDIR,
  ENXIO,
  EOVERFLOW,
  ETXTBSY,
} from '../abi/errno.ts';
import {
  MAX_NON_LFS,
  O_ACCMODE,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_LARGEFILE,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TMPFILE,
  O_TRUNC,
} from '../abi/fcntl.ts';
import { type Kstat, S_IFMT, S_IFREG } from '../abi/stat.ts';
import {
  MQUEUE_MAGIC,
  OVERLAYFS_SUPER_MAGIC,
  PIPEFS_MAGIC,
  SOCKFS_MAGIC,
  SYSFS_MAGIC,
  TMPFS_MAGIC,
} from '../abi/statfs.ts';
import type { Task } from '../task/task.ts';
import type { AddressSpace } from './address-space.ts';
import { AbsentDeviceInode, devtmpfs } from './char-devices.ts';
import { Dentry } from './dentry.ts';
import { DeviceInode } from './device-node.ts';
import { alloc_file, type File } from './file.ts';
import { HostFiles } from './host-files.ts';
import { type HostIo, HostStreamInode, noHostIo } from './host-stream.ts';
import type { InetSocketInode } from './inet-socket.ts';
import { type Inode, inode_permission, MAY_EXEC, MAY_READ, MAY_WRITE } from './inode.ts';
import { fsnotify, fsnotifyName, IN_CREATE, IN_MODIFY, IN_OPEN } from './inotify.ts';
import type { LockOwner } from './locks.ts';
import type { MqueueInode } from './mqueue.ts';
import { type Found, type LookupContext, lookupPath, type WalkOptions, walk } from './namei.ts';
import { mountSource, OverlayDirInode } from './overlay.ts';
import { procfs } from './proc/proc.ts';
import { PtmxInode, ptmx_open } from './pty.ts';
import { RandomPool } from './random.ts';
import { RegularInode } from './regular.ts';
import { type FsKernel, MAX_INODES, SuperBlock, unboundKernel } from './super-block.ts';
import { MemoryDirInode, TextInode } from './tmpfs.ts';
import { TtyInode } from './tty.ts';
import type { UnixSocketInode } from './unix-socket.ts';
import { flushFile, syncUpper } from './upper.ts';

/** Flags of open(2) that an open file does not keep. */
const STRIPPED = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC;

export interface VfsOptions {
  readonly cpu: FsKernel['cpu'];
  /** The host's directory that the guest sees as `/`; it is only read. Without it the root is empty. */
  readonly root?: string | undefined;
  /** The host's directory for what the guest writes; without it that stays in memory. */
  readonly upper?: string | undefined;
  readonly io?: HostIo | undefined;
  readonly seed?: bigint | undefined;
  /** How many inodes guests can make. */
  readonly maxInodes?: number | undefined;
}

/** All file systems of the machine: the overlay of `--root` and `--upper`, /proc, /dev, /sys, pipes. */
export class Vfs {
  kernel: FsKernel;
  readonly files = new HostFiles();
  readonly io: HostIo;
  readonly root: Dentry;
  readonly rootDir: OverlayDirInode;
  readonly upper: string | undefined;
  /** Superblock of pipes, sockets and other inodes without a name. */
  readonly anon: SuperBlock;
  readonly pipefs: SuperBlock;
  /** The tmpfs of memfds and shared anonymous memory. */
  readonly shm: SuperBlock;
  readonly sockfs: SuperBlock;
  readonly mqueuefs: SuperBlock;
  /** POSIX message queues by name. */
  readonly mqueues = new Map<string, MqueueInode>();
  readonly unixSockets = new Map<string, UnixSocketInode>();
  readonly inetSockets = new Set<InetSocketInode>();
  lastPort = 32767;
  netlinkPorts = 0;
  readonly cached = new Set<AddressSpace>();
  lockCount = 0;
  readonly locked = new Set<Inode>();
  readonly lockWaits = new Map<LockOwner, LockOwner>();
  watches = 0;
  lastCookie = 0;
  openFiles = 0;
  filePages = 0;
  inodes = 0;
  readonly maxInodes: number;
  buffered = 0;
  readonly random: RandomPool;
  readonly dev: MemoryDirInode;
  /** /dev/pts: the host's terminal is 0. */
  readonly pts: MemoryDirInode;
  readonly streams = new Map<number, HostStreamInode>();

  constructor(options: VfsOptions) {
    this.kernel = unboundKernel(options.cpu);
    this.io = options.io ?? noHostIo;
    this.upper = options.upper;
    this.maxInodes = options.maxInodes ?? MAX_INODES;
    this.random = new RandomPool(options.seed ?? 0n);
    this.pipefs = this.superBlock(8, PIPEFS_MAGIC, 'pipefs', 4096);
    this.sockfs = this.superBlock(7, SOCKFS_MAGIC, 'sockfs', 8192);
    this.shm = this.superBlock(5, TMPFS_MAGIC, 'tmpfs', 1024);
    this.mqueuefs = this.superBlock(0xb, MQUEUE_MAGIC, 'mqueue', 1024);
    this.anon = this.superBlock(9, TMPFS_MAGIC, 'anon_inodefs', 1024);
    const overlay = this.superBlock(0x15, OVERLAYFS_SUPER_MAGIC, 'overlay', 0x70000000);
    this.rootDir = this.makeRoot(overlay, options);
    this.root = new Dentry('/', undefined, this.rootDir);
    this.mount('proc', procfs(this, this.superBlock(4, 0x9fa0, 'proc', 4026531840, false)));
    const dev = devtmpfs(this.superBlock(6, TMPFS_MAGIC, 'devtmpfs', 2), this.random);
    dev.add('tty', new AbsentDeviceInode(dev.sb, 'char', 5, 0, 0o666));
    dev.add('console', new AbsentDeviceInode(dev.sb, 'char', 5, 1, 0o600));
    this.pts = dev.lookup('pts') as MemoryDirInode;
    this.dev = dev;
    this.mount('dev', dev);
    this.mount('sys', sysfs(this.superBlock(0x13, SYSFS_MAGIC, 'sysfs', 1)));
  }

  /** The kernel's clock, tasks and wake-ups; before it boots there are none. */
  bind(kernel: FsKernel): void {
    this.kernel = kernel;
    kernel.cpu.memory.shrinker = () => this.shrink();
  }

  /** shrink_slab() and shrink_inactive_list(): page caches of files that the host has. @returns whether frames came back */
  shrink(): boolean {
    let freed = 0;
    for (const content of this.cached) freed += content.shrink();
    return freed > 0;
  }

  superBlock(minor: number, magic: number, fsType: string, firstIno: number, cacheable = true): SuperBlock {
    return new SuperBlock(this, { dev: BigInt(minor), magic, fsType, cacheable, firstIno });
  }

  private makeRoot(sb: SuperBlock, options: VfsOptions): OverlayDirInode {
    const layers = { files: this.files, linked: new Map<string, Inode>(), known: new Set<string>() };
    const lowerPath = options.root === undefined ? undefined : mountSource(options.root);
    const upperPath = options.upper === undefined ? undefined : mountSource(options.upper);
    const stat = lowerPath === undefined ? undefined : this.files.lstat(lowerPath === '' ? '/' : lowerPath);
    if (stat === undefined) return new OverlayDirInode(sb, layers, { mode: 0o755, upperPath });
    return new OverlayDirInode(sb, layers, { stat, upperPath, lowerPath });
  }

  /**
   * Mounts on a name of the root. The name is not listed unless the root directory has it; the mounted root then looks
   * as the directory below it does, so that `ls -l /` prints what it prints on the host.
   */
  private mount(name: string, dir: Inode): void {
    const below = this.rootDir.lookup(name);
    const dentry = new Dentry(name, this.root, dir);
    if (below instanceof OverlayDirInode && below.lower !== undefined) {
      const { mode, nlink, uid, gid, atime, mtime, ctime } = below;
      Object.assign(dir, { mode, nlink, uid, gid, atime, mtime, ctime });
      if (dir instanceof MemoryDirInode) dir.covered = below.lower;
    }
    this.root.mounts.set(name, dentry);
  }

  /** CLOCK_REALTIME for a machine whose first moment is to follow from its input: the newest change in the root directory. */
  newestChange(): bigint {
    let newest = 0n;
    for (const inode of [this.rootDir, ...this.rootDir.readdir().map((e) => this.rootDir.lookup(e.name))]) {
      if (inode === undefined) continue;
      if (inode.mtime > newest) newest = inode.mtime;
      if (inode.ctime > newest) newest = inode.ctime;
    }
    return newest;
  }

  /** The view of a task. */
  context(task: Task): LookupContext {
    const { root, cwd, umask } = task.fs;
    return { root, cwd, umask, cred: task.cred, task };
  }
  /** The view of the server: everything from the machine's root; `/proc/self` is `task`. */
  rootContext(task?: Task): LookupContext {
    return { root: this.root, cwd: this.root, umask: 0, task };
  }

  lookup(ctx: LookupContext, path: string, options?: WalkOptions): Dentry | number {
    return lookupPath(ctx, path, options);
  }
  stat(ctx: LookupContext, path: string, follow = true): Kstat | number {
    const dentry = lookupPath(ctx, path, { follow });
    return typeof dentry === 'number' ? dentry : dentry.inode.stat();
  }

  /** Opens for gdb or the restore: no system call, no descriptor. `task` gives root directory and /proc/self only. */
  openAs(task: Task | undefined, path: string, flags: number, mode = 0): File | number {
    const root = task?.fs.root ?? this.root;
    return this.open({ root, cwd: task?.fs.cwd ?? root, umask: 0, task }, path, flags, mode);
  }

  /** do_filp_open(), path_openat(), do_last(): fs/namei.c. */
  open(ctx: LookupContext, path: string, flags: number, mode = 0, start: Dentry = ctx.cwd): File | number {
    if ((flags & O_PATH) !== 0) flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | 0o2000000;
    if ((flags & O_TMPFILE) === O_TMPFILE) return this.openTmpfile(ctx, path, flags, mode, start);
    const creating = (flags & O_CREAT) !== 0;
    const follow = (flags & O_NOFOLLOW) === 0 && !(creating && (flags & O_EXCL) !== 0);
    const found = walk(ctx, start, path, { follow });
    if (typeof found === 'number') return found;
    let { dentry } = found;
    let created = false;
    if (dentry === undefined) {
      if (!creating) return -ENOENT;
      if (found.trailing) return -EISDIR;
      const made = this.create(ctx, found, S_IFREG | (mode & 0o7777 & ~(ctx.umask ?? 0)));
      if (typeof made === 'number') return made;
      dentry = made;
      created = true;
    } else if (creating) {
      if ((flags & O_EXCL) !== 0) return -EEXIST;
      if (dentry.inode.isDir()) return -EISDIR;
    }
    if (dentry.inode.isLink() && (flags & O_PATH) === 0) return -ELOOP;
    if ((flags & O_DIRECTORY) !== 0 && !dentry.inode.isDir()) return -ENOTDIR;
    return this.openDentry(ctx, dentry, flags, created);
  }

  private create(ctx: LookupContext, found: Found, mode: number): Dentry | number {
    const dir = found.parent.inode;
    const error = inode_permission(ctx.cred, dir, MAY_WRITE | MAY_EXEC);
    if (error < 0) return error;
    if (found.parent.unhashed) return -ENOENT;
    const inode = dir.create(found.name, { mode, uid: ctx.cred?.fsuid ?? 0, gid: ctx.cred?.fsgid ?? 0 });
    if (typeof inode === 'number') return inode === -1 ? -EACCES : inode;
    const dentry = new Dentry(found.name, found.parent, inode);
    if (dir.sb.cacheable) found.parent.children.set(found.name, dentry);
    fsnotifyName(dir, found.name, inode, IN_CREATE);
    return dentry;
  }

  private openTmpfile(ctx: LookupContext, path: string, flags: number, mode: number, start: Dentry): File | number {
    const dir = lookupPath(ctx, path, {}, start);
    if (typeof dir === 'number') return dir;
    if (!dir.inode.isDir()) return -ENOTDIR;
    if ((flags & O_ACCMODE) === O_RDONLY) return -EINVAL;
    const inode = new RegularInode(dir.inode.sb, mode & ~(ctx.umask ?? 0));
    inode.nlink = 0;
    const dentry = new Dentry(`#${inode.ino}`, dir, inode);
    dentry.unhashed = true;
    return alloc_file(dentry, flags);
  }

  /** may_open(), vfs_open(), handle_truncate(). */
  openDentry(ctx: LookupContext, dentry: Dentry, flags: number, created = false): File | number {
    const { inode } = dentry;
    const accmode = flags & O_ACCMODE;
    const pathOnly = (flags & O_PATH) !== 0;
    let truncated = false;
    if (!pathOnly) {
      const write = accmode !== O_RDONLY || (flags & O_TRUNC) !== 0;
      if (inode.isDir() && write) return -EISDIR;
      const mask = (accmode !== 1 ? MAY_READ : 0) | (write ? MAY_WRITE : 0);
      const error = created ? 0 : inode_permission(ctx.cred, inode, mask);
      if (error < 0) return error;
      if (write && inode.isReg() && this.isRunning(inode)) return -ETXTBSY;
      if ((flags & O_LARGEFILE) === 0 && inode.isReg() && inode.size > MAX_NON_LFS) return -EOVERFLOW;
      if ((flags & O_TRUNC) !== 0 && inode.isReg() && !created) {
        const failed = inode.truncate(0);
        if (failed < 0) return failed;
        truncated = true;
      }
    }
    if (inode.rdev === 1280n && inode.sb.fsType === 'devtmpfs' && !pathOnly) {
      const terminal = this.terminal(ctx.task);
      return terminal === undefined ? -ENXIO : this.openDentry(ctx, terminal, flags);
    }
    if (inode instanceof PtmxInode && !pathOnly) return ptmx_open(dentry, this.pts, ctx.task, flags & ~STRIPPED);
    const device = pathOnly ? undefined : this.deviceOf(inode);
    if (device !== undefined) return this.openDentry(ctx, new Dentry(dentry.name, dentry.parent, device), flags);
    const file = alloc_file(dentry, flags & ~STRIPPED);
    const error = pathOnly ? 0 : inode.open(file, ctx.task);
    if (error < 0) {
      inode.opens--;
      this.openFiles--;
      return error;
    }
    if (!pathOnly) fsnotify(dentry, IN_OPEN);
    if (truncated) fsnotify(dentry, IN_MODIFY);
    if (inode instanceof TtyInode && !pathOnly) inode.opened(ctx.task, (flags & O_NOCTTY) !== 0);
    return file;
  }

  /** chrdev_open(): the machine's device that a node made elsewhere stands for. */
  private deviceOf(node: Inode): Inode | undefined {
    if (!(node instanceof DeviceInode)) return undefined;
    for (const inode of this.dev.entries.values())
      if (inode.rdev === node.rdev && ((inode.mode ^ node.mode) & S_IFMT) === 0) return inode;
    return undefined;
  }

  /** deny_write_access(): a program that runs cannot be written. */
  private isRunning(inode: Inode): boolean {
    for (const task of this.kernel.tasks.values())
      if (task.exitState === undefined && task.mm?.exeFile?.inode === inode) return true;
    return false;
  }

  /** What /dev/tty is: the process's controlling terminal, or the host's if one of the standard streams is one. */
  private terminal(task?: Task): Dentry | undefined {
    const own = task?.group.tty;
    if (own !== undefined) {
      const name = [...this.pts.entries].find(([, inode]) => inode === own)?.[0];
      const found = name === undefined ? -ENXIO : lookupPath(this.rootContext(), `/dev/pts/${name}`);
      return typeof found === 'number' ? undefined : found;
    }
    const dentry = lookupPath(this.rootContext(), '/dev/pts/0');
    return typeof dentry !== 'number' && dentry.inode instanceof HostStreamInode ? dentry : undefined;
  }

  /**
   * A descriptor of the host as an open file of the guest, one inode per descriptor. Descriptors of one terminal share it:
   * the lowest of them.
   */
  hostStream(hostFd: number, flags: number): File {
    let inode = this.streams.get(hostFd);
    if (inode === undefined && this.io.isTty(hostFd)) inode = [...this.streams.values()].find((s) => s.tty);
    inode ??= new HostStreamInode(this.pipefs, this.io, hostFd);
    this.streams.set(hostFd, inode);
    if (!inode.tty) return alloc_file(new Dentry(`pipe:[${inode.ino}]`, undefined, inode), flags);
    this.pts.entries.set('0', inode);
    return alloc_file(this.terminal()!, flags);
  }

  /** A file of the host, outside of the guest's root, that the guest may read: pages-N.img. */
  hostFile(path: string): File | number {
    const stat = this.files.lstat(path);
    if (stat === undefined) return -ENOENT;
    if ((stat.mode & 0o170000) !== S_IFREG) return -EINVAL;
    const source = { files: this.files, path, dev: stat.dev, ino: stat.ino };
    const inode = new RegularInode(this.anon, stat.mode, { stat, source });
    return alloc_file(new Dentry(path, undefined, inode), O_RDONLY | O_LARGEFILE);
  }

  /** Called when an open file was written and is closed: its bytes go to `--upper`. */
  flush(file: File): number {
    return this.flushDentry(file.dentry);
  }
  flushDentry(dentry: Dentry): number {
    if (this.upper === undefined) return 0;
    try {
      flushFile(this, dentry);
      return 0;
    } catch {
      return -EIO;
    }
  }

  /** sync(2): everything changed goes to `--upper`, deletions too. Throws `UpperError` when the host refuses. */
  sync(): void {
    if (this.upper !== undefined) syncUpper(this);
  }
}

/** /sys: what programs look for when they count processors. */
function sysfs(sb: SuperBlock): MemoryDirInode {
  const root = new MemoryDirInode(sb, 0o555);
  for (const name of ['block', 'bus', 'class', 'dev', 'devices', 'firmware', 'fs', 'kernel', 'module', 'power'])
    root.add(name, new MemoryDirInode(sb));
  const system = (root.lookup('devices') as MemoryDirInode).add('system', new MemoryDirInode(sb));
  const cpu = system.add('cpu', new MemoryDirInode(sb));
  for (const name of ['online', 'possible', 'present']) cpu.add(name, new TextInode(sb, '0\n'));
  return root;
}
