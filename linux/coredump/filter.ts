/** What of a mapping goes into a core file: vma_dump_size() and always_dump_vma(), fs/binfmt_elf.c. */
import { PAGE_SIZE } from '../addr.ts';
import { pageFor } from '../mm/fault.ts';
import type { Mm } from '../mm/mm.ts';
import { pteFrame } from '../mm/page-table.ts';
import { VM_DONTDUMP, VM_IO, VM_PFNMAP, VM_READ, VM_SHARED, type Vma } from '../mm/vma.ts';

/** The bits of /proc/PID/coredump_filter: MMF_DUMP_* of include/linux/sched.h, from bit 0. */
export const DUMP_ANON_PRIVATE = 1,
  DUMP_ANON_SHARED = 2,
  DUMP_MAPPED_PRIVATE = 4,
  DUMP_MAPPED_SHARED = 8,
  DUMP_ELF_HEADERS = 0x10;

const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];

/** vma_dump_size(): bytes from the mapping's start. */
export function vma_dump_size(mm: Mm, vma: Vma): number {
  const whole = vma.end - vma.start;
  const wants = (bit: number): boolean => (mm.dumpFilter & bit) !== 0;
  // Special mappings have a name of their own; [vvar] too, though its pages cannot be read.
  if (vma.special !== undefined) return whole;
  if ((vma.flags & (VM_DONTDUMP | VM_IO)) !== 0) return 0;
  if ((vma.flags & VM_SHARED) !== 0) {
    return wants(unlinked(vma) ? DUMP_ANON_SHARED : DUMP_MAPPED_SHARED) ? whole : 0;
  }
  if (vma.anonVma !== 0 && wants(DUMP_ANON_PRIVATE)) return whole;
  if (vma.file === undefined) return 0;
  if (wants(DUMP_MAPPED_PRIVATE)) return whole;
  if (wants(DUMP_ELF_HEADERS) && vma.pgoff === 0 && (vma.flags & VM_READ) !== 0 && startsWithElf(mm, vma)) {
    return PAGE_SIZE;
  }
  return 0;
}

/** Shared memory without a name: a file whose last link is gone. */
const unlinked = (vma: Vma): boolean => vma.file?.inode.nlink === 0;

function startsWithElf(mm: Mm, vma: Vma): boolean {
  const page = get_dump_page(mm, vma, vma.start);
  return page !== undefined && ELF_MAGIC.every((byte, i) => page[i] === byte);
}

/** get_dump_page(), mm/gup.c: the bytes of a page; undefined where there is nothing to write, which becomes a hole. */
export function get_dump_page(mm: Mm, vma: Vma, address: number): Uint8Array | undefined {
  if ((vma.flags & (VM_PFNMAP | VM_IO)) !== 0) return undefined;
  const vpn = address / PAGE_SIZE;
  let pte = mm.pages.get(vpn);
  if (pte === 0) {
    // Anonymous memory that nobody touched stays untouched: FOLL_DUMP.
    if (vma.file === undefined && vma.special === undefined) return undefined;
    pte = pageFor(mm, vma, vpn, false);
    if (pte < 0) return undefined;
  }
  const at = pteFrame(pte) * PAGE_SIZE;
  return mm.frames.memory.bytes.subarray(at, at + PAGE_SIZE);
}
