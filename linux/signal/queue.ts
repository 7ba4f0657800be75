/** Sending and dequeuing signals: kernel/signal.c. */
import { EAGAIN } from '../abi/errno.ts';
import { PT_SEIZED } from '../abi/ptrace.ts';
import {
  CLD_CONTINUED,
  CLD_STOPPED,
  SA_NOCLDSTOP,
  SI_KERNEL,
  SI_TIMER,
  SI_USER,
  SIG_DFL,
  SIG_IGN,
  SIG_KERNEL_IGNORE,
  SIG_KERNEL_ONLY,
  SIG_KERNEL_STOP,
  SIG_SYNCHRONOUS,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGRTMIN,
  SIGSTOP,
  type SigInfo,
  sigmask,
} from '../abi/signal.ts';
import { clockTicks } from '../task/cpu-time.ts';
import {
  SIGNAL_CLD_CONTINUED,
  SIGNAL_CLD_STOPPED,
  SIGNAL_GROUP_EXIT,
  SIGNAL_STOP_CONTINUED,
  SIGNAL_STOP_STOPPED,
  type ThreadGroup,
} from '../task/group.ts';
import {
  JOBCTL_LISTENING,
  JOBCTL_PENDING_MASK,
  JOBCTL_STOP_DEQUEUED,
  JOBCTL_STOP_PENDING,
  JOBCTL_TRAP_NOTIFY,
  task_clear_jobctl_pending,
  task_set_jobctl_pending,
} from '../task/jobctl.ts';
import type { Task } from '../task/task.ts';
import type { SigPending } from './sighand.ts';

/** include/uapi/asm-generic/resource.h */
const RLIMIT_SIGPENDING = 11;

/** sig_handler_ignored(). */
function sig_handler_ignored(handler: bigint, sig: number): boolean {
  return handler === SIG_IGN || (handler === SIG_DFL && (sigmask(sig) & SIG_KERNEL_IGNORE) !== 0n);
}

/** sig_ignored(): such a signal is not even queued. A tracer and a debugger see all of them. */
export function sig_ignored(task: Task, sig: number): boolean {
  if (((task.blocked | task.realBlocked) & sigmask(sig)) !== 0n) return false;
  if (!sig_handler_ignored(task.sighand.actions[sig]!.handler, sig)) return false;
  return task.ptrace === 0 && !task.kernel.debug.attached(task.tgid);
}

/** recalc_sigpending_tsk(). */
export function recalc_sigpending(task: Task): void {
  task.sigPending =
    (task.jobctl & JOBCTL_PENDING_MASK) !== 0 ||
    task.ptraceSignal !== undefined ||
    task.inDebugStop ||
    ((task.pending.set | task.group.sharedPending.set) & ~task.blocked) !== 0n ||
    (task.group.flags & SIGNAL_GROUP_EXIT) !== 0;
}

/** signal_wake_up(): the target looks at its signals; an interruptible wait ends, and a fatal signal ends stops too. */
export function signal_wake_up(task: Task, fatal: boolean): void {
  task.sigPending = true;
  if (task.state === 'blocked' && (fatal || !task.wait!.killable)) task.kernel.wakeTask(task, 'signal');
  if (fatal && (task.state === 'stopped' || task.state === 'traced')) task.kernel.makeRunnable(task);
}

/** ptrace_signal_wake_up(): as signal_wake_up(); `resume` ends a trap. */
export function ptrace_signal_wake_up(task: Task, resume: boolean): void {
  signal_wake_up(task, false);
  if (resume && task.state === 'traced') task.kernel.makeRunnable(task);
}

/** ptrace_trap_notify(): a seized task traps, or traps again, as its group stops or goes on. */
export function ptrace_trap_notify(task: Task): void {
  task_set_jobctl_pending(task, JOBCTL_TRAP_NOTIFY);
  ptrace_signal_wake_up(task, (task.jobctl & JOBCTL_LISTENING) !== 0);
}

/** set_current_blocked(): changes the mask; threads that can take a signal newly blocked here are told. */
export function set_current_blocked(task: Task, mask: bigint): void {
  const next = mask & ~SIG_KERNEL_ONLY;
  if (next === task.blocked) return;
  const newlyBlocked = task.group.sharedPending.set & next & ~task.blocked;
  if (newlyBlocked !== 0n && task.group.threads.length > 1) retarget_shared_pending(task, newlyBlocked);
  task.blocked = next;
  recalc_sigpending(task);
}

/** retarget_shared_pending(). */
function retarget_shared_pending(task: Task, which: bigint): void {
  for (const t of task.group.threads) {
    if (t === task || t.exitState !== undefined) continue;
    if ((which & ~t.blocked) !== 0n && !t.sigPending) signal_wake_up(t, false);
  }
}

/** prepare_signal(): stop and continue signals act at once; false if the signal is dropped. */
function prepare_signal(task: Task, sig: number): boolean {
  const { group } = task;
  if ((group.flags & SIGNAL_GROUP_EXIT) !== 0) return sig === SIGKILL;
  if ((sigmask(sig) & SIG_KERNEL_STOP) !== 0n) {
    flush_from_all(group, sigmask(SIGCONT));
  } else if (sig === SIGCONT) {
    flush_from_all(group, SIG_KERNEL_STOP);
    for (const t of group.threads) {
      task_clear_jobctl_pending(t, JOBCTL_STOP_PENDING);
      if ((t.ptrace & PT_SEIZED) !== 0) {
        ptrace_trap_notify(t);
        continue;
      }
      if (t.state !== 'stopped') continue;
      t.kernel.makeRunnable(t);
      // It goes on inside get_signal().
      t.sigPending = true;
    }
    let why = 0;
    if ((group.flags & SIGNAL_STOP_STOPPED) !== 0) why = SIGNAL_CLD_CONTINUED;
    else if (group.groupStopCount !== 0) why = SIGNAL_CLD_STOPPED;
    if (why !== 0) {
      group.flags = SIGNAL_STOP_CONTINUED | why;
      group.groupStopCount = 0;
      group.groupExitCode = 0;
    }
  }
  return !sig_ignored(task, sig);
}

/** flush_sigqueue_mask() over the shared and every private queue. */
export function flush_from_all(group: ThreadGroup, mask: bigint): void {
  flush_sigqueue_mask(group.sharedPending, mask);
  for (const t of group.threads) flush_sigqueue_mask(t.pending, mask);
}

/** flush_sigqueue_mask(), kernel/signal.c. */
export function flush_sigqueue_mask(pending: SigPending, mask: bigint): void {
  if ((pending.set & mask) === 0n) return;
  pending.set &= ~mask;
  pending.list = pending.list.filter((info) => (sigmask(info.signo) & mask) === 0n);
}

/** wants_signal(). */
function wants_signal(sig: number, t: Task): boolean {
  if (t.exitState !== undefined || (t.blocked & sigmask(sig)) !== 0n) return false;
  if (sig === SIGKILL) return true;
  return t.state !== 'stopped' && t.state !== 'traced' && !t.inDebugStop;
}

/** complete_signal(): picks the thread that takes it; a fatal one kills the group at once. */
function complete_signal(task: Task, sig: number, shared: boolean): void {
  const { group } = task;
  let target: Task | undefined;
  if (wants_signal(sig, task)) target = task;
  else if (shared) target = group.threads.find((t) => wants_signal(sig, t));
  if (!target) {
    // A stopped or debugged thread looks at the queue when it goes on.
    for (const t of shared ? group.threads : [task]) if (t.exitState === undefined) recalc_sigpending(t);
    return;
  }
  if (sig === SIGKILL) {
    group.flags = SIGNAL_GROUP_EXIT;
    group.groupExitCode = sig;
    group.groupStopCount = 0;
    for (const t of group.threads) kill_thread(t);
    return;
  }
  signal_wake_up(target, false);
}

/** One thread of a dying group: SIGKILL in its own queue, whatever it does. */
export function kill_thread(t: Task): void {
  if (t.exitState !== undefined) return;
  task_clear_jobctl_pending(t, JOBCTL_PENDING_MASK);
  t.pending.set |= sigmask(SIGKILL);
  t.inDebugStop = false;
  t.debugSignal = undefined;
  signal_wake_up(t, true);
}

/**
 * __sigqueue_alloc(): RLIMIT_SIGPENDING holds for all signals queued to the processes of a user. Legacy signals that no program
 * made up are let through.
 */
function mayQueue(task: Task, info: SigInfo): boolean {
  return info.code === SI_TIMER || (info.signo < SIGRTMIN && info.code >= 0) || sigqueueRoom(task);
}

/** Whether the user may have one more sigqueue: of a queued signal, or a POSIX timer's own. */
export function sigqueueRoom(task: Task): boolean {
  const limit = task.group.rlimits[RLIMIT_SIGPENDING]?.cur ?? 0n;
  let queued = 1;
  for (const other of task.kernel.tasks.values()) {
    if (other.cred.uid !== task.cred.uid) continue;
    queued += other.pending.list.length;
    if (other.isLeader) queued += other.group.sharedPending.list.length + other.group.posixTimers.size;
  }
  return BigInt(queued) <= limit;
}

/** __send_signal(): queues; a legacy signal only once. @returns 0 or -EAGAIN */
export function send_signal(task: Task, info: SigInfo, shared: boolean): number {
  const sig = info.signo;
  if (task.exitState === 'dead' || task.group.threads.length === 0) return 0;
  if (!prepare_signal(task, sig)) return 0;
  const pending = shared ? task.group.sharedPending : task.pending;
  if (sig < SIGRTMIN && (pending.set & sigmask(sig)) !== 0n) return 0;
  if (!mayQueue(task, info)) {
    if (sig >= SIGRTMIN && info.code !== SI_USER) return -EAGAIN;
    // The signal comes without its siginfo.
  } else if (sig !== SIGKILL || task.kernel.debug.attached(task.tgid)) pending.list.push(info);
  pending.set |= sigmask(sig);
  task.kernel.wake(`signalfd:${task.tgid}`);
  complete_signal(task, sig, shared);
  return 0;
}

/** force_sig_info(): a signal that the task cannot block or ignore: a fault of its own. */
export function force_sig_info(task: Task, info: SigInfo): void {
  const action = task.sighand.actions[info.signo]!;
  const blocked = (task.blocked & sigmask(info.signo)) !== 0n;
  if (blocked || action.handler === SIG_IGN) {
    action.handler = SIG_DFL;
    if (blocked) {
      task.blocked &= ~sigmask(info.signo);
      recalc_sigpending(task);
    }
  }
  send_signal(task, info, false);
}

/** force_sig(): SEND_SIG_PRIV, seen as SI_KERNEL. */
export function force_sig(task: Task, sig: number): void {
  force_sig_info(task, kernelInfo(sig));
}

/** force_sigsegv(): when not even a frame can be written; SIGSEGV's own handler is dropped then. */
export function force_sigsegv(task: Task, sig: number): void {
  if (sig === 11) task.sighand.actions[11]!.handler = SIG_DFL;
  force_sig(task, 11);
}

/** siginfo of SEND_SIG_PRIV. */
export const kernelInfo = (sig: number): SigInfo => ({
  signo: sig,
  errno: 0,
  code: SI_KERNEL,
  layout: 'kill',
  pid: 0,
  uid: 0,
});

/** dequeue_signal(): own queue first, synchronous signals first, then by number. */
export function dequeue_signal(task: Task, mask: bigint): SigInfo | undefined {
  const info = dequeue(task.pending, mask) ?? dequeue(task.group.sharedPending, mask);
  if (info && (sigmask(info.signo) & SIG_KERNEL_STOP) !== 0n) task.jobctl |= JOBCTL_STOP_DEQUEUED;
  if (info?.layout === 'timer' && info.code === SI_TIMER) task.kernel.timerSignalTaken(task, info);
  recalc_sigpending(task);
  return info;
}

/** __dequeue_signal() and collect_signal(). */
function dequeue(pending: SigPending, mask: bigint): SigInfo | undefined {
  const ready = pending.set & ~mask;
  if (ready === 0n) return undefined;
  const first = (ready & SIG_SYNCHRONOUS) !== 0n ? ready & SIG_SYNCHRONOUS : ready;
  const sig = lowestBit(first);
  const at = pending.list.findIndex((info) => info.signo === sig);
  if (at < 0) {
    pending.set &= ~sigmask(sig);
    return { signo: sig, errno: 0, code: SI_USER, layout: 'kill', pid: 0, uid: 0 };
  }
  const [info] = pending.list.splice(at, 1);
  if (!pending.list.some((other) => other.signo === sig)) pending.set &= ~sigmask(sig);
  return info;
}

/** The lowest signal number in a non-empty set. */
function lowestBit(set: bigint): number {
  const low = Number(set & 0xffff_ffffn);
  if (low !== 0) return 32 - Math.clz32(low & -low);
  const high = Number(set >> 32n);
  return 64 - Math.clz32(high & -high);
}

/** do_notify_parent_cldstop(): SIGCHLD to the tracer for a stop of the task, or to the parent for one of its group. */
export function do_notify_parent_cldstop(task: Task, forTracer: boolean, why: number): void {
  const { group } = task;
  const about = forTracer ? task : group.leader;
  const parent = forTracer ? task.parent : about.realParent;
  if (!parent) return;
  const action = parent.sighand.actions[SIGCHLD]!;
  const status = { [CLD_CONTINUED]: SIGCONT, [CLD_STOPPED]: group.groupExitCode & 0x7f }[why] ?? task.exitCode & 0x7f;
  const info: SigInfo = {
    signo: SIGCHLD,
    errno: 0,
    code: why,
    layout: 'chld',
    pid: about.pid,
    uid: about.cred.uid,
    status,
    // task_cputime(): of that thread alone.
    utime: clockTicks(about.cpuTime.user),
    stime: clockTicks(about.cpuTime.system),
  };
  if (action.handler !== SIG_IGN && (action.flags & SA_NOCLDSTOP) === 0) send_signal(parent, info, true);
  parent.kernel.wake(`child:${parent.tgid}`);
}

/** signal_pending(). */
export const signal_pending = (task: Task): boolean => task.sigPending;

/** True for SIGKILL and SIGSTOP. */
export const isKernelOnly = (sig: number): boolean => sig === SIGKILL || sig === SIGSTOP;
