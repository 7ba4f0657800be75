/** `struct user_regset` and `struct user_regset_view`, include/linux/regset.h: what core dumps and PTRACE_GETREGSET copy. */
import type { Task } from '../task/task.ts';

/** One kind of registers of a task. */
export interface UserRegset {
  readonly name: string;
  /** `core_note_type`: NT_* */
  readonly noteType: number;
  /** All of it, in bytes: `n * size` of Linux. */
  readonly size: number;
  /** `size` of Linux: transfers are multiples of it. */
  readonly elementSize: number;
  /** How many elements hold something; a core dump leaves out a set of none. Absent: it always holds something. */
  readonly active?: (task: Task) => number;
  /** @returns all bytes, or a negative errno */
  readonly get: (task: Task) => Uint8Array | number;
  /** Takes the first bytes of the set. Absent: it can only be read. @returns 0 or a negative errno */
  readonly set?: (task: Task, bytes: Uint8Array) => number;
}

export interface UserRegsetView {
  readonly name: 'x86_64' | 'i386';
  /** `e_machine` of a core dump. */
  readonly machine: number;
  readonly regsets: readonly UserRegset[];
}

/** find_regset(), kernel/ptrace.c. */
export const find_regset = (view: UserRegsetView, noteType: number): UserRegset | undefined =>
  view.regsets.find((r) => r.noteType === noteType);
