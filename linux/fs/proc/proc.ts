/** procfs: fs/proc. Directories and files are made at each look, from the rows of base.ts and system.ts. */
import { EIO, ENAMETOOLONG, ENOENT } from '../../abi/errno.ts';
import { PATH_MAX } from '../../abi/fcntl.ts';
import { S_IFDIR, S_IFLNK, S_IFREG } from '../../abi/stat.ts';
import type { Mm } from '../../mm/mm.ts';
import { access_process_vm } from '../../mm/uaccess.ts';
import type { Task } from '../../task/task.ts';
import type { Dentry } from '../dentry.ts';
import type { File } from '../file.ts';
import { type DirEntry, Inode } from '../inode.ts';
import type { SuperBlock } from '../super-block.ts';
import type { Vfs } from '../vfs.ts';
import { tgidEntries, tidEntries } from './base.ts';
import { type ProcEntry, ProcFileInode, proc_access } from './entry.ts';
import { fdinfo } from './fdinfo.ts';
import { netEntries } from './net.ts';
import { rootEntries, sysEntries } from './system.ts';

/** /proc, or what is mounted there. */
export function procfs(vfs: Vfs, sb: SuperBlock): Inode {
  return new ProcDirInode(vfs, sb, { kind: 'root' });
}

/** do_proc_readlink() has one page for the text. */
const shown = (target: string | number): string | number =>
  typeof target === 'string' && target.length >= PATH_MAX ? -ENAMETOOLONG : target;

/** Which directory of procfs: plain data, so that it can be made again at any time. */
type Place =
  | { readonly kind: 'root' }
  | { readonly kind: 'sys' }
  | { readonly kind: 'sysdir'; readonly name: string }
  | { readonly kind: 'task' | 'tid' | 'tasks' | 'fd' | 'fdinfo' | 'net'; readonly task: Task };

const KINDS = ['root', 'sys', 'sysdir', 'task', 'tid', 'tasks', 'fd', 'fdinfo', 'net'];

/** Unlike Linux: numbers follow from the place, so a directory that is looked up twice is the same. */
function inoOf(place: Place): bigint {
  const pid = 'task' in place ? place.task.pid : 0;
  if (place.kind === 'root') return 1n;
  return 0x10000000n + BigInt(pid) * 4096n + BigInt(KINDS.indexOf(place.kind)) * 512n;
}

/** task_dumpable(): what is not for everybody belongs to the user only then. pid_revalidate(), fs/proc/base.c. */
const isDumpable = (task: Task): boolean => task.mm?.dumpable === 1;

function own(inode: Inode, task: Task): void {
  inode.uid = task.cred.euid;
  inode.gid = task.cred.egid;
}

class ProcDirInode extends Inode {
  readonly vfs: Vfs;
  readonly place: Place;

  constructor(vfs: Vfs, sb: SuperBlock, place: Place) {
    const mode = place.kind === 'fd' || place.kind === 'fdinfo' ? 0o500 : 0o555;
    super(sb, S_IFDIR | mode, inoOf(place));
    this.vfs = vfs;
    this.place = place;
    this.nlink = 2;
    if ('task' in place && (mode === 0o555 || isDumpable(place.task))) own(this, place.task);
  }

  private dir(place: Place): ProcDirInode {
    return new ProcDirInode(this.vfs, this.sb, place);
  }

  private entry(entry: ProcEntry, index: number, task: Task): Inode {
    const inode = this.makeEntry(entry, index, task);
    if ('task' in this.place && isDumpable(task)) own(inode, task);
    return inode;
  }

  private makeEntry(entry: ProcEntry, index: number, task: Task): Inode {
    const ino = this.ino + 16n + BigInt(index);
    if (entry.memory === true) return new ProcMemInode(this.sb, ino, task);
    if (entry.readlink !== undefined) return new ProcLinkInode(this.vfs, this.sb, ino, entry, task);
    return new ProcFileInode(this.vfs, this.sb, ino, entry, task);
  }

  /** The rows of this directory. */
  private rows(): readonly ProcEntry[] {
    switch (this.place.kind) {
      case 'root':
        return rootEntries;
      case 'sysdir':
        return sysEntries[this.place.name] ?? [];
      case 'task':
        return tgidEntries;
      case 'tid':
        return tidEntries;
      case 'net':
        return netEntries;
      default:
        return [];
    }
  }

  override lookup(name: string, reader: Task | undefined): Inode | undefined | number {
    const { place } = this;
    const task = 'task' in place ? place.task : undefined;
    const rows = this.rows();
    const index = rows.findIndex((row) => row.name === name);
    if (index >= 0) return this.entry(rows[index]!, index, task as Task);
    switch (place.kind) {
      case 'root':
        return this.lookupRoot(name, reader);
      case 'sys':
        return name in sysEntries ? this.dir({ kind: 'sysdir', name }) : undefined;
      case 'task':
      case 'tid':
        if (name === 'fd' || name === 'fdinfo' || name === 'net') return this.dir({ kind: name, task: place.task });
        return name === 'task' && place.kind === 'task' ? this.dir({ kind: 'tasks', task: place.task }) : undefined;
      case 'tasks': {
        const thread = place.task.group.threads.find((t) => String(t.pid) === name);
        return thread && this.dir({ kind: 'tid', task: thread });
      }
      case 'fd':
      case 'fdinfo':
        return this.lookupFd(place.kind, place.task, name);
      default:
        return undefined;
    }
  }

  private lookupRoot(name: string, reader: Task | undefined): Inode | undefined {
    if (name === 'sys') return this.dir({ kind: 'sys' });
    if (name === 'net') return new ProcTextLinkInode(this.sb, this.ino + 4n, 'self/net');
    if (name === 'self' || name === 'thread-self') {
      if (reader === undefined) return undefined;
      const target = name === 'self' ? `${reader.tgid}` : `${reader.tgid}/task/${reader.pid}`;
      return new ProcTextLinkInode(this.sb, this.ino + (name === 'self' ? 2n : 3n), target);
    }
    if (!/^[1-9][0-9]*$/.test(name)) return undefined;
    const task = this.vfs.kernel.tasks.get(Number(name));
    if (task === undefined || task.exitState === 'dead') return undefined;
    return this.dir({ kind: 'task', task });
  }

  private lookupFd(kind: 'fd' | 'fdinfo', task: Task, name: string): Inode | undefined {
    if (!/^(0|[1-9][0-9]*)$/.test(name)) return undefined;
    const fd = Number(name);
    const file = task.files?.get(fd);
    if (file === undefined || task.exitState !== undefined) return undefined;
    const ino = this.ino + 16n + BigInt(fd % 400);
    if (kind === 'fd') return new ProcFdLinkInode(this.sb, ino, task, fd);
    return new ProcFdInfoInode(this.sb, ino, task, fd);
  }

  override readdir(): DirEntry[] {
    const { place } = this;
    const out: DirEntry[] = this.rows().map((row, i) => ({
      name: row.name,
      ino: this.ino + 16n + BigInt(i),
      mode: row.readlink === undefined ? S_IFREG : S_IFLNK,
    }));
    const dir = (name: string): void => void out.push({ name, ino: this.ino + 1n, mode: S_IFDIR });
    switch (place.kind) {
      case 'root': {
        dir('sys');
        out.push({ name: 'net', ino: this.ino + 4n, mode: S_IFLNK });
        out.push({ name: 'self', ino: this.ino + 2n, mode: S_IFLNK });
        out.push({ name: 'thread-self', ino: this.ino + 3n, mode: S_IFLNK });
        const leaders = [...this.vfs.kernel.tasks.values()].filter((t) => t.isLeader);
        for (const task of leaders.sort((a, b) => a.pid - b.pid)) dir(String(task.pid));
        break;
      }
      case 'sys':
        for (const name of Object.keys(sysEntries)) dir(name);
        break;
      case 'task':
        dir('task');
        dir('fd');
        dir('fdinfo');
        dir('net');
        break;
      case 'tid':
        dir('fd');
        dir('fdinfo');
        dir('net');
        break;
      case 'tasks':
        for (const thread of place.task.group.threads) dir(String(thread.pid));
        break;
      case 'fd':
      case 'fdinfo':
        if (place.task.exitState === undefined)
          for (const fd of place.task.files.numbers())
            out.push({ name: String(fd), ino: this.ino + 16n + BigInt(fd % 400), mode: S_IFLNK });
        break;
      default:
    }
    return out;
  }
}

/** /proc/self: a link with a text only. */
class ProcTextLinkInode extends Inode {
  readonly target: string;

  constructor(sb: SuperBlock, ino: bigint, target: string) {
    super(sb, S_IFLNK | 0o777, ino);
    this.target = target;
  }
  override readlink(): string {
    return this.target;
  }
}

/** proc_pid_link_inode_operations: the text is for reading; the way leads to the object itself. */
class ProcLinkInode extends Inode {
  readonly vfs: Vfs;
  readonly entry: ProcEntry;
  readonly task: Task;

  constructor(vfs: Vfs, sb: SuperBlock, ino: bigint, entry: ProcEntry, task: Task) {
    super(sb, S_IFLNK | 0o777, ino);
    this.vfs = vfs;
    this.entry = entry;
    this.task = task;
  }
  override readlink(): string | number {
    return shown(proc_access(this.task) || (this.entry.readlink?.(this.vfs, this.task) ?? -ENOENT));
  }
  override followLink(): Dentry | number {
    return proc_access(this.task) || (this.entry.follow?.(this.vfs, this.task) ?? -ENOENT);
  }
}

/** /proc/PID/fd/N */
class ProcFdLinkInode extends Inode {
  readonly task: Task;
  readonly fd: number;

  constructor(sb: SuperBlock, ino: bigint, task: Task, fd: number) {
    const file = task.files.get(fd);
    super(sb, S_IFLNK | (file?.readable ? 0o500 : 0) | (file?.writable ? 0o300 : 0), ino);
    this.task = task;
    this.fd = fd;
  }
  override get size(): number {
    return 64;
  }
  override readlink(): string | number {
    return shown(proc_access(this.task) || (this.task.files.get(this.fd)?.path ?? -ENOENT));
  }
  override followLink(): Dentry | number {
    return proc_access(this.task) || (this.task.files.get(this.fd)?.dentry ?? -ENOENT);
  }
}

/** /proc/PID/fdinfo/N */
class ProcFdInfoInode extends Inode {
  readonly task: Task;
  readonly fd: number;

  constructor(sb: SuperBlock, ino: bigint, task: Task, fd: number) {
    super(sb, S_IFREG | 0o400, ino);
    this.task = task;
    this.fd = fd;
  }
  override read(_file: File, pos: number, count: number): Uint8Array {
    return new TextEncoder().encode(fdinfo(this.task, this.fd)).subarray(pos, pos + count);
  }
}

/** mem_open(), mem_read(), mem_write(), fs/proc/base.c: the memory that the task has at the time of open(2). */
class ProcMemInode extends Inode {
  readonly task: Task;

  constructor(sb: SuperBlock, ino: bigint, task: Task) {
    super(sb, S_IFREG | 0o600, ino);
    this.task = task;
  }
  override open(file: File): number {
    const error = proc_access(this.task);
    if (error) return error;
    if (this.task.exitState === undefined) file.privateData = this.task.mm;
    return 0;
  }
  override read(file: File, pos: number, count: number): Uint8Array | number {
    const mm = file.privateData as Mm | undefined;
    if (mm === undefined || mm.users === 0 || count === 0) return new Uint8Array(0);
    const bytes = access_process_vm(mm, pos, Math.min(count, 1 << 20));
    return bytes.length === 0 ? -EIO : bytes;
  }
  override write(file: File, pos: number, bytes: Uint8Array): number {
    const mm = file.privateData as Mm | undefined;
    if (mm === undefined || mm.users === 0) return 0;
    const done = access_process_vm(mm, pos, bytes);
    return done === 0 && bytes.length > 0 ? -EIO : done;
  }
}
