/** A kernel whose CPU runs a script instead of instructions: tests of tasks, signals and system calls without guest code. */
import { pino } from 'pino';
import type { CpuContext } from '../../../cpu/context.ts';
import type { Cpu } from '../../../cpu/cpu.ts';
import type { Exit } from '../../../cpu/exit.ts';
import type { Mmu } from '../../../cpu/mmu.ts';
import { PhysicalMemory } from '../../../cpu/physical-memory.ts';
import { RandomSource } from '../../../cpu/random.ts';
import { RegisterBytes, Registers } from '../../../cpu/registers.ts';
import { CONTEXT_SIZE, Segment, State } from '../../../cpu/state.ts';
import { initFpu, XCR0 } from '../../../cpu/xsave.ts';
import { makeTask } from '../../../linux/exec/init.ts';
import { Vfs } from '../../../linux/fs/vfs.ts';
import { Kernel } from '../../../linux/kernel.ts';
import { do_mmap } from '../../../linux/mm/mmap.ts';
import { bootOps } from '../../../linux/patches/series.ts';
import type { RunRequest, StopEvent } from '../../../linux/task/run.ts';
import type { Task } from '../../../linux/task/task.ts';
import { TIF_ADDR32, TIF_IA32 } from '../../../linux/task/thread-info.ts';
import { vdsoShipped } from '../../../linux/vdso/config.ts';

/** What the CPU does at its next run in a context: it may change registers, and comes back with an exit. */
export type Step = (regs: Registers) => Exit;

class ScriptedContext {
  trapDue = 0;
  readonly regs: Registers;
  script: Step[] = [];

  constructor(from?: ArrayBuffer) {
    const buffer = from?.slice(0) ?? new ArrayBuffer(CONTEXT_SIZE);
    this.regs = new Registers(new RegisterBytes(new DataView(buffer)));
    if (!from) initFpu(this.regs);
  }
  clone(): ScriptedContext {
    return new ScriptedContext(this.regs.view.buffer.slice(0, CONTEXT_SIZE) as ArrayBuffer);
  }
}

class ScriptedCpu {
  readonly avx512 = false;
  readonly xcr0 = XCR0;
  readonly memory: PhysicalMemory;
  readonly gdt = new BigUint64Array(16);
  ldt = new BigUint64Array(0);
  readonly random = new RandomSource(0n);
  icount = 0;
  tscOffset = 0;
  resumeOverBreakpoint = false;
  context: ScriptedContext | undefined;

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
  }
  switchTo(context: ScriptedContext): void {
    this.context = context;
  }
  setMmu(_mmu: Mmu): void {}
  flushTlb(): void {}
  flushPage(): void {}
  dropSpace(): void {}
  loadSegment(name: string, selector: number): boolean {
    const s = Segment[name.toUpperCase() as keyof typeof Segment];
    this.context!.regs.view.setUint32(State.selector + s * 4, selector, true);
    return true;
  }
  run(budget: number): Exit {
    const step = this.context!.script.shift();
    if (step) {
      this.icount++;
      return step(this.context!.regs);
    }
    this.icount += budget;
    return { kind: 'budget' };
  }
  step(): Exit {
    return this.run(1);
  }
}

export const USER = 0x1_0000;

export interface Machine {
  readonly kernel: Kernel;
  readonly lines: string[];
  /** A process with a page of memory at USER, and a stack. */
  process(abi?: '64' | 'ia32'): Task;
  script(task: Task, ...steps: Step[]): void;
  /** Runs until an event, or the budget. */
  run(budget?: number, action?: RunRequest['action']): StopEvent;
}

export function scriptedMachine(patches = 'none', kernelName = 'compat-cr'): Machine {
  const cpu = new ScriptedCpu(new PhysicalMemory(64 * 1024 * 1024)) as unknown as Cpu;
  const lines: string[] = [];
  const kernel = new Kernel({
    cpu,
    ops: bootOps(kernelName, patches),
    vdso: vdsoShipped('any'),
    vfs: new Vfs({ cpu }),
    log: pino({ level: 'silent' }),
    strace: (line) => lines.push(line),
  });
  return {
    kernel,
    lines,
    process: (abi = '64') => {
      const task = makeTask(kernel, { context: new ScriptedContext() as unknown as CpuContext });
      if (typeof task === 'number') throw new Error(`no task: ${task}`);
      task.mm.arch_pick_mmap_layout(abi, false);
      if (abi === 'ia32') task.threadInfo.flags |= TIF_IA32 | TIF_ADDR32;
      kernel.addTask(task);
      kernel.switchTo(task);
      const fixedPrivateAnonymous = 0x32;
      do_mmap(task, USER, 0x4000, 7, fixedPrivateAnonymous, undefined, 0);
      for (const segment of ['ds', 'es'] as const) cpu.loadSegment(segment, abi === 'ia32' ? 0x2b : 0);
      cpu.loadSegment('cs', abi === 'ia32' ? 0x23 : 0x33);
      cpu.loadSegment('ss', 0x2b);
      task.regs.rsp = BigInt(USER + 0x4000);
      task.regs.rip = BigInt(USER);
      task.regs.rflags = 0x202n;
      return task;
    },
    script: (task, ...steps) => {
      (task.context as unknown as ScriptedContext).script.push(...steps);
    },
    run: (budget = 1000, action = () => 'run') => kernel.run({ action, budget }),
  };
}

const ORDER = ['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'] as const;
const ORDER_32 = ['rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp'] as const;

/** A step that makes a 64-bit system call. */
export const syscall =
  (nr: number, ...args: (number | bigint)[]): Step =>
  (regs) => {
    regs.rax = BigInt(nr);
    args.forEach((a, i) => {
      regs[ORDER[i]!] = BigInt.asUintN(64, BigInt(a));
    });
    regs.rip += 2n;
    regs.rcx = regs.rip;
    regs.r11 = regs.rflags;
    return { kind: 'syscall' };
  };

/** A step that makes an int 0x80. */
export const int80 =
  (nr: number, ...args: number[]): Step =>
  (regs) => {
    regs.rax = BigInt(nr);
    args.forEach((a, i) => {
      regs[ORDER_32[i]!] = BigInt.asUintN(32, BigInt(a));
    });
    regs.rip += 2n;
    return { kind: 'interrupt', vector: 0x80 };
  };

/** The result of the last call as a signed number. */
export const result = (task: Task): number => Number(BigInt.asIntN(64, task.regs.rax));
