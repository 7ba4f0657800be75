/** What the three kinds of frames share: the stack they go on, setup_rt_frame(); arch/x86/kernel/signal.c. */
import {
  SA_ONSTACK,
  SA_RESTORER,
  SA_SIGINFO,
  type SigInfo,
  SS_AUTODISARM,
  SS_DISABLE,
  SS_ONSTACK,
} from '../abi/signal.ts';
import { __USER_DS, ssOf } from '../task/pt-regs.ts';
import type { Task } from '../task/task.ts';
import { copy_fpstate_to_sigframe, fpu__alloc_mathframe } from './fpstate.ts';
import type { KSigaction } from './sighand.ts';

/** `struct ksignal`: the signal and a copy of its action. */
export interface KSignal {
  readonly ka: KSigaction;
  readonly info: SigInfo;
  readonly sig: number;
}

/** on_sig_stack(). */
export function on_sig_stack(task: Task, sp: bigint): boolean {
  const { sas } = task;
  if ((sas.flags & SS_AUTODISARM) !== 0) return false;
  return sp > sas.sp && sp - sas.sp <= sas.size;
}

/** sas_ss_flags(). */
export function sas_ss_flags(task: Task, sp: bigint): number {
  if (task.sas.size === 0n) return SS_DISABLE;
  return on_sig_stack(task, sp) ? SS_ONSTACK : 0;
}

/** sas_ss_reset(). */
export function sas_ss_reset(task: Task): void {
  task.sas = { sp: 0n, size: 0n, flags: SS_DISABLE };
}

/** The part of save_altstack() after the stack_t is written. */
export function disarmAltstack(task: Task): void {
  if ((task.sas.flags & SS_AUTODISARM) !== 0) sas_ss_reset(task);
}

export interface PlacedFrame {
  readonly frame: number;
  readonly fpstate: number;
}

const ADDRESS_LIMIT = 1n << 53n;

/**
 * get_sigframe(): chooses the stack, writes the FPU state.
 * @returns where the frame goes, undefined if there is no room for it
 */
export function get_sigframe(task: Task, ka: KSigaction, size: number, ia32: boolean): PlacedFrame | undefined {
  let sp = task.regs.rsp;
  if (!ia32) sp = BigInt.asUintN(64, sp - 128n);
  const onSigStack = on_sig_stack(task, sp);
  if ((ka.flags & SA_ONSTACK) !== 0) {
    if (sas_ss_flags(task, sp) === 0) sp = task.sas.sp + task.sas.size;
  } else if (ia32 && !onSigStack && ssOf(task) !== __USER_DS && (ka.flags & SA_RESTORER) === 0 && ka.restorer !== 0n) {
    // The legacy way to switch stacks.
    sp = ka.restorer;
  }
  if (sp >= ADDRESS_LIMIT) return undefined;
  const math = fpu__alloc_mathframe(task, Number(sp), ia32);
  const frame = align_sigframe(math.sp - size, ia32);
  if (frame < 0) return undefined;
  if (onSigStack && !on_sig_stack(task, BigInt(frame))) return undefined;
  if (copy_fpstate_to_sigframe(task, math, ia32) !== 0) return undefined;
  return { frame, fpstate: math.sp };
}

/** align_sigframe(): as at a function's entry. */
function align_sigframe(sp: number, ia32: boolean): number {
  if (ia32) return sp + 4 - ((sp + 4) % 16) - 4;
  return sp - (sp % 16) - 8;
}

/** sigmask_to_save(). */
export const sigmask_to_save = (task: Task): bigint => task.savedSigmask ?? task.blocked;

export const wantsSiginfo = (ka: KSigaction): boolean => (ka.flags & SA_SIGINFO) !== 0;
