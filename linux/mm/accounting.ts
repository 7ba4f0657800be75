import { RLIMIT_AS, RLIMIT_DATA } from '../abi/mman.ts';
import { PAGE_SIZE } from '../addr.ts';
import type { Mm } from './mm.ts';
import { VM_GROWSDOWN, VM_SHARED, VM_WRITE } from './vma.ts';

/** is_data_mapping(), mm/mmap.c: private and writable, no stack. */
export const is_data_mapping = (flags: number): boolean => (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) === VM_WRITE;

/** mm->data_vm. */
export const dataVm = (mm: Mm): number =>
  mm.vmas.reduce((pages, vma) => pages + (is_data_mapping(vma.flags) ? vma.pages : 0), 0);

/** may_expand_vm(), mm/mmap.c: RLIMIT_AS, and RLIMIT_DATA for private writable memory. */
export function may_expand_vm(mm: Mm, flags: number, pages: number): boolean {
  const as = mm.rlimit(RLIMIT_AS);
  if (as !== Number.POSITIVE_INFINITY && mm.totalVm + pages > Math.floor(as / PAGE_SIZE)) return false;
  const data = mm.rlimit(RLIMIT_DATA);
  if (data === Number.POSITIVE_INFINITY || !is_data_mapping(flags)) return true;
  const wanted = dataVm(mm) + pages;
  if (data === 0 && wanted <= Math.floor(mm.rlimitMax(RLIMIT_DATA) / PAGE_SIZE)) return true;
  return wanted <= Math.floor(data / PAGE_SIZE);
}
