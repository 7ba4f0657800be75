import { Cpu, CpuContext } from '../../cpu/cpu.ts';
import { AVX512_FEATURES, FEATURES } from '../../cpu/cpuid.ts';
import type { Exit } from '../../cpu/exit.ts';
import { Access, type Mmu, PERM_R, PERM_W, PERM_X, PF_INSTR, PF_PRESENT, PF_USER, PF_WRITE } from '../../cpu/mmu.ts';
import { xrstor, xsave } from '../../cpu/xsave.ts';
import {
  CODE_BASE,
  CODE_SIZE,
  DATA_BASE,
  DATA_SIZE,
  type Outcome,
  READ_ONLY_OFFSET,
  type TestCase,
  TLS_BASE,
  XSTATE,
} from './protocol.ts';

/** Does our CPUID announce a feature (iced's name)? What it has no bit for, every x86-64 has. */
export function announced(feature: string): boolean {
  const name = { LZCNT: 'abm', SSE4_1: 'sse4_1', SSE4_2: 'sse4_2' }[feature] ?? feature.toLowerCase();
  const optional = /^(AES|PCLMULQDQ|SHA|ADX|AVX2?|BMI[12]|FMA|F16C|MOVBE|POPCNT|LZCNT|S?SSE[34].*|AVX512.*)$/;
  const known = [...Object.values(FEATURES).flat(), ...AVX512_FEATURES];
  return !optional.test(feature) || known.some((bit) => bit === name);
}

const PAGE = 4096;
const USER32_CS = 0x23;
const USER_DS = 0x2b;
const USER_CS = 0x33;
const TLS_SELECTOR = 0x63;
const TF = 0x100;

/** The code and data pages, as native/runner.c maps them. */
class FlatMmu implements Mmu {
  readonly #code: number;
  readonly #data: number;
  constructor(code: number, data: number) {
    this.#code = code;
    this.#data = data;
  }
  translate(vpn: number, access: Access): number {
    const error = PF_USER | (access === Access.Write ? PF_WRITE : 0) | (access === Access.Fetch ? PF_INSTR : 0);
    const code = vpn - CODE_BASE / PAGE;
    if (code >= 0 && code < CODE_SIZE / PAGE) {
      if (access === Access.Write) return -1 - (error | PF_PRESENT);
      return (this.#code + code) * 8 + (PERM_R | PERM_X);
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
  readonly #data: number;
  readonly #background: Uint8Array;
  readonly #pages: Buffer;

  #wide: Emulator | undefined;

  constructor(background: Uint8Array, avx512 = false) {
    this.cpu = new Cpu({ vendor: 'intel', avx512, memoryLimit: CODE_SIZE + DATA_SIZE + 64 * PAGE });
    const { memory } = this.cpu;
    this.#code = memory.allocContiguous(CODE_SIZE / PAGE);
    this.#data = memory.allocContiguous(DATA_SIZE / PAGE);
    this.#background = background;
    this.#pages = Buffer.from(memory.buffer, this.#data * PAGE, DATA_SIZE);
    this.#pages.set(background);
    this.cpu.gdt[4] = 0x00cffb000000ffffn;
    this.cpu.gdt[5] = 0x00cff3000000ffffn;
    this.cpu.gdt[6] = 0x00affb000000ffffn;
    const base = BigInt(TLS_BASE);
    this.cpu.gdt[12] = 0x00cff3000000ffffn | ((base & 0xffffffn) << 16n) | ((base >> 24n) << 56n);
    this.cpu.switchTo(this.#context);
    this.cpu.setMmu(new FlatMmu(this.#code, this.#data));
  }

  /** Puts the code of a batch in place. */
  load(cases: readonly TestCase[]): void {
    if (!this.cpu.avx512 && cases.some((testCase) => testCase.wide)) {
      this.#wide ??= new Emulator(this.#background, true);
      this.#wide.load(cases);
    }
    const { memory } = this.cpu;
    const code = new Uint8Array(memory.buffer, this.#code * PAGE, CODE_SIZE);
    code.fill(0xcc);
    for (const testCase of cases) code.set(testCase.code, testCase.rip - CODE_BASE);
    for (let i = 0; i < CODE_SIZE / PAGE; i++) memory.noteWrite(this.#code + i);
  }

  run(testCase: TestCase, trapFlag: boolean): Outcome {
    if (testCase.wide && this.#wide) return this.#wide.run(testCase, trapFlag);
    const { cpu } = this;
    const { regs } = this.#context;
    const data = this.#pages;
    for (const patch of testCase.patches) data.set(patch.bytes, patch.offset);
    const before = testCase.patches.length > 0 ? Buffer.from(data) : this.#background;

    const user = testCase.compat ? USER_DS : 0;
    if (regs.cs !== (testCase.compat ? USER32_CS : USER_CS))
      cpu.loadSegment('cs', testCase.compat ? USER32_CS : USER_CS);
    if (regs.ss !== USER_DS) cpu.loadSegment('ss', USER_DS);
    if (regs.ds !== user) cpu.loadSegment('ds', user);
    if (regs.es !== user) cpu.loadSegment('es', user);
    if (regs.fs !== 0) cpu.loadSegment('fs', 0);
    const gs = testCase.compat ? TLS_SELECTOR : 0;
    if (regs.gs !== gs || testCase.compat) cpu.loadSegment('gs', gs);
    regs.fsBase = testCase.compat ? 0n : testCase.fsBase;
    if (!testCase.compat) regs.gsBase = testCase.gsBase;
    regs.gpr.set(testCase.gpr);
    regs.rip = BigInt(testCase.rip);
    regs.rflags = BigInt(testCase.rflags | (trapFlag ? TF : 0));
    xrstor(regs, testCase.xstate, cpu.xcr0);

    let exit: Exit = cpu.step();
    for (let i = 0; i < 65536 && testCase.repeat && exit.kind === 'budget' && regs.rip === BigInt(testCase.rip); i++) {
      exit = cpu.step();
    }
    if (trapFlag && exit.kind === 'exception' && exit.vector === 1) exit = { kind: 'budget' };

    const memory = new Map<number, bigint>();
    if (data.compare(before) !== 0) {
      for (let offset = 0; offset < DATA_SIZE; offset += 8) {
        const value = data.readBigUInt64LE(offset);
        if (value !== Buffer.from(before.buffer, before.byteOffset, DATA_SIZE).readBigUInt64LE(offset)) {
          memory.set(offset, value);
        }
      }
      data.set(this.#background);
    } else if (testCase.patches.length > 0) {
      data.set(this.#background);
    }
    let vector = -1;
    let errorCode = 0;
    let cr2 = 0n;
    if (exit.kind === 'exception') {
      vector = exit.vector;
      errorCode = exit.errorCode;
      if (vector === 14) cr2 = exit.address;
    } else if (exit.kind === 'interrupt') {
      vector = exit.vector;
    } else if (exit.kind !== 'budget' && exit.kind !== 'cs-switch') {
      vector = -2;
    }
    const xstate = new Uint8Array(XSTATE);
    xstate.set(xsave(regs, cpu.xcr0));
    return {
      vector,
      errorCode,
      cr2,
      rip: regs.rip,
      rflags: Number(regs.rflags),
      gpr: BigUint64Array.from(regs.gpr),
      selectors: [regs.cs, regs.ss, regs.ds, regs.es, regs.fs, regs.gs],
      fsBase: regs.fsBase,
      gsBase: regs.gsBase,
      xstate,
      memory,
    };
  }
}
