/** Signal frames: patch 0006 as posted, as merged, and without the look at CS (v4.10). A handler leaves with its CS. */
import { type Column, describeTable } from './table.ts';

const COLUMNS: readonly Column[] = [
  { kernel: 'v4.7-rc1' },
  { kernel: 'compat-cr', patches: 'base,0001,0002,0003,0004,0005' },
  { kernel: 'compat-cr', patches: '0006' },
  { kernel: 'compat-cr' },
  { kernel: 'v4.9' },
  { kernel: 'v4.12', patches: 'base,0001,0002,0003,0004,0005,0006,restart,mmap' },
  { kernel: 'v4.12' },
];
/** Without the patch, with it, and without the look at CS. */
const cells = (none: string, patch: string, later = patch): string[] => [none, none, patch, patch, patch, patch, later];
/** What is given back: the flags of the series as posted are seen. */
const flags = (posted: string): string[] => ['4000000', '4000000', posted, posted, '4000000', '4000000', '4000000'];
/** Flags that the user gives and the kernel does not know, or keeps for itself. */
const given = (posted: string): string[] => ['7000000', '7000000', posted, posted, '4000000', '4000000', '4000000'];

const F64 = 'exit 33';
const F32 = 'exit 23';

describeTable('signal frames of a 64-bit program', {
  source: 'signals.c',
  bits: 64,
  columns: COLUMNS,
  rows: {
    'by syscall; comes in CS 33': F64,
    'by syscall; comes in CS 33, low stack': F64,
    'by syscall; comes in CS 23': F64,
    'by syscall, no SA_RESTORER; comes in CS 23': 'SIGSEGV',
    'by syscall; comes in a child': F64,
    'by syscall; flags given back': '4000000',
    "by syscall, with the kernel's flags; given back": given('4000000'),
    // The frame is written at the 64-bit stack pointer, the handler has its low half, and here needs no stack.
    'by int 0x80, CS 23; comes in CS 33': cells(F64, F32),
    'by int 0x80, CS 23; comes in CS 33, low stack': cells(F64, F32),
    'by int 0x80, CS 23; comes in CS 23': cells(F64, F32),
    'by int 0x80, CS 23, no SA_RESTORER; comes in CS 23': cells('SIGSEGV', F32),
    'by int 0x80, CS 23; comes in a child': cells(F64, F32),
    'by int 0x80, CS 23; flags given back': flags('6000000'),
    "by int 0x80, CS 23, with the kernel's flags; given back": given('6000000'),
    'by int 0x80, CS 33; comes in CS 33': cells(F64, F64, F32),
    'by int 0x80, CS 33; comes in CS 33, low stack': cells(F64, F64, F32),
    'by int 0x80, CS 33; comes in CS 23': cells(F64, F64, F32),
    'by int 0x80, CS 33, no SA_RESTORER; comes in CS 23': cells('SIGSEGV', 'SIGSEGV', F32),
    'by int 0x80, CS 33; comes in a child': cells(F64, F64, F32),
    'by int 0x80, CS 33; flags given back': flags('4000000'),
    "by int 0x80, CS 33, with the kernel's flags; given back": given('4000000'),
    'by sigaction; comes in CS 23': cells(F64, F32),
    // It knows no SA_RESTORER.
    'by signal; comes in CS 23': cells('SIGSEGV', F32),
    // A 64-bit frame needs SA_RESTORER; an i386 one has the place of a stub in an image that is not there.
    'no SA_RESTORER, own vDSO': 'SIGSEGV',
    'no SA_RESTORER, own vDSO, SA_SIGINFO': 'SIGSEGV',
    'no SA_RESTORER, vDSO unmapped': 'SIGSEGV',
    'no SA_RESTORER, vDSO unmapped, SA_SIGINFO': 'SIGSEGV',
    'by int 0x80, CS 23, no SA_RESTORER; returns through the i386 vDSO': [
      'EINVAL, SIGSEGV',
      '0, SIGSEGV',
      'EINVAL, SIGSEGV',
      '0, returned, FS base 0',
      'size, returned, FS base 0',
      'size, returned, FS base 0',
      'size, returned, FS base 0',
    ],
  },
});

describeTable('signal frames of an i386 program', {
  source: 'signals.c',
  bits: 32,
  columns: COLUMNS,
  rows: {
    'by syscall; comes in CS 23': cells(F32, F64),
    'by syscall; comes in CS 33': cells(F32, F64),
    'by syscall, no SA_RESTORER; comes in CS 23': cells(F32, 'SIGSEGV'),
    'by syscall; comes in a child': cells(F32, F64),
    'by syscall; flags given back': '4000000',
    "by syscall, with the kernel's flags; given back": given('4000000'),
    'by int 0x80, CS 23; comes in CS 23': F32,
    'by int 0x80, CS 23; comes in CS 33': F32,
    'by int 0x80, CS 23, no SA_RESTORER; comes in CS 23': F32,
    'by int 0x80, CS 23; comes in a child': F32,
    'by int 0x80, CS 23; flags given back': flags('6000000'),
    "by int 0x80, CS 23, with the kernel's flags; given back": given('6000000'),
    'by int 0x80, CS 33; comes in CS 23': cells(F32, F64, F32),
    'by int 0x80, CS 33; comes in CS 33': cells(F32, F64, F32),
    'by int 0x80, CS 33, no SA_RESTORER; comes in CS 23': cells(F32, 'SIGSEGV', F32),
    'by int 0x80, CS 33; comes in a child': cells(F32, F64, F32),
    'by int 0x80, CS 33; flags given back': flags('4000000'),
    "by int 0x80, CS 33, with the kernel's flags; given back": given('4000000'),
    'by sigaction; comes in CS 23': F32,
    'by signal; comes in CS 23': F32,
    'no SA_RESTORER, own vDSO': 'returned',
    'no SA_RESTORER, own vDSO, SA_SIGINFO': 'returned',
    'no SA_RESTORER, vDSO unmapped': 'SIGSEGV',
    'no SA_RESTORER, vDSO unmapped, SA_SIGINFO': 'SIGSEGV',
  },
});
