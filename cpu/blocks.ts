/** Finds the block at an address: decoded before, or now; with breakpoints where the address space has them. */
import { BlockBuilder, type CodeSource } from './decode/block-builder.ts';
import { type Block, BlockMap, type CodeCache } from './decode/code-cache.ts';
import type { Decoder } from './decode/decoder.ts';
import { Vector } from './exit.ts';
import type { Interpreter } from './interp/interpreter.ts';
import { Pseudo } from './interp/pseudo.ts';
import { RECORD_SIZE, Rec } from './interp/record.ts';
import type { MemoryAccess } from './memory-access.ts';
import { Access, type Mmu } from './mmu.ts';
import type { PhysicalMemory } from './physical-memory.ts';
import { Mode, type SegmentFile } from './segment.ts';
import { PAGE_SIZE, Segment, State, segmentBaseOffset } from './state.ts';
import type { Tlb } from './tlb.ts';

/** A page with breakpoints has blocks of its own, which end before them. */
interface BreakpointPage {
  /** How many breakpoints stand at an offset. */
  readonly offsets: Map<number, number>;
  readonly blocks: BlockMap;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export class Blocks {
  /** Blocks are looked up as if there were no breakpoints: for the instruction under one. */
  ignoreBreakpoints = false;
  /** Where the block that is looked for begins, a linear address in two halves, and its mode. */
  private low = 0;
  private high = 0;
  private mode = 0;
  /** Blocks that the end of the code segment cuts, by how far it is from their beginning. */
  private readonly limited = new Map<number, BlockMap>();
  private readonly breakpoints = new Map<Mmu, Map<number, BreakpointPage>>();
  readonly builder: BlockBuilder;
  /** For the block that is built: the same object each time. */
  private readonly source: Writable<CodeSource>;
  private readonly data: DataView;
  /** All of linear memory. */
  private readonly records: DataView;
  private readonly memory: PhysicalMemory;
  private readonly tlb: Tlb;
  private readonly cache: CodeCache;
  private readonly access: MemoryAccess;
  private readonly segments: SegmentFile;

  constructor(
    memory: PhysicalMemory,
    tlb: Tlb,
    cache: CodeCache,
    access: MemoryAccess,
    segments: SegmentFile,
    decoder: Decoder,
    interpreter: Interpreter,
  ) {
    this.memory = memory;
    this.tlb = tlb;
    this.cache = cache;
    this.access = access;
    this.segments = segments;
    this.data = new DataView(memory.buffer, 0, PAGE_SIZE);
    this.records = new DataView(memory.buffer);
    this.builder = new BlockBuilder(decoder, interpreter, memory.buffer);
    const nextFrame = (): number => this.nextFrame();
    this.source = { bytes: memory.bytes, at: 0, nextFrame, isBreakpoint: undefined, limit: Infinity };
  }

  addBreakpoint(mmu: Mmu, address: number): void {
    const pages = this.breakpoints.get(mmu) ?? new Map<number, BreakpointPage>();
    this.breakpoints.set(mmu, pages);
    const vpn = Math.floor(address / PAGE_SIZE);
    const page = pages.get(vpn) ?? { offsets: new Map<number, number>(), blocks: new BlockMap() };
    pages.set(vpn, page);
    const offset = address % PAGE_SIZE;
    page.offsets.set(offset, (page.offsets.get(offset) ?? 0) + 1);
    this.dropBlocks(page);
    this.tlb.flushJumps();
  }

  removeBreakpoint(mmu: Mmu, address: number): void {
    const pages = this.breakpoints.get(mmu);
    const vpn = Math.floor(address / PAGE_SIZE);
    const page = pages?.get(vpn);
    if (!pages || !page) return;
    const offset = address % PAGE_SIZE;
    const left = (page.offsets.get(offset) ?? 0) - 1;
    if (left > 0) page.offsets.set(offset, left);
    else page.offsets.delete(offset);
    this.dropBlocks(page);
    if (page.offsets.size === 0) pages.delete(vpn);
    this.tlb.flushJumps();
  }

  /** How many breakpoints stand at a linear address. */
  breakpointCount(address: bigint): number {
    if (this.breakpoints.size === 0 || this.access.mmu === undefined) return 0;
    const page = this.breakpoints.get(this.access.mmu)?.get(Number(address / BigInt(PAGE_SIZE)));
    return page?.offsets.get(Number(address % BigInt(PAGE_SIZE))) ?? 0;
  }

  dropSpace(mmu: Mmu): void {
    for (const page of this.breakpoints.get(mmu)?.values() ?? []) this.dropBlocks(page);
    this.breakpoints.delete(mmu);
  }

  /** The block at RIP; faults as the fetch does. */
  lookUp(): Block {
    this.locate();
    const { low, high, mode } = this;
    const frame = this.access.frame(0, low, high, Access.Fetch);
    const page = this.breakpointsAt(low, high);
    const map = page?.blocks ?? this.cache.blocks;
    const room = this.roomInSegment();
    let block = this.find(frame, map, page, Infinity);
    if (block.length > room) block = this.find(frame, this.limitedBlocks(room), page, room);
    if (!this.ignoreBreakpoints) {
      const { data } = this;
      this.tlb.cacheJump(data.getInt32(State.rip, true), data.getInt32(State.rip + 4, true), mode << 24, block.start);
    }
    return block;
  }

  private find(frame: number, map: BlockMap, page: BreakpointPage | undefined, limit: number): Block {
    const known = map.get(frame, this.low & 0xfff, this.mode);
    return known && this.stillCrosses(known) ? known : this.build(frame, map, page, limit);
  }

  /** Bytes from RIP to the end of the code segment. */
  private roomInSegment(): number {
    if (this.mode & (Mode.Long | Mode.Flat)) return Infinity;
    const limit = this.segments.limit(Segment.CS);
    return limit === 0xffffffff ? Infinity : limit + 1 - this.data.getUint32(State.rip, true);
  }

  private limitedBlocks(room: number): BlockMap {
    const known = this.limited.get(room) ?? new BlockMap();
    this.limited.set(room, known);
    return known;
  }

  /** Looks the next block up; notes it in a link of the running one where it will hold. */
  follow(link: number): Block {
    const { generation } = this.cache;
    const block = this.lookUp();
    // The records may have been thrown away in the meantime, the link's with them.
    const linkable = link !== 0 && block.frame2 < 0 && generation === this.cache.generation;
    if (linkable && this.staysOnPage()) this.cache.link(link, block);
    return block;
  }

  /** Puts a region's record before a copy of the block's records: from now on the region runs in place of the block. */
  attach(block: Block, slot: number, need: number): Block | undefined {
    if (this.cache.nearlyFull) return undefined;
    const { bytes } = this.memory;
    const start = this.cache.next;
    const first = start + RECORD_SIZE;
    const data = new DataView(bytes.buffer, start, RECORD_SIZE);
    bytes.copyWithin(first, block.start, block.end);
    this.cache.drop(block);
    // Other blocks lead to the old records still.
    this.records.setUint16(block.start + Rec.handler, Pseudo.moved, true);
    this.tlb.flushJumps();
    bytes.fill(0, start, first);
    data.setUint16(Rec.handler, Pseudo.region, true);
    data.setUint16(Rec.remaining, block.count, true);
    data.setInt32(Rec.imm, slot, true);
    data.setInt32(Rec.imm2, need, true);
    const { count, length, frame, frame2, offset, mode, map } = block;
    const made: Block = {
      start,
      end: first + (block.end - block.start),
      count,
      length,
      frame,
      frame2,
      offset,
      mode,
      map,
    };
    this.tlb.protect(frame);
    if (frame2 >= 0) this.tlb.protect(frame2);
    this.cache.add(made);
    return made;
  }

  /** The first record of the block at RIP; faults as the fetch does. */
  first(): number {
    return this.cachedJump() || this.lookUp().start;
  }

  /** That by the jump cache, or 0. Where code segments have an end, each beginning of a run looks at it. */
  private cachedJump(): number {
    const { data } = this;
    if (!(data.getUint32(State.mode, true) & (Mode.Long | Mode.Flat))) return 0;
    const low = data.getInt32(State.rip, true);
    const high = data.getInt32(State.rip + 4, true);
    const start = this.tlb.cachedJump(low, high, data.getInt32(State.modeTag + 4, true));
    // A block that was dropped stays in the cache until it is looked up.
    return start !== 0 && this.records.getUint16(start + Rec.handler, true) === Pseudo.leave ? 0 : start;
  }

  /** Does the page have breakpoints in this address space? */
  hasBreakpointsOn(vpn: number): boolean {
    if (this.breakpoints.size === 0 || this.access.mmu === undefined) return false;
    return this.breakpoints.get(this.access.mmu)?.has(vpn) ?? false;
  }

  /** Is this the page of the running block, or the one that its last instruction crosses into? */
  runsOn(vpn: number): boolean {
    const running = (this.linearHigh(State.blockRip) >>> 0) * 0x100000 + (this.linearLow(State.blockRip) >>> 12);
    return vpn === running || vpn === running + 1;
  }

  /** Notes where the next instruction is, in linear addresses, and in which mode. */
  private locate(): void {
    const mode = this.data.getUint32(State.mode, true);
    const eip = this.data.getUint32(State.rip, true);
    if (!(mode & Mode.Long) && eip > this.segments.limit(Segment.CS)) this.access.raise(0, Vector.GP, 0);
    this.mode = mode;
    this.low = this.linearLow(State.rip);
    this.high = this.linearHigh(State.rip);
  }

  /** Of the address in `State.rip` or `State.blockRip`. */
  private linearLow(field: number): number {
    const low = this.data.getInt32(field, true);
    return this.long ? low : (low + this.data.getInt32(segmentBaseOffset(Segment.CS), true)) | 0;
  }

  private linearHigh(field: number): number {
    return this.long ? this.data.getInt32(field + 4, true) : 0;
  }

  private get long(): boolean {
    return (this.data.getUint32(State.mode, true) & Mode.Long) !== 0;
  }

  private breakpointsAt(low: number, high: number): BreakpointPage | undefined {
    if (this.ignoreBreakpoints || this.breakpoints.size === 0 || this.access.mmu === undefined) return undefined;
    return this.breakpoints.get(this.access.mmu)?.get((high >>> 0) * 0x100000 + (low >>> 12));
  }

  /** The second page of an instruction may be another frame here than where the block was decoded. */
  private stillCrosses(block: Block): boolean {
    if (block.frame2 < 0) return true;
    if (this.nextFrame() === block.frame2) return true;
    this.cache.drop(block);
    return false;
  }

  private nextFrame(): number {
    const { low, high, mode } = this;
    const nextLow = ((low & ~0xfff) + PAGE_SIZE) | 0;
    const nextHigh = nextLow === 0 && mode & Mode.Long ? high + 1 : high;
    return this.access.frame(0, nextLow, nextHigh, Access.Fetch);
  }

  private build(frame: number, map: BlockMap, page: BreakpointPage | undefined, limit: number): Block {
    if (this.cache.nearlyFull) this.startOver();
    const { mode } = this;
    const offset = this.low & 0xfff;
    const { source } = this;
    source.at = frame * PAGE_SIZE + offset;
    source.isBreakpoint = page && ((at) => page.offsets.has(offset + at));
    source.limit = limit;
    const start = this.cache.next;
    const { end, count, length, frame2 } = this.builder.build(source, mode, start);
    const block: Block = { start, end, count, length, frame, frame2, offset, mode, map };
    this.tlb.protect(frame);
    if (frame2 >= 0) this.tlb.protect(frame2);
    this.cache.add(block);
    return block;
  }

  /** The room for records is used up: all blocks go. */
  private startOver(): void {
    this.cache.reset();
    this.limited.clear();
    for (const pages of this.breakpoints.values()) for (const p of pages.values()) p.blocks.clear();
    this.tlb.flushJumps();
  }

  /** The block at RIP lies on the page of the running one: a link between them holds as long as they do. */
  private staysOnPage(): boolean {
    const { data } = this;
    if (!(data.getUint32(State.mode, true) & Mode.Flat)) return false;
    const samePage = (data.getUint32(State.rip, true) ^ data.getUint32(State.blockRip, true)) >>> 12 === 0;
    return samePage && data.getUint32(State.rip + 4, true) === data.getUint32(State.blockRip + 4, true);
  }

  private dropBlocks(page: BreakpointPage): void {
    for (const b of page.blocks.all()) this.cache.drop(b);
    page.blocks.clear();
  }
}
