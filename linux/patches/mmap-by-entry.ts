import { TASK_SIZE_IA32, TASK_SIZE_MAX } from '../addr.ts';
import { mmap_legacy_base } from '../mm/mm.ts';
import type { MmapArea, MmCaller } from '../mm/unmapped-area.ts';
import { TS_COMPAT, X32_SYSCALL_BIT } from '../task/thread-info.ts';
import type { Patch } from './patch.ts';

const NR_execve = 59n,
  NR_ia32_execve = 11n;

/** in_compat_syscall(): an i386 or an x32 system call is in progress. -1 is no call. */
const in_compat_syscall = (task: MmCaller): boolean =>
  (task.threadInfo.status & TS_COMPAT) !== 0 || (task.origAx >= 0n && (task.origAx & BigInt(X32_SYSCALL_BIT)) !== 0n);

export const mmapByEntry: Patch = {
  id: 'mmap',
  subject: 'mmap_base by the entry of the call (v4.12)',
  requires: [],
  about:
    'The 32-bit code of a 64-bit program, that is of a restored task, got addresses above 4 GiB from mmap2, of which it saw ' +
    'the low half. Now a 32-bit call looks for a place below 4 GiB, and a 64-bit call of an i386 program above, where it ' +
    'may have none. Execve leaves a call of the new program as its own, which a tracer sees in orig_ax.',
  apply: (ops) => ({
    mmap_area: (task): MmapArea => {
      const { mm } = task;
      const compat = in_compat_syscall(task);
      if (mm.abi === 'x32' || compat === (mm.abi === 'ia32')) return ops.mmap_area(task);
      if (!compat) {
        return {
          base: mm.mmap_base(TASK_SIZE_MAX),
          legacyBase: mmap_legacy_base(TASK_SIZE_MAX),
          end: TASK_SIZE_MAX,
          map32bit: true,
        };
      }
      return { base: mm.mmapCompatBase, legacyBase: mm.mmapCompatLegacyBase, end: TASK_SIZE_IA32, map32bit: false };
    },
    set_personality: (task, abi) => {
      ops.set_personality(task, abi);
      if (abi === 'x32') return;
      if (abi === '64') task.threadInfo.status &= ~TS_COMPAT;
      task.origAx = abi === '64' ? NR_execve : NR_ia32_execve;
    },
  }),
};
