/** The regions that there are, by the block that each begins with; which of them may run here and now, and their windows. */
import type { Blocks } from '../blocks.ts';
import type { CodeCache } from '../decode/code-cache.ts';
import { Rec } from '../interp/record.ts';
import type { MemoryAccess } from '../memory-access.ts';
import { PERM_X } from '../mmu.ts';
import type { PhysicalMemory } from '../physical-memory.ts';
import { State } from '../state.ts';
import type { Tlb } from '../tlb.ts';
import type { CompiledRegion } from './compile.ts';
import type { Graph, Rip } from './graph.ts';
import { classOfMxcsr, MxcsrClass } from './mxcsr.ts';
import type { Anchor, Profile } from './profile.ts';
import { Windows } from './windows.ts';
import { shapeOfX87, X87_ANY } from './x87-locals.ts';

export interface Region extends CompiledRegion {
  readonly rip: Rip;
  readonly graph: Graph;
  readonly slot: Slot;
  /** The state of the address space in which the pages were last found right. */
  epoch: number;
  remakes: number;
  /** How often it was left. */
  exitsTaken: number;
  readonly windows: readonly Anchor[];
  /** The windows' table as it was at `windowEpoch`. */
  readonly table: Int32Array;
  windowEpoch: number;
}

/** Regions that begin with the same block, in different address spaces. */
interface Slot {
  readonly index: number;
  readonly regions: Region[];
}

const MAX_REGIONS_OF_BLOCK = 4;

export interface RegionTableParts {
  readonly memory: PhysicalMemory;
  readonly blocks: Blocks;
  readonly cache: CodeCache;
  readonly access: MemoryAccess;
  readonly tlb: Tlb;
}

export class RegionTable {
  readonly windows: Windows;
  private readonly parts: RegionTableParts;
  private readonly profile: Profile;
  private readonly data: DataView;
  private readonly slots: Slot[] = [];
  private readonly byFrame = new Map<number, Set<Region>>();
  /** The region whose windows stand in the table. */
  private loaded: Region | undefined;
  /** Counts what may have changed where code is mapped. */
  private epoch = 1;

  constructor(parts: RegionTableParts, profile: Profile) {
    this.parts = parts;
    this.profile = profile;
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
    this.profile.unsettleAll();
  }

  drop(r: Region): void {
    const at = r.slot.regions.indexOf(r);
    if (at >= 0) r.slot.regions.splice(at, 1);
    for (const frame of r.graph.pages.values()) this.byFrame.get(frame)?.delete(r);
    this.profile.unsettle(r.rip);
  }

  get x87(): number {
    const { data } = this;
    const word = (at: number): number => data.getUint32(at, true);
    return shapeOfX87(word(State.fcw), word(State.fsw), word(State.ftw));
  }

  get mxcsr(): MxcsrClass {
    return classOfMxcsr(this.data.getUint32(State.mxcsr, true));
  }

  /** Is there a region for this place already? */
  has(rip: Rip): boolean {
    return this.slots.some((slot) => slot.regions.some((r) => r.rip === rip && this.holds(r)));
  }

  /** The region to run in place of the block whose first record is at `start`, here and now. */
  at(start: number, rip: Rip): Region | undefined {
    const slot = this.slots[this.data.getInt32(start + Rec.imm, true)]!;
    for (const r of slot.regions) if (r.rip === rip && this.holds(r)) return r;
    if (slot.regions.length < MAX_REGIONS_OF_BLOCK) this.profile.unsettle(rip);
    return undefined;
  }

  /** Does it stand in the table still, and is its code mapped where it was? */
  lives(r: Region): boolean {
    return r.slot.regions.includes(r) && this.holds(r);
  }

  add(compiled: CompiledRegion, rip: Rip, graph: Graph, windows: readonly Anchor[]): Region | undefined {
    const slot = this.slotFor(graph, compiled.need);
    if (!slot) return undefined;
    const region = this.regionOf(compiled, rip, graph, windows, slot);
    slot.regions.push(region);
    for (const frame of graph.pages.values()) {
      const set = this.byFrame.get(frame) ?? new Set();
      this.byFrame.set(frame, set);
      set.add(region);
    }
    return region;
  }

  /** A region that no block leads to. */
  loose(compiled: CompiledRegion, rip: Rip, graph: Graph, windows: readonly Anchor[]): Region {
    return this.regionOf(compiled, rip, graph, windows, { index: -1, regions: [] });
  }

  private regionOf(compiled: CompiledRegion, rip: Rip, graph: Graph, windows: readonly Anchor[], slot: Slot): Region {
    const table = new Int32Array(this.windows.words.length);
    return {
      ...compiled,
      rip,
      graph,
      slot,
      epoch: this.epoch,
      remakes: 0,
      exitsTaken: 0,
      windows,
      table,
      windowEpoch: 0,
    };
  }

  /** Puts the region's windows where it looks for them. */
  prepare(region: Region): void {
    if (region.windows.length === 0) return;
    // With every few pages that are touched anew, windows may have become larger.
    const epoch = this.windows.epoch + (this.parts.tlb.inserts >>> 5);
    if (region.windowEpoch !== epoch) {
      for (const [n, { page, write }] of region.windows.entries())
        this.windows.load(n, this.windows.around(page, write));
      region.table.set(this.windows.words);
      region.windowEpoch = epoch;
    } else if (this.loaded !== region) this.windows.words.set(region.table);
    this.loaded = region;
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

  /** Is the region's code mapped here and now as it was, without breakpoints, and made for what MXCSR and the x87 hold? */
  private holds(r: Region): boolean {
    if (r.mxcsr !== MxcsrClass.any && r.mxcsr !== this.mxcsr) return false;
    if (r.x87 !== X87_ANY && r.x87 !== this.x87) return false;
    if (r.epoch === this.epoch) return true;
    const { access, blocks } = this.parts;
    const { mmu } = access;
    if (!mmu?.peek) return false;
    for (const [vpn, frame] of r.graph.pages) {
      const found = mmu.peek(vpn);
      if (found < 0 || !(found & PERM_X) || Math.floor(found / 8) !== frame || blocks.hasBreakpointsOn(vpn))
        return false;
    }
    r.epoch = this.epoch;
    return true;
  }
}
