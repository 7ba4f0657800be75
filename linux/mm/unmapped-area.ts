/** Where a mapping goes: mm/mmap.c, arch/x86/kernel/sys_x86_64.c. */
import { EINVAL, ENOMEM } from '../abi/errno.ts';
import { MAP_32BIT, MAP_FIXED } from '../abi/mman.ts';
import { type Addr, PAGE_SIZE, pageAlign } from '../addr.ts';
import type { Mm } from './mm.ts';

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
