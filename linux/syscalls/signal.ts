/** The system calls of kernel/signal.c. */
import { EAGAIN, EFAULT, EINTR, EINVAL, EPERM, ERESTARTNOHAND, ESRCH } from '../abi/errno.ts';
import {
  compat_old_sigaction,
  compat_sigaction,
  kernel_sigaction,
  NSIG,
  SA_NODEFER,
  SA_RESETHAND,
  SI_TKILL,
  SI_USER,
  SIG_BLOCK,
  SIG_DFL,
  SIG_IGN,
  SIG_KERNEL_IGNORE,
  SIG_KERNEL_ONLY,
  SIG_SETMASK,
  SIG_UNBLOCK,
  SIGCONT,
  SIGINFO_SIZE,
  type SigInfo,
  sigmask,
} from '../abi/signal.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import { copy_from_user, copy_to_user, get_user_u32, get_user_u64, put_user_u32, put_user_u64 } from '../mm/uaccess.ts';
import { do_sigaltstack } from '../signal/altstack.ts';
import { dequeue_signal, flush_from_all, isKernelOnly, send_signal, set_current_blocked } from '../signal/queue.ts';
import type { KSigaction } from '../signal/sighand.ts';
import { siginfoFrom32, siginfoFrom64, siginfoTo32, siginfoTo64 } from '../signal/siginfo.ts';
import { CAP_KILL, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';
import { hasCompatTimes, isCompatCall } from '../task/thread-info.ts';
import { FOREVER, get_timespec } from './user-time.ts';

const MASK64 = 0xffff_ffff_ffff_ffffn;

// ---- actions

/** do_sigaction(). */
export function do_sigaction(task: Task, sig: number, act: KSigaction | undefined): KSigaction | number {
  if (sig < 1 || sig > NSIG || (act && isKernelOnly(sig))) return -EINVAL;
  const slot = task.sighand.actions[sig]!;
  const old = { ...slot };
  if (act) act.mask &= ~SIG_KERNEL_ONLY & MASK64;
  task.kernel.ops.sigaction_compat_abi(task, act ?? { ...slot }, old);
  if (!act) return old;
  Object.assign(slot, act);
  const ignored = act.handler === SIG_IGN || (act.handler === SIG_DFL && (sigmask(sig) & SIG_KERNEL_IGNORE) !== 0n);
  if (ignored) flush_from_all(task.group, sigmask(sig));
  return old;
}

/** rt_sigaction(2), in the 64-bit layout and in compat_sys_rt_sigaction()'s. */
export function sys_rt_sigaction(task: Task, sig: number, at: number, oldAt: number, size: number): number {
  if (size !== 8) return -EINVAL;
  const compat = isCompatCall(task);
  const layout = compat ? compat_sigaction : kernel_sigaction;
  let act: KSigaction | undefined;
  if (at !== 0) {
    const bytes = copy_from_user(task.mm, at, layout.size);
    if (typeof bytes === 'number') return -EFAULT;
    const a = layout.read(bytes);
    act = {
      handler: BigInt(a.handler),
      flags: Number(BigInt(a.flags) & 0xffff_ffffn),
      restorer: BigInt(a.restorer),
      mask: a.mask,
    };
  }
  const old = do_sigaction(task, sig, act);
  if (typeof old === 'number') return old;
  if (oldAt === 0) return 0;
  const bytes = compat
    ? compat_sigaction.write({
        handler: low32(old.handler),
        flags: old.flags,
        restorer: low32(old.restorer),
        mask: old.mask,
      })
    : kernel_sigaction.write({ ...old, flags: BigInt(old.flags) });
  return copy_to_user(task.mm, oldAt, bytes);
}

/** compat_sys_sigaction(), i386 number 67: only 32 signals in the mask. */
export function compat_sys_sigaction(task: Task, sig: number, at: number, oldAt: number): number {
  let act: KSigaction | undefined;
  if (at !== 0) {
    const bytes = copy_from_user(task.mm, at, compat_old_sigaction.size);
    if (typeof bytes === 'number') return -EFAULT;
    const a = compat_old_sigaction.read(bytes);
    act = { handler: BigInt(a.handler), flags: a.flags, restorer: BigInt(a.restorer), mask: BigInt(a.mask) };
  }
  const old = do_sigaction(task, sig, act);
  if (typeof old === 'number') return old;
  if (oldAt === 0) return 0;
  return copy_to_user(
    task.mm,
    oldAt,
    compat_old_sigaction.write({
      handler: low32(old.handler),
      mask: low32(old.mask),
      flags: old.flags,
      restorer: low32(old.restorer),
    }),
  );
}

/** signal(2), i386 number 48. */
export function sys_signal(task: Task, sig: number, handler: number): number | bigint {
  const old = do_sigaction(task, sig, {
    handler: BigInt(handler),
    flags: (SA_RESETHAND | SA_NODEFER) >>> 0,
    restorer: 0n,
    mask: 0n,
  });
  return typeof old === 'number' ? old : old.handler;
}

const low32 = (value: bigint): number => Number(value & 0xffff_ffffn);

// ---- masks

/** rt_sigprocmask(2); the 8 bytes of the mask lie the same way in every ABI. */
export function sys_rt_sigprocmask(task: Task, how: number, setAt: number, oldAt: number, size: number): number {
  if (size !== 8) return -EINVAL;
  const old = task.blocked;
  if (setAt !== 0) {
    const set = get_user_u64(task.mm, setAt);
    if (set === undefined) return -EFAULT;
    const error = sigprocmask(task, how, set);
    if (error) return error;
  }
  return oldAt === 0 ? 0 : put_user_u64(task.mm, oldAt, old);
}

/** sigprocmask(). */
function sigprocmask(task: Task, how: number, set: bigint): number {
  switch (how) {
    case SIG_BLOCK:
      set_current_blocked(task, task.blocked | set);
      return 0;
    case SIG_UNBLOCK:
      set_current_blocked(task, task.blocked & ~set & MASK64);
      return 0;
    case SIG_SETMASK:
      set_current_blocked(task, set);
      return 0;
    default:
      return -EINVAL;
  }
}

/** compat_sys_sigprocmask(), i386 number 126: the first 32 signals. */
export function compat_sys_sigprocmask(task: Task, how: number, setAt: number, oldAt: number): number {
  const old = task.blocked;
  if (setAt !== 0) {
    const set = get_user_u32(task.mm, setAt);
    if (set === undefined) return -EFAULT;
    const high = how === SIG_SETMASK ? (old >> 32n) << 32n : 0n;
    const error = sigprocmask(task, how, high | BigInt(set));
    if (error) return error;
  }
  return oldAt === 0 ? 0 : put_user_u32(task.mm, oldAt, low32(old));
}

export const sys_sgetmask = (task: Task): number => low32(task.blocked);

export function sys_ssetmask(task: Task, mask: number): number {
  const old = low32(task.blocked);
  set_current_blocked(task, BigInt(mask));
  return old;
}

const pendingSet = (task: Task): bigint => (task.pending.set | task.group.sharedPending.set) & task.blocked;

/** rt_sigpending(2). */
export function sys_rt_sigpending(task: Task, at: number, size: number): number {
  if (size > 8) return -EINVAL;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, pendingSet(task), true);
  return copy_to_user(task.mm, at, bytes.subarray(0, size));
}

/** compat_sys_sigpending(), i386 number 73. */
export const compat_sys_sigpending = (task: Task, at: number): number =>
  put_user_u32(task.mm, at, low32(pendingSet(task)));

/** rt_sigsuspend(2). */
export function sys_rt_sigsuspend(task: Task, at: number, size: number): SysResult {
  if (task.wait) return -ERESTARTNOHAND;
  if (size !== 8) return -EINVAL;
  const set = get_user_u64(task.mm, at);
  if (set === undefined) return -EFAULT;
  return sigsuspend(task, set);
}

/** sigsuspend(): until a signal is delivered; the old mask comes back after its handler. */
function sigsuspend(task: Task, set: bigint): SysResult {
  task.savedSigmask = task.blocked;
  set_current_blocked(task, set);
  return block(task, { channels: [] });
}

/** sigsuspend(2), i386 number 72: the mask is the third argument. */
export function sys_sigsuspend(task: Task, _unused1: number, _unused2: number, mask: number): SysResult {
  if (task.wait) return -ERESTARTNOHAND;
  return sigsuspend(task, BigInt(mask));
}

/** pause(2). */
export function sys_pause(task: Task): SysResult {
  if (task.wait) return -ERESTARTNOHAND;
  return block(task, { channels: [] });
}

// ---- waiting for signals

/** rt_sigtimedwait(2). */
export function sys_rt_sigtimedwait(
  task: Task,
  setAt: number,
  infoAt: number,
  timeoutAt: number,
  size: number,
): SysResult {
  if (size !== 8) return -EINVAL;
  const compat = isCompatCall(task);
  const these = get_user_u64(task.mm, setAt);
  if (these === undefined) return -EFAULT;
  // The signals that are *not* waited for.
  const mask = ~(these & ~SIG_KERNEL_ONLY) & MASK64;
  const { wait } = task;
  let deadline = wait?.deadline;
  if (!wait && timeoutAt !== 0) {
    const time = get_timespec(task, timeoutAt, hasCompatTimes(task));
    if (typeof time === 'number') return time;
    deadline = time.ns >= FOREVER ? undefined : task.kernel.now() + time.ns;
    if (time.ns === 0) deadline = 0;
  }
  const info = dequeue_signal(task, mask);
  if (wait) {
    task.realBlocked = 0n;
    task.blocked = wait.data as bigint;
    task.sigPending = true;
  }
  if (info) {
    if (infoAt === 0) return info.signo;
    const bytes = compat ? siginfoTo32(info, task.kernel.ops.siginfo_has_x32_times(task)) : siginfoTo64(info);
    return copy_to_user(task.mm, infoAt, bytes) || info.signo;
  }
  if (wait?.reason === 'timeout' || deadline === 0) return -EAGAIN;
  if (wait?.reason === 'signal') return -EINTR;
  // None pending, so temporarily unblock what is waited for.
  const old = task.blocked;
  task.realBlocked = old;
  set_current_blocked(task, old & mask);
  return block(task, { channels: [], deadline, data: old });
}

// ---- sending

/** check_kill_permission(). */
function check_kill_permission(task: Task, target: Task, sig: number): number {
  if (sig < 0 || sig > NSIG) return -EINVAL;
  if (task.group === target.group) return 0;
  const a = task.cred;
  const b = target.cred;
  if (a.euid === b.suid || a.euid === b.uid || a.uid === b.suid || a.uid === b.uid) return 0;
  if (capable(a, CAP_KILL)) return 0;
  if (sig === SIGCONT && task.group.session === target.group.session) return 0;
  return -EPERM;
}

const userInfo = (task: Task, sig: number, code: number): SigInfo => ({
  signo: sig,
  errno: 0,
  code,
  layout: 'kill',
  pid: task.tgid,
  uid: task.cred.uid,
});

/** kill(2). */
export function sys_kill(task: Task, pid: number, sig: number): number {
  const info = userInfo(task, sig, SI_USER);
  const { tasks } = task.kernel;
  if (pid > 0) {
    const target = tasks.get(pid);
    if (!target) return -ESRCH;
    return group_send_sig_info(task, target, info);
  }
  let found = false;
  let error = -ESRCH;
  let ok = false;
  for (const t of [...tasks.values()]) {
    if (!t.isLeader || t.exitState === 'dead') continue;
    if (pid === -1) {
      if (t.group === task.group || t.tgid <= 1) continue;
    } else if (t.group.pgrp !== (pid === 0 ? task.group.pgrp : -pid)) continue;
    found = true;
    const result = group_send_sig_info(task, t, { ...info });
    if (result === 0) ok = true;
    else error = result;
  }
  return found && ok ? 0 : error;
}

/** group_send_sig_info(). */
function group_send_sig_info(task: Task, target: Task, info: SigInfo): number {
  const error = check_kill_permission(task, target, info.signo);
  if (error || info.signo === 0) return error;
  return send_signal(target, info, true);
}

/** tkill(2). */
export const sys_tkill = (task: Task, pid: number, sig: number): number =>
  pid <= 0 ? -EINVAL : do_tkill(task, 0, pid, userInfo(task, sig, SI_TKILL));

/** tgkill(2). */
export const sys_tgkill = (task: Task, tgid: number, pid: number, sig: number): number =>
  pid <= 0 || tgid <= 0 ? -EINVAL : do_tkill(task, tgid, pid, userInfo(task, sig, SI_TKILL));

/** do_send_specific(). */
function do_tkill(task: Task, tgid: number, pid: number, info: SigInfo): number {
  const target = task.kernel.tasks.get(pid);
  if (!target || (tgid > 0 && target.tgid !== tgid)) return -ESRCH;
  const error = check_kill_permission(task, target, info.signo);
  if (error || info.signo === 0) return error;
  return send_signal(target, info, false);
}

function readSiginfo(task: Task, at: number): SigInfo | undefined {
  const bytes = copy_from_user(task.mm, at, SIGINFO_SIZE);
  if (typeof bytes === 'number') return undefined;
  return isCompatCall(task) ? siginfoFrom32(bytes) : siginfoFrom64(bytes);
}

/** rt_sigqueueinfo(2): the sender may not look like the kernel, but to itself. */
export function sys_rt_sigqueueinfo(task: Task, pid: number, sig: number, at: number): number {
  const info = readSiginfo(task, at);
  if (!info) return -EFAULT;
  if ((info.code >= 0 || info.code === SI_TKILL) && task.tgid !== pid) return -EPERM;
  info.signo = sig;
  const target = task.kernel.tasks.get(pid);
  if (!target) return -ESRCH;
  return group_send_sig_info(task, target, fixSigno(info));
}

/** rt_tgsigqueueinfo(2). */
export function sys_rt_tgsigqueueinfo(task: Task, tgid: number, pid: number, sig: number, at: number): number {
  const info = readSiginfo(task, at);
  if (!info) return -EFAULT;
  if (pid <= 0 || tgid <= 0) return -EINVAL;
  if ((info.code >= 0 || info.code === SI_TKILL) && task.tgid !== pid && task.pid !== pid) return -EPERM;
  info.signo = sig;
  return do_tkill(task, tgid, pid, fixSigno(info));
}

/** si_signo of the raw bytes is what the call says. A positive code is laid out by the signal, as copy_siginfo_to_user(). */
function fixSigno(info: SigInfo): SigInfo {
  if (info.raw) new DataView(info.raw.buffer, info.raw.byteOffset).setInt32(0, info.signo, true);
  return info;
}

/** sigaltstack(2). */
export const sys_sigaltstack = (task: Task, uss: number, uoss: number): number =>
  do_sigaltstack(task, uss, uoss, isCompatCall(task));
