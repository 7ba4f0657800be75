/** The CPU: contexts, the run loop, breakpoints and watchpoints. */
import { Blocks } from './blocks.ts';
import { activeBreakpoints, DebugRegisters, Dr6, type HardwareBreakpoint } from './debug-registers.ts';
import { type Block, CodeCache } from './decode/code-cache.ts';
import { Decoder, type Tables } from './decode/decoder.ts';
import { buildTable, compileRow } from './decode/encoding.ts';
import { type Exit, Vector } from './exit.ts';
import { Fault, WatchRetry } from './fault.ts';
import { Flag } from './flags.ts';
import { foldMask, maskedMemory } from './interp/evex-form.ts';
import { HelperContext } from './interp/helper-context.ts';
import { Interpreter, type Port } from './interp/interpreter.ts';
import { Pseudo } from './interp/pseudo.ts';
import { AccessInfo, Action, Outcome, RECORD_SIZE, Rec } from './interp/record.ts';
import { coldRows, commonRows } from './isa/all.ts';
import { avx512Rows } from './isa/avx512.ts';
import { MemoryAccess } from './memory-access.ts';
import type { Mmu } from './mmu.ts';
import { PhysicalMemory } from './physical-memory.ts';
import { RandomSource } from './random.ts';
import { Registers } from './registers.ts';
import { SegmentFile } from './segment.ts';
import { checkAccess, loadSegmentRegister } from './segment-checks.ts';
import { CONTEXT_SIZE, PAGE_SIZE, RepeatStep, Segment, State } from './state.ts';
import { Tlb } from './tlb.ts';
import { DEFAULT_TRANSLATE, type TranslateOptions, Translator } from './translate/translator.ts';
import { ModuleStore } from './wasm/module-store.ts';
import { type WatchHit, type WatchKind, Watchpoints } from './watchpoints.ts';
import { XCR0, XFEATURE_AVX512 } from './xsave.ts';

export type Vendor = 'amd' | 'intel' | 'any';

export interface CpuOptions {
  readonly vendor?: Vendor;
  /** Bytes of frames. */
  readonly memoryLimit?: number;
  /** AVX-512 F, CD, BW, DQ and VL exist. */
  readonly avx512?: boolean;
  /** WebAssembly that need not be made; if not given, what the build has kept. */
  readonly modules?: ModuleStore;
  /** Hot code becomes WebAssembly (translate/); when, or not at all. */
  readonly translate?: 'off' | TranslateOptions;
}

/** Made when the first instruction under VEX or EVEX is decoded. */
function avx512Tables(): Tables {
  const rows = avx512Rows().map(compileRow);
  return { long: buildTable(rows, true), compat: buildTable(rows, false) };
}

const DEFAULT_MEMORY_LIMIT = 2 ** 31;
/** The interpreter comes back this often, so that V8 can put the optimised code in its place. */
const SLICE = 4_000_000;

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
    this.regs = new Registers(new DataView(this.saved.buffer));
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

export class Cpu implements Port {
  readonly memory: PhysicalMemory;
  readonly vendor: Vendor;
  /** Has AVX-512 F, CD, BW, DQ and VL. */
  readonly avx512: boolean;
  readonly modules: ModuleStore;
  readonly interpreter: Interpreter;
  readonly access: MemoryAccess;
  readonly segments: SegmentFile;
  readonly gdt = new BigUint64Array(16);
  ldt: BigUint64Array = new BigUint64Array(0);
  /** Behind RDRAND and RDSEED; the machine sets its state from its seed. */
  readonly random = new RandomSource(0n);
  /** Instructions retired since boot. */
  icount = 0;
  tscOffset = 0;
  /** The next `run` does not stop at a breakpoint at its first instruction. */
  resumeOverBreakpoint = false;
  /** Set by a handler that ends the run. */
  pendingExit: Exit | undefined;
  /** Set by MOV SS and POP SS. */
  stackSegmentLoaded = false;

  /** The second tier, unless it is off. */
  readonly translator: Translator | undefined;

  private readonly data: DataView;
  private readonly tlb: Tlb;
  private readonly cache: CodeCache;
  private readonly blocks: Blocks;
  private readonly helperContext: HelperContext;
  private readonly fault = new Fault();
  private readonly retry = new WatchRetry();
  /** The one that is in the CPU. */
  context: CpuContext;
  private mmu: Mmu | undefined;
  private readonly watchpoints = new Map<Mmu, Watchpoints>();
  /** The debug registers as they are applied, and the address space in which. */
  private hardware: readonly HardwareBreakpoint[] = [];
  private hardwareMmu: Mmu | undefined;
  private hardwareKey = '';
  private codeBase = 0n;
  /** Budget given to the slice under way, to know the instruction count within it. */
  private slice = 0;

  constructor(options: CpuOptions = {}) {
    this.vendor = options.vendor ?? 'any';
    this.avx512 = options.avx512 ?? false;
    this.memory = new PhysicalMemory(options.memoryLimit ?? DEFAULT_MEMORY_LIMIT);
    const { buffer, bytes } = this.memory;
    this.data = new DataView(buffer);
    this.segments = new SegmentFile(new DataView(buffer, 0, PAGE_SIZE));
    this.tlb = new Tlb(bytes);
    this.cache = new CodeCache(this.memory);
    this.access = new MemoryAccess(this.memory, this.tlb, this.cache, this.fault, this.retry);
    this.helperContext = new HelperContext(this, buffer);
    const common = commonRows.map(compileRow);
    const cold = coldRows.map(compileRow);
    const all = [...common, ...cold];
    // What the build keeps is for vector registers of 32 bytes.
    this.modules = options.modules ?? (this.avx512 ? new ModuleStore() : ModuleStore.shipped());
    const vectorBytes = this.avx512 ? 64 : 32;
    this.interpreter = new Interpreter(this.memory.wasm, { common, cold }, this, vectorBytes, this.modules);
    const extension = this.avx512 ? avx512Tables : undefined;
    const decoder = new Decoder(buildTable(all, true), buildTable(all, false), extension);
    const { memory, tlb, cache, access, segments, interpreter } = this;
    this.blocks = new Blocks(memory, tlb, cache, access, segments, decoder, interpreter);
    const { translate = DEFAULT_TRANSLATE } = options;
    if (translate !== 'off') {
      this.translator = new Translator(translate, { memory, blocks: this.blocks, cache, access, interpreter, tlb });
    }
    this.context = new CpuContext();
    this.moveIn(this.context);
  }

  get regs(): Registers {
    return this.context.regs;
  }

  /** The state components that XSAVE handles. */
  get xcr0(): number {
    return this.avx512 ? XCR0 | XFEATURE_AVX512 : XCR0;
  }

  // Contexts and address spaces.

  switchTo(context: CpuContext): void {
    if (context === this.context) return;
    const old = this.context;
    old.saved.set(this.memory.bytes.subarray(0, CONTEXT_SIZE));
    old.regs.rebind(new DataView(old.saved.buffer));
    this.moveIn(context);
  }

  setMmu(mmu: Mmu): void {
    if (mmu === this.mmu) return;
    this.mmu = mmu;
    this.access.mmu = mmu;
    this.access.watchpoints = this.watchpoints.get(mmu);
    this.tlb.flush();
    this.translator?.spaceChanged();
  }

  flushTlb(): void {
    this.tlb.flush();
    this.translator?.mappingsChanged();
    this.cache.leaveAfterRunning();
  }

  flushPage(vpn: number): void {
    this.tlb.flushPage(vpn);
    this.translator?.pageChanged(vpn);
    if (this.blocks.runsOn(vpn)) this.cache.leaveAfterRunning();
  }

  dropSpace(mmu: Mmu): void {
    this.blocks.dropSpace(mmu);
    this.translator?.windows.dropSpace(mmu);
    this.watchpoints.delete(mmu);
    if (this.hardwareMmu === mmu) {
      this.hardware = [];
      this.hardwareMmu = undefined;
      this.hardwareKey = '';
    }
    if (this.mmu === mmu) {
      this.mmu = undefined;
      this.access.mmu = undefined;
      this.access.watchpoints = undefined;
      this.tlb.flush();
    }
  }

  /** Loads a segment register as MOV and far transfers do; false where they would fault. */
  loadSegment(segment: 'es' | 'cs' | 'ss' | 'ds' | 'fs' | 'gs', selector: number): boolean {
    const s = Segment[segment.toUpperCase() as keyof typeof Segment];
    return loadSegmentRegister(this, s, selector) === undefined;
  }

  /** To be called after segment registers changed. */
  segmentsChanged(): void {
    this.segments.updateMode();
    this.access.long = this.segments.long;
    // The jump cache goes by RIP: with another base of CS the same RIP means another place.
    const base = this.segments.long ? 0n : this.segments.base(Segment.CS);
    if (base !== this.codeBase) this.tlb.flushJumps();
    this.codeBase = base;
  }

  // Breakpoints and watchpoints.

  addBreakpoint(mmu: Mmu, address: number): void {
    this.blocks.addBreakpoint(mmu, address);
    this.translator?.spaceChanged();
  }

  removeBreakpoint(mmu: Mmu, address: number): void {
    this.blocks.removeBreakpoint(mmu, address);
    this.translator?.spaceChanged();
  }

  addWatchpoint(mmu: Mmu, address: number, length: number, kind: WatchKind): void {
    const list = this.watchpoints.get(mmu) ?? new Watchpoints();
    this.watchpoints.set(mmu, list);
    list.add({ address, length, kind });
    this.watchesChanged(mmu);
  }

  removeWatchpoint(mmu: Mmu, address: number, length: number, kind: WatchKind): void {
    const list = this.watchpoints.get(mmu);
    if (!list) return;
    list.remove({ address, length, kind });
    if (list.list.length === 0) this.watchpoints.delete(mmu);
    this.watchesChanged(mmu);
  }

  // Running.

  /** Runs at most `budget` instructions. */
  run(budget: number): Exit {
    let left = budget;
    let over = this.resumeOverBreakpoint;
    this.resumeOverBreakpoint = false;
    this.prepare();
    const due = this.takeDue();
    if (due) return due;
    let resume = false;
    while (left > 0) {
      if (this.takeResumeFlag()) resume = true;
      if (this.singleStepping || over || resume || this.context.shadow) {
        if (!over && this.atDebuggersBreakpoint) return { kind: 'breakpoint', address: this.linearRip };
        const before = this.icount;
        const exit = this.single(resume);
        if (exit.kind !== 'budget') return exit;
        left -= this.icount - before;
        // What `over` and RF are good for is the whole of a repeated instruction.
        if (!this.unfinished) over = resume = false;
        continue;
      }
      const before = this.icount;
      this.data.setUint32(State.repeatStep, 0, true);
      const outcome = this.execute(Math.min(left, SLICE), this.translator);
      left -= this.icount - before;
      switch (outcome) {
        case Outcome.Budget:
          // The next block is longer than what is left: a part of it.
          if (left > 0 && left < SLICE) {
            const done = this.icount;
            const exit = this.partial(left);
            if (exit) return exit;
            left -= this.icount - done;
          }
          break;
        case Outcome.Breakpoint:
          return this.stopped();
        case Outcome.Exit:
          return this.takeExit();
        case RAISED:
          return this.exception();
        case WATCHED: {
          const done = this.icount;
          const exit = this.single(true);
          if (exit.kind !== 'budget') return exit;
          left -= this.icount - done;
          break;
        }
        default:
      }
      if (this.stackSegmentLoaded) {
        this.stackSegmentLoaded = false;
        this.context.shadow = this.hardware.length > 0;
      }
    }
    return { kind: 'budget' };
  }

  /**
   * Runs one instruction, whatever breakpoint is on it; kind 'budget' when it simply completed. A repeated string
   * instruction runs to its end, but for a trap (TF, a watchpoint, a data breakpoint) after one of its elements.
   */
  step(): Exit {
    this.resumeOverBreakpoint = false;
    this.prepare();
    const due = this.takeDue();
    if (due) return due;
    const resume = this.takeResumeFlag();
    for (;;) {
      const exit = this.single(resume);
      if (exit.kind !== 'budget' || !this.unfinished) return exit;
    }
  }

  /** For tests: runs the block at RIP as a region of its own. False when its first instruction is left to the interpreter. */
  runTranslated(): boolean {
    const { translator, data } = this;
    if (!translator) return false;
    this.prepare();
    const before = this.icount;
    try {
      this.blocks.lookUp();
      const region = translator.alone();
      if (!region) return false;
      this.slice = region.need;
      data.setInt32(State.budget, this.slice, true);
      translator.prepare(region);
      translator.left(region, region.run());
      this.icount += this.slice - data.getInt32(State.budget, true);
    } catch (e) {
      if (e !== this.fault) throw e;
    } finally {
      this.slice = 0;
      data.setInt32(State.budget, 0, true);
    }
    return this.icount > before;
  }

  // What the generated code calls (Port).

  slow(record: number, low: number, high: number, info: number): number {
    if (info & 0x400) return this.masked(record, low, high, info);
    this.access.stack = (info & 0x200) !== 0;
    const host = this.access.host(record, low, high, info & 0xff, (info & 0x100) !== 0);
    this.access.stack = false;
    return host;
  }

  /** The memory operand of an EVEX instruction: only the elements that its opmask names are touched. */
  private masked(record: number, low: number, high: number, info: number): number {
    const size = info & 0xff;
    const write = (info & 0x100) !== 0;
    const variant = this.interpreter.variant(this.data.getUint16(record, true));
    const { elements, bits } = maskedMemory(variant, size * 8);
    const mask = this.data.getBigUint64(this.data.getUint16(record + Rec.opmask, true), true);
    const wanted = foldMask(mask, elements, (size * 8) / bits);
    const offset = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    const bytes = bits >> 3;
    const flags = AccessInfo.Unaligned | (write ? AccessInfo.Write : 0);
    const linear = (element: number): bigint => {
      const at = offset + BigInt(element * bytes);
      return info & 0x800 ? checkAccess(this, record, at, bytes, flags) : at;
    };
    // Segments first, then pages.
    const addresses = new Map(wanted.map((element) => [element, linear(element)]));
    const [first] = wanted;
    if (variant.checked && first !== undefined) {
      const start = addresses.get(first)! - BigInt(first * bytes);
      const misaligned = start % BigInt(size) !== 0n;
      if (misaligned && variant.row.row.options.align === 'always') this.access.raise(record, Vector.GP, 0);
      // A scalar or a broadcast is subject to the alignment check, a vector under a mask is not.
      if (misaligned && size <= 8 && this.segments.alignmentChecked) this.access.raise(record, Vector.AC, 0);
    }
    return this.access.masked(record, bytes, wanted, (element) => addresses.get(element)!, write);
  }

  commit(): void {
    this.access.commit();
  }

  raise(record: number, vector: number, errorCode: number): void {
    this.access.raise(record, vector, errorCode);
  }

  helper(run: (h: HelperContext) => void, record: number): number {
    const h = this.helperContext;
    h.record = record;
    h.action = Action.Continue;
    this.cache.running = record;
    this.access.stack = false;
    run(h);
    if (h.action === Action.Continue && h.variant.row.row.options.ends) h.jump(h.nextRip);
    return h.action;
  }

  check(record: number, offset: bigint, info: number): bigint {
    return checkAccess(this, record, offset, info & 0xff, info);
  }

  resolve(link: number): number {
    if (this.data.getInt32(State.budget, true) <= 0) return 0;
    return this.blocks.follow(link).start;
  }

  /** Instructions retired before the one of `record`, for RDTSC. */
  retiredBefore(record: number): number {
    const used = this.slice - this.data.getInt32(State.budget, true);
    return this.icount + used - this.data.getUint16(record + Rec.remaining, true);
  }

  // Private parts.

  private moveIn(context: CpuContext): void {
    this.context = context;
    this.memory.bytes.set(context.saved, 0);
    context.regs.rebind(this.data);
    this.segmentsChanged();
  }

  private get singleStepping(): boolean {
    return (this.data.getUint32(State.flagRest, true) & Flag.TF) !== 0;
  }

  private get linearRip(): bigint {
    const rip = this.regs.rip;
    return this.segments.long ? rip : (rip + this.segments.base(Segment.CS)) & 0xffffffffn;
  }

  private get atDebuggersBreakpoint(): boolean {
    const at = this.linearRip;
    const all = this.blocks.breakpointCount(at);
    return all > 0 && all > this.hardware.filter((h) => h.kind === 'execute' && BigInt(h.address) === at).length;
  }

  /** A repeated string instruction has stopped after an element with more to come; RIP is at it. */
  private get unfinished(): boolean {
    return (this.data.getUint32(State.repeatStep, true) & RepeatStep.Unfinished) !== 0;
  }

  private prepare(): void {
    this.data.setUint32(State.repeatStep, 0, true);
    this.pendingExit = undefined;
    this.stackSegmentLoaded = false;
    const { dr7 } = this.context.debugRegisters;
    if ((dr7 & 0xff) !== 0 || this.hardware.length > 0) this.applyDebugRegisters();
  }

  /** RF holds for one instruction only: true when no instruction breakpoint counts there. */
  private takeResumeFlag(): boolean {
    const rest = this.data.getUint32(State.flagRest, true);
    if (!(rest & Flag.RF)) return false;
    this.data.setUint32(State.flagRest, rest & ~Flag.RF, true);
    return this.hardware.length > 0;
  }

  /** Makes the breakpoints of the running context, and no others, hold. */
  private applyDebugRegisters(): void {
    const { mmu } = this;
    const d = this.context.debugRegisters;
    const key = (d.dr7 & 0xff) === 0 ? '' : `${d.dr0} ${d.dr1} ${d.dr2} ${d.dr3} ${d.dr7}`;
    if (key === this.hardwareKey && mmu === this.hardwareMmu) return;
    const old = this.hardwareMmu;
    if (old) {
      for (const h of this.hardware) if (h.kind === 'execute') this.blocks.removeBreakpoint(old, h.address);
      this.setDataBreakpoints(old, []);
    }
    this.hardware = mmu ? activeBreakpoints(d) : [];
    this.hardwareMmu = mmu;
    this.hardwareKey = key;
    if (!mmu) return;
    for (const h of this.hardware) if (h.kind === 'execute') this.blocks.addBreakpoint(mmu, h.address);
    this.setDataBreakpoints(
      mmu,
      this.hardware.filter((h) => h.kind !== 'execute'),
    );
  }

  private setDataBreakpoints(mmu: Mmu, list: readonly HardwareBreakpoint[]): void {
    const watchpoints = this.watchpoints.get(mmu) ?? new Watchpoints();
    watchpoints.setHardware(list as readonly (HardwareBreakpoint & { kind: WatchKind })[]);
    if (watchpoints.list.length > 0) this.watchpoints.set(mmu, watchpoints);
    else this.watchpoints.delete(mmu);
    this.watchesChanged(mmu);
  }

  /** What was left over by the instruction of the last Exit. */
  private takeDue(): Exit | undefined {
    const { context } = this;
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
    return this.debugException(this.instructionBreakpoints);
  }

  /** Those of the debug registers at RIP, as bits of DR6. */
  private get instructionBreakpoints(): number {
    let bits = 0;
    for (const h of this.hardware) if (h.kind === 'execute' && BigInt(h.address) === this.linearRip) bits |= h.bit;
    return bits;
  }

  private debugException(dr6: number): Exit {
    this.context.debugRegisters.dr6 |= dr6;
    return { kind: 'exception', vector: Vector.DB, errorCode: 0, address: 0n, dr6 };
  }

  private takeExit(): Exit {
    const exit = this.pendingExit!;
    this.pendingExit = undefined;
    return exit;
  }

  /** The image of RFLAGS that a fault leaves has RF set (SDM vol. 3, 17.3.1.1). */
  private exception(): Exit {
    const { vector, errorCode } = this.fault;
    this.setResumeFlag();
    return { kind: 'exception', vector, errorCode, address: vector === Vector.PF ? this.fault.address : 0n };
  }

  /** AC may have changed (POPF, IRET, the kernel): blocks depend on it. */
  private settleMode(): void {
    const wanted = (this.data.getUint32(State.flagRest, true) & Flag.AC) !== 0;
    if (wanted !== this.segments.alignmentChecked) this.segments.updateMode();
  }

  /** Runs blocks for at most `budget` instructions and counts what was retired. */
  private execute(budget: number, translator?: Translator): number {
    this.settleMode();
    this.slice = budget;
    this.data.setInt32(State.budget, budget, true);
    this.fault.record = 0;
    this.retry.record = 0;
    try {
      return translator ? this.runTiers(translator) : this.interpreter.run(this.blocks.lookUp().start);
    } catch (e) {
      if (e === this.fault) {
        this.unwind(this.fault.record);
        return RAISED;
      }
      if (e === this.retry) {
        this.unwind(this.retry.record);
        return WATCHED;
      }
      throw e;
    } finally {
      this.icount += this.slice - this.data.getInt32(State.budget, true);
      this.slice = 0;
      this.data.setInt32(State.budget, 0, true);
      this.data.setInt32(State.reserve, 0, true);
      this.cache.stopped();
    }
  }

  /** Both tiers: the interpreter, stopped now and then to see what is hot, and the regions of the translator. */
  private runTiers(translator: Translator): number {
    this.hold(translator.untilSample);
    let start = this.blocks.lookUp().start;
    for (;;) {
      const outcome = this.interpreter.run(start);
      translator.untilSample = this.data.getInt32(State.budget, true);
      if (outcome === Outcome.Region) {
        start = this.runRegions(translator);
      } else if (outcome === Outcome.Budget && this.data.getInt32(State.reserve, true) > 0) {
        if (!translator.isTracing) translator.sample();
        this.grant();
        const block = this.blocks.lookUp();
        start = block.start;
        if (translator.isTracing) {
          translator.trace(block);
          this.hold(block.count);
          // The block itself, whether or not a region begins with it.
          if (this.data.getUint16(start + Rec.handler, true) === Pseudo.region) start += RECORD_SIZE;
        } else this.hold(Math.max(translator.untilSample, block.count));
      } else {
        return outcome;
      }
    }
  }

  /** Runs regions as long as one leads to another; gives the record with which the interpreter goes on. */
  private runRegions(translator: Translator): number {
    this.grant();
    const { blocks, data } = this;
    let start = blocks.cachedJump() || blocks.lookUp().start;
    let go = true;
    while (go && data.getUint16(start + Rec.handler, true) === Pseudo.region) {
      const region = translator.regionAt(start);
      if (region === undefined || data.getInt32(State.budget, true) <= region.need) break;
      translator.prepare(region);
      go = translator.left(region, region.run());
      start = blocks.cachedJump() || blocks.lookUp().start;
    }
    this.hold(translator.untilSample);
    return data.getUint16(start + Rec.handler, true) === Pseudo.region ? start + RECORD_SIZE : start;
  }

  /** The whole budget of the run. */
  private grant(): void {
    const reserve = this.data.getInt32(State.reserve, true);
    this.slice += reserve;
    this.data.setInt32(State.budget, this.data.getInt32(State.budget, true) + reserve, true);
    this.data.setInt32(State.reserve, 0, true);
  }

  /** Not more than `n` of it. */
  private hold(n: number): void {
    const budget = this.data.getInt32(State.budget, true);
    const reserve = Math.max(0, budget - n);
    this.slice -= reserve;
    this.data.setInt32(State.budget, budget - reserve, true);
    this.data.setInt32(State.reserve, reserve, true);
  }

  /** An instruction did not complete: RIP goes back to it, and those that did not run are not counted. */
  private unwind(record: number): void {
    if (record === 0) return;
    const { data } = this;
    const rip = data.getBigUint64(State.blockRip, true) + BigInt(data.getUint16(record + Rec.offset, true));
    data.setBigUint64(State.rip, rip & data.getBigUint64(State.ripMask, true), true);
    const budget = data.getInt32(State.budget, true) + data.getUint16(record + Rec.remaining, true);
    data.setInt32(State.budget, budget, true);
  }

  private setResumeFlag(): void {
    this.data.setUint32(State.flagRest, this.data.getUint32(State.flagRest, true) | Flag.RF, true);
  }

  /**
   * One instruction, or one element of a repeated one, without regard to the debugger's breakpoints, with TF's trap,
   * watchpoints and debug registers. `resume`: an instruction breakpoint of the debug registers does not count.
   */
  private single(resume: boolean): Exit {
    const { context, data } = this;
    if (this.hardware.length > 0 && !resume && !context.shadow) {
      const bits = this.instructionBreakpoints;
      if (bits !== 0) return this.debugException(bits);
    }
    context.shadow = false;
    const trap = this.singleStepping;
    const watch = this.access.watchpoints;
    if (watch) {
      watch.recording = true;
      watch.hit = undefined;
      watch.bits = 0;
    }
    this.blocks.ignoreBreakpoints = true;
    const { rip } = this.regs;
    const before = this.icount;
    data.setUint32(State.repeatStep, trap || watch ? RepeatStep.One : 0, true);
    let exit: Exit | undefined;
    try {
      exit = this.partial(1);
    } finally {
      this.blocks.ignoreBreakpoints = false;
      if (watch) watch.recording = false;
    }
    if (exit?.kind === 'exception') return exit;
    if (this.unfinished) {
      this.regs.rip = rip;
      this.icount = before;
    }
    // An interrupt or a system call clears TF on its way into the kernel.
    const stepped = trap && (exit === undefined || exit.kind === 'cs-switch');
    context.trapDue |= (watch?.bits ?? 0) | (stepped ? Dr6.BS : 0);
    if (this.stackSegmentLoaded) {
      this.stackSegmentLoaded = false;
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
    const { trapDue } = this.context;
    this.context.trapDue = 0;
    if (this.unfinished) this.setResumeFlag();
    return this.debugException(trapDue);
  }

  /** Runs the first `n` instructions of the block at RIP (fewer when it leaves early); undefined when they completed. */
  private partial(n: number): Exit | undefined {
    let block: Block;
    try {
      this.fault.record = 0;
      this.settleMode();
      block = this.blocks.lookUp();
    } catch (e) {
      if (e === this.fault) return this.exception();
      throw e;
    }
    const stopAt = n < block.count ? this.recordOf(block, n) : 0;
    const handler = stopAt === 0 ? 0 : this.data.getUint16(stopAt + Rec.handler, true);
    if (stopAt !== 0) this.data.setUint16(stopAt + Rec.handler, Pseudo.stop, true);
    let outcome: number;
    try {
      outcome = this.execute(block.count);
    } finally {
      const now = stopAt === 0 ? 0 : this.data.getUint16(stopAt + Rec.handler, true);
      if (now === Pseudo.stop && stopAt !== 0) this.data.setUint16(stopAt + Rec.handler, handler, true);
    }
    switch (outcome) {
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

  /** The first record of the block's instruction number `n`. */
  private recordOf(block: Block, n: number): number {
    for (let r = block.start; r < block.end; r += RECORD_SIZE) {
      if (this.data.getUint16(r + Rec.remaining, true) === block.count - n) return r;
    }
    throw new Error('a block without its instructions');
  }

  private watchesChanged(mmu: Mmu): void {
    this.translator?.mappingsChanged();
    if (this.mmu !== mmu) return;
    this.access.watchpoints = this.watchpoints.get(mmu);
    this.tlb.flush();
  }
}

/** What `execute` says besides the Outcomes of the generated code. */
const RAISED = 100;
const WATCHED = 101;
