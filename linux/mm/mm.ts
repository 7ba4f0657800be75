import type { Access, Mmu } from '../../cpu/mmu.ts';
import { RLIMIT_STACK } from '../abi/mman.ts';
import { type Addr, asAddr, TASK_SIZE_IA32, TASK_SIZE_MAX } from '../addr.ts';
import type { VdsoImage } from '../vdso/image.ts';
import { peek, translate } from './fault.ts';
import type { FrameMemory, Frames, Tlb } from './frames.ts';
import { MAX_MAP_COUNT, MAX_VMAS } from './limits.ts';
import { PageTable } from './page-table.ts';
import type { MappedFile, Vma } from './vma.ts';

/** The ABI that a program was executed for: it decides the layout of the address space. */
export type Abi = '64' | 'ia32' | 'x32';

/** What an mm needs of the kernel; `Kernel` has it all, unit tests give less. */
export interface MmKernel {
  readonly cpu: Tlb & { readonly memory: FrameMemory };
  readonly frames: Frames;
  readonly mmState: MmState;
}

/** What all address spaces of a machine share. */
export interface MmState {
  /** The next `Mm.id`. */
  nextId: number;
  /** Frames of the [vvar] pages. */
  vvarFrames: readonly number[];
  /** Frame of the vsyscall page. */
  vsyscallFrame: number;
  /** Leaves of all page tables. */
  leaves: number;
  /** Mappings of all address spaces. */
  vmas: number;
  /** The stack pointer of the task on the CPU, for the check of stack growth; absent in unit tests. */
  userStackPointer?: () => number;
}

export const newMmState = (): MmState => ({ nextId: 1, vvarFrames: [], vsyscallFrame: -1, leaves: 0, vmas: 0 });

/** `struct rlimit`, with RLIM_INFINITY = 2^64-1. */
export interface RlimitView {
  readonly cur: bigint;
  readonly max: bigint;
}

/** mmap_legacy_base(), arch/x86/mm/mmap.c. */
export const mmap_legacy_base = (taskSize: number): Addr => asAddr(Math.ceil(taskSize / 3 / 4096) * 4096);

/** `struct mm_struct`, include/linux/mm_types.h, with arch/x86's mm_context_t. */
export class Mm implements Mmu {
  readonly kernel: MmKernel;
  readonly id: number;
  /** The mappings, ascending. */
  vmas: Vma[] = [];
  readonly pages: PageTable;
  /** Frames set aside for the untouched pages of a block (RUN_PAGES): first frame by vpn / RUN_PAGES, and who is taken. */
  readonly runs: Map<number, { base: number; taken: Uint8Array }> = new Map();
  /** Whether `more` mappings would be too many: sysctl_max_map_count, and what the machine can keep. */
  mapsFull(more: number): boolean {
    return this.vmas.length + more > MAX_MAP_COUNT || this.kernel.mmState.vmas + more > MAX_VMAS;
  }
  /** Tasks that use this mm: mm_users. */
  users = 1;

  abi: Abi = '64';
  taskSize = TASK_SIZE_MAX;
  mmapBase: Addr = asAddr(0x7fff_f7ff_f000);
  /** mm->mmap_legacy_base: where a bottom-up search starts. */
  mmapLegacyBase: Addr = asAddr(0x2aaa_aaaa_b000);
  /** The same for 32-bit system calls of a 64-bit program: mm->mmap_compat_base, mm->mmap_compat_legacy_base of v4.12. */
  mmapCompatBase: Addr = asAddr(0xf7ff_e000);
  mmapCompatLegacyBase: Addr = asAddr(0x5555_5000);
  /** get_unmapped_area goes up from mmapLegacyBase, not down from mmapBase. */
  legacyLayout = false;
  /** Flags of every new mapping: VM_LOCKED after mlockall(MCL_FUTURE). */
  defFlags = 0;

  startCode = 0;
  endCode = 0;
  startData = 0;
  endData = 0;
  startBrk = 0;
  brk = 0;
  startStack = 0;
  argStart = 0;
  argEnd = 0;
  envStart = 0;
  envEnd = 0;
  /** As it was written to the stack, in words of the program's size. */
  savedAuxv: Uint8Array = new Uint8Array(0);
  exeFile: MappedFile | undefined;
  /** Which binary format loaded the program: decides the class of a core dump. */
  binfmt: 'elf64' | 'elf32' = 'elf64';
  /** SUID_DUMP_DISABLE 0, SUID_DUMP_USER 1, SUID_DUMP_ROOT 2. */
  dumpable = 1;
  /** What a core file holds: the bits of /proc/PID/coredump_filter. */
  dumpFilter = 0x33;

  /** context.vdso: the address of the vDSO's text. */
  vdso: Addr | undefined;
  /** context.vdso_image. */
  vdsoImage: VdsoImage | undefined;
  /** context.ldt: raw descriptors. */
  ldt: BigUint64Array = new BigUint64Array(0);

  /** The rlimits of the process that owns the mm. */
  rlimits: readonly RlimitView[];
  nextAnonVma = 1;
  /** A fault found no memory: the task is to be killed. */
  outOfMemory = false;
  /** mm->mmap_cache: index of the mapping that was found last. */
  lastFound = 0;
  /** Highest resident and total sizes: VmPeak and VmHWM. */
  hiwaterVm = 0;

  constructor(kernel: MmKernel, rlimits: readonly RlimitView[] = []) {
    this.kernel = kernel;
    this.id = kernel.mmState.nextId++;
    this.pages = new PageTable(kernel.mmState);
    this.rlimits = rlimits;
  }

  get frames(): Frames {
    return this.kernel.frames;
  }

  /** TASK_SIZE, top-down and bottom-up bases of an ABI, without randomisation: arch/x86/mm/mmap.c. */
  arch_pick_mmap_layout(abi: Abi, legacy: boolean): void {
    this.abi = abi;
    this.taskSize = abi === '64' ? TASK_SIZE_MAX : TASK_SIZE_IA32;
    this.legacyLayout = legacy || this.rlimit(RLIMIT_STACK) === Number.POSITIVE_INFINITY;
    this.mmapLegacyBase = mmap_legacy_base(this.taskSize);
    this.mmapBase = this.legacyLayout ? this.mmapLegacyBase : this.mmap_base(this.taskSize);
    this.mmapCompatLegacyBase = mmap_legacy_base(TASK_SIZE_IA32);
    this.mmapCompatBase = this.legacyLayout ? this.mmapCompatLegacyBase : this.mmap_base(TASK_SIZE_IA32);
  }

  /** mmap_base(): the stack's limit below the end, at least 128 MiB, at most 5/6. */
  mmap_base(taskSize: number): Addr {
    const gap = Math.min(Math.max(this.rlimit(RLIMIT_STACK), 128 * 1024 * 1024), Math.floor(taskSize / 6) * 5);
    return asAddr(Math.ceil((taskSize - gap) / 4096) * 4096);
  }

  /** rlimit(); infinity is Infinity. */
  rlimit(resource: number): number {
    const limit = this.rlimits[resource];
    return limit === undefined || limit.cur >= 0xffff_ffff_ffff_ffffn ? Number.POSITIVE_INFINITY : Number(limit.cur);
  }

  rlimitMax(resource: number): number {
    const limit = this.rlimits[resource];
    return limit === undefined || limit.max >= 0xffff_ffff_ffff_ffffn ? Number.POSITIVE_INFINITY : Number(limit.max);
  }

  /** Index of the first mapping that ends above `address`; `vmas.length` when there is none. */
  vmaIndex(address: number): number {
    const { vmas, lastFound } = this;
    const hit = vmas[lastFound];
    if (hit !== undefined && hit.start <= address && address < hit.end) return lastFound;
    let low = 0;
    let high = vmas.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if (vmas[mid]!.end > address) high = mid;
      else low = mid + 1;
    }
    this.lastFound = low;
    return low;
  }

  /** find_vma(), mm/mmap.c: the first mapping that ends above `address`; it may start above it too. */
  findVma(address: number): Vma | undefined {
    return this.vmas[this.vmaIndex(address)];
  }

  /** The mapping that `address` lies in. */
  vmaAt(address: number): Vma | undefined {
    const vma = this.findVma(address);
    return vma !== undefined && vma.start <= address ? vma : undefined;
  }

  /** find_vma_intersection(), include/linux/mm.h. */
  findVmaIntersection(start: number, end: number): Vma | undefined {
    const vma = this.findVma(start);
    return vma !== undefined && vma.start < end ? vma : undefined;
  }

  /** The CPU's question on a TLB miss. */
  translate(vpn: number, access: Access): number {
    return translate(this, vpn, access);
  }

  /** What the CPU may cache of a page that is there. */
  peek(vpn: number): number {
    return peek(this, vpn);
  }

  /** Pages of all mappings: mm->total_vm. */
  get totalVm(): number {
    let pages = 0;
    for (const vma of this.vmas) pages += vma.pages;
    return pages;
  }

  /** Resident pages: get_mm_rss(). */
  get rss(): number {
    let pages = 0;
    for (const vma of this.vmas) this.pages.forRange(vma.start / 4096, vma.end / 4096, () => pages++);
    return pages;
  }
}
