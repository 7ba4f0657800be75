/**
 * What outlives a packet: the state of the machine as clients see it, the selected thread and the views. It also
 * outlives a client: the next one finds the machine where the last one left it.
 */
import type { Logger } from 'pino';
import { getUserReg } from './registers/state.ts';
import { Views } from './registers/views.ts';
import { matches, type ThreadSelector } from './rsp/thread-id.ts';
import type { ResumePlan, StopReport, Target, ThreadRef } from './target.ts';

export type SessionState = 'stopped' | 'running' | 'exited' | 'detached';

/** What the client said in qSupported and by the way. */
export interface ClientFeatures {
  multiprocess: boolean;
  swbreak: boolean;
  hwbreak: boolean;
  lldb: boolean;
  errorMessage: boolean;
  /** QStartNoAckMode. */
  noAck: boolean;
}

export interface SessionHost {
  /** The machine stopped by itself: to be told to the client. */
  stopped(report: StopReport): void;
  /** Text for the client's user; only while the machine runs. */
  console(text: string): void;
}

const SIGTRAP = 5;
const IDLE_POLL_MS = 4;

export class Session {
  readonly target: Target;
  readonly log: Logger;
  readonly views: Views;
  state: SessionState = 'stopped';
  client: ClientFeatures = newClient();
  /** The last stop, for `?`. */
  lastStop: StopReport | undefined;
  /** Where the thread of the last stop stood then: a client may have moved it since. */
  #lastPc = 0n;
  /** `c`, `s` and their like without an own thread id apply to this selection. */
  continueSelector: ThreadSelector = { pid: undefined, tid: 'all' };
  /** vFile:setfs: the process whose root directory counts; 0: the first one's. */
  filesystem = 0;
  #general: ThreadRef | undefined;
  #host: SessionHost | undefined;

  constructor(target: Target, log: Logger) {
    this.target = target;
    this.log = log;
    this.views = new Views(target);
  }

  /** A client has come. */
  open(host: SessionHost): void {
    this.#host = host;
    this.client = newClient();
    this.views.reset();
    this.continueSelector = { pid: undefined, tid: 'all' };
    this.filesystem = 0;
    this.#general = undefined;
    this.target.attachAll();
    this.target.removePoints();
    this.target.catchSyscalls(0, undefined);
    this.target.passSignals(new Set());
    this.target.reportEvents({ fork: false, vfork: false, exec: false });
    if (this.target.processes().length > 0) this.state = 'stopped';
    else if (this.state !== 'exited') this.state = this.target.exitStatus() ? 'exited' : 'detached';
    if (this.state === 'stopped' && (!this.lastStop || 'pid' in this.lastStop)) this.lastStop = undefined;
  }

  /** The client has gone, politely or not. The machine stays where it is. */
  close(): void {
    this.#host = undefined;
    if (this.state === 'running') {
      this.target.halt();
      this.state = 'stopped';
      this.lastStop = undefined;
    }
    this.target.files.closeAll();
  }

  /** The thread that registers, memory and so on are asked of. */
  get general(): ThreadRef | undefined {
    const chosen = this.#general;
    if (chosen && this.#alive(chosen)) return chosen;
    return this.target.currentThread() ?? this.target.threads()[0];
  }

  set general(thread: ThreadRef | undefined) {
    this.#general = thread;
  }

  /** The thread that a thread id means: of several, the current one goes first. */
  select(selector: ThreadSelector): ThreadRef | undefined {
    const current = this.target.currentThread();
    if (current && matches(selector, current) && this.#alive(current)) return current;
    return this.target.threads().find((thread) => matches(selector, thread));
  }

  /** The process that memory and breakpoint packets mean. */
  get process(): number | undefined {
    return this.general?.pid;
  }

  #pcOf(thread: ThreadRef): bigint {
    return getUserReg(this.target.readState(thread), 'rip');
  }

  /** The signal that a thread stands with, for a client that asks anew; SIGTRAP if it is none, or no longer that one. */
  signalOf(thread: ThreadRef): number {
    const stop = this.lastStop;
    const same = stop?.kind === 'signal' && stop.thread.tid === thread.tid && this.#pcOf(thread) === this.#lastPc;
    return same ? stop.signal : SIGTRAP;
  }

  #alive(thread: ThreadRef): boolean {
    return this.target.threads().some((t) => t.tid === thread.tid && t.pid === thread.pid);
  }

  /** Lets the machine run until something is to be told. */
  resume(plan: ResumePlan): void {
    this.target.resume(plan);
    this.state = 'running';
    this.#slice();
  }

  interrupt(): void {
    if (this.state === 'running') this.target.interrupt();
  }

  #slice(): void {
    if (this.state !== 'running') return;
    try {
      const result = this.target.runSlice();
      if (result === 'busy') setImmediate(() => this.#slice());
      else if (result === 'idle') setTimeout(() => this.#slice(), IDLE_POLL_MS);
      else this.#stop(result);
    } catch (bug) {
      this.log.error({ err: bug }, 'the machine failed');
      this.#host?.console(`compat-gdbserver: a bug of the server's own: ${String(bug)}\nThe machine is stopped.\n`);
      const thread = this.target.currentThread() ?? this.target.threads()[0];
      if (thread) this.#stop({ kind: 'signal', thread, signal: 0 });
    }
  }

  #stop(report: StopReport): void {
    this.lastStop = report;
    if (report.kind === 'exited' || report.kind === 'killed') {
      this.state = report.last ? 'exited' : 'stopped';
      this.#general = undefined;
    } else {
      this.state = 'stopped';
      if ('thread' in report) {
        this.#general = report.thread;
        this.#lastPc = this.#pcOf(report.thread);
      }
      // After an exec gdb takes the new program's class for granted until it has read the description.
      if (report.kind === 'exec' || (report.kind === 'cs-switch' && report.path !== undefined)) {
        this.views.forget(report.thread.pid);
      }
      if (report.kind === 'fork' || report.kind === 'vfork') this.views.inherit(report.thread.pid, report.child.pid);
    }
    this.log.debug({ stop: report.kind }, 'stopped');
    this.#host?.stopped(report);
  }
}

const newClient = (): ClientFeatures => ({
  multiprocess: false,
  swbreak: false,
  hwbreak: false,
  lldb: false,
  errorMessage: false,
  noAck: false,
});
