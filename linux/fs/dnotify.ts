/** F_NOTIFY: fs/notify/dnotify/dnotify.c. */
import { ENOTDIR } from '../abi/errno.ts';
import { POLL_MSG } from '../abi/signal.ts';
import { send_sigio } from './fasync.ts';
import type { File } from './file.ts';
import type { Inode } from './inode.ts';
import type { LockOwner } from './locks.ts';

export const DN_ACCESS = 0x1,
  DN_MODIFY = 0x2,
  DN_CREATE = 0x4,
  DN_DELETE = 0x8,
  DN_RENAME = 0x10,
  DN_ATTRIB = 0x20,
  DN_MULTISHOT = 0x8000_0000;
/** FS_DN_RENAME: a name changed within one directory. */
export const FS_DN_RENAME = 0x1000_0000;

/** `struct dnotify_struct` */
export interface DnotifyMark {
  readonly file: File;
  /** Whose table the descriptor is in. */
  readonly owner: LockOwner;
  readonly fd: number;
  /** DN_* */
  readonly mask: number;
}

/** convert_arg(): DN_* by the bits of inotify. */
const EVENTS: readonly (readonly [dn: number, events: number])[] = [
  [DN_ACCESS, 0x1],
  [DN_MODIFY, 0x2],
  [DN_CREATE, 0x100 | 0x80],
  [DN_DELETE, 0x200 | 0x40],
  [DN_RENAME, FS_DN_RENAME],
  [DN_ATTRIB, 0x4],
];

/** fcntl_dirnotify(), behind the file's owner. A second call adds to the events. */
export function fcntl_dirnotify(file: File, owner: LockOwner, fd: number, arg: number): number {
  if ((arg & ~DN_MULTISHOT) === 0) {
    dnotify_flush(file, owner);
    return 0;
  }
  const { inode } = file;
  if (!inode.isDir()) return -ENOTDIR;
  const known = inode.dnotify.find((mark) => mark.file === file && mark.owner === owner);
  if (known === undefined) inode.sb.owner.watches++;
  inode.dnotify = inode.dnotify.filter((mark) => mark !== known);
  inode.dnotify.push({ file, owner, fd, mask: ((known?.mask ?? 0) | arg) >>> 0 });
  return 0;
}

/** dnotify_flush(): when a descriptor is closed. */
export function dnotify_flush(file: File, owner: LockOwner): void {
  removeMarks(file.inode, (mark) => mark.owner === owner && mark.file === file);
}

function removeMarks(inode: Inode, gone: (mark: DnotifyMark) => boolean): void {
  const left = inode.dnotify.filter((mark) => !gone(mark));
  inode.sb.owner.watches -= inode.dnotify.length - left.length;
  inode.dnotify = left;
}

/** dnotify_handle_event(): once, but with DN_MULTISHOT. */
export function dnotify_handle_event(inode: Inode, event: number): void {
  for (const mark of [...inode.dnotify]) {
    if (!EVENTS.some(([dn, events]) => (mark.mask & dn) !== 0 && (event & events) !== 0)) continue;
    send_sigio(mark.file, mark.fd, POLL_MSG);
    if ((mark.mask & DN_MULTISHOT) === 0) removeMarks(inode, (other) => other === mark);
  }
}
