import type { Mmu } from '../../cpu/mmu.ts';

/** What the mm needs of the machine's memory: a part of cpu/physical-memory.ts. */
export interface FrameMemory {
  readonly bytes: Uint8Array;
  allocFrame(): number;
  allocContiguous(n: number): number;
  freeFrame(frame: number): void;
  noteWrite(frame: number): void;
}

/** What the mm tells the CPU about mappings that changed: a part of cpu/cpu.ts. */
export interface Tlb {
  flushTlb(): void;
  flushPage(vpn: number): void;
  dropSpace(mmu: Mmu): void;
}

/**
 * `struct page`'s `_count`, include/linux/mm_types.h: how many page tables refer to a frame. One object per machine.
 *
 * An anonymous frame is freed when its last reference goes. A frame of the page cache or of the vDSO belongs to somebody
 * else: its count says only who maps it, until its owner gives it up with `releaseCache`.
 */
export class Frames {
  readonly memory: FrameMemory;
  readonly counts: Map<number, number> = new Map();
  /** Page-cache frames that their owner gave up while they were mapped. */
  readonly orphans: Set<number> = new Set();

  constructor(memory: FrameMemory) {
    this.memory = memory;
  }

  /** alloc_page(): a zeroed frame with one reference, or -1. */
  alloc(): number {
    const frame = this.memory.allocFrame();
    if (frame >= 0) this.counts.set(frame, 1);
    return frame;
  }

  count(frame: number): number {
    return this.counts.get(frame) ?? 0;
  }

  /** get_page(). */
  get(frame: number): void {
    this.counts.set(frame, this.count(frame) + 1);
  }

  /** put_page() of an anonymous frame. */
  put(frame: number): void {
    const left = this.count(frame) - 1;
    if (left > 0) {
      this.counts.set(frame, left);
      return;
    }
    this.counts.delete(frame);
    this.memory.freeFrame(frame);
  }

  /** page_remove_rmap() of a frame that somebody else owns. */
  unmapCache(frame: number): void {
    const left = this.count(frame) - 1;
    if (left > 0) {
      this.counts.set(frame, left);
      return;
    }
    this.counts.delete(frame);
    if (this.orphans.delete(frame)) this.memory.freeFrame(frame);
  }

  /** The owner of a page-cache frame drops it: at once, or when the last mapping goes. */
  releaseCache(frame: number): void {
    if (this.count(frame) > 0) this.orphans.add(frame);
    else this.memory.freeFrame(frame);
  }

  /** A copy of `from` in a new frame, or -1. */
  copy(from: number): number {
    const frame = this.alloc();
    if (frame >= 0) this.memory.bytes.copyWithin(frame * 4096, from * 4096, from * 4096 + 4096);
    if (frame >= 0) this.memory.noteWrite(frame);
    return frame;
  }
}
