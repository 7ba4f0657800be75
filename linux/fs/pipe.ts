import { EAGAIN, EBUSY, EINVAL, ENXIO, EPERM, EPIPE } from '../abi/errno.ts';
import { O_ACCMODE, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, PIPE_BUF } from '../abi/fcntl.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../abi/poll.ts';
import { POLL_IN, POLL_OUT, SIGIO } from '../abi/signal.ts';
import { S_IFIFO } from '../abi/stat.ts';
import { PAGE_SIZE } from '../addr.ts';
import { ByteQueue } from './byte-queue.ts';
import { Dentry } from './dentry.ts';
import { kill_fasync } from './fasync.ts';
import { alloc_file, type File } from './file.ts';
import { Inode } from './inode.ts';
import { MAX_BUFFERED, type SuperBlock } from './super-block.ts';

const PIPE_DEF_SIZE = 65536;
const PIPE_MAX_SIZE = 1048576;

/**
 * `struct pipe_inode_info`, fs/pipe.c; the inode of a pipe, or of a FIFO's name.
 * Unlike Linux: the capacity is counted in bytes, not in page slots.
 */
export class FifoInode extends Inode {
  readonly queue = new ByteQueue();
  capacity = PIPE_DEF_SIZE;
  readers = 0;
  writers = 0;
  /** Opens of each kind so far: an open that waits for the other side looks whether they grew. */
  readerOpens = 0;
  writerOpens = 0;
  private readonly readChannel: string;
  private readonly writeChannel: string;

  constructor(sb: SuperBlock, mode: number, ino?: bigint) {
    super(sb, S_IFIFO | (mode & 0o7777), ino);
    this.readChannel = `pipe:${this.ino}:r`;
    this.writeChannel = `pipe:${this.ino}:w`;
  }

  wakeReaders(): void {
    this.notify(this.readChannel);
  }
  private wakeWriters(): void {
    this.notify(this.writeChannel);
  }

  /** fasync_readers, fasync_writers */
  private signalReaders(): void {
    kill_fasync(this, SIGIO, POLL_IN, (file) => file.readable);
  }
  private signalWriters(): void {
    kill_fasync(this, SIGIO, POLL_OUT, (file) => file.writable);
  }
  override get asyncs(): boolean {
    return true;
  }

  /** fifo_open(); waiting for the other side is the system call's business, see `openWaits`. */
  override open(file: File): number {
    const mode = file.flags & O_ACCMODE;
    if (mode === O_WRONLY && (file.flags & O_NONBLOCK) !== 0 && this.readers === 0) return -ENXIO;
    if (mode === O_RDONLY || mode === O_RDWR) {
      this.readers++;
      this.readerOpens++;
      this.wakeWriters();
    }
    if (mode === O_WRONLY || mode === O_RDWR) {
      this.writers++;
      this.writerOpens++;
      this.wakeReaders();
    }
    return 0;
  }

  /** Whether a blocking open of a FIFO has to wait, given the counters when it began. */
  openWaits(file: File, before: { readers: number; writers: number }): boolean {
    const mode = file.flags & O_ACCMODE;
    if ((file.flags & O_NONBLOCK) !== 0 || mode === O_RDWR) return false;
    if (mode === O_RDONLY) return this.writers === 0 && this.writerOpens === before.writers;
    return this.readers === 0 && this.readerOpens === before.readers;
  }

  /** pipe_release() */
  override release(file: File): void {
    // A core dump may wait until only it itself is left.
    if (file.readable && --this.readers <= 1) this.wakeWriters();
    if (file.writable && --this.writers === 0) this.wakeReaders();
    if (this.readers > 0 || this.writers > 0) {
      this.signalReaders();
      this.signalWriters();
    }
    if (this.readers === 0 && this.writers === 0) {
      this.sb.owner.buffered -= this.queue.length;
      this.queue.clear();
    }
  }

  /** pipe_read() */
  override read(_file: File, _pos: number, count: number): Uint8Array | number {
    if (count === 0) return new Uint8Array(0);
    if (this.queue.length === 0) return this.writers === 0 ? new Uint8Array(0) : -EAGAIN;
    const pages = Math.ceil(this.queue.length / PAGE_SIZE);
    const bytes = this.queue.take(count);
    this.sb.owner.buffered -= bytes.length;
    this.atime = this.sb.currentTime();
    this.wakeWriters();
    // A buffer became free.
    if (Math.ceil(this.queue.length / PAGE_SIZE) < pages) this.signalWriters();
    return bytes;
  }

  /** pipe_write(): up to PIPE_BUF bytes go in at once or not at all. */
  override write(_file: File, _pos: number, bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    if (this.readers === 0) return -EPIPE;
    const { owner } = this.sb;
    const room = Math.min(this.capacity - this.queue.length, Math.max(0, MAX_BUFFERED - owner.buffered));
    if (room === 0 || (bytes.length <= PIPE_BUF && room < bytes.length)) return -EAGAIN;
    const count = Math.min(room, bytes.length);
    this.queue.add(bytes.slice(0, count));
    owner.buffered += count;
    this.touchMtime();
    this.wakeReaders();
    this.signalReaders();
    return count;
  }

  override poll(file: File): number {
    let mask = 0;
    if (file.readable) {
      if (this.queue.length > 0) mask |= POLLIN | POLLRDNORM;
      if (this.writers === 0 && this.writerOpens > 0) mask |= POLLHUP;
    }
    if (file.writable) {
      if (this.capacity - this.queue.length >= PIPE_BUF) mask |= POLLOUT | POLLWRNORM;
      if (this.readers === 0) mask |= POLLERR;
    }
    return mask;
  }
  override channels(file: File): readonly string[] {
    const out: string[] = [];
    if (file.readable) out.push(this.readChannel);
    if (file.writable) out.push(this.writeChannel);
    return out;
  }
  override available(): number {
    return this.queue.length;
  }

  /** pipe_set_size(): F_SETPIPE_SZ. */
  setCapacity(bytes: number): number {
    if (bytes <= 0) return -EINVAL;
    if (bytes > PIPE_MAX_SIZE) return -EPERM;
    const size = Math.max(4096, 2 ** Math.ceil(Math.log2(bytes)));
    if (size < this.queue.length) return -EBUSY;
    this.capacity = size;
    this.wakeWriters();
    return size;
  }
}

/** create_pipe_files(): the read end and the write end. */
export function create_pipe_files(sb: SuperBlock, flags: number): [File, File] {
  const inode = new FifoInode(sb, 0o600);
  inode.nlink = 1;
  const dentry = new Dentry(`pipe:[${inode.ino}]`, undefined, inode);
  const read = alloc_file(dentry, O_RDONLY | flags);
  const write = alloc_file(dentry, O_WRONLY | flags);
  inode.open(read);
  inode.readers = 1;
  inode.open(write);
  return [read, write];
}
