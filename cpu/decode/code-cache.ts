/** Decoded blocks, keyed by physical address and mode, so that processes share them. */

import { Pseudo } from '../interp/pseudo.ts';
import { RECORD_SIZE, Rec } from '../interp/record.ts';
import type { CodeObserver, PhysicalMemory } from '../physical-memory.ts';
import { PAGE_SIZE, RECORDS, RECORDS_END } from '../state.ts';

export interface Block {
  /** Address of the first record, and of the end of the last one. */
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** Bytes of code. */
  readonly length: number;
  readonly frame: number;
  /** The frame into which the last instruction crosses, or -1. */
  readonly frame2: number;
  /** Offset in the frame, and the mode that it was decoded in. */
  readonly offset: number;
  readonly mode: number;
  readonly map: BlockMap;
}

/** Blocks by physical address; those of different modes at one place are different. */
export class BlockMap {
  /** By mode, keys being numbers of 32 bits: V8 finds those quickly. */
  private readonly modes: (Map<number, Block> | undefined)[] = [];

  get(frame: number, offset: number, mode: number): Block | undefined {
    return this.modes[mode]?.get((frame * PAGE_SIZE + offset) | 0);
  }

  add(b: Block): void {
    let blocks = this.modes[b.mode];
    if (!blocks) {
      blocks = new Map();
      this.modes[b.mode] = blocks;
    }
    blocks.set((b.frame * PAGE_SIZE + b.offset) | 0, b);
  }

  drop(b: Block): void {
    if (this.get(b.frame, b.offset, b.mode) === b) this.modes[b.mode]!.delete((b.frame * PAGE_SIZE + b.offset) | 0);
  }

  clear(): void {
    this.modes.length = 0;
  }

  all(): Block[] {
    return this.modes.flatMap((blocks) => [...(blocks?.values() ?? [])]);
  }
}

export class CodeCache implements CodeObserver {
  /** Where the next block's records go. */
  next = RECORDS;
  /** Counts the resets. */
  generation = 0;
  readonly blocks = new BlockMap();
  private readonly byFrame = new Map<number, Block[]>();
  /** The translator, told of what goes. */
  regions: { codeFrame(frame: number): void; dropFrame(frame: number): void; dropAll(): void } | undefined;
  private readonly data: DataView;
  private readonly memory: PhysicalMemory;
  /** The record under execution, as far as known: its block may be the one that is dropped. */
  running = 0;
  /** A record that for the time being says `leave`, and its own handler. */
  private patched = 0;
  private patchedHandler = 0;

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
    this.data = new DataView(memory.buffer, 0, RECORDS_END);
    memory.observe(this);
  }

  get nearlyFull(): boolean {
    return this.next + 256 * RECORD_SIZE > RECORDS_END;
  }

  add(block: Block): void {
    block.map.add(block);
    this.list(block.frame).push(block);
    if (block.frame2 >= 0) this.list(block.frame2).push(block);
    this.next = block.end;
  }

  /** A frame was written, or freed: its blocks are no more. */
  dropFrame(frame: number): void {
    const blocks = this.byFrame.get(frame);
    this.memory.code[frame] = 0;
    this.regions?.dropFrame(frame);
    if (!blocks) return;
    this.byFrame.delete(frame);
    for (const b of blocks) this.drop(b);
  }

  drop(b: Block): void {
    b.map.drop(b);
    this.unlist(b.frame, b);
    if (b.frame2 >= 0) this.unlist(b.frame2, b);
    this.data.setUint16(b.start + Rec.handler, Pseudo.leave, true);
    if (this.running >= b.start && this.running < b.end) this.stopAfterRunning(b);
  }

  /** Everything goes: the room for records is used up. */
  reset(): void {
    this.generation++;
    for (const frame of this.byFrame.keys()) this.memory.code[frame] = 0;
    this.byFrame.clear();
    this.blocks.clear();
    this.regions?.dropAll();
    this.next = RECORDS;
  }

  /** From now on a block leads to another without being looked up. */
  link(at: number, to: Block): void {
    this.data.setUint32(at, to.start, true);
  }

  /** What the running block's page maps to has changed: after the running instruction, blocks are looked up again. */
  leaveAfterRunning(): void {
    if (this.running === 0 || this.patched !== 0) return;
    const remaining = this.data.getUint16(this.running + Rec.remaining, true);
    let r = this.running;
    while (this.data.getUint16(r + Rec.remaining, true) === remaining) r += RECORD_SIZE;
    // The last instruction, when it leaves the block by itself, has no store to the code's own page.
    const handler = this.data.getUint16(r + Rec.handler, true);
    if (remaining === 1 && handler !== Pseudo.fallThrough) return;
    this.patched = r;
    this.patchedHandler = handler;
    this.data.setUint16(r + Rec.handler, Pseudo.leave, true);
  }

  /** The interpreter has returned. */
  stopped(): void {
    this.running = 0;
    if (this.patched === 0) return;
    this.data.setUint16(this.patched + Rec.handler, this.patchedHandler, true);
    this.patched = 0;
  }

  /** The running block is stale: the instruction after the running one must not come from it. */
  private stopAfterRunning(b: Block): void {
    const remaining = this.data.getUint16(this.running + Rec.remaining, true);
    for (let r = this.running; r < b.end; r += RECORD_SIZE) {
      if (this.data.getUint16(r + Rec.remaining, true) === remaining) continue;
      this.data.setUint16(r + Rec.handler, Pseudo.leave, true);
      return;
    }
  }

  private list(frame: number): Block[] {
    let list = this.byFrame.get(frame);
    if (!list) {
      list = [];
      this.byFrame.set(frame, list);
      this.memory.code[frame] = 1;
      this.regions?.codeFrame(frame);
    }
    return list;
  }

  private unlist(frame: number, b: Block): void {
    const list = this.byFrame.get(frame);
    const at = list ? list.indexOf(b) : -1;
    if (at >= 0) list!.splice(at, 1);
  }
}
