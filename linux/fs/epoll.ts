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
  return known.length === 0 ? undefined : Math.min(...known);
}

/** `struct eventpoll`, fs/eventpoll.c. */
export class EpollInode extends Inode {
  items: Epitem[] = [];
  /** Those that watch this one. */
  watchers: EpollInode[] = [];

  constructor(sb: SuperBlock) {
    super(sb, 0o600);
  }

  /** epoll_ctl(2) */
  ctl(op: number, fd: number, file: File, event: EpollEvent): number {
    if (file.inode === this) return -EINVAL;
    if (file.inode.isReg() || file.inode.isDir()) return -EPERM;
    this.prune();
    const index = this.items.findIndex((item) => item.fd === fd && item.file === file);
    const events = event.events | POLLERR | POLLHUP;
    switch (op) {
      case EPOLL_CTL_ADD:
        if (index >= 0) return -EEXIST;
        if (file.inode instanceof EpollInode) {
          if (file.inode.reaches(this) || file.inode.depth() + this.height() > MAX_NESTS) return -ELOOP;
          if (file.inode.watchers.length >= MAX_WATCHERS) return -EINVAL;
          file.inode.watchers.push(this);
        }
        this.items.push({ fd, file, events, data: event.data, seen: -1 });
        break;
      case EPOLL_CTL_MOD: {
        const item = this.items[index];
        if (item === undefined) return -ENOENT;
        item.events = events;
        item.data = event.data;
        item.seen = -1;
        break;
      }
      case EPOLL_CTL_DEL:
        if (index < 0) return -ENOENT;
        this.forget(this.items.splice(index, 1)[0]!);
        return 0;
      default:
        return -EINVAL;
    }
    this.notify(`epoll:${this.ino}`);
    return 0;
  }

  /** Whether this watches `other`, itself or through others. */
  private reaches(other: EpollInode): boolean {
    return this.items.some(
      ({ file: { inode } }) => inode instanceof EpollInode && (inode === other || inode.reaches(other)),
    );
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
    for (const item of this.items) this.forget(item);
    this.items = [];
  }

  private depth(): number {
    return (
      1 + Math.max(0, ...this.items.map(({ file }) => (file.inode instanceof EpollInode ? file.inode.depth() : 0)))
    );
  }

  /** eventpoll_release(): files that were closed leave by themselves. */
  private prune(): void {
    for (const item of this.items) if (item.file.count <= 0) this.forget(item);
    this.items = this.items.filter((item) => item.file.count > 0);
  }

  private ready(item: Epitem): number {
    if ((item.events & ~EP_PRIVATE_BITS) === 0) return 0;
    const mask = item.file.inode.poll(item.file) & item.events;
    if (mask !== 0 && (item.events & EPOLLET) !== 0 && item.seen === item.file.inode.activity) return 0;
    return mask;
  }

  /** ep_send_events(): takes at most `max` events; level-triggered items go to the end of the list. */
  collect(max: number): EpollEvent[] {
    this.prune();
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
    if (out.length === max) this.items = [...this.items.filter((i) => !reported.includes(i)), ...reported];
    return out;
  }

  override poll(): number {
    this.prune();
    return this.items.some((item) => this.ready(item) !== 0) ? POLLIN | POLLRDNORM : 0;
  }
  override channels(): readonly string[] {
    this.prune();
    return [`epoll:${this.ino}`, ...this.items.flatMap(({ file }) => file.inode.channels(file))];
  }
  override nextEvent(): number | undefined {
    return earliest(this.items.map(({ file }) => file.inode.nextEvent(file)));
  }
  override fdinfo(): string {
    this.prune();
    const row = ({ fd, events, data }: Epitem): string =>
      `tfd: ${String(fd).padStart(8)} events: ${(events >>> 0).toString(16).padStart(8)} data: ${data.toString(16).padStart(16)}\n`;
    return this.items.map(row).join('');
  }
}
