/** inotify(7): fs/notify/fsnotify.c, fs/notify/inotify. */
import { EAGAIN, EINVAL } from '../abi/errno.ts';
import { encodeName } from '../abi/names.ts';
import { POLLIN, POLLRDNORM } from '../abi/poll.ts';
import { POLL_IN, SIGIO } from '../abi/signal.ts';
import type { Dentry } from './dentry.ts';
import { dnotify_handle_event } from './dnotify.ts';
import { kill_fasync } from './fasync.ts';
import type { File } from './file.ts';
import { Inode } from './inode.ts';

export const IN_ACCESS = 0x1,
  IN_MODIFY = 0x2,
  IN_ATTRIB = 0x4,
  IN_CLOSE_WRITE = 0x8,
  IN_CLOSE_NOWRITE = 0x10,
  IN_OPEN = 0x20,
  IN_MOVED_FROM = 0x40,
  IN_MOVED_TO = 0x80,
  IN_CREATE = 0x100,
  IN_DELETE = 0x200,
  IN_DELETE_SELF = 0x400,
  IN_MOVE_SELF = 0x800,
  IN_ALL_EVENTS = 0xfff,
  IN_Q_OVERFLOW = 0x4000,
  IN_IGNORED = 0x8000,
  IN_ONLYDIR = 0x0100_0000,
  IN_DONT_FOLLOW = 0x0200_0000,
  IN_EXCL_UNLINK = 0x0400_0000,
  IN_MASK_ADD = 0x2000_0000,
  IN_ISDIR = 0x4000_0000,
  IN_ONESHOT = 0x8000_0000;

/** max_queued_events, max_user_watches (for all users together). */
const MAX_EVENTS = 16_384;
export const MAX_WATCHES = 8192;

/** `struct inotify_inode_mark` */
export interface InotifyMark {
  readonly group: InotifyInode;
  readonly inode: Inode;
  readonly wd: number;
  mask: number;
}

interface Event {
  readonly wd: number;
  readonly mask: number;
  readonly cookie: number;
  readonly name: Uint8Array;
}
const NO_NAME = new Uint8Array(0);

/** `struct fsnotify_group` of an inotify descriptor. */
export class InotifyInode extends Inode {
  readonly watches: Map<number, InotifyMark> = new Map();
  nextWd = 1;
  events: Event[] = [];

  /** inotify_handle_event(): the same event twice in a row is one. */
  queue(event: Event): void {
    const last = this.events[this.events.length - 1];
    if (
      last !== undefined &&
      last.wd === event.wd &&
      last.mask === event.mask &&
      last.cookie === event.cookie &&
      Buffer.compare(last.name, event.name) === 0
    )
      return;
    if (this.events.length === MAX_EVENTS) this.events.push({ wd: -1, mask: IN_Q_OVERFLOW, cookie: 0, name: NO_NAME });
    if (this.events.length > MAX_EVENTS) return;
    this.events.push(event);
    this.notify(`inotify:${this.ino}`);
    kill_fasync(this, SIGIO, POLL_IN);
  }

  /** inotify_add_watch() */
  watch(inode: Inode, mask: number): number {
    const wanted = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
    const known = inode.marks.find((mark) => mark.group === this);
    if (known !== undefined) {
      known.mask = (mask & IN_MASK_ADD) !== 0 ? known.mask | wanted : wanted;
      return known.wd;
    }
    const mark: InotifyMark = { group: this, inode, wd: this.nextWd++, mask: wanted };
    this.watches.set(mark.wd, mark);
    inode.marks.push(mark);
    this.sb.owner.watches++;
    return mark.wd;
  }

  /** inotify_ignored_and_remove_idr() */
  unwatch(mark: InotifyMark, tell = true): void {
    if (!this.watches.delete(mark.wd)) return;
    mark.inode.marks = mark.inode.marks.filter((other) => other !== mark);
    this.sb.owner.watches--;
    if (tell) this.queue({ wd: mark.wd, mask: IN_IGNORED, cookie: 0, name: NO_NAME });
  }

  override release(): void {
    for (const mark of [...this.watches.values()]) this.unwatch(mark, false);
  }

  private bytesOf({ wd, mask, cookie, name }: Event): Uint8Array {
    const length = name.length === 0 ? 0 : Math.ceil((name.length + 1) / 16) * 16;
    const bytes = new Uint8Array(16 + length);
    const view = new DataView(bytes.buffer);
    view.setInt32(0, wd, true);
    view.setUint32(4, mask, true);
    view.setUint32(8, cookie, true);
    view.setUint32(12, length, true);
    bytes.set(name, 16);
    return bytes;
  }

  override read(_file: File, _pos: number, count: number): Uint8Array | number {
    const parts: Uint8Array[] = [];
    let room = count;
    while (this.events.length > 0) {
      const bytes = this.bytesOf(this.events[0]!);
      if (bytes.length > room) {
        if (parts.length === 0) return -EINVAL;
        break;
      }
      room -= bytes.length;
      parts.push(bytes);
      this.events.shift();
    }
    return parts.length === 0 ? -EAGAIN : Uint8Array.from(Buffer.concat(parts));
  }
  override get asyncs(): boolean {
    return true;
  }
  override poll(): number {
    return this.events.length > 0 ? POLLIN | POLLRDNORM : 0;
  }
  override channels(): readonly string[] {
    return [`inotify:${this.ino}`];
  }
  override available(): number {
    return this.events.reduce((sum, event) => sum + this.bytesOf(event).length, 0);
  }
  override fdinfo(): string {
    const row = ({ wd, inode, mask }: InotifyMark): string =>
      `inotify wd:${wd.toString(16)} ino:${inode.ino.toString(16)} sdev:${inode.stat().dev.toString(16)} ` +
      `mask:${(mask >>> 0).toString(16)} ignored_mask:0 \n`;
    return [...this.watches.values()].map(row).join('');
  }
}

/** fsnotify() for one inode's watches. */
function tell(inode: Inode, mask: number, name: string | undefined, cookie: number): void {
  if (inode.dnotify.length > 0) dnotify_handle_event(inode, mask);
  if (inode.marks.length === 0) return;
  for (const mark of [...inode.marks]) {
    if ((mark.mask & mask & IN_ALL_EVENTS) === 0) continue;
    const shown = mask & (IN_ALL_EVENTS | IN_ISDIR);
    mark.group.queue({ wd: mark.wd, mask: shown, cookie, name: name === undefined ? NO_NAME : encodeName(name) });
    if ((mark.mask & IN_ONESHOT) !== 0) mark.group.unwatch(mark);
  }
}

/** fsnotify_parent() and fsnotify(): something happened to what the dentry names. */
export function fsnotify(dentry: Dentry, event: number): void {
  if (dentry.inode.sb.owner.watches === 0) return;
  const mask = dentry.inode.isDir() ? event | IN_ISDIR : event;
  if (dentry.parent !== undefined) tell(dentry.parent.inode, mask, dentry.name, 0);
  tell(dentry.inode, mask, undefined, 0);
}

/** fsnotify_create(), fsnotify_mkdir(), fsnotify_nameremove(): a directory's names changed. */
export function fsnotifyName(dir: Inode, name: string, child: Inode, event: number, cookie = 0): void {
  if (dir.sb.owner.watches === 0) return;
  tell(dir, child.isDir() ? event | IN_ISDIR : event, name, cookie);
}

/** An event of the inode alone. */
export function fsnotifyInode(inode: Inode, event: number): void {
  if (inode.sb.owner.watches === 0) return;
  tell(
    inode,
    inode.isDir() && event !== IN_DELETE_SELF && event !== IN_MOVE_SELF ? event | IN_ISDIR : event,
    undefined,
    0,
  );
}

/** fsnotify_inoderemove(): it is gone for good, and so are its watches. */
export function inodeRemoved(inode: Inode): void {
  if (inode.marks.length === 0 || inode.nlink > 0 || inode.opens > 0) return;
  fsnotifyInode(inode, IN_DELETE_SELF);
  for (const mark of [...inode.marks]) mark.group.unwatch(mark);
}
