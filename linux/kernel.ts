/** The kernel: tasks, clock, scheduler and the loop over the CPU's exits. All state of the guest hangs off it. */
import type { Logger } from 'pino';
import type { Cpu } from '../cpu/cpu.ts';
import type { Vfs } from './fs/vfs.ts';
import type { KernelOps } from './kernel-ops.ts';
import { DebugState, type RunRequest, type StopEvent } from './task/run.ts';
import type { Task, WaitRequest } from './task/task.ts';
import type { VdsoConfig } from './vdso/config.ts';

export interface KernelOptions {
  readonly cpu: Cpu;
  readonly ops: KernelOps;
  readonly vdso: VdsoConfig;
  readonly vfs: Vfs;
  readonly log: Logger;
  /** Which fast system call instructions exist. */
  readonly vendor?: 'amd' | 'intel' | 'any';
  readonly seed?: bigint;
  /** CLOCK_REALTIME at boot. */
  readonly bootEpochNs?: bigint;
  /** Receives the lines of --strace. */
  readonly strace?: (line: string) => void;
}

export class Kernel {
  readonly cpu: Cpu;
  readonly ops: KernelOps;
  readonly vdso: VdsoConfig;
  readonly vfs: Vfs;
  readonly log: Logger;
  readonly options: KernelOptions;
  readonly debug = new DebugState();
  /** Every thread that is not yet reaped, by tid. */
  readonly tasks: Map<number, Task> = new Map();
  /** Time skipped while every task slept. */
  idleNs = 0;
  bootEpochNs: bigint;
  /** As /proc/sys/kernel/ns_last_pid: the next task gets the next free number. */
  lastPid = 299;
  /** The status of the first task, as wait(2) gives it. */
  exitStatus: number | undefined;

  constructor(options: KernelOptions) {
    this.options = options;
    this.cpu = options.cpu;
    this.ops = options.ops;
    this.vdso = options.vdso;
    this.vfs = options.vfs;
    this.log = options.log;
    this.bootEpochNs = options.bootEpochNs ?? 1_464_739_200_000_000_000n;
  }

  /** Nanoseconds since boot: one instruction is one. */
  now(): number {
    return this.cpu.icount + this.idleNs;
  }

  /** Ends the waits on a channel. */
  wake(channel: string): void {
    void channel;
  }

  /** Puts a task to sleep: `block()` of syscall-row.ts. */
  sleepOn(task: Task, request: WaitRequest): void {
    void task;
    void request;
  }

  /** Runs the guest until something happens that the caller wants to know. */
  run(request: RunRequest): StopEvent {
    void request;
    return { kind: 'done' };
  }
}
