/** A CPU with a page of code, a page of data and a stack, for single instructions. */
import { CpuContext } from '../../cpu/context.ts';
import { Cpu } from '../../cpu/cpu.ts';
import type { Exit } from '../../cpu/exit.ts';
import { Access, type Mmu, PERM_R, PERM_W, PERM_X, PF_USER } from '../../cpu/mmu.ts';
import type { Registers } from '../../cpu/registers.ts';

export const CODE = 0x10000;
export const DATA = 0x20000;
const PAGE = 4096;

class TwoPages implements Mmu {
  readonly #code: number;
  readonly #data: number;
  constructor(code: number, data: number) {
    this.#code = code;
    this.#data = data;
  }
  translate(vpn: number, access: Access): number {
    if (vpn === CODE / PAGE && access !== Access.Write) return this.#code * 8 + (PERM_R | PERM_X);
    if (vpn === DATA / PAGE && access !== Access.Fetch) return this.#data * 8 + (PERM_R | PERM_W);
    return -1 - PF_USER;
  }
}

export class FpMachine {
  readonly cpu = new Cpu({ memoryLimit: 16 * PAGE });
  readonly #context = new CpuContext();
  readonly #code = this.cpu.memory.allocFrame();
  readonly #data = this.cpu.memory.allocFrame();
  #last = '';

  constructor(long = true) {
    this.cpu.gdt[4] = 0x00cffb000000ffffn;
    this.cpu.gdt[5] = 0x00cff3000000ffffn;
    this.cpu.gdt[6] = 0x00affb000000ffffn;
    this.cpu.switchTo(this.#context);
    this.cpu.setMmu(new TwoPages(this.#code, this.#data));
    this.cpu.loadSegment('cs', long ? 0x33 : 0x23);
    for (const s of ['ss', 'ds', 'es'] as const) this.cpu.loadSegment(s, 0x2b);
  }

  get regs(): Registers {
    return this.#context.regs;
  }
  get data(): Uint8Array {
    return this.cpu.memory.frame(this.#data);
  }

  /** Puts code in place and points RIP at it. */
  load(code: Uint8Array): void {
    const text = Buffer.from(code).toString('hex');
    if (text !== this.#last) {
      this.#last = text;
      this.cpu.memory.frame(this.#code).fill(0xcc);
      this.cpu.memory.frame(this.#code).set(code);
      this.cpu.memory.noteWrite(this.#code);
    }
    this.regs.rip = BigInt(CODE);
  }

  /** Runs `code` instruction by instruction to its end or the first exit. */
  run(code: Uint8Array): Exit {
    this.load(code);
    for (;;) {
      const exit = this.cpu.step();
      if (exit.kind !== 'budget' || this.regs.rip === BigInt(CODE + code.length)) return exit;
    }
  }
}
