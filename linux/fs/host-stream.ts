import { EAGAIN, EBADF, ENOTTY } from '../abi/errno.ts';
import {
  FIONREAD,
  ICANON,
  stdTermios,
  TCFLSH,
  TCGETS,
  TCSBRK,
  TCSETS,
  TCSETSF,
  TCSETSW,
  TCXONC,
  TERMIOS_SIZE,
  TIOCGPGRP,
  TIOCGSID,
  TIOCGWINSZ,
  TIOCNOTTY,
  TIOCSCTTY,
  TIOCSPGRP,
  TIOCSWINSZ,
} from '../abi/ioctl.ts';
import { POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../abi/poll.ts';
import { makedev, S_IFCHR, S_IFIFO } from '../abi/stat.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { ByteQueue } from './byte-queue.ts';
import type { File } from './file.ts';
import { Inode } from './inode.ts';
import type { SuperBlock } from './super-block.ts';

/** The port to the host's standard streams. What it reads is journalled by whoever delivers it. */
export interface HostIo {
  /** Writes all bytes to the host's descriptor. @returns 0, or a negative errno such as -EPIPE */
  write(fd: number, bytes: Uint8Array): number;
  isTty(fd: number): boolean;
  /** Rows and columns of a terminal. */
  winsize(fd: number): { readonly rows: number; readonly cols: number };
}

/** Swallows what is written: a machine without a host's streams. */
export const noHostIo: HostIo = {
  write: () => 0,
  isTty: () => false,
  winsize: () => ({ rows: 0, cols: 0 }),
};

/**
 * A descriptor of the host handed to the guest: a pipe's end or a terminal. Input comes by `deliver`, which the server
 * calls and journals; reads wait for it on the channel `tty`.
 * Not modelled: raw mode; the guest's termios is kept and read back, the host's terminal stays as it is.
 */
export class HostStreamInode extends Inode {
  readonly io: HostIo;
  readonly hostFd: number;
  readonly tty: boolean;
  readonly input = new ByteQueue();
  atEof = false;
  readonly termios: Uint8Array = stdTermios();
  winsize: { readonly rows: number; readonly cols: number };
  foreground = 0;
  /** Somebody found nothing to read since the last delivery. */
  starved = false;

  constructor(sb: SuperBlock, io: HostIo, hostFd: number) {
    const tty = io.isTty(hostFd);
    super(sb, tty ? S_IFCHR | 0o620 : S_IFIFO | 0o600);
    this.io = io;
    this.hostFd = hostFd;
    this.tty = tty;
    this.winsize = io.winsize(hostFd);
    if (tty) this.rdev = makedev(136, 0);
  }

  /** Bytes from the host; none for the end of the input. */
  deliver(bytes: Uint8Array): void {
    if (bytes.length === 0) this.atEof = true;
    else this.input.add(bytes.slice());
    this.starved = false;
    this.notify('tty');
  }

  override read(_file: File, _pos: number, count: number): Uint8Array | number {
    if (count === 0) return new Uint8Array(0);
    if (this.input.length === 0) {
      if (this.atEof) return new Uint8Array(0);
      this.starved = true;
      return -EAGAIN;
    }
    if (this.tty && (this.lflag() & ICANON) !== 0) {
      const line = this.input.peek(count).indexOf(10);
      if (line >= 0) return this.input.take(line + 1);
    }
    return this.input.take(count);
  }

  override write(_file: File, _pos: number, bytes: Uint8Array): number {
    if (this.hostFd < 0) return -EBADF;
    const error = this.io.write(this.hostFd, bytes);
    return error < 0 ? error : bytes.length;
  }

  private lflag(): number {
    return new DataView(this.termios.buffer, this.termios.byteOffset).getUint32(12, true);
  }

  override poll(file: File): number {
    let mask = 0;
    if (file.readable) {
      if (this.input.length > 0 || this.atEof) mask |= POLLIN | POLLRDNORM;
      else this.starved = true;
      if (this.atEof && this.input.length === 0) mask |= POLLHUP;
    }
    if (file.writable) mask |= POLLOUT | POLLWRNORM;
    return mask;
  }
  override channels(): readonly string[] {
    return ['tty'];
  }
  override available(): number {
    return this.input.length;
  }

  /** n_tty_ioctl_helper(), tty_ioctl(): drivers/tty. A stream that is no terminal has none of them. */
  override ioctl(task: Task, _file: File, cmd: number, arg: number): number {
    if (!this.tty) return -ENOTTY;
    switch (cmd) {
      case TCGETS:
        return copy_to_user(task.mm, arg, this.termios);
      case TCSETS:
      case TCSETSW:
      case TCSETSF: {
        const bytes = copy_from_user(task.mm, arg, TERMIOS_SIZE);
        if (typeof bytes === 'number') return bytes;
        this.termios.set(bytes);
        return 0;
      }
      case TIOCGWINSZ: {
        const { rows, cols } = this.winsize;
        return copy_to_user(task.mm, arg, Uint8Array.of(rows & 255, rows >> 8, cols & 255, cols >> 8, 0, 0, 0, 0));
      }
      case TIOCSWINSZ: {
        const bytes = copy_from_user(task.mm, arg, 8);
        if (typeof bytes === 'number') return bytes;
        this.winsize = { rows: bytes[0]! | (bytes[1]! << 8), cols: bytes[2]! | (bytes[3]! << 8) };
        return 0;
      }
      case TIOCGPGRP:
        return copy_to_user(task.mm, arg, word(this.foreground || task.group.pgrp));
      case TIOCSPGRP: {
        const bytes = copy_from_user(task.mm, arg, 4);
        if (typeof bytes === 'number') return bytes;
        this.foreground = new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);
        return 0;
      }
      case TIOCGSID:
        return copy_to_user(task.mm, arg, word(task.group.session));
      case FIONREAD:
        return copy_to_user(task.mm, arg, word(this.input.length));
      case TCSBRK:
      case TCXONC:
      case TCFLSH:
      case TIOCSCTTY:
      case TIOCNOTTY:
        return 0;
      default:
        return -ENOTTY;
    }
  }
}

const word = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
