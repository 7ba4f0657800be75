import { EACCES, ENOENT } from '../abi/errno.ts';
import { O_LARGEFILE, O_RDONLY } from '../abi/fcntl.ts';
import type { Dentry } from '../fs/dentry.ts';
import { alloc_file, type File } from '../fs/file.ts';
import { inode_permission, MAY_EXEC } from '../fs/inode.ts';
import { lookupPath } from '../fs/namei.ts';
import type { Task } from '../task/task.ts';

/** BINPRM_BUF_SIZE, include/uapi/linux/binfmts.h. */
export const BINPRM_BUF_SIZE = 128;

/** `struct linux_binprm`, include/linux/binfmts.h: a program on its way to be executed. */
export interface BinPrm {
  readonly task: Task;
  /** What is loaded: the script's interpreter, once a script was found. */
  file: File;
  /** Its first bytes, zero-filled. */
  buf: Uint8Array;
  /** As it was given; AT_EXECFN and comm come from it. */
  readonly filename: string;
  /** The name of `file`. */
  interp: string;
  argv: Uint8Array[];
  readonly envp: readonly Uint8Array[];
  /** AT_SECURE. */
  secure: boolean;
  /** How many scripts led here. */
  depth: number;
}

/** do_open_execat(), fs/exec.c. */
export function do_open_execat(task: Task, path: string, start?: Dentry, follow = true): File | number {
  const context = task.kernel.vfs.context(task);
  if (path === '' && start === undefined) return -ENOENT;
  const dentry =
    path === '' && start !== undefined ? start : lookupPath(context, path, { follow }, start ?? context.cwd);
  if (typeof dentry === 'number') return dentry;
  const { inode } = dentry;
  if (inode.isLink()) return -40;
  if (!inode.isReg()) return -EACCES;
  const error = inode_permission(task.cred, inode, MAY_EXEC);
  if (error < 0) return error;
  // Not modelled: deny_write_access(), so no -ETXTBSY.
  return alloc_file(dentry, O_RDONLY | O_LARGEFILE);
}

/** kernel_read(): bytes of a file; fewer at its end. */
export function kernel_read(file: File, pos: number, count: number): Uint8Array {
  const bytes = file.inode.read(file, pos, count);
  return typeof bytes === 'number' ? new Uint8Array(0) : bytes;
}

/** The read of prepare_binprm(). */
export function prepare_binprm(file: File): Uint8Array {
  const buf = new Uint8Array(BINPRM_BUF_SIZE);
  buf.set(kernel_read(file, 0, BINPRM_BUF_SIZE));
  return buf;
}
