/** The kernel: tasks, clock, scheduler and the loop over the CPU's exits. All state of the guest hangs off it. */
import type { Logger } from 'pino';
import type { Cpu } from '../cpu/cpu.ts';
import type { SigInfo } from './abi/signal.ts';
import { do_coredump } from './coredump/coredump.ts';
import { type CoreState, newCoreState } from './coredump/corename.ts';
import { resumeSyscall } from './entry/entry.ts';
import { runGuest } from './entry/run.ts';
import type { Vfs } from './fs/vfs.ts';
import { type IpcState, newIpcState } from './ipc/ids.ts';
import type { KernelOps } from './kernel-ops.ts';
import { Frames } from './mm/frames.ts';
import { newMmState } from './mm/mm.ts';
import { rearmPosixTimer } from './task/posix-timers.ts';
import { DebugState, type RunRequest, type StopEvent } from './task/run.ts';
import type { Task, WaitRequest } from './task/task.ts';
import { TimerQueue } from './task/timers.ts';
import type { VdsoConfig } from './vdso/config.ts';
import { init_vdso } from './vdso/vvar.ts';

export interface KernelOptions {
  readonly cpu: Cpu;
  readonly ops: KernelOps;
  readonly vdso: VdsoConfig;
  readonly vfs: Vfs;
  readonly log: Logger;
  /** What uname(2) says; default 4.7.0-rc1. */
  readonly release?: string;
  /** For getrandom(), AT_RANDOM and RDRAND. */
  readonly seed?: bigint;
  /** CLOCK_REALTIME at boot. */
  readonly bootEpochNs?: bigint;
  /** Receives the lines of --strace. */
  readonly strace?: (line: string) => void;
}

/** 1 June 2016, 00:00 UTC. */
const DEFAULT_EPOCH = 1_464_739_200_000_000_000n;
/** Instructions that a task runs before the next one gets its turn. */
export const TIME_SLICE = 100_000;

/** arch/x86/kernel/cpu/common.c, gdt_page: what user mode can use. */
const GDT_USER32_CS = 0x00cffb000000ffffn,
  GDT_USER_DS = 0x00cff3000000ffffn,
  GDT_USER_CS = 0x00affb000000ffffn;
/** GDT_ENTRY_PER_CPU: its limit is the number of the CPU. */
const GDT_PER_CPU = 0x0040f50000000000n;

export class Kernel {
  readonly cpu: Cpu;
  readonly ops: KernelOps;
  readonly vdso: VdsoConfig;
  readonly vfs: Vfs;
  readonly log: Logger;
  readonly options: KernelOptions;
  readonly debug = new DebugState();
  /** Pages: who uses which frame. */
  readonly frames: Frames;
  readonly mmState = newMmState();
  /** Fault injection: `monitor fail vvar`. */
  readonly faults = { failVvarOnce: false };
  /** Every thread that is not yet reaped, by tid. */
  readonly tasks: Map<number, Task> = new Map();
  /** The task whose registers are in the CPU. */
  current: Task | undefined;
  /** Tasks that can run, in the order of their turns. */
  runQueue: Task[] = [];
  /** What is left of the first one's turn. */
  sliceLeft = TIME_SLICE;
  readonly timeSlice = TIME_SLICE;
  /** The task that used up its turn last: while it steps, the others get one. */
  yielded: Task | undefined;
  readonly timers = new TimerQueue();
  /** Blocked tasks by channel, the longest sleeper first. */
  readonly channels: Map<string, Task[]> = new Map();
  /** What run() has still to tell. */
  readonly events: StopEvent[] = [];
  /** Time that no instruction took: system calls, and the sleep of every task. */
  uncountedNs = 0;
  bootEpochNs: bigint;
  /** CLOCK_MONOTONIC minus the time since boot: a restore sets it. */
  monotonicOffsetNs = 0;
  /** As /proc/sys/kernel/ns_last_pid: the next task gets the next free number. */
  lastPid = 299;
  readonly pidMax = 32768;
  readonly maxThreads = 4096;
  /** The process whose status is the machine's. */
  firstPid = 0;
  /** The status of the first process, as wait(2) gives it. */
  exitStatus: number | undefined;
  readonly coreState: CoreState = newCoreState();
  /** System V IPC. */
  readonly ipc: IpcState = newIpcState();
  hostname = 'localhost';
  domainname = '(none)';

  constructor(options: KernelOptions) {
    this.options = options;
    this.cpu = options.cpu;
    // Other numbers than getrandom()'s.
    this.cpu.random.state = BigInt.asUintN(64, ~(options.seed ?? 0n));
    this.ops = options.ops;
    this.vdso = options.vdso;
    this.vfs = options.vfs;
    this.log = options.log;
    this.bootEpochNs = options.bootEpochNs ?? DEFAULT_EPOCH;
    this.frames = new Frames(this.cpu.memory);
    this.mmState.userStackPointer = () => Number(this.current?.regs.rsp ?? 0n);
    const { gdt } = this.cpu;
    gdt[4] = GDT_USER32_CS;
    gdt[5] = GDT_USER_DS;
    gdt[6] = GDT_USER_CS;
    gdt[15] = GDT_PER_CPU;
    init_vdso(this.frames, this.mmState, this.vdso, this.bootEpochNs);
    this.vfs.bind(this);
  }

  /** Nanoseconds since boot: one instruction is one. */
  now(): number {
    return this.cpu.icount + this.uncountedNs;
  }

  /** Time goes by without an instruction. */
  pass(ns: number): void {
    this.uncountedNs += ns;
    this.cpu.tscOffset = this.uncountedNs;
  }

  /** CLOCK_MONOTONIC. */
  monotonicNs(): number {
    return this.now() + this.monotonicOffsetNs;
  }

  /** CLOCK_REALTIME. */
  realtimeNs(): bigint {
    return this.bootEpochNs + BigInt(this.now());
  }

  /** alloc_pid(), kernel/pid.c: the next number that is free. */
  allocPid(): number {
    let pid = this.lastPid;
    do {
      pid = pid + 1 < this.pidMax ? pid + 1 : 300;
    } while (this.tasks.has(pid));
    this.lastPid = pid;
    return pid;
  }

  /** Makes a task known: the first ones, which no fork() made. */
  addTask(task: Task): void {
    if (this.firstPid === 0) this.firstPid = task.tgid;
    this.tasks.set(task.pid, task);
    task.startTime = this.now();
    if (!task.group.threads.includes(task)) task.group.threads.push(task);
    if (task.state === 'running') this.makeRunnable(task);
  }

  // ---- the CPU's view of a task

  /** __switch_to(), arch/x86/kernel/process_64.c: registers, TLS slots, LDT, address space, segment bases. */
  switchTo(task: Task): void {
    if (this.current === task) return;
    this.cpu.switchTo(task.context);
    this.current = task;
    this.loadTls(task);
    this.activateMm(task);
    const { regs } = task;
    for (const segment of ['es', 'ds', 'fs', 'gs'] as const) {
      const selector = regs[segment];
      if (selector > 3 && !this.cpu.loadSegment(segment, selector)) this.cpu.loadSegment(segment, 0);
    }
  }

  /** load_TLS(): after a change of the slots. */
  loadTls(task: Task): void {
    if (this.current === task) this.cpu.gdt.set(task.tls, 12);
  }

  /** switch_mm() and load_mm_ldt(): also after execve or modify_ldt gave the current task another. */
  activateMm(task: Task): void {
    if (this.current !== task) return;
    this.cpu.ldt = task.mm.ldt;
    this.cpu.setMmu(task.mm);
  }

  // ---- who runs

  makeRunnable(task: Task): void {
    if (task.exitState !== undefined) return;
    task.state = 'running';
    if (!this.runQueue.includes(task)) {
      if (this.runQueue.length === 0) this.sliceLeft = TIME_SLICE;
      this.runQueue.push(task);
    }
  }

  removeFromQueue(task: Task): void {
    const at = this.runQueue.indexOf(task);
    if (at < 0) return;
    this.runQueue.splice(at, 1);
    if (at === 0) this.sliceLeft = TIME_SLICE;
  }

  /** The first task goes to the end of the queue. */
  rotate(): void {
    this.sliceLeft = TIME_SLICE;
    const first = this.runQueue.shift();
    if (first) this.runQueue.push(first);
  }

  /** TASK_STOPPED. */
  makeStopped(task: Task): void {
    this.cancelWait(task);
    task.state = 'stopped';
    this.removeFromQueue(task);
  }

  /** TASK_TRACED; a call that the stop is in waits on. */
  makeTraced(task: Task): void {
    task.state = 'traced';
    this.removeFromQueue(task);
  }

  // ---- sleeping and waking

  /** Puts a task to sleep: `block()` of syscall-row.ts. */
  sleepOn(task: Task, request: WaitRequest): void {
    task.wait = {
      channels: request.channels,
      deadline: request.deadline,
      data: request.data,
      killable: request.killable ?? false,
      reason: undefined,
    };
    task.state = 'blocked';
    this.removeFromQueue(task);
    for (const channel of request.channels) {
      const sleepers = this.channels.get(channel);
      if (sleepers) sleepers.push(task);
      else this.channels.set(channel, [task]);
    }
    if (request.deadline !== undefined && Number.isFinite(request.deadline)) {
      this.timers.add(request.deadline, { kind: 'wait', tid: task.pid });
    }
    // A signal that came before the task slept.
    if (task.sigPending && !task.wait.killable) this.wakeTask(task, 'signal');
  }

  /** Who sleeps on a channel, in order. */
  sleepers(channel: string): readonly Task[] {
    return [...(this.channels.get(channel) ?? [])];
  }

  /** Ends the waits on a channel. */
  wake(channel: string): void {
    const sleepers = this.channels.get(channel);
    if (sleepers) for (const task of [...sleepers]) this.wakeTask(task, 'woken');
  }

  /** Ends one task's wait: its handler is called again at its next turn. */
  wakeTask(task: Task, reason: 'woken' | 'timeout' | 'signal'): void {
    if (task.state !== 'blocked' || !task.wait) return;
    this.leaveChannels(task);
    task.wait.reason = reason;
    this.makeRunnable(task);
  }

  /** FUTEX_REQUEUE: the sleeper now waits on another channel, behind those who are there. */
  moveSleeper(task: Task, from: string, to: string): void {
    if (!task.wait || from === to) return;
    this.leaveChannels(task);
    task.wait.channels = task.wait.channels.map((c) => (c === from ? to : c));
    for (const channel of task.wait.channels) {
      const sleepers = this.channels.get(channel);
      if (sleepers) sleepers.push(task);
      else this.channels.set(channel, [task]);
    }
  }

  /** The task waits no longer, and nothing is called. */
  cancelWait(task: Task): void {
    if (!task.wait) return;
    this.leaveChannels(task);
    task.wait = undefined;
  }

  private leaveChannels(task: Task): void {
    for (const channel of task.wait!.channels) {
      const sleepers = this.channels.get(channel);
      if (!sleepers) continue;
      const at = sleepers.indexOf(task);
      if (at >= 0) sleepers.splice(at, 1);
      if (sleepers.length === 0) this.channels.delete(channel);
    }
  }

  /** A timer signal left the queue: a periodic timer is armed again. */
  timerSignalTaken(task: Task, info: SigInfo): void {
    rearmPosixTimer(task, info);
  }

  /** do_coredump(): a signal that leaves a core file ends the process. @returns whether there is one, or is being piped */
  dumpCore(task: Task, info: SigInfo): boolean | 'piped' {
    return do_coredump(task, info);
  }

  /** A dying task's blocked call ends as a signal ends it; its registers show the result. */
  interruptSyscall(task: Task): void {
    if (task.wait === undefined) return;
    this.wakeTask(task, 'signal');
    if (task.wait.reason !== undefined) resumeSyscall(task);
    this.cancelWait(task);
  }

  // ---- run control

  /** Something for the caller of run(); what concerns a debugger goes only to an attached one. */
  report(event: StopEvent): void {
    switch (event.kind) {
      case 'fork':
      case 'vfork':
      case 'clone':
      case 'exec':
      case 'vfork-done':
      case 'thread-exit':
      case 'cs-switch':
        if (!this.debug.attached(event.task.tgid)) return;
        break;
    }
    this.events.push(event);
  }

  /** A signal handler's frame is set up: a step ends at its first instruction. */
  handlerEntered(task: Task): void {
    if (task.stepRequested) task.stepping = true;
  }

  /** Runs the guest until something happens that the caller wants to know. */
  run(request: RunRequest): StopEvent {
    return runGuest(this, request);
  }
}
