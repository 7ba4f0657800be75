import { EACCES, EIO } from '../../abi/errno.ts';
import { O_ACCMODE, O_RDONLY } from '../../abi/fcntl.ts';
import { decodeName, encodeName } from '../../abi/names.ts';
import { S_IFREG } from '../../abi/stat.ts';
import { ptrace_may_access } from '../../ptrace/access.ts';
import type { Task } from '../../task/task.ts';
import type { Dentry } from '../dentry.ts';
import type { File } from '../file.ts';
import { Inode } from '../inode.ts';
import type { SuperBlock } from '../super-block.ts';
import type { Vfs } from '../vfs.ts';

/** What a row of procfs shows: `task` is the one whose directory it stands in; the global files have none. */
export type Show = (vfs: Vfs, task: Task) => string | Uint8Array | number;

/** `struct pid_entry`, fs/proc/base.c: one row per file of /proc/PID, and of /proc itself. */
export interface ProcEntry {
  readonly name: string;
  readonly mode: number;
  readonly show?: Show;
  /** A write of text; returns 0 or a negative errno. */
  readonly store?: (vfs: Vfs, task: Task, text: string) => number;
  /** A magic link: its text, and the place that it leads to. */
  readonly readlink?: (vfs: Vfs, task: Task) => string | number;
  readonly follow?: (vfs: Vfs, task: Task) => Dentry | number;
  /** Reads and writes at positions that are addresses. */
  readonly memory?: boolean;
  /** Only for those who may trace the task. */
  readonly guarded?: boolean;
}

/** mm_access() and proc_fd_access_allowed(): 0 for the task itself and for who may trace it, else -EACCES. */
export function proc_access(task: Task): number {
  const caller = task.kernel.current;
  if (caller === undefined || caller.mm === task.mm) return 0;
  return ptrace_may_access(caller, task, 'fs') === 0 ? 0 : -EACCES;
}

/** A file of procfs whose text is made when it is read from the start: fs/seq_file.c. */
export class ProcFileInode extends Inode {
  readonly vfs: Vfs;
  readonly entry: ProcEntry;
  readonly task: Task;

  constructor(vfs: Vfs, sb: SuperBlock, ino: bigint, entry: ProcEntry, task: Task) {
    super(sb, S_IFREG | entry.mode, ino);
    this.vfs = vfs;
    this.entry = entry;
    this.task = task;
  }

  override open(file: File): number {
    if ((file.flags & O_ACCMODE) !== O_RDONLY && this.entry.store === undefined) return -EACCES;
    return this.entry.guarded === true ? proc_access(this.task) : 0;
  }

  override read(file: File, pos: number, count: number): Uint8Array | number {
    if (pos === 0 || !(file.privateData instanceof Uint8Array)) {
      const shown = this.entry.show?.(this.vfs, this.task) ?? -EIO;
      if (typeof shown === 'number') return shown;
      file.privateData = typeof shown === 'string' ? encodeName(shown) : shown;
    }
    return (file.privateData as Uint8Array).slice(pos, pos + count);
  }

  override write(_file: File, _pos: number, bytes: Uint8Array): number {
    const error = this.entry.store?.(this.vfs, this.task, decodeName(bytes)) ?? -EIO;
    return error < 0 ? error : bytes.length;
  }

  override truncate(): number {
    return this.entry.store === undefined ? -EACCES : 0;
  }
}
