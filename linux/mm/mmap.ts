/** Mapping and unmapping, and the heap: mm/mmap.c. */
import { EACCES, EINVAL, ENODEV, ENOMEM, EOVERFLOW, EPERM } from '../abi/errno.ts';
import {
  MAP_DENYWRITE,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_TYPE,
  PROT_EXEC,
  PROT_READ,
  RLIMIT_DATA,
} from '../abi/mman.ts';
import { type Addr, asAddr, PAGE_SIZE, pageAlign, pageOf, TASK_SIZE_MAX } from '../addr.ts';
import { may_expand_vm } from './accounting.ts';
import { dropRuns, pageFor, zap_page_range } from './fault.ts';
import { get_file, put_file } from './file-ref.ts';
import { MMAP_MIN_ADDR } from './limits.ts';
import { can_do_mlock, mlock_future_check } from './mlock.ts';
import type { Mm } from './mm.ts';
import { get_unmapped_area, type MmCaller } from './unmapped-area.ts';
import {
  type MappedFile,
  type SpecialMapping,
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_LOCKONFAULT,
  VM_MAYRWX,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_NORESERVE,
  VM_PFNMAP,
  VM_READ,
  VM_SHARED,
  VM_SPECIAL,
  VM_WRITE,
  Vma,
} from './vma.ts';
import { insertVma, mergeVma, split_vma } from './vma-list.ts';

/** personality(2): a mapping that can be read can be executed. */
export const READ_IMPLIES_EXEC = 0x040_0000;

/** round_hint_to_min(): down to a page, not below mmap_min_addr. */
const roundHint = (hint: number): number => {
  const at = pageOf(hint);
  return at !== 0 && at < MMAP_MIN_ADDR ? MMAP_MIN_ADDR : at;
};

/** calc_vm_prot_bits(), calc_vm_flag_bits(): PROT_* and three of the MAP_* have the values of their VM_*. */
const calcFlags = (prot: number, flags: number): number =>
  (prot & 7) | (flags & (MAP_GROWSDOWN | MAP_DENYWRITE | MAP_LOCKED));

/** The checks of do_mmap() on a file. @returns VM_* flags, or a negative errno */
function fileFlags(file: MappedFile, prot: number, flags: number, vm: number): number {
  let vmFlags = vm;
  switch (flags & MAP_TYPE) {
    case MAP_SHARED:
      if ((prot & VM_WRITE) !== 0 && !file.writable) return -EACCES;
      vmFlags |= VM_SHARED | VM_MAYSHARE;
      if (!file.writable) vmFlags &= ~(VM_MAYWRITE | VM_SHARED);
      break;
    case MAP_PRIVATE:
      break;
    default:
      return -EINVAL;
  }
  if (!file.readable) return -EACCES;
  if (!file.inode.mmapable()) return -ENODEV;
  return (vmFlags & VM_GROWSDOWN) !== 0 ? -EINVAL : vmFlags;
}

/** A file for a shared anonymous mapping: shmem_zero_setup(), mm/shmem.c. Given by whoever has a file system. */
export type ShmemSetup = (size: number) => MappedFile | number;

/**
 * do_mmap(), mm/mmap.c.
 * @param offset in bytes, a multiple of the page size (the system calls check that)
 */
export function do_mmap(
  task: MmCaller,
  address: number,
  length: number,
  prot: number,
  flags: number,
  file: MappedFile | undefined,
  offset: number,
  shmem?: ShmemSetup,
): number {
  const { mm } = task;
  if (length === 0) return -EINVAL;
  let protection = prot;
  if ((prot & PROT_READ) !== 0 && (task.personality & READ_IMPLIES_EXEC) !== 0) protection |= PROT_EXEC;
  const hint = (flags & MAP_FIXED) !== 0 ? address : roundHint(address);
  const len = pageAlign(length);
  if (len === 0 || len >= 2 ** 64) return -ENOMEM;
  if (offset + len > 2 ** 63) return -EOVERFLOW;
  if (mm.mapsFull(0)) return -ENOMEM;
  const at = get_unmapped_area(task, hint, len, flags);
  if (at < 0) return at;

  let vmFlags = calcFlags(protection, flags) | mm.defFlags | VM_MAYRWX;
  if ((flags & MAP_LOCKED) !== 0 && !can_do_mlock(task)) return -EPERM;
  const locked = mlock_future_check(task, vmFlags, len);
  if (locked < 0) return locked;
  let pgoff = offset / PAGE_SIZE;
  let backing = file;
  if (file !== undefined) {
    vmFlags = fileFlags(file, protection, flags, vmFlags);
    if (vmFlags < 0) return vmFlags;
    get_file(file);
  } else {
    switch (flags & MAP_TYPE) {
      case MAP_SHARED: {
        if ((vmFlags & VM_GROWSDOWN) !== 0) return -EINVAL;
        vmFlags |= VM_SHARED | VM_MAYSHARE;
        pgoff = 0;
        const made = shmem === undefined ? -ENOMEM : shmem(len);
        if (typeof made === 'number') return made;
        backing = made;
        break;
      }
      case MAP_PRIVATE:
        pgoff = at / PAGE_SIZE;
        break;
      default:
        return -EINVAL;
    }
  }
  if ((flags & MAP_NORESERVE) !== 0) vmFlags |= VM_NORESERVE;
  else if ((vmFlags & (VM_WRITE | VM_SHARED)) === VM_WRITE) vmFlags |= VM_ACCOUNT;
  const vma = mmap_region(mm, at, len, vmFlags, pgoff, backing);
  if (typeof vma === 'number') {
    if (backing !== undefined) put_file(backing);
    return vma;
  }
  const populate = (vmFlags & VM_LOCKED) !== 0 || (flags & (MAP_POPULATE | MAP_NONBLOCK)) === MAP_POPULATE;
  if (populate) mm_populate(mm, at, at + len);
  return at;
}

/** mmap_region(), mm/mmap.c: takes the caller's reference to the file. */
function mmap_region(
  mm: Mm,
  at: number,
  len: number,
  flags: number,
  pgoff: number,
  file: MappedFile | undefined,
): Vma | number {
  const covered = countOverlap(mm, at, at + len);
  if (!may_expand_vm(mm, flags, len / PAGE_SIZE - covered)) return -ENOMEM;
  if (mm.findVmaIntersection(at, at + len) !== undefined) {
    const error = do_munmap(mm, at, len);
    if (error < 0) return error;
  }
  const vma = new Vma(asAddr(at), asAddr(at + len), flags, pgoff, file);
  insertVma(mm, vma);
  return mergeVma(mm, vma);
}

/** count_vma_pages_range(), mm/mmap.c. */
function countOverlap(mm: Mm, start: number, end: number): number {
  let pages = 0;
  for (let i = mm.vmaIndex(start); i < mm.vmas.length; i++) {
    const vma = mm.vmas[i]!;
    if (vma.start >= end) break;
    pages += (Math.min(vma.end, end) - Math.max(vma.start, start)) / PAGE_SIZE;
  }
  return pages;
}

/** mm_populate(), mm/gup.c: brings pages in; what cannot be had is left for a fault. */
export function mm_populate(mm: Mm, start: number, end: number): void {
  for (let i = mm.vmaIndex(start); i < mm.vmas.length; i++) {
    const vma = mm.vmas[i]!;
    if (vma.start >= end) break;
    if ((vma.flags & (VM_PFNMAP | VM_LOCKONFAULT)) !== 0 || (vma.flags & 7) === 0) continue;
    const write = (vma.flags & (VM_WRITE | VM_SHARED)) === VM_WRITE;
    const last = Math.min(vma.end, end) / PAGE_SIZE;
    for (let vpn = Math.max(vma.start, start) / PAGE_SIZE; vpn < last; vpn++)
      if (pageFor(mm, vma, vpn, write) < 0) break;
  }
}

// ---- munmap, brk

/** do_munmap(), mm/mmap.c. */
export function do_munmap(mm: Mm, start: number, length: number): number {
  if (start % PAGE_SIZE !== 0 || start > mm.taskSize || length > mm.taskSize - start) return -EINVAL;
  const len = pageAlign(length);
  if (len === 0) return -EINVAL;
  const end = start + len;
  const first = mm.findVma(start);
  if (first === undefined || first.start >= end) return 0;
  if (start > first.start) {
    if (end < first.end && mm.mapsFull(1)) return -ENOMEM;
    split_vma(mm, first, start);
  }
  const last = mm.vmaAt(end);
  if (last !== undefined && last.start < end) split_vma(mm, last, end);
  unmapRange(mm, start, end);
  return 0;
}

/** Takes away the mappings that lie in [start, end), which cuts none of them. */
function unmapRange(mm: Mm, start: number, end: number): void {
  const from = mm.vmaIndex(start);
  let to = from;
  while (to < mm.vmas.length && mm.vmas[to]!.start < end) to++;
  zap_page_range(mm, start, end);
  mm.kernel.mmState.vmas -= to - from;
  for (const vma of mm.vmas.splice(from, to - from)) if (vma.file) put_file(vma.file);
}

/** sys_brk(), mm/mmap.c. @returns the new break, or the old one when it could not move */
export function do_brk(task: MmCaller, brk: number): number {
  const { mm } = task;
  if (brk < mm.startBrk) return mm.brk;
  const data = mm.rlimit(RLIMIT_DATA);
  if (data !== Number.POSITIVE_INFINITY && brk - mm.startBrk + (mm.endData - mm.startData) > data) return mm.brk;
  const newEnd = pageAlign(brk);
  const oldEnd = pageAlign(mm.brk);
  if (newEnd < oldEnd) {
    if (do_munmap(mm, newEnd, oldEnd - newEnd) < 0) return mm.brk;
  } else if (newEnd > oldEnd) {
    if (mm.findVmaIntersection(oldEnd, newEnd + PAGE_SIZE) !== undefined) return mm.brk;
    if (vm_brk(task, oldEnd, newEnd - oldEnd) < 0) return mm.brk;
  }
  mm.brk = brk;
  return brk;
}

/** do_brk() and vm_brk(), mm/mmap.c: anonymous memory as the heap and bss have it. */
export function vm_brk(task: MmCaller, at: number, length: number): number {
  const { mm } = task;
  const len = pageAlign(length);
  if (len === 0) return 0;
  const exec = (task.personality & READ_IMPLIES_EXEC) !== 0 ? PROT_EXEC : 0;
  const flags = VM_READ | VM_WRITE | exec | VM_MAYRWX | VM_ACCOUNT | mm.defFlags;
  const place = get_unmapped_area(task, at, len, MAP_FIXED);
  if (place < 0) return place;
  const locked = mlock_future_check(task, flags, len);
  if (locked < 0) return locked;
  if (mm.mapsFull(0)) return -ENOMEM;
  const vma = mmap_region(mm, at, len, flags, at / PAGE_SIZE, undefined);
  if (typeof vma === 'number') return vma;
  if ((flags & VM_LOCKED) !== 0) mm_populate(mm, at, at + len);
  return 0;
}

/** _install_special_mapping(), mm/mmap.c. */
export function _install_special_mapping(
  mm: Mm,
  start: Addr,
  len: number,
  flags: number,
  special: SpecialMapping,
): Vma | number {
  const vmFlags = flags | mm.defFlags | VM_DONTEXPAND;
  if (mm.findVmaIntersection(start, start + len) !== undefined) return -ENOMEM;
  if (!may_expand_vm(mm, vmFlags, len / PAGE_SIZE)) return -ENOMEM;
  const vma = new Vma(start, asAddr(start + len), vmFlags, 0, undefined, special);
  insertVma(mm, vma);
  return vma;
}

/** exit_mmap(), mm/mmap.c: all goes. */
export function exit_mmap(mm: Mm): void {
  if (mm.vmas.length > 0) unmapRange(mm, 0, TASK_SIZE_MAX);
  dropRuns(mm, 0, 2 * TASK_SIZE_MAX);
  mm.kernel.cpu.dropSpace(mm);
}

/** Whether VM_SPECIAL keeps a mapping out of mlock and madvise(DODUMP). */
export const isSpecial = (vma: Vma): boolean => (vma.flags & VM_SPECIAL) !== 0;
