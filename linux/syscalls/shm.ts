/** System V shared memory: ipc/shm.c. */
import { EACCES, EFAULT, EINVAL, EPERM } from '../abi/errno.ts';
import { O_RDONLY, O_RDWR } from '../abi/fcntl.ts';
import {
  compat_shm_info,
  compat_shmid64_ds,
  compat_shminfo64,
  IPC_INFO,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  SHM_DEST,
  SHM_EXEC,
  SHM_INFO,
  SHM_LOCK,
  SHM_LOCKED,
  SHM_RDONLY,
  SHM_REMAP,
  SHM_RND,
  SHM_STAT,
  SHM_UNLOCK,
  SHMMNI,
  shm_info,
  shmid64_ds,
  shminfo64,
} from '../abi/ipc.ts';
import { MAP_FIXED, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE } from '../abi/mman.ts';
import { PAGE_SIZE, pageAlign } from '../addr.ts';
import { Dentry } from '../fs/dentry.ts';
import { alloc_file, fput } from '../fs/file.ts';
import { RegularInode } from '../fs/regular.ts';
import {
  byIndex,
  type IpcPerm,
  ipcget,
  ipcperms,
  maxIndex,
  mayControl,
  obtain,
  remove,
  type Shm,
  seconds,
} from '../ipc/ids.ts';
import { do_mmap, do_munmap } from '../mm/mmap.ts';
import { copy_to_user } from '../mm/uaccess.ts';
import type { Vma } from '../mm/vma.ts';
import type { Task } from '../task/task.ts';
import { in_ia32_syscall } from '../task/thread-info.ts';
import { getDs, permFields, putDs, updatePerm } from './ipc-user.ts';

const SHMMAX = 2 ** 63;
/** shm_ctlmax and shm_ctlall: ULONG_MAX - (1 << 24). */
const SHM_ALL = 0xffff_ffff_feff_ffffn;
const SHM_ALL32 = 0xfeff_ffff;

/** newseg(): a file of shmem without a name, grown to the size. */
function newseg(task: Task, perm: IpcPerm, size: number): Shm | number {
  if (size < 1 || size > SHMMAX) return -EINVAL;
  const inode = new RegularInode(task.kernel.vfs.shm, 0o777);
  inode.nlink = 0;
  const error = inode.truncate(pageAlign(size));
  if (error < 0) return error;
  const name = `/SYSV${(perm.key >>> 0).toString(16).padStart(8, '0')} (deleted)`;
  const file = alloc_file(new Dentry(name, undefined, inode), O_RDWR);
  return { ...perm, size, file, atime: 0, dtime: 0, cpid: task.tgid, lpid: 0 };
}

/** shmget(2). */
export const sys_shmget = (task: Task, key: number, size: number, flags: number): number =>
  ipcget(
    task,
    task.kernel.ipc.shm,
    key,
    flags,
    (shm) => size <= shm.size,
    (perm) => newseg(task, perm, size),
  );

/** Mappings of a segment, in all address spaces: shm_nattch. */
function attached(task: Task, shm: Shm): number {
  const seen = new Set([...task.kernel.tasks.values()].filter((t) => t.exitState === undefined).map((t) => t.mm));
  let count = 0;
  for (const mm of seen) for (const vma of mm.vmas) if (vma.file?.inode === shm.file.inode) count++;
  return count;
}

/** do_shmat(). @returns the address */
export function sys_shmat(task: Task, id: number, address: number, flags: number): number {
  const shm = obtain(task.kernel.ipc.shm, id);
  if (typeof shm === 'number') return shm;
  let at = address;
  if (at % PAGE_SIZE !== 0) {
    if ((flags & SHM_RND) === 0) return -EINVAL;
    at -= at % PAGE_SIZE;
  }
  if (at === 0 && (flags & SHM_REMAP) !== 0) return -EINVAL;
  const readOnly = (flags & SHM_RDONLY) !== 0;
  const exec = (flags & SHM_EXEC) !== 0;
  if (ipcperms(task, shm, (readOnly ? 0o444 : 0o666) | (exec ? 0o111 : 0))) return -EACCES;
  const length = pageAlign(shm.size);
  if (at !== 0 && (flags & SHM_REMAP) === 0 && task.mm.findVmaIntersection(at, at + length)) return -EINVAL;
  const file = alloc_file(shm.file.dentry, readOnly ? O_RDONLY : O_RDWR);
  const prot = PROT_READ | (readOnly ? 0 : PROT_WRITE) | (exec ? PROT_EXEC : 0);
  const result = do_mmap(task, at, length, prot, MAP_SHARED | (at !== 0 ? MAP_FIXED : 0), file, 0);
  fput(file);
  if (result < 0) return result;
  shm.atime = seconds(task);
  shm.lpid = task.tgid;
  return result;
}

/** shmdt(2): every piece of the mapping that began here. */
export function sys_shmdt(task: Task, address: number): number {
  if (address % PAGE_SIZE !== 0) return -EINVAL;
  const { mm, kernel } = task;
  const segments = [...kernel.ipc.shm.byIndex.values()];
  const begins = (vma: Vma): boolean => vma.start - vma.pgoff * PAGE_SIZE === address;
  const first = mm.vmas.find((vma) => vma.start >= address && begins(vma) && dentryOfShm(vma));
  if (first === undefined) return -EINVAL;
  const { inode } = first.file!;
  const pieces = mm.vmas.filter((vma) => vma.file?.inode === inode && begins(vma));
  for (const { start, end } of pieces) do_munmap(mm, start, end - start);
  const shm = segments.find((s) => s.file.inode === inode);
  if (shm) {
    shm.dtime = seconds(task);
    shm.lpid = task.tgid;
    if ((shm.mode & SHM_DEST) !== 0 && attached(task, shm) === 0) destroy(task, shm);
  }
  return 0;
}

const dentryOfShm = (vma: Vma): boolean => vma.file?.path.startsWith('/SYSV') === true;

function destroy(task: Task, shm: Shm): void {
  remove(task.kernel.ipc.shm, shm);
  fput(shm.file);
}

/** shmctl_nolock() and compat_sys_shmctl() for IPC_INFO and SHM_INFO. @returns the highest index */
function shmInfo(task: Task, cmd: number, at: number): number {
  const ids = task.kernel.ipc.shm;
  const compat = in_ia32_syscall(task);
  let bytes: Uint8Array;
  if (cmd === IPC_INFO) {
    const counts = { shmmin: 1n, shmmni: BigInt(SHMMNI), shmseg: BigInt(SHMMNI) };
    bytes = compat
      ? compat_shminfo64.write({ shmmax: 0x7fff_ffff, shmmin: 1, shmmni: SHMMNI, shmseg: SHMMNI, shmall: SHM_ALL32 })
      : shminfo64.write({ shmmax: SHM_ALL, shmall: SHM_ALL, ...counts });
  } else {
    let total = 0;
    let resident = 0;
    for (const { size, file } of ids.byIndex.values()) {
      total += Math.ceil(size / PAGE_SIZE);
      if (file.inode instanceof RegularInode) resident += file.inode.content.pages.size;
    }
    const used_ids = ids.byIndex.size;
    bytes = compat
      ? compat_shm_info.write({ used_ids, shm_tot: total, shm_rss: resident })
      : shm_info.write({ used_ids, shm_tot: BigInt(total), shm_rss: BigInt(resident) });
  }
  return copy_to_user(task.mm, at, bytes) < 0 ? -EFAULT : maxIndex(ids);
}

/** shmctl(2). */
export function sys_shmctl(task: Task, id: number, cmd: number, at: number): number {
  const ids = task.kernel.ipc.shm;
  if (cmd === IPC_INFO || cmd === SHM_INFO) return shmInfo(task, cmd, at);
  const shm = cmd === SHM_STAT ? byIndex(ids, id) : obtain(ids, id);
  if (typeof shm === 'number') return shm;
  switch (cmd) {
    case IPC_STAT:
    case SHM_STAT: {
      if (ipcperms(task, shm, 0o444)) return -EACCES;
      const { atime, dtime, ctime, cpid, lpid, size } = shm;
      const fields = { ...permFields(shm), segsz: size, atime, dtime, ctime, cpid, lpid, nattch: attached(task, shm) };
      return putDs(task, at, shmid64_ds, compat_shmid64_ds, fields) || (cmd === SHM_STAT ? shm.id : 0);
    }
    case IPC_SET: {
      const fields = getDs(task, at, shmid64_ds, compat_shmid64_ds);
      if (typeof fields === 'number') return fields;
      if (!mayControl(task, shm)) return -EPERM;
      updatePerm(shm, fields);
      shm.ctime = seconds(task);
      return 0;
    }
    case IPC_RMID:
      if (!mayControl(task, shm)) return -EPERM;
      // do_shm_rmid(): it lives on without a key while somebody has it mapped.
      if (attached(task, shm) === 0) destroy(task, shm);
      else {
        shm.mode |= SHM_DEST;
        shm.key = 0;
      }
      return 0;
    case SHM_LOCK:
    case SHM_UNLOCK:
      if (!mayControl(task, shm)) return -EPERM;
      shm.mode = cmd === SHM_LOCK ? shm.mode | SHM_LOCKED : shm.mode & ~SHM_LOCKED;
      return 0;
    default:
      return -EINVAL;
  }
}
