import type { Task } from '../../task/task.ts';

/** One ptrace(2) on a tracee. `addr` and `data` have the width of the caller's entry. */
export interface PtraceCall {
  readonly tracer: Task;
  readonly child: Task;
  readonly request: number;
  readonly addr: bigint;
  readonly data: bigint;
}

/** @returns 0, a count, or a negative errno */
export type PtraceRequest = (call: PtraceCall) => number;

export type RequestTable = ReadonlyMap<number, PtraceRequest>;

/** `data` as an address in the tracer. */
export const datap = (call: PtraceCall): number => Number(call.data);

/** valid_signal(). */
export const valid_signal = (sig: bigint): boolean => sig <= 64n;
