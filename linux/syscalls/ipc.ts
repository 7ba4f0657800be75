/** ipc(2) of i386: compat_sys_ipc(), ipc/compat.c. Not modelled: structures older than IPC_64. */
import { EFAULT, EINVAL, ENOSYS } from '../abi/errno.ts';
import { IPC_64 } from '../abi/ipc.ts';
import type { SysResult } from '../entry/syscall-row.ts';
import { get_user_u32, put_user_u32 } from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';
import { sys_msgctl, sys_msgget, sys_msgrcv, sys_msgsnd } from './msg.ts';
import { sys_semctl, sys_semget, sys_semop, sys_semtimedop } from './sem.ts';
import { sys_shmat, sys_shmctl, sys_shmdt, sys_shmget } from './shm.ts';

export function compat_sys_ipc(
  task: Task,
  callAndVersion: number,
  first: number,
  second: number,
  third: number,
  ptr: number,
  fifth: number,
): SysResult {
  const version = callAndVersion >>> 16;
  const cmd = (n: number): number => n & ~IPC_64;
  switch (callAndVersion & 0xffff) {
    case 1:
      return sys_semop(task, first, ptr, second);
    case 2:
      return sys_semget(task, first, second | 0, third);
    case 3: {
      if (ptr === 0) return -EINVAL;
      const arg = get_user_u32(task.mm, ptr);
      return arg === undefined ? -EFAULT : sys_semctl(task, first, second | 0, cmd(third), arg);
    }
    case 4:
      return sys_semtimedop(task, first, ptr, second, fifth >>> 0);
    case 11:
      return sys_msgsnd(task, first, ptr, second, third);
    case 12: {
      if (version !== 0) return sys_msgrcv(task, first, ptr, second, fifth | 0, third);
      // struct compat_ipc_kludge: the pointer and the type.
      const at = ptr === 0 ? undefined : get_user_u32(task.mm, ptr);
      const type = at === undefined ? undefined : get_user_u32(task.mm, ptr + 4);
      if (ptr === 0) return -EINVAL;
      return at === undefined || type === undefined ? -EFAULT : sys_msgrcv(task, first, at, second, type | 0, third);
    }
    case 13:
      return sys_msgget(task, first, second);
    case 14:
      return sys_msgctl(task, first, cmd(second), ptr);
    case 21: {
      if (version === 1) return -EINVAL;
      const at = sys_shmat(task, first, ptr, second);
      return at < 0 ? at : put_user_u32(task.mm, third, at);
    }
    case 22:
      return sys_shmdt(task, ptr);
    case 23:
      return sys_shmget(task, first, second, third);
    case 24:
      return sys_shmctl(task, first, cmd(second), ptr);
    default:
      return -ENOSYS;
  }
}
