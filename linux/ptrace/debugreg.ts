/** The debug registers as a tracer sees them: arch/x86/kernel/ptrace.c and hw_breakpoint.c, kernel/events/hw_breakpoint.c. */
import { EINVAL, EIO } from '../abi/errno.ts';
import { TASK_SIZE_IA32, TASK_SIZE_MAX } from '../addr.ts';
import type { HwBreakpoint, Task } from '../task/task.ts';
import { TIF_ADDR32 } from '../task/thread-info.ts';

/** HBP_NUM. */
const SLOTS = 4;
const DR_CONTROL_RESERVED = 0xffff_ffff_0000_fc00n;
const CONTROL_SHIFT = 16;

const TYPES: Readonly<Record<number, HwBreakpoint['type']>> = { 0: 'execute', 1: 'write', 3: 'access' };
/** LEN of DR7, as its two bits. */
const LENGTHS: readonly number[] = [1, 2, 8, 4];

interface Wanted {
  readonly address: bigint;
  readonly length: number;
  readonly type: HwBreakpoint['type'];
  readonly disabled: boolean;
}

/** decode_dr7(). */
function decode_dr7(dr7: number, slot: number): { enabled: boolean; type: number; length: number } {
  const control = (dr7 >>> (CONTROL_SHIFT + slot * 4)) & 0xf;
  return { enabled: ((dr7 >>> (slot * 2)) & 3) !== 0, type: control & 3, length: control >> 2 };
}

/** encode_dr7(): the local and the global bit of Linux are one, as it sets GE and the global one. */
function encode_dr7(slot: number, bp: HwBreakpoint): number {
  const type = { execute: 0, write: 1, access: 3 }[bp.type];
  const control = (LENGTHS.indexOf(bp.length) << 2) | type;
  return (control << (CONTROL_SHIFT + slot * 4)) | (2 << (slot * 2)) | 0x200;
}

/** arch_bp_generic_fields(): an execution breakpoint has no length, and I/O breakpoints are not for user code. */
function arch_bp_generic_fields(
  type: number,
  length: number,
): { type: HwBreakpoint['type']; length: number } | undefined {
  const kind = TYPES[type];
  if (kind === undefined || (kind === 'execute' && length !== 0)) return undefined;
  return { type: kind, length: LENGTHS[length]! };
}

/** arch_check_bp_in_kernelspace(): by the address space of the caller, not of the tracee. */
function isKernelSpace(tracer: Task, { address, length }: Wanted): boolean {
  const end = BigInt((tracer.threadInfo.flags & TIF_ADDR32) !== 0 ? TASK_SIZE_IA32 : TASK_SIZE_MAX);
  return address >= end && BigInt.asUintN(64, address + BigInt(length) - 1n) >= end;
}

/** validate_hw_breakpoint(). */
function validate(tracer: Task, wanted: Wanted): number {
  if (wanted.address % BigInt(wanted.length) !== 0n) return -EINVAL;
  return isKernelSpace(tracer, wanted) ? -EINVAL : 0;
}

/** ptrace_register_breakpoint(), modify_user_hw_breakpoint(): a disabled one is changed unseen, and keeps the address it had. */
function setSlot(tracer: Task, child: Task, slot: number, wanted: Wanted): number {
  const old = child.ptraceBps[slot];
  if (old && wanted.disabled) {
    child.ptraceBps[slot] = { ...wanted, armedAddress: old.armedAddress };
    return 0;
  }
  const error = validate(tracer, wanted);
  if (error === 0) child.ptraceBps[slot] = { ...wanted, armedAddress: wanted.address };
  return error;
}

/** ptrace_write_dr7(): all slots, or what was before. */
function ptrace_write_dr7(tracer: Task, child: Task, value: bigint): number {
  const dr7 = Number(value & ~DR_CONTROL_RESERVED & 0xffff_ffffn);
  const before = [...child.ptraceBps];
  for (let slot = 0; slot < SLOTS; slot++) {
    const { enabled, type, length } = decode_dr7(dr7, slot);
    const old = child.ptraceBps[slot];
    if (!old && !enabled) continue;
    const fields = arch_bp_generic_fields(type, length);
    const error = fields
      ? setSlot(tracer, child, slot, { address: old?.address ?? 0n, ...fields, disabled: !enabled })
      : -EINVAL;
    if (error === 0) continue;
    child.ptraceBps = before;
    return error;
  }
  return 0;
}

/** ptrace_get_debugreg(). */
export function ptrace_get_debugreg(task: Task, n: number): bigint {
  if (n < SLOTS) return task.ptraceBps[n]?.armedAddress ?? 0n;
  if (n === 6) return task.debugreg6;
  return n === 7 ? task.ptraceDr7 : 0n;
}

/** ptrace_set_debugreg(): there are no DR4 and DR5. */
export function ptrace_set_debugreg(tracer: Task, child: Task, n: number, value: bigint): number {
  const error = setRegister(tracer, child, n, value);
  arch_install_hw_breakpoints(child);
  return error;
}

function setRegister(tracer: Task, child: Task, n: number, value: bigint): number {
  if (n < SLOTS) {
    const old = child.ptraceBps[n] ?? { length: 1, type: 'write', disabled: true };
    return setSlot(tracer, child, n, { address: value, length: old.length, type: old.type, disabled: old.disabled });
  }
  if (n === 6) {
    child.debugreg6 = value;
    return 0;
  }
  if (n !== 7) return -EIO;
  const error = ptrace_write_dr7(tracer, child, value);
  if (error === 0) child.ptraceDr7 = value;
  return error;
}

/** flush_ptrace_hw_breakpoint(): of execve. */
export function flush_ptrace_hw_breakpoint(task: Task): void {
  task.debugreg6 = 0n;
  task.ptraceDr7 = 0n;
  if (task.ptraceBps.every((bp) => bp === undefined)) return;
  task.ptraceBps.fill(undefined);
  arch_install_hw_breakpoints(task);
}

/** arch_install_hw_breakpoint() for all slots: what the CPU has while the task runs. */
function arch_install_hw_breakpoints(task: Task): void {
  const registers = task.context.debugRegisters;
  const [dr0 = 0n, dr1 = 0n, dr2 = 0n, dr3 = 0n] = task.ptraceBps.map((bp) => bp?.armedAddress ?? 0n);
  let dr7 = 0;
  task.ptraceBps.forEach((bp, slot) => {
    if (bp && !bp.disabled) dr7 |= encode_dr7(slot, bp);
  });
  Object.assign(registers, { dr0, dr1, dr2, dr3, dr7: dr7 >>> 0 });
}
