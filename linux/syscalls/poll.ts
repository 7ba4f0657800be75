/** poll, ppoll, select, pselect6: fs/select.c, fs/compat.c. */
import { EBADF, EFAULT, EINTR, EINVAL, ERESTART_RESTARTBLOCK, ERESTARTNOHAND } from '../abi/errno.ts';
import {
  POLLERR,
  POLLFD_SIZE,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from '../abi/poll.ts';
import { BLOCKED, block, type SysResult } from '../entry/syscall-row.ts';
import { earliest } from '../fs/epoll.ts';
import type { File } from '../fs/file.ts';
import { copy_from_user, copy_to_user, get_user_u32, get_user_u64 } from '../mm/uaccess.ts';
import { set_current_blocked } from '../signal/queue.ts';
import type { Task } from '../task/task.ts';
import { fdget, rlimitNofile, viewOf } from './fs-args.ts';

/** A time span of user memory in nanoseconds; `scale` as in `struct timeval` (1000) or `timespec` (1). */
export function readSpan(task: Task, address: number, word: 4 | 8, scale: 1 | 1000): number | undefined | 'bad' {
  const bytes = copy_from_user(task.mm, address, word * 2);
  if (typeof bytes === 'number') return undefined;
  const view = viewOf(bytes);
  const get = (i: number): number => (word === 8 ? Number(view.getBigInt64(i * 8, true)) : view.getInt32(i * 4, true));
  const sec = get(0);
  const part = get(1);
  if (scale === 1000) return sec < 0 || part < 0 ? 'bad' : sec * 1e9 + part * 1000;
  if (sec < 0 || part < 0 || part >= 1e9) return 'bad';
  return sec * 1e9 + part;
}

/** poll_select_copy_remaining(): what is left of the time, back to the user; failing is no error. */
export function writeSpan(task: Task, address: number, word: 4 | 8, scale: 1 | 1000, ns: number): boolean {
  const bytes = new Uint8Array(word * 2);
  const view = viewOf(bytes);
  const left = Math.max(0, ns);
  const sec = Math.floor(left / 1e9);
  const part = Math.floor((left - sec * 1e9) / scale);
  if (word === 8) {
    view.setBigInt64(0, BigInt(sec), true);
    view.setBigInt64(8, BigInt(part), true);
  } else {
    view.setInt32(0, sec, true);
    view.setInt32(4, part, true);
  }
  return copy_to_user(task.mm, address, bytes) === 0;
}

/** How the wait of a poll or select ended: a count, a wait, or an interruption. */
type Outcome = number | typeof BLOCKED | 'interrupted';

/** The common end: ready, timed out, interrupted, or to sleep till `deadline`. */
function waitOrFinish(task: Task, count: number, files: readonly File[], deadline: number | undefined): Outcome {
  if (count > 0) return count;
  const reason = task.wait?.reason;
  if (reason === 'timeout' && task.wait?.deadline === deadline) return 0;
  if (deadline !== undefined && task.kernel.now() >= deadline) return 0;
  if (reason === 'signal' || task.sigPending) return 'interrupted';
  const channels = new Set(files.flatMap((file) => file.inode.channels(file)));
  const event = earliest([deadline, ...files.map((file) => file.inode.nextEvent(file))]);
  return block(task, { channels: [...channels], deadline: event, data: { deadline } }) as typeof BLOCKED;
}

/** The absolute end of the wait: kept from the first call on. */
function deadlineOf(task: Task, span: number | undefined): number | undefined {
  if (task.wait !== undefined) return (task.wait.data as { deadline: number | undefined }).deadline;
  return span === undefined ? undefined : task.kernel.now() + span;
}

// ---- poll

/** do_sys_poll(), do_poll(). */
function do_sys_poll(task: Task, ufds: number, nfds: number, deadline: number | undefined): Outcome {
  if (nfds > rlimitNofile(task)) return -EINVAL;
  const bytes = copy_from_user(task.mm, ufds, nfds * POLLFD_SIZE);
  if (typeof bytes === 'number') return bytes;
  const view = viewOf(bytes);
  const files: File[] = [];
  let count = 0;
  for (let i = 0; i < nfds; i++) {
    const at = i * POLLFD_SIZE;
    const fd = view.getInt32(at, true);
    let revents = 0;
    if (fd >= 0) {
      const file = fdget(task, fd);
      if (file === undefined) revents = POLLNVAL;
      else {
        revents = file.inode.poll(file) & (view.getUint16(at + 4, true) | POLLERR | POLLHUP);
        files.push(file);
      }
    }
    view.setUint16(at + 6, revents, true);
    if (revents !== 0) count++;
  }
  const outcome = waitOrFinish(task, count, files, deadline);
  if (outcome === BLOCKED) return outcome;
  for (let i = 0; i < nfds; i++) {
    const at = i * POLLFD_SIZE + 6;
    if (copy_to_user(task.mm, ufds + at, bytes.subarray(at, at + 2)) < 0) return -EFAULT;
  }
  return outcome;
}

export function sys_poll(task: Task, ufds: number, nfds: number, timeoutMs: number): SysResult {
  const deadline = deadlineOf(task, timeoutMs < 0 ? undefined : timeoutMs * 1e6);
  return finishPoll(task, do_sys_poll(task, ufds, nfds, deadline), { ufds, nfds, deadline });
}

/** What restart_syscall() needs to go on with a poll. */
interface PollRestart {
  readonly ufds: number;
  readonly nfds: number;
  readonly deadline: number | undefined;
}

function finishPoll(task: Task, outcome: Outcome, data: PollRestart): SysResult {
  if (outcome !== 'interrupted') return outcome;
  task.restartBlock = { fn: 'poll', data };
  return -ERESTART_RESTARTBLOCK;
}

/** do_restart_poll() */
export function do_restart_poll(task: Task): SysResult {
  const data = task.restartBlock.data as PollRestart;
  return finishPoll(task, do_sys_poll(task, data.ufds, data.nfds, data.deadline), data);
}

// ---- a signal mask for the time of the call

/** set_user_sigmask() of later kernels: on the first call only. @returns 0 or an error */
export function swapSigmask(task: Task, mask: number, size: number): number {
  if (mask === 0 || task.wait !== undefined) return 0;
  if (size !== 8) return -EINVAL;
  const set = get_user_u64(task.mm, mask);
  if (set === undefined) return -EFAULT;
  task.savedSigmask = task.blocked;
  set_current_blocked(task, set);
  return 0;
}
/** The mask of before comes back at once, or after the handler of the signal that ended the wait. */
export function restoreSigmask(task: Task, mask: number, interrupted: boolean): void {
  if (mask === 0 || interrupted || task.savedSigmask === undefined) return;
  const saved = task.savedSigmask;
  task.savedSigmask = undefined;
  set_current_blocked(task, saved);
}

function ppoll(
  task: Task,
  ufds: number,
  nfds: number,
  tsp: number,
  mask: number,
  size: number,
  word: 4 | 8,
): SysResult {
  let span: number | undefined;
  if (tsp !== 0 && task.wait === undefined) {
    const read = readSpan(task, tsp, word, 1);
    if (read === undefined) return -EFAULT;
    if (read === 'bad') return -EINVAL;
    span = read;
  }
  const deadline = deadlineOf(task, span);
  const error = swapSigmask(task, mask, size);
  if (error < 0) return error;
  const outcome = do_sys_poll(task, ufds, nfds, deadline);
  if (outcome === BLOCKED) return outcome;
  restoreSigmask(task, mask, outcome === 'interrupted');
  if (tsp !== 0 && deadline !== undefined) writeSpan(task, tsp, word, 1, deadline - task.kernel.now());
  return outcome === 'interrupted' ? -ERESTARTNOHAND : outcome;
}
export const sys_ppoll = (task: Task, ufds: number, nfds: number, tsp: number, mask: number, size: number): SysResult =>
  ppoll(task, ufds, nfds, tsp, mask, size, 8);
export const compat_sys_ppoll = (
  task: Task,
  ufds: number,
  nfds: number,
  tsp: number,
  mask: number,
  size: number,
): SysResult => ppoll(task, ufds, nfds, tsp, mask, size, 4);

// ---- select

const POLLIN_SET = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
const POLLOUT_SET = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;
const SETS = [POLLIN_SET, POLLOUT_SET, POLLPRI] as const;

/** core_sys_select(), do_select(): three bit sets, in words of 4 or 8 bytes. */
function core_sys_select(
  task: Task,
  n: number,
  sets: readonly [number, number, number],
  deadline: number | undefined,
  word: 4 | 8,
): Outcome {
  if (n < 0) return -EINVAL;
  n = Math.min(n, Math.max(64, Math.ceil(task.files.fds.length / 64) * 64));
  const size = Math.ceil(n / (word * 8)) * word;
  const input: Uint8Array[] = [];
  for (const address of sets) {
    const bytes = address === 0 ? new Uint8Array(size) : copy_from_user(task.mm, address, size);
    if (typeof bytes === 'number') return bytes;
    input.push(bytes);
  }
  const output = sets.map(() => new Uint8Array(size));
  const files: File[] = [];
  let count = 0;
  for (let fd = 0; fd < n; fd++) {
    const byte = fd >> 3;
    const bit = 1 << (fd & 7);
    if (!input.some((set) => (set[byte]! & bit) !== 0)) continue;
    const file = fdget(task, fd);
    if (file === undefined) return -EBADF;
    const mask = file.inode.poll(file);
    files.push(file);
    SETS.forEach((wanted, i) => {
      if ((input[i]![byte]! & bit) === 0 || (mask & wanted) === 0) return;
      output[i]![byte]! |= bit;
      count++;
    });
  }
  const outcome = waitOrFinish(task, count, files, deadline);
  if (typeof outcome !== 'number') return outcome;
  for (const [i, address] of sets.entries())
    if (address !== 0 && copy_to_user(task.mm, address, output[i]!) < 0) return -EFAULT;
  return outcome;
}

function select(
  task: Task,
  n: number,
  sets: readonly [number, number, number],
  tv: number,
  word: 4 | 8,
  scale: 1 | 1000,
  sigmask: { readonly mask: number; readonly size: number } = { mask: 0, size: 8 },
): SysResult {
  let span: number | undefined;
  if (tv !== 0 && task.wait === undefined) {
    const read = readSpan(task, tv, word, scale);
    if (read === undefined) return -EFAULT;
    if (read === 'bad') return -EINVAL;
    span = read;
  }
  const deadline = deadlineOf(task, span);
  const error = swapSigmask(task, sigmask.mask, sigmask.size);
  if (error < 0) return error;
  const outcome = core_sys_select(task, n, sets, deadline, word);
  if (outcome === BLOCKED) return outcome;
  const interrupted = outcome === 'interrupted';
  restoreSigmask(task, sigmask.mask, interrupted);
  const timed = tv !== 0 && deadline !== undefined && span !== 0;
  const copied = !timed || writeSpan(task, tv, word, scale, deadline - task.kernel.now());
  if (!interrupted) return outcome;
  return copied ? -ERESTARTNOHAND : -EINTR;
}

export const sys_select = (task: Task, n: number, r: number, w: number, x: number, tv: number): SysResult =>
  select(task, n, [r, w, x], tv, 8, 1000);
export const compat_sys_select = (task: Task, n: number, r: number, w: number, x: number, tv: number): SysResult =>
  select(task, n, [r, w, x], tv, 4, 1000);

/** compat_sys_old_select(): the arguments are in user memory. */
export function compat_sys_old_select(task: Task, arg: number): SysResult {
  const words: number[] = [];
  for (let i = 0; i < 5; i++) {
    const value = get_user_u32(task.mm, arg + 4 * i);
    if (value === undefined) return -EFAULT;
    words.push(value);
  }
  return compat_sys_select(task, words[0]! | 0, words[1]!, words[2]!, words[3]!, words[4]!);
}

/** pselect6(2): the sixth argument points at the signal mask's address and size, two words of the caller's width. */
const pselect6 =
  (word: 4 | 8) =>
  (task: Task, n: number, r: number, w: number, x: number, ts: number, sig: number): SysResult => {
    if (sig === 0) return select(task, n, [r, w, x], ts, word, 1);
    const get = (at: number) => (word === 8 ? get_user_u64(task.mm, at) : get_user_u32(task.mm, at));
    const mask = get(sig);
    const size = get(sig + word);
    if (mask === undefined || size === undefined) return -EFAULT;
    return select(task, n, [r, w, x], ts, word, 1, { mask: Number(mask), size: Number(size) });
  };
export const sys_pselect6 = pselect6(8);
export const compat_sys_pselect6 = pselect6(4);
