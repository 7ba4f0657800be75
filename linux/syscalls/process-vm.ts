/** process_vm_readv(2), process_vm_writev(2): mm/process_vm_access.c. */
import { EFAULT, EINVAL, EPERM, ESRCH } from '../abi/errno.ts';
import { access_process_vm, copy_from_user, copy_to_user } from '../mm/uaccess.ts';
import { ptrace_may_access } from '../ptrace/access.ts';
import type { Task } from '../task/task.ts';
import { importIovec, type Segment } from './fs-args.ts';

const PIECE = 65536;

function process_vm_rw(
  task: Task,
  pid: number,
  local: Segment[] | number,
  remote: Segment[] | number,
  flags: number,
  write: boolean,
): number {
  if (flags !== 0) return -EINVAL;
  if (typeof local === 'number') return local;
  if (typeof remote === 'number') return remote;
  const other = task.kernel.tasks.get(pid);
  if (other === undefined || other.exitState !== undefined) return -ESRCH;
  if (other.mm !== task.mm && ptrace_may_access(task, other, 'real') !== 0) return -EPERM;
  let done = 0;
  let here = 0;
  let used = 0;
  for (const { base, length } of remote) {
    for (let at = 0; at < length; ) {
      while (local[here] !== undefined && used === local[here]!.length) {
        here++;
        used = 0;
      }
      const segment = local[here];
      if (segment === undefined) return done;
      const want = Math.min(length - at, segment.length - used, PIECE);
      const moved = write
        ? move(task, other, segment.base + used, base + at, want)
        : fetch(task, other, segment.base + used, base + at, want);
      if (moved < 0) return done > 0 ? done : moved;
      done += moved;
      at += moved;
      used += moved;
      if (moved < want) return done;
    }
  }
  return done;
}

function fetch(task: Task, other: Task, local: number, remote: number, size: number): number {
  const bytes = access_process_vm(other.mm, remote, size, { force: false });
  if (bytes.length === 0 || copy_to_user(task.mm, local, bytes) < 0) return -EFAULT;
  return bytes.length;
}
function move(task: Task, other: Task, local: number, remote: number, size: number): number {
  const bytes = copy_from_user(task.mm, local, size);
  if (typeof bytes === 'number') return bytes;
  return access_process_vm(other.mm, remote, bytes, { force: false }) || -EFAULT;
}

type Call = (task: Task, pid: number, lvec: number, ln: number, rvec: number, rn: number, flags: number) => number;
const call =
  (write: boolean, compat: boolean): Call =>
  (task, pid, lvec, ln, rvec, rn, flags) =>
    process_vm_rw(
      task,
      pid,
      importIovec(task, lvec, ln, compat),
      importIovec(task, rvec, rn, compat, false),
      flags,
      write,
    );
export const sys_process_vm_readv = call(false, false);
export const sys_process_vm_writev = call(true, false);
export const compat_sys_process_vm_readv = call(false, true);
export const compat_sys_process_vm_writev = call(true, true);
