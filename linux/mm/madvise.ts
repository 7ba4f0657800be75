import { EACCES, EBUSY, EFAULT, EINVAL, ENOMEM, EPERM } from '../abi/errno.ts';
import * as mman from '../abi/mman.ts';
import { PAGE_SIZE, pageAlign } from '../addr.ts';
import { zap_page_range } from './fault.ts';
import { can_do_mlock, lockedVm } from './mlock.ts';
import type { Mm } from './mm.ts';
import { isSpecial, mm_populate } from './mmap.ts';
import { changeFlags } from './mprotect.ts';
import { PTE_FILE } from './page-table.ts';
import { copy_to_user } from './uaccess.ts';
import type { MmCaller } from './unmapped-area.ts';
import {
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_LOCKONFAULT,
  VM_MERGEABLE,
  VM_NOHUGEPAGE,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_WRITE,
  type Vma,
  vma_is_anonymous,
} from './vma.ts';

/** Calls `visit` for the parts of mappings in [start, end). @returns -ENOMEM when there was a hole, else 0 or an error */
function walkVmas(
  mm: Mm,
  start: number,
  end: number,
  visit: (vma: Vma, from: number, to: number) => number,
  stopAtHole = false,
): number {
  let holes = 0;
  for (let at = start; at < end; ) {
    const vma = mm.findVma(at);
    if (vma === undefined || vma.start >= end) return -ENOMEM;
    if (vma.start > at) {
      if (stopAtHole) return -ENOMEM;
      holes = -ENOMEM;
      at = vma.start;
    }
    const to = Math.min(vma.end, end);
    const error = visit(vma, at, to);
    if (error < 0) return error;
    at = to;
  }
  return holes;
}

/** madvise_behavior(): the advice that only changes flags, and what it may not be given to. */
const FLAG_ADVICE: Readonly<Record<number, { set: number; clear: number; refuse?: (vma: Vma) => boolean }>> = {
  [mman.MADV_NORMAL]: { set: 0, clear: VM_RAND_READ | VM_SEQ_READ },
  [mman.MADV_SEQUENTIAL]: { set: VM_SEQ_READ, clear: VM_RAND_READ },
  [mman.MADV_RANDOM]: { set: VM_RAND_READ, clear: VM_SEQ_READ },
  [mman.MADV_DONTFORK]: { set: VM_DONTCOPY, clear: 0 },
  [mman.MADV_DOFORK]: { set: 0, clear: VM_DONTCOPY, refuse: (vma) => (vma.flags & VM_IO) !== 0 },
  [mman.MADV_DONTDUMP]: { set: VM_DONTDUMP, clear: 0 },
  [mman.MADV_DODUMP]: { set: 0, clear: VM_DONTDUMP, refuse: isSpecial },
  [mman.MADV_MERGEABLE]: { set: VM_MERGEABLE, clear: 0 },
  [mman.MADV_UNMERGEABLE]: { set: 0, clear: VM_MERGEABLE },
  [mman.MADV_HUGEPAGE]: { set: VM_HUGEPAGE, clear: VM_NOHUGEPAGE },
  [mman.MADV_NOHUGEPAGE]: { set: VM_NOHUGEPAGE, clear: VM_HUGEPAGE },
};

/** madvise_vma(), mm/madvise.c, for the advice that acts on pages. */
function advisePages(mm: Mm, vma: Vma, from: number, to: number, advice: number): number {
  switch (advice) {
    case mman.MADV_WILLNEED:
      return 0;
    case mman.MADV_DONTNEED:
      if ((vma.flags & (VM_LOCKED | VM_HUGETLB | VM_PFNMAP)) !== 0) return -EINVAL;
      zap_page_range(mm, from, to);
      return 0;
    case mman.MADV_FREE:
      // Not modelled: the pages stay until memory is short, so they go at once.
      if (!vma_is_anonymous(vma)) return -EINVAL;
      zap_page_range(mm, from, to);
      return 0;
    case mman.MADV_REMOVE:
      if ((vma.flags & (VM_LOCKED | VM_HUGETLB)) !== 0 || vma.file === undefined) return -EINVAL;
      return (vma.flags & (VM_SHARED | VM_WRITE)) !== (VM_SHARED | VM_WRITE) ? -EACCES : punch(vma, from, to);
    default:
      return -EINVAL;
  }
}

/** fallocate(FALLOC_FL_PUNCH_HOLE) of the pages behind a shared mapping. */
function punch(vma: Vma, from: number, to: number): number {
  const content = (vma.file!.inode as { content?: { zeroRange(pos: number, count: number): void } }).content;
  if (content === undefined) return -EINVAL;
  content.zeroRange(vma.pgoff * PAGE_SIZE + from - vma.start, to - from);
  return 0;
}

/** sys_madvise(), mm/madvise.c. */
export function do_madvise(task: MmCaller, start: number, length: number, advice: number): number {
  const flagAdvice = FLAG_ADVICE[advice];
  const known = flagAdvice !== undefined || advice === mman.MADV_WILLNEED || advice === mman.MADV_DONTNEED;
  if (!known && advice !== mman.MADV_FREE && advice !== mman.MADV_REMOVE) return -EINVAL;
  if (start % PAGE_SIZE !== 0) return -EINVAL;
  const len = pageAlign(length);
  if (len >= 2 ** 64) return -EINVAL;
  if (len === 0) return 0;
  return walkVmas(task.mm, start, start + len, (vma, from, to) => {
    if (flagAdvice === undefined) return advisePages(task.mm, vma, from, to, advice);
    if (flagAdvice.refuse?.(vma)) return -EINVAL;
    const wanted = ((vma.flags & ~flagAdvice.clear) | flagAdvice.set) >>> 0;
    return changeFlags(task.mm, vma, from, to, wanted) === undefined ? -ENOMEM : 0;
  });
}

/** Pages that mincore looks at between two copies. */
const MINCORE_PAGES = 1 << 20;

/** sys_mincore(), mm/mincore.c. */
export function do_mincore(task: MmCaller, start: number, length: number, vec: number): number {
  const { mm } = task;
  if (start % PAGE_SIZE !== 0) return -EINVAL;
  if (length > mm.taskSize || start > mm.taskSize - length) return -ENOMEM;
  const pages = Math.ceil(length / PAGE_SIZE);
  for (let done = 0; done < pages; done += MINCORE_PAGES) {
    const count = Math.min(pages - done, MINCORE_PAGES);
    const error = mincoreChunk(mm, start + done * PAGE_SIZE, count, vec + done);
    if (error < 0) return error;
  }
  return 0;
}

function mincoreChunk(mm: Mm, start: number, pages: number, vec: number): number {
  const out = new Uint8Array(pages);
  const error = walkVmas(
    mm,
    start,
    start + pages * PAGE_SIZE,
    (vma, from, to) => {
      for (let at = from; at < to; at += PAGE_SIZE) {
        const index = vma.pgoff + (at - vma.start) / PAGE_SIZE;
        const cached = vma.file !== undefined && index * PAGE_SIZE < vma.file.inode.size;
        out[(at - start) / PAGE_SIZE] = cached || mm.pages.get(at / PAGE_SIZE) !== 0 ? 1 : 0;
      }
      return 0;
    },
    true,
  );
  if (error < 0) return error;
  return copy_to_user(mm, vec, out) < 0 ? -EFAULT : 0;
}

/** sys_msync(), mm/msync.c: shared pages are the page cache's own, so there is nothing to write. */
export function do_msync(task: MmCaller, start: number, length: number, flags: number): number {
  const { MS_ASYNC, MS_INVALIDATE, MS_SYNC } = mman;
  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) !== 0 || start % PAGE_SIZE !== 0) return -EINVAL;
  if ((flags & MS_ASYNC) !== 0 && (flags & MS_SYNC) !== 0) return -EINVAL;
  const len = pageAlign(length);
  if (len >= 2 ** 64) return -ENOMEM;
  if (len === 0) return 0;
  return walkVmas(task.mm, start, start + len, (vma) =>
    (flags & MS_INVALIDATE) !== 0 && (vma.flags & VM_LOCKED) !== 0 ? -EBUSY : 0,
  );
}

/** apply_vma_lock_flags(), mm/mlock.c. */
function applyLock(mm: Mm, start: number, end: number, flags: number): number {
  const first = mm.vmaAt(start);
  if (first === undefined) return -ENOMEM;
  return walkVmas(
    mm,
    start,
    end,
    (vma, from, to) => {
      const wanted = ((vma.flags & ~(VM_LOCKED | VM_LOCKONFAULT)) | flags) >>> 0;
      return isSpecial(vma) || changeFlags(mm, vma, from, to, wanted) !== undefined ? 0 : -ENOMEM;
    },
    true,
  );
}

/** do_mlock(), mm/mlock.c: mlock and mlock2. */
export function do_mlock(task: MmCaller, start: number, length: number, flags: number): number {
  const { mm } = task;
  if (!can_do_mlock(task)) return -EPERM;
  const len = pageAlign(length + (start % PAGE_SIZE));
  const from = start - (start % PAGE_SIZE);
  const limit = mm.rlimit(mman.RLIMIT_MEMLOCK) / PAGE_SIZE;
  if (lockedVm(mm) + len / PAGE_SIZE > limit && ((task.cred.capEffective >> 14n) & 1n) === 0n) return -ENOMEM;
  if (len === 0) return 0;
  const error = applyLock(mm, from, from + len, flags);
  if (error < 0) return error;
  if ((flags & VM_LOCKONFAULT) === 0) mm_populate(mm, from, from + len);
  return 0;
}

/** sys_munlock(), mm/mlock.c. */
export function do_munlock(task: MmCaller, start: number, length: number): number {
  const len = pageAlign(length + (start % PAGE_SIZE));
  const from = start - (start % PAGE_SIZE);
  return len === 0 ? 0 : applyLock(task.mm, from, from + len, 0);
}

/** sys_mlockall() and sys_munlockall(), mm/mlock.c; `flags` 0 unlocks. */
export function do_mlockall(task: MmCaller, flags: number, unlock: boolean): number {
  const { mm } = task;
  const { MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT } = mman;
  if (!unlock) {
    if (flags === 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) !== 0) return -EINVAL;
    if (!can_do_mlock(task)) return -EPERM;
    const limit = mm.rlimit(mman.RLIMIT_MEMLOCK) / PAGE_SIZE;
    const over = (flags & MCL_CURRENT) !== 0 && mm.totalVm > limit;
    if (over && ((task.cred.capEffective >> 14n) & 1n) === 0n) return -ENOMEM;
  }
  const lock = VM_LOCKED | ((flags & MCL_ONFAULT) !== 0 ? VM_LOCKONFAULT : 0);
  mm.defFlags = !unlock && (flags & MCL_FUTURE) !== 0 ? lock : 0;
  if (!unlock && (flags & MCL_CURRENT) === 0) return 0;
  for (const vma of [...mm.vmas]) {
    if (!mm.vmas.includes(vma) || isSpecial(vma)) continue;
    const wanted = ((vma.flags & ~(VM_LOCKED | VM_LOCKONFAULT)) | (unlock ? 0 : lock)) >>> 0;
    changeFlags(mm, vma, vma.start, vma.end, wanted);
  }
  if (!unlock && (flags & MCL_ONFAULT) === 0) mm_populate(mm, 0, mm.taskSize);
  return 0;
}

/** Whether a page is there, and whether it is the page cache's: /proc/PID/pagemap. */
export function pagePresence(mm: Mm, vpn: number): 'none' | 'anon' | 'file' {
  const pte = mm.pages.get(vpn);
  return pte === 0 ? 'none' : (pte & PTE_FILE) !== 0 ? 'file' : 'anon';
}
