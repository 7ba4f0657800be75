/** sigaltstack(2): do_sigaltstack() of kernel/signal.c. */
import { EFAULT, EINVAL, ENOMEM, EPERM } from '../abi/errno.ts';
import { compat_stack_t, MINSIGSTKSZ, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK, stack_t } from '../abi/signal.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { on_sig_stack, sas_ss_flags } from './frame.ts';

interface NewStack {
  readonly ss_sp: bigint;
  readonly ss_flags: number;
  readonly ss_size: bigint;
}

/** The setting half of do_sigaltstack(). */
function setStack(task: Task, next: NewStack): number {
  if (on_sig_stack(task, task.regs.rsp)) return -EPERM;
  const mode = next.ss_flags & ~SS_AUTODISARM;
  if (mode !== SS_DISABLE && mode !== SS_ONSTACK && mode !== 0) return -EINVAL;
  const flags = next.ss_flags >>> 0;
  if (mode === SS_DISABLE) {
    task.sas = { sp: 0n, size: 0n, flags };
    return 0;
  }
  if (next.ss_size < BigInt(MINSIGSTKSZ)) return -ENOMEM;
  task.sas = { sp: next.ss_sp, size: next.ss_size, flags };
  return 0;
}

function readStack(task: Task, at: number, compat: boolean): NewStack | undefined {
  const bytes = copy_from_user(task.mm, at, compat ? compat_stack_t.size : stack_t.size);
  if (typeof bytes === 'number') return undefined;
  if (!compat) return stack_t.read(bytes);
  const s = compat_stack_t.read(bytes);
  return { ss_sp: BigInt(s.ss_sp), ss_flags: s.ss_flags, ss_size: BigInt(s.ss_size) };
}

/** sigaltstack(2) in both layouts. */
export function do_sigaltstack(task: Task, uss: number, uoss: number, compat: boolean): number {
  const { sas } = task;
  const old = {
    ss_sp: sas.sp,
    ss_size: sas.size,
    ss_flags: sas_ss_flags(task, task.regs.rsp) | (sas.flags & SS_AUTODISARM) | 0,
  };
  if (uss !== 0) {
    const next = readStack(task, uss, compat);
    if (!next) return -EFAULT;
    const error = setStack(task, next);
    if (error) return error;
  }
  if (uoss === 0) return 0;
  const bytes = compat
    ? compat_stack_t.write({
        ss_sp: Number(BigInt.asUintN(32, old.ss_sp)),
        ss_flags: old.ss_flags,
        ss_size: Number(BigInt.asUintN(32, old.ss_size)),
      })
    : stack_t.write(old);
  return copy_to_user(task.mm, uoss, bytes);
}

/** restore_altstack(): sigreturn takes every answer but -EFAULT. */
export function restore_altstack(task: Task, uss: number, compat: boolean): number {
  const next = readStack(task, uss, compat);
  if (!next) return -EFAULT;
  setStack(task, next);
  return 0;
}
