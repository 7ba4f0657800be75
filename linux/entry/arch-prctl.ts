import { EINVAL } from '../abi/errno.ts';
import { put_user_u64 } from '../mm/uaccess.ts';
import { set_fs_base, set_gs_base } from '../task/fsgs.ts';
import type { Task } from '../task/task.ts';

/** A code of arch_prctl(2). */
export interface ArchPrctlRow {
  readonly code: number;
  readonly name: string;
  /** `current` is who asks: another task when a tracer does it for `task`. */
  readonly run: (task: Task, address: number, current: Task) => number;
}

/**
 * do_arch_prctl(), arch/x86/kernel/process_64.c: a table, so that a patch can add rows. 64-bit and x32 tasks only; the
 * 32-bit table of v4.7 has no such call.
 */
export function sys_arch_prctl(task: Task, code: number, address: number): number {
  const row = task.kernel.ops.arch_prctl.find((r) => r.code === code);
  return row === undefined ? -EINVAL : row.run(task, address, task);
}

/** ARCH_SET_FS, ARCH_SET_GS. */
export const set_base =
  (segment: 'fs' | 'gs') =>
  (task: Task, address: number): number =>
    segment === 'fs' ? set_fs_base(task, BigInt(address)) : set_gs_base(task, BigInt(address));

/** ARCH_GET_FS, ARCH_GET_GS. */
export const get_base =
  (segment: 'fs' | 'gs') =>
  (task: Task, address: number, current: Task): number =>
    put_user_u64(current.mm, address, segment === 'fs' ? task.regs.fsBase : task.regs.gsBase);
