/** ptrace(2): SYSCALL_DEFINE4(ptrace) and COMPAT_SYSCALL_DEFINE4(ptrace), kernel/ptrace.c. */
import { EIO, ERESTARTNOINTR, ESRCH } from '../abi/errno.ts';
import { PTRACE_ATTACH, PTRACE_INTERRUPT, PTRACE_KILL, PTRACE_SEIZE, PTRACE_TRACEME } from '../abi/ptrace.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import { ptrace_attach, ptrace_seize, ptrace_traceme } from '../ptrace/attach.ts';
import type { RequestTable } from '../ptrace/requests/call.ts';
import { ia32Requests, nativeRequests, x32Requests } from '../ptrace/requests/table.ts';
import { execChannel } from '../task/group.ts';
import { fatal_signal_pending, JOBCTL_LISTENING } from '../task/jobctl.ts';
import type { Task } from '../task/task.ts';
import { in_ia32_syscall } from '../task/thread-info.ts';

/** ptrace_check_attach(): traced by this very thread, and, but for two requests, in a stop that it may look at. */
function ptrace_check_attach(tracer: Task, child: Task, ignoreState: boolean): number {
  if (child.ptrace === 0 || child.parent !== tracer) return -ESRCH;
  if (ignoreState) return 0;
  const frozen = child.state === 'traced' && (child.jobctl & JOBCTL_LISTENING) === 0 && !fatal_signal_pending(child);
  return frozen ? 0 : -ESRCH;
}

/**
 * cred_guard_mutex: nobody attaches to a process in execve. When that waits for a thread whose tracer is the caller, both wait
 * until a signal comes.
 */
function waitForExec(task: Task, child: Task): SysResult | undefined {
  const { group } = child;
  if (group.execTask === undefined || group === task.group) return undefined;
  return task.wait?.reason === 'signal' ? -ERESTARTNOINTR : block(task, { channels: [execChannel(group)] });
}

function ptrace(task: Task, request: number, pid: number, addr: bigint, data: bigint, table: RequestTable): SysResult {
  if (request === PTRACE_TRACEME) return ptrace_traceme(task);
  const child = task.kernel.tasks.get(pid);
  if (!child) return -ESRCH;
  if (request === PTRACE_ATTACH) return waitForExec(task, child) ?? ptrace_attach(task, child);
  if (request === PTRACE_SEIZE)
    return waitForExec(task, child) ?? ptrace_seize(task, child, Number(addr), Number(data));
  const error = ptrace_check_attach(task, child, request === PTRACE_KILL || request === PTRACE_INTERRUPT);
  if (error) return error;
  const run = table.get(request);
  const result = run ? run({ tracer: task, child, request, addr, data }) : -EIO;
  // Selectors of the tracee are tried in the CPU.
  task.kernel.switchTo(task);
  return result;
}

/** ptrace(2) of the 64-bit table. */
export function sys_ptrace(task: Task, request: number, pid: number): SysResult {
  const [, , addr, data] = task.sysArgs;
  return ptrace(task, request, pid, addr!, data!, nativeRequests);
}

/** ptrace(2) of i386, and of x32 by number 521: arguments of 32 bits. */
export function compat_sys_ptrace(task: Task, request: number, pid: number): SysResult {
  const [, , addr, data] = task.sysArgs.map((a) => a & 0xffff_ffffn);
  const table = in_ia32_syscall(task) ? ia32Requests : x32Requests;
  return ptrace(task, request | 0, pid, addr!, data!, table);
}
