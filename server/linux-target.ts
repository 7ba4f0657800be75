/** `Target` over the model of Linux: the only file of the server, with its folder and the monitor commands, that knows it. */
import type { Cpu } from '../cpu/cpu.ts';
import { SIGCONT, SIGINT, SIGKILL, SIGSTOP, SIGTRAP, type SigInfo } from '../linux/abi/signal.ts';
import type { Kernel } from '../linux/kernel.ts';
import { access_process_vm } from '../linux/mm/uaccess.ts';
import { kernelInfo, send_signal, signal_wake_up } from '../linux/signal/queue.ts';
import { siginfoFrom32, siginfoFrom64, siginfoTo32, siginfoTo64 } from '../linux/signal/siginfo.ts';
import type { RunAction, StopEvent } from '../linux/task/run.ts';
import type { Task } from '../linux/task/task.ts';
import { LinuxFiles } from './linux-target/files.ts';
import { readLibraries } from './linux-target/libraries.ts';
import { auxvOf, exitOf, regionAt } from './linux-target/objects.ts';
import { Points } from './linux-target/points.ts';
import { readTaskState, writeTaskState } from './linux-target/registers.ts';
import { runMonitor } from './monitor/command.ts';
import type {
  Bits,
  LibraryList,
  MemoryRegion,
  Point,
  ResumeAction,
  ResumePlan,
  SliceResult,
  StopReport,
  Target,
  ThreadRef,
} from './target.ts';

/** Instructions between two looks at the sockets. */
const SLICE = 2_000_000;
/** After so many slices an interrupt that the program does not take (it has SIGINT masked) stops it all the same. */
const INTERRUPT_SLICES = 3;

export interface LinuxTargetOptions {
  /** The program file of a process that has none of its own yet: one under restore. */
  readonly program?: (pid: number) => string | undefined;
  /** An ELF file with symbols for code that no mapping of a file shows, and where its address 0 lies: the restorer blob. */
  readonly symbols?: (pid: number) => { readonly path: string; readonly offset: number } | undefined;
  /** The machine waits for the outside: input may be fetched. */
  readonly wantInput?: () => void;
}

const refOf = (task: Task): ThreadRef => ({ pid: task.tgid, tid: task.pid });

export class LinuxTarget implements Target {
  readonly kernel: Kernel;
  readonly cpu: Cpu;
  readonly files: LinuxFiles;
  readonly #points: Points;
  readonly #options: LinuxTargetOptions;
  #plan: ResumePlan = { actions: new Map(), fallback: { kind: 'hold' } };
  #current: Task | undefined;
  #interrupt: 'no' | 'wanted' | number = 'no';
  #passSignals: ReadonlySet<number> = new Set();
  #programSignals: ReadonlySet<number> = new Set();
  #events = { fork: false, vfork: false, exec: false };
  readonly #syscalls = new Map<number, ReadonlySet<number> | 'all'>();
  /** SIGCONT that the client itself sent: not to be shown to it again. */
  readonly #passOnce = new Set<number>();
  readonly #classes = new Map<string, Bits>();
  /** A stop that was found while the plan was made. */
  #immediate: StopReport | undefined;

  constructor(kernel: Kernel, options: LinuxTargetOptions = {}) {
    this.kernel = kernel;
    this.cpu = kernel.cpu;
    this.#options = options;
    this.#points = new Points(kernel.cpu);
    this.files = new LinuxFiles(kernel, (pid) => (pid === 0 ? undefined : this.leader(pid)));
    this.attachAll();
  }

  // ---- processes and threads

  #living(): Task[] {
    return [...this.kernel.tasks.values()].filter((task) => task.exitState === undefined);
  }

  processes(): readonly number[] {
    const pids = new Set(this.#living().map((task) => task.tgid));
    return [...pids].filter((pid) => this.kernel.debug.attached(pid)).sort((a, b) => a - b);
  }

  threads(): readonly ThreadRef[] {
    return this.#living()
      .filter((task) => this.kernel.debug.attached(task.tgid))
      .map(refOf)
      .sort((a, b) => a.pid - b.pid || a.tid - b.tid);
  }

  currentThread(): ThreadRef | undefined {
    const task = this.#current;
    return task && task.exitState === undefined && this.kernel.debug.attached(task.tgid) ? refOf(task) : undefined;
  }

  leader(pid: number): Task | undefined {
    return this.kernel.tasks.get(pid) ?? this.#living().find((task) => task.tgid === pid);
  }

  task(thread: ThreadRef): Task {
    const task = this.kernel.tasks.get(thread.tid);
    if (!task) throw new Error(`no thread ${thread.tid}`);
    return task;
  }

  threadName(thread: ThreadRef): string {
    return this.task(thread).comm;
  }

  threadInfo(thread: ThreadRef): string {
    const task = this.task(thread);
    const state = task.state === 'blocked' && task.sysNr >= 0 ? `blocked in system call ${task.sysNr}` : task.state;
    return `${state}, ${this.codeBits(thread)}-bit code`;
  }

  get avx512(): boolean {
    return this.kernel.cpu.avx512;
  }

  codeBits(thread: ThreadRef): Bits {
    return this.task(thread).regs.long ? 64 : 32;
  }

  programBits(pid: number): Bits {
    const path = this.execFile(pid);
    const mm = this.leader(pid)?.mm;
    if (path === undefined) return mm?.binfmt === 'elf32' ? 32 : 64;
    const known = this.#classes.get(path);
    if (known !== undefined) return known;
    const fd = this.files.open(pid, path, 0, 0);
    const head = fd < 0 ? undefined : this.files.pread(fd, 5, 0);
    if (fd >= 0) this.files.close(fd);
    const bits = typeof head === 'object' && head.length === 5 ? (head[4] === 1 ? 32 : 64) : undefined;
    if (bits !== undefined) this.#classes.set(path, bits);
    return bits ?? (mm?.binfmt === 'elf32' ? 32 : 64);
  }

  // ---- registers and memory

  readState(thread: ThreadRef): Uint8Array {
    return readTaskState(this.task(thread));
  }

  writeState(thread: ThreadRef, state: Uint8Array): boolean {
    const task = this.task(thread);
    const ok = writeTaskState(task, state);
    if (task.reportedBreakpoint !== undefined && task.reportedBreakpoint !== task.regs.rip) {
      task.reportedBreakpoint = undefined;
    }
    return ok;
  }

  readMemory(pid: number, address: bigint, length: number): Uint8Array {
    const mm = this.leader(pid)?.mm;
    if (!mm) return new Uint8Array(0);
    return access_process_vm(mm, Number(address), length);
  }

  writeMemory(pid: number, address: bigint, bytes: Uint8Array): boolean {
    const mm = this.leader(pid)?.mm;
    return mm !== undefined && access_process_vm(mm, Number(address), bytes) === bytes.length;
  }

  region(pid: number, address: bigint): MemoryRegion | undefined {
    const mm = this.leader(pid)?.mm;
    return mm && regionAt(mm, address);
  }

  // ---- breakpoints

  insertPoint(pid: number, point: Point): boolean {
    const mm = this.leader(pid)?.mm;
    return mm !== undefined && this.#points.insert(pid, mm, point);
  }

  removePoint(pid: number, point: Point): boolean {
    return this.#points.remove(pid, point);
  }

  removePoints(pid?: number): void {
    this.#points.removeAll(pid);
  }

  // ---- running

  resume(plan: ResumePlan): void {
    this.#plan = plan;
    this.#immediate = undefined;
    for (const [tid, action] of plan.actions) {
      const task = this.kernel.tasks.get(tid);
      if (task && action.kind !== 'hold') this.#deliver(task, action);
    }
    const moving = this.#living().filter((task) => this.kernel.debug.attached(task.tgid) && this.#moves(task));
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
    const moving = this.#living().filter((task) => this.kernel.debug.attached(task.tgid) && this.#moves(task));
    const first = moving[0];
    if (!first) return { kind: 'no-resumed' };
    if (moving.every((task) => task.state === 'stopped')) {
      return this.#stopAt({ kind: 'signal', thread: refOf(first), signal: SIGSTOP });
    }
    this.#options.wantInput?.();
    return 'idle';
  }

  #done(): SliceResult {
    return this.#ended(this.kernel.firstPid, this.exitStatus() ?? { code: 0 }, true);
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
        if (!this.#events[event.kind]) return undefined;
        this.kernel.debug.pids.add(event.child.tgid);
        return { kind: event.kind, thread, child: refOf(event.child) };
      case 'vfork-done':
        return this.#events.vfork ? { kind: 'vforkdone', thread } : undefined;
      case 'exec':
        this.#points.removeAll(task.tgid);
        return this.#events.exec ? { kind: 'exec', thread, path: event.path } : undefined;
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
    else if (this.#passSignals.has(info.signo)) return undefined;
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
        return { kind: 'cs-switch', thread, path: this.execFile(task.tgid) ?? '' };
      case 'silent':
        return undefined;
    }
  }

  #exitReport(task: Task, status: number): StopReport {
    const pid = task.tgid;
    this.#points.removeAll(pid);
    this.kernel.debug.pids.delete(pid);
    const last = this.processes().length === 0;
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
    const running = this.#living().filter((task) => this.kernel.debug.attached(task.tgid) && this.#moves(task));
    const task = running.find((t) => t === this.#current) ?? running[0];
    const takes = task && task.state !== 'stopped' && (task.blocked & (1n << BigInt(SIGINT - 1))) === 0n;
    if (!takes) return this.#interrupted();
    this.#interrupt = 0;
    send_signal(task, kernelInfo(SIGINT), false);
    return undefined;
  }

  #interrupted(): StopReport {
    this.#interrupt = 'no';
    const all = this.threads();
    const thread = this.currentThread() ?? all[0];
    return thread ? this.#stopAt({ kind: 'signal', thread, signal: SIGINT }) : { kind: 'no-resumed' };
  }

  halt(): void {
    this.#interrupt = 'no';
    this.#plan = { actions: new Map(), fallback: { kind: 'hold' } };
  }

  // ---- objects

  auxv(pid: number): readonly (readonly [bigint, bigint])[] {
    const mm = this.leader(pid)?.mm;
    return mm ? auxvOf(mm, this.programBits(pid)) : [];
  }

  execFile(pid: number): string | undefined {
    return this.leader(pid)?.mm.exeFile?.path ?? this.#options.program?.(pid);
  }

  libraries(pid: number): LibraryList | undefined {
    const task = this.leader(pid);
    const list = task && readLibraries(task.mm, this.programBits(pid), this.auxv(pid));
    if (!list) return undefined;
    // The vDSO is in the list by a name without a directory; gdb finds it on its own.
    const files = list.libraries.filter((library) => library.name.includes('/'));
    return { ...list, libraries: files.map((library) => ({ ...library, name: this.#libraryPath(task, library) })) };
  }

  /** The loader's name, or that of the mapping: an image's root may lack the symbolic link /lib. */
  #libraryPath(task: Task, library: LibraryList['libraries'][number]): string {
    const { vfs } = this.kernel;
    if (typeof vfs.lookup(vfs.context(task), library.name) !== 'number') return library.name;
    return task.mm.vmaAt(Number(library.dynamic))?.file?.path ?? library.name;
  }

  siginfo(thread: ThreadRef, bits: Bits): Uint8Array | undefined {
    const task = this.task(thread);
    const info = task.debugSignal ?? { ...kernelInfo(SIGTRAP) };
    return bits === 64 ? siginfoTo64(info) : siginfoTo32(info);
  }

  setSiginfo(thread: ThreadRef, bits: Bits, bytes: Uint8Array): boolean {
    const task = this.task(thread);
    if (!task.debugSignal) return false;
    task.debugSignal = bits === 64 ? siginfoFrom64(bytes) : siginfoFrom32(bytes);
    return true;
  }

  // ---- the client and the processes

  kill(pid: number): void {
    const task = this.leader(pid);
    if (!task) return;
    this.#points.removeAll(pid);
    this.kernel.debug.pids.delete(pid);
    send_signal(task, kernelInfo(SIGKILL), true);
    // The threads of the process run to their end; nobody else moves.
    this.kernel.run({ action: (tid) => (this.kernel.tasks.get(tid)?.tgid === pid ? 'run' : 'hold'), budget: SLICE });
  }

  /** The process stays where it is until something runs; a signal that it stopped with is delivered if it is to be. */
  detach(pid: number): void {
    this.#points.removeAll(pid);
    this.kernel.debug.pids.delete(pid);
    for (const task of this.#living()) {
      if (task.tgid !== pid || !task.debugSignal) continue;
      if (!this.#programSignals.has(task.debugSignal.signo)) task.debugSignal = undefined;
    }
  }

  attach(pid: number): boolean {
    if (!this.#living().some((task) => task.tgid === pid) || this.kernel.debug.attached(pid)) return false;
    this.kernel.debug.pids.add(pid);
    return true;
  }

  attachAll(): void {
    for (const task of this.#living()) this.kernel.debug.pids.add(task.tgid);
  }

  exitStatus(): { readonly code: number } | { readonly signal: number } | undefined {
    const status = this.kernel.exitStatus;
    return status === undefined ? undefined : exitOf(status);
  }

  passSignals(signals: ReadonlySet<number>): void {
    this.#passSignals = signals;
  }

  programSignals(signals: ReadonlySet<number>): void {
    this.#programSignals = signals;
  }

  catchSyscalls(pid: number, numbers: ReadonlySet<number> | 'all' | undefined): void {
    if (pid === 0) this.#syscalls.clear();
    else if (numbers === undefined) this.#syscalls.delete(pid);
    else this.#syscalls.set(pid, numbers);
    const wanted = [...this.#syscalls.values()];
    const union = new Set(wanted.flatMap((set) => (set === 'all' ? [] : [...set])));
    this.kernel.debug.catchSyscalls = wanted.includes('all') ? 'all' : union.size > 0 ? union : undefined;
  }

  reportEvents(events: { readonly fork: boolean; readonly vfork: boolean; readonly exec: boolean }): void {
    this.#events = { ...events };
  }

  monitor(line: string, thread: ThreadRef | undefined): string {
    const { kernel } = this;
    const symbols = thread && this.#options.symbols?.(thread.pid);
    return runMonitor({ kernel, task: thread && this.task(thread), symbols }, line);
  }
}
