/** Single steps by the trap flag: arch/x86/kernel/step.c. */
import { access_process_vm } from '../mm/uaccess.ts';
import { user_64bit_mode, X86_EFLAGS_TF } from '../task/pt-regs.ts';
import type { Task } from '../task/task.ts';
import { TIF_BLOCKSTEP, TIF_FORCED_TF, TIF_SINGLESTEP } from '../task/thread-info.ts';

const TF = BigInt(X86_EFLAGS_TF);
const LONGEST_INSTRUCTION = 15;
/** Prefixes but REX: operand and address size, segments, LOCK, REP. */
export const PREFIXES: ReadonlySet<number> = new Set([
  0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3,
]);
const POPF = 0x9d,
  IRET = 0xcf;

/** is_setting_trap_flag(): the next instruction writes TF itself. Not modelled: code segments of the LDT with a base. */
function is_setting_trap_flag(task: Task): boolean {
  const opcode = access_process_vm(task.mm, Number(task.regs.rip), LONGEST_INSTRUCTION);
  for (const byte of opcode) {
    if (byte === POPF || byte === IRET) return true;
    if (PREFIXES.has(byte)) continue;
    if (byte >= 0x40 && byte <= 0x4f && user_64bit_mode(task)) continue;
    return false;
  }
  return false;
}

/** enable_single_step(). @returns whether TF is the debugger's */
function enable_single_step(task: Task): boolean {
  const { regs, threadInfo } = task;
  // A system call was stepped: TF is that of the program, and its trap has come already.
  if ((threadInfo.flags & TIF_SINGLESTEP) !== 0) regs.rflags |= TF;
  threadInfo.flags |= TIF_SINGLESTEP;
  const before = regs.rflags;
  regs.rflags |= TF;
  if (is_setting_trap_flag(task)) {
    threadInfo.flags &= ~TIF_FORCED_TF;
    return false;
  }
  if ((before & TF) !== 0n) return (threadInfo.flags & TIF_FORCED_TF) !== 0;
  threadInfo.flags |= TIF_FORCED_TF;
  return true;
}

/** user_enable_single_step(). */
export function user_enable_single_step(task: Task): void {
  enable_single_step(task);
  task.threadInfo.flags &= ~TIF_BLOCKSTEP;
}

/** user_enable_block_step(): DEBUGCTL.BTF, unless the program steps by itself. */
export function user_enable_block_step(task: Task): void {
  if (enable_single_step(task)) task.threadInfo.flags |= TIF_BLOCKSTEP;
  else task.threadInfo.flags &= ~TIF_BLOCKSTEP;
}

/** user_disable_single_step(). */
export function user_disable_single_step(task: Task): void {
  const { regs, threadInfo } = task;
  const forced = (threadInfo.flags & TIF_FORCED_TF) !== 0;
  threadInfo.flags &= ~(TIF_BLOCKSTEP | TIF_SINGLESTEP | TIF_FORCED_TF);
  if (forced) regs.rflags &= ~TF;
}
