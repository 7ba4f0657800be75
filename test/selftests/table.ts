/**
 * What each selftest is to say in the machine (kernel compat-cr), and why, where that is not what a Linux of today says.
 * The numbers are those of the selftests of Linux 6.1 and of a 6.18 that runs them.
 */

export interface Expected {
  readonly verdict: string;
  /** Why a real Linux of today may say something else. */
  readonly reason?: string;
}

/** The same as natively. */
const same = (verdict: string): Expected => ({ verdict });
const but = (verdict: string, reason: string): Expected => ({ verdict, reason });

const ONE_CPU = 'the machine has one CPU: nothing to see on the second';
const NO_FSGSBASE = 'v4.7 leaves the instructions RDGSBASE and WRGSBASE off';
const TIMING = 'a loaded machine is late, and the native clocks go on; here only virtual time counts';
const VDSO_64 = 'v4.7 has no clock_getres() in the 64-bit vDSO';
const VDSO_32 = 'clock_gettime64(2) is a call of v5.1: half of the cases has nothing to compare with';
const R8_ZERO = 'int 0x80 zeroes r8 to r11 in v4.3 to v4.16';
const EVERY_ENTRY = 'natively only one of SYSENTER and SYSCALL is there for 32-bit code; here both';

const both = (name: string, expected: Expected): Record<string, Expected> => ({
  [`${name}_64`]: expected,
  [`${name}_32`]: expected,
});

export const EXPECTED: Readonly<Record<string, Expected>> = {
  breakpoint_test_64: same('110 ok'),
  breakpoint_test_32: same('86 ok'),
  amx_64: but('1 fail, rc 1', 'there is no AMX, neither in the CPU nor in v4.7'),
  ...both('check_initial_reg_state', same('2 ok')),
  corrupt_xstate_header_64: same('3 ok'),
  entry_from_vm86_32: same('26 skip'),
  fsgsbase_64: but(
    '101 ok, 1 fail, rc 1',
    `${NO_FSGSBASE}: 8 cases fewer; PTRACE_POKEUSER of gs_base makes the selector 0 there, as the test itself says of older kernels`,
  ),
  ...both('fsgsbase_restore', same('4 ok')),
  ...both('ioperm', same('3 ok')),
  ...both('iopl', same('1 ok')),
  ldt_gdt_64: but('62 ok, 1 skip', ONE_CPU),
  ldt_gdt_32: but('63 ok, 1 skip', ONE_CPU),
  mov_ss_trap_64: but(
    'rc 139',
    'do_debug() of v4.7 sends SIGTRAP for a watchpoint that MOV SS held back into the kernel; behind SYSCALL RSP is no stack for it',
  ),
  mov_ss_trap_32: same('1 ok'),
  ptrace_syscall_64: same('10 ok'),
  ptrace_syscall_32: same('12 ok'),
  ...both('sigaltstack', but('1 ok', 'v4.7 gives no AT_MINSIGSTKSZ, and the test leaves out its second half')),
  sigreturn_64: same('19 ok'),
  sigreturn_32: same('16 ok'),
  ...both('sigtrap_loop', same('1 ok')),
  single_step_syscall_64: same('6 ok'),
  single_step_syscall_32: same('5 ok'),
  syscall_arg_fault_64: but('4 ok, 1 skip', `${NO_FSGSBASE}; ${EVERY_ENTRY}`),
  syscall_arg_fault_32: but('4 ok', EVERY_ENTRY),
  ...both('syscall_nt', same('9 ok')),
  syscall_numbering_64: but(
    '9 ok, 1 fail, rc 139',
    'with CONFIG_X86_X32_ABI v4.7 takes the numbers from 512 on without bit 30, too: 513 is rt_sigreturn',
  ),
  sysret_rip_64: but(
    'rc 139',
    'without randomisation the stack is where the test puts its page, as natively under setarch -R',
  ),
  ...both('sysret_ss_attrs', same('1 ok')),
  test_FCMOV_32: same('1 ok'),
  test_FCOMI_32: same('1 ok'),
  test_FISTTP_32: same('1 ok'),
  ...both('test_mremap_vdso', same('1 ok')),
  test_syscall_vdso_32: but('6 ok, 8 fail, rc 8', R8_ZERO),
  test_syscall_vdso_dyn_32: but('6 ok, 8 fail, rc 8', R8_ZERO),
  ...both('test_vsyscall', but('11 ok, 1 skip', ONE_CPU)),
  ...both('test_vsyscall_dyn', but('11 ok, 1 skip', ONE_CPU)),
  test_vsyscall_32: but('4 ok, 1 skip', ONE_CPU),
  test_vsyscall_dyn_32: but('4 ok, 1 skip', ONE_CPU),
  unwind_vdso_32: same('10 ok'),
  unwind_vdso_dyn_32: same('10 ok'),
  vdso_restorer_32: same('2 ok'),
  ...both('get_syscall_info', but('1 fail, rc 1', 'there is no PTRACE_GET_SYSCALL_INFO before v5.3: -EIO')),
  ...both('peeksiginfo', same('rc 0')),
  ...both('vmaccess', same('1 ok, 1 fail, rc 1')),
  ...both('sas', same('4 ok')),
  vdso_standalone_test_x86_64: same('rc 139'),
  vdso_standalone_test_x86_32: same('rc 0'),
  vdso_test_abi_64: but('9 ok, 7 skip', VDSO_64),
  vdso_test_abi_32: same('16 ok'),
  ...both('vdso_test_clock_getres', same('rc 0')),
  vdso_test_correctness_64: but('17 ok, 1 skip', ONE_CPU),
  vdso_test_correctness_dyn_64: but('17 ok, 1 skip', ONE_CPU),
  vdso_test_correctness_32: but('17 ok', VDSO_32),
  vdso_test_correctness_dyn_32: but('17 ok', VDSO_32),
  ...both('vdso_test_getcpu', same('rc 0')),
  ...both('vdso_test_gettimeofday', same('rc 0')),
  ...both('inconsistency-check', but('9 ok, 3 skip', TIMING)),
  ...both('mqueue-lat', same('1 ok')),
  ...both('nanosleep', same('4 ok, 8 skip')),
  ...both('nsleep-lat', but('4 ok', TIMING)),
  ...both('posix_timers', but('5 ok', TIMING)),
  ...both('raw_skew', but('1 ok', TIMING)),
  ...both('set-timer-lat', but('40 ok', TIMING)),
  ...both('threadtest', but('1 ok', TIMING)),
};
