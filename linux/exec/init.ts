import type { CpuContext } from '../../cpu/context.ts';
import { ENOTDIR } from '../abi/errno.ts';
import type { File } from '../fs/file.ts';
import { FilesStruct } from '../fs/files-struct.ts';
import { FsStruct } from '../fs/fs-struct.ts';
import { lookupPath } from '../fs/namei.ts';
import type { Kernel } from '../kernel.ts';
import { Mm } from '../mm/mm.ts';
import { makeSighand } from '../signal/sighand.ts';
import { type Cred, init_cred } from '../task/cred.ts';
import { type Rlimit, ThreadGroup } from '../task/group.ts';
import { Task } from '../task/task.ts';
import { do_execve } from './execve.ts';

const INFINITY = 2n ** 64n - 1n;
const MiB = 1024n * 1024n;

/** INIT_RLIMITS, include/asm-generic/resource.h, with what a login usually raises: 8 MiB of stack, 1024 descriptors. */
export function initRlimits(): Rlimit[] {
  const limits: [bigint, bigint][] = [
    [INFINITY, INFINITY], // CPU
    [INFINITY, INFINITY], // FSIZE
    [INFINITY, INFINITY], // DATA
    [8n * MiB, INFINITY], // STACK
    [0n, INFINITY], // CORE
    [INFINITY, INFINITY], // RSS
    [4096n, 4096n], // NPROC
    [1024n, 4096n], // NOFILE
    [65536n, 65536n], // MEMLOCK
    [INFINITY, INFINITY], // AS
    [INFINITY, INFINITY], // LOCKS
    [4096n, 4096n], // SIGPENDING
    [819200n, 819200n], // MSGQUEUE
    [0n, 0n], // NICE
    [0n, 0n], // RTPRIO
    [INFINITY, INFINITY], // RTTIME
  ];
  return limits.map(([cur, max]) => ({ cur, max }));
}

export interface ProgramOptions {
  readonly context: CpuContext;
  /** By descriptor number; the reference goes to the task. */
  readonly files?: readonly (File | undefined)[];
  readonly cwd?: string;
  readonly cred?: Cred;
  readonly umask?: number;
}

/** A task without a program: an empty 64-bit address space, and descriptors. Not yet known to the kernel. */
export function makeTask(kernel: Kernel, options: ProgramOptions): Task | number {
  const { root } = kernel.vfs;
  const fs = new FsStruct(root, root, options.umask ?? 0o022);
  if (options.cwd !== undefined) {
    const cwd = lookupPath({ root, cwd: root }, options.cwd);
    if (typeof cwd === 'number') return cwd;
    if (!cwd.inode.isDir()) return -ENOTDIR;
    fs.cwd = cwd;
  }
  const files = new FilesStruct();
  options.files?.forEach((file, fd) => {
    if (file !== undefined) files.installAt(fd, file);
  });
  const pid = kernel.allocPid();
  const rlimits = initRlimits();
  // The group and its leader refer to each other.
  const group = new ThreadGroup(pid, undefined as unknown as Task, pid, pid, rlimits);
  const mm = new Mm(kernel, rlimits);
  const cred = options.cred ?? init_cred;
  const { context } = options;
  const task = new Task({ kernel, pid, group, context, mm, files, fs, cred, sighand: makeSighand() });
  group.leader = task;
  task.exitSignal = 17;
  return task;
}

/** The first program of a machine: a new task that has executed `path`. @returns the task, or an errno */
export function startProgram(
  kernel: Kernel,
  path: string,
  argv: readonly (string | Uint8Array)[],
  envp: readonly (string | Uint8Array)[],
  options: ProgramOptions,
): Task | number {
  const task = makeTask(kernel, options);
  if (typeof task === 'number') return task;
  kernel.addTask(task);
  const error = do_execve(task, path, argv, envp);
  return error < 0 ? error : task;
}
