/**
 * The row of a system call table, and how a handler says that it must wait.
 *
 * A blocked call is data: the kernel calls the same handler again with the same arguments when a channel is woken, the
 * deadline passes or a signal comes; `task.wait` then tells which.
 */
import type { Task, WaitRequest } from '../task/task.ts';

/**
 * How an argument register becomes a number, and how strace prints it.
 *
 * | kind | conversion |
 * |---|---|
 * | `int` `fd` `pid` `sig` | low 32 bits, signed |
 * | `uint` `flags` `mode` | low 32 bits, unsigned |
 * | `ptr` `str` `size` `ulong` | unsigned; at or above 2^53 the low bits are lost, such a value is no address anyway |
 * | `long` `off` | signed; 32-bit in the 32-bit table |
 */
export type ArgKind =
  | 'int'
  | 'fd'
  | 'pid'
  | 'sig'
  | 'uint'
  | 'flags'
  | 'mode'
  | 'ptr'
  | 'str'
  | 'size'
  | 'ulong'
  | 'long'
  | 'off';

/** A register, low and high word, as the handler's parameter type takes it. */
export function argument(kind: ArgKind, low: number, high: number, compat: boolean): number {
  switch (kind) {
    case 'int':
    case 'fd':
    case 'pid':
    case 'sig':
      return low | 0;
    case 'uint':
    case 'flags':
    case 'mode':
      return low;
    case 'long':
    case 'off':
      return compat ? low | 0 : (high | 0) * 0x1_0000_0000 + low;
    default:
      return high * 0x1_0000_0000 + low;
  }
}

/** The handler put the task to sleep with `block()`. */
export const BLOCKED: unique symbol = Symbol('BLOCKED');

/** The value for RAX: a result, a negative errno, or `BLOCKED`. */
export type SysResult = number | bigint | typeof BLOCKED;

/** `task.sysArgs` has the arguments as they stand in the registers. */
export type SyscallHandler = (task: Task, ...args: number[]) => SysResult;

export interface SyscallRow {
  readonly nr: number;
  readonly name: string;
  readonly args: readonly ArgKind[];
  /** Without it the call answers -ENOSYS. */
  readonly entry?: SyscallHandler;
}

/** One line of a table file. */
export function row(nr: number, name: string, args: readonly ArgKind[], entry?: SyscallHandler): SyscallRow {
  return entry ? { nr, name, args, entry } : { nr, name, args };
}

/** A table by number, as the entry code uses it; duplicates are our bug. */
export function buildTable(rows: readonly SyscallRow[]): readonly (SyscallRow | undefined)[] {
  const table: (SyscallRow | undefined)[] = [];
  for (const r of rows) {
    if (table[r.nr]) throw new Error(`two rows for system call ${r.nr}: ${table[r.nr]?.name}, ${r.name}`);
    table[r.nr] = r;
  }
  return table;
}

/** Puts the calling task to sleep; the handler returns what this returns. */
export function block(task: Task, request: WaitRequest): typeof BLOCKED {
  task.kernel.sleepOn(task, request);
  return BLOCKED;
}

/** The calling task stands in a ptrace_event(): when it goes on, the handler is called again with `data` as after `block()`. */
export function trapped(task: Task, data: unknown): typeof BLOCKED {
  task.wait = { channels: [], deadline: undefined, data, killable: false, reason: undefined };
  return BLOCKED;
}
