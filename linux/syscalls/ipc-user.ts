/** The structures of System V IPC in user memory. */
import { EFAULT } from '../abi/errno.ts';
import type { IpcPerm } from '../ipc/ids.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { in_ia32_syscall } from '../task/thread-info.ts';

interface Layout {
  readonly size: number;
  read(bytes: Uint8Array): object;
  write(value: never): Uint8Array;
}

/** Writes fields in the layout of the caller's ABI. @returns 0 or -EFAULT */
export function putDs(task: Task, at: number, wide: Layout, narrow: Layout, fields: Record<string, number>): number {
  if (in_ia32_syscall(task)) return copy_to_user(task.mm, at, narrow.write(fields as never));
  const known = Object.keys(wide.read(new Uint8Array(wide.size)));
  const sample = wide.read(new Uint8Array(wide.size)) as Record<string, unknown>;
  const values = Object.fromEntries(
    known.flatMap((name) => {
      const value = fields[name];
      if (value === undefined) return [];
      return [[name, typeof sample[name] === 'bigint' ? BigInt(value) : value]];
    }),
  );
  return copy_to_user(task.mm, at, wide.write(values as never));
}

/** uid, gid and mode of IPC_SET, and qbytes of a queue. */
export function getDs(task: Task, at: number, wide: Layout, narrow: Layout): Record<string, number> | number {
  const layout = in_ia32_syscall(task) ? narrow : wide;
  const bytes = copy_from_user(task.mm, at, layout.size);
  if (typeof bytes === 'number') return -EFAULT;
  return Object.fromEntries(Object.entries(layout.read(bytes)).map(([name, value]) => [name, Number(value)]));
}

export const permFields = (p: IpcPerm): Record<string, number> => ({
  key: p.key,
  uid: p.uid,
  gid: p.gid,
  cuid: p.cuid,
  cgid: p.cgid,
  mode: p.mode,
  seq: p.seq,
});

/** ipc_update_perm(). */
export function updatePerm(perm: IpcPerm, fields: Record<string, number>): void {
  perm.uid = fields['uid'] ?? perm.uid;
  perm.gid = fields['gid'] ?? perm.gid;
  perm.mode = (perm.mode & ~0o777) | ((fields['mode'] ?? 0) & 0o777);
}
