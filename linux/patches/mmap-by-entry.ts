import { TASK_SIZE_IA32 } from '../addr.ts';
import type { MmapArea, MmCaller } from '../mm/mmap.ts';
import { TS_COMPAT, X32_SYSCALL_BIT } from '../task/thread-info.ts';
import type { Patch } from './patch.ts';

const NR_execve = 59n;

/** in_compat_syscall(): an i386 or an x32 system call is in progress. -1 is no call. */
const in_compat_syscall = (task: MmCaller): boolean =>
  (task.threadInfo.status & TS_COMPAT) !== 0 || (task.origAx >= 0n && (task.origAx & BigInt(X32_SYSCALL_BIT)) !== 0n);

/** Not modelled: a 64-bit call of an i386 program looks above 4 GiB, and fails. */
export const mmapByEntry: Patch = {
  id: 'mmap',
  subject: 'mmap_base by the entry of the call (v4.12)',
  requires: [],
  about:
    'The 32-bit code of a 64-bit program, that is of a restored task, got addresses above 4 GiB from mmap2, of which it saw ' +
    'the low half. Now a 32-bit call looks for a place below 4 GiB. Execve as a 64-bit program ends the 32-bit call that ' +
    "it may have been: the new program's mappings are 64-bit.",
  apply: (ops) => ({
    mmap_area: (task): MmapArea => {
      const { mm } = task;
      if (mm.abi !== '64' || !in_compat_syscall(task)) return ops.mmap_area(task);
      return { base: mm.mmapCompatBase, legacyBase: mm.mmapCompatLegacyBase, end: TASK_SIZE_IA32, map32bit: false };
    },
    set_personality_64bit: (task) => {
      task.threadInfo.status &= ~TS_COMPAT;
      task.origAx = NR_execve;
    },
  }),
};
