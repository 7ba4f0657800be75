/** The system calls of mm/: mmap, mprotect, mremap, brk, madvise and their like. */
import { EBADF, EINVAL } from '../abi/errno.ts';
import { MAP_ANONYMOUS, MAP_DENYWRITE, MAP_EXECUTABLE, MAP_HUGETLB, MLOCK_ONFAULT } from '../abi/mman.ts';
import { PAGE_SIZE } from '../addr.ts';
import { MemDeviceInode } from '../fs/char-devices.ts';
import { do_madvise, do_mincore, do_mlock, do_mlockall, do_msync, do_munlock } from '../mm/madvise.ts';
import { do_brk, do_mmap, do_munmap } from '../mm/mmap.ts';
import { do_mprotect } from '../mm/mprotect.ts';
import { do_mremap } from '../mm/mremap.ts';
import { shmem_zero_setup } from '../mm/shmem.ts';
import { get_user_u32 } from '../mm/uaccess.ts';
import { VM_LOCKED, VM_LOCKONFAULT } from '../mm/vma.ts';
import type { Task } from '../task/task.ts';

const EFAULT = 14;

/** sys_mmap_pgoff() and vm_mmap_pgoff(), mm/mmap.c; the offset in bytes. */
function mmap(task: Task, addr: number, len: number, prot: number, flags: number, fd: number, offset: number): number {
  const kept = flags & ~(MAP_EXECUTABLE | MAP_DENYWRITE);
  if ((flags & MAP_ANONYMOUS) !== 0) {
    // Not modelled: huge pages; without a pool of them Linux answers so.
    if ((flags & MAP_HUGETLB) !== 0) return -12;
    return do_mmap(task, addr, len, prot, kept, undefined, offset, (size) => shmem_zero_setup(task, size));
  }
  const file = task.files.get(fd);
  if (file === undefined || (file.flags & O_PATH) !== 0) return -EBADF;
  if ((flags & MAP_HUGETLB) !== 0) return -EINVAL;
  // mmap_zero(), drivers/char/mem.c: as anonymous memory.
  if (file.inode instanceof MemDeviceInode && file.inode.device === 'zero')
    return do_mmap(task, addr, len, prot, kept, undefined, 0, (size) => shmem_zero_setup(task, size));
  return do_mmap(task, addr, len, prot, kept, file, offset);
}
const O_PATH = 0o10000000;

/** SYSCALL mmap, arch/x86/kernel/sys_x86_64.c: the offset in bytes, a multiple of the page size. */
export function sys_mmap(
  task: Task,
  addr: number,
  len: number,
  prot: number,
  flags: number,
  fd: number,
  offset: number,
): number {
  if (offset % PAGE_SIZE !== 0) return -EINVAL;
  return mmap(task, addr, len, prot, flags, fd, offset < 0 ? offset + 2 ** 64 : offset);
}

/** sys_mmap_pgoff(), mm/mmap.c: mmap2 of the 32-bit table. */
export const sys_mmap2 = (
  task: Task,
  addr: number,
  len: number,
  prot: number,
  flags: number,
  fd: number,
  pgoff: number,
): number => mmap(task, addr, len, prot, flags, fd, pgoff * PAGE_SIZE);

/** sys32_mmap(), arch/x86/ia32/sys_ia32.c: the old call, `struct mmap_arg_struct32` in memory. */
export function sys32_mmap(task: Task, arg: number): number {
  const words = [0, 4, 8, 12, 16, 20].map((at) => get_user_u32(task.mm, arg + at));
  if (words.includes(undefined)) return -EFAULT;
  const [addr, len, prot, flags, fd, offset] = words as [number, number, number, number, number, number];
  if (offset % PAGE_SIZE !== 0) return -EINVAL;
  return mmap(task, addr, len, prot, flags, fd >= 2 ** 31 ? fd - 2 ** 32 : fd, offset);
}

export const sys_munmap = (task: Task, addr: number, len: number): number => do_munmap(task.mm, addr, len);
export const sys_mprotect = (task: Task, addr: number, len: number, prot: number): number =>
  do_mprotect(task, addr, len, prot);
export const sys_mremap = (
  task: Task,
  addr: number,
  oldLen: number,
  newLen: number,
  flags: number,
  to: number,
): number => do_mremap(task, addr, oldLen, newLen, flags, to);
export const sys_brk = (task: Task, brk: number): number => do_brk(task, brk);
export const sys_madvise = (task: Task, addr: number, len: number, advice: number): number =>
  do_madvise(task, addr, len, advice);
export const sys_mincore = (task: Task, addr: number, len: number, vec: number): number =>
  do_mincore(task, addr, len, vec);
export const sys_msync = (task: Task, addr: number, len: number, flags: number): number =>
  do_msync(task, addr, len, flags);
export const sys_mlock = (task: Task, addr: number, len: number): number => do_mlock(task, addr, len, VM_LOCKED);
export const sys_mlock2 = (task: Task, addr: number, len: number, flags: number): number =>
  (flags & ~MLOCK_ONFAULT) !== 0
    ? -EINVAL
    : do_mlock(task, addr, len, VM_LOCKED | (flags === MLOCK_ONFAULT ? VM_LOCKONFAULT : 0));
export const sys_munlock = (task: Task, addr: number, len: number): number => do_munlock(task, addr, len);
export const sys_mlockall = (task: Task, flags: number): number => do_mlockall(task, flags, false);
export const sys_munlockall = (task: Task): number => do_mlockall(task, 0, true);
