/** `Target` over the model of Linux: the only file of the server, with its folder and the monitor commands, that knows it. */
import type { Cpu } from '../cpu/cpu.ts';
import { SIGKILL, SIGTRAP } from '../linux/abi/signal.ts';
import type { Kernel } from '../linux/kernel.ts';
import { access_process_vm } from '../linux/mm/uaccess.ts';
import { kernelInfo, send_signal } from '../linux/signal/queue.ts';
import { siginfoFrom32, siginfoFrom64, siginfoTo32, siginfoTo64 } from '../linux/signal/siginfo.ts';
import type { Task } from '../linux/task/task.ts';
import { LinuxFiles } from './linux-target/files.ts';
import { readLibraries } from './linux-target/libraries.ts';
import { auxvOf, exitOf, regionAt } from './linux-target/objects.ts';
import { Points } from './linux-target/points.ts';
import { readTaskState, writeTaskState } from './linux-target/registers.ts';
import { attachedProcesses, attachedTasks, livingTasks, RunControl, refOf, SLICE } from './linux-target/run-control.ts';
import { runMonitor } from './monitor/command.ts';
import type {
  Bits,
  LibraryList,
  MemoryRegion,
  Point,
  ReportedEvents,
  ResumePlan,
  SliceResult,
  Target,
  ThreadRef,
} from './target.ts';

export interface LinuxTargetOptions {
  /** The program file of a process that has none of its own yet: one under restore. */
  readonly program?: (pid: number) => string | undefined;
  /** An ELF file with symbols for code that no mapping of a file shows, and where its address 0 lies: the restorer blob. */
  readonly symbols?: (pid: number) => { readonly path: string; readonly offset: number } | undefined;
  /** The machine waits for the outside: input may be fetched. */
  readonly wantInput?: () => void;
}

export class LinuxTarget implements Target {
  readonly kernel: Kernel;
  readonly cpu: Cpu;
  readonly files: LinuxFiles;
  readonly #points: Points;
  readonly #options: LinuxTargetOptions;
  readonly #running: RunControl;
  #programSignals: ReadonlySet<number> = new Set();
  readonly #classes = new Map<string, Bits>();

  constructor(kernel: Kernel, options: LinuxTargetOptions = {}) {
    this.kernel = kernel;
    this.cpu = kernel.cpu;
    this.#options = options;
    this.#points = new Points(kernel.cpu);
    this.files = new LinuxFiles(kernel, (pid) => (pid === 0 ? undefined : this.leader(pid)));
    this.#running = new RunControl(kernel, {
      points: this.#points,
      wantInput: () => options.wantInput?.(),
      execFile: (pid) => this.execFile(pid),
    });
    this.attachAll();
  }

  // ---- processes and threads

  processes(): readonly number[] {
    return attachedProcesses(this.kernel);
  }

  threads(): readonly ThreadRef[] {
    return attachedTasks(this.kernel)
      .map(refOf)
      .sort((a, b) => a.pid - b.pid || a.tid - b.tid);
  }

  currentThread(): ThreadRef | undefined {
    const task = this.#running.current;
    return task && refOf(task);
  }

  leader(pid: number): Task | undefined {
    return this.kernel.tasks.get(pid) ?? livingTasks(this.kernel).find((task) => task.tgid === pid);
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
    this.#running.resume(plan);
  }

  runSlice(): SliceResult {
    return this.#running.runSlice();
  }

  interrupt(): void {
    this.#running.interrupt();
  }

  halt(): void {
    this.#running.halt();
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
    for (const task of livingTasks(this.kernel)) {
      if (task.tgid !== pid || !task.debugSignal) continue;
      if (!this.#programSignals.has(task.debugSignal.signo)) task.debugSignal = undefined;
    }
  }

  attach(pid: number): boolean {
    if (!livingTasks(this.kernel).some((task) => task.tgid === pid) || this.kernel.debug.attached(pid)) return false;
    this.kernel.debug.pids.add(pid);
    return true;
  }

  attachAll(): void {
    for (const task of livingTasks(this.kernel)) this.kernel.debug.pids.add(task.tgid);
  }

  exitStatus(): { readonly code: number } | { readonly signal: number } | undefined {
    const status = this.kernel.exitStatus;
    return status === undefined ? undefined : exitOf(status);
  }

  passSignals(signals: ReadonlySet<number>): void {
    this.#running.passSignals = signals;
  }

  programSignals(signals: ReadonlySet<number>): void {
    this.#programSignals = signals;
  }

  catchSyscalls(pid: number, numbers: ReadonlySet<number> | 'all' | undefined): void {
    this.#running.catchSyscalls(pid, numbers);
  }

  reportEvents(events: ReportedEvents): void {
    this.#running.events = { ...events };
  }

  monitor(line: string, thread: ThreadRef | undefined): string {
    const { kernel } = this;
    const symbols = thread && this.#options.symbols?.(thread.pid);
    return runMonitor({ kernel, task: thread && this.task(thread), symbols }, line);
  }
}
