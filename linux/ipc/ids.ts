/** Identifiers, keys and rights of System V IPC: ipc/util.c. Plain data. */
import { EACCES, EEXIST, EIDRM, EINVAL, ENOENT, ENOSPC } from '../abi/errno.ts';
import { IPC_CREAT, IPC_EXCL, IPC_PRIVATE, IPCMNI } from '../abi/ipc.ts';
import type { File } from '../fs/file.ts';
import { CAP_IPC_OWNER, CAP_SYS_ADMIN, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';

/** `struct kern_ipc_perm`. */
export interface IpcPerm {
  readonly id: number;
  key: number;
  uid: number;
  gid: number;
  readonly cuid: number;
  readonly cgid: number;
  mode: number;
  readonly seq: number;
  /** Seconds since the epoch. */
  ctime: number;
}

export interface Shm extends IpcPerm {
  readonly size: number;
  readonly file: File;
  atime: number;
  dtime: number;
  readonly cpid: number;
  lpid: number;
}

export interface SemArray extends IpcPerm {
  readonly values: number[];
  /** Of the last operation on each. */
  readonly pids: number[];
  otime: number;
  /** SEM_UNDO: what each process gives back at its end, by tgid. */
  readonly undo: Map<number, number[]>;
}

export interface Message {
  readonly type: number;
  readonly bytes: Uint8Array;
}
export interface MsgQueue extends IpcPerm {
  messages: Message[];
  bytes: number;
  qbytes: number;
  stime: number;
  rtime: number;
  lspid: number;
  lrpid: number;
}

/** `struct ipc_ids`. */
export class IpcIds<T extends IpcPerm> {
  readonly byIndex: Map<number, T> = new Map();
  seq = 0;
}

/** `struct ipc_namespace`. */
export interface IpcState {
  readonly shm: IpcIds<Shm>;
  readonly sem: IpcIds<SemArray>;
  readonly msg: IpcIds<MsgQueue>;
}
export const newIpcState = (): IpcState => ({ shm: new IpcIds(), sem: new IpcIds(), msg: new IpcIds() });

export const seconds = (task: Task): number => Number(task.kernel.realtimeNs() / 1_000_000_000n);

/** ipcperms(): whether `flag`, as in a mode, is refused. */
export function ipcperms(task: Task, perm: IpcPerm, flag: number): boolean {
  const { cred } = task;
  const wanted = (flag >> 6) | (flag >> 3) | flag;
  let granted = perm.mode;
  if (cred.euid === perm.cuid || cred.euid === perm.uid) granted >>= 6;
  else if ([perm.cgid, perm.gid].some((gid) => cred.egid === gid || cred.groups.includes(gid))) granted >>= 3;
  return (wanted & ~granted & 7) !== 0 && !capable(cred, CAP_IPC_OWNER);
}

/** ipcget(). @returns the identifier */
export function ipcget<T extends IpcPerm>(
  task: Task,
  ids: IpcIds<T>,
  key: number,
  flags: number,
  fits: (object: T) => boolean,
  make: (perm: IpcPerm) => T | number,
): number {
  const found = key === IPC_PRIVATE ? undefined : [...ids.byIndex.values()].find((o) => o.key === key);
  if (found) {
    if ((flags & IPC_CREAT) !== 0 && (flags & IPC_EXCL) !== 0) return -EEXIST;
    if (!fits(found)) return -EINVAL;
    return ipcperms(task, found, flags) ? -EACCES : found.id;
  }
  if (key !== IPC_PRIVATE && (flags & IPC_CREAT) === 0) return -ENOENT;
  let index = 0;
  while (ids.byIndex.has(index)) index++;
  if (index >= IPCMNI) return -ENOSPC;
  const { euid, egid } = task.cred;
  const seq = ids.seq;
  const mode = flags & 0o777;
  const owner = { uid: euid, gid: egid, cuid: euid, cgid: egid };
  const object = make({ id: seq * IPCMNI + index, key, ...owner, mode, seq, ctime: seconds(task) });
  if (typeof object === 'number') return object;
  ids.seq = (seq + 1) % 65536;
  ids.byIndex.set(index, object);
  return object.id;
}

/** ipc_obtain_object_check(): -EINVAL for nobody, -EIDRM for one that has the index of another that is gone. */
export function obtain<T extends IpcPerm>(ids: IpcIds<T>, id: number): T | number {
  const object = id < 0 ? undefined : ids.byIndex.get(id % IPCMNI);
  if (object === undefined) return -EINVAL;
  return object.id === id ? object : -EIDRM;
}

/** ipc_get_maxid(): the highest index in use, 0 for none; what the INFO commands return. */
export const maxIndex = (ids: IpcIds<IpcPerm>): number => Math.max(0, ...ids.byIndex.keys());

/** By its index: SHM_STAT, SEM_STAT, MSG_STAT. */
export const byIndex = <T extends IpcPerm>(ids: IpcIds<T>, index: number): T | number =>
  ids.byIndex.get(index) ?? -EINVAL;

/** ipc_rmid(), ipc/util.c. */
export function remove<T extends IpcPerm>(ids: IpcIds<T>, object: T): void {
  ids.byIndex.delete(object.id % IPCMNI);
}

/** ipcctl_pre_down_nolock(): who may change or remove. */
export const mayControl = (task: Task, perm: IpcPerm): boolean =>
  task.cred.euid === perm.cuid || task.cred.euid === perm.uid || capable(task.cred, CAP_SYS_ADMIN);
