/** The CPU: what its parts are, contexts and address spaces, and what the generated code calls. */
import { Blocks } from './blocks.ts';
import { CpuContext } from './context.ts';
import { DebugUnit } from './debug-unit.ts';
import { CodeCache } from './decode/code-cache.ts';
import { Decoder, type Tables } from './decode/decoder.ts';
import { buildTable, compileRow } from './decode/encoding.ts';
import type { Exit } from './exit.ts';
import { Fault, WatchRetry } from './fault.ts';
import { HelperContext } from './interp/helper-context.ts';
import { Interpreter, type Port } from './interp/interpreter.ts';
import { Action } from './interp/record.ts';
import { allRows } from './isa/all.ts';
import { avx512Rows } from './isa/avx512.ts';
import { maskedHost } from './masked-access.ts';
import { MemoryAccess } from './memory-access.ts';
import type { Mmu } from './mmu.ts';
import { PhysicalMemory } from './physical-memory.ts';
import { RandomSource } from './random.ts';
import { RegisterBytes, type Registers } from './registers.ts';
import { RunLoop } from './run-loop.ts';
import type { RuntimeImports } from './runtime/module.ts';
import { SegmentFile } from './segment.ts';
import { checkAccess, loadSegmentRegister } from './segment-checks.ts';
import { CONTEXT_SIZE, PAGE_SIZE, Segment, State } from './state.ts';
import { Tiers } from './tiers.ts';
import { Tlb } from './tlb.ts';
import type { Region as TranslatedRegion } from './translate/region-table.ts';
import { DEFAULT_TRANSLATE, type Sketch, type TranslateOptions, Translator } from './translate/translator.ts';
import { ModuleStore } from './wasm/module-store.ts';
import type { WatchKind } from './watchpoints.ts';
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
  tscOffset = 0;
  /** The next `run` does not stop at a breakpoint at its first instruction. */
  resumeOverBreakpoint = false;
  /** Set by a handler that ends the run. */
  pendingExit: Exit | undefined;
  /** Set by MOV SS and POP SS. */
  stackSegmentLoaded = false;

  /** The second tier, unless it is off. */
  readonly translator: Translator | undefined;

  /** All of linear memory. */
  readonly data: DataView;
  /** The registers in the CPU. */
  private readonly live: RegisterBytes;
  private readonly tlb: Tlb;
  private readonly cache: CodeCache;
  private readonly blocks: Blocks;
  private readonly tiers: Tiers;
  private readonly debug: DebugUnit;
  private readonly loop: RunLoop;
  private readonly helperContext: HelperContext;
  private readonly fault = new Fault();
  /** The one that is in the CPU. */
  context: CpuContext;
  private codeBase = 0n;

  constructor(options: CpuOptions = {}) {
    this.vendor = options.vendor ?? 'any';
    this.avx512 = options.avx512 ?? false;
    this.memory = new PhysicalMemory(options.memoryLimit ?? DEFAULT_MEMORY_LIMIT);
    const { buffer, bytes } = this.memory;
    this.data = this.memory.view;
    this.live = new RegisterBytes(this.data);
    this.segments = new SegmentFile(new DataView(buffer, 0, PAGE_SIZE));
    this.tlb = new Tlb(bytes);
    this.cache = new CodeCache(this.memory);
    const retry = new WatchRetry();
    this.access = new MemoryAccess(this.memory, this.tlb, this.cache, this.fault, retry);
    this.helperContext = new HelperContext(this, buffer);
    const rows = allRows.map(compileRow);
    // What the build keeps is for vector registers of 32 bytes.
    this.modules = options.modules ?? (this.avx512 ? new ModuleStore() : ModuleStore.shipped());
    const vectorBytes = this.avx512 ? 64 : 32;
    this.interpreter = new Interpreter(this.memory.wasm, rows, this, vectorBytes, this.modules);
    const extension = this.avx512 ? avx512Tables : undefined;
    const decoder = new Decoder(buildTable(rows, true), buildTable(rows, false), extension);
    const { memory, tlb, cache, access, segments, interpreter } = this;
    this.blocks = new Blocks(memory, tlb, cache, access, segments, decoder, interpreter);
    if (this.modules.templates) this.blocks.builder.known.load(this.modules.templates);
    const { translate = DEFAULT_TRANSLATE } = options;
    if (translate !== 'off') {
      this.translator = new Translator(translate, { memory, blocks: this.blocks, cache, access, interpreter, tlb });
    }
    const { data, blocks, fault, translator } = this;
    this.tiers = new Tiers({ data, segments, blocks, cache, interpreter, fault, retry });
    this.debug = new DebugUnit({ blocks, access, tlb, translator });
    this.loop = new RunLoop(this, { data, blocks, access, fault, tiers: this.tiers, debug: this.debug });
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
  /**
   * Components that XINUSE has whatever they hold. The SDM lets processors have any there (vol. 1, 13.6); ours looks at the
   * values.
   */
  heldInUse = 0;
  /** Instructions retired since boot. */
  get icount(): number {
    return this.tiers.icount;
  }

  set icount(n: number) {
    this.tiers.icount = n;
  }

  /** Puts into `modules` what this run has made, for others. */
  keepModules(): void {
    this.interpreter.keepFunctions();
    this.modules.templates = this.blocks.builder.known.save(this.interpreter.mainCount);
  }

  // Contexts and address spaces.

  switchTo(context: CpuContext): void {
    if (context === this.context) return;
    const old = this.context;
    old.saved.set(this.memory.bytes.subarray(0, CONTEXT_SIZE));
    old.regs.moveBack();
    this.moveIn(context);
  }

  setMmu(mmu: Mmu): void {
    if (mmu === this.access.mmu) return;
    this.access.mmu = mmu;
    this.debug.enterSpace(mmu);
    this.tlb.flush();
    this.translator?.table.spaceChanged();
  }

  flushTlb(): void {
    this.tlb.flush();
    this.translator?.table.mappingsChanged();
    this.cache.leaveAfterRunning();
  }

  flushPage(vpn: number): void {
    this.tlb.flushPage(vpn);
    this.translator?.table.pageChanged(vpn);
    if (this.blocks.runsOn(vpn)) this.cache.leaveAfterRunning();
  }

  dropSpace(mmu: Mmu): void {
    this.debug.dropSpace(mmu);
    this.translator?.table.windows.dropSpace(mmu);
    if (this.access.mmu !== mmu) return;
    this.access.mmu = undefined;
    this.access.watchpoints = undefined;
    this.tlb.flush();
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

  private moveIn(context: CpuContext): void {
    this.context = context;
    this.memory.bytes.set(context.saved, 0);
    context.regs.moveTo(this.live);
    this.segmentsChanged();
  }

  // Breakpoints and watchpoints.

  addBreakpoint(mmu: Mmu, address: number): void {
    this.debug.addBreakpoint(mmu, address);
  }

  removeBreakpoint(mmu: Mmu, address: number): void {
    this.debug.removeBreakpoint(mmu, address);
  }

  addWatchpoint(mmu: Mmu, address: number, length: number, kind: WatchKind): void {
    this.debug.addWatchpoint(mmu, address, length, kind);
  }

  removeWatchpoint(mmu: Mmu, address: number, length: number, kind: WatchKind): void {
    this.debug.removeWatchpoint(mmu, address, length, kind);
  }

  // Running.

  /** Runs at most `budget` instructions. */
  run(budget: number): Exit {
    return this.loop.run(budget);
  }

  /**
   * Runs one instruction, whatever breakpoint is on it; kind 'budget' when it simply completed. A repeated string
   * instruction runs to its end, but for a trap (TF, a watchpoint, a data breakpoint) after one of its elements.
   */
  step(): Exit {
    return this.loop.step();
  }

  /** For tests: the block at RIP as a region of its own. */
  sketchRegion(imports: RuntimeImports): Sketch | undefined {
    this.loop.prepare();
    return this.translator && this.tiers.sketch(this.translator, imports);
  }

  /** For tests: runs a region where it was sketched. */
  runRegion(region: TranslatedRegion): void {
    this.loop.prepare();
    this.tiers.runRegion(this.translator!, region);
  }

  // What the generated code calls (Port).

  slow(record: number, low: number, high: number, info: number): number {
    // A helper may have left it set.
    this.access.stack = (info & 0x200) !== 0;
    if (info & 0x400) return maskedHost(this, record, low, high, info);
    const host = this.access.host(record, low, high, info & 0xff, (info & 0x100) !== 0);
    this.access.stack = false;
    return host;
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
    return this.tiers.retiredBefore(record);
  }
}
