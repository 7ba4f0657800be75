/**
 * All that a packet may ask of the machine. `linux-target.ts` implements it over the model of Linux, tests over a mock.
 * Signals are Linux's numbers, addresses exact 64-bit values; nothing here knows the protocol.
 */

export interface ThreadRef {
  readonly pid: number;
  readonly tid: number;
}

/** Width of code, of a program or of a view. */
export type Bits = 32 | 64;

export type ResumeAction =
  | { readonly kind: 'hold' }
  | { readonly kind: 'continue'; readonly signal: number }
  | { readonly kind: 'step'; readonly signal: number }
  | { readonly kind: 'range'; readonly start: bigint; readonly end: bigint };

/** What each thread does until the next stop. Threads born later go the way of `fallback`. */
export interface ResumePlan {
  readonly actions: ReadonlyMap<number, ResumeAction>;
  readonly fallback: ResumeAction;
}

export type WatchKind = 'watch' | 'rwatch' | 'awatch';

/** Why the machine stopped. */
export type StopReport =
  | { readonly kind: 'signal'; readonly thread: ThreadRef; readonly signal: number }
  | { readonly kind: 'step'; readonly thread: ThreadRef }
  | { readonly kind: 'breakpoint'; readonly thread: ThreadRef; readonly hardware: boolean }
  | {
      readonly kind: 'watchpoint';
      readonly thread: ThreadRef;
      readonly watch: WatchKind;
      readonly address: bigint;
    }
  /** CS changed between 64- and 32-bit code. `path` is set when it shall look like an exec. */
  | { readonly kind: 'cs-switch'; readonly thread: ThreadRef; readonly path: string | undefined }
  | { readonly kind: 'fork' | 'vfork'; readonly thread: ThreadRef; readonly child: ThreadRef }
  | { readonly kind: 'vforkdone'; readonly thread: ThreadRef }
  | { readonly kind: 'exec'; readonly thread: ThreadRef; readonly path: string }
  | { readonly kind: 'syscall_entry' | 'syscall_return'; readonly thread: ThreadRef; readonly nr: number }
  /** A process ended; `last` when no process is left that the client follows. */
  | { readonly kind: 'exited'; readonly pid: number; readonly code: number; readonly last: boolean }
  | { readonly kind: 'killed'; readonly pid: number; readonly signal: number; readonly last: boolean }
  /** All resumed threads are gone, others are held. */
  | { readonly kind: 'no-resumed' };

/** One slice of running: a stop, `busy` (call again), or `idle` (nothing can run until something comes from outside). */
export type SliceResult = StopReport | 'busy' | 'idle';

export type PointKind = 'software' | 'hardware' | 'write' | 'read' | 'access';

/** A breakpoint (`length` is gdb's "kind") or a watchpoint. */
export interface Point {
  readonly kind: PointKind;
  readonly address: bigint;
  readonly length: number;
  /** Looked at by the server when the point is hit: go on silently if it says so. */
  readonly condition?: ((thread: ThreadRef) => boolean) | undefined;
}

export interface LibraryList {
  /** Address of the main program's link_map. */
  readonly mainLm: bigint;
  readonly libraries: readonly {
    readonly name: string;
    readonly lm: bigint;
    readonly base: bigint;
    readonly dynamic: bigint;
  }[];
}

export interface MemoryRegion {
  readonly start: bigint;
  readonly end: bigint;
  /** As in /proc/PID/maps, `rwx`; empty for a hole. */
  readonly permissions: string;
  readonly name: string;
}

export interface FileStat {
  readonly dev: number;
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly size: number;
  readonly blksize: number;
  readonly blocks: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
}

/** Events that a client may do without (`qSupported`), and whether it wants to see them. */
export interface ReportedEvents {
  readonly fork: boolean;
  readonly vfork: boolean;
  readonly exec: boolean;
}

/** Linux's open(2) flags; negative results are Linux's error numbers. */
export interface TargetFiles {
  /** @param pid whose root directory counts; 0 for the first process */
  open(pid: number, path: string, flags: number, mode: number): number;
  close(fd: number): number;
  pread(fd: number, count: number, offset: number): Uint8Array | number;
  pwrite(fd: number, bytes: Uint8Array, offset: number): number;
  fstat(fd: number): FileStat | number;
  readlink(pid: number, path: string): string | number;
  unlink(pid: number, path: string): number;
  /** A client has gone: what it left open. */
  closeAll(): void;
}

export interface Target {
  readonly files: TargetFiles;

  /** The processes that the client follows, in order of their numbers. */
  processes(): readonly number[];
  threads(): readonly ThreadRef[];
  /** The thread of the last stop, else any. */
  currentThread(): ThreadRef | undefined;
  threadName(thread: ThreadRef): string;
  /** One line for people: state, kind of code. */
  threadInfo(thread: ThreadRef): string;

  /** Whether CS of the thread is a 64-bit code segment. */
  codeBits(thread: ThreadRef): Bits;
  /** The processor has AVX-512, whose registers are in the state block then. */
  readonly avx512: boolean;
  /** The class of the program's ELF file. */
  programBits(pid: number): Bits;

  /** @returns the block that `registers/state.ts` describes */
  readState(thread: ThreadRef): Uint8Array;
  /** @returns false if the machine refuses it (a bad selector, say) */
  writeState(thread: ThreadRef, state: Uint8Array): boolean;

  /** @returns what could be read: shorter than asked at the first unmapped page */
  readMemory(pid: number, address: bigint, length: number): Uint8Array;
  writeMemory(pid: number, address: bigint, bytes: Uint8Array): boolean;
  region(pid: number, address: bigint): MemoryRegion | undefined;

  insertPoint(pid: number, point: Point): boolean;
  removePoint(pid: number, point: Point): boolean;
  removePoints(pid?: number): void;

  resume(plan: ResumePlan): void;
  runSlice(): SliceResult;
  /** The client wants a stop: the next slices report SIGINT. */
  interrupt(): void;
  /** The client has gone while the machine ran: it stays where it is. */
  halt(): void;

  auxv(pid: number): readonly (readonly [type: bigint, value: bigint])[];
  execFile(pid: number): string | undefined;
  libraries(pid: number): LibraryList | undefined;
  siginfo(thread: ThreadRef, bits: Bits): Uint8Array | undefined;
  setSiginfo(thread: ThreadRef, bits: Bits, bytes: Uint8Array): boolean;

  kill(pid: number): void;
  detach(pid: number): void;
  attach(pid: number): boolean;
  /** A new client follows every process again. */
  attachAll(): void;
  /** The status of the first task, once no task is left. */
  exitStatus(): { readonly code: number } | { readonly signal: number } | undefined;

  passSignals(signals: ReadonlySet<number>): void;
  programSignals(signals: ReadonlySet<number>): void;
  catchSyscalls(pid: number, numbers: ReadonlySet<number> | 'all' | undefined): void;
  /** Which of fork, vfork and exec the client wants to hear of. */
  reportEvents(events: ReportedEvents): void;

  /** A `monitor` command. @returns the text to show */
  monitor(line: string, thread: ThreadRef | undefined): string;
}
