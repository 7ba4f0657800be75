/** utime and stime in the siginfo of SIGCHLD: as wide as patch 0006 says, and never 0 for a child that has run. */
import { type Column, describeTable } from './table.ts';

const COLUMNS: readonly Column[] = [
  { kernel: 'v4.7-rc1' },
  { kernel: 'compat-cr' },
  { kernel: 'v4.9' },
  { kernel: 'v4.12' },
];
/** Without the patch, with it, and without its look at CS. */
const cells = (none: string, patch: string, later = patch): string[] => [none, patch, patch, later];

// The word at 24 of the 64-bit layout is the status, which is 0 for exit(0).
const WIDE = 'at 32 40';
const IA32 = 'at 24 28';
const X32 = 'at 24 32';
const F64 = `exit 33, code 1, ${WIDE}`;
const F32 = `exit 23, code 1, ${IA32}`;
const FX32 = `exit 33, code 1, ${X32}`;
const taken = (at: string): string => `17, code 1, ${at}`;
const both = (at: string): string => `1, code 40001, ${at}; 0, code 1, ${at}`;
const PTRACE = 'exit; PTRACE_PEEKSIGINFO and PTRACE_GETSIGINFO by';

const STOPS = {
  'stop; rt_sigtimedwait by syscall': '17, code 5, at 24 32 40',
  'continue; rt_sigtimedwait by syscall': '17, code 6, at 24 32 40',
  'trap; rt_sigtimedwait by syscall': '17, code 4, at 24 32 40',
};

describeTable('times in siginfo, for a 64-bit program', {
  source: 'times.c',
  bits: 64,
  columns: COLUMNS,
  rows: {
    'exit; rt_sigtimedwait by syscall': taken(WIDE),
    'exit; handler set by syscall': F64,
    [`${PTRACE} syscall`]: both(WIDE),
    'exit; rt_sigtimedwait by int 0x80, CS 23': cells(taken(X32), taken(IA32)),
    'exit; handler set by int 0x80, CS 23': cells(F64, F32),
    [`${PTRACE} int 0x80, CS 23`]: cells(both(X32), both(IA32)),
    'exit; rt_sigtimedwait by int 0x80, CS 33': cells(taken(X32), taken(IA32)),
    'exit; handler set by int 0x80, CS 33': cells(F64, F64, F32),
    [`${PTRACE} int 0x80, CS 33`]: cells(both(X32), both(IA32)),
    'exit; rt_sigtimedwait by x32 call': taken(X32),
    'exit; handler set by x32 call': cells(F64, F64, FX32),
    [`${PTRACE} x32 call`]: both(X32),
    ...STOPS,
    'stop; rt_sigtimedwait by int 0x80, CS 23': cells(`17, code 5, ${X32}`, `17, code 5, ${IA32}`),
    'stop; handler set by syscall': 'exit 33, code 5, at 24 32 40',
    'stop; handler set by int 0x80, CS 23': cells('exit 33, code 5, at 24 32 40', `exit 23, code 5, ${IA32}`),
    'exit; handler set by int 0x80, CS 23, comes in CS 23': cells(F64, F32),
    'exit; handler set by x32 call, comes in CS 23': cells(F64, F64, FX32),
  },
});

describeTable('times in siginfo, for an i386 program', {
  source: 'times.c',
  bits: 32,
  columns: COLUMNS,
  rows: {
    'exit; rt_sigtimedwait by syscall': taken(WIDE),
    'exit; handler set by syscall': cells(F32, F64),
    [`${PTRACE} syscall`]: both(WIDE),
    'exit; rt_sigtimedwait by int 0x80, CS 23': taken(IA32),
    'exit; handler set by int 0x80, CS 23': F32,
    [`${PTRACE} int 0x80, CS 23`]: both(IA32),
    'exit; rt_sigtimedwait by int 0x80, CS 33': taken(IA32),
    'exit; handler set by int 0x80, CS 33': cells(F32, F64, F32),
    [`${PTRACE} int 0x80, CS 33`]: both(IA32),
    'exit; rt_sigtimedwait by x32 call': cells(taken(IA32), taken(X32)),
    'exit; handler set by x32 call': cells(F32, F64, FX32),
    [`${PTRACE} x32 call`]: cells(both(IA32), both(X32)),
    ...STOPS,
    'stop; rt_sigtimedwait by int 0x80, CS 23': `17, code 5, ${IA32}`,
    'stop; handler set by syscall': cells(`exit 23, code 5, ${IA32}`, 'exit 33, code 5, at 24 32 40'),
    'stop; handler set by int 0x80, CS 23': `exit 23, code 5, ${IA32}`,
    'exit; handler set by int 0x80, CS 23, comes in CS 23': F32,
    'exit; handler set by x32 call, comes in CS 23': cells(F32, F64, FX32),
  },
});
