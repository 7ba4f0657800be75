/** System V semaphores: ipc/sem.c. */
import { E2BIG, EACCES, EAGAIN, EFAULT, EFBIG, EIDRM, EINTR, EINVAL, ENOSPC, EPERM, ERANGE } from '../abi/errno.ts';
import {
  compat_semid64_ds,
  GETALL,
  GETNCNT,
  GETPID,
  GETVAL,
  GETZCNT,
  IPC_INFO,
  IPC_NOWAIT,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  SEM_INFO,
  SEM_STAT,
  SEM_UNDO,
  SEMMNI,
  SEMMSL,
  SEMOPM,
  SEMVMX,
  SETALL,
  SETVAL,
  sembuf,
  semid64_ds,
  seminfo,
} from '../abi/ipc.ts';
import { block, type SysResult } from '../entry/syscall-row.ts';
import { byIndex, ipcget, ipcperms, maxIndex, mayControl, obtain, remove, type SemArray, seconds } from '../ipc/ids.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { hasCompatTimes } from '../task/thread-info.ts';
import { getDs, permFields, putDs, updatePerm } from './ipc-user.ts';
import { get_timespec } from './user-time.ts';

interface Operation {
  readonly num: number;
  readonly op: number;
  readonly flg: number;
}

const MAX_SEMAPHORES = 1 << 20;

const channelOf = (id: number): string => `sem:${id}`;

/** semget(2). */
export function sys_semget(task: Task, key: number, count: number, flags: number): number {
  if (count < 0 || count > SEMMSL) return -EINVAL;
  return ipcget<SemArray>(
    task,
    task.kernel.ipc.sem,
    key,
    flags,
    (sem) => count <= sem.values.length,
    (perm) => {
      if (count === 0) return -EINVAL;
      // Unlike Linux: its SEMMNS is a thousand times that, as its semaphores are memory of the machine.
      let all = count;
      for (const { values } of task.kernel.ipc.sem.byIndex.values()) all += values.length;
      if (all > MAX_SEMAPHORES) return -ENOSPC;
      return { ...perm, values: Array(count).fill(0), pids: Array(count).fill(0), otime: 0, undo: new Map() };
    },
  );
}

/** semop(2). */
export const sys_semop = (task: Task, id: number, at: number, count: number): SysResult =>
  sys_semtimedop(task, id, at, count, 0);

/** semtimedop(2): all operations at once, or none. The task sleeps until they can be done. */
export function sys_semtimedop(task: Task, id: number, at: number, count: number, timeoutAt: number): SysResult {
  const { wait } = task;
  if (wait) return semopAgain(task, id, wait.data as readonly Operation[]);
  if (count < 1 || id < 0) return -EINVAL;
  if (count > SEMOPM) return -E2BIG;
  const bytes = copy_from_user(task.mm, at, count * sembuf.size);
  if (typeof bytes === 'number') return -EFAULT;
  const ops = Array.from({ length: count }, (_, i) => sembuf.read(bytes, i * sembuf.size));
  let deadline: number | undefined;
  if (timeoutAt !== 0) {
    const time = get_timespec(task, timeoutAt, hasCompatTimes(task));
    if (typeof time === 'number') return time;
    deadline = task.kernel.now() + time.ns;
  }
  const sem = obtain(task.kernel.ipc.sem, id);
  if (typeof sem === 'number') return sem;
  if (ops.some((o) => o.num >= sem.values.length)) return -EFBIG;
  if (ipcperms(task, sem, ops.some((o) => o.op !== 0) ? 0o222 : 0o444)) return -EACCES;
  const result = perform_atomic_semop(task, sem, ops);
  if (result !== 'wait') return result;
  return block(task, { channels: [channelOf(id)], deadline, data: ops });
}

function semopAgain(task: Task, id: number, ops: readonly Operation[]): SysResult {
  const { reason, deadline } = task.wait!;
  const sem = obtain(task.kernel.ipc.sem, id);
  if (typeof sem === 'number') return -EIDRM;
  const result = perform_atomic_semop(task, sem, ops);
  if (result !== 'wait') return result;
  if (reason === 'signal') return -EINTR;
  if (reason === 'timeout') return -EAGAIN;
  return block(task, { channels: [channelOf(id)], deadline, data: ops });
}

/** perform_atomic_semop(). */
function perform_atomic_semop(task: Task, sem: SemArray, ops: readonly Operation[]): number | 'wait' {
  const next = [...sem.values];
  const undo = [...(sem.undo.get(task.tgid) ?? next.map(() => 0))];
  for (const { num, op, flg } of ops) {
    const value = next[num]!;
    if (op === 0 ? value !== 0 : value + op < 0) return (flg & IPC_NOWAIT) !== 0 ? -EAGAIN : 'wait';
    if (value + op > SEMVMX) return -ERANGE;
    next[num] = value + op;
    if ((flg & SEM_UNDO) !== 0) undo[num]! -= op;
  }
  for (const { num } of ops) sem.pids[num] = task.tgid;
  const changed = next.some((value, i) => value !== sem.values[i]);
  next.forEach((value, i) => {
    sem.values[i] = value;
  });
  if (ops.some((o) => (o.flg & SEM_UNDO) !== 0)) sem.undo.set(task.tgid, undo);
  sem.otime = seconds(task);
  if (changed) task.kernel.wake(channelOf(sem.id));
  return 0;
}

/** semctl_nolock() for IPC_INFO and SEM_INFO. @returns the highest index */
function semInfo(task: Task, cmd: number, at: number): number {
  const { byIndex: all } = task.kernel.ipc.sem;
  const used = cmd === SEM_INFO;
  let semaphores = 0;
  for (const { values } of all.values()) semaphores += values.length;
  const semmns = SEMMNI * SEMMSL;
  const bytes = seminfo.write({
    semmap: semmns,
    semmni: SEMMNI,
    semmns,
    semmnu: semmns,
    semmsl: SEMMSL,
    semopm: SEMOPM,
    semume: SEMOPM,
    semusz: used ? all.size : 20,
    semvmx: SEMVMX,
    semaem: used ? semaphores : SEMVMX,
  });
  return copy_to_user(task.mm, at, bytes) < 0 ? -EFAULT : maxIndex(task.kernel.ipc.sem);
}

/** semctl(2). `arg` is union semun. */
export function sys_semctl(task: Task, id: number, num: number, cmd: number, arg: number): number {
  const ids = task.kernel.ipc.sem;
  if (cmd === IPC_INFO || cmd === SEM_INFO) return semInfo(task, cmd, arg);
  const sem = cmd === SEM_STAT ? byIndex(ids, id) : obtain(ids, id);
  if (typeof sem === 'number') return sem;
  switch (cmd) {
    case IPC_STAT:
    case SEM_STAT: {
      if (ipcperms(task, sem, 0o444)) return -EACCES;
      const fields = { ...permFields(sem), otime: sem.otime, ctime: sem.ctime, nsems: sem.values.length };
      return putDs(task, arg, semid64_ds, compat_semid64_ds, fields) || (cmd === SEM_STAT ? sem.id : 0);
    }
    case IPC_SET: {
      const fields = getDs(task, arg, semid64_ds, compat_semid64_ds);
      if (typeof fields === 'number') return fields;
      if (!mayControl(task, sem)) return -EPERM;
      updatePerm(sem, fields);
      sem.ctime = seconds(task);
      return 0;
    }
    case IPC_RMID:
      if (!mayControl(task, sem)) return -EPERM;
      remove(ids, sem);
      task.kernel.wake(channelOf(id));
      return 0;
    case GETALL: {
      if (ipcperms(task, sem, 0o444)) return -EACCES;
      return copy_to_user(task.mm, arg, new Uint8Array(Uint16Array.from(sem.values).buffer));
    }
    case SETALL: {
      if (ipcperms(task, sem, 0o222)) return -EACCES;
      const bytes = copy_from_user(task.mm, arg, sem.values.length * 2);
      if (typeof bytes === 'number') return -EFAULT;
      const values = [...new Uint16Array(bytes.slice().buffer)];
      return values.some((v) => v > SEMVMX) ? -ERANGE : setValues(task, sem, values);
    }
    default:
      return oneSemaphore(task, sem, num, cmd, arg);
  }
}

/** GETVAL and its like, SETVAL. */
function oneSemaphore(task: Task, sem: SemArray, num: number, cmd: number, arg: number): number {
  if (![GETVAL, GETPID, GETNCNT, GETZCNT, SETVAL].includes(cmd)) return -EINVAL;
  if (num < 0 || num >= sem.values.length) return -EINVAL;
  if (ipcperms(task, sem, cmd === SETVAL ? 0o222 : 0o444)) return -EACCES;
  const value = arg | 0;
  switch (cmd) {
    case GETVAL:
      return sem.values[num]!;
    case GETPID:
      return sem.pids[num]!;
    case SETVAL:
      if (value < 0 || value > SEMVMX) return -ERANGE;
      return setValues(
        task,
        sem,
        sem.values.map((v, i) => (i === num ? value : v)),
        num,
      );
    default: {
      const sleepers = task.kernel.sleepers(channelOf(sem.id));
      return sleepers.filter((t) => waitsFor(t, sem, num, cmd === GETZCNT)).length;
    }
  }
}

/** check_qop(): a sleeper counts for the operation that it sleeps on. */
function waitsFor(sleeper: Task, sem: SemArray, num: number, zero: boolean): boolean {
  const next = [...sem.values];
  for (const o of (sleeper.wait?.data ?? []) as readonly Operation[]) {
    const value = next[o.num]!;
    if (o.op === 0 ? value !== 0 : value + o.op < 0) return o.num === num && zero === (o.op === 0);
    next[o.num] = value + o.op;
  }
  return false;
}

function setValues(task: Task, sem: SemArray, values: readonly number[], only?: number): number {
  values.forEach((value, i) => {
    if (only !== undefined && only !== i) return;
    sem.values[i] = value;
    sem.pids[i] = task.tgid;
    for (const undo of sem.undo.values()) undo[i] = 0;
  });
  sem.ctime = seconds(task);
  task.kernel.wake(channelOf(sem.id));
  return 0;
}
