/**
 * The second tier: finds hot code by sampling, makes regions of it and runs them.
 *
 * The interpreter is stopped every so many instructions; the block that it stands before has then been met once more. What
 * has been met often enough becomes the root of a region. A region is code of one address space: it is entered only as
 * long as its pages map to the frames that it was made from.
 */

import type { Block } from '../decode/code-cache.ts';
import type { Interpreter } from '../interp/interpreter.ts';
import { PERM_X } from '../mmu.ts';
import { RuntimeImports } from '../runtime/module.ts';
import { Mode } from '../segment.ts';
import { State } from '../state.ts';
import { type CompiledRegion, emitRegion, linkRegions, type RegionBody, Retry } from './compile.ts';
import type { RegionExit } from './exits.ts';
import { formGraph, type Graph, type Rip } from './graph.ts';
import { type Anchor, Profile } from './profile.ts';
import { type Region, RegionTable, type RegionTableParts } from './region-table.ts';
import { X87_OTHER, X87Mismatch } from './x87-locals.ts';

export interface TranslateOptions {
  /** Instructions between two samples. */
  readonly interval: number;
  /** Samples of a block that make it hot. */
  readonly threshold: number;
  /** Blocks that are watched after that. */
  readonly trace?: number;
  /** For tests: regions are made whatever they cost. */
  readonly free?: true;
}
export const DEFAULT_TRANSLATE: TranslateOptions = { interval: 20_000, threshold: 16 };

const MAX_BLOCKS = 250;
/** Exits at one place after which the region is made again, with what has run since; four times as many each time. */
const GROW_AFTER = 1000;
const MAX_REMAKES = 5;
/** Blocks that are watched before a region is made; that takes as long as to translate so many instructions. */
const TRACE = 300;
const TRACE_WORK = 30;
/**
 * To translate an instruction takes as long as to interpret so many: as long as the translator's own code is cold, and
 * later. No more time goes into it than so many instructions interpreted for each that is translated.
 */
const COST = { cold: 12_000, warm: 4000 } as const;
const WARM_AFTER = 3000;
const PRICE = { cold: 24_000, warm: 16_000 } as const;
const CREDIT = 600;
/** A region is made of what was seen to run this often in traces; of less when that would not be worth it. */
const WARMTHS = [1, 2, 8] as const;

/** The part of what is spent in a place that a region made of less than all of it has to have. */
const LEAST_SHARE = 0.9;
/** With a region that costs so many times what was spent in its place, less of it is not looked at. */
const HOPELESS = 10;
/** To leave a region, and to come back to it, takes as long as to interpret so many instructions. */
const EXIT_COST = 600;

interface Plan {
  readonly graph: Graph;
  readonly warmth: number;
}

/** A region before its module is made. */
export interface Sketch {
  readonly rip: Rip;
  readonly graph: Graph;
  readonly body: RegionBody;
  readonly anchors: readonly Anchor[];
}

export interface TranslatorParts extends RegionTableParts {
  readonly interpreter: Interpreter;
}

export class Translator {
  readonly options: TranslateOptions;
  /** Instructions that the interpreter may run before the next sample. */
  untilSample: number;
  /** For the benchmark: what was made and how often it was left. */
  readonly counters = { regions: 0, instructions: 0, exits: 0, redone: 0, failed: 0, milliseconds: 0 };
  private readonly parts: TranslatorParts;
  private readonly data: DataView;
  private readonly profile: Profile;
  readonly table: RegionTable;
  private readonly untranslatable = new Set<number>();
  /** Blocks still to be watched, and the address that is hot. */
  private tracing = 0;
  private hot: Rip = -1;
  /** What the translator has done, in instructions translated, and what the interpreter's time allows for. */
  private work = 0;
  private earned = 0;
  /** How many times as long the code that was last looked at has to run to be worth a region. */
  private missing = 2;
  /** The region to be made again when the trace is done. */
  private again: Region | undefined;

  constructor(options: TranslateOptions, parts: TranslatorParts) {
    this.options = options;
    this.untilSample = options.interval;
    this.parts = parts;
    this.data = new DataView(parts.memory.buffer);
    this.profile = new Profile(this.data, parts.interpreter);
    this.table = new RegionTable(parts, this.profile);
  }

  /** The interpreter stands before a block for the sample. */
  sample(): void {
    this.untilSample = this.options.interval;
    const rip = this.rip();
    this.earned += this.options.interval / PRICE[this.temper];
    if (rip < 0) return;
    if (!this.profile.sample(rip, this.options.threshold) || !this.affordable) return;
    this.profile.settle(rip);
    if (this.tracing > 0 || this.table.has(rip)) return;
    // What an earlier trace has shown may do to see that it is not worth another.
    if (this.profile.warmthOf(rip) > 1 && !this.worthwhile(rip)) {
      this.profile.postpone(rip, this.missing);
      return;
    }
    this.startTrace(rip);
    if (this.tracing === 0) this.make(rip);
  }

  private get affordable(): boolean {
    return this.free || this.work < CREDIT + this.earned;
  }

  private get temper(): 'cold' | 'warm' {
    return this.counters.instructions < WARM_AFTER ? 'cold' : 'warm';
  }

  /** Time that the interpreter has spent in its instructions, in those of the interpreter, by the samples. */
  private spentIn({ nodes }: Graph): number {
    let samples = 0;
    for (const n of nodes) samples += this.profile.samplesOf(n.rip);
    return samples * this.options.interval;
  }

  /** If what was spent is spent once more, is the region worth the time that it takes to make? */
  private pays(graph: Graph, spent: number): boolean {
    return this.free || spent >= sizeOf(graph) * COST[this.temper];
  }

  /** Tests want everything translated at once. */
  private get eager(): boolean {
    return this.options.trace === 0;
  }

  private get free(): boolean {
    return this.eager || this.options.free === true;
  }

  private startTrace(rip: Rip): void {
    this.hot = rip;
    this.profile.beginTrace();
    this.tracing = this.options.trace ?? TRACE;
    this.work += TRACE_WORK;
  }

  get isTracing(): boolean {
    return this.tracing > 0;
  }

  /** The next block to be interpreted, when tracing. */
  trace(block: Block): void {
    const rip = this.rip();
    if (rip >= 0) this.profile.watch(block, rip);
    if (--this.tracing > 0) return;
    const best = this.profile.endTrace(this.hot);
    const { again } = this;
    this.again = undefined;
    if (again) {
      this.remake(again);
      return;
    }
    if (best !== this.hot) this.profile.postpone(this.hot, 2);
    this.profile.settle(best);
    if (!this.table.has(best)) this.make(best);
  }

  /** A region of nothing but the block at RIP. */
  sketchAlone(imports: RuntimeImports): Sketch | undefined {
    const rip = this.rip();
    const graph = rip < 0 ? undefined : this.form(rip, 1, 1);
    return graph && this.sketch(graph, rip, 1, imports);
  }

  /** Regions of one module, each to be run where it was sketched; no block leads to them. */
  link(sketches: readonly Sketch[], imports: RuntimeImports): Region[] {
    const { memory, interpreter } = this.parts;
    const bodies = sketches.map(({ body }) => body);
    return linkRegions(bodies, imports, { memory: memory.wasm, interpreter }).map((compiled, n) => {
      const { rip, graph, anchors } = sketches[n]!;
      return this.table.loose(compiled, rip, graph, anchors);
    });
  }

  /** The region to run in place of the block whose first record is at `start`, here and now. */
  regionAt(start: number): Region | undefined {
    return this.table.at(start, this.rip());
  }

  /** After a region was left: RIP and the budget become what they are at the exit. False: the interpreter has to go on. */
  left(region: Region, number: number): boolean {
    const { data } = this;
    const exit = region.exits[number]!;
    this.counters.exits++;
    region.exitsTaken++;
    if (exit.back !== 0) data.setInt32(State.budget, data.getInt32(State.budget, true) + exit.back, true);
    if (exit.rip >= 0) {
      data.setUint32(State.rip, exit.rip >>> 0, true);
      data.setUint32(State.rip + 4, Math.floor(exit.rip / 2 ** 32), true);
    }
    if (exit.kind !== 'leave') {
      this.counters.redone++;
      return false;
    }
    // Where it has gone a hundred times, it does not go elsewhere every time.
    if (exit.site >= 0 && (exit.count < 100 || exit.count % 16 === 0)) this.profile.note(exit.site, this.rip());
    if (++exit.count >= GROW_AFTER << (2 * region.remakes)) this.grow(region, exit);
    return true;
  }

  /** Control often leaves there: the region is made again. */
  private grow(region: Region, exit: RegionExit): void {
    exit.count = 0;
    if (region.remakes >= MAX_REMAKES || !this.affordable || this.tracing > 0) return;
    const rip = this.rip();
    if (rip < 0) return;
    this.profile.heat(rip);
    if (this.eager) {
      this.remake(region);
      return;
    }
    // What runs after it belongs to the region too.
    this.again = region;
    this.startTrace(rip);
  }

  private remake(region: Region): void {
    if (!this.table.lives(region)) return;
    const { remakes } = region;
    const old = region.graph.nodes.length;
    const edges = countEdges(region.graph);
    const found = this.worthwhile(region.rip, region.exitsTaken * EXIT_COST);
    if (!found || (found.graph.nodes.length <= old && countEdges(found.graph) <= edges)) return;
    this.table.drop(region);
    const made = this.build(found.graph, region.rip, found.warmth);
    if (made) made.remakes = remakes + 1;
  }

  private make(rip: Rip): void {
    const found = this.worthwhile(rip);
    if (found) this.build(found.graph, rip, found.warmth);
    else this.profile.postpone(rip, this.missing);
  }

  /** The largest region at `rip` that pays, if it is not a small part of what is there. */
  private worthwhile(rip: Rip, spentElsewhere = 0): Plan | undefined {
    let whole = 0;
    for (const warmth of WARMTHS) {
      const graph = this.form(rip, MAX_BLOCKS, warmth);
      if (!graph) return undefined;
      const spent = this.spentIn(graph);
      if (warmth === 1) {
        whole = spent;
        const missing = (sizeOf(graph) * COST[this.temper]) / (spent + spentElsewhere);
        this.missing = Math.min(Math.max(missing, 1.25), 4);
        if (!this.free && missing > HOPELESS) return undefined;
      }
      if (spent < whole * LEAST_SHARE) return undefined;
      if (this.pays(graph, spent + spentElsewhere)) return { graph, warmth };
    }
    return undefined;
  }

  /** @param x87 instructions of it may be in the region */
  private form(rip: Rip, maxBlocks: number, warmth: number, x87 = this.table.x87 !== X87_OTHER): Graph | undefined {
    const { cache, interpreter, access, blocks } = this.parts;
    const mode = this.data.getUint32(State.mode, true);
    const flat = (mode & Mode.Long) !== 0 || (mode & (Mode.Flat | Mode.Code32)) === (Mode.Flat | Mode.Code32);
    if (!flat || mode > 31 || !access.mmu?.peek) return undefined;
    cache.stopped();
    const { mmu } = access;
    return formGraph(
      {
        frameOf: (vpn) => {
          if (blocks.hasBreakpointsOn(vpn)) return -1;
          const found = mmu.peek!(vpn);
          return found >= 0 && found & PERM_X ? Math.floor(found / 8) : -1;
        },
        mode,
        data: this.data,
        cache,
        interpreter,
        untranslatable: this.untranslatable,
        targetsOf: (site) => this.profile.targetsOf(site),
        maxBlocks,
        x87,
        isWarm: (at) => this.eager || this.profile.warmthOf(at) >= warmth,
      },
      rip,
    );
  }

  /** The code of a region; without what turns out to have no translation. */
  private sketch(first: Graph, rip: Rip, warmth: number, imports: RuntimeImports): Sketch | undefined {
    const { memory, interpreter } = this.parts;
    let graph: Graph | undefined = first;
    while (graph) {
      if (graph.root.cut === graph.root.first) return undefined;
      try {
        const long = (this.data.getUint32(State.mode, true) & Mode.Long) !== 0;
        const { data, untranslatable } = this;
        const { anchors, windowOf } = this.profile.chooseWindows(graph, this.table.windows);
        const { mxcsr, x87 } = this.table;
        const machine = { memory: memory.wasm, data, interpreter, long, untranslatable };
        return { rip, graph, body: emitRegion(graph, { ...machine, mxcsr, x87, windowOf }, imports), anchors };
      } catch (e) {
        if (e instanceof Retry) graph = this.form(rip, MAX_BLOCKS, warmth);
        else if (e instanceof X87Mismatch) graph = this.form(rip, MAX_BLOCKS, warmth, false);
        else {
          // A defect of the translator: the code stays with the interpreter. The tests ask for none.
          this.counters.failed++;
          return undefined;
        }
      }
    }
    return undefined;
  }

  private build(first: Graph, rip: Rip, warmth: number): Region | undefined {
    const { memory, interpreter } = this.parts;
    const begun = performance.now();
    const imports = new RuntimeImports(0);
    const sketch = this.sketch(first, rip, warmth, imports);
    if (!sketch) return undefined;
    let compiled: CompiledRegion;
    try {
      compiled = linkRegions([sketch.body], imports, { memory: memory.wasm, interpreter })[0]!;
    } catch {
      this.counters.failed++; // as above
      return undefined;
    }
    const { graph } = sketch;
    const region = this.table.add(compiled, rip, graph, sketch.anchors);
    if (!region) return undefined;
    this.counters.regions++;
    this.counters.instructions += sizeOf(graph);
    this.work += sizeOf(graph);
    this.counters.milliseconds += performance.now() - begun;
    return region;
  }

  /** RIP, or -1 where regions are not made. */
  private rip(): Rip {
    const high = this.data.getUint32(State.rip + 4, true);
    return high >= 0x8000 ? -1 : high * 2 ** 32 + this.data.getUint32(State.rip, true);
  }
}

const sizeOf = (g: Graph): number => g.nodes.reduce((sum, n) => sum + n.block.count, 0);
const countEdges = (g: Graph): number => g.nodes.reduce((sum, n) => sum + n.successors.length, 0);
