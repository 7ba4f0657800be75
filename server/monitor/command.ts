/** `monitor` commands: one row each; help derives from the rows. */
import type { Kernel } from '../../linux/kernel.ts';
import type { Task } from '../../linux/task/task.ts';
import { KERNEL_COMMANDS } from './kernel.ts';
import { SERVER_COMMANDS } from './server.ts';
import { table } from './table.ts';
import { TASK_COMMANDS } from './tasks.ts';

export interface MonitorContext {
  readonly kernel: Kernel;
  /** The thread that gdb has selected. */
  readonly task: Task | undefined;
  /** Symbols of the restorer blob, if the process came by a restore. */
  readonly symbols: { readonly path: string; readonly offset: number } | undefined;
}

export interface MonitorCommand {
  readonly name: string;
  /** As shown behind the name. */
  readonly usage: string;
  readonly help: string;
  readonly run: (context: MonitorContext, args: readonly string[]) => string;
}

export const COMMANDS: readonly MonitorCommand[] = [...TASK_COMMANDS, ...KERNEL_COMMANDS, ...SERVER_COMMANDS];

function help(): string {
  const rows = COMMANDS.map((c) => [`monitor ${c.name}${c.usage && ` ${c.usage}`}`, c.help]);
  const hint = 'gdbscripts/connect.gdb lets gdb follow changes of CS by itself; without it type: unset tdesc filename';
  return `${table([['monitor help', 'this list'], ...rows])}${hint}\n`;
}

/** Runs one line; a command may be shortened as long as it is the only one that begins so. */
export function runMonitor(context: MonitorContext, line: string): string {
  const [name = '', ...args] = line.split(/\s+/).filter((word) => word !== '');
  if (name === '' || 'help'.startsWith(name)) return help();
  const exact = COMMANDS.filter((c) => c.name === name);
  const found = exact.length > 0 ? exact : COMMANDS.filter((c) => c.name.startsWith(name));
  if (found.length !== 1) {
    const what = found.length === 0 ? 'unknown' : `ambiguous (${found.map((c) => c.name).join(', ')})`;
    return `monitor ${name}: ${what}; monitor help lists the commands\n`;
  }
  return found[0]!.run(context, args);
}
