/** Signals for what happens to an open file: kill_fasync() and send_sigio(), fs/fcntl.c. */
import { O_ASYNC } from '../abi/fcntl.ts';
import {
  POLL_ERR,
  POLL_HUP,
  POLL_IN,
  POLL_MSG,
  POLL_OUT,
  POLL_PRI,
  SIGIO,
  SIGURG,
  type SigInfo,
} from '../abi/signal.ts';
import { kernelInfo, send_signal } from '../signal/queue.ts';
import type { Task } from '../task/task.ts';
import type { File } from './file.ts';
import type { Inode } from './inode.ts';

/** `struct fown_struct`: F_SETOWN, F_SETSIG. */
export interface FileOwner {
  /** A thread, a process (that of the thread with this number) or a process group; 0: nobody. */
  readonly pid: number;
  readonly kind: 'thread' | 'process' | 'group';
  /** Of who set it. */
  readonly uid: number;
  readonly euid: number;
}
export const NO_OWNER: FileOwner = { pid: 0, kind: 'process', uid: 0, euid: 0 };

/** `struct fasync_struct`: who asked for signals, and by which descriptor. */
export interface Fasync {
  readonly file: File;
  readonly fd: number;
}

/** band_table: what si_band says for each reason. */
const BANDS: ReadonlyMap<number, number> = new Map([
  [POLL_IN, 0x41],
  [POLL_OUT, 0x304],
  [POLL_MSG, 0x441],
  [POLL_ERR, 0x8],
  [POLL_PRI, 0x82],
  [POLL_HUP, 0x18],
]);

/** fasync_helper(): the first descriptor that asked is told of. */
export function fasync_helper(file: File, fd: number, on: boolean): void {
  const { inode } = file;
  file.flags = on ? file.flags | O_ASYNC : file.flags & ~O_ASYNC;
  const known = inode.fasync.findIndex((entry) => entry.file === file);
  if (on && known < 0) inode.fasync.push({ file, fd });
  else if (on) inode.fasync[known] = { file, fd };
  else if (known >= 0) inode.fasync.splice(known, 1);
}

/** kill_fasync(). SIGURG has a way of its own for who has not chosen a signal. */
export function kill_fasync(inode: Inode, sig: number, reason: number, which?: (file: File) => boolean): void {
  for (const { file, fd } of [...inode.fasync]) {
    if (which && !which(file)) continue;
    if (sig !== SIGURG || file.ownerSignal !== 0) send_sigio(file, fd, reason);
  }
}

/** send_sigio(): SIGIO, or the chosen signal with what happened to which descriptor. */
export function send_sigio(file: File, fd: number, reason: number): void {
  const signo = file.ownerSignal;
  for (const task of ownersOf(file)) {
    if (!sigio_perm(task, file.owner)) continue;
    const shared = file.owner.kind !== 'thread';
    const info: SigInfo = { signo, errno: 0, code: reason, layout: 'poll', band: BANDS.get(reason) ?? -1, fd };
    if (signo === 0 || send_signal(task, info, shared) < 0) send_signal(task, kernelInfo(SIGIO), shared);
  }
}

/** send_sigurg(). @returns whether the file has an owner */
export function send_sigurg(file: File): boolean {
  for (const task of ownersOf(file)) {
    if (sigio_perm(task, file.owner)) send_signal(task, kernelInfo(SIGURG), file.owner.kind !== 'thread');
  }
  return file.owner.pid !== 0;
}

function ownersOf({ owner, inode }: File): Task[] {
  const { tasks } = inode.sb.kernel;
  if (owner.pid === 0) return [];
  if (owner.kind === 'group') {
    return [...tasks.values()].filter((task) => task.isLeader && task.group.pgrp === owner.pid);
  }
  const task = tasks.get(owner.pid);
  return task === undefined ? [] : [task];
}

/** sigio_perm() */
function sigio_perm({ cred }: Task, { uid, euid }: FileOwner): boolean {
  return euid === 0 || euid === cred.suid || euid === cred.uid || uid === cred.suid || uid === cred.uid;
}
