/** The selftests of Linux that say something about the model: how each is built. */

export type Bits = 64 | 32;

export interface Program {
  readonly name: string;
  /** Folder below tools/testing/selftests. */
  readonly folder: string;
  /** Files of the folder; default: NAME.c. */
  readonly sources?: readonly string[];
  readonly bits?: readonly Bits[];
  /** gcc's, beside those that all have. */
  readonly flags?: readonly string[];
  readonly args?: readonly string[];
  /** Also as NAME_dyn, against the shared libc. */
  readonly dynamic?: boolean;
}

const x86 = (name: string, rest: Partial<Program> = {}): Program => ({ name, folder: 'x86', ...rest });
const timers = (name: string, rest: Partial<Program> = {}): Program => ({ name, folder: 'timers', ...rest });
const vdso = (name: string, rest: Partial<Program> = {}): Program => ({ name, folder: 'vDSO', ...rest });

const withParser = (name: string): Program => vdso(name, { sources: [`${name}.c`, 'parse_vdso.c'] });

export const PROGRAMS: readonly Program[] = [
  // Its loop has no jump of its own unless it is built as it is written.
  { name: 'breakpoint_test', folder: 'breakpoints', flags: ['-O0'] },
  x86('amx', { bits: [64] }),
  x86('check_initial_reg_state', { flags: ['-Wl,-ereal_start'] }),
  x86('corrupt_xstate_header', { bits: [64] }),
  x86('entry_from_vm86', { bits: [32] }),
  x86('fsgsbase', { bits: [64] }),
  x86('fsgsbase_restore'),
  x86('ioperm'),
  x86('iopl'),
  x86('ldt_gdt'),
  x86('mov_ss_trap'),
  x86('ptrace_syscall', { bits: [64] }),
  x86('ptrace_syscall', { bits: [32], sources: ['ptrace_syscall.c', 'raw_syscall_helper_32.S'] }),
  x86('sigaltstack'),
  x86('sigreturn'),
  x86('sigtrap_loop'),
  x86('single_step_syscall'),
  x86('syscall_arg_fault'),
  x86('syscall_nt'),
  x86('syscall_numbering', { bits: [64] }),
  x86('sysret_rip', { bits: [64] }),
  x86('sysret_ss_attrs', { bits: [64], sources: ['sysret_ss_attrs.c', 'thunks.S'] }),
  x86('sysret_ss_attrs', { bits: [32] }),
  x86('test_FCMOV', { bits: [32] }),
  x86('test_FCOMI', { bits: [32] }),
  x86('test_FISTTP', { bits: [32] }),
  x86('test_mremap_vdso'),
  x86('test_syscall_vdso', { bits: [32], sources: ['test_syscall_vdso.c', 'thunks_32.S'], dynamic: true }),
  x86('test_vsyscall', { dynamic: true }),
  x86('unwind_vdso', { bits: [32], dynamic: true }),
  x86('vdso_restorer', { bits: [32] }),
  { name: 'get_syscall_info', folder: 'ptrace' },
  { name: 'peeksiginfo', folder: 'ptrace' },
  { name: 'vmaccess', folder: 'ptrace' },
  { name: 'sas', folder: 'sigaltstack' },
  vdso('vdso_standalone_test_x86', {
    sources: ['vdso_standalone_test_x86.c', 'parse_vdso.c'],
    flags: ['-nostdlib', '-fno-asynchronous-unwind-tables', '-fno-stack-protector'],
  }),
  withParser('vdso_test_abi'),
  vdso('vdso_test_clock_getres'),
  vdso('vdso_test_correctness', { dynamic: true }),
  withParser('vdso_test_getcpu'),
  withParser('vdso_test_gettimeofday'),
  timers('inconsistency-check', { args: ['-t', '1'] }),
  timers('mqueue-lat'),
  timers('nanosleep'),
  timers('nsleep-lat'),
  timers('posix_timers'),
  timers('raw_skew'),
  timers('set-timer-lat'),
  timers('threadtest', { args: ['-t', '2'] }),
];

export interface Build {
  /** NAME_64, NAME_32, NAME_dyn_64... */
  readonly id: string;
  readonly program: Program;
  readonly bits: Bits;
  readonly dynamic: boolean;
}

export const BUILDS: readonly Build[] = PROGRAMS.flatMap((program) =>
  (program.dynamic ? [false, true] : [false]).flatMap((dynamic) =>
    (program.bits ?? [64, 32]).map((bits) => ({
      id: `${program.name}${dynamic ? '_dyn' : ''}_${bits}`,
      program,
      bits,
      dynamic,
    })),
  ),
);
