/** execve(2), execveat(2), in both sizes of pointers. */
import { E2BIG, EAGAIN, EBADF, EFAULT, EINVAL, ENAMETOOLONG, ENOTDIR, ERESTARTNOINTR } from '../abi/errno.ts';
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, PATH_MAX } from '../abi/fcntl.ts';
import { PTRACE_EVENT_EXEC } from '../abi/ptrace.ts';
import { block, type SysResult, trapped } from '../entry/syscall-row.ts';
import { do_open_execat } from '../exec/binprm.ts';
import { do_execve, type ExecOptions } from '../exec/execve.ts';
import { fput } from '../fs/file.ts';
import { get_user_u32, get_user_u64, strnbytes_from_user, strncpy_from_user } from '../mm/uaccess.ts';
import { ptrace_event } from '../ptrace/stop.ts';
import { execChannel } from '../task/group.ts';
import type { Task } from '../task/task.ts';

/** MAX_ARG_STRINGS is 2^31-1; the size limit of the strings ends a list long before. */
const MAX_STRINGS = 0x20_0000;
const MAX_ARG_STRLEN = 131072;

/** count() and copy_strings(), fs/exec.c: a NULL pointer is an empty list. */
function strings(task: Task, address: number, word: 4 | 8): Uint8Array[] | number {
  const list: Uint8Array[] = [];
  if (address === 0) return list;
  for (let at = address; list.length < MAX_STRINGS; at += word) {
    const pointer = word === 4 ? get_user_u32(task.mm, at) : get_user_u64(task.mm, at);
    if (pointer === undefined) return -EFAULT;
    if (Number(pointer) === 0) return list;
    const string = strnbytes_from_user(task.mm, Number(pointer), MAX_ARG_STRLEN);
    if (typeof string === 'number') return string === -ENAMETOOLONG ? -E2BIG : string;
    list.push(string);
  }
  return -E2BIG;
}

interface ExecCall {
  readonly path: string;
  readonly args: readonly Uint8Array[];
  readonly env: readonly Uint8Array[];
  readonly options: ExecOptions;
}

/** The call on the file itself: while the other threads end, its name may come to mean something else. */
function found(task: Task, call: ExecCall): ExecCall {
  const { start, follow, filename } = call.options;
  const file = do_open_execat(task, call.path, start, follow);
  if (typeof file === 'number') return call;
  const { dentry } = file;
  fput(file);
  return { ...call, path: '', options: { start: dentry, filename: filename ?? call.path } };
}

/** Behind the stop of PTRACE_EVENT_EXEC, or one of the other threads has ended. */
function again(task: Task): SysResult {
  const { data, reason } = task.wait!;
  if (data === 'executed') return 0;
  return reason === 'signal' ? -EAGAIN : exec(task, data as ExecCall);
}

/**
 * exec_binprm(), fs/exec.c: the tracer is told. It has the old thread id, which was another one when the caller was not the
 * leader. While other threads are left the call is begun again and again, with the file that was found first.
 */
function exec(task: Task, call: ExecCall): SysResult {
  const oldPid = task.pid;
  const error = do_execve(task, call.path, call.args, call.env, call.options);
  if (error === -ERESTARTNOINTR) {
    return block(task, { channels: [execChannel(task.group)], killable: true, data: found(task, call) });
  }
  if (error === 0 && ptrace_event(task, PTRACE_EVENT_EXEC, oldPid)) return trapped(task, 'executed');
  return error;
}

function execve(task: Task, path: number, argv: number, envp: number, word: 4 | 8): SysResult {
  if (task.wait) return again(task);
  const name = strncpy_from_user(task.mm, path, PATH_MAX);
  if (typeof name === 'number') return name;
  const args = strings(task, argv, word);
  if (typeof args === 'number') return args;
  const env = strings(task, envp, word);
  if (typeof env === 'number') return env;
  return exec(task, { path: name, args, env, options: {} });
}

function execveat(
  task: Task,
  fd: number,
  path: number,
  argv: number,
  envp: number,
  flags: number,
  word: 4 | 8,
): SysResult {
  if (task.wait) return again(task);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const name = strncpy_from_user(task.mm, path, PATH_MAX);
  if (typeof name === 'number') return name;
  const args = strings(task, argv, word);
  if (typeof args === 'number') return args;
  const env = strings(task, envp, word);
  if (typeof env === 'number') return env;
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0;
  if (fd === AT_FDCWD || name.startsWith('/')) return exec(task, { path: name, args, env, options: { follow } });
  const file = task.files.get(fd);
  if (file === undefined) return -EBADF;
  if (name === '' && (flags & AT_EMPTY_PATH) === 0) return -2;
  if (name !== '' && !file.inode.isDir()) return -ENOTDIR;
  const filename = name === '' ? `/dev/fd/${fd}` : `/dev/fd/${fd}/${name}`;
  return exec(task, { path: name, args, env, options: { start: file.dentry, follow, filename } });
}

export const sys_execve = (task: Task, path: number, argv: number, envp: number): SysResult =>
  execve(task, path, argv, envp, 8);
/** compat_sys_execve(): i386 and x32. */
export const compat_sys_execve = (task: Task, path: number, argv: number, envp: number): SysResult =>
  execve(task, path, argv, envp, 4);
export const sys_execveat = (t: Task, fd: number, path: number, argv: number, envp: number, flags: number): SysResult =>
  execveat(t, fd, path, argv, envp, flags, 8);
export const compat_sys_execveat = (
  t: Task,
  fd: number,
  path: number,
  argv: number,
  envp: number,
  flags: number,
): SysResult => execveat(t, fd, path, argv, envp, flags, 4);
