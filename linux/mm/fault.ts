import { Access, PERM_R, PERM_W, PERM_X, PF_INSTR, PF_PRESENT, PF_USER, PF_WRITE } from '../../cpu/mmu.ts';
import { RLIMIT_STACK } from '../abi/mman.ts';
import { asAddr, PAGE_SIZE, TASK_SIZE_MAX } from '../addr.ts';
import { may_expand_vm } from './accounting.ts';
import { MMAP_MIN_ADDR, RUN_PAGES } from './limits.ts';
import type { Mm } from './mm.ts';
import { PTE_FILE, PTE_PRESENT, PTE_WRITE, pteFrame, pteOf } from './page-table.ts';
import { canMerge, VM_EXEC, VM_GROWSDOWN, VM_PFNMAP, VM_RWX, VM_SHARED, VM_WRITE, type Vma } from './vma.ts';

/** VSYSCALL_ADDR >> PAGE_SHIFT, arch/x86/include/uapi/asm/vsyscall.h. */
export const VSYSCALL_VPN = 0xf_ffff_ffff_f600;
const SIGBUS = 7,
  SIGKILL = 9,
  SIGSEGV = 11;

/** Why there is no page: VM_FAULT_SIGBUS, VM_FAULT_OOM. */
const BUS = -1,
  OOM = -2;

/**
 * __do_page_fault(), arch/x86/mm/fault.c, without the signal: demand paging, copy on write and stack growth. The CPU
 * asks; `Mmu.translate` says what the numbers mean.
 */
export function translate(mm: Mm, vpn: number, access: Access): number {
  const address = vpn * PAGE_SIZE;
  if (address >= mm.taskSize) return translateBeyond(mm, vpn, access);
  const vma = findForFault(mm, address);
  if (vma === undefined) return fault(access, 0);
  const permission = (vma.flags & VM_RWX) >>> 0;
  if (access === Access.Write) {
    if ((permission & VM_WRITE) === 0) return fault(access, presentBit(mm, vma, vpn));
  } else if (permission === 0) return fault(access, 0);
  const pte = pageFor(mm, vma, vpn, access === Access.Write);
  if (pte < 0) {
    mm.outOfMemory = pte === OOM;
    return fault(access, 0);
  }
  if (access === Access.Fetch && (permission & VM_EXEC) === 0) return fault(access, PF_PRESENT);
  return pteFrame(pte) * 8 + permsOf(vma, pte);
}

/** A page as it is: no demand paging, no copy on write. */
export function peek(mm: Mm, vpn: number): number {
  const address = vpn * PAGE_SIZE;
  const vma = address < mm.taskSize ? mm.vmaAt(address) : undefined;
  const pte = mm.pages.get(vpn);
  return vma === undefined || pte === 0 || (vma.flags & VM_RWX) === 0 ? -1 : pteFrame(pte) * 8 + permsOf(vma, pte);
}

const permsOf = (vma: Vma, pte: number): number =>
  PERM_R +
  ((pte & PTE_WRITE) !== 0 && (vma.flags & VM_WRITE) !== 0 ? PERM_W : 0) +
  ((vma.flags & VM_EXEC) !== 0 ? PERM_X : 0);

const fault = (access: Access, present: number): number =>
  -1 - (PF_USER + present + (access === Access.Write ? PF_WRITE : access === Access.Fetch ? PF_INSTR : 0));

/** A page with no access at all has its present bit clear (_PAGE_PROTNONE). */
const presentBit = (mm: Mm, vma: Vma, vpn: number): number =>
  (vma.flags & VM_RWX) !== 0 && mm.pages.get(vpn) !== 0 ? PF_PRESENT : 0;

/** Addresses beyond TASK_SIZE: the vsyscall page (emulate mode: readable, a fetch faults and is emulated), or nothing. */
function translateBeyond(mm: Mm, vpn: number, access: Access): number {
  if (vpn !== VSYSCALL_VPN || mm.abi !== '64') return fault(access, 0);
  if (access !== Access.Read) return fault(access, PF_PRESENT);
  const frame = mm.kernel.mmState.vsyscallFrame;
  return frame < 0 ? fault(access, 0) : frame * 8 + PERM_R;
}

/** The mapping of an address; a stack below grows down to it. */
function findForFault(mm: Mm, address: number): Vma | undefined {
  const vma = mm.findVma(address);
  if (vma === undefined || vma.start <= address) return vma;
  if ((vma.flags & VM_GROWSDOWN) === 0) return undefined;
  // "Accessing the stack below %sp is always a bug", but for enter and pusha: 65536 + 32 words.
  const sp = mm.kernel.mmState.userStackPointer?.();
  if (sp !== undefined && address + PAGE_SIZE + 65536 + 32 * 8 < sp) return undefined;
  return expand_downwards(mm, vma, address) === 0 ? vma : undefined;
}

/** expand_downwards() and acct_stack_growth(), mm/mmap.c. @returns 0, or negative: the stack may not grow there */
export function expand_downwards(mm: Mm, vma: Vma, address: number): number {
  const start = address - (address % PAGE_SIZE);
  if (start >= vma.start) return 0;
  if (start < MMAP_MIN_ADDR) return -1;
  const grow = (vma.start - start) / PAGE_SIZE;
  if (!may_expand_vm(mm, vma.flags, grow)) return -1;
  if (vma.end - start > mm.rlimit(RLIMIT_STACK)) return -1;
  const previous = mm.vmas[mm.vmaIndex(vma.start) - 1];
  if (previous !== undefined && previous.end > start) return -1;
  vma.start = asAddr(start);
  vma.pgoff -= grow;
  return 0;
}

/**
 * check_stack_guard_page(), mm/memory.c: who touches the lowest page of a stack makes it grow by one; a mapping right
 * below it leaves no room for the guard.
 */
function stackGuard(mm: Mm, vma: Vma, vpn: number): boolean {
  if ((vma.flags & VM_GROWSDOWN) === 0 || vpn * PAGE_SIZE !== vma.start) return true;
  const previous = mm.vmas[mm.vmaIndex(vma.start) - 1];
  if (previous !== undefined && previous.end === vma.start) return (previous.flags & VM_GROWSDOWN) !== 0;
  return expand_downwards(mm, vma, vma.start - PAGE_SIZE) === 0;
}

/** anon_vma_prepare() and find_mergeable_anon_vma(), mm/rmap.c, mm/mmap.c. */
export function anon_vma_prepare(mm: Mm, vma: Vma): void {
  if (vma.anonVma !== 0) return;
  const index = mm.vmaIndex(vma.start);
  for (const near of [mm.vmas[index + 1], mm.vmas[index - 1]]) {
    if (near === undefined || near.anonVma === 0 || near.anonChain !== 1) continue;
    if (!nearlyMergeable(vma, near)) continue;
    vma.anonVma = near.anonVma;
    vma.anonChain = 1;
    return;
  }
  vma.anonVma = mm.nextAnonVma++;
  vma.anonChain = 1;
}

/** anon_vma_compatible(): as merging asks, but for the access rights, which mprotect may make equal. */
function nearlyMergeable(a: Vma, b: Vma): boolean {
  const [low, high] = a.start < b.start ? [a, b] : [b, a];
  const probe = high.clone();
  probe.flags = (low.flags & ~VM_RWX) + (high.flags & VM_RWX);
  if ((low.flags & ~VM_RWX) !== (high.flags & ~VM_RWX)) return false;
  probe.flags = low.flags;
  probe.anonVma = low.anonVma;
  return canMerge(low, probe);
}

/** A zeroed frame for a private page, beside the frames of its neighbours where that can be had; -1 without memory. */
export function allocFor(mm: Mm, vpn: number): number {
  const { frames } = mm;
  const block = Math.floor(vpn / RUN_PAGES);
  const slot = vpn % RUN_PAGES;
  const run = mm.runs.get(block);
  if (run?.taken[slot] === 1) return frames.alloc();
  const base = run?.base ?? frames.allocRun();
  if (base < 0) return frames.alloc();
  const taken = run?.taken ?? new Uint8Array(RUN_PAGES);
  if (run === undefined) mm.runs.set(block, { base, taken });
  const frame = frames.takeFrom(base, slot);
  if (frame >= 0) taken[slot] = 1;
  return frame;
}

/** Gives back the frames that were set aside and never used, of the blocks in [start, end) that have no pages any more. */
export function dropRuns(mm: Mm, start: number, end: number): void {
  const first = Math.floor(start / PAGE_SIZE / RUN_PAGES);
  const last = Math.floor((end - 1) / PAGE_SIZE / RUN_PAGES);
  const drop = (block: number): void => {
    const run = mm.runs.get(block);
    if (run === undefined) return;
    const page = block * RUN_PAGES;
    const whole = start <= page * PAGE_SIZE && end >= (page + RUN_PAGES) * PAGE_SIZE;
    for (let i = 0; i < RUN_PAGES && !whole; i++) if (mm.pages.get(page + i) !== 0) return;
    for (let i = 0; i < RUN_PAGES; i++) if (run.taken[i] === 0) mm.frames.release(run.base + i);
    mm.runs.delete(block);
  };
  if (last - first < mm.runs.size) for (let block = first; block <= last; block++) drop(block);
  else for (const block of [...mm.runs.keys()]) if (block >= first && block <= last) drop(block);
}

function setPte(mm: Mm, vpn: number, frame: number, flags: number): number {
  const pte = pteOf(frame, PTE_PRESENT + flags);
  mm.pages.set(vpn, pte);
  return pte;
}

/**
 * handle_mm_fault(), mm/memory.c: the page-table entry of a page, made if there is none; for a write one that may be
 * written. Access rights were checked before.
 * @returns the entry, or BUS, OOM
 */
export function pageFor(mm: Mm, vma: Vma, vpn: number, write: boolean): number {
  const pte = mm.pages.get(vpn);
  if (pte === 0 && !mm.pages.roomFor(vpn)) return OOM;
  if (pte === 0) return newPage(mm, vma, vpn, write);
  if (!write || (pte & PTE_WRITE) !== 0) return pte;
  return do_wp_page(mm, vma, vpn, pte);
}

function newPage(mm: Mm, vma: Vma, vpn: number, write: boolean): number {
  if (vma.special !== undefined) return specialPage(mm, vma, vpn, write);
  if (vma.file !== undefined) return filePage(mm, vma, vpn, write);
  if (!stackGuard(mm, vma, vpn)) return BUS;
  anon_vma_prepare(mm, vma);
  // Unlike Linux: a read gets a page of its own at once, not the shared zero page.
  const frame = allocFor(mm, vpn);
  return frame < 0 ? OOM : setPte(mm, vpn, frame, PTE_WRITE);
}

/** do_read_fault(), do_cow_fault(), do_shared_fault(), mm/memory.c. */
function filePage(mm: Mm, vma: Vma, vpn: number, write: boolean): number {
  const { inode } = vma.file!;
  const index = vma.pgoff + vpn - vma.start / PAGE_SIZE;
  const frame = inode.pageFrame(index);
  if (frame < 0) return index * PAGE_SIZE < inode.size ? OOM : BUS;
  if (write && (vma.flags & VM_SHARED) === 0) return copyPage(mm, vma, vpn, frame);
  mm.frames.get(frame);
  if (write) inode.markDirty(index);
  return setPte(mm, vpn, frame, PTE_FILE + (write ? PTE_WRITE : 0));
}

/** special_mapping_fault(), mm/mmap.c, with vdso_fault() and vvar_fault(), arch/x86/entry/vdso/vma.c. */
function specialPage(mm: Mm, vma: Vma, vpn: number, write: boolean): number {
  const index = vma.pgoff + vpn - vma.start / PAGE_SIZE;
  const pages = vma.special!.name === '[vdso]' ? mm.vdsoImage?.frames : mm.vdsoImage && mm.kernel.mmState.vvarFrames;
  const frame = pages?.[index];
  if (frame === undefined) return BUS;
  if (write) return copyPage(mm, vma, vpn, frame);
  mm.frames.get(frame);
  return setPte(mm, vpn, frame, PTE_FILE);
}

function copyPage(mm: Mm, vma: Vma, vpn: number, from: number): number {
  anon_vma_prepare(mm, vma);
  const frame = allocFor(mm, vpn);
  if (frame < 0) return OOM;
  mm.frames.memory.bytes.copyWithin(frame * PAGE_SIZE, from * PAGE_SIZE, (from + 1) * PAGE_SIZE);
  mm.frames.memory.noteWrite(frame);
  return setPte(mm, vpn, frame, PTE_WRITE);
}

/** do_wp_page(), mm/memory.c: the first write to a page that is there. */
function do_wp_page(mm: Mm, vma: Vma, vpn: number, pte: number): number {
  mm.kernel.cpu.flushPage(vpn);
  const frame = pteFrame(pte);
  if ((pte & PTE_FILE) !== 0) {
    if ((vma.flags & VM_SHARED) !== 0) {
      vma.file?.inode.markDirty(vma.pgoff + vpn - vma.start / PAGE_SIZE);
      return setPte(mm, vpn, frame, PTE_FILE + PTE_WRITE);
    }
    const copy = copyPage(mm, vma, vpn, frame);
    if (copy >= 0) mm.frames.unmapCache(frame);
    return copy;
  }
  if (mm.frames.count(frame) === 1) return setPte(mm, vpn, frame, PTE_WRITE);
  const copy = copyPage(mm, vma, vpn, frame);
  if (copy >= 0) mm.frames.put(frame);
  return copy;
}

/** tlb_single_page_flush_ceiling, arch/x86/mm/tlb.c: with more pages the whole TLB is flushed. */
const SINGLE_PAGE_FLUSH_CEILING = 33;

/** zap_pte_range(), mm/memory.c: the pages of [start, end) go. */
export function zap_page_range(mm: Mm, start: number, end: number): void {
  if (start >= end) return;
  const { frames, pages } = mm;
  const { cpu } = mm.kernel;
  let zapped = 0;
  pages.forRange(start / PAGE_SIZE, end / PAGE_SIZE, (vpn, pte) => {
    pages.set(vpn, 0);
    if (++zapped <= SINGLE_PAGE_FLUSH_CEILING) cpu.flushPage(vpn);
    if ((pte & PTE_FILE) !== 0) frames.unmapCache(pteFrame(pte));
    else frames.put(pteFrame(pte));
  });
  pages.dropLeaves(start / PAGE_SIZE, end / PAGE_SIZE);
  dropRuns(mm, start, end);
  if (zapped > SINGLE_PAGE_FLUSH_CEILING) cpu.flushTlb();
}

/** Whether access_process_vm() may look at the mapping: not VM_IO and VM_PFNMAP, mm/gup.c check_vma_flags(). */
export const gupAllowed = (vma: Vma): boolean => (vma.flags & VM_PFNMAP) === 0;

export interface FaultClass {
  readonly sig: number;
  readonly code: number;
  /** As thread.error_code shows it: a kernel address always looks like a protection fault. */
  readonly errorCode: number;
}

/**
 * bad_area(), bad_area_access_error() and do_sigbus(), arch/x86/mm/fault.c: the signal for a fault that `translate`
 * refused. SEGV_MAPERR 1, SEGV_ACCERR 2, BUS_ADRERR 2.
 */
export function classifyFault(mm: Mm, address: number | bigint, errorCode: number): FaultClass {
  const at = Number(BigInt.asUintN(64, BigInt(address)));
  if (at >= TASK_SIZE_MAX) return { sig: SIGSEGV, code: 1, errorCode: errorCode | PF_PRESENT };
  const vma = at < mm.taskSize ? mm.vmaAt(at) : undefined;
  if (vma === undefined) return { sig: SIGSEGV, code: 1, errorCode };
  const wants = (errorCode & PF_WRITE) !== 0 ? VM_WRITE : (errorCode & PF_INSTR) !== 0 ? VM_EXEC : VM_RWX;
  if ((vma.flags & wants) === 0) return { sig: SIGSEGV, code: 2, errorCode };
  if (mm.outOfMemory) return { sig: SIGKILL, code: 0x80, errorCode };
  if ((vma.flags & VM_GROWSDOWN) !== 0 && at < vma.start + PAGE_SIZE) return { sig: SIGSEGV, code: 1, errorCode };
  return { sig: SIGBUS, code: 2, errorCode };
}
