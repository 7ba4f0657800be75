/** do_arch_prctl() for ARCH_SET_FS ...: arch/x86/kernel/process_64.c. A base that is set makes the selector 0. */
import { EPERM } from '../abi/errno.ts';
import type { Task } from './task.ts';

/** ARCH_SET_FS. @returns 0 or -EPERM */
export function set_fs_base(task: Task, base: bigint): number {
  return setBase(task, 'fs', base);
}

/** ARCH_SET_GS. */
export function set_gs_base(task: Task, base: bigint): number {
  return setBase(task, 'gs', base);
}

function setBase(task: Task, segment: 'fs' | 'gs', base: bigint): number {
  if (base >= BigInt(task.mm.taskSize)) return -EPERM;
  if (task.regs[segment] !== 0) {
    const { kernel } = task;
    const { current } = kernel;
    kernel.switchTo(task);
    kernel.cpu.loadSegment(segment, 0);
    if (current) kernel.switchTo(current);
  }
  if (segment === 'fs') task.regs.fsBase = base;
  else task.regs.gsBase = base;
  return 0;
}
