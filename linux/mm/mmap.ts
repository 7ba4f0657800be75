import { EACCES, EAGAIN, EINVAL, ENODEV, ENOMEM, EOVERFLOW, EPERM } from '../abi/errno.ts';
import {
  MAP_32BIT,
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
  RLIMIT_MEMLOCK,
} from '../abi/mman.ts';
import { type Addr, asAddr, PAGE_SIZE, pageAlign, pageOf, TASK_SIZE_MAX } from '../addr.ts';
import { may_expand_vm } from './accounting.ts';
import { dropRuns, pageFor, zap_page_range } from './fault.ts';
import { get_file, put_file } from './file-ref.ts';
import { MMAP_MIN_ADDR } from './limits.ts';
import type { Mm } from './mm.ts';
import {
  canMerge,
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

/** personality(2): a mapping that can be read can be executed. */
export const READ_IMPLIES_EXEC = 0x040_0000;

/** The caller of mmap and friends. */
export interface MmCaller {
  readonly mm: Mm;
  readonly personality: number;
  readonly cred: { readonly capEffective: bigint };
  readonly threadInfo: { readonly status: number };
  readonly origAx: bigint;
  readonly kernel: { readonly ops: { readonly mmap_area: (task: MmCaller) => MmapArea } };
}

/** Where a mapping without an address may go. */
export interface MmapArea {
  /** A top-down search starts here. */
  readonly base: Addr;
  /** A bottom-up search starts here, and ends at `end`. */
  readonly legacyBase: Addr;
  readonly end: number;
  /** MAP_32BIT means something. */
  readonly map32bit: boolean;
}

/** By the program that was executed: mm->mmap_base and TASK_SIZE of v4.7. */
export const areaOfProgram = ({ mm }: MmCaller): MmapArea => ({
  base: mm.mmapBase,
  legacyBase: mm.mmapLegacyBase,
  end: mm.taskSize,
  map32bit: mm.abi === '64',
});

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

// ---- the list of mappings

/** __insert_vm_struct(): at its place in the list. */
export function insertVma(mm: Mm, vma: Vma): void {
  mm.vmas.splice(mm.vmaIndex(vma.start), 0, vma);
  mm.kernel.mmState.vmas++;
}

/** __split_vma(), mm/mmap.c: `vma` keeps the part below `at`, the new mapping above it is returned. */
export function split_vma(mm: Mm, vma: Vma, at: number): Vma {
  const upper = vma.clone();
  upper.pgoff += (at - vma.start) / PAGE_SIZE;
  upper.start = asAddr(at);
  vma.end = asAddr(at);
  if (upper.file) get_file(upper.file);
  mm.vmas.splice(mm.vmas.indexOf(vma) + 1, 0, upper);
  mm.kernel.mmState.vmas++;
  return upper;
}

/**
 * vma_merge(), mm/mmap.c: joins a mapping with its neighbours where they are alike.
 * @returns the mapping that now covers it
 */
export function mergeVma(mm: Mm, vma: Vma): Vma {
  let merged = vma;
  let index = mm.vmas.indexOf(vma);
  const previous = mm.vmas[index - 1];
  if (previous !== undefined && canMerge(previous, merged)) {
    absorb(mm, previous, merged, index);
    merged = previous;
    index--;
  }
  const next = mm.vmas[index + 1];
  if (next !== undefined && canMerge(merged, next)) absorb(mm, merged, next, index + 1);
  return merged;
}

function absorb(mm: Mm, low: Vma, high: Vma, index: number): void {
  low.end = high.end;
  if (low.anonVma === 0) {
    low.anonVma = high.anonVma;
    low.anonChain = high.anonChain;
  }
  mm.vmas.splice(index, 1);
  mm.kernel.mmState.vmas--;
  if (high.file) put_file(high.file);
}

// ---- where a mapping goes

/** vm_unmapped_area(), mm/mmap.c: the highest (top-down) or lowest hole of `len` bytes in [low, high); -ENOMEM. */
export function vm_unmapped_area(mm: Mm, len: number, low: number, high: number, topDown: boolean): number {
  const { vmas } = mm;
  if (high - low < len) return -ENOMEM;
  if (topDown) {
    let end = high;
    for (let i = mm.vmaIndex(high - 1); i >= 0; i--) {
      const vma = vmas[i];
      if (vma !== undefined && vma.start < end) {
        if (vma.end <= end && end - vma.end >= len) return end - len;
        end = vma.start;
      }
      if (end - low < len) return -ENOMEM;
    }
    return end - len >= low ? end - len : -ENOMEM;
  }
  let start = low;
  for (let i = mm.vmaIndex(low); i < vmas.length; i++) {
    const vma = vmas[i]!;
    if (vma.start >= high) break;
    if (vma.start - start >= len) return start;
    start = Math.max(start, vma.end);
  }
  return high - start >= len ? start : -ENOMEM;
}

const freeAt = (mm: Mm, address: number, len: number): boolean => {
  const vma = mm.findVma(address);
  return vma === undefined || address + len <= vma.start;
};

/** arch_get_unmapped_area(), arch/x86/kernel/sys_x86_64.c: bottom-up. */
function arch_get_unmapped_area(mm: Mm, area: MmapArea, hint: number, len: number, flags: number): number {
  if ((flags & MAP_FIXED) !== 0) return hint;
  const low = area.map32bit && (flags & MAP_32BIT) !== 0;
  const begin = low ? 0x4000_0000 : area.legacyBase;
  const end = low ? 0x8000_0000 : area.end;
  if (len > end) return -ENOMEM;
  if (hint !== 0) {
    const at = pageAlign(hint);
    if (end - len >= at && freeAt(mm, at, len)) return at;
  }
  return vm_unmapped_area(mm, len, begin, end, false);
}

/** arch_get_unmapped_area_topdown(), arch/x86/kernel/sys_x86_64.c. */
function arch_get_unmapped_area_topdown(mm: Mm, area: MmapArea, hint: number, len: number, flags: number): number {
  if (len > mm.taskSize) return -ENOMEM;
  if ((flags & MAP_FIXED) !== 0) return hint;
  if (!(area.map32bit && (flags & MAP_32BIT) !== 0)) {
    if (hint !== 0) {
      const at = pageAlign(hint);
      if (mm.taskSize - len >= at && freeAt(mm, at, len)) return at;
    }
    const found = vm_unmapped_area(mm, len, PAGE_SIZE, area.base, true);
    if (found >= 0) return found;
  }
  return arch_get_unmapped_area(mm, area, hint, len, flags);
}

/** get_unmapped_area(), mm/mmap.c. @returns an address, or a negative errno */
export function get_unmapped_area(task: MmCaller, hint: number, len: number, flags: number): number {
  const { mm } = task;
  if (len > mm.taskSize) return -ENOMEM;
  const find = mm.legacyLayout ? arch_get_unmapped_area : arch_get_unmapped_area_topdown;
  const at = find(mm, task.kernel.ops.mmap_area(task), hint, len, flags);
  if (at < 0) return at;
  if (at > mm.taskSize - len) return -ENOMEM;
  return at % PAGE_SIZE !== 0 ? -EINVAL : at;
}

/** round_hint_to_min(): down to a page, not below mmap_min_addr. */
const roundHint = (hint: number): number => {
  const at = pageOf(hint);
  return at !== 0 && at < MMAP_MIN_ADDR ? MMAP_MIN_ADDR : at;
};

// ---- mmap

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
