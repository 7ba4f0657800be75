/** seccomp(2) and prctl(PR_SET_SECCOMP): kernel/seccomp.c. */
import { EACCES, EFAULT, EINVAL, ENOMEM } from '../abi/errno.ts';
import {
  BPF_MAXINSNS,
  compat_sock_fprog,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_MODE_DISABLED,
  SECCOMP_MODE_FILTER,
  SECCOMP_MODE_STRICT,
  SECCOMP_SET_MODE_FILTER,
  SECCOMP_SET_MODE_STRICT,
  sock_filter,
  sock_fprog,
} from '../abi/seccomp.ts';
import { copy_from_user } from '../mm/uaccess.ts';
import { checkFilter, type Instruction } from '../seccomp/bpf.ts';
import { isAncestor, seccomp_may_assign_mode } from '../seccomp/seccomp.ts';
import { CAP_SYS_ADMIN, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';
import { in_ia32_syscall, in_x32_syscall } from '../task/thread-info.ts';

/** Of all filters together; each counts four more. */
const MAX_INSNS_PER_PATH = 32768;

/** seccomp(2). */
export function sys_seccomp(task: Task, op: number, flags: number, args: number): number {
  switch (op) {
    case SECCOMP_SET_MODE_STRICT:
      return flags !== 0 || args !== 0 ? -EINVAL : seccomp_set_mode_strict(task);
    case SECCOMP_SET_MODE_FILTER:
      return seccomp_set_mode_filter(task, flags, args);
    default:
      return -EINVAL;
  }
}

/** prctl_set_seccomp(). */
export function prctl_set_seccomp(task: Task, mode: number, filter: number): number {
  // The pointer does not count in strict mode.
  if (mode === SECCOMP_MODE_STRICT) return seccomp_set_mode_strict(task);
  return mode === SECCOMP_MODE_FILTER ? seccomp_set_mode_filter(task, 0, filter) : -EINVAL;
}

/** seccomp_set_mode_strict(). Not modelled: disable_TSC(), which makes RDTSC fault. */
function seccomp_set_mode_strict(task: Task): number {
  if (!seccomp_may_assign_mode(task, SECCOMP_MODE_STRICT)) return -EINVAL;
  task.seccomp = { mode: SECCOMP_MODE_STRICT, filter: undefined };
  return 0;
}

/** seccomp_set_mode_filter(). @returns 0, an errno, or with TSYNC the tid of a thread that cannot follow */
function seccomp_set_mode_filter(task: Task, flags: number, at: number): number {
  if ((flags & ~SECCOMP_FILTER_FLAG_TSYNC) !== 0) return -EINVAL;
  const program = seccomp_prepare_user_filter(task, at);
  if (typeof program === 'number') return program;
  if (!seccomp_may_assign_mode(task, SECCOMP_MODE_FILTER)) return -EINVAL;
  let total = program.length;
  for (let f = task.seccomp.filter; f; f = f.prev) total += f.program.length + 4;
  if (total > MAX_INSNS_PER_PATH) return -ENOMEM;
  const sync = (flags & SECCOMP_FILTER_FLAG_TSYNC) !== 0;
  const others = task.group.threads.filter((t) => t !== task && t.exitState === undefined);
  if (sync) {
    const failed = others.find((t) => !canFollow(task, t));
    if (failed) return failed.pid;
  }
  task.seccomp = { mode: SECCOMP_MODE_FILTER, filter: { program, prev: task.seccomp.filter } };
  if (!sync) return 0;
  for (const thread of others) {
    thread.seccomp = task.seccomp;
    if (task.noNewPrivs) thread.noNewPrivs = true;
  }
  return 0;
}

/** seccomp_can_sync_threads(): a thread with no filter of its own. */
const canFollow = (caller: Task, thread: Task): boolean =>
  thread.seccomp.mode === SECCOMP_MODE_DISABLED ||
  (thread.seccomp.mode === SECCOMP_MODE_FILTER && isAncestor(thread.seccomp.filter, caller.seccomp.filter));

/** seccomp_prepare_user_filter() and seccomp_prepare_filter(). */
function seccomp_prepare_user_filter(task: Task, at: number): Instruction[] | number {
  const compat = in_ia32_syscall(task) || in_x32_syscall(task);
  const head = copy_from_user(task.mm, at, compat ? compat_sock_fprog.size : sock_fprog.size);
  if (typeof head === 'number') return -EFAULT;
  const { len, filter } = compat ? compat_sock_fprog.read(head) : sock_fprog.read(head);
  if (len === 0 || len > BPF_MAXINSNS) return -EINVAL;
  if (!task.noNewPrivs && !capable(task.cred, CAP_SYS_ADMIN)) return -EACCES;
  const bytes = copy_from_user(task.mm, Number(filter), len * sock_filter.size);
  if (typeof bytes === 'number') return -EFAULT;
  const program = Array.from({ length: len }, (_, i) => sock_filter.read(bytes, i * sock_filter.size));
  return checkFilter(program) ? program : -EINVAL;
}
