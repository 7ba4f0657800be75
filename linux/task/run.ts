/** Run control: what a server asks of `kernel.run()`, and why it came back. */
import type { SigInfo } from '../abi/signal.ts';
import type { Task } from './task.ts';

/** What one thread may do. `range`: step until RIP is outside [start, end). */
export type RunAction = 'run' | 'hold' | 'step' | { readonly range: readonly [start: bigint, end: bigint] };

export interface RunRequest {
  action(tid: number): RunAction;
  /** Instructions; then the event `budget`. */
  readonly budget: number;
}

export type StopEvent =
  /** The step, or the range, has ended. */
  | { readonly kind: 'step'; readonly task: Task }
  | { readonly kind: 'breakpoint'; readonly task: Task; readonly address: number }
  | {
      readonly kind: 'watchpoint';
      readonly task: Task;
      readonly address: number;
      readonly access: 'read' | 'write';
    }
  /** Dequeued, not yet delivered: `task.debugSignal`, which the server may replace or clear before it resumes. */
  | { readonly kind: 'signal'; readonly task: Task; readonly info: SigInfo }
  | { readonly kind: 'cs-switch'; readonly task: Task; readonly from: number; readonly to: number }
  | { readonly kind: 'fork' | 'vfork' | 'clone'; readonly task: Task; readonly child: Task }
  | { readonly kind: 'exec'; readonly task: Task; readonly path: string }
  | { readonly kind: 'vfork-done'; readonly task: Task }
  | { readonly kind: 'syscall-entry' | 'syscall-return'; readonly task: Task; readonly nr: number }
  /** The last thread of a process ended; `status` as wait(2) gives it. */
  | { readonly kind: 'exit'; readonly task: Task; readonly status: number }
  | { readonly kind: 'thread-exit'; readonly task: Task; readonly status: number }
  | { readonly kind: 'group-stop'; readonly task: Task; readonly sig: number }
  | { readonly kind: 'budget' }
  /** Nothing can run: all wait for the outside, are stopped, or are held. */
  | { readonly kind: 'idle' }
  /** No task is left. */
  | { readonly kind: 'done' };

/** What the debugger wants to hear of. Set by the server; part of no snapshot. */
export class DebugState {
  readonly pids: Set<number> = new Set();
  csSwitch: 'stop' | 'exec' | 'silent' = 'stop';
  /** System call numbers of the catching process's ABI, or all. */
  catchSyscalls: ReadonlySet<number> | 'all' | undefined;

  attached(tgid: number): boolean {
    return this.pids.has(tgid);
  }
}
