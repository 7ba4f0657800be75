/** do_debug(), arch/x86/kernel/traps.c: what the debug registers say of a debug exception, and the signal for it. */
import { Vector } from '../../cpu/exit.ts';
import { SIGTRAP, TRAP_BRKPT, TRAP_HWBKPT, TRAP_TRACE } from '../abi/signal.ts';
import { do_trap } from '../signal/fault.ts';
import { X86_EFLAGS_RF } from '../task/pt-regs.ts';
import type { Task } from '../task/task.ts';
import { TIF_BLOCKSTEP } from '../task/thread-info.ts';
import { wasBranch } from './block-step.ts';

const DR_STEP = 0x4000,
  DR_TRAP_BITS = 0xf;

/** get_si_code(). */
function get_si_code(dr6: number): number {
  if ((dr6 & DR_STEP) !== 0) return TRAP_TRACE;
  return (dr6 & DR_TRAP_BITS) !== 0 ? TRAP_HWBKPT : TRAP_BRKPT;
}

/** @param dr6 BS and B0 to B3; 0 for icebp */
export function do_debug(task: Task, dr6: number): void {
  if (dr6 === DR_STEP && (task.threadInfo.flags & TIF_BLOCKSTEP) !== 0 && !wasBranch(task, task.blockStepFrom)) return;
  task.threadInfo.flags &= ~TIF_BLOCKSTEP;
  task.debugreg6 = BigInt(dr6);
  // hw_breakpoint_handler(): the instruction under an execution breakpoint is not to hit it again.
  if (task.ptraceBps.some((bp, slot) => bp?.type === 'execute' && (dr6 & (1 << slot)) !== 0)) {
    task.regs.rflags |= BigInt(X86_EFLAGS_RF);
  }
  do_trap(task, Vector.DB, SIGTRAP, 0, get_si_code(dr6), task.regs.rip);
}

/**
 * MOV SS holds a debug exception back over the next instruction. When that enters the kernel, by a fault too, it comes there,
 * before anything else is done: its signal is the first, and without an address. do_debug() of v4.7 sends it even then.
 */
export function late_debug(task: Task): void {
  const dr6 = task.context.trapDue;
  if (dr6 === 0) return;
  task.context.trapDue = 0;
  task.debugreg6 = BigInt(dr6);
  do_trap(task, Vector.DB, SIGTRAP, 0, get_si_code(dr6), 0n);
}
