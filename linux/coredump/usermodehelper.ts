/** call_usermodehelper(), kernel/kmod.c, as a core dump uses it. */
import { CpuContext } from '../../cpu/context.ts';
import { EINVAL } from '../abi/errno.ts';
import { do_execve } from '../exec/execve.ts';
import { makeTask } from '../exec/init.ts';
import { type File, fput } from '../fs/file.ts';
import type { Kernel } from '../kernel.ts';
import { mmput } from '../mm/dup.ts';

/** umh_pipe_setup(): soft and hard. */
const CORE_LIMIT = { cur: 1n, max: 1n };
const RLIMIT_CORE = 4;

/**
 * A program of its own, as a child of the kernel: root in the root directory, with an empty environment, and no descriptor but
 * its standard input. UMH_WAIT_EXEC. @param stdin its reference goes to the program
 * @returns 0 or an errno
 */
export function call_usermodehelper(kernel: Kernel, argv: readonly string[], stdin: File): number {
  const [path] = argv;
  const task = path === undefined ? -EINVAL : makeTask(kernel, { context: new CpuContext(), files: [stdin] });
  if (typeof task === 'number') {
    fput(stdin);
    return task;
  }
  const { group } = task;
  group.pgrp = 0;
  group.session = 0;
  group.rlimits[RLIMIT_CORE] = { ...CORE_LIMIT };
  kernel.addTask(task);
  const error = do_execve(task, path!, argv, []);
  if (error >= 0) return 0;
  // It has never run.
  kernel.removeFromQueue(task);
  kernel.tasks.delete(task.pid);
  task.files.release();
  task.fs.release();
  mmput(task.mm);
  task.exitState = 'dead';
  task.state = 'dead';
  group.threads = [];
  return error;
}
