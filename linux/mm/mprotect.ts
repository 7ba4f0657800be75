import { EACCES, EINVAL, ENOMEM } from '../abi/errno.ts';
import { PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_SEM } from '../abi/mman.ts';
import { PAGE_SIZE, pageAlign } from '../addr.ts';
import { is_data_mapping, may_expand_vm } from './accounting.ts';
import type { Mm } from './mm.ts';
import { READ_IMPLIES_EXEC } from './mmap.ts';
import type { MmCaller } from './unmapped-area.ts';
import { VM_GROWSDOWN, VM_MAYEXEC, VM_RWX, type Vma } from './vma.ts';
import { mergeVma, split_vma } from './vma-list.ts';

/**
 * Cuts [start, end) out of `vma`, gives it new flags and joins it with its neighbours.
 * @returns the mapping that covers the range; undefined when there would be too many
 */
export function changeFlags(mm: Mm, vma: Vma, start: number, end: number, flags: number): Vma | undefined {
  if (flags === vma.flags) return vma;
  const cuts = (start > vma.start ? 1 : 0) + (end < vma.end ? 1 : 0);
  if (cuts > 0 && mm.mapsFull(cuts)) return undefined;
  const part = start > vma.start ? split_vma(mm, vma, start) : vma;
  if (end < part.end) split_vma(mm, part, end);
  part.flags = flags >>> 0;
  return mergeVma(mm, part);
}

/** sys_mprotect() and mprotect_fixup(), mm/mprotect.c. */
export function do_mprotect(task: MmCaller, address: number, length: number, protection: number): number {
  const { mm } = task;
  const grows = protection & (PROT_GROWSDOWN | PROT_GROWSUP);
  if (grows === (PROT_GROWSDOWN | PROT_GROWSUP)) return -EINVAL;
  const prot = protection & ~(PROT_GROWSDOWN | PROT_GROWSUP);
  if (address % PAGE_SIZE !== 0) return -EINVAL;
  if (length === 0) return 0;
  const end = address + pageAlign(length);
  if (end <= address || end > 2 ** 64) return -ENOMEM;
  if ((prot & ~(VM_RWX | PROT_SEM)) !== 0) return -EINVAL;
  const readExec = (task.personality & READ_IMPLIES_EXEC) !== 0 && (prot & PROT_READ) !== 0;

  let vma = mm.findVma(address);
  if (vma === undefined) return -ENOMEM;
  let start = address;
  if ((grows & PROT_GROWSDOWN) !== 0) {
    if (vma.start >= end) return -ENOMEM;
    start = vma.start;
    if ((vma.flags & VM_GROWSDOWN) === 0) return -EINVAL;
  } else {
    if (vma.start > start) return -ENOMEM;
    if ((grows & PROT_GROWSUP) !== 0) return -EINVAL;
  }
  for (let at = start; ; ) {
    const exec = readExec && (vma.flags & VM_MAYEXEC) !== 0 ? PROT_EXEC : 0;
    const flags = ((vma.flags & ~VM_RWX) | (prot & VM_RWX) | exec) >>> 0;
    // The VM_MAY* bits stand four above what they allow.
    if ((flags & ~(flags >>> 4) & VM_RWX) !== 0) return -EACCES;
    const to = Math.min(vma.end, end);
    if (is_data_mapping(flags) && !is_data_mapping(vma.flags) && !may_expand_vm(mm, flags, (to - at) / PAGE_SIZE))
      return -ENOMEM;
    const changed = changeFlags(mm, vma, at, to, flags);
    if (changed === undefined) return -ENOMEM;
    mm.kernel.cpu.flushTlb();
    at = Math.max(to, Math.min(changed.end, end));
    if (at >= end) return 0;
    const next = mm.findVma(at);
    if (next === undefined || next.start !== at) {
      // A mapping that grew over `at` by merging has the new rights already.
      if (next === undefined || next.start > at) return -ENOMEM;
    }
    vma = next;
  }
}
