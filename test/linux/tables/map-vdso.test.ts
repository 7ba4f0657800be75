/** What arch_prctl(ARCH_MAP_VDSO_*) does: patch 0003 as posted and as merged. */
import { describeTable } from './table.ts';

const GONE = 'EINVAL, nothing';
const off = (cell: string, posted: string, merged: string): string[] => [cell, cell, posted, posted, merged, merged];

describeTable('arch_prctl(ARCH_MAP_VDSO_*)', {
  source: 'map-vdso.c',
  bits: 64,
  columns: [
    { kernel: 'v4.7-rc1' },
    { kernel: 'compat-cr', patches: 'base,0001,0002,0004,0005,0006' },
    { kernel: 'compat-cr' },
    { kernel: 'compat-cr', patches: '0002,0003' },
    { kernel: 'v4.9' },
    { kernel: 'v4.12' },
  ],
  rows: {
    ARCH_MAP_VDSO_X32: off(GONE, '0, [vvar] 50000000, ELF32 machine 62', 'size, [vvar] 50000000, ELF32 machine 62'),
    ARCH_MAP_VDSO_32: off(GONE, '0, [vvar] 50000000, ELF32 machine 3', 'size, [vvar] 50000000, ELF32 machine 3'),
    ARCH_MAP_VDSO_64: off(GONE, '0, [vvar] 50000000, ELF64 machine 62', 'size, [vvar] 50000000, ELF64 machine 62'),
    '[vdso] and [vvar] are there': off(
      'EINVAL, 1 [vvar] 1 [vdso]',
      '0, 2 [vvar] 2 [vdso]',
      'EEXIST, 1 [vvar] 1 [vdso]',
    ),
    '[vvar] is there': off('EINVAL, 1 [vvar] 0 [vdso]', '0, 2 [vvar] 1 [vdso]', 'EEXIST, 1 [vvar] 0 [vdso]'),
    '[vdso] is there': off('EINVAL, 0 [vvar] 1 [vdso]', '0, 1 [vvar] 2 [vdso]', 'EEXIST, 0 [vvar] 1 [vdso]'),
    'the second page of [vdso] is there': off(
      'EINVAL, 0 [vvar] 1 [vdso]',
      '0, 1 [vvar] 2 [vdso]',
      'EEXIST, 0 [vvar] 1 [vdso]',
    ),
    'hint 0': off('EINVAL', 'high', 'high'),
    // mmap() rounds a hint up.
    'hint within a page': off('EINVAL', '50001000', '50001000'),
    'hint where something is': off('EINVAL', 'high', 'high'),
    'hint at the end of the address space': off('EINVAL', 'high', 'high'),
    'hint -1': off('EINVAL', 'high', 'high'),
    'no room': off('EINVAL', 'ENOMEM', 'ENOMEM'),
    'code 0x2000': 'EINVAL',
    'code 0x2004': 'EINVAL',
    // The fault handler is that of all [vdso] mappings, and looks at mm->context.vdso_image.
    'first page of the old [vdso]': off('EINVAL, ELF64', 'second, ELF32', 'EEXIST, ELF64'),
    'second page of the old [vdso]': off('EINVAL, read', 'second, SIGBUS', 'EEXIST, read'),
    'auxiliary vector': 'unchanged',
    'by PTRACE_ARCH_PRCTL': off('EINVAL, 0 [vdso]', 'done, 1 [vdso]', 'done, 1 [vdso]'),
    protections: off(
      'none',
      'breakpoint in [vdso] 1, in [vvar] -1, mprotect 0 -1',
      'breakpoint in [vdso] 1, in [vvar] -1, mprotect 0 -1',
    ),
    'by the x32 call': off('EINVAL, 0 [vdso]', '0, 1 [vdso]', 'size, 1 [vdso]'),
    // The i386 table has it since v4.12; not modelled there.
    'i386 number 384': 'ENOSYS',
  },
});
