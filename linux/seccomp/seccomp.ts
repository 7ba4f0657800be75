/** Secure computing: kernel/seccomp.c. */

import { PT_SUSPEND_SECCOMP } from '../abi/ptrace.ts';
import {
  AUDIT_ARCH_I386,
  AUDIT_ARCH_X86_64,
  SECCOMP_MODE_DISABLED,
  SECCOMP_MODE_FILTER,
  SECCOMP_MODE_STRICT,
  SECCOMP_RET_ACTION,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  seccomp_data,
} from '../abi/seccomp.ts';
import { SIGKILL, SIGSYS, SYS_SECCOMP } from '../abi/signal.ts';
import { force_sig_info } from '../signal/queue.ts';
import { do_exit } from '../task/exit.ts';
import type { SeccompFilter } from '../task/seccomp-state.ts';
import type { Task } from '../task/task.ts';
import { in_ia32_syscall, in_x32_syscall } from '../task/thread-info.ts';
import { runFilter } from './bpf.ts';

const MAX_ERRNO = 4095;
/** mode1_syscalls[] and mode1_syscalls_32[]: read, write, exit, sigreturn. */
const STRICT_64 = [0, 1, 60, 15],
  STRICT_32 = [3, 4, 1, 119];

/** syscall_get_arch(): by the entry, not by CS. */
export const syscall_get_arch = (task: Task): number =>
  task.entry === 'syscall64' ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_I386;

/**
 * seccomp_phase1(). `skip`: the call is not made, RAX is the result; `ended`: the task is gone; a number is the data of
 * SECCOMP_RET_TRACE.
 */
export function seccomp_phase1(task: Task): 'ok' | 'skip' | 'ended' | number {
  if ((task.ptrace & PT_SUSPEND_SECCOMP) !== 0) return 'ok';
  switch (task.seccomp.mode) {
    case SECCOMP_MODE_STRICT: {
      const allowed = in_ia32_syscall(task) || in_x32_syscall(task) ? STRICT_32 : STRICT_64;
      if (allowed.includes(task.sysNr)) return 'ok';
      do_exit(task, SIGKILL);
      return 'ended';
    }
    case SECCOMP_MODE_FILTER:
      return filtered(task);
    default:
      return 'ok';
  }
}

/** __seccomp_phase1_filter(). */
function filtered(task: Task): 'ok' | 'skip' | 'ended' | number {
  const verdict = seccomp_run_filters(task);
  const data = verdict & SECCOMP_RET_DATA;
  switch (verdict & SECCOMP_RET_ACTION) {
    case SECCOMP_RET_ALLOW:
      return 'ok';
    case SECCOMP_RET_ERRNO:
      task.regs.rax = BigInt.asUintN(64, BigInt(-Math.min(data, MAX_ERRNO)));
      return 'skip';
    case SECCOMP_RET_TRAP:
      // syscall_rollback(): the handler sees the registers as they were.
      task.regs.rax = BigInt.asUintN(64, task.origAx);
      seccomp_send_sigsys(task, data);
      return 'skip';
    case SECCOMP_RET_TRACE:
      return data;
    default:
      // SECCOMP_RET_KILL: this thread alone, and no core file.
      do_exit(task, SIGSYS);
      return 'ended';
  }
}

/** seccomp_run_filters(): all of them, the newest first; the lowest action counts. */
function seccomp_run_filters(task: Task): number {
  const bytes = seccomp_data.write({
    nr: task.sysNr,
    arch: syscall_get_arch(task),
    instruction_pointer: task.regs.rip,
    args: task.sysArgs,
  });
  const data = new Uint32Array(bytes.buffer, bytes.byteOffset, seccomp_data.size / 4);
  let result = SECCOMP_RET_ALLOW;
  for (let filter = task.seccomp.filter; filter; filter = filter.prev) {
    const verdict = runFilter(filter.program, data);
    if ((verdict & SECCOMP_RET_ACTION) < (result & SECCOMP_RET_ACTION)) result = verdict;
  }
  return result;
}

/** seccomp_send_sigsys(). */
function seccomp_send_sigsys(task: Task, reason: number): void {
  force_sig_info(task, {
    signo: SIGSYS,
    errno: reason,
    code: SYS_SECCOMP,
    layout: 'sys',
    callAddr: task.regs.rip,
    syscall: task.sysNr,
    arch: syscall_get_arch(task),
  });
}

/** seccomp_may_assign_mode(): once set, the mode stays. */
export const seccomp_may_assign_mode = (task: Task, mode: number): boolean =>
  task.seccomp.mode === SECCOMP_MODE_DISABLED || task.seccomp.mode === mode;

/** is_ancestor(). */
export function isAncestor(parent: SeccompFilter | undefined, child: SeccompFilter | undefined): boolean {
  if (parent === undefined) return true;
  for (let filter = child; filter; filter = filter.prev) if (filter === parent) return true;
  return false;
}
