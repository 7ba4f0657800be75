/** Kernel.run(): gives the CPU to one task after the other until there is something to tell. */
import type { Exit } from '../../cpu/exit.ts';
import { continueCorePipe } from '../coredump/core-pipe.ts';
import type { Kernel } from '../kernel.ts';
import { do_signal } from '../signal/deliver.ts';
import { forceIretFault } from '../signal/fault.ts';
import { cpuTimersArmed, run_posix_cpu_timers, untilCpuTimer } from '../task/cpu-timers.ts';
import { itimer_fired } from '../task/itimers.ts';
import { posix_timer_fired } from '../task/posix-timers.ts';
import { csOf, iretNullSelectors, setUserEntry, ssOf } from '../task/pt-regs.ts';
import type { RunRequest, StopEvent } from '../task/run.ts';
import { NO_CALL, type Task } from '../task/task.ts';
import { TIF_BLOCKSTEP, TS_COMPAT } from '../task/thread-info.ts';
import type { TimerEvent } from '../task/timers.ts';
import { afterEntryStop, handleExit, resumeSyscall } from './entry.ts';
import { finishTrap } from './trap.ts';

/** Turns without an instruction, and jumps of the clock, in one run: neither faults without end nor timers that nobody hears may keep it. */
const MAX_FRUITLESS = 50_000;
/** So many time slices run at once when no other task can. */
const SLICES_ALONE = 40;

/** Runs tasks in turn until there is something to tell, or the budget of instructions is used up. */
export function runGuest(kernel: Kernel, request: RunRequest): StopEvent {
  let left = request.budget;
  let fruitless = 0;
  for (;;) {
    const event = kernel.events.shift();
    if (event) return event;
    expireTimers(kernel);
    if (kernel.events.length > 0) continue;
    if (left <= 0) return { kind: 'budget' };
    const task = pickNext(kernel, request);
    if (task) {
      const used = runTask(kernel, task, request, left);
      left -= used;
      if (used === 0 && ++fruitless > MAX_FRUITLESS) return { kind: 'budget' };
      continue;
    }
    if (!anyAlive(kernel)) return { kind: 'done' };
    if (!skipIdleTime(kernel, request)) return { kind: 'idle' };
    if (++fruitless > MAX_FRUITLESS) return { kind: 'budget' };
  }
}

function anyAlive(kernel: Kernel): boolean {
  for (const task of kernel.tasks.values()) if (task.exitState === undefined) return true;
  return false;
}

/** Everybody sleeps: the clock jumps to the next deadline. @returns false if there is none to wait for */
function skipIdleTime(kernel: Kernel, request: RunRequest): boolean {
  const { next } = kernel.timers;
  if (next === Number.POSITIVE_INFINITY) return false;
  let waits = false;
  for (const task of kernel.tasks.values()) {
    if (task.state === 'blocked' && request.action(task.pid) !== 'hold') waits = true;
  }
  if (!waits) return false;
  kernel.pass(Math.max(0, next - kernel.now()));
  return true;
}

function expireTimers(kernel: Kernel): void {
  for (;;) {
    const entry = kernel.timers.due(kernel.now());
    if (!entry) return;
    fire(kernel, entry.at, entry.event);
  }
}

function fire(kernel: Kernel, at: number, event: TimerEvent): void {
  switch (event.kind) {
    case 'wait': {
      const task = kernel.tasks.get(event.tid);
      if (task?.wait && task.wait.deadline === at) kernel.wakeTask(task, 'timeout');
      return;
    }
    case 'wake':
      kernel.wake(event.channel);
      return;
    case 'itimer':
      itimer_fired(kernel, event.tgid, at);
      return;
    case 'posix':
      posix_timer_fired(kernel, event.tgid, event.id, at);
      return;
  }
}

/** A stepping task first, but not so that it starves those it waits for; else the head of the queue. */
function pickNext(kernel: Kernel, request: RunRequest): Task | undefined {
  const { runQueue } = kernel;
  let candidate: Task | undefined;
  let stepper: Task | undefined;
  for (const task of runQueue) {
    const action = request.action(task.pid);
    if (action === 'hold') continue;
    candidate ??= task;
    if (action !== 'run' && stepper === undefined) stepper = task;
  }
  const chosen = stepper && (stepper !== kernel.yielded || candidate === stepper) ? stepper : candidate;
  if (chosen && chosen !== runQueue[0]) {
    runQueue.splice(runQueue.indexOf(chosen), 1);
    runQueue.unshift(chosen);
    kernel.sliceLeft = kernel.timeSlice;
  }
  return chosen;
}

/** One task's turn. @returns instructions used */
function runTask(kernel: Kernel, task: Task, request: RunRequest, limit: number): number {
  const action = request.action(task.pid);
  const stepping = action !== 'run';
  const { cpu } = kernel;
  task.stepRequested = stepping;
  if (!stepping) task.stepping = false;
  kernel.switchTo(task);
  let used = 0;
  for (;;) {
    const armed = cpuTimersArmed(task.group);
    if (armed) run_posix_cpu_timers(task, (tgid, id, at) => posix_timer_fired(kernel, tgid, id, at));
    if (!returnToUser(kernel, task)) return used;
    if (task.stepping) {
      task.stepping = false;
      if (stepEnds(task, action)) {
        kernel.events.push({ kind: 'step', task });
        return used;
      }
    }
    let untilTimer = kernel.timers.next - kernel.now();
    if (armed) untilTimer = Math.min(untilTimer, untilCpuTimer(task));
    if (used >= limit || untilTimer <= 0) return used;
    if (kernel.sliceLeft <= 0) {
      kernel.yielded = task;
      kernel.rotate();
      return used;
    }
    task.origAx = NO_CALL;
    task.threadInfo.status &= ~TS_COMPAT;
    if (task.reportedBreakpoint !== undefined) {
      if (task.reportedBreakpoint === task.regs.rip) cpu.resumeOverBreakpoint = true;
      task.reportedBreakpoint = undefined;
    }
    if ((task.threadInfo.flags & TIF_BLOCKSTEP) !== 0) task.blockStepFrom = task.regs.rip;
    const before = cpu.icount;
    let exit: Exit;
    if (stepping) {
      exit = cpu.step();
      task.stepping = true;
    } else {
      // Where nobody else can run, the end of a slice means nothing.
      const alone = kernel.runQueue.length === 1;
      const slices = alone ? SLICES_ALONE * kernel.timeSlice : 0;
      exit = cpu.run(Math.min(limit - used, kernel.sliceLeft + slices, untilTimer));
    }
    const ran = cpu.icount - before;
    used += ran;
    kernel.sliceLeft -= ran;
    // What is left of the last of them; nothing when it has just ended.
    if (kernel.sliceLeft < 0) {
      kernel.sliceLeft = ((kernel.sliceLeft % kernel.timeSlice) + kernel.timeSlice) % kernel.timeSlice;
    }
    task.cpuTime.user += ran;
    if (exit.kind !== 'budget') handleExit(task, exit);
  }
}

/**
 * exit_to_usermode_loop(), arch/x86/entry/common.c: blocked calls go on, signals are delivered.
 * @returns false when the task must not run user code now
 */
function returnToUser(kernel: Kernel, task: Task): boolean {
  for (;;) {
    if (task.state !== 'running' || kernel.events.length > 0) return false;
    if (task.corePipe) {
      continueCorePipe(task, task.corePipe);
      continue;
    }
    if (task.trap) {
      finishTrap(task, task.trap);
      continue;
    }
    if (task.entryStopDue) {
      afterEntryStop(task);
      continue;
    }
    if (task.wait) {
      resumeSyscall(task);
      continue;
    }
    if (task.sigPending || task.savedSigmask !== undefined) {
      if (!do_signal(task)) return false;
      continue;
    }
    if (task.badSelectors === undefined) {
      if (task.iretDue) {
        task.iretDue = false;
        iretNullSelectors(task);
      }
      return true;
    }
    const fault = setUserEntry(task, csOf(task), ssOf(task), task.regs.rip);
    if (fault) forceIretFault(task, fault);
  }
}

function stepEnds(task: Task, action: ReturnType<RunRequest['action']>): boolean {
  if (typeof action === 'string') return true;
  const [start, end] = action.range;
  const { rip } = task.regs;
  return rip < start || rip >= end;
}
