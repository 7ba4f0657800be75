/** How much memory may be locked: mm/mlock.c. */
import { EAGAIN } from '../abi/errno.ts';
import { RLIMIT_MEMLOCK } from '../abi/mman.ts';
import { PAGE_SIZE } from '../addr.ts';
import type { Mm } from './mm.ts';
import type { MmCaller } from './unmapped-area.ts';
import { VM_LOCKED } from './vma.ts';

const CAP_IPC_LOCK = 14n;
export const can_do_mlock = (task: MmCaller): boolean =>
  task.mm.rlimit(RLIMIT_MEMLOCK) !== 0 || ((task.cred.capEffective >> CAP_IPC_LOCK) & 1n) === 1n;

/** mlock_future_check(), mm/mmap.c. */
export function mlock_future_check(task: MmCaller, flags: number, len: number): number {
  if ((flags & VM_LOCKED) === 0) return 0;
  const locked = lockedVm(task.mm) + len / PAGE_SIZE;
  const limit = task.mm.rlimit(RLIMIT_MEMLOCK) / PAGE_SIZE;
  return locked > limit && ((task.cred.capEffective >> CAP_IPC_LOCK) & 1n) === 0n ? -EAGAIN : 0;
}

/** mm->locked_vm. */
export const lockedVm = (mm: Mm): number =>
  mm.vmas.reduce((pages, vma) => pages + ((vma.flags & VM_LOCKED) !== 0 ? vma.pages : 0), 0);
