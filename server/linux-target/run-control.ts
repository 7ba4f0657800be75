/** How the machine runs for a client: the plan of `vCont`, slices, interrupts, and which events become stop replies. */
import type { Cpu } from '../../cpu/cpu.ts';
import { SIGCONT, SIGINT, SIGKILL, SIGSTOP, type SigInfo } from '../../linux/abi/signal.ts';
import type { Kernel } from '../../linux/kernel.ts';
import { kernelInfo, send_signal, signal_wake_up } from '../../linux/signal/queue.ts';
import type { RunAction, StopEvent } from '../../linux/task/run.ts';
import type { Task } from '../../linux/task/task.ts';
import type { ReportedEvents, ResumeAction, ResumePlan, SliceResult, StopReport, ThreadRef } from '../target.ts';
import { exitOf } from './objects.ts';
import type { Points } from './points.ts';

/** Instructions between two looks at the sockets. */
export const SLICE = 2_000_000;
/** After so many slices an interrupt that the program does not take (it has SIGINT masked) stops it all the same. */
const INTERRUPT_SLICES = 3;

export interface RunControlOptions {
  readonly points: Points;
  /** The machine waits for the outside: input may be fetched. */
  readonly wantInput: () => void;
  readonly execFile: (pid: number) => string | undefined;
}

export const refOf = (task: Task): ThreadRef => ({ pid: task.tgid, tid: task.pid });

export const livingTasks = (kernel: Kernel): Task[] =>
  [...kernel.tasks.values()].filter((task) => task.exitState === undefined);

/** The tasks that the client sees. */
export const attachedTasks = (kernel: Kernel): Task[] =>
  livingTasks(kernel).filter((task) => kernel.debug.attached(task.tgid));

/** Process numbers, in order. */
export const attachedProcesses = (kernel: Kernel): number[] =>
  [...new Set(attachedTasks(kernel).map((task) => task.tgid))].sort((a, b) => a - b);

export class RunControl {
  readonly kernel: Kernel;
  readonly cpu: Cpu;
  readonly #options: RunControlOptions;
  readonly #points: Points;
  #plan: ResumePlan = { actions: new Map(), fallback: { kind: 'hold' } };
  #current: Task | undefined;
  #interrupt: 'no' | 'wanted' | number = 'no';
  /** Signals that go to the program without a stop. */
  passSignals: ReadonlySet<number> = new Set();
  events: ReportedEvents = { fork: false, vfork: false, exec: false };
  readonly #syscalls = new Map<number, ReadonlySet<number> | 'all'>();
  /** SIGCONT that the client itself sent: not to be shown to it again. */
  readonly #passOnce = new Set<number>();
  /** A stop that was found while the plan was made. */
  #immediate: StopReport | undefined;

  constructor(kernel: Kernel, options: RunControlOptions) {
    this.kernel = kernel;
    this.cpu = kernel.cpu;
    this.#options = options;
    this.#points = options.points;
  }

  /** The task that stopped last, as long as it is there. */
  get current(): Task | undefined {
    const task = this.#current;
    return task && task.exitState === undefined && this.kernel.debug.attached(task.tgid) ? task : undefined;
  }

  /** The attached tasks that the plan lets go on. */
  #moving(): Task[] {
    return attachedTasks(this.kernel).filter((task) => this.#moves(task));
  }

  resume(plan: ResumePlan): void {
    this.#plan = plan;
    this.#immediate = undefined;
    for (const [tid, action] of plan.actions) {
      const task = this.kernel.tasks.get(tid);
      if (task && action.kind !== 'hold') this.#deliver(task, action);
    }
    const moving = this.#moving();
    const first = moving[0];
    // A group stop ends by SIGCONT only: to go on without it would wait for ever.
    if (first && moving.every((task) => task.state === 'stopped')) {
      this.#immediate = { kind: 'signal', thread: refOf(first), signal: SIGSTOP };
    }
  }

  #moves(task: Task): boolean {
    return (this.#plan.actions.get(task.pid) ?? this.#plan.fallback).kind !== 'hold';
  }

  /** What becomes of the signal that a thread stopped with, and of the one that the client sends along. */
  #deliver(task: Task, action: ResumeAction): void {
    const signal = action.kind === 'continue' || action.kind === 'step' ? action.signal : 0;
    if (task.inDebugStop) {
      if (signal === 0) task.debugSignal = undefined;
      else if (task.debugSignal?.signo !== signal) task.debugSignal = kernelInfo(signal);
      return;
    }
    if (signal === 0) return;
    if (signal === SIGCONT || signal === SIGKILL || task.state === 'stopped') {
      if (signal === SIGCONT) this.#passOnce.add(task.tgid);
      send_signal(task, kernelInfo(signal), true);
      return;
    }
    task.debugSignal = kernelInfo(signal);
    task.inDebugStop = true;
    signal_wake_up(task, false);
  }

  #action(tid: number): RunAction {
    const task = this.kernel.tasks.get(tid);
    if (task && !this.kernel.debug.attached(task.tgid)) return 'run';
    const action = this.#plan.actions.get(tid) ?? this.#plan.fallback;
    switch (action.kind) {
      case 'hold':
        return 'hold';
      case 'continue':
        return 'run';
      case 'step':
        return 'step';
      case 'range':
        return { range: [action.start, action.end] };
    }
  }

  runSlice(): SliceResult {
    if (this.#immediate) {
      const report = this.#immediate;
      this.#immediate = undefined;
      return this.#stopAt(report);
    }
    if (this.#interrupt === 'wanted') {
      const report = this.#startInterrupt();
      if (report) return report;
    }
    let left = SLICE;
    while (left > 0) {
      const before = this.cpu.icount;
      const event = this.kernel.run({ action: (tid) => this.#action(tid), budget: left });
      left -= this.cpu.icount - before;
      if (event.kind === 'budget') break;
      if (event.kind === 'idle') return this.#idle();
      if (event.kind === 'done') return this.#done();
      const report = this.#reportOf(event);
      if (report) return this.#stopAt(report);
      left -= 1;
    }
    if (typeof this.#interrupt === 'number' && ++this.#interrupt > INTERRUPT_SLICES) return this.#interrupted();
    return 'busy';
  }

  #stopAt(report: StopReport): StopReport {
    if ('thread' in report) this.#current = this.kernel.tasks.get(report.thread.tid);
    return report;
  }

  /** Nothing can run. Threads that wait for the outside go on waiting; if none is left that may move, the client is told. */
  #idle(): SliceResult {
    if (typeof this.#interrupt === 'number') return this.#interrupted();
    const moving = this.#moving();
    const first = moving[0];
    if (!first) return { kind: 'no-resumed' };
    if (moving.every((task) => task.state === 'stopped')) {
      return this.#stopAt({ kind: 'signal', thread: refOf(first), signal: SIGSTOP });
    }
    this.#options.wantInput();
    return 'idle';
  }

  #done(): SliceResult {
    return this.#ended(this.kernel.firstPid, exitOf(this.kernel.exitStatus ?? 0), true);
  }

  /** @returns undefined for what the client need not know */
  #reportOf(event: StopEvent): StopReport | undefined {
    if (event.kind === 'budget' || event.kind === 'idle' || event.kind === 'done') return undefined;
    const { task } = event;
    const thread = refOf(task);
    if (!this.kernel.debug.attached(task.tgid)) return undefined;
    switch (event.kind) {
      case 'step':
        return { kind: 'step', thread };
      case 'breakpoint': {
        const point = this.#points.breakpointAt(thread, task.regs.rip);
        return point && { kind: 'breakpoint', thread, hardware: point.kind === 'hardware' };
      }
      case 'watchpoint': {
        const hit = this.#points.watchpointAt(task.tgid, event.address, event.access);
        return hit && { kind: 'watchpoint', thread, watch: hit.kind, address: hit.address };
      }
      case 'signal':
        return this.#signalReport(task, event.info);
      case 'cs-switch':
        return this.#csSwitchReport(task);
      case 'fork':
      case 'vfork':
        if (!this.events[event.kind]) return undefined;
        this.kernel.debug.pids.add(event.child.tgid);
        return { kind: event.kind, thread, child: refOf(event.child) };
      case 'vfork-done':
        return this.events.vfork ? { kind: 'vforkdone', thread } : undefined;
      case 'exec':
        this.#points.removeAll(task.tgid);
        return this.events.exec ? { kind: 'exec', thread, path: event.path } : undefined;
      case 'syscall-entry':
      case 'syscall-return': {
        const wanted = this.#syscalls.get(task.tgid);
        if (wanted !== 'all' && !wanted?.has(event.nr)) return undefined;
        const kind = event.kind === 'syscall-entry' ? 'syscall_entry' : 'syscall_return';
        return { kind, thread, nr: event.nr };
      }
      case 'exit':
        return this.#exitReport(task, event.status);
      case 'clone':
      case 'thread-exit':
      case 'group-stop':
        return undefined;
    }
  }

  #signalReport(task: Task, info: SigInfo): StopReport | undefined {
    if (this.#passOnce.delete(task.tgid) && info.signo === SIGCONT) return undefined;
    if (typeof this.#interrupt === 'number' && info.signo === SIGINT) this.#interrupt = 'no';
    else if (this.passSignals.has(info.signo)) return undefined;
    // A breakpoint on a page that cannot be executed (a return address on the stack): it comes before the fetch's fault
    // (Intel SDM vol. 3, table 6-2).
    const point =
      info.layout === 'fault' && info.addr === task.regs.rip && this.#points.breakpointAt(refOf(task), task.regs.rip);
    if (point) {
      task.debugSignal = undefined;
      return { kind: 'breakpoint', thread: refOf(task), hardware: point.kind === 'hardware' };
    }
    return { kind: 'signal', thread: refOf(task), signal: info.signo };
  }

  /** A breakpoint at the first instruction of the other kind of code is a breakpoint; an end of a step is a step. */
  #csSwitchReport(task: Task): StopReport | undefined {
    const thread = refOf(task);
    if (this.#action(task.pid) === 'step') return { kind: 'step', thread };
    const point = this.#points.breakpointAt(thread, task.regs.rip);
    if (point) {
      task.reportedBreakpoint = task.regs.rip;
      return { kind: 'breakpoint', thread, hardware: point.kind === 'hardware' };
    }
    switch (this.kernel.debug.csSwitch) {
      case 'stop':
        return { kind: 'cs-switch', thread, path: undefined };
      case 'exec':
        this.#points.removeAll(task.tgid);
        return { kind: 'cs-switch', thread, path: this.#options.execFile(task.tgid) ?? '' };
      case 'silent':
        return undefined;
    }
  }

  #exitReport(task: Task, status: number): StopReport {
    const pid = task.tgid;
    this.#points.removeAll(pid);
    this.kernel.debug.pids.delete(pid);
    const last = attachedProcesses(this.kernel).length === 0;
    return this.#ended(pid, exitOf(status), last);
  }

  #ended(pid: number, how: ReturnType<typeof exitOf>, last: boolean): StopReport {
    return 'code' in how
      ? { kind: 'exited', pid, code: how.code, last }
      : { kind: 'killed', pid, signal: how.signal, last };
  }

  interrupt(): void {
    if (this.#interrupt === 'no') this.#interrupt = 'wanted';
  }

  /** SIGINT as a terminal would send it, so that a system call under way is interrupted as Linux does it. */
  #startInterrupt(): StopReport | undefined {
    const running = this.#moving();
    const task = running.find((t) => t === this.#current) ?? running[0];
    const takes = task && task.state !== 'stopped' && (task.blocked & (1n << BigInt(SIGINT - 1))) === 0n;
    if (!takes) return this.#interrupted();
    this.#interrupt = 0;
    send_signal(task, kernelInfo(SIGINT), false);
    return undefined;
  }

  #interrupted(): StopReport {
    this.#interrupt = 'no';
    const task = this.current ?? attachedTasks(this.kernel).sort((a, b) => a.tgid - b.tgid || a.pid - b.pid)[0];
    return task ? this.#stopAt({ kind: 'signal', thread: refOf(task), signal: SIGINT }) : { kind: 'no-resumed' };
  }

  halt(): void {
    this.#interrupt = 'no';
    this.#plan = { actions: new Map(), fallback: { kind: 'hold' } };
  }

  catchSyscalls(pid: number, numbers: ReadonlySet<number> | 'all' | undefined): void {
    if (pid === 0) this.#syscalls.clear();
    else if (numbers === undefined) this.#syscalls.delete(pid);
    else this.#syscalls.set(pid, numbers);
    const wanted = [...this.#syscalls.values()];
    const union = new Set(wanted.flatMap((set) => (set === 'all' ? [] : [...set])));
    this.kernel.debug.catchSyscalls = wanted.includes('all') ? 'all' : union.size > 0 ? union : undefined;
  }
}
