/** Who hears of an open file by a signal: f_setown() and its like, fs/fcntl.c; fasync() of the files that have it. */
import { EFAULT, EINVAL, ESRCH } from '../abi/errno.ts';
import { F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID, O_ASYNC } from '../abi/fcntl.ts';
import { type FileOwner, fasync_helper } from '../fs/fasync.ts';
import type { File } from '../fs/file.ts';
import { TtyInode } from '../fs/tty.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';

const KINDS: Readonly<Record<number, FileOwner['kind']>> = {
  [F_OWNER_TID]: 'thread',
  [F_OWNER_PID]: 'process',
  [F_OWNER_PGRP]: 'group',
};

/** find_vpid(): whether somebody has this number, as a thread or as a process group or session. */
function numberTaken(task: Task, pid: number): boolean {
  const { tasks } = task.kernel;
  if (tasks.has(pid)) return true;
  return [...tasks.values()].some(({ group }) => group.pgrp === pid || group.session === pid);
}

function setOwner(task: Task, file: File, kind: FileOwner['kind'], pid: number): void {
  const { uid, euid } = task.cred;
  file.owner = { kind, pid: numberTaken(task, pid) ? pid : 0, uid, euid };
}

/** f_setown(): a negative number is a process group. A number that nobody has is nobody. */
export const f_setown = (task: Task, file: File, who: number): void =>
  setOwner(task, file, who < 0 ? 'group' : 'process', Math.abs(who));

/** f_getown() */
export const f_getown = ({ owner }: File): number => (owner.kind === 'group' ? -owner.pid : owner.pid);

/** f_setown_ex() */
export function f_setown_ex(task: Task, file: File, at: number): number {
  const bytes = copy_from_user(task.mm, at, 8);
  if (typeof bytes === 'number') return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const kind = KINDS[view.getInt32(0, true)];
  const pid = view.getInt32(4, true);
  if (kind === undefined) return -EINVAL;
  if (pid !== 0 && !numberTaken(task, pid)) return -ESRCH;
  setOwner(task, file, kind, pid);
  return 0;
}

/** f_getown_ex() */
export function f_getown_ex(task: Task, { owner }: File, at: number): number {
  const type = owner.kind === 'thread' ? F_OWNER_TID : owner.kind === 'process' ? F_OWNER_PID : F_OWNER_PGRP;
  return copy_to_user(task.mm, at, new Uint8Array(Int32Array.of(type, owner.pid).buffer));
}

/** The fasync() of a file. @returns whether it has one; without, O_ASYNC does not stick */
export function setAsync(task: Task, file: File, fd: number, on: boolean): boolean {
  if (!file.inode.asyncs) return false;
  if (on === ((file.flags & O_ASYNC) !== 0)) return true;
  fasync_helper(file, fd, on);
  // tty_fasync(): the foreground group, or the caller, where nobody has been chosen.
  if (on && file.inode instanceof TtyInode && file.owner.pid === 0) {
    const { pgrp } = file.inode;
    f_setown(task, file, pgrp !== 0 ? -pgrp : task.pid);
  }
  return true;
}
