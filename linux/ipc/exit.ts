/** exit_sem(), ipc/sem.c: a process that ends gives back what it took with SEM_UNDO. */
import { SEMVMX } from '../abi/ipc.ts';
import type { Task } from '../task/task.ts';

/** exit_sem(), ipc/sem.c: the undo of a process that ends. */
export function exit_sem(task: Task): void {
  for (const sem of task.kernel.ipc.sem.byIndex.values()) {
    const undo = sem.undo.get(task.tgid);
    if (undo === undefined) continue;
    sem.undo.delete(task.tgid);
    undo.forEach((by, i) => {
      if (by === 0) return;
      sem.values[i] = Math.min(Math.max(sem.values[i]! + by, 0), SEMVMX);
      sem.pids[i] = task.tgid;
    });
    task.kernel.wake(`sem:${sem.id}`);
  }
}
