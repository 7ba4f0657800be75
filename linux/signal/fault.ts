/** From CPU exceptions to signals: the table of arch/x86/kernel/traps.c. */
import { Vector } from '../../cpu/exit.ts';
import {
  BUS_ADRALN,
  FPE_INTDIV,
  ILL_ILLOPN,
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGSEGV,
  SIGTRAP,
  type SigInfo,
} from '../abi/signal.ts';
import { NO_CALL, type Task } from '../task/task.ts';
import { TS_COMPAT } from '../task/thread-info.ts';
import { force_sig_info, kernelInfo } from './queue.ts';

/** do_trap(): `code` undefined is SEND_SIG_PRIV, a siginfo that says SI_KERNEL only. */
export function do_trap(task: Task, vector: number, sig: number, errorCode: number, code?: number, at?: bigint): void {
  task.errorCode = errorCode;
  task.trapNr = vector;
  const info: SigInfo =
    code === undefined ? kernelInfo(sig) : { signo: sig, errno: 0, code, layout: 'fault', addr: at ?? 0n };
  task.kernel.log.debug({ pid: task.pid, vector, errorCode, sig, ip: task.regs.rip.toString(16) }, 'trap');
  force_sig_info(task, info);
}

/** Exceptions that need no look at the FPU or at memory. @returns false if it is not one of them */
export function simpleTrap(task: Task, vector: number, errorCode: number): boolean {
  const ip = task.regs.rip;
  switch (vector) {
    case Vector.DE:
      do_trap(task, vector, SIGFPE, errorCode, FPE_INTDIV, ip);
      return true;
    case Vector.UD:
      do_trap(task, vector, SIGILL, errorCode, ILL_ILLOPN, ip);
      return true;
    case Vector.BP:
      do_trap(task, vector, SIGTRAP, errorCode);
      return true;
    case Vector.OF:
    case Vector.BR:
    case Vector.GP:
    case 10:
      do_trap(task, vector, SIGSEGV, errorCode);
      return true;
    case Vector.NP:
    case Vector.SS:
      do_trap(task, vector, SIGBUS, errorCode);
      return true;
    case Vector.AC:
      do_trap(task, vector, SIGBUS, errorCode, BUS_ADRALN, 0n);
      return true;
    default:
      return false;
  }
}

/** IRET faulted on the way back to user mode: the system call, if it was one, is over. */
export function forceIretFault(task: Task, fault: { vector: number; errorCode: number }): void {
  task.origAx = NO_CALL;
  task.threadInfo.status &= ~TS_COMPAT;
  simpleTrap(task, fault.vector, fault.errorCode);
}
