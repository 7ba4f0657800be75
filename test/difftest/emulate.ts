import { CpuContext } from '../../cpu/context.ts';
import { Cpu } from '../../cpu/cpu.ts';
import { AVX512_FEATURES, FEATURES } from '../../cpu/cpuid.ts';
import type { Exit } from '../../cpu/exit.ts';
import { Access, type Mmu, PERM_R, PERM_W, PERM_X, PF_INSTR, PF_PRESENT, PF_USER, PF_WRITE } from '../../cpu/mmu.ts';
import { xrstor, xsave } from '../../cpu/xsave.ts';
import {
  CODE_BASE,
  CODE_SIZE,
  DATA_BASE,
  DATA_SIZE,
  EDGE_BASE,
  EDGE_STRIDE,
  EDGES,
  LDT,
  PAGE,
  READ_ONLY_OFFSET,
  rawDescriptor,
  TLS_BASE,
} from './layout.ts';
import { Ended, type Outcome, type TestCase, XSTATE } from './protocol.ts';

/** Does our CPUID announce a feature (iced's name)? What it has no bit for, every x86-64 has. */
export function announced(feature: string): boolean {
  const name = { LZCNT: 'abm', SSE4_1: 'sse4_1', SSE4_2: 'sse4_2' }[feature] ?? feature.toLowerCase();
  const optional = /^(AES|PCLMULQDQ|SHA|ADX|AVX2?|BMI[12]|FMA|F16C|MOVBE|POPCNT|LZCNT|S?SSE[34].*|AVX512.*)$/;
  const known = [...Object.values(FEATURES).flat(), ...AVX512_FEATURES];
  return !optional.test(feature) || known.some((bit) => bit === name);
}

const TF = 0x100;
const NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;
const EDGE_PAGES = EDGES * (EDGE_STRIDE / PAGE);
/** Cases without TF end at an INT3 or a fault long before. */
const LIMIT = 1 << 18;

/** How the emulator goes through a case without TF: whole blocks, instruction by instruction, or the first block translated. */
export type Tier = 'blocks' | 'steps' | 'regions';
export const TIERS: readonly Tier[] = ['blocks', 'steps', 'regions'];

/** The code and data pages, as native/runner.c maps them. */
class FlatMmu implements Mmu {
  readonly #code: number;
  readonly #edges: number;
  readonly #data: number;
  constructor(code: number, edges: number, data: number) {
    this.#code = code;
    this.#edges = edges;
    this.#data = data;
  }
  /** Code only: nothing else is asked for. */
  peek(vpn: number): number {
    const code = vpn - CODE_BASE / PAGE;
    return code >= 0 && code < CODE_SIZE / PAGE ? this.translate(vpn, Access.Fetch) : -1;
  }
  translate(vpn: number, access: Access): number {
    const error = PF_USER | (access === Access.Write ? PF_WRITE : 0) | (access === Access.Fetch ? PF_INSTR : 0);
    const code = vpn - CODE_BASE / PAGE;
    if (code >= 0 && code < CODE_SIZE / PAGE) {
      if (access === Access.Write) return -1 - (error | PF_PRESENT);
      return (this.#code + code) * 8 + (PERM_R | PERM_X);
    }
    const edge = vpn - EDGE_BASE / PAGE;
    if (edge >= 0 && edge < EDGE_PAGES && (edge & 3) !== 1) {
      const executable = (edge & 1) === 0;
      if (access === Access.Write || (access === Access.Fetch && !executable)) return -1 - (error | PF_PRESENT);
      return (this.#edges + edge) * 8 + (executable ? PERM_R | PERM_X : PERM_R);
    }
    const data = vpn - DATA_BASE / PAGE;
    if (data < 0 || data >= DATA_SIZE / PAGE) {
      // Linux reports a fault above TASK_SIZE_MAX as a protection fault (fault.c, set_signal_archinfo)
      return -1 - (vpn >= 0x7ffffffff ? error | PF_PRESENT : error);
    }
    const readOnly = data >= READ_ONLY_OFFSET / PAGE;
    if (access === Access.Fetch || (access === Access.Write && readOnly)) return -1 - (error | PF_PRESENT);
    return (this.#data + data) * 8 + (readOnly ? PERM_R : PERM_R | PERM_W);
  }
}

/** Runs the cases on our CPU; those with AVX-512 state on one that has it. */
export class Emulator {
  readonly cpu: Cpu;
  readonly #context = new CpuContext();
  readonly #code: number;
  readonly #edges: number;
  readonly #data: number;
  readonly #background: Uint8Array;
  readonly #pages: Buffer;

  #wide: Emulator | undefined;
  #processor = 0;

  constructor(background: Uint8Array, avx512 = false) {
    this.cpu = new Cpu({ vendor: 'intel', avx512, memoryLimit: CODE_SIZE + DATA_SIZE + (EDGE_PAGES + 64) * PAGE });
    const { memory } = this.cpu;
    this.#code = memory.allocContiguous(CODE_SIZE / PAGE);
    this.#edges = memory.allocContiguous(EDGE_PAGES);
    this.#data = memory.allocContiguous(DATA_SIZE / PAGE);
    this.#background = background;
    this.#pages = Buffer.from(memory.buffer, this.#data * PAGE, DATA_SIZE);
    this.#pages.set(background);
    memory.bytes.fill(0xcc, this.#code * PAGE, this.#code * PAGE + CODE_SIZE);
    memory.bytes.fill(0xcc, this.#edges * PAGE, (this.#edges + EDGE_PAGES) * PAGE);
    const { gdt } = this.cpu;
    gdt[4] = 0x00cffb000000ffffn;
    gdt[5] = 0x00cff3000000ffffn;
    gdt[6] = 0x00affb000000ffffn;
    const base = BigInt(TLS_BASE);
    gdt[12] = 0x00dff3000000ffffn | ((base & 0xffffffn) << 16n) | ((base >> 24n) << 56n);
    this.processor = 0;
    this.cpu.ldt = BigUint64Array.from(LDT.map(rawDescriptor));
    this.cpu.switchTo(this.#context);
    this.cpu.setMmu(new FlatMmu(this.#code, this.#edges, this.#data));
  }

  /** Puts the code of a case in place, or INT3 where it was. */
  #place({ at, code }: TestCase, there: boolean): void {
    const { memory } = this.cpu;
    const edge = at >= EDGE_BASE;
    const start = edge ? this.#edges * PAGE + at - EDGE_BASE : this.#code * PAGE + at - CODE_BASE;
    const room = edge ? PAGE - (at % PAGE) : CODE_BASE + CODE_SIZE - at;
    const n = Math.min(code.length, room);
    if (there) memory.bytes.set(code.subarray(0, n), start);
    else memory.bytes.fill(0xcc, start, start + n);
    for (let frame = Math.floor(start / PAGE); frame * PAGE < start + n; frame++) memory.noteWrite(frame);
  }

  /** LSL of Linux's 0x7b tells the processor: ours is the one that the cases ran on. */
  set processor(n: number) {
    this.#processor = n;
    this.cpu.gdt[15] = 0x0040f50000000000n | BigInt(n);
  }

  run(testCase: TestCase, tier: Tier): Outcome {
    if (testCase.wide && !this.cpu.avx512) {
      this.#wide ??= new Emulator(this.#background, true);
      this.#wide.processor = this.#processor;
      return this.#wide.run(testCase, tier);
    }
    const { cpu } = this;
    const { regs } = this.#context;
    const data = this.#pages;
    for (const patch of testCase.patches) data.set(patch.bytes, patch.offset);
    const before = testCase.patches.length > 0 ? Buffer.from(data) : this.#background;

    testCase.selectors.forEach((selector, s) => {
      if (regs.selector(s as 0) !== selector || s >= 4) cpu.loadSegment(NAMES[s]!, selector);
    });
    if (testCase.mode === 64) {
      regs.fsBase = testCase.fsBase;
      regs.gsBase = testCase.gsBase;
    }
    regs.gpr.set(testCase.gpr);
    regs.rip = BigInt(testCase.rip);
    regs.rflags = BigInt(testCase.rflags | (testCase.step ? TF : 0));
    xrstor(regs, testCase.xstate, cpu.xcr0);
    this.#context.trapDue = 0;
    this.#context.shadow = false;
    this.#place(testCase, true);

    const exit = testCase.step ? this.#step(testCase) : this.#free(tier);
    // SYSCALL loads SS; what comes back is the kernel's choice.
    if (exit.kind === 'syscall') cpu.loadSegment('ss', 0x2b);
    // The kernel's entry of INT 0x80 takes 32 bits.
    if (exit.kind === 'interrupt' && exit.vector === 0x80) regs.rax &= 0xffffffffn;
    const end = ending(exit);
    this.#place(testCase, false);

    const memory = new Map<number, bigint>();
    if (data.compare(before) !== 0) {
      const old = Buffer.from(before.buffer, before.byteOffset, DATA_SIZE);
      for (let offset = 0; offset < DATA_SIZE; offset += 8) {
        const value = data.readBigUInt64LE(offset);
        if (value !== old.readBigUInt64LE(offset)) memory.set(offset, value);
      }
      data.set(this.#background);
    } else if (testCase.patches.length > 0) {
      data.set(this.#background);
    }
    const xstate = new Uint8Array(XSTATE);
    xstate.set(xsave(regs, cpu.xcr0));
    return {
      ...end,
      rip: regs.rip,
      rflags: Number(regs.rflags),
      gpr: BigUint64Array.from(regs.gpr),
      selectors: [regs.es, regs.cs, regs.ss, regs.ds, regs.fs, regs.gs],
      fsBase: regs.fsBase,
      gsBase: regs.gsBase,
      xstate,
      memory,
    };
  }

  /** To the trap of TF. */
  #step(testCase: TestCase): Exit {
    const { cpu } = this;
    const rip = BigInt(testCase.rip);
    for (let n = 0; ; n++) {
      const exit = cpu.run(16);
      if (exit.kind === 'cs-switch') continue;
      const again = exit.kind === 'exception' && exit.dr6 !== undefined && testCase.repeat && cpu.regs.rip === rip;
      if (!again || n === 65536) return exit;
    }
  }

  #free(tier: Tier): Exit {
    const { cpu } = this;
    const start = cpu.icount;
    if (tier === 'regions') cpu.runTranslated();
    for (;;) {
      const exit = tier === 'steps' ? cpu.step() : cpu.run(LIMIT);
      const goesOn = exit.kind === 'cs-switch' || (tier === 'steps' && exit.kind === 'budget');
      if (!goesOn || cpu.icount - start > LIMIT) return exit;
    }
  }
}

/** In the terms of the native side. */
function ending(exit: Exit): Pick<Outcome, 'vector' | 'errorCode' | 'cr2'> {
  const none = { errorCode: 0, cr2: 0n };
  switch (exit.kind) {
    case 'exception':
      if (exit.dr6 !== undefined) return { vector: Ended.Step, ...none };
      return { vector: exit.vector, errorCode: exit.errorCode, cr2: exit.vector === 14 ? exit.address : 0n };
    case 'interrupt':
      return { vector: exit.vector === 0x80 ? Ended.Call : exit.vector, ...none };
    case 'syscall':
      return { vector: Ended.Call, ...none };
    default:
      return { vector: Ended.Other, ...none };
  }
}
