/**
 * The translation caches in linear memory, direct-mapped. An entry is the page's address and what to add to an address to
 * get to the frame; `(tag ^ address) > 4096 - size` is a miss, an access without permission or one that crosses the page.
 */
import {
  JUMP_CACHE,
  JUMP_CACHE_ENTRIES,
  JUMP_CACHE_ENTRY_SIZE,
  PAGE_SIZE,
  READ_TLB,
  TLB_ENTRIES,
  TLB_ENTRY_SIZE,
  WRITE_TLB,
} from './state.ts';

/** So many entries are emptied one by one; with more it is quicker to fill the whole table. */
const FEW = 1024;

/**
 * A table of entries of 16 bytes. Where nothing is, the first 8 are ones: no canonical RIP whatever the mode, and no address
 * that is looked for there, but for the last entry, which gets a low word of zero.
 */
class Table {
  private readonly words: Int32Array;
  /** Where entries were put since the table was empty. */
  private readonly filled = new Int32Array(FEW);
  private count = FEW + 1;

  constructor(bytes: Uint8Array, at: number, size: number) {
    this.words = new Int32Array(bytes.buffer, at, size >> 2);
  }

  set(index: number, low: number, high: number, value: number): void {
    const { words } = this;
    const at = index * 4;
    words[at] = low;
    words[at + 1] = high;
    words[at + 2] = value;
    if (this.count < FEW) this.filled[this.count] = at;
    this.count++;
  }

  /** The value of the entry, or 0 when it is another's. */
  get(index: number, low: number, high: number): number {
    const at = index * 4;
    return this.words[at] === low && this.words[at + 1] === high ? this.words[at + 2]! : 0;
  }

  drop(index: number): void {
    this.clear(index * 4);
  }

  empty(): void {
    const { words, filled, count } = this;
    if (count > FEW) {
      words.fill(-1);
      this.clear(words.length - 4);
    } else for (let n = 0; n < count; n++) this.clear(filled[n]!);
    this.count = 0;
  }

  private clear(at: number): void {
    const { words } = this;
    words[at] = at + 4 === words.length ? 0 : -1;
    words[at + 1] = -1;
  }
}

export class Tlb {
  private readonly reads: Table;
  private readonly writes: Table;
  private readonly jumps: Table;
  /** Frames that may stand in the write TLB. */
  private readonly writable: Uint8Array;
  /** Counts the pages put in. */
  inserts = 0;

  constructor(bytes: Uint8Array) {
    this.reads = new Table(bytes, READ_TLB, TLB_ENTRIES * TLB_ENTRY_SIZE);
    this.writes = new Table(bytes, WRITE_TLB, TLB_ENTRIES * TLB_ENTRY_SIZE);
    this.jumps = new Table(bytes, JUMP_CACHE, JUMP_CACHE_ENTRIES * JUMP_CACHE_ENTRY_SIZE);
    this.writable = new Uint8Array(bytes.length / PAGE_SIZE);
    this.flush();
  }

  flush(): void {
    this.reads.empty();
    this.writes.empty();
    this.flushJumps();
  }

  flushJumps(): void {
    this.jumps.empty();
  }

  flushPage(vpn: number): void {
    const index = vpn % TLB_ENTRIES;
    this.reads.drop(index);
    this.writes.drop(index);
    this.flushJumps();
  }

  insertRead(low: number, high: number, frame: number): void {
    insert(this.reads, low, high, frame);
    this.inserts++;
  }

  insertWrite(low: number, high: number, frame: number): void {
    insert(this.writes, low, high, frame);
    this.writable[frame] = 1;
    this.inserts++;
  }

  /** The frame now holds code: stores to it have to be seen. */
  protect(frame: number): void {
    if (!this.writable[frame]) return;
    this.writes.empty();
    this.writable[frame] = 0;
  }

  cacheJump(ripLow: number, ripHigh: number, tagHigh: number, block: number): void {
    const shifted = (ripLow >>> 12) | (ripHigh << 20);
    this.jumps.set((ripLow ^ shifted) & (JUMP_CACHE_ENTRIES - 1), ripLow, ripHigh ^ tagHigh, block);
  }

  /** The block that `cacheJump` noted, or 0. */
  cachedJump(ripLow: number, ripHigh: number, tagHigh: number): number {
    const shifted = (ripLow >>> 12) | (ripHigh << 20);
    return this.jumps.get((ripLow ^ shifted) & (JUMP_CACHE_ENTRIES - 1), ripLow, ripHigh ^ tagHigh);
  }
}

function insert(table: Table, low: number, high: number, frame: number): void {
  const page = low & ~0xfff;
  table.set((low >>> 12) & (TLB_ENTRIES - 1), page, high, (frame * PAGE_SIZE - page) | 0);
}
