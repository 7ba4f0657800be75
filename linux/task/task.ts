/** `struct task_struct`, include/linux/sched.h: one thread. */
import type { CpuContext } from '../../cpu/context.ts';
import type { Registers } from '../../cpu/registers.ts';
import type { SigInfo } from '../abi/signal.ts';
import type { CorePipe } from '../coredump/core-pipe.ts';
import type { FilesStruct } from '../fs/files-struct.ts';
import type { FsStruct } from '../fs/fs-struct.ts';
import type { Kernel } from '../kernel.ts';
import type { Mm } from '../mm/mm.ts';
import { makePending, type SigAltStack, type Sighand, type SigPending } from '../signal/sighand.ts';
import { type CpuTime, noTime } from './cpu-time.ts';
import type { Cred } from './cred.ts';
import type { ThreadGroup } from './group.ts';
import { noSeccomp, type Seccomp } from './seccomp-state.ts';
import type { ThreadInfo } from './thread-info.ts';
import type { Trap, TrapInfo } from './trap.ts';

/** What a blocked handler waits for. */
export interface WaitRequest {
  /** `pipe:<id>:r`, `futex:<key>`, `child:<tgid>`, `tty` ...: `kernel.wake(channel)` ends the wait. */
  readonly channels: readonly string[];
  /** Nanoseconds since boot, as `kernel.now()`. */
  readonly deadline?: number | undefined;
  /** Plain data that the handler finds again in `task.wait.data`. */
  readonly data?: unknown;
  /** Only SIGKILL ends the wait (TASK_KILLABLE). */
  readonly killable?: boolean;
}

/** A wait under way, or just ended (`reason` is set while the handler is called again). */
export interface Wait {
  channels: readonly string[];
  deadline: number | undefined;
  data: unknown;
  killable: boolean;
  reason: 'woken' | 'timeout' | 'signal' | undefined;
}

/** By which door the current system call came in. */
export type EntryKind = 'syscall64' | 'int80' | 'sysenter' | 'syscall32';

/**
 * - `running`: can be given the CPU
 * - `blocked`: `wait` says for what
 * - `stopped`: group stop (SIGSTOP ...)
 * - `traced`: stopped for its tracer; `trap` says where
 * - `zombie`: ended, not yet waited for; `dead`: reaped
 */
export type TaskState = 'running' | 'blocked' | 'stopped' | 'traced' | 'zombie' | 'dead';

/** `struct restart_block`: how restart_syscall() goes on. */
export interface RestartBlock {
  readonly fn: 'none' | 'nanosleep' | 'cpu_nsleep' | 'futex' | 'poll';
  readonly data?: unknown;
}

/** `struct perf_event` of a ptrace breakpoint: what was asked for, and the address in force since it was last enabled. */
export interface HwBreakpoint {
  readonly address: bigint;
  /** Bytes. */
  readonly length: number;
  readonly type: 'execute' | 'write' | 'access';
  readonly disabled: boolean;
  readonly armedAddress: bigint;
}

/** orig_ax outside of a system call. */
export const NO_CALL = -1n;

export class Task {
  readonly kernel: Kernel;
  /** The thread id. */
  pid: number;
  group: ThreadGroup;
  comm = '';
  /** The tracer, or `realParent`. */
  parent: Task | undefined;
  realParent: Task | undefined;
  /** Leaders of child processes, in order of creation. */
  children: Task[] = [];
  /** SIGCHLD, or what clone() said; -1 for a thread that is no leader. */
  exitSignal = -1;

  context: CpuContext;
  readonly threadInfo: ThreadInfo = { flags: 0, status: 0 };
  /** pt_regs.orig_ax: the system call's number, or NO_CALL. */
  origAx = NO_CALL;
  /** GDT entries 12-14. */
  readonly tls: BigUint64Array = new BigUint64Array(3);
  /**
   * Selectors of pt_regs that the CPU has not loaded: IRET refused them, or a tracer has put them there and the next return
   * to user mode will try. For the signal frame and the debugger they are the task's.
   * arch/x86/entry/entry_64.S, native_irq_return_iret and fixup_bad_iret.
   */
  badSelectors: { cs: number; ss: number } | undefined;
  /** thread.trap_nr, error_code, cr2: the last exception, for the signal frame. */
  trapNr = 0;
  errorCode = 0;
  cr2 = 0n;

  /** thread.ptrace_bps: the breakpoints that a tracer has put into the debug registers; plain data. */
  ptraceBps: (HwBreakpoint | undefined)[] = [undefined, undefined, undefined, undefined];
  /** thread.debugreg6: why the last debug exception came. thread.ptrace_dr7: DR7 as the tracer wrote it. */
  debugreg6 = 0n;
  /** The instruction that runs, while a tracer wants stops at branches only. */
  blockStepFrom = 0n;
  ptraceDr7 = 0n;

  mm: Mm;
  files: FilesStruct;
  fs: FsStruct;
  cred: Cred;
  personality = 0;

  sighand: Sighand;
  blocked = 0n;
  /** The mask of before a sigsuspend, ppoll ...: put back when the handler has run. */
  savedSigmask: bigint | undefined;
  realBlocked = 0n;
  pending: SigPending = makePending();
  sas: SigAltStack = { sp: 0n, size: 0n, flags: 0 };
  /** TIF_SIGPENDING. */
  sigPending = false;
  /** JOBCTL_* */
  jobctl = 0;

  state: TaskState = 'running';
  wait: Wait | undefined;
  restartBlock: RestartBlock = { fn: 'none' };
  entry: EntryKind = 'syscall64';
  sysNr = -1;
  /** The six argument registers of the call under way: low and high words. */
  readonly sysArgWords: Uint32Array = new Uint32Array(12);
  inSyscall = false;

  setChildTid = 0;
  clearChildTid = 0;
  robustList = 0;
  compatRobustList = 0;
  /** The child whose exec or exit this vfork() waits for ends: a pid. */
  vforkParent: number | undefined;
  pdeathSignal = 0;
  noNewPrivs = false;
  seccomp: Seccomp = noSeccomp;
  keepCaps = false;
  thpDisabled = false;
  timerSlack = 50_000;
  nice = 0;
  policy = 0;
  rtPriority = 0;
  schedResetOnFork = false;
  /** Of SCHED_DEADLINE, in nanoseconds. */
  deadlineParams: { readonly runtime: bigint; readonly deadline: bigint; readonly period: bigint } | undefined;
  cpusAllowed = 1n;
  ioprio = 0;

  /** PT_*: 0 if nobody traces the task; else `parent` does. */
  ptrace = 0;
  /** The tasks that this one traces, newest first. */
  ptraced: Task[] = [];
  /** What PTRACE_GETEVENTMSG tells. */
  ptraceMessage = 0;
  /** The siginfo of the stop, for PTRACE_GETSIGINFO and PTRACE_SETSIGINFO. */
  lastSiginfo: TrapInfo;
  /** Set from ptrace_stop() until the task goes on. */
  trap: Trap | undefined;
  /** The signal that the tracer let through, on the way to its action. */
  ptraceSignal: SigInfo | undefined;

  /** A core dump of the task that goes on into a pipe. */
  corePipe: CorePipe | undefined;

  exitState: 'zombie' | 'dead' | undefined;
  /** In the form of wait(2); during a trap the code of the stop, then what the tracer gave along. */
  exitCode = 0;
  readonly cpuTime: CpuTime = noTime();
  /** The next return to user mode is an IRET. */
  iretDue = false;
  startTime = 0;
  minFaults = 0;
  majFaults = 0;
  voluntarySwitches = 0;
  involuntarySwitches = 0;
  didExec = false;

  /** A signal that was dequeued for the debugger and waits for its decision; delivered on resume if still set. */
  debugSignal: SigInfo | undefined;
  /** The task stands in a signal-delivery-stop of the debugger. */
  inDebugStop = false;
  /** The breakpoint address that was reported last and not yet passed. */
  reportedBreakpoint: bigint | undefined;
  /** The resume that is under way asks for a step. */
  stepRequested = false;
  /** That step has begun: it ends when the task is next about to run user code. */
  stepping = false;
  /** The syscall-entry stop was reported, the call has not run yet. */
  entryStopDue = false;
  /** A syscall-return stop is due for a call whose entry was reported. */
  syscallReturnDue = false;

  constructor(init: {
    kernel: Kernel;
    pid: number;
    group: ThreadGroup;
    context: CpuContext;
    mm: Mm;
    files: FilesStruct;
    fs: FsStruct;
    cred: Cred;
    sighand: Sighand;
  }) {
    this.kernel = init.kernel;
    this.pid = init.pid;
    this.group = init.group;
    this.context = init.context;
    this.mm = init.mm;
    this.files = init.files;
    this.fs = init.fs;
    this.cred = init.cred;
    this.sighand = init.sighand;
  }

  get tgid(): number {
    return this.group.tgid;
  }

  get isLeader(): boolean {
    return this.group.leader === this;
  }

  get regs(): Registers {
    return this.context.regs;
  }

  /** The system call's argument registers, exact. */
  get sysArgs(): bigint[] {
    const w = this.sysArgWords;
    return [0, 2, 4, 6, 8, 10].map((i) => (BigInt(w[i + 1]!) << 32n) | BigInt(w[i]!));
  }
}
