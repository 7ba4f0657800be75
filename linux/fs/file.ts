import { O_ACCMODE, O_ASYNC, O_PATH, O_RDONLY, O_WRONLY } from '../abi/fcntl.ts';
import { type Dentry, d_path } from './dentry.ts';
import { type FileOwner, fasync_helper, NO_OWNER } from './fasync.ts';
import type { Inode } from './inode.ts';
import { fsnotify, IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, inodeRemoved } from './inotify.ts';
import { removeLocks } from './locks.ts';

/** An epoll that the file is in. */
export interface EpollWatcher {
  fileClosed(file: File): void;
}

/** `struct file`: an open file description, shared by duplicated and inherited descriptors. */
export class File {
  readonly dentry: Dentry;
  readonly inode: Inode;
  /** O_* as fcntl(F_GETFL) gives them. */
  flags: number;
  pos = 0;
  /** f_count: descriptors and mappings. */
  count = 1;
  /** f_owner, and its signum. */
  owner: FileOwner = NO_OWNER;
  ownerSignal = 0;
  /** What the inode's kind keeps per open file: plain data. */
  privateData: unknown = undefined;
  /** f_ep_links: who has to hear that the file is gone. */
  epolls: Set<EpollWatcher> | undefined = undefined;

  constructor(dentry: Dentry, flags: number) {
    this.dentry = dentry;
    this.inode = dentry.inode;
    this.flags = flags;
  }

  /** The name as the guest sees it, with ` (deleted)` when it has none any more. */
  get path(): string {
    return d_path(this.dentry);
  }
  /** FMODE_READ */
  get readable(): boolean {
    return (this.flags & (O_WRONLY | O_PATH)) === 0 || (this.flags & O_ACCMODE) === 2;
  }
  /** FMODE_WRITE */
  get writable(): boolean {
    return (this.flags & O_ACCMODE) !== O_RDONLY && (this.flags & O_PATH) === 0;
  }
}

/** get_file() */
export function get_file(file: File): File {
  file.count++;
  return file;
}

/** fput(), fs/file_table.c: the last one releases the open file. */
export function fput(file: File): void {
  if (--file.count > 0) return;
  const { inode } = file;
  for (const epoll of [...(file.epolls ?? [])]) epoll.fileClosed(file);
  if ((file.flags & O_PATH) === 0) fsnotify(file.dentry, file.writable ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
  if ((file.flags & O_ASYNC) !== 0) fasync_helper(file, -1, false);
  inode.sb.owner.openFiles--;
  removeLocks(inode, file);
  inode.release(file);
  if (--inode.opens === 0 && inode.nlink === 0) {
    inodeRemoved(inode);
    inode.evict();
  }
}

/** An open file for an inode; counts it. */
export function alloc_file(dentry: Dentry, flags: number): File {
  const file = new File(dentry, flags);
  file.inode.opens++;
  file.inode.sb.owner.openFiles++;
  return file;
}
