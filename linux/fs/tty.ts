/** Terminals: drivers/tty/tty_io.c, tty_ioctl.c, tty_jobctrl of v4.7's tty_io.c. */
import { EAGAIN, EBUSY, EFAULT, EINVAL, EIO, ENOTTY, EPERM, ERESTARTSYS, ESRCH } from '../abi/errno.ts';
import * as T from '../abi/ioctl.ts';
import { POLL_IN, SIGCONT, SIGHUP, SIGIO, SIGTTIN, SIGTTOU, SIGWINCH, sigmask } from '../abi/signal.ts';
import { S_IFCHR } from '../abi/stat.ts';
import { copy_from_user, copy_to_user, get_user_u32, put_user_u32 } from '../mm/uaccess.ts';
import { kernelInfo, send_signal } from '../signal/queue.ts';
import { CAP_SYS_ADMIN, capable } from '../task/cred.ts';
import type { ThreadGroup } from '../task/group.ts';
import type { Task } from '../task/task.ts';
import { kill_fasync } from './fasync.ts';
import type { File } from './file.ts';
import { Inode } from './inode.ts';
import { LineDiscipline, type TtyPort } from './n-tty.ts';
import type { SuperBlock } from './super-block.ts';

/** Every process of a group or session once. */
function leaders(tasks: ReadonlyMap<number, Task>, wanted: (group: ThreadGroup) => boolean): Task[] {
  return [...tasks.values()].filter((task) => task.isLeader && task.exitState !== 'dead' && wanted(task.group));
}

/** kill_pgrp() of a kernel's signal. */
export function kill_pgrp(tasks: ReadonlyMap<number, Task>, pgrp: number, sig: number): void {
  for (const task of leaders(tasks, (group) => group.pgrp === pgrp)) send_signal(task, kernelInfo(sig), true);
}

/** is_current_pgrp_orphaned() */
function orphaned(task: Task): boolean {
  for (const member of leaders(task.kernel.tasks, (group) => group.pgrp === task.group.pgrp)) {
    const parent = member.realParent;
    if (
      member.exitState === undefined &&
      parent &&
      parent.group.pgrp !== task.group.pgrp &&
      parent.group.session === task.group.session
    )
      return false;
  }
  return true;
}

const ignored = (task: Task, sig: number): boolean =>
  (task.blocked & sigmask(sig)) !== 0n || task.sighand.actions[sig]!.handler === 1n;

/** `struct tty_struct` with its port and line discipline. */
export abstract class TtyInode extends Inode implements TtyPort {
  readonly termios: Uint8Array = T.stdTermios();
  /** rows, cols, and the sizes in pixels. */
  readonly winsize = new Uint16Array(4);
  /** The session that it controls, 0 for none. */
  session = 0;
  /** The foreground process group. */
  pgrp = 0;
  exclusive = false;
  hungUp = false;
  readonly ldisc: LineDiscipline = new LineDiscipline(this);
  /** When a read with VTIME ends by itself. */
  readDeadline: number | undefined;

  constructor(sb: SuperBlock, mode: number, rdev: bigint) {
    super(sb, S_IFCHR | mode);
    this.rdev = rdev;
  }

  /** Name of the channel on which its readers and writers wait. */
  get channel(): string {
    return `tty:${this.ino}`;
  }
  override channels(_file: File): readonly string[] {
    return [this.channel];
  }
  changed(): void {
    this.notify(this.channel);
  }
  override get asyncs(): boolean {
    return true;
  }
  /** n_tty_receive_buf(): there is a line, or enough bytes. */
  protected received(): void {
    const least = this.ldisc.canonical ? 1 : Math.max(1, this.ldisc.cc(T.VMIN));
    if (this.ldisc.available(least)) kill_fasync(this, SIGIO, POLL_IN);
  }
  abstract emit(bytes: readonly number[]): void;
  signal(sig: number): void {
    if (this.pgrp !== 0) kill_pgrp(this.sb.kernel.tasks, this.pgrp, sig);
  }
  flow(_stopped: boolean): void {
    this.changed();
  }

  // ---- job control

  /** Who reads or writes now. */
  protected get current(): Task | undefined {
    return this.sb.kernel.current;
  }
  private background(task: Task): boolean {
    return task.group.tty === this && this.pgrp !== 0 && task.group.pgrp !== this.pgrp;
  }

  /** job_control(), n_tty.c */
  protected mayRead(): number {
    const task = this.current;
    if (task === undefined || !this.background(task)) return 0;
    if (ignored(task, SIGTTIN) || orphaned(task)) return -EIO;
    kill_pgrp(this.sb.kernel.tasks, task.group.pgrp, SIGTTIN);
    return -ERESTARTSYS;
  }

  /** tty_check_change() */
  protected mayChange(task: Task | undefined = this.current): number {
    if (task === undefined || !this.background(task) || ignored(task, SIGTTOU)) return 0;
    if (orphaned(task)) return -EIO;
    kill_pgrp(this.sb.kernel.tasks, task.group.pgrp, SIGTTOU);
    return -ERESTARTSYS;
  }

  /** proc_set_tty() */
  control(task: Task): void {
    this.session = task.group.session;
    this.pgrp = task.group.pgrp;
    task.group.tty = this;
  }

  /** tty_open(): the first terminal that a session leader opens becomes its own. */
  opened(task: Task | undefined, noctty: boolean): void {
    if (noctty || task === undefined || this.session !== 0) return;
    const { group } = task;
    if (group.session === group.tgid && group.tty === undefined) this.control(task);
  }

  /** session_clear_tty() */
  private release_session(): void {
    for (const task of leaders(this.sb.kernel.tasks, (group) => group.session === this.session))
      if (task.group.tty === this) task.group.tty = undefined;
    this.session = 0;
    this.pgrp = 0;
  }

  /** disassociate_ctty(): the session leader goes, or gives its terminal up. */
  disassociate(onExit: boolean): void {
    const { tasks } = this.sb.kernel;
    if (this.pgrp !== 0) {
      kill_pgrp(tasks, this.pgrp, SIGHUP);
      if (!onExit) kill_pgrp(tasks, this.pgrp, SIGCONT);
    }
    this.release_session();
  }

  /** __tty_hangup(): the session's leader gets SIGHUP and SIGCONT, as does the foreground group. */
  hangup(): void {
    if (this.hungUp) return;
    this.hungUp = true;
    const { tasks } = this.sb.kernel;
    if (this.session !== 0) {
      for (const task of leaders(tasks, (group) => group.tgid === this.session)) {
        send_signal(task, kernelInfo(SIGHUP), true);
        send_signal(task, kernelInfo(SIGCONT), true);
      }
      if (this.pgrp !== 0 && this.pgrp !== this.session) kill_pgrp(tasks, this.pgrp, SIGHUP);
      this.release_session();
    }
    this.changed();
  }

  // ---- reading

  /** n_tty_read() */
  protected readLine(count: number): Uint8Array | number {
    if (count === 0) return new Uint8Array(0);
    const { ldisc } = this;
    if (this.hungUp) return new Uint8Array(0);
    const background = this.mayRead();
    if (background < 0) return background;
    const [min, time] = [ldisc.cc(T.VMIN), ldisc.cc(T.VTIME)];
    const least = ldisc.canonical ? 1 : Math.max(1, Math.min(min, count));
    if (ldisc.available(least)) {
      this.readDeadline = undefined;
      return ldisc.take(count);
    }
    if (ldisc.canonical) return -EAGAIN;
    if (min === 0 && time === 0) return ldisc.take(count);
    if (time > 0 && (min === 0 || ldisc.length > 0)) {
      const now = this.sb.kernel.now();
      this.readDeadline ??= now + time * 100_000_000;
      if (now >= this.readDeadline) {
        this.readDeadline = undefined;
        return ldisc.take(count);
      }
    }
    return -EAGAIN;
  }
  override nextEvent(): number | undefined {
    return this.readDeadline;
  }
  override available(): number {
    return this.ldisc.length;
  }

  // ---- ioctl

  override ioctl(task: Task, _file: File, cmd: number, arg: number): number {
    if (this.hungUp && cmd !== T.TIOCSPGRP) return -EIO;
    switch (cmd) {
      case T.TIOCSETD:
      case T.TCSBRK:
      case T.TCSBRKP:
      case T.TCSETS:
      case T.TCSETSW:
      case T.TCSETSF:
      case T.TCXONC:
      case T.TCFLSH: {
        const error = this.mayChange(task);
        if (error < 0) return error;
      }
    }
    const int = (value: number): number => put_user_u32(task.mm, arg, value);
    switch (cmd) {
      case T.TCGETS:
        return copy_to_user(task.mm, arg, this.termios);
      case T.TCSETS:
      case T.TCSETSW:
      case T.TCSETSF:
        return this.setTermios(task, arg, cmd === T.TCSETSF);
      case T.TIOCGWINSZ:
        return copy_to_user(task.mm, arg, new Uint8Array(this.winsize.buffer));
      case T.TIOCSWINSZ:
        return this.setWinsize(task, arg);
      case T.TIOCSCTTY:
        return this.tiocsctty(task, arg);
      case T.TIOCNOTTY:
        if (task.group.tty !== this) return -ENOTTY;
        if (task.group.session === task.group.tgid) this.disassociate(false);
        task.group.tty = undefined;
        return 0;
      case T.TIOCGPGRP:
        return task.group.tty !== this ? -ENOTTY : int(this.pgrp);
      case T.TIOCSPGRP:
        return this.tiocspgrp(task, arg);
      case T.TIOCGSID:
        if (task.group.tty !== this) return -ENOTTY;
        return this.session === 0 ? -ENOTTY : int(this.session);
      case T.FIONREAD:
        return int(this.ldisc.length);
      case T.TIOCOUTQ:
        return int(this.pendingOutput());
      case T.TCFLSH:
        if (arg > 2) return -EINVAL;
        if (arg !== 1) this.ldisc.flush();
        // What was written is on the other side already.
        this.changed();
        return 0;
      case T.TCXONC:
        if (arg > 3) return -EINVAL;
        if (arg < 2) {
          this.ldisc.stopped = arg === 0;
          this.changed();
        }
        return 0;
      case T.TIOCEXCL:
      case T.TIOCNXCL:
        this.exclusive = cmd === T.TIOCEXCL;
        return 0;
      case T.TIOCGETD:
        return int(0);
      case T.TIOCSETD:
        return get_user_u32(task.mm, arg) === 0 ? 0 : -EINVAL;
      case T.TIOCSTI: {
        if (task.group.tty !== this && !capable(task.cred, CAP_SYS_ADMIN)) return -EPERM;
        const byte = copy_from_user(task.mm, arg, 1);
        if (typeof byte === 'number') return byte;
        this.ldisc.receive(byte[0]!);
        this.changed();
        return 0;
      }
      case T.TIOCGDEV:
        return int(Number(this.rdev));
      case T.TCSBRK:
      case T.TCSBRKP:
        return 0;
      default:
        return -ENOTTY;
    }
  }
  protected pendingOutput(): number {
    return 0;
  }

  /** set_termios() */
  private setTermios(task: Task, arg: number, flush: boolean): number {
    const bytes = copy_from_user(task.mm, arg, T.TERMIOS_SIZE);
    if (typeof bytes === 'number') return bytes;
    const was = this.ldisc.canonical;
    this.termios.set(bytes);
    if (flush) this.ldisc.flush();
    this.ldisc.modeChanged(was);
    if ((this.ldisc.iflag & T.IXON) === 0) this.ldisc.stopped = false;
    this.changed();
    return 0;
  }

  /** tty_do_resize() */
  setWinsize(task: Task, arg: number): number {
    const bytes = copy_from_user(task.mm, arg, 8);
    if (typeof bytes === 'number') return bytes;
    const size = new Uint16Array(bytes.slice().buffer);
    if (size.every((value, i) => value === this.winsize[i])) return 0;
    this.winsize.set(size);
    this.signal(SIGWINCH);
    return 0;
  }

  private tiocsctty(task: Task, arg: number): number {
    const { group } = task;
    if (group.session === group.tgid && this.session === group.session) return 0;
    if (group.session !== group.tgid || group.tty !== undefined) return -EPERM;
    if (this.session !== 0) {
      if (arg !== 1 || !capable(task.cred, CAP_SYS_ADMIN)) return -EPERM;
      this.release_session();
    }
    this.control(task);
    return 0;
  }

  private tiocspgrp(task: Task, arg: number): number {
    const error = this.mayChange(task);
    if (error === -EIO) return -ENOTTY;
    if (error < 0) return error;
    if (task.group.tty !== this || this.session !== task.group.session) return -ENOTTY;
    const word = get_user_u32(task.mm, arg);
    if (word === undefined) return -EFAULT;
    const pgrp = word | 0;
    if (pgrp < 0) return -EINVAL;
    const members = leaders(task.kernel.tasks, (group) => group.pgrp === pgrp);
    if (members.length === 0) return -ESRCH;
    if (members[0]!.group.session !== task.group.session) return -EPERM;
    this.pgrp = pgrp;
    return 0;
  }

  /** TTY_EXCLUSIVE */
  protected refused(task: Task | undefined): number {
    return this.exclusive && task !== undefined && !capable(task.cred, CAP_SYS_ADMIN) ? -EBUSY : 0;
  }
}
