/** uname(2), sysinfo(2), personality(2), getrandom(2), restart_syscall(2) and other small ones. */
import { EFAULT, EINTR, EINVAL, EPERM } from '../abi/errno.ts';
import { compat_sysinfo, PER_LINUX32, PER_MASK, sysinfo, UTS_FIELD } from '../abi/process.ts';
import { NSEC_PER_SEC } from '../abi/time.ts';
import type { SysResult } from '../entry/syscall-row.ts';
import { copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import { CAP_SYS_ADMIN, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';
import { isCompatCall } from '../task/thread-info.ts';
import { RELEASE, VERSION } from '../version.ts';
import { futex_wait_restart } from './futex.ts';
import { do_restart_poll } from './poll.ts';
import { nanosleep_restart, posix_cpu_nsleep_restart } from './time.ts';

const MAX_HOSTNAME = 64;

/** newuname(2): PER_LINUX32 has another machine. */
export function sys_uname(task: Task, at: number): number {
  const { kernel } = task;
  const machine = (task.personality & PER_MASK) === PER_LINUX32 ? 'i686' : 'x86_64';
  const fields = ['Linux', kernel.hostname, kernel.options.release ?? RELEASE, VERSION, machine, kernel.domainname];
  const bytes = new Uint8Array(fields.length * UTS_FIELD);
  fields.forEach((text, i) => {
    bytes.set(Buffer.from(text).subarray(0, UTS_FIELD - 1), i * UTS_FIELD);
  });
  return copy_to_user(task.mm, at, bytes);
}

/** sethostname(2). */
export function sys_sethostname(task: Task, at: number, length: number): number {
  const name = readName(task, at, length);
  if (typeof name === 'number') return name;
  task.kernel.hostname = name;
  return 0;
}

/** setdomainname(2). */
export function sys_setdomainname(task: Task, at: number, length: number): number {
  const name = readName(task, at, length);
  if (typeof name === 'number') return name;
  task.kernel.domainname = name;
  return 0;
}

function readName(task: Task, at: number, length: number): string | number {
  if (!capable(task.cred, CAP_SYS_ADMIN)) return -EPERM;
  if (length < 0 || length > MAX_HOSTNAME) return -EINVAL;
  const bytes = copy_from_user(task.mm, at, length);
  return typeof bytes === 'number' ? -EFAULT : Buffer.from(bytes).toString('utf8');
}

const PAGE = 4096;

/** sysinfo(2); the compat layout counts in pages so that the numbers fit. */
export function sys_sysinfo(task: Task, at: number): number {
  const { kernel } = task;
  const used = kernel.cpu.memory.framesInUse * PAGE;
  const uptime = Math.floor(kernel.now() / NSEC_PER_SEC);
  const procs = kernel.tasks.size;
  const total = kernel.cpu.memory.frameLimit * PAGE;
  const free = Math.max(0, total - used);
  if (isCompatCall(task)) {
    return copy_to_user(
      task.mm,
      at,
      compat_sysinfo.write({ uptime, totalram: total / PAGE, freeram: Math.floor(free / PAGE), procs, mem_unit: PAGE }),
    );
  }
  return copy_to_user(
    task.mm,
    at,
    sysinfo.write({ uptime: BigInt(uptime), totalram: BigInt(total), freeram: BigInt(free), procs, mem_unit: 1 }),
  );
}

/** personality(2); sys32_personality() is the same since 2.6.35. */
export function sys_personality(task: Task, personality: number): number {
  const old = task.personality;
  if (personality !== 0xffff_ffff) task.personality = personality;
  return old;
}

const GRND_NONBLOCK = 1,
  GRND_RANDOM = 2;

/** getrandom(2): from the machine's seed. */
export function sys_getrandom(task: Task, at: number, size: number, flags: number): number {
  if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM)) !== 0) return -EINVAL;
  const count = Math.min(size, (flags & GRND_RANDOM) !== 0 ? 512 : 0x1ff_ffff);
  if (count === 0) return 0;
  return copy_to_user(task.mm, at, task.kernel.vfs.random.bytes(count)) || count;
}

/** restart_syscall(2): goes on with what a signal interrupted. */
export function sys_restart_syscall(task: Task): SysResult {
  switch (task.restartBlock.fn) {
    case 'nanosleep':
      return nanosleep_restart(task);
    case 'cpu_nsleep':
      return posix_cpu_nsleep_restart(task);
    case 'futex':
      return futex_wait_restart(task);
    case 'poll':
      return do_restart_poll(task);
    case 'none':
      return -EINTR;
  }
}

/** syslog(2): an empty log. */
export const sys_syslog = (_task: Task, type: number, _at: number, _size: number): number =>
  type === 10 ? 0x4_0000 : 0;

/** kcmp(2), kernel/kcmp.c: KCMP_FILE 0, VM 1, FILES 2, FS 3, SIGHAND 4, IO 5, SYSVSEM 6. 0 equal, 1 less, 2 greater. */
export function sys_kcmp(task: Task, pid1: number, pid2: number, type: number, index1: number, index2: number): number {
  const a = task.kernel.tasks.get(pid1);
  const b = task.kernel.tasks.get(pid2);
  if (!a || !b) return -3;
  const order = (same: boolean): number => (same ? 0 : pid1 < pid2 ? 1 : 2);
  switch (type) {
    case 0: {
      const f1 = a.files.get(index1);
      const f2 = b.files.get(index2);
      return f1 && f2 ? order(f1 === f2) : -9;
    }
    case 1:
      return order(a.mm === b.mm);
    case 2:
      return order(a.files === b.files);
    case 3:
      return order(a.fs === b.fs);
    case 4:
      return order(a.sighand === b.sighand);
    case 5:
    case 6:
      return order(a === b);
    default:
      return -EINVAL;
  }
}
