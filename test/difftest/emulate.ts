import { CpuContext } from '../../cpu/context.ts';
import { Cpu } from '../../cpu/cpu.ts';
import { AVX512_FEATURES, FEATURES } from '../../cpu/cpuid.ts';
import type { Exit } from '../../cpu/exit.ts';
import { Access, type Mmu, PERM_R, PERM_W, PERM_X, PF_INSTR, PF_PRESENT, PF_USER, PF_WRITE } from '../../cpu/mmu.ts';
import { RuntimeImports } from '../../cpu/runtime/module.ts';
import { Segment, State, segmentBaseOffset, vectorOffset } from '../../cpu/state.ts';
import type { Region } from '../../cpu/translate/region-table.ts';
import type { Sketch } from '../../cpu/translate/translator.ts';
import { XFEATURE_X87, xrstor, xsave } from '../../cpu/xsave.ts';
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
import {
  Ended,
  eachGranule,
  errorCodeOf,
  HIGH_16,
  OPMASKS,
  type Outcome,
  type RawResult,
  Result,
  type TestCase,
  vectorOf,
  XSTATE,
  ZMM_HIGH,
} from './protocol.ts';

const OPTIONAL = /^(AES|PCLMULQDQ|SHA|ADX|AVX2?|BMI[12]|FMA|F16C|MOVBE|POPCNT|LZCNT|S?SSE[34].*|AVX512.*)$/;
const KNOWN: ReadonlySet<string> = new Set([...Object.values(FEATURES).flat(), ...AVX512_FEATURES]);

/** Does our CPUID announce a feature (iced's name)? What it has no bit for, every x86-64 has. */
export function announced(feature: string): boolean {
  const name = feature === 'LZCNT' ? 'abm' : feature.toLowerCase();
  return KNOWN.has(name) || !OPTIONAL.test(feature);
}

const TF = 0x100;
const NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;
const EDGE_PAGES = EDGES * (EDGE_STRIDE / PAGE);
/** Cases without TF end at an INT3 or a fault before, if only after a LOOP to itself. */
const LIMIT = 1 << 30;
/** Of which so many are gone through one by one. */
const STEPS = 1 << 18;

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

/** Where the registers are in the CPU state and in an XSAVE image: pairs of numbers of 32-bit words. */
function wordPairs(): { readonly narrow: Int32Array; readonly wide: Int32Array } {
  const pairs = (list: readonly (readonly [state: number, image: number, size: number])[]): Int32Array =>
    Int32Array.from(
      list.flatMap(([state, image, size]) =>
        Array.from({ length: size / 4 }, (_, i) => [state / 4 + i, image / 4 + i]).flat(),
      ),
    );
  const sixteen = Array.from({ length: 16 }, (_, n) => n);
  const narrow = [
    [State.mxcsr, 24, 4] as const,
    ...sixteen.flatMap((n) => [
      [vectorOffset(n), 160 + n * 16, 16] as const,
      [vectorOffset(n) + 16, 576 + n * 16, 16] as const,
    ]),
  ];
  const wide = [
    [State.k, OPMASKS, 64] as const,
    ...sixteen.flatMap((n) => [
      [vectorOffset(n) + 32, ZMM_HIGH + n * 32, 32] as const,
      [vectorOffset(16 + n), HIGH_16 + n * 64, 64] as const,
    ]),
  ];
  return { narrow: pairs(narrow), wide: pairs(wide) };
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
  /** What the pages hold before a case, or should hold after it. */
  readonly #image: Buffer;
  readonly #imageWords: Int32Array;
  readonly #words: Int32Array;
  readonly #pairs = wordPairs();
  /** The case whose code is in place. */
  #placed: TestCase | undefined;
  /** The case and result that `#image` is for. */
  #imageOf: RawResult | undefined;

  #wide: Emulator | undefined;
  #processor = 0;

  constructor(background: Uint8Array, avx512 = false) {
    this.cpu = new Cpu({ vendor: 'intel', avx512, memoryLimit: CODE_SIZE + DATA_SIZE + (EDGE_PAGES + 64) * PAGE });
    const { memory } = this.cpu;
    this.#words = new Int32Array(memory.buffer);
    this.#image = Buffer.from(new ArrayBuffer(DATA_SIZE));
    this.#imageWords = new Int32Array(this.#image.buffer);
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

  /** The one for a case. */
  #for(testCase: TestCase): Emulator {
    if (!testCase.wide || this.cpu.avx512) return this;
    if (!this.#wide) {
      this.#wide = new Emulator(this.#background, true);
      this.#wide.processor = this.#processor;
    }
    return this.#wide;
  }

  /** Puts the code of a case in place, and INT3 where another's was. */
  #place(testCase: TestCase): void {
    const old = this.#placed;
    if (old?.code === testCase.code && old.at === testCase.at) return;
    if (old) this.#write(old, false);
    this.#write(testCase, true);
    this.#placed = testCase;
  }
  #write({ at, code }: TestCase, there: boolean): void {
    const { memory } = this.cpu;
    const edge = at >= EDGE_BASE;
    const start = edge ? this.#edges * PAGE + at - EDGE_BASE : this.#code * PAGE + at - CODE_BASE;
    const room = edge ? PAGE - (at % PAGE) : CODE_BASE + CODE_SIZE - at;
    const n = Math.min(code.length, room);
    if (there) memory.bytes.set(n < code.length ? code.subarray(0, n) : code, start);
    else memory.bytes.fill(0xcc, start, start + n);
    for (let frame = Math.floor(start / PAGE); frame * PAGE < start + n; frame++) memory.noteWrite(frame);
  }

  /** LSL of Linux's 0x7b tells the processor: ours is the one that the cases ran on. */
  set processor(n: number) {
    this.#processor = n;
    this.cpu.gdt[15] = 0x0040f50000000000n | BigInt(n);
    if (this.#wide) this.#wide.processor = n;
  }

  /** The state and memory before the case. */
  #load(testCase: TestCase, heldInUse = 0): void {
    const { cpu } = this;
    cpu.heldInUse = heldInUse;
    const { regs } = this.#context;
    this.#pages.set(this.#background);
    for (const patch of testCase.patches) this.#pages.set(patch.bytes, patch.offset);

    regs.rip = BigInt(testCase.rip);
    regs.rflags = BigInt(testCase.rflags | (testCase.step ? TF : 0));
    for (let s = 0; s < 6; s++) {
      const selector = testCase.selectors[s]!;
      if (s >= 4 || regs.selector(s as 0) !== selector) cpu.loadSegment(NAMES[s]!, selector);
    }
    if (testCase.mode === 64) {
      regs.fsBase = testCase.fsBase;
      regs.gsBase = testCase.gsBase;
    }
    cpu.segmentsChanged();
    regs.gpr.set(testCase.gpr);
    this.#loadVectors(testCase);
    this.#context.trapDue = 0;
    this.#context.shadow = false;
    this.#place(testCase);
  }

  #loadVectors({ xstate, wide }: TestCase): void {
    const words = this.#words;
    const image = new Int32Array(xstate.buffer, xstate.byteOffset, XSTATE / 4);
    const { narrow } = this.#pairs;
    for (let i = 0; i < narrow.length; i += 2) words[narrow[i]!] = image[narrow[i + 1]!]!;
    if (wide) {
      const pairs = this.#pairs.wide;
      for (let i = 0; i < pairs.length; i += 2) words[pairs[i]!] = image[pairs[i + 1]!]!;
    } else if (this.cpu.avx512) {
      const pairs = this.#pairs.wide;
      for (let i = 0; i < pairs.length; i += 2) words[pairs[i]!] = 0;
    }
    const { regs } = this.#context;
    if (!xrstor(regs, xstate, XFEATURE_X87, true, 16, this.cpu.xcr0))
      throw new Error('the image of a case does not load');
  }

  /** @param heldInUse components that the CPU tells as in use even if they are not */
  run(testCase: TestCase, tier: Tier, heldInUse = 0): Outcome {
    const emulator = this.#for(testCase);
    if (emulator !== this) return emulator.run(testCase, tier, heldInUse);
    const { cpu } = this;
    const { regs } = this.#context;
    const data = this.#pages;
    this.#load(testCase, heldInUse);
    const before = Buffer.from(data);
    let region: Region | undefined;
    if (tier === 'regions') {
      const imports = new RuntimeImports(0);
      const sketch = cpu.sketchRegion(imports);
      region = sketch && cpu.translator!.link([sketch], imports)[0];
    }
    const end = this.#go(testCase, tier, region);

    const memory = new Map<number, bigint>();
    for (let offset = 0; offset < DATA_SIZE; offset += 8) {
      const value = data.readBigUInt64LE(offset);
      if (value !== before.readBigUInt64LE(offset)) memory.set(offset, value);
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

  /** A case's first block, to become a region in one module with others: V8 has a price for each module. */
  sketch(testCase: TestCase, modules: RegionModules): Sketched | undefined {
    const emulator = this.#for(testCase);
    if (emulator !== this) return emulator.sketch(testCase, modules);
    this.#load(testCase);
    return modules.sketch(this.cpu);
  }

  /** Does our CPU do with a case exactly what the host did? */
  agrees(testCase: TestCase, tier: Tier, expected: RawResult, sketched?: Sketched): boolean {
    const emulator = this.#for(testCase);
    if (emulator !== this) return emulator.agrees(testCase, tier, expected, sketched);
    this.#load(testCase);
    if (this.#imageOf !== expected) {
      this.#image.set(this.#pages);
      eachGranule(expected, (offset, word) => {
        this.#imageWords[offset >> 2] = expected.words[word]!;
        this.#imageWords[(offset >> 2) + 1] = expected.words[word + 1]!;
      });
      this.#imageOf = expected;
    }
    const end = this.#go(testCase, tier, sketched?.region);
    return this.#sameEnd(end, expected) && this.#sameRegisters(expected) && this.#pages.equals(this.#image);
  }

  #sameEnd(end: Pick<Outcome, 'vector' | 'errorCode' | 'cr2'>, expected: RawResult): boolean {
    const vector = vectorOf(expected);
    if (end.vector !== vector || (vector !== Ended.Step && end.errorCode !== errorCodeOf(expected))) return false;
    return vector !== 14 || end.cr2 === expected.view.getBigUint64(expected.at + Result.cr2, true);
  }

  #sameRegisters({ words: theirs, at }: RawResult): boolean {
    const ours = this.#words;
    const from = at / 4;
    const image = from + Result.xstate / 4;
    for (let i = 0; i < 32; i++) if (ours[State.gpr / 4 + i] !== theirs[from + Result.gpr / 4 + i]) return false;
    const { regs } = this.#context;
    const same64 = (state: number, result: number): boolean =>
      ours[state / 4] === theirs[from + result / 4] && ours[state / 4 + 1] === theirs[from + result / 4 + 1];
    if (!same64(State.rip, Result.rip)) return false;
    if (!same64(segmentBaseOffset(Segment.FS), Result.fsBase)) return false;
    if (!same64(segmentBaseOffset(Segment.GS), Result.gsBase)) return false;
    if (Number(regs.rflags) !== theirs[from + Result.rflags / 4]) return false;
    for (let s = 0; s < 6; s++) {
      const pair = theirs[from + Result.selectors / 4 + (s >> 1)]!;
      const their = s & 1 ? pair >>> 16 : pair & 0xffff;
      const our = regs.selector(s as 0);
      // The kernel's IRET turns the null selectors into 0.
      if (our !== their && (our >= 4 || their >= 4)) return false;
    }
    const status = theirs[image]!;
    if ((ours[State.fcw / 4]! & 0xffff) !== (status & 0xffff)) return false;
    if ((ours[State.fsw / 4]! & 0xffff) !== status >>> 16) return false;
    if ((ours[State.ftw / 4]! & 0xff) !== (theirs[image + 1]! & 0xff)) return false;
    const top = (status >>> 27) & 7;
    for (let i = 0; i < 8; i++) {
      const our = State.st / 4 + ((top + i) & 7) * 4;
      const their = image + 8 + i * 4;
      if (ours[our] !== theirs[their] || ours[our + 1] !== theirs[their + 1]) return false;
      if ((ours[our + 2]! ^ theirs[their + 2]!) & 0xffff) return false;
    }
    const { narrow, wide } = this.#pairs;
    for (let i = 0; i < narrow.length; i += 2) {
      if (ours[narrow[i]!] !== theirs[image + narrow[i + 1]!]) return false;
    }
    for (let i = 0; i < wide.length; i += 2) {
      if (ours[wide[i]!] !== theirs[image + wide[i + 1]!]) return false;
    }
    return true;
  }

  #go(testCase: TestCase, tier: Tier, region: Region | undefined): Pick<Outcome, 'vector' | 'errorCode' | 'cr2'> {
    const { cpu } = this;
    const { regs } = this.#context;
    const exit = testCase.step ? this.#step(testCase) : this.#free(tier, region);
    // SYSCALL loads SS; what comes back is the kernel's choice.
    if (exit.kind === 'syscall') cpu.loadSegment('ss', 0x2b);
    // The kernel's entry of INT 0x80 takes 32 bits.
    if (exit.kind === 'interrupt' && exit.vector === 0x80) regs.rax &= 0xffffffffn;
    return ending(exit);
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

  #free(tier: Tier, region: Region | undefined): Exit {
    const { cpu } = this;
    const start = cpu.icount;
    if (region) cpu.runRegion(region);
    for (;;) {
      const single = tier === 'steps' && cpu.icount - start < STEPS;
      const exit = single ? cpu.step() : cpu.run(LIMIT);
      const goesOn = exit.kind === 'cs-switch' || (single && exit.kind === 'budget');
      if (!goesOn || cpu.icount - start > LIMIT) return exit;
    }
  }
}

export interface Sketched {
  region: Region | undefined;
}

/** Regions of different cases, made by the dozen. */
export class RegionModules {
  #waiting: { readonly sketch: Sketch; readonly sketched: Sketched; readonly cpu: Cpu }[] = [];
  #imports = new RuntimeImports(0);

  sketch(cpu: Cpu): Sketched | undefined {
    const sketch = cpu.sketchRegion(this.#imports);
    if (!sketch) return undefined;
    const sketched: Sketched = { region: undefined };
    this.#waiting.push({ sketch, sketched, cpu });
    return sketched;
  }

  /** Makes the regions: from then on they can run. */
  link(): void {
    for (const cpu of new Set(this.#waiting.map((w) => w.cpu))) {
      const mine = this.#waiting.filter((w) => w.cpu === cpu);
      const sketches = mine.map(({ sketch }) => sketch);
      cpu.translator!.link(sketches, this.#imports).forEach((region, n) => {
        mine[n]!.sketched.region = region;
      });
    }
    this.#waiting = [];
    this.#imports = new RuntimeImports(0);
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
