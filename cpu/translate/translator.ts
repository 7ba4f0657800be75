/**
 * The second tier: finds hot code by sampling, makes regions of it and runs them.
 *
 * The interpreter is stopped every so many instructions; the block that it stands before has then been met once more. What
 * has been met often enough becomes the root of a region. A region is code of one address space: it is entered only as
 * long as its pages map to the frames that it was made from.
 */

import type { Blocks } from '../blocks.ts';
import type { Block, CodeCache } from '../decode/code-cache.ts';
import type { Interpreter } from '../interp/interpreter.ts';
import { Pseudo } from '../interp/pseudo.ts';
import { RECORD_SIZE, Rec } from '../interp/record.ts';
import type { MemoryAccess } from '../memory-access.ts';
import { PERM_X } from '../mmu.ts';
import type { PhysicalMemory } from '../physical-memory.ts';
import { Mode } from '../segment.ts';
import { PAGE_SIZE, State } from '../state.ts';
import type { Tlb } from '../tlb.ts';
import { type CompiledRegion, compileRegion, Retry } from './compile.ts';
import type { RegionExit } from './exits.ts';
import { type BlockNode, formGraph, type Graph, type Rip } from './graph.ts';
import { type Site, sitesOf } from './sites.ts';
import { MAX_WINDOWS, type Window, Windows } from './windows.ts';

export interface TranslateOptions {
  /** Instructions between two samples. */
  readonly interval: number;
  /** Samples of a block that make it hot. */
  readonly threshold: number;
  /** Blocks that are watched after that. */
  readonly trace?: number;
}
export const DEFAULT_TRANSLATE: TranslateOptions = { interval: 20_000, threshold: 5 };

const MAX_BLOCKS = 250;
/** How many targets of a computed jump are noted. */
const MAX_SEEN = 64;
/** Exits at one place after which the region is made again, with what has run since; four times as many each time. */
const GROW_AFTER = 1000;
const MAX_REMAKES = 5;
/** To translate an instruction takes as long as to interpret so many; there is no more of it than interpreting pays for. */
const PRICE = 16_000;
const CREDIT = 2000;
/** Blocks that are watched before a region is made. */
const TRACE = 300;

export interface Region extends CompiledRegion {
  readonly rip: Rip;
  readonly graph: Graph;
  readonly slot: Slot;
  /** The state of the address space in which the pages were last found right. */
  epoch: number;
  remakes: number;
  readonly windows: readonly Anchor[];
  /** The windows' table as it was at `windowEpoch`. */
  readonly table: Int32Array;
  windowEpoch: number;
}

/** A page that a window is around. */
interface Anchor {
  readonly page: number;
  readonly write: boolean;
}

/** Regions that begin with the same block, in different address spaces. */
interface Slot {
  readonly index: number;
  readonly regions: Region[];
}

export interface TranslatorParts {
  readonly memory: PhysicalMemory;
  readonly blocks: Blocks;
  readonly cache: CodeCache;
  readonly access: MemoryAccess;
  readonly interpreter: Interpreter;
  readonly tlb: Tlb;
}

export class Translator {
  readonly options: TranslateOptions;
  /** Instructions that the interpreter may run before the next sample. */
  untilSample: number;
  /** For the benchmark: what was made and how often it was left. */
  readonly counters = { regions: 0, instructions: 0, exits: 0, redone: 0, failed: 0, milliseconds: 0 };
  private readonly parts: TranslatorParts;
  private readonly data: DataView;
  private readonly slots: Slot[] = [];
  private readonly byFrame = new Map<number, Set<Region>>();
  private readonly samples = new Map<Rip, number>();
  private readonly seen = new Map<Rip, Rip[]>();
  private readonly untranslatable = new Set<number>();
  /** Blocks still to be watched, the address that is hot, and how often blocks came by. */
  private tracing = 0;
  private hot: Rip = -1;
  private last: Rip = -1;
  private readonly visits = new Map<Rip, number>();
  /** Blocks that were seen to run in a trace, or where regions are often left to: what regions are made of. */
  private readonly warm = new Set<Rip>();
  /** Instructions that the interpreter has run, by the samples. */
  private interpreted = 0;
  /** The region to be made again when the trace is done, and how often it was already. */
  private again: { readonly region: Region } | undefined;
  /** Addresses that instructions touched: the key is the instruction's address doubled, plus 1 for its stack access. */
  private readonly touched = new Map<number, { address: number; count: number }>();
  readonly windows: Windows;
  /** The region whose windows stand in the table. */
  private loaded: Region | undefined;
  /** Counts what may have changed where code is mapped. */
  private epoch = 1;

  constructor(options: TranslateOptions, parts: TranslatorParts) {
    this.options = options;
    this.untilSample = options.interval;
    this.parts = parts;
    this.data = new DataView(parts.memory.buffer);
    this.windows = new Windows(parts.memory, parts.access);
    parts.cache.regions = this;
  }

  /** Another address space, or other breakpoints in this one. */
  spaceChanged(): void {
    this.epoch++;
    this.windows.epoch++;
  }

  /** Pages are mapped otherwise, with other rights, or watched. */
  mappingsChanged(): void {
    this.epoch++;
    this.windows.forget();
  }

  pageChanged(vpn: number): void {
    this.epoch++;
    this.windows.cutPage(vpn);
  }

  /** A frame holds code from now on. */
  codeFrame(frame: number): void {
    this.windows.cutFrame(frame);
  }

  /** A frame with code was written or freed. */
  dropFrame(frame: number): void {
    const regions = this.byFrame.get(frame);
    if (!regions) return;
    for (const r of [...regions]) this.drop(r);
  }

  dropAll(): void {
    for (const slot of this.slots) slot.regions.length = 0;
    this.byFrame.clear();
    this.samples.clear();
  }

  /** The interpreter stands before a block for the sample. */
  sample(): void {
    this.untilSample = this.options.interval;
    const rip = this.rip();
    this.interpreted += this.options.interval;
    if (rip < 0) return;
    const count = (this.samples.get(rip) ?? 0) + 1;
    this.samples.set(rip, count);
    if (count < this.options.threshold) return;
    if (!this.affordable) return;
    this.samples.set(rip, Number.NEGATIVE_INFINITY);
    if (this.tracing > 0 || this.has(rip)) return;
    this.startTrace(rip);
    if (this.tracing === 0) this.make(rip);
  }

  private get affordable(): boolean {
    return this.eager || this.counters.instructions < CREDIT + this.interpreted / PRICE;
  }

  /** Tests want everything translated at once. */
  private get eager(): boolean {
    return this.options.trace === 0;
  }

  private startTrace(rip: Rip): void {
    this.hot = rip;
    this.last = -1;
    this.visits.clear();
    this.tracing = this.options.trace ?? TRACE;
  }

  get isTracing(): boolean {
    return this.tracing > 0;
  }

  /** The next block to be interpreted, when tracing: notes where it goes and what it touches. */
  trace(block: Block): void {
    const rip = this.rip();
    if (rip >= 0) this.watch(block, rip);
    if (--this.tracing > 0) return;
    for (const at of this.visits.keys()) this.warm.add(at);
    const { again } = this;
    this.again = undefined;
    if (again) {
      this.remake(again.region);
      return;
    }
    let best = this.hot;
    for (const [at, n] of this.visits) if (n > 2 * (this.visits.get(best) ?? 0)) best = at;
    this.samples.set(best, Number.NEGATIVE_INFINITY);
    if (!this.has(best)) this.make(best);
  }

  /** Is there a region for this place already? */
  private has(rip: Rip): boolean {
    return this.slots.some((slot) =>
      slot.regions.some((r) => r.rip === rip && (r.epoch === this.epoch || this.holds(r))),
    );
  }

  private watch(block: Block, rip: Rip): void {
    const { data } = this;
    if (this.last >= 0) this.note(this.last);
    this.last = rip;
    const n = (this.visits.get(rip) ?? 0) + 1;
    this.visits.set(rip, n);
    if (n > 8) return;
    const stub = data.getUint16(block.start + Rec.handler, true) === Pseudo.region ? RECORD_SIZE : 0;
    const value = (register: number): number => {
      const at = State.gpr + 8 * register;
      return register === -1 ? 0 : data.getUint32(at + 4, true) * 2 ** 32 + data.getUint32(at, true);
    };
    for (const s of sitesOf(data, this.parts.interpreter, block.start + stub, block.end, rip)) {
      if (s.base === -2 || s.index === -2) continue;
      const sum = value(s.base) + value(s.index) * 2 ** s.scale + s.delta;
      const wrap = data.getUint32(State.mode, true) & Mode.Long ? 2 ** 64 : 2 ** 32;
      const address = ((sum % wrap) + wrap) % wrap;
      const key = siteKey(data, rip, s);
      const known = this.touched.get(key);
      if (known) known.count++;
      this.touched.set(key, { address, count: (known?.count ?? 0) + 1 });
    }
  }

  /** Puts the region's windows where it looks for them. */
  prepare(region: Region): void {
    if (region.windows.length === 0) return;
    const epoch = this.windows.epoch + this.parts.tlb.inserts;
    if (region.windowEpoch !== epoch) {
      for (const [n, { page, write }] of region.windows.entries())
        this.windows.load(n, this.windows.around(page, write));
      region.table.set(this.windows.words);
      region.windowEpoch = epoch;
    } else if (this.loaded !== region) this.windows.words.set(region.table);
    this.loaded = region;
  }

  /** A region of nothing but the block at RIP, used once. */
  alone(): Region | undefined {
    const rip = this.rip();
    const graph = rip < 0 ? undefined : this.form(rip, 1);
    const region = graph && this.build(graph, rip);
    if (region) this.drop(region);
    return region;
  }

  /** The region to run in place of the block whose first record is at `start`, here and now. */
  regionAt(start: number): Region | undefined {
    const slot = this.slots[this.data.getInt32(start + Rec.imm, true)]!;
    const rip = this.rip();
    for (const r of slot.regions) {
      if (r.rip !== rip) continue;
      if (r.epoch === this.epoch || this.holds(r)) return r;
    }
    if (slot.regions.length < 4) this.samples.delete(rip);
    return undefined;
  }

  /** After a region was left: RIP and the budget become what they are at the exit. False: the interpreter has to go on. */
  left(region: Region, number: number): boolean {
    const { data } = this;
    const exit = region.exits[number]!;
    this.counters.exits++;
    if (exit.back !== 0) data.setInt32(State.budget, data.getInt32(State.budget, true) + exit.back, true);
    if (exit.rip >= 0) {
      data.setUint32(State.rip, exit.rip >>> 0, true);
      data.setUint32(State.rip + 4, Math.floor(exit.rip / 2 ** 32), true);
    }
    if (exit.kind !== 'leave') {
      this.counters.redone++;
      return false;
    }
    if (exit.site >= 0) this.note(exit.site);
    if (++exit.count >= GROW_AFTER << (2 * region.remakes)) this.grow(region, exit);
    return true;
  }

  private note(site: Rip): void {
    const rip = this.rip();
    let list = this.seen.get(site);
    if (!list) {
      list = [];
      this.seen.set(site, list);
    }
    if (list.length < MAX_SEEN && !list.includes(rip)) list.push(rip);
  }

  /** Control often leaves there: the region is made again. */
  private grow(region: Region, exit: RegionExit): void {
    exit.count = Number.NEGATIVE_INFINITY;
    if (region.remakes >= MAX_REMAKES || !this.affordable || this.tracing > 0) return;
    const rip = this.rip();
    if (rip < 0) return;
    this.warm.add(rip);
    if (this.eager) {
      this.remake(region);
      return;
    }
    // What runs after it belongs to the region too.
    this.again = { region };
    this.startTrace(rip);
  }

  private remake(region: Region): void {
    if (!region.slot.regions.includes(region) || !this.holds(region)) return;
    const { remakes } = region;
    const old = region.graph.nodes.length;
    const edges = countEdges(region.graph);
    const graph = this.form(region.rip);
    if (!graph || (graph.nodes.length <= old && countEdges(graph) <= edges)) return;
    this.drop(region);
    const made = this.build(graph, region.rip);
    if (made) made.remakes = remakes + 1;
  }

  private make(rip: Rip): void {
    const graph = this.form(rip);
    if (graph) this.build(graph, rip);
  }

  private form(rip: Rip, most?: number): Graph | undefined {
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
        targetsOf: (site) => this.seen.get(site) ?? [],
        maxBlocks: most ?? MAX_BLOCKS,
        isWarm: (at) => this.eager || this.warm.has(at),
      },
      rip,
    );
  }

  private build(first: Graph, rip: Rip): Region | undefined {
    const { memory, interpreter } = this.parts;
    const begun = performance.now();
    let graph: Graph | undefined = first;
    let compiled: CompiledRegion | undefined;
    let anchors: Anchor[] = [];
    while (graph && !compiled) {
      if (graph.root.cut === graph.root.first) return undefined;
      try {
        const long = (this.data.getUint32(State.mode, true) & Mode.Long) !== 0;
        const { data, untranslatable } = this;
        const choice = this.chooseWindows(graph);
        anchors = choice.anchors;
        const { windowOf } = choice;
        compiled = compileRegion(graph, { memory: memory.wasm, data, interpreter, long, untranslatable, windowOf });
      } catch (e) {
        if (e instanceof Retry) graph = this.form(rip);
        else {
          // A defect of the translator: the code stays with the interpreter. The tests ask for none.
          this.counters.failed++;
          graph = undefined;
        }
      }
    }
    if (!graph || !compiled) return undefined;
    const slot = this.slotFor(graph, compiled.need);
    if (!slot) return undefined;
    const region: Region = {
      ...compiled,
      rip,
      graph,
      slot,
      epoch: this.epoch,
      remakes: 0,
      windows: anchors,
      table: new Int32Array(this.windows.words.length),
      windowEpoch: 0,
    };
    slot.regions.push(region);
    for (const frame of graph.pages.values()) {
      const set = this.byFrame.get(frame) ?? new Set();
      this.byFrame.set(frame, set);
      set.add(region);
    }
    this.counters.regions++;
    for (const n of graph.nodes) this.counters.instructions += n.block.count;
    this.counters.milliseconds += performance.now() - begun;
    return region;
  }

  /** Windows around what the region's instructions are known to touch. */
  private chooseWindows(graph: Graph): {
    anchors: Anchor[];
    windowOf(node: BlockNode, site: Site, write: boolean): number;
  } {
    const { data, windows } = this;
    const found: { window: Window; count: number }[] = [];
    const of = new Map<number, Window>();
    for (const node of graph.nodes) {
      for (const s of sitesOf(data, this.parts.interpreter, node.first, node.block.end, node.rip)) {
        const key = siteKey(data, node.rip, s);
        const absolute = s.base === -1 && (s.index === -1 || s.bound >= 0);
        const fixed = absolute ? { address: s.delta, count: 1 } : undefined;
        const seen = this.touched.get(key) ?? fixed;
        if (!seen) continue;
        const page = Math.floor(seen.address / PAGE_SIZE);
        let known = found.find(({ window: w }) => page >= w.low && page < w.high && (w.write || !s.write));
        if (!known) {
          let window = windows.around(page, true);
          if ((!window || window.low === window.high) && !s.write) window = windows.around(page, false);
          if (!window || window.low === window.high) continue;
          known = { window, count: 0 };
          found.push(known);
        }
        known.count += seen.count;
        of.set(key, known.window);
      }
    }
    found.sort((a, b) => b.count - a.count);
    const chosen = found.slice(0, MAX_WINDOWS).map(({ window }) => window);
    return {
      anchors: chosen.map((w) => ({ page: w.anchor, write: w.write })),
      windowOf: (node, site, write) => {
        const w = of.get(siteKey(data, node.rip, site));
        return w && (w.write || !write) ? chosen.indexOf(w) : -1;
      },
    };
  }

  /** The slot of the root's block, which gets a record for it. */
  private slotFor(graph: Graph, need: number): Slot | undefined {
    const { root } = graph;
    if (root.first !== root.block.start) {
      const known = this.slots[this.data.getInt32(root.block.start + Rec.imm, true)]!;
      const most = Math.max(need, this.data.getInt32(root.block.start + Rec.imm2, true));
      this.data.setInt32(root.block.start + Rec.imm2, most, true);
      return known;
    }
    const slot: Slot = { index: this.slots.length, regions: [] };
    if (!this.parts.blocks.attach(root.block, slot.index, need)) return undefined;
    this.slots.push(slot);
    return slot;
  }

  private holds(r: Region): boolean {
    const { access, blocks } = this.parts;
    const mmu = access.mmu;
    if (!mmu?.peek) return false;
    for (const [vpn, frame] of r.graph.pages) {
      const found = mmu.peek(vpn);
      if (found < 0 || !(found & PERM_X) || Math.floor(found / 8) !== frame || blocks.hasBreakpointsOn(vpn))
        return false;
    }
    r.epoch = this.epoch;
    return true;
  }

  private drop(r: Region): void {
    const at = r.slot.regions.indexOf(r);
    if (at >= 0) r.slot.regions.splice(at, 1);
    for (const frame of r.graph.pages.values()) this.byFrame.get(frame)?.delete(r);
    this.samples.delete(r.rip);
  }

  /** RIP, or -1 where regions are not made. */
  private rip(): Rip {
    const high = this.data.getUint32(State.rip + 4, true);
    return high >= 0x8000 ? -1 : high * 2 ** 32 + this.data.getUint32(State.rip, true);
  }
}

const siteKey = (data: DataView, rip: Rip, s: Site): number =>
  2 * (rip + data.getUint16(s.record + Rec.offset, true)) + (s.implicit ? 1 : 0);

const countEdges = (g: Graph): number => g.nodes.reduce((sum, n) => sum + n.successors.length, 0);
