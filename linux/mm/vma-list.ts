import { asAddr, PAGE_SIZE } from '../addr.ts';
import { get_file, put_file } from './file-ref.ts';
import type { Mm } from './mm.ts';
import { canMerge, type Vma } from './vma.ts';

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
