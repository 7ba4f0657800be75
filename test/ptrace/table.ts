/** The programs of guests/, and where v4.7 and the series differ from the Linux that they were recorded on. */
import { type Exception, instead } from '../native/rules.ts';

export interface PtraceRow {
  /** guests/NAME.c; it is built for 64 and for 32 bits, and recorded as recorded/NAME-64.txt and NAME-32.txt. */
  readonly name: string;
  /** Kernels to run it on, with their patches; default: compat-cr. */
  readonly kernels?: readonly { readonly kernel: string; readonly patches?: string }[];
  /** What is different there, and why. */
  readonly exceptions?: readonly Exception[];
}

const everyKernel = ['v4.7-rc1', 'compat-cr', 'v4.12'].map((kernel) => ({ kernel }));

export const ROWS: readonly PtraceRow[] = [
  { name: 'events' },
  { name: 'signals' },
  { name: 'group-stop' },
  { name: 'syscalls', kernels: everyKernel },
  { name: 'step' },
  { name: 'registers' },
  { name: 'breakpoints' },
  { name: 'memory' },
  { name: 'threads' },
  {
    name: 'exec',
    exceptions: [
      instead(
        'PTRACE_TRACEME of v4.7 does not ask whether the tracer could change the user; PTRACE_ATTACH does',
        /(a tracer of root +)root 1/,
        '$1root 0',
      ),
    ],
  },
  { name: 'access' },
  {
    name: 'deaths',
    exceptions: [
      instead(
        'PTRACE_KILL is a PTRACE_CONT with SIGKILL, and does nothing to a tracee that runs; since v5.19 it sends the signal',
        /KILL of one that runs 0: killed 9/,
        'KILL of one that runs 0: goes on',
      ),
    ],
  },
];
