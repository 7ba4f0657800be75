/** What a kernel does with a program that runs code of the other mode, signals and tracers aside. */
import { type Column, describeTable } from './table.ts';

const KERNELS: readonly Column[] = [
  { kernel: 'v4.7-rc1' },
  { kernel: 'compat-cr' },
  { kernel: 'v4.9' },
  { kernel: 'v4.12', patches: 'base,0001,0002,0003,0004,0005,0006,sigaction,mmap' },
  { kernel: 'v4.12', patches: 'base,0001,0002,0003,0004,0005,0006,sigaction,restart' },
  { kernel: 'v4.12' },
];

for (const vendor of ['amd', 'intel'] as const) {
  describeTable(`a 64-bit program with CS 0x23, on a CPU of ${vendor}`, {
    source: 'far-jump.c',
    bits: 64,
    columns: KERNELS.map((column) => ({ ...column, vendor })),
    rows: {
      'int 0x80': '1',
      'mmap2 by int 0x80, CS 23': ['high', 'high', 'high', 'low', 'high', 'low'],
      'mmap2 by int 0x80, CS 33': ['high', 'high', 'high', 'low', 'high', 'low'],
      // It comes back to the landing pad of context.vdso, which lies above 4 GiB.
      SYSCALL: vendor === 'amd' ? 'SIGSEGV' : 'SIGILL',
      SYSENTER: vendor === 'intel' ? 'SIGSEGV' : 'SIGILL',
      '__kernel_vsyscall of an i386 vDSO': ['no vDSO', '1', '1', '1', '1', '1'],
      'FS and GS base': 'kept 123456789000',
      set_thread_area: '0 entry 12, by syscall ENOSYS',
      // With the number of a 64-bit program, 219, int 0x80 is madvise(2).
      'int 0x80 nanosleep, stopped and continued': ['EINVAL', 'EINVAL', 'EINVAL', 'EINVAL', '0', '0'],
      'orig_ax at the stop of execve, called by syscall': '59',
      'orig_ax at the stop of execve, called by int 0x80': ['11', '11', '11', '59', '11', '59'],
    },
  });
}

describeTable('an i386 program with CS 0x33', {
  source: 'far-jump.c',
  bits: 32,
  columns: KERNELS,
  rows: {
    'int 0x80': '1',
    // There is nothing for it above 4 GiB.
    'mmap by syscall': ['low', 'low', 'low', 'ENOMEM', 'low', 'ENOMEM'],
    // With the number of an i386 program, 0, syscall is read(2).
    'syscall nanosleep, stopped and continued': ['EBADF', 'EBADF', 'EBADF', 'EBADF', '0', '0'],
    'orig_ax at the stop of execve, called by int 0x80': '11',
    'orig_ax at the stop of execve, called by syscall': ['59', '59', '59', '11', '59', '11'],
  },
});
