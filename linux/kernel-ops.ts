import { ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_FS, ARCH_SET_GS } from './abi/prctl.ts';
import { user_regs_struct, user_regs_struct32 } from './abi/ptrace.ts';
import type { Addr } from './addr.ts';
import { type ArchPrctlRow, get_base, set_base } from './entry/arch-prctl.ts';
import type { Abi, Mm } from './mm/mm.ts';
import { areaOfProgram, type MmapArea, type MmCaller } from './mm/unmapped-area.ts';
import type { Vma } from './mm/vma.ts';
import type { KSigaction } from './signal/sighand.ts';
import type { Task } from './task/task.ts';
import { TIF_IA32, TIF_X32, TS_COMPAT, X32_SYSCALL_BIT } from './task/thread-info.ts';
import type { VdsoImage, VdsoKind } from './vdso/image.ts';
import { map_vdso_calculating, vvar_map_failed } from './vdso/map.ts';

/**
 * The functions of the kernel that a patch of the series, or a later kernel, replaces. Resolved once, at boot: nothing
 * asks at run time which patch is on.
 */
export interface KernelOps {
  /** Name of the kernel, and the patches that are on. */
  readonly release: string;
  readonly patches: readonly string[];

  /** vm_special_mapping.mremap, called by move_vma() for the new place. Patch `base`. */
  readonly special_mapping_mremap: (task: Task, moved: Vma) => number;
  /** The error path of map_vdso(). Patch 0001. */
  readonly vvar_map_failed: (mm: Mm, image: VdsoImage, textStart: Addr) => void;
  /** How exec gets its vDSO. Patch 0002. */
  readonly setup_vdso: (task: Task, kind: VdsoKind) => number;
  /** The codes of arch_prctl(2). Patch 0003. */
  readonly arch_prctl: readonly ArchPrctlRow[];
  /**
   * PR_REG_SIZE() of a compat core, arch/x86/include/asm/compat.h: how many bytes of registers NT_PRSTATUS has. `regset0` is
   * the size of the first register set of the view. Patch 0004.
   */
  readonly compat_pr_reg_size: (task: Task, regset0: number) => number;
  /** task_user_regset_view(), arch/x86/kernel/ptrace.c: which registers a tracer gets. Patch 0005. */
  readonly task_user_regset_view: (task: Task) => 'x86_64' | 'i386';
  /** sigaction_compat_abi(), arch/x86/kernel/signal_compat.c: marks an action with its ABI. Patch 0006. */
  readonly sigaction_compat_abi: (task: Task, act: KSigaction, oact: KSigaction | undefined) => void;
  /** is_ia32_compat_frame() and is_x32_frame(), arch/x86/kernel/signal.c. Patch 0006. */
  readonly is_ia32_compat_frame: (ka: KSigaction, task: Task) => boolean;
  readonly is_x32_frame: (ka: KSigaction, task: Task) => boolean;
  /** copy_siginfo_to_user32() for a system call: SIGCHLD's times have the width of x32. Patch 0006. */
  readonly siginfo_has_x32_times: (task: Task) => boolean;
  /** find_start_end() and get_mmap_base(): where mmap() looks for a place. Patch `mmap`. */
  readonly mmap_area: (task: MmCaller) => MmapArea;
  /** set_personality_64bit() and set_personality_ia32(), arch/x86/kernel/process_64.c: what is left of execve's call. Patch `mmap`. */
  readonly set_personality: (task: Task, abi: Abi) => void;
  /** get_nr_restart_syscall(), arch/x86/kernel/signal.c. Patch `restart`. */
  readonly get_nr_restart_syscall: (task: Task) => bigint;
}

const NR_restart_syscall = 219n;
const NR_ia32_restart_syscall = 0n;

const isIa32 = (task: Task): boolean => (task.threadInfo.flags & TIF_IA32) !== 0;

/** v4.7-rc1: what a program was executed as decides everything. */
export const v4_7: KernelOps = Object.freeze<KernelOps>({
  release: 'v4.7-rc1',
  patches: Object.freeze([]),
  special_mapping_mremap: () => 0,
  vvar_map_failed,
  setup_vdso: map_vdso_calculating,
  arch_prctl: Object.freeze([
    { code: ARCH_SET_GS, name: 'ARCH_SET_GS', run: set_base('gs') },
    { code: ARCH_SET_FS, name: 'ARCH_SET_FS', run: set_base('fs') },
    { code: ARCH_GET_FS, name: 'ARCH_GET_FS', run: get_base('fs') },
    { code: ARCH_GET_GS, name: 'ARCH_GET_GS', run: get_base('gs') },
  ]),
  compat_pr_reg_size: (task) => (isIa32(task) ? user_regs_struct32.size : user_regs_struct.size),
  task_user_regset_view: (task) => (isIa32(task) ? 'i386' : 'x86_64'),
  sigaction_compat_abi: () => {},
  is_ia32_compat_frame: (_ka, task) => isIa32(task),
  is_x32_frame: (_ka, task) => (task.threadInfo.flags & TIF_X32) !== 0,
  siginfo_has_x32_times: (task) => !isIa32(task),
  mmap_area: areaOfProgram,
  set_personality: (task, abi) => {
    if (abi === 'ia32') task.threadInfo.status |= TS_COMPAT;
    else if (abi === 'x32') task.threadInfo.status &= ~TS_COMPAT;
  },
  get_nr_restart_syscall: (task) =>
    isIa32(task) ? NR_ia32_restart_syscall : NR_restart_syscall | (task.origAx & BigInt(X32_SYSCALL_BIT)),
});
