/** The registers of a task, in the CPU or out of it. */
import { DebugRegisters } from './debug-registers.ts';
import { RegisterBytes, Registers } from './registers.ts';
import { CONTEXT_SIZE, State } from './state.ts';
import type { WatchHit } from './watchpoints.ts';

/** The registers of one task. */
export class CpuContext {
  readonly regs: Registers;
  /** DR0-DR3, DR6 and DR7: what ptrace puts here holds from the next `run` or `step` on. */
  readonly debugRegisters = new DebugRegisters();
  /** A debug exception that is due after another Exit at the same instruction: its bits of DR6. */
  trapDue = 0;
  /** A watchpoint that the instruction of another Exit hit. */
  watchDue: WatchHit | undefined;
  /** After MOV SS and POP SS: debug exceptions wait for one instruction (SDM vol. 3, 6.8.3). */
  shadow = false;
  /** Where the registers are while the context is not in the CPU. */
  readonly saved: Uint8Array;

  constructor(from?: Uint8Array) {
    this.saved = new Uint8Array(CONTEXT_SIZE);
    if (from) this.saved.set(from);
    else resetContext(new DataView(this.saved.buffer));
    this.regs = new Registers(new RegisterBytes(new DataView(this.saved.buffer)));
  }

  /** A copy of the registers as they are now (fork). */
  clone(): CpuContext {
    const { view } = this.regs;
    return new CpuContext(new Uint8Array(view.buffer, view.byteOffset, CONTEXT_SIZE));
  }
}

/** RFLAGS = 2, FPU and MXCSR as after FNINIT and reset; Intel SDM vol. 3, table 9-1. */
function resetContext(view: DataView): void {
  view.setBigUint64(State.flagResult, 1n, true);
  view.setUint32(State.flagAux, 0x100, true);
  view.setUint32(State.fcw, 0x37f, true);
  view.setUint32(State.mxcsr, 0x1f80, true);
}
