/** `struct signal_struct`, include/linux/sched.h: what the threads of a process share besides memory and files. */
import type { TtyInode } from '../fs/tty.ts';
import type { RestorerExit } from '../signal/restorer-exit.ts';
import { makePending, type SigPending } from '../signal/sighand.ts';
import type { CpuClock } from './cpu-clock.ts';
import { type CpuTime, noTime } from './cpu-time.ts';
import type { CpuTimer } from './cpu-timers.ts';
import type { Task } from './task.ts';

/** `struct rlimit` with RLIM_INFINITY = 2^64-1. */
export interface Rlimit {
  cur: bigint;
  max: bigint;
}

/** ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF; nanoseconds, `expires` 0 = off (CPU timers: of the group's CPU time). */
export interface Itimer {
  expires: number;
  interval: number;
}

/** `struct k_itimer`: a POSIX timer. */
export interface PosixTimer {
  id: number;
  clock: number;
  /** Of a timer that runs while somebody spends CPU time. */
  cpu: CpuClock | undefined;
  /** SIGEV_* */
  notify: number;
  signo: number;
  value: bigint;
  /** Thread of SIGEV_THREAD_ID, else 0. */
  tid: number;
  /** Absolute, in the timer's own clock; 0 = disarmed. */
  expires: number;
  interval: number;
  overrun: number;
  overrunLast: number;
  /** A signal of this timer is queued and not yet taken. */
  queued: boolean;
}

/** Group stop and exit: `signal->flags`. */
export const SIGNAL_STOP_STOPPED = 1,
  SIGNAL_STOP_CONTINUED = 2,
  SIGNAL_GROUP_EXIT = 4,
  SIGNAL_GROUP_COREDUMP = 8,
  SIGNAL_CLD_STOPPED = 0x10,
  SIGNAL_CLD_CONTINUED = 0x20;

/** `struct signal_struct`. */
export class ThreadGroup {
  readonly tgid: number;
  /** The thread whose tid is the tgid; another one after execve of a non-leader. */
  leader: Task;
  /** Living threads and zombies that are not yet reaped, in order of creation. */
  threads: Task[] = [];
  sharedPending: SigPending = makePending();
  /** SIGNAL_* */
  flags = 0;
  groupExitCode = 0;
  /** `group_exit_task`: the thread in execve that waits for the end of the others. */
  execTask: Task | undefined;
  /** Threads that have still to stop for the group stop under way. */
  groupStopCount = 0;
  pgrp: number;
  session: number;
  /** The controlling terminal, if any. */
  tty: TtyInode | undefined;
  rlimits: Rlimit[];
  itimers: Itimer[] = [
    { expires: 0, interval: 0 },
    { expires: 0, interval: 0 },
    { expires: 0, interval: 0 },
  ];
  /** Who waits for a value of this process's CPU clocks. */
  cpuTimers: CpuTimer[] = [];
  posixTimers: Map<number, PosixTimer> = new Map();
  nextPosixTimerId = 0;
  /** Of dead threads. */
  deadTime: CpuTime = noTime();
  /** Of children that were waited for. */
  childrenTime: CpuTime = noTime();
  isChildSubreaper = false;
  hasChildSubreaper = false;
  oomScoreAdj = 0;
  /** The process is being restored from an image. */
  restorer: RestorerExit | undefined;

  constructor(tgid: number, leader: Task, pgrp: number, session: number, rlimits: Rlimit[]) {
    this.tgid = tgid;
    this.leader = leader;
    this.pgrp = pgrp;
    this.session = session;
    this.rlimits = rlimits;
  }
}

/** The channel on which execve waits for the other threads. */
export const execChannel = (group: ThreadGroup): string => `exec:${group.tgid}`;
