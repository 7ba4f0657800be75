import type { Mmu } from '../../cpu/mmu.ts';
import { PAGE_SIZE } from '../addr.ts';
import { RUN_PAGES } from './limits.ts';
import { Scratch } from './scratch.ts';

/** What the mm needs of the machine's memory: a part of cpu/physical-memory.ts. */
export interface FrameMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  allocFrame(): number;
  freeFrame(frame: number): void;
  setAside(n: number): number;
  use(): boolean;
  unuse(frame: number): void;
  recycle(frame: number): void;
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
 *
 * Private memory gets its frames in runs of RUN_PAGES neighbours. A run comes back as a whole, when none of its frames is
 * in use.
 */
export class Frames {
  readonly memory: FrameMemory;
  /** For copies between the kernel and user memory. */
  readonly scratch = new Scratch();
  readonly counts: Int32Array;
  /** First frame of the run that a frame belongs to, 0 for a single one (frame 0 holds no guest memory). */
  readonly runOf: Int32Array;
  /** Frames of a run that are in use or set aside, by first frame. */
  readonly live: Uint16Array;
  /** Runs, by first frame, that were in use before: their frames are zeroed one by one as they are taken. */
  readonly used: Set<number> = new Set();
  readonly freeRuns: number[] = [];
  /** Page-cache frames that their owner gave up while they were mapped. */
  readonly orphans: Set<number> = new Set();

  constructor(memory: FrameMemory) {
    const frames = Math.ceil(memory.bytes.length / PAGE_SIZE);
    this.memory = memory;
    this.counts = new Int32Array(frames);
    this.runOf = new Int32Array(frames);
    this.live = new Uint16Array(frames);
  }

  /** alloc_page(): a zeroed frame with one reference, or -1. */
  alloc(): number {
    let frame = this.memory.allocFrame();
    while (frame < 0 && this.freeRuns.length > 0) {
      this.dissolve(this.freeRuns.pop()!);
      frame = this.memory.allocFrame();
    }
    if (frame >= 0) this.counts[frame] = 1;
    return frame;
  }

  /** RUN_PAGES neighbours, all set aside and none in use yet; the first frame or -1. `takeFrom` gives them out. */
  allocRun(): number {
    const reused = this.freeRuns.pop();
    const base = reused ?? this.memory.setAside(RUN_PAGES);
    if (base <= 0) return -1;
    if (reused !== undefined) this.used.add(base);
    this.runOf.fill(base, base, base + RUN_PAGES);
    this.live[base] = RUN_PAGES;
    return base;
  }

  /** A frame of a run, zeroed, with one reference; -1 without memory. */
  takeFrom(base: number, slot: number): number {
    if (!this.memory.use()) return -1;
    const frame = base + slot;
    if (this.used.has(base)) this.memory.bytes.fill(0, frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
    this.get(frame);
    return frame;
  }

  /** A frame of a run that is set aside and not needed any more. */
  release(frame: number): void {
    const base = this.runOf[frame]!;
    this.live[base]!--;
    if (this.live[base] === 0) this.freeRuns.push(base);
  }

  private dissolve(base: number): void {
    this.used.delete(base);
    this.runOf.fill(0, base, base + RUN_PAGES);
    for (let frame = base; frame < base + RUN_PAGES; frame++) this.memory.recycle(frame);
  }

  count(frame: number): number {
    return this.counts[frame]!;
  }

  /** get_page(). */
  get(frame: number): void {
    this.counts[frame]!++;
  }

  /** put_page() of an anonymous frame. */
  put(frame: number): void {
    this.counts[frame]!--;
    if (this.counts[frame] !== 0) return;
    if (this.runOf[frame] === 0) {
      this.memory.freeFrame(frame);
    } else {
      this.memory.unuse(frame);
      this.release(frame);
    }
  }

  /** page_remove_rmap() of a frame that somebody else owns. */
  unmapCache(frame: number): void {
    this.counts[frame]!--;
    if (this.counts[frame] === 0 && this.orphans.delete(frame)) this.memory.freeFrame(frame);
  }

  /** The owner of a page-cache frame drops it: at once, or when the last mapping goes. */
  releaseCache(frame: number): void {
    if (this.count(frame) > 0) this.orphans.add(frame);
    else this.memory.freeFrame(frame);
  }
}
