import type { Task } from '../task/task.ts';

/** A bug of the model's own, met by a task: what die() prints on Linux. The task goes on with -EIO. */
export class KernelBug extends Error {
  readonly pid: number;
  readonly icount: number;

  constructor(task: Task, doing: string, cause: unknown) {
    const what = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    const ip = task.regs.rip.toString(16);
    super(`${doing} of task ${task.pid} (${task.comm}) at ip 0x${ip}: ${what}`, { cause });
    this.name = 'KernelBug';
    this.pid = task.pid;
    this.icount = task.kernel.cpu.icount;
    if (cause instanceof Error && cause.stack !== undefined)
      this.stack = `${this.name}: ${this.message}\n${cause.stack}`;
  }
}

/** The call under way with its arguments as they stand in the registers. */
export function describeCall(task: Task, name: string | undefined): string {
  const args = [...task.sysArgs].map((arg) => `0x${arg.toString(16)}`).join(', ');
  return `system call ${name ?? task.sysNr}(${args})`;
}
