import { EAGAIN, EFAULT, EINVAL, ENOMEM } from '../abi/errno.ts';
import { MAP_FIXED, MAP_SHARED, MREMAP_FIXED, MREMAP_MAYMOVE, RLIMIT_MEMLOCK } from '../abi/mman.ts';
import { asAddr, PAGE_SIZE, pageAlign } from '../addr.ts';
import type { Task } from '../task/task.ts';
import { may_expand_vm } from './accounting.ts';
import { dropRuns } from './fault.ts';
import { get_file } from './file-ref.ts';
import { lockedVm } from './mlock.ts';
import type { Mm } from './mm.ts';
import { do_munmap, mm_populate } from './mmap.ts';
import { get_unmapped_area } from './unmapped-area.ts';
import { VM_DONTEXPAND, VM_LOCKED, VM_MAYSHARE, VM_PFNMAP, Vma, vma_is_anonymous } from './vma.ts';
import { insertVma, mergeVma } from './vma-list.ts';

/** vma_to_resize(), mm/mremap.c. */
function vma_to_resize(mm: Mm, address: number, oldLen: number, newLen: number): Vma | number {
  const vma = mm.vmaAt(address);
  if (vma === undefined) return -EFAULT;
  if (oldLen > vma.end - address) return -EFAULT;
  if (newLen === oldLen) return vma;
  if ((vma.flags & (VM_DONTEXPAND | VM_PFNMAP)) !== 0) return -EFAULT;
  const grow = (newLen - oldLen) / PAGE_SIZE;
  if ((vma.flags & VM_LOCKED) !== 0 && (lockedVm(mm) + grow) * PAGE_SIZE > mm.rlimit(RLIMIT_MEMLOCK)) return -EAGAIN;
  return may_expand_vm(mm, vma.flags, grow) ? vma : -ENOMEM;
}

/** move_page_tables(), mm/mremap.c. */
function move_page_tables(mm: Mm, from: number, to: number, len: number): void {
  const delta = (to - from) / PAGE_SIZE;
  dropRuns(mm, from, from + len);
  mm.pages.forRange(from / PAGE_SIZE, (from + len) / PAGE_SIZE, (vpn, pte) => {
    mm.pages.set(vpn, 0);
    mm.pages.set(vpn + delta, pte);
  });
  mm.kernel.cpu.flushTlb();
}

/** move_vma() and copy_vma(), mm/mremap.c, mm/mmap.c. */
function move_vma(task: Task, vma: Vma, from: number, oldLen: number, newLen: number, to: number): number {
  const { mm } = task;
  if (mm.mapsFull(4)) return -ENOMEM;
  // A private mapping that nobody has touched has no place that it remembers.
  const pgoff =
    vma_is_anonymous(vma) && vma.anonVma === 0 ? to / PAGE_SIZE : vma.pgoff + (from - vma.start) / PAGE_SIZE;
  const moved = new Vma(asAddr(to), asAddr(to + newLen), vma.flags, pgoff, vma.file, vma.special);
  moved.anonVma = vma.anonVma;
  moved.anonChain = vma.anonChain;
  if (moved.file) get_file(moved.file);
  insertVma(mm, moved);
  move_page_tables(mm, from, to, oldLen);
  const error = moved.special === undefined ? 0 : task.kernel.ops.special_mapping_mremap(task, moved);
  if (error < 0) {
    move_page_tables(mm, to, from, oldLen);
    do_munmap(mm, to, newLen);
    return error;
  }
  mergeVma(mm, moved);
  if (oldLen > 0) do_munmap(mm, from, oldLen);
  if ((vma.flags & VM_LOCKED) !== 0) mm_populate(mm, to, to + newLen);
  return to;
}

const mapFlags = (vma: Vma): number => ((vma.flags & VM_MAYSHARE) !== 0 ? MAP_SHARED : 0);

/** mremap_to(), mm/mremap.c: MREMAP_FIXED. */
function mremap_to(task: Task, address: number, oldLength: number, to: number, newLen: number): number {
  const { mm } = task;
  let oldLen = oldLength;
  if (to % PAGE_SIZE !== 0) return -EINVAL;
  if (newLen > mm.taskSize || to > mm.taskSize - newLen) return -EINVAL;
  if (address + oldLen > to && to + newLen > address) return -EINVAL;
  const error = do_munmap(mm, to, newLen);
  if (error < 0) return error;
  if (oldLen >= newLen) {
    const shrunk = do_munmap(mm, address + newLen, oldLen - newLen);
    if (shrunk < 0 && oldLen !== newLen) return shrunk;
    oldLen = newLen;
  }
  const vma = vma_to_resize(mm, address, oldLen, newLen);
  if (typeof vma === 'number') return vma;
  const place = get_unmapped_area(task, to, newLen, MAP_FIXED | mapFlags(vma));
  return place < 0 ? place : move_vma(task, vma, address, oldLen, newLen, place);
}

/** vma_expandable(), mm/mremap.c. */
function vma_expandable(mm: Mm, vma: Vma, delta: number): boolean {
  const end = vma.end + delta;
  return mm.findVmaIntersection(vma.end, end) === undefined && end <= mm.taskSize;
}

/** sys_mremap(), mm/mremap.c, of v4.7: no MREMAP_DONTUNMAP. */
export function do_mremap(
  task: Task,
  address: number,
  oldLength: number,
  newLength: number,
  flags: number,
  newAddress: number,
): number {
  const { mm } = task;
  if ((flags & ~(MREMAP_FIXED | MREMAP_MAYMOVE)) !== 0) return -EINVAL;
  if ((flags & MREMAP_FIXED) !== 0 && (flags & MREMAP_MAYMOVE) === 0) return -EINVAL;
  if (address % PAGE_SIZE !== 0) return -EINVAL;
  const oldLen = pageAlign(oldLength);
  const newLen = pageAlign(newLength);
  if (newLen === 0) return -EINVAL;
  if ((flags & MREMAP_FIXED) !== 0) return mremap_to(task, address, oldLen, newAddress, newLen);
  if (oldLen >= newLen) {
    const error = do_munmap(mm, address + newLen, oldLen - newLen);
    return error < 0 && oldLen !== newLen ? error : address;
  }
  const vma = vma_to_resize(mm, address, oldLen, newLen);
  if (typeof vma === 'number') return vma;
  if (oldLen === vma.end - address && vma_expandable(mm, vma, newLen - oldLen)) {
    vma.end = asAddr(address + newLen);
    mergeVma(mm, vma);
    if ((vma.flags & VM_LOCKED) !== 0) mm_populate(mm, address + oldLen, address + newLen);
    return address;
  }
  if ((flags & MREMAP_MAYMOVE) === 0) return -ENOMEM;
  const place = get_unmapped_area(task, 0, newLen, mapFlags(vma));
  return place < 0 ? place : move_vma(task, vma, address, oldLen, newLen, place);
}
