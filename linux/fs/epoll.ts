import { EEXIST, EINVAL, ELOOP, ENOENT, EPERM } from '../abi/errno.ts';
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLET,
  EPOLLONESHOT,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLRDNORM,
} from '../abi/poll.ts';
import type { File } from './file.ts';
import { Inode } from './inode.ts';
import type { SuperBlock } from './super-block.ts';

/** `struct epitem`, fs/eventpoll.c. */
interface Epitem {
  readonly fd: number;
  readonly file: File;
  events: number;
  data: bigint;
  /** `Inode.activity` when it was reported last: edge-triggered items wait for more. */
  seen: number;
}

export interface EpollEvent {
  readonly events: number;
  readonly data: bigint;
}

const EP_PRIVATE_BITS = EPOLLONESHOT | EPOLLET;
const MAX_NESTS = 5;
/** Unlike Linux, which counts the paths that a wake-up can take (path_limits). */
const MAX_WATCHERS = 10;

/** The first of several moments. */
export function earliest(moments: readonly (number | undefined)[]): number | undefined {
  const known = moments.filter((m): m is number => m !== undefined);
  return known.length === 0 ? undefined : known.reduce((a, b) => Math.min(a, b));
}

/** `struct eventpoll`, fs/eventpoll.c. */
export class EpollInode extends Inode {
  /** In the order in which they are looked at. */
  items = new Set<Epitem>();
  /** The same by file: a file is here more than once when it was added by several descriptors. */
  private readonly byFile = new Map<File, Epitem[]>();
  /** Those that watch this one. */
  watchers: EpollInode[] = [];

  constructor(sb: SuperBlock) {
    super(sb, 0o600);
  }

  /** epoll_ctl(2) */
  ctl(op: number, fd: number, file: File, event: EpollEvent): number {
    if (file.inode === this) return -EINVAL;
    if (file.inode.isReg() || file.inode.isDir()) return -EPERM;
    const known = this.byFile.get(file)?.find((item) => item.fd === fd);
    const events = event.events | POLLERR | POLLHUP;
    switch (op) {
      case EPOLL_CTL_ADD:
        if (known !== undefined) return -EEXIST;
        if (file.inode instanceof EpollInode) {
          if (file.inode.reaches(this) || file.inode.depth() + this.height() > MAX_NESTS) return -ELOOP;
          if (file.inode.watchers.length >= MAX_WATCHERS) return -EINVAL;
          file.inode.watchers.push(this);
        }
        this.add({ fd, file, events, data: event.data, seen: -1 });
        break;
      case EPOLL_CTL_MOD: {
        if (known === undefined) return -ENOENT;
        known.events = events;
        known.data = event.data;
        known.seen = -1;
        break;
      }
      case EPOLL_CTL_DEL:
        if (known === undefined) return -ENOENT;
        this.remove(known);
        return 0;
      default:
        return -EINVAL;
    }
    this.notify(`epoll:${this.ino}`);
    return 0;
  }

  private add(item: Epitem): void {
    const { file } = item;
    this.items.add(item);
    const same = this.byFile.get(file);
    if (same === undefined) this.byFile.set(file, [item]);
    else same.push(item);
    file.epolls ??= new Set();
    file.epolls.add(this);
  }
  private remove(item: Epitem): void {
    const { file } = item;
    this.forget(item);
    this.items.delete(item);
    const rest = this.byFile.get(file)!.filter((other) => other !== item);
    if (rest.length > 0) this.byFile.set(file, rest);
    else {
      this.byFile.delete(file);
      file.epolls?.delete(this);
    }
  }
  /** eventpoll_release_file(): the file is closed. */
  fileClosed(file: File): void {
    for (const item of [...(this.byFile.get(file) ?? [])]) this.remove(item);
  }

  /** Whether this watches `other`, itself or through others. */
  private reaches(other: EpollInode): boolean {
    for (const { inode } of this.byFile.keys())
      if (inode instanceof EpollInode && (inode === other || inode.reaches(other))) return true;
    return false;
  }
  /** How many watch this one on top of each other. */
  private height(): number {
    return 1 + Math.max(0, ...this.watchers.map((watcher) => watcher.height()));
  }
  private forget({ file: { inode } }: Epitem): void {
    if (inode instanceof EpollInode) inode.watchers.splice(inode.watchers.indexOf(this), 1);
  }
  /** ep_free() */
  override release(): void {
    for (const item of [...this.items]) this.remove(item);
  }

  private depth(): number {
    let below = 0;
    for (const { inode } of this.byFile.keys()) if (inode instanceof EpollInode) below = Math.max(below, inode.depth());
    return 1 + below;
  }

  private ready(item: Epitem): number {
    if ((item.events & ~EP_PRIVATE_BITS) === 0) return 0;
    const mask = item.file.inode.poll(item.file) & item.events;
    if (mask !== 0 && (item.events & EPOLLET) !== 0 && item.seen === item.file.inode.activity) return 0;
    return mask;
  }

  /** ep_send_events(): takes at most `max` events; level-triggered items go to the end of the list. */
  collect(max: number): EpollEvent[] {
    const out: EpollEvent[] = [];
    const reported: Epitem[] = [];
    for (const item of this.items) {
      if (out.length === max) break;
      const mask = this.ready(item);
      if (mask === 0) continue;
      out.push({ events: mask, data: item.data });
      reported.push(item);
      item.seen = item.file.inode.activity;
      if ((item.events & EPOLLONESHOT) !== 0) item.events &= EP_PRIVATE_BITS;
    }
    if (out.length === max)
      for (const item of reported) {
        this.items.delete(item);
        this.items.add(item);
      }
    return out;
  }

  override poll(): number {
    for (const item of this.items) if (this.ready(item) !== 0) return POLLIN | POLLRDNORM;
    return 0;
  }
  override channels(): readonly string[] {
    const out = [`epoll:${this.ino}`];
    for (const file of this.byFile.keys()) for (const channel of file.inode.channels(file)) out.push(channel);
    return out;
  }
  override nextEvent(): number | undefined {
    return earliest([...this.byFile.keys()].map((file) => file.inode.nextEvent(file)));
  }
  override fdinfo(): string {
    const row = ({ fd, events, data }: Epitem): string =>
      `tfd: ${String(fd).padStart(8)} events: ${(events >>> 0).toString(16).padStart(8)} data: ${data.toString(16).padStart(16)}\n`;
    return [...this.items].map(row).join('');
  }
}
