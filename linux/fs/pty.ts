/** Pseudo terminals: drivers/tty/pty.c, fs/devpts/inode.c. */
import { EAGAIN, EFAULT, EINVAL, EIO, ENOSPC, ENOTTY } from '../abi/errno.ts';
import * as T from '../abi/ioctl.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM } from '../abi/poll.ts';
import { makedev, S_IFCHR } from '../abi/stat.ts';
import { get_user_u32, put_user_u32 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { ByteQueue } from './byte-queue.ts';
import { Dentry } from './dentry.ts';
import { alloc_file, type File } from './file.ts';
import { Inode } from './inode.ts';
import { d_lookup } from './namei.ts';
import { MAX_BUFFERED, type SuperBlock } from './super-block.ts';
import type { MemoryDirInode } from './tmpfs.ts';
import { kill_pgrp, TtyInode } from './tty.ts';

/** tty_buffer's limit, in both directions. */
const LIMIT = 65536;
const TTY_GID = 5;
/** pty_limit */
const MAX_PTYS = 4096;

/** /dev/ptmx: each open makes a pair. */
export class PtmxInode extends Inode {
  constructor(sb: SuperBlock) {
    super(sb, S_IFCHR | 0o666);
    this.rdev = makedev(5, 2);
  }
}

/** The side of the program: /dev/pts/N. */
export class PtySlaveInode extends TtyInode {
  readonly index: number;
  readonly directory: MemoryDirInode;
  /** What the program wrote, for the master to read. */
  readonly output = new ByteQueue();
  /** What the master wrote and the discipline had no room for. */
  readonly waiting: number[] = [];
  locked = true;
  masterOpen = true;
  /** Open files of this side, and whether there ever was one. */
  users = 0;
  everOpened = false;
  packet = false;

  constructor(directory: MemoryDirInode, index: number) {
    super(directory.sb, 0o620, makedev(136, index));
    this.directory = directory;
    this.index = index;
    this.gid = TTY_GID;
  }

  emit(bytes: readonly number[]): void {
    if (!this.masterOpen || bytes.length === 0) return;
    // Echo beyond the limit is lost.
    if (this.output.length + bytes.length > LIMIT * 2) return;
    this.output.add(Uint8Array.from(bytes));
    this.changed();
  }

  override open(_file: File, task: Task | undefined): number {
    if (this.locked || !this.masterOpen || this.hungUp) return -EIO;
    const busy = this.refused(task);
    if (busy < 0) return busy;
    this.users++;
    this.everOpened = true;
    this.changed();
    return 0;
  }
  override release(): void {
    if (--this.users === 0) this.changed();
  }

  override read(_file: File, _pos: number, count: number): Uint8Array | number {
    const bytes = this.readLine(count);
    if (typeof bytes !== 'number') this.feed();
    if (bytes === -EAGAIN && !this.masterOpen) return new Uint8Array(0);
    return bytes;
  }

  /** n_tty_write(), process_output(). */
  override write(_file: File, _pos: number, bytes: Uint8Array): number {
    if (this.hungUp || !this.masterOpen) return -EIO;
    if ((this.ldisc.lflag & T.TOSTOP) !== 0) {
      const error = this.mayChange();
      if (error < 0) return error;
    }
    const { owner } = this.sb;
    if (this.ldisc.stopped || this.output.length >= LIMIT || owner.buffered >= MAX_BUFFERED)
      return bytes.length === 0 ? 0 : -EAGAIN;
    const out: number[] = [];
    const count = Math.min(bytes.length, LIMIT - this.output.length);
    for (let i = 0; i < count; i++) this.ldisc.output(bytes[i]!, out);
    this.output.add(Uint8Array.from(out));
    this.changed();
    return count;
  }

  override poll(): number {
    let mask = 0;
    const least = this.ldisc.cc(T.VTIME) === 0 && this.ldisc.cc(T.VMIN) > 0 ? this.ldisc.cc(T.VMIN) : 1;
    if (this.ldisc.available(least)) mask |= POLLIN | POLLRDNORM;
    if (this.hungUp || !this.masterOpen) return mask | POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
    if (!this.ldisc.stopped && this.output.length < LIMIT - 256) mask |= POLLOUT | POLLWRNORM;
    return mask;
  }

  /** The master's bytes go through the discipline as far as it has room. */
  feed(): void {
    let used = 0;
    while (used < this.waiting.length && (this.ldisc.canonical || this.ldisc.cooked.length < 4095))
      this.ldisc.receive(this.waiting[used++]!);
    if (used === 0) return;
    this.waiting.splice(0, used);
    this.changed();
    this.received();
  }

  protected override pendingOutput(): number {
    return this.output.length;
  }
}

/** The other side: what a terminal emulator holds. */
export class PtyMasterInode extends Inode {
  readonly slave: PtySlaveInode;
  /** Where the slave's name is remembered. */
  readonly names: Dentry | undefined;

  constructor(sb: SuperBlock, slave: PtySlaveInode, names: Dentry | undefined) {
    super(sb, S_IFCHR | 0o666);
    this.rdev = makedev(5, 2);
    this.slave = slave;
    this.names = names;
  }

  private get slaveGone(): boolean {
    return this.slave.everOpened && this.slave.users === 0;
  }

  override read(_file: File, _pos: number, count: number): Uint8Array | number {
    const { slave } = this;
    if (slave.output.length === 0) return this.slaveGone ? -EIO : -EAGAIN;
    const bytes = slave.output.take(slave.packet ? count - 1 : count);
    slave.changed();
    return slave.packet ? Uint8Array.of(0, ...bytes) : bytes;
  }

  /** pty_write() */
  override write(_file: File, _pos: number, bytes: Uint8Array): number {
    const { slave } = this;
    if (this.slaveGone) return -EIO;
    const count = Math.min(bytes.length, LIMIT - slave.waiting.length);
    if (count === 0) return bytes.length === 0 ? 0 : -EAGAIN;
    for (let i = 0; i < count; i++) slave.waiting.push(bytes[i]!);
    slave.feed();
    slave.changed();
    return count;
  }

  override poll(): number {
    const { slave } = this;
    let mask = slave.output.length > 0 ? POLLIN | POLLRDNORM : 0;
    if (this.slaveGone) mask |= POLLHUP;
    if (slave.waiting.length < LIMIT) mask |= POLLOUT | POLLWRNORM;
    return mask & ~POLLPRI;
  }
  override channels(): readonly string[] {
    return [this.slave.channel];
  }
  override available(): number {
    return this.slave.output.length;
  }

  /** pty_close(): the other side is hung up. */
  override release(): void {
    const { slave } = this;
    slave.masterOpen = false;
    slave.directory.entries.delete(String(slave.index));
    this.names?.children.delete(String(slave.index));
    slave.output.clear();
    slave.hangup();
  }

  override ioctl(task: Task, file: File, cmd: number, arg: number): number {
    const { slave } = this;
    const int = (value: number): number => put_user_u32(task.mm, arg, value);
    switch (cmd) {
      case T.TIOCGPTN:
        return int(slave.index);
      case T.TIOCSPTLCK: {
        const word = get_user_u32(task.mm, arg);
        if (word === undefined) return -EFAULT;
        slave.locked = word !== 0;
        return 0;
      }
      case T.TIOCGPTLCK:
        return int(Number(slave.locked));
      case T.TIOCPKT: {
        const word = get_user_u32(task.mm, arg);
        if (word === undefined) return -EFAULT;
        slave.packet = word !== 0;
        return 0;
      }
      case T.TIOCGPKT:
        return int(Number(slave.packet));
      case T.TIOCSIG:
        if (arg < 1 || arg > 64) return -EINVAL;
        if (slave.pgrp !== 0) kill_pgrp(task.kernel.tasks, slave.pgrp, arg);
        return 0;
      case T.TIOCGPGRP:
        return int(slave.pgrp);
      case T.TIOCGSID:
        return slave.session === 0 ? -ENOTTY : int(slave.session);
      case T.TIOCSPGRP: {
        const word = get_user_u32(task.mm, arg);
        if (word === undefined) return -EFAULT;
        if (slave.session === 0) return -ENOTTY;
        slave.pgrp = word | 0;
        return 0;
      }
      case T.FIONREAD:
        return int(slave.output.length);
      case T.TIOCSCTTY:
      case T.TIOCNOTTY:
        return -ENOTTY;
      default:
        return slave.ioctl(task, file, cmd, arg);
    }
  }
}

/** ptmx_open(): a new pair with the lowest free number. */
export function ptmx_open(
  ptmx: Dentry,
  directory: MemoryDirInode,
  task: Task | undefined,
  flags: number,
): File | number {
  let index = 0;
  while (directory.entries.has(String(index))) index++;
  if (index >= MAX_PTYS) return -ENOSPC;
  const slave = new PtySlaveInode(directory, index);
  slave.uid = task?.cred.fsuid ?? 0;
  directory.entries.set(String(index), slave);
  const names = ptmx.parent === undefined ? undefined : d_lookup(ptmx.parent, 'pts', task);
  const master = new PtyMasterInode(ptmx.inode.sb, slave, typeof names === 'object' ? names : undefined);
  return alloc_file(new Dentry(ptmx.name, ptmx.parent, master), flags);
}
