import { ENOMEM } from '../abi/errno.ts';
import { PAGE_SIZE } from '../addr.ts';
import { get_file, put_file } from './file-ref.ts';
import { MAX_VMAS } from './limits.ts';
import { Mm, type RlimitView } from './mm.ts';
import { exit_mmap } from './mmap.ts';
import { MAX_LEAVES, PTE_FILE, PTE_WRITE, pteFrame } from './page-table.ts';
import { VM_DONTCOPY, VM_LOCKED, VM_LOCKONFAULT, VM_PFNMAP, VM_SHARED, type Vma } from './vma.ts';

/** mmget(): one more task uses the mm. */
export function mmget(mm: Mm): Mm {
  mm.users++;
  return mm;
}

/** mmput(), kernel/fork.c: the last user takes it down. */
export function mmput(mm: Mm): void {
  if (--mm.users > 0) return;
  exit_mmap(mm);
  if (mm.exeFile !== undefined) put_file(mm.exeFile);
  mm.exeFile = undefined;
}

/** dup_mm() and dup_mmap(), kernel/fork.c: the child's memory; private pages are shared until somebody writes. -ENOMEM. */
export function dup_mm(old: Mm, rlimits: readonly RlimitView[] = old.rlimits): Mm | number {
  if (old.pages.budget.leaves + old.pages.leaves.size > MAX_LEAVES) return -ENOMEM;
  if (old.kernel.mmState.vmas + old.vmas.length > MAX_VMAS) return -ENOMEM;
  const mm = new Mm(old.kernel, rlimits);
  copyFields(old, mm);
  for (const vma of old.vmas) {
    if ((vma.flags & VM_DONTCOPY) !== 0) continue;
    const copy = vma.clone();
    copy.flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
    copy.flags >>>= 0;
    if (vma.anonVma !== 0) {
      // anon_vma_fork(): the parent's anon_vma and one of its own.
      copy.anonVma = mm.nextAnonVma++;
      copy.anonChain = vma.anonChain + 1;
    }
    if (copy.file) get_file(copy.file);
    mm.vmas.push(copy);
    old.kernel.mmState.vmas++;
    copy_page_range(old, mm, vma);
  }
  old.kernel.cpu.flushTlb();
  return mm;
}

/** copy_page_range(), mm/memory.c: pages of the page cache are left for a fault, unless the mapping has copies too. */
function copy_page_range(old: Mm, mm: Mm, vma: Vma): void {
  const shared = (vma.flags & VM_SHARED) !== 0;
  if (vma.anonVma === 0 && (vma.flags & VM_PFNMAP) === 0) return;
  old.pages.forRange(vma.start / PAGE_SIZE, vma.end / PAGE_SIZE, (vpn, pte) => {
    mm.frames.get(pteFrame(pte));
    const copy = shared || (pte & PTE_FILE) !== 0 || (pte & PTE_WRITE) === 0 ? pte : pte - PTE_WRITE;
    if (copy !== pte) old.pages.set(vpn, copy);
    mm.pages.set(vpn, copy);
  });
}

function copyFields(old: Mm, mm: Mm): void {
  mm.abi = old.abi;
  mm.taskSize = old.taskSize;
  mm.mmapBase = old.mmapBase;
  mm.mmapLegacyBase = old.mmapLegacyBase;
  mm.mmapCompatBase = old.mmapCompatBase;
  mm.mmapCompatLegacyBase = old.mmapCompatLegacyBase;
  mm.legacyLayout = old.legacyLayout;
  mm.startCode = old.startCode;
  mm.endCode = old.endCode;
  mm.startData = old.startData;
  mm.endData = old.endData;
  mm.startBrk = old.startBrk;
  mm.brk = old.brk;
  mm.startStack = old.startStack;
  mm.argStart = old.argStart;
  mm.argEnd = old.argEnd;
  mm.envStart = old.envStart;
  mm.envEnd = old.envEnd;
  mm.savedAuxv = old.savedAuxv.slice();
  mm.exeFile = old.exeFile;
  if (mm.exeFile) get_file(mm.exeFile);
  mm.binfmt = old.binfmt;
  mm.dumpable = old.dumpable;
  mm.dumpFilter = old.dumpFilter;
  mm.vdso = old.vdso;
  mm.vdsoImage = old.vdsoImage;
  mm.ldt = old.ldt.slice();
  mm.nextAnonVma = old.nextAnonVma;
}
