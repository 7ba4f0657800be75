/** The doors into the kernel: arch/x86/entry/entry_64.S, entry_64_compat.S, common.c and arch/x86/kernel/traps.c. */
import { type Exit, Vector } from '../../cpu/exit.ts';
import { gprOffset } from '../../cpu/state.ts';
import { fxsave } from '../../cpu/xsave.ts';
import { EFAULT, EIO, ENOSYS } from '../abi/errno.ts';
import { PTRACE_EVENT_SECCOMP } from '../abi/ptrace.ts';
import { SECCOMP_MODE_DISABLED } from '../abi/seccomp.ts';
import {
  FPE_FLTDIV,
  FPE_FLTINV,
  FPE_FLTOVF,
  FPE_FLTRES,
  FPE_FLTUND,
  SIGFPE,
  SIGKILL,
  SIGSYS,
  SIGTRAP,
  TRAP_BRKPT,
} from '../abi/signal.ts';
import { classifyFault } from '../mm/fault.ts';
import { get_user_u32 } from '../mm/uaccess.ts';
import { do_debug, late_debug } from '../ptrace/debug-exception.ts';
import { ptrace_event, ptrace_report_syscall } from '../ptrace/stop.ts';
import { seccomp_phase1 } from '../seccomp/seccomp.ts';
import { do_trap, forceIretFault, simpleTrap } from '../signal/fault.ts';
import { force_sig_info } from '../signal/queue.ts';
import { SYSCALL_NS } from '../task/cpu-time.ts';
import { do_exit } from '../task/exit.ts';
import { fatal_signal_pending } from '../task/jobctl.ts';
import { out_of_memory } from '../task/oom.ts';
import { __USER_CS, __USER_DS, __USER32_CS, loadCodeAndStack } from '../task/pt-regs.ts';
import { type EntryKind, NO_CALL, type Task } from '../task/task.ts';
import { TIF_SINGLESTEP, TIF_SYSCALL_EMU, TIF_SYSCALL_TRACE, TS_COMPAT, X32_SYSCALL_BIT } from '../task/thread-info.ts';
import { describeCall, KernelBug } from './oops.ts';
import { straceLine } from './strace.ts';
import { ia32_sys_call_table } from './syscall-32.ts';
import { sys_call_table } from './syscall-64.ts';
import { argument, BLOCKED, type SyscallRow, type SysResult } from './syscall-row.ts';
import { emulate_vsyscall } from './vsyscall.ts';

/** Acts on what the CPU came back with. */
export function handleExit(task: Task, exit: Exit): void {
  const { kernel } = task;
  if (task.context.trapDue !== 0 && entersKernel(exit)) late_debug(task);
  switch (exit.kind) {
    case 'budget':
      return;
    case 'syscall':
      if (task.regs.cs === __USER_CS) entry_SYSCALL_64(task);
      else fastSyscall32(task, 'syscall32');
      return;
    case 'sysenter':
      fastSyscall32(task, 'sysenter');
      return;
    case 'interrupt':
      task.iretDue = true;
      interrupt(task, exit.vector);
      return;
    case 'exception':
      task.iretDue = true;
      exception(task, exit);
      return;
    case 'breakpoint':
      task.reportedBreakpoint = exit.address;
      kernel.events.push({ kind: 'breakpoint', task, address: Number(exit.address) });
      return;
    case 'watchpoint':
      kernel.events.push({ kind: 'watchpoint', task, address: Number(exit.address), access: exit.access });
      return;
    case 'cs-switch':
      if (!task.stepRequested && kernel.debug.csSwitch !== 'silent') {
        kernel.report({ kind: 'cs-switch', task, from: exit.from, to: exit.to });
      }
      return;
  }
}

/** Leaves user mode, but not for the debug exception itself. */
const entersKernel = (exit: Exit): boolean =>
  exit.kind === 'syscall' ||
  exit.kind === 'sysenter' ||
  exit.kind === 'interrupt' ||
  (exit.kind === 'exception' && exit.vector !== Vector.DB);

// ---- exceptions

function interrupt(task: Task, vector: number): void {
  switch (vector) {
    case 0x80:
      entry_INT80_compat(task);
      return;
    case Vector.BP:
    case Vector.OF:
      simpleTrap(task, vector, 0);
      return;
    case Vector.DB:
      // icebp.
      do_debug(task, 0);
      return;
    default:
      throw new Error(`the CPU let INT ${vector} through`);
  }
}

function exception(task: Task, exit: Extract<Exit, { kind: 'exception' }>): void {
  const { vector, errorCode } = exit;
  switch (vector) {
    case Vector.PF:
      do_page_fault(task, exit.address, errorCode);
      return;
    case Vector.DB:
      do_debug(task, exit.dr6 ?? 0);
      return;
    case Vector.MF:
    case Vector.XM:
      math_error(task, vector);
      return;
    default:
      if (!simpleTrap(task, vector, errorCode)) throw new Error(`the CPU raised exception ${vector} in user mode`);
  }
}

/** The part of __do_page_fault() behind the handling of the fault, arch/x86/mm/fault.c. */
function do_page_fault(task: Task, address: bigint, errorCode: number): void {
  if (emulate_vsyscall(task, address, errorCode)) return;
  const fault = classifyFault(task.mm, address, errorCode);
  task.cr2 = address;
  task.kernel.log.debug(
    { pid: task.pid, address: address.toString(16), errorCode, ip: task.regs.rip.toString(16), sig: fault.sig },
    'page fault',
  );
  task.trapNr = Vector.PF;
  task.errorCode = fault.errorCode;
  if (fault.sig === SIGKILL) {
    out_of_memory(task);
    return;
  }
  force_sig_info(task, { signo: fault.sig, errno: 0, code: fault.code, layout: 'fault', addr: address });
}

/** math_error() and fpu__exception_code(). */
function math_error(task: Task, vector: number): void {
  const image = new DataView(fxsave(task.regs).buffer);
  let pending: number;
  if (vector === Vector.MF) pending = image.getUint16(2, true) & ~image.getUint16(0, true) & 0x3f;
  else {
    const mxcsr = image.getUint32(24, true);
    pending = ~(mxcsr >> 7) & mxcsr & 0x3f;
  }
  let code = 0;
  if ((pending & 0x01) !== 0) code = FPE_FLTINV;
  else if ((pending & 0x04) !== 0) code = FPE_FLTDIV;
  else if ((pending & 0x08) !== 0) code = FPE_FLTOVF;
  else if ((pending & 0x12) !== 0) code = FPE_FLTUND;
  else if ((pending & 0x20) !== 0) code = FPE_FLTRES;
  if (code === 0) return;
  do_trap(task, vector, SIGFPE, 0, code, task.regs.rip);
}

// ---- system calls

/** The numbers of system calls: no bigint is made for each call. */
const NUMBERS: readonly bigint[] = Array.from({ length: 1024 }, (_, i) => BigInt(i));

/** A number of a system call, without a new bigint for those that exist. */
const callNumber = (low: number): bigint => NUMBERS[low] ?? BigInt(low);

/** entry_SYSCALL_64: RCX and R11 hold the return address and flags. */
function entry_SYSCALL_64(task: Task): void {
  const { regs } = task;
  task.origAx = regs.gprHalf(1) === 0 ? callNumber(regs.gprHalf(0)) : regs.rax;
  task.sysNr = regs.gprHalf(0) | 0;
  task.entry = 'syscall64';
  startSyscall(task);
}

/** entry_INT80_compat: from either mode; R8 to R11 come back zero. */
function entry_INT80_compat(task: Task): void {
  const { regs } = task;
  clearR8toR11(task);
  task.origAx = callNumber(regs.gprHalf(0));
  task.sysNr = regs.gprHalf(0) | 0;
  task.entry = 'int80';
  task.threadInfo.status |= TS_COMPAT;
  startSyscall(task);
}

/**
 * entry_SYSENTER_compat and entry_SYSCALL_compat, do_fast_syscall_32(): they come back at the landing pad of the vDSO
 * with CS 0x23, and the sixth argument lies on the user's stack.
 */
function fastSyscall32(task: Task, kind: EntryKind): void {
  const { regs, mm, kernel } = task;
  const number = regs.gprHalf(0);
  const flags = kind === 'syscall32' ? regs.r11 : regs.rflags;
  if (kind === 'sysenter') regs.rsp = regs.rbp & 0xffff_ffffn;
  else regs.rcx = regs.rbp & 0xffff_ffffn;
  clearR8toR11(task);
  regs.r11 = flags & 0xffff_ffffn;
  const pad = (mm.vdso ?? 0) + (kernel.vdso.image32?.symbols.int80_landing_pad ?? 0);
  if (regs.cs !== __USER32_CS || regs.ss !== __USER_DS) loadCodeAndStack(task, __USER32_CS, __USER_DS);
  // A 64-bit vDSO lies above 4 GiB: SYSRETL cuts the address, IRET refuses it.
  regs.rip = BigInt(pad);
  const arg6 = get_user_u32(mm, Number(regs.rsp & 0xffff_ffffn));
  task.origAx = callNumber(number);
  task.sysNr = number | 0;
  task.entry = kind;
  task.threadInfo.status |= TS_COMPAT;
  if (arg6 === undefined) {
    // No stop for a tracer either.
    regs.rax = BigInt.asUintN(64, BigInt(-EFAULT));
    if (pad > 0xffff_ffff) forceIretFault(task, { vector: Vector.GP, errorCode: 0 });
    return;
  }
  regs.rbp = BigInt(arg6);
  startSyscall(task);
}

function clearR8toR11(task: Task): void {
  const { regs } = task;
  regs.r8 = 0n;
  regs.r9 = 0n;
  regs.r10 = 0n;
  regs.r11 = 0n;
}

/** do_syscall_64() or do_syscall_32_irqs_on(), up to what a tracer sees: syscall_trace_enter(), arch/x86/entry/common.c. */
function startSyscall(task: Task): void {
  task.inSyscall = true;
  task.wait = undefined;
  task.cpuTime.system += SYSCALL_NS;
  task.kernel.pass(SYSCALL_NS);
  fetchArguments(task);
  const traced = (task.threadInfo.flags & (TIF_SYSCALL_TRACE | TIF_SYSCALL_EMU)) !== 0;
  if (traced || task.seccomp.mode !== SECCOMP_MODE_DISABLED) {
    task.regs.rax = BigInt.asUintN(64, BigInt(-ENOSYS));
    // Before the tracer's stop: what it changes there is not checked.
    if (task.seccomp.mode !== SECCOMP_MODE_DISABLED && !checkSeccomp(task)) return;
    if (traced && ptrace_report_syscall(task, 'syscall-entry')) return;
  }
  if (task.seccomp.mode !== SECCOMP_MODE_DISABLED && task.sysNr < 0) endSyscall(task);
  else stopForDebugger(task);
}

/** syscall_trace_enter_phase1() and seccomp_phase2(). @returns false when the call does not go on from here */
function checkSeccomp(task: Task): boolean {
  const verdict = seccomp_phase1(task);
  if (verdict === 'ok') return true;
  if (verdict === 'ended') return false;
  if (verdict === 'skip') {
    task.origAx = NO_CALL;
    fetchCall(task);
    return true;
  }
  if (ptrace_event(task, PTRACE_EVENT_SECCOMP, verdict, { kind: 'seccomp' })) return false;
  // Nobody to ask: RAX is -ENOSYS already.
  endSyscall(task);
  return false;
}

/** seccomp_phase2() behind the stop of PTRACE_EVENT_SECCOMP. */
export function afterSeccompStop(task: Task): void {
  fetchCall(task);
  if (fatal_signal_pending(task)) do_exit(task, SIGSYS);
  else if (task.sysNr < 0) endSyscall(task);
  else if ((task.threadInfo.flags & (TIF_SYSCALL_TRACE | TIF_SYSCALL_EMU)) === 0) stopForDebugger(task);
  else ptrace_report_syscall(task, 'syscall-entry');
}

/** tracehook_report_syscall_entry() after the stop. @param skip the tracer emulates the call, or the task is being killed */
export function afterSyscallEntry(task: Task, skip: boolean): void {
  fetchCall(task);
  // A number that is none leaves in RAX what the tracer put there.
  if (skip || currentRow(task) === undefined) endSyscall(task);
  else stopForDebugger(task);
}

function stopForDebugger(task: Task): void {
  const { kernel } = task;
  const caught = kernel.debug.catchSyscalls;
  if (caught && kernel.debug.attached(task.tgid) && (caught === 'all' || caught.has(task.sysNr))) {
    task.regs.rax = BigInt.asUintN(64, BigInt(-ENOSYS));
    task.entryStopDue = true;
    task.syscallReturnDue = true;
    kernel.events.push({ kind: 'syscall-entry', task, nr: task.sysNr });
    return;
  }
  invoke(task);
}

/** The debugger has seen the entry, and may have changed number or arguments. */
export function afterEntryStop(task: Task): void {
  task.entryStopDue = false;
  fetchCall(task);
  if (task.sysNr < 0) {
    endSyscall(task);
    return;
  }
  invoke(task);
}

/** Number and arguments as whoever stopped the call has left them. */
function fetchCall(task: Task): void {
  task.sysNr = Number(BigInt.asIntN(32, task.origAx));
  fetchArguments(task);
}

/** RDI RSI RDX R10 R8 R9, or EBX ECX EDX ESI EDI EBP. Register by register: a loop over a table takes several times as long. */
function fetchArguments(task: Task): void {
  const { view } = task.regs;
  const args = task.sysArgWords;
  if (task.entry === 'syscall64') {
    args[0] = view.getUint32(gprOffset(7), true);
    args[1] = view.getUint32(gprOffset(7) + 4, true);
    args[2] = view.getUint32(gprOffset(6), true);
    args[3] = view.getUint32(gprOffset(6) + 4, true);
    args[4] = view.getUint32(gprOffset(2), true);
    args[5] = view.getUint32(gprOffset(2) + 4, true);
    args[6] = view.getUint32(gprOffset(10), true);
    args[7] = view.getUint32(gprOffset(10) + 4, true);
    args[8] = view.getUint32(gprOffset(8), true);
    args[9] = view.getUint32(gprOffset(8) + 4, true);
    args[10] = view.getUint32(gprOffset(9), true);
    args[11] = view.getUint32(gprOffset(9) + 4, true);
  } else {
    args.fill(0);
    args[0] = view.getUint32(gprOffset(3), true);
    args[2] = view.getUint32(gprOffset(1), true);
    args[4] = view.getUint32(gprOffset(2), true);
    args[6] = view.getUint32(gprOffset(6), true);
    args[8] = view.getUint32(gprOffset(7), true);
    args[10] = view.getUint32(gprOffset(5), true);
  }
}

/** The row of the call under way. With X32_ABI the number is the low half of RAX without bit 30. */
export function currentRow(task: Task): SyscallRow | undefined {
  if (task.entry !== 'syscall64') return ia32_sys_call_table[task.sysNr];
  return sys_call_table[task.sysNr & ~X32_SYSCALL_BIT];
}

/** A wait ended: the same handler with the same arguments. */
export function resumeSyscall(task: Task): void {
  if (task.wait!.reason === undefined) throw new Error(`task ${task.pid} runs although it waits`);
  invoke(task);
}

function invoke(task: Task): void {
  const row = currentRow(task);
  let result: SysResult;
  if (row?.entry) {
    try {
      result = callHandler(task, row);
    } catch (cause) {
      throw failedCall(task, row.name, cause);
    }
  } else {
    task.kernel.log.debug({ pid: task.pid, nr: task.sysNr, name: row?.name, entry: task.entry }, 'no such system call');
    result = -ENOSYS;
  }
  if (result === BLOCKED) {
    if (task.exitState !== undefined) straceCall(task, row, undefined);
    return;
  }
  // Whoever took the signal meanwhile: the restart rules have to be looked at.
  if (task.wait?.reason === 'signal') task.sigPending = true;
  task.wait = undefined;
  setResult(task, result);
  straceCall(task, row, result);
  endSyscall(task);
}

/** A handler has a bug: the call ends with -EIO, so that the machine can go on when the bug has been told. */
function failedCall(task: Task, name: string, cause: unknown): KernelBug {
  const bug = new KernelBug(task, describeCall(task, name), cause);
  const { kernel } = task;
  kernel.cancelWait(task);
  if (task.exitState === undefined) {
    setResult(task, -EIO);
    endSyscall(task);
    if (task.state === 'blocked') kernel.makeRunnable(task);
  }
  return bug;
}

function callHandler(task: Task, row: SyscallRow): SysResult {
  const w = task.sysArgWords;
  const compat = task.entry !== 'syscall64';
  const { args } = row;
  const entry = row.entry!;
  switch (args.length) {
    case 0:
      return entry(task);
    case 1:
      return entry(task, argument(args[0]!, w[0]!, w[1]!, compat));
    case 2:
      return entry(task, argument(args[0]!, w[0]!, w[1]!, compat), argument(args[1]!, w[2]!, w[3]!, compat));
    case 3:
      return entry(
        task,
        argument(args[0]!, w[0]!, w[1]!, compat),
        argument(args[1]!, w[2]!, w[3]!, compat),
        argument(args[2]!, w[4]!, w[5]!, compat),
      );
    case 4:
      return entry(
        task,
        argument(args[0]!, w[0]!, w[1]!, compat),
        argument(args[1]!, w[2]!, w[3]!, compat),
        argument(args[2]!, w[4]!, w[5]!, compat),
        argument(args[3]!, w[6]!, w[7]!, compat),
      );
    default:
      return entry(task, ...args.map((kind, i) => argument(kind, w[i * 2]!, w[i * 2 + 1]!, compat)));
  }
}

function setResult(task: Task, result: number | bigint): void {
  const { regs } = task;
  if (typeof result === 'bigint') regs.rax = BigInt.asUintN(64, result);
  else {
    const { view } = regs;
    view.setUint32(gprOffset(0), result, true);
    view.setInt32(gprOffset(0) + 4, Math.floor(result / 0x1_0000_0000), true);
  }
}

/** syscall_return_slowpath(): tracehook_report_syscall_exit(). */
function endSyscall(task: Task): void {
  task.inSyscall = false;
  const { flags } = task.threadInfo;
  if ((flags & TIF_SINGLESTEP) !== 0 && (flags & TIF_SYSCALL_EMU) === 0) {
    // user_single_step_siginfo(): a step over a system call ends here.
    do_trap(task, Vector.DB, SIGTRAP, 0, TRAP_BRKPT, task.regs.rip);
  } else if ((flags & TIF_SYSCALL_TRACE) !== 0 && ptrace_report_syscall(task, 'syscall-exit')) return;
  afterSyscallExit(task);
}

/** The end of a system call as the debugger outside of the machine sees it. */
export function afterSyscallExit(task: Task): void {
  if (!task.syscallReturnDue) return;
  task.syscallReturnDue = false;
  if (task.kernel.debug.attached(task.tgid)) {
    task.kernel.events.push({ kind: 'syscall-return', task, nr: task.sysNr });
  }
}

function straceCall(task: Task, row: SyscallRow | undefined, result: number | bigint | undefined): void {
  const print = task.kernel.options.strace;
  if (print) print(straceLine(task, row, result));
}
