/** What a restorer's master does by ptrace when a restored thread has left the restorer through rt_sigreturn. */
import { do_munmap } from '../mm/mmap.ts';
import type { Task } from '../task/task.ts';
import { kernelInfo, send_signal } from './queue.ts';

/** Of a process under restore, in its ThreadGroup: plain data. */
export interface RestorerExit {
  /** The restorer's memory. */
  readonly start: number;
  readonly size: number;
  /** Threads that are still inside. */
  threads: number;
  /** Sent when all are out: SIGSTOP for a process that was stopped at the dump; 0 for none. */
  readonly signal: number;
}

/**
 * An rt_sigreturn out of the restorer. When the last thread is out, the restorer's memory goes.
 * Unlike CRIU: no process attaches, no system call is injected; the state after it is the same.
 */
export const leavingRestorer =
  (sigreturn: (task: Task) => bigint | number) =>
  (task: Task): bigint | number => {
    const { restorer } = task.group;
    const inside = restorer !== undefined && isInside(task, restorer);
    const result = sigreturn(task);
    if (restorer === undefined || !inside || isInside(task, restorer)) return result;
    if (--restorer.threads > 0) return result;
    task.group.restorer = undefined;
    do_munmap(task.mm, restorer.start, restorer.size);
    if (restorer.signal !== 0) send_signal(task, kernelInfo(restorer.signal), true);
    return result;
  };

const isInside = (task: Task, { start, size }: RestorerExit): boolean => {
  const rip = Number(task.regs.rip);
  return rip >= start && rip < start + size;
};
