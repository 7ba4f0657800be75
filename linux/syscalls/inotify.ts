/**
 * inotify(7): fs/notify/inotify.
 * Not modelled: the events; watches are kept, and nothing is ever reported.
 */
import { EAGAIN, EBADF, EINVAL, ENOTDIR } from '../abi/errno.ts';
import { AT_FDCWD, O_CLOEXEC, O_NONBLOCK } from '../abi/fcntl.ts';
import { Inode } from '../fs/inode.ts';
import type { Task } from '../task/task.ts';
import { anonInodeFd } from './eventfd.ts';
import { fdget, user_path_at, vfsOf } from './fs-args.ts';

const IN_ALL_EVENTS = 0xfff;
const IN_ONLYDIR = 0x0100_0000;
const IN_DONT_FOLLOW = 0x0200_0000;
const IN_MASK_ADD = 0x2000_0000;

interface Watch {
  readonly inode: Inode;
  mask: number;
}

/** `struct fsnotify_group` of an inotify descriptor. */
export class InotifyInode extends Inode {
  readonly watches: Map<number, Watch> = new Map();
  nextWd = 1;

  override read(): number {
    return -EAGAIN;
  }
  override poll(): number {
    return 0;
  }
  override channels(): readonly string[] {
    return [`inotify:${this.ino}`];
  }
  override available(): number {
    return 0;
  }
  override fdinfo(): string {
    const row = ([wd, { inode, mask }]: [number, Watch]): string =>
      `inotify wd:${wd.toString(16)} ino:${inode.ino.toString(16)} sdev:${inode.stat().dev.toString(16)} ` +
      `mask:${mask.toString(16)} ignored_mask:0\n`;
    return [...this.watches].map(row).join('');
  }
}

export function sys_inotify_init1(task: Task, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) !== 0) return -EINVAL;
  return anonInodeFd(task, 'inotify', new InotifyInode(vfsOf(task).anon, 0o600), flags);
}
export const sys_inotify_init = (task: Task): number => sys_inotify_init1(task, 0);

function groupOf(task: Task, fd: number): InotifyInode | number {
  const file = fdget(task, fd);
  if (file === undefined) return -EBADF;
  return file.inode instanceof InotifyInode ? file.inode : -EINVAL;
}

export function sys_inotify_add_watch(task: Task, fd: number, path: number, mask: number): number {
  if ((mask & IN_ALL_EVENTS) === 0) return -EINVAL;
  const group = groupOf(task, fd);
  if (typeof group === 'number') return group;
  const dentry = user_path_at(task, AT_FDCWD, path, { follow: (mask & IN_DONT_FOLLOW) === 0 });
  if (typeof dentry === 'number') return dentry;
  if ((mask & IN_ONLYDIR) !== 0 && !dentry.inode.isDir()) return -ENOTDIR;
  const wanted = mask & IN_ALL_EVENTS;
  for (const [wd, watch] of group.watches) {
    if (watch.inode !== dentry.inode) continue;
    watch.mask = (mask & IN_MASK_ADD) !== 0 ? watch.mask | wanted : wanted;
    return wd;
  }
  group.watches.set(group.nextWd, { inode: dentry.inode, mask: wanted });
  return group.nextWd++;
}

export function sys_inotify_rm_watch(task: Task, fd: number, wd: number): number {
  const group = groupOf(task, fd);
  if (typeof group === 'number') return group;
  return group.watches.delete(wd) ? 0 : -EINVAL;
}
