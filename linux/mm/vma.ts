import type { Addr } from '../addr.ts';

/** include/linux/mm.h: VM_* flags of a mapping. */
export const VM_READ = 0x1,
  VM_WRITE = 0x2,
  VM_EXEC = 0x4,
  VM_SHARED = 0x8;
export const VM_MAYREAD = 0x10,
  VM_MAYWRITE = 0x20,
  VM_MAYEXEC = 0x40,
  VM_MAYSHARE = 0x80;
export const VM_GROWSDOWN = 0x100,
  VM_PFNMAP = 0x400,
  VM_DENYWRITE = 0x800,
  VM_LOCKED = 0x2000,
  VM_IO = 0x4000;
export const VM_SEQ_READ = 0x8000,
  VM_RAND_READ = 0x1_0000,
  VM_DONTCOPY = 0x2_0000,
  VM_DONTEXPAND = 0x4_0000,
  VM_LOCKONFAULT = 0x8_0000;
export const VM_ACCOUNT = 0x10_0000,
  VM_NORESERVE = 0x20_0000,
  VM_HUGETLB = 0x40_0000;
export const VM_DONTDUMP = 0x400_0000,
  VM_SOFTDIRTY = 0x800_0000,
  VM_MIXEDMAP = 0x1000_0000,
  VM_HUGEPAGE = 0x2000_0000,
  VM_NOHUGEPAGE = 0x4000_0000;
export const VM_MERGEABLE = 0x8000_0000;
/** Mappings that are never merged. */
export const VM_SPECIAL = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP;
export const VM_RWX = VM_READ | VM_WRITE | VM_EXEC;
export const VM_MAYRWX = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
/** VM_STACK_FLAGS without its data part: grows down, accounted. */
export const VM_STACK = VM_GROWSDOWN;

/** What the mm needs of an open file and its inode; `File` of linux/fs/file.ts is one. */
export interface MappedFile {
  readonly inode: {
    readonly size: number;
    readonly nlink?: number;
    /** The frame of a page of the file; negative beyond its end or without memory. */
    pageFrame(index: number): number;
    /** The page was (or is about to be) written through a shared mapping. */
    markDirty(index: number): void;
    mmapable(): boolean;
    release(file: never): void;
  };
  /** The path as the guest sees it. */
  readonly path: string;
  readonly readable: boolean;
  readonly writable: boolean;
  /** O_* flags. */
  readonly flags: number;
  /** f_count */
  count: number;
}

/** `struct vm_special_mapping`, include/linux/mm_types.h. */
export interface SpecialMapping {
  readonly name: '[vdso]' | '[vvar]';
}

/** `struct vm_area_struct`, include/linux/mm_types.h. */
export class Vma {
  start: Addr;
  end: Addr;
  /** VM_* */
  flags: number;
  /** In pages: of the file, or (private anonymous) the page number where the memory was first placed. */
  pgoff: number;
  file: MappedFile | undefined;
  special: SpecialMapping | undefined;
  /** Identity of the `anon_vma`, 0 before the first private page: two mappings with different ones do not merge. */
  anonVma = 0;
  /** Length of `anon_vma_chain`. */
  anonChain = 0;

  constructor(
    start: Addr,
    end: Addr,
    flags: number,
    pgoff: number,
    file?: MappedFile | undefined,
    special?: SpecialMapping | undefined,
  ) {
    this.start = start;
    this.end = end;
    this.flags = flags >>> 0;
    this.pgoff = pgoff;
    this.file = file;
    this.special = special;
  }

  get pages(): number {
    return (this.end - this.start) / 4096;
  }

  clone(): Vma {
    const copy = new Vma(this.start, this.end, this.flags, this.pgoff, this.file, this.special);
    copy.anonVma = this.anonVma;
    copy.anonChain = this.anonChain;
    return copy;
  }
}

/** vma_is_anonymous(), include/linux/mm.h. */
export const vma_is_anonymous = (vma: Vma): boolean => vma.file === undefined && vma.special === undefined;

/** is_mergeable_anon_vma(), mm/mmap.c. */
function anonCompatible(a: Vma, b: Vma): boolean {
  if (a.anonVma === b.anonVma) return true;
  if (a.anonVma !== 0 && b.anonVma !== 0) return false;
  return (a.anonVma !== 0 ? a.anonChain : b.anonChain) === 1;
}

/** can_vma_merge_after() and is_mergeable_vma(), mm/mmap.c, for two neighbours. */
export function canMerge(a: Vma, b: Vma): boolean {
  return (
    a.end === b.start &&
    sameFlags(a, b) &&
    a.file === b.file &&
    a.special === undefined &&
    b.special === undefined &&
    a.pgoff + a.pages === b.pgoff &&
    anonCompatible(a, b)
  );
}

function sameFlags(a: Vma, b: Vma): boolean {
  return ((a.flags ^ b.flags) & ~VM_SOFTDIRTY) === 0 && (a.flags & VM_SPECIAL) === 0;
}

/**
 * stack_guard_page_start(), mm/mmap.c: the lowest page of a stack is its guard, which /proc/PID/maps does not show
 * unless the mapping below is the same stack, split.
 */
export const shownStart = (vma: Vma, prev: Vma | undefined): Addr =>
  (vma.flags & VM_GROWSDOWN) !== 0 &&
  !(prev !== undefined && (prev.flags & VM_GROWSDOWN) !== 0 && prev.end === vma.start)
    ? ((vma.start + 4096) as Addr)
    : vma.start;
