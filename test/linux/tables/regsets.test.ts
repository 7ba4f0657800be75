/** The register view of a task that changes CS: patch 0005. */
import { type Column, describeTable } from './table.ts';

const WITHOUT: readonly Column[] = [
  { kernel: 'v4.7-rc1' },
  { kernel: 'compat-cr', patches: 'base,0001,0002,0003,0004,0006' },
];
const WITH: readonly Column[] = [
  { kernel: 'compat-cr', patches: '0005' },
  { kernel: 'compat-cr' },
  { kernel: 'v4.9' },
  { kernel: 'v4.12' },
];
const patch = (without: string, with_: string): string[] => [without, without, with_, with_, with_, with_];

// A view is all of these. The 64-bit one knows the I/O permissions, too, which the task has not asked for.
const SETS_64 = 'PRSTATUS 216 PRFPREG 512 PRXFPREG EINVAL XSTATE whole 386_TLS EINVAL 386_IOPERM ENXIO';
const SETS_32 = 'PRSTATUS 68 PRFPREG 108 PRXFPREG 512 XSTATE whole 386_TLS 48 386_IOPERM ENXIO';
// All of it, 4 and 8 bytes more, 24 bytes; and 12 to read: whole words only, and no more than there are.
/** Words of the user area, whose layout is that of the tracer's call. The last word of the 64-bit one, and what lies at the end of the i386 one, can be read. */
const AREA_64 = '52 EIO, 136 CS, 280 0, 284 EIO, 904 0, 912 0';
const AREA_32 = '52 CS, 136 0, 280 0, 284 0, 904 EIO, 912 EIO';
const SET_64 = '216, EINVAL, 216, 24, EINVAL';
const SET_32 = '68, 68, 68, 24, 12';

const area = (words: string, cs: string): string => words.replace('CS', cs);

describeTable('registers of a 64-bit program, for a 64-bit tracer', {
  source: 'regsets.c',
  bits: 64,
  columns: [...WITHOUT, ...WITH],
  rows: {
    'CS 33, GETREGSET': SETS_64,
    'CS 33, SETREGSET': SET_64,
    'CS 33, older requests': 'GETREGS 216 GETFPREGS 512 GETFPXREGS EIO',
    'CS 33, older requests by int 0x80': 'GETREGS 68 GETFPREGS 108 GETFPXREGS 512',
    'CS 33, older requests by the x32 call': 'GETREGS 216 GETFPREGS 512 GETFPXREGS EIO',
    'CS 33, PEEKUSER': area(AREA_64, '33'),
    'CS 33, PEEKUSER by int 0x80': area(AREA_32, '33'),
    'CS 33, PEEKUSER by the x32 call': area(AREA_64, '33'),
    'CS 23, GETREGSET': patch(SETS_64, SETS_32),
    'CS 23, SETREGSET': patch(SET_64, SET_32),
    // The view of these is the tracer's.
    'CS 23, older requests': 'GETREGS 216 GETFPREGS 512 GETFPXREGS EIO',
    'CS 23, older requests by int 0x80': 'GETREGS 68 GETFPREGS 108 GETFPXREGS 512',
    'CS 23, older requests by the x32 call': 'GETREGS 216 GETFPREGS 512 GETFPXREGS EIO',
    'CS 23, PEEKUSER': area(AREA_64, '23'),
    'CS 23, PEEKUSER by int 0x80': area(AREA_32, '23'),
    'CS 23, PEEKUSER by the x32 call': area(AREA_64, '23'),
  },
});

describeTable('registers of an i386 program, for an i386 tracer', {
  source: 'regsets.c',
  bits: 32,
  columns: [...WITHOUT, ...WITH],
  rows: {
    'CS 33, GETREGSET': patch(SETS_32, SETS_64),
    'CS 33, SETREGSET': patch(SET_32, SET_64),
    'CS 33, older requests': 'GETREGS 68 GETFPREGS 108 GETFPXREGS 512',
    // The tracer is an i386 program that runs 64-bit code in that moment.
    'CS 33, GETREGS by SYSCALL': patch('0, 216 bytes, i386 layout', '0, 216 bytes, 64-bit layout'),
    'CS 23, GETREGSET': SETS_32,
    'CS 23, SETREGSET': SET_32,
    'CS 23, older requests': 'GETREGS 68 GETFPREGS 108 GETFPXREGS 512',
    'CS 23, GETREGS by SYSCALL': patch('0, 216 bytes, i386 layout', '0, 216 bytes, 64-bit layout'),
  },
});
