/**
 * Windows: runs of pages whose frames lie in a row too, so that one comparison and one addition take an address to its
 * frame. A window holds only pages that the TLB might hold: present, for stores writable without further ado, without
 * code, not watched. Regions keep a few of them in locals.
 */
import type { MemoryAccess } from '../memory-access.ts';
import { type Mmu, PERM_R, PERM_W } from '../mmu.ts';
import type { PhysicalMemory } from '../physical-memory.ts';
import { PAGE_SIZE, WINDOWS } from '../state.ts';

/** Windows per region. */
export const MAX_WINDOWS = 4;
/** A table entry: low address i64, number of addresses at which 64 bytes lie inside i64, the same for 512 bytes, addend i32. */
export const WindowEntry = { size: 32, low: 0, length: 8, groupLength: 16, addend: 24 } as const;
export const SHORT_SPAN = 64;
export const LONG_SPAN = 512;
const MAX_PAGES = 1 << 16;

/** The pages around an anchor. An empty one has `low === high`. */
export interface Window {
  readonly anchor: number;
  readonly write: boolean;
  /** First page, and the one after the last. */
  low: number;
  high: number;
  /** Frame minus page. */
  shift: number;
}

export class Windows {
  /** Counts what may have made windows larger or smaller. */
  epoch = 1;
  private readonly sets = new WeakMap<Mmu, Map<number, Window>>();
  /** The sets, to be told of changes. */
  private live = new Set<Map<number, Window>>();
  private readonly memory: PhysicalMemory;
  private readonly access: MemoryAccess;
  /** The table of the windows' bounds that a region finds when it is entered. */
  readonly words: Int32Array;

  constructor(memory: PhysicalMemory, access: MemoryAccess) {
    this.memory = memory;
    this.access = access;
    this.words = new Int32Array(memory.buffer, WINDOWS, (MAX_WINDOWS * WindowEntry.size) >> 2);
  }

  /** Mappings or watchpoints changed: everything is looked at again. */
  forget(): void {
    for (const set of this.live) set.clear();
    this.epoch++;
  }

  /** A page is mapped otherwise from now on, in this address space or another. */
  cutPage(vpn: number): void {
    for (const set of this.live) for (const w of set.values()) if (vpn >= w.low && vpn < w.high) this.cut(w, vpn);
  }

  /** A frame holds code: stores must not go there unseen. */
  cutFrame(frame: number): void {
    for (const set of this.live) {
      for (const w of set.values()) {
        const vpn = frame - w.shift;
        if (w.write && vpn >= w.low && vpn < w.high) this.cut(w, vpn);
      }
    }
  }

  private cut(w: Window, vpn: number): void {
    this.epoch++;
    if (vpn === w.anchor) w.high = w.low;
    else if (vpn < w.anchor) w.low = vpn + 1;
    else w.high = vpn;
  }

  /** The window around a page as it is now. */
  around(anchor: number, write: boolean): Window | undefined {
    const { mmu } = this.access;
    if (!mmu?.peek) return undefined;
    let set = this.sets.get(mmu);
    if (!set) {
      set = new Map();
      this.sets.set(mmu, set);
      this.live.add(set);
    }
    const key = anchor * 2 + (write ? 1 : 0);
    let w = set.get(key);
    if (!w) {
      w = { anchor, write, low: anchor, high: anchor, shift: 0 };
      set.set(key, w);
    }
    this.extend(w);
    return w;
  }

  dropSpace(mmu: Mmu): void {
    const set = this.sets.get(mmu);
    if (set) this.live.delete(set);
    this.sets.delete(mmu);
  }

  /** Frame of a page that a window may hold, or -1. */
  private frame(vpn: number, write: boolean): number {
    const { mmu, watchpoints } = this.access;
    const found = mmu!.peek!(vpn);
    if (found < 0 || !(found & PERM_R) || (write && !(found & PERM_W))) return -1;
    const frame = Math.floor(found / 8);
    if (write && this.memory.code[frame]) return -1;
    return watchpoints?.watchesPage(vpn * PAGE_SIZE) ? -1 : frame;
  }

  /** Takes in the pages at both ends, as far as they fit. */
  private extend(w: Window): void {
    if (w.low === w.high) {
      const frame = this.frame(w.anchor, w.write);
      if (frame < 0) return;
      w.low = w.anchor;
      w.high = w.anchor + 1;
      w.shift = frame - w.anchor;
    }
    while (w.high - w.low < MAX_PAGES && this.frame(w.high, w.write) === w.high + w.shift) w.high++;
    while (w.high - w.low < MAX_PAGES && w.low > 0 && this.frame(w.low - 1, w.write) === w.low - 1 + w.shift) w.low--;
  }

  /** Puts a window where the region's prologue finds it. */
  load(n: number, w: Window | undefined): void {
    const { words } = this;
    const at = (n * WindowEntry.size) >> 2;
    const bytes = w ? (w.high - w.low) * PAGE_SIZE : 0;
    const low = w ? w.low * PAGE_SIZE : 0;
    words[at] = low >>> 0;
    words[at + 1] = Math.floor(low / 2 ** 32);
    words[at + 2] = Math.max(0, bytes - SHORT_SPAN + 1);
    words[at + 3] = 0;
    words[at + 4] = Math.max(0, bytes - LONG_SPAN + 1);
    words[at + 5] = 0;
    words[at + 6] = w ? (w.shift * PAGE_SIZE) | 0 : 0;
  }
}
