/** The run loop: budgets, breakpoints, traps, and what becomes of an outcome of the tiers. */
import type { Blocks } from './blocks.ts';
import type { Cpu } from './cpu.ts';
import { Dr6 } from './debug-registers.ts';
import type { DebugUnit } from './debug-unit.ts';
import { type Exit, Vector } from './exit.ts';
import type { Fault } from './fault.ts';
import { Flag } from './flags.ts';
import { Outcome } from './interp/record.ts';
import type { MemoryAccess } from './memory-access.ts';
import { RepeatStep, Segment, State } from './state.ts';
import { RAISED, type Tiers, WATCHED } from './tiers.ts';

/** The interpreter comes back this often, so that V8 can put the optimised code in its place. */
const SLICE = 4_000_000;

export interface RunParts {
  /** All of linear memory. */
  readonly data: DataView;
  readonly blocks: Blocks;
  readonly access: MemoryAccess;
  readonly fault: Fault;
  readonly tiers: Tiers;
  readonly debug: DebugUnit;
}

export class RunLoop {
  private readonly cpu: Cpu;
  private readonly parts: RunParts;
  private readonly data: DataView;

  constructor(cpu: Cpu, parts: RunParts) {
    this.cpu = cpu;
    this.parts = parts;
    this.data = parts.data;
  }

  /** Runs at most `budget` instructions. */
  run(budget: number): Exit {
    const { cpu } = this;
    const { debug, tiers } = this.parts;
    let left = budget;
    let over = cpu.resumeOverBreakpoint;
    cpu.resumeOverBreakpoint = false;
    this.prepare();
    const due = this.takeDue();
    if (due) return due;
    let resume = false;
    while (left > 0) {
      if (this.takeResumeFlag()) resume = true;
      if (this.singleStepping || over || resume || cpu.context.shadow) {
        if (!over && this.atDebuggersBreakpoint) return { kind: 'breakpoint', address: this.linearRip };
        const before = tiers.icount;
        const exit = this.single(resume);
        if (exit.kind !== 'budget') return exit;
        left -= tiers.icount - before;
        // What `over` and RF are good for is the whole of a repeated instruction.
        if (!this.unfinished) over = resume = false;
        continue;
      }
      const before = tiers.icount;
      this.data.setUint32(State.repeatStep, 0, true);
      const outcome = tiers.execute(Math.min(left, SLICE), cpu.translator);
      left -= tiers.icount - before;
      switch (outcome) {
        case Outcome.Budget:
          // The next block is longer than what is left: a part of it.
          if (left > 0 && left < SLICE) {
            const done = tiers.icount;
            const exit = this.partial(left);
            if (exit) return exit;
            left -= tiers.icount - done;
          }
          break;
        case Outcome.Breakpoint:
          return this.stopped();
        case Outcome.Exit:
          return this.takeExit();
        case RAISED:
          return this.exception();
        case WATCHED: {
          const done = tiers.icount;
          const exit = this.single(true);
          if (exit.kind !== 'budget') return exit;
          left -= tiers.icount - done;
          break;
        }
        default:
      }
      if (cpu.stackSegmentLoaded) {
        cpu.stackSegmentLoaded = false;
        cpu.context.shadow = debug.active;
      }
    }
    return { kind: 'budget' };
  }

  /**
   * Runs one instruction, whatever breakpoint is on it; kind 'budget' when it simply completed. A repeated string
   * instruction runs to its end, but for a trap (TF, a watchpoint, a data breakpoint) after one of its elements.
   */
  step(): Exit {
    const { cpu } = this;
    cpu.resumeOverBreakpoint = false;
    this.prepare();
    const due = this.takeDue();
    if (due) return due;
    const resume = this.takeResumeFlag();
    for (;;) {
      const exit = this.single(resume);
      if (exit.kind !== 'budget' || !this.unfinished) return exit;
    }
  }

  /** To be called before anything runs. */
  prepare(): void {
    const { cpu } = this;
    this.data.setUint32(State.repeatStep, 0, true);
    cpu.pendingExit = undefined;
    cpu.stackSegmentLoaded = false;
    this.parts.debug.apply(cpu.context);
  }

  private get singleStepping(): boolean {
    return (this.data.getUint32(State.flagRest, true) & Flag.TF) !== 0;
  }

  private get linearRip(): bigint {
    const { segments, regs } = this.cpu;
    return segments.long ? regs.rip : (regs.rip + segments.base(Segment.CS)) & 0xffffffffn;
  }

  private get atDebuggersBreakpoint(): boolean {
    return this.parts.debug.debuggersBreakpointAt(this.linearRip);
  }

  /** A repeated string instruction has stopped after an element with more to come; RIP is at it. */
  private get unfinished(): boolean {
    return (this.data.getUint32(State.repeatStep, true) & RepeatStep.Unfinished) !== 0;
  }

  /** RF holds for one instruction only: true when no instruction breakpoint counts there. */
  private takeResumeFlag(): boolean {
    const rest = this.data.getUint32(State.flagRest, true);
    if (!(rest & Flag.RF)) return false;
    this.data.setUint32(State.flagRest, rest & ~Flag.RF, true);
    return this.parts.debug.active;
  }

  /** What was left over by the instruction of the last Exit. */
  private takeDue(): Exit | undefined {
    const { context } = this.cpu;
    const { watchDue } = context;
    if (watchDue) {
      context.watchDue = undefined;
      return { kind: 'watchpoint', ...watchDue };
    }
    return context.trapDue === 0 || context.shadow ? undefined : this.trap();
  }

  /** A breakpoint record was met: the debugger's, or one of the debug registers. */
  private stopped(): Exit {
    if (this.atDebuggersBreakpoint) return { kind: 'breakpoint', address: this.linearRip };
    return this.debugException(this.parts.debug.instructionBreakpointsAt(this.linearRip));
  }

  private debugException(dr6: number): Exit {
    this.cpu.context.debugRegisters.dr6 |= dr6;
    return { kind: 'exception', vector: Vector.DB, errorCode: 0, address: 0n, dr6 };
  }

  private takeExit(): Exit {
    const { cpu } = this;
    const exit = cpu.pendingExit!;
    cpu.pendingExit = undefined;
    return exit;
  }

  /** The image of RFLAGS that a fault leaves has RF set (SDM vol. 3, 17.3.1.1). */
  private exception(): Exit {
    const { vector, errorCode, address } = this.parts.fault;
    this.setResumeFlag();
    return { kind: 'exception', vector, errorCode, address: vector === Vector.PF ? address : 0n };
  }

  private setResumeFlag(): void {
    this.data.setUint32(State.flagRest, this.data.getUint32(State.flagRest, true) | Flag.RF, true);
  }

  /**
   * One instruction, or one element of a repeated one, without regard to the debugger's breakpoints, with TF's trap,
   * watchpoints and debug registers. `resume`: an instruction breakpoint of the debug registers does not count.
   */
  private single(resume: boolean): Exit {
    const { cpu, data } = this;
    const { context } = cpu;
    const { access, blocks, debug, tiers } = this.parts;
    if (debug.active && !resume && !context.shadow) {
      const bits = debug.instructionBreakpointsAt(this.linearRip);
      if (bits !== 0) return this.debugException(bits);
    }
    context.shadow = false;
    const trap = this.singleStepping;
    const watch = access.watchpoints;
    if (watch) {
      watch.recording = true;
      watch.hit = undefined;
      watch.bits = 0;
    }
    blocks.ignoreBreakpoints = true;
    const { rip } = cpu.regs;
    const before = tiers.icount;
    data.setUint32(State.repeatStep, trap || watch ? RepeatStep.One : 0, true);
    let exit: Exit | undefined;
    try {
      exit = this.partial(1);
    } finally {
      blocks.ignoreBreakpoints = false;
      if (watch) watch.recording = false;
    }
    if (exit?.kind === 'exception') return exit;
    if (this.unfinished) {
      cpu.regs.rip = rip;
      tiers.icount = before;
    }
    // An interrupt or a system call clears TF on its way into the kernel.
    const stepped = trap && (exit === undefined || exit.kind === 'cs-switch');
    context.trapDue |= (watch?.bits ?? 0) | (stepped ? Dr6.BS : 0);
    if (cpu.stackSegmentLoaded) {
      cpu.stackSegmentLoaded = false;
      context.shadow = true;
      context.trapDue &= ~Dr6.BS;
    }
    if (exit) {
      context.watchDue = watch?.hit;
      return exit;
    }
    if (watch?.hit) return { kind: 'watchpoint', ...watch.hit };
    return context.trapDue !== 0 && !context.shadow ? this.trap() : { kind: 'budget' };
  }

  /** Between the elements of a repeated instruction the image of RFLAGS has RF set. */
  private trap(): Exit {
    const { context } = this.cpu;
    const { trapDue } = context;
    context.trapDue = 0;
    if (this.unfinished) this.setResumeFlag();
    return this.debugException(trapDue);
  }

  /** Runs the first `n` instructions of the block at RIP (fewer when it leaves early); undefined when they completed. */
  private partial(n: number): Exit | undefined {
    switch (this.parts.tiers.part(n)) {
      case RAISED:
        return this.exception();
      case Outcome.Exit:
        return this.takeExit();
      case Outcome.Breakpoint:
        return this.stopped();
      default:
        return undefined;
    }
  }
}
