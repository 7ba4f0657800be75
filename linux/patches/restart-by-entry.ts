import { in_ia32_syscall } from '../task/thread-info.ts';
import type { Patch } from './patch.ts';

const NR_ia32_restart_syscall = 0n;
const NR_restart_syscall = 219n;
const X32_BIT = 0x4000_0000n;

export const restartByEntry: Patch = {
  id: 'restart',
  subject: 'restart_syscall by the entry of the call (v4.8)',
  requires: [],
  about:
    'A 64-bit program whose int 0x80 was interrupted went on with number 219, which is madvise(2) there; an i386 program ' +
    'with an interrupted 64-bit call went on with 0, read(2). Now the entry of the call says which number it is.',
  apply: () => ({
    get_nr_restart_syscall: (task) =>
      in_ia32_syscall(task) ? NR_ia32_restart_syscall : NR_restart_syscall | (task.origAx & X32_BIT),
  }),
};
