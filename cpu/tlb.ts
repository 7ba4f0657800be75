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

export class Tlb {
  private readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  /** Frames that may stand in the write TLB. */
  private readonly writable: Uint8Array;
  private jumpsCached = true;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.words = new Int32Array(bytes.buffer, 0, 0x10000);
    this.writable = new Uint8Array(bytes.length / PAGE_SIZE);
    this.flush();
  }

  flush(): void {
    this.empty(READ_TLB);
    this.empty(WRITE_TLB);
    this.flushJumps();
  }

  flushJumps(): void {
    if (!this.jumpsCached) return;
    // A tag of all ones is no canonical RIP whatever the mode.
    this.bytes.fill(0xff, JUMP_CACHE, JUMP_CACHE + JUMP_CACHE_ENTRIES * JUMP_CACHE_ENTRY_SIZE);
    this.jumpsCached = false;
  }

  flushPage(vpn: number): void {
    this.drop(READ_TLB, vpn);
    this.drop(WRITE_TLB, vpn);
    this.flushJumps();
  }

  insertRead(low: number, high: number, frame: number): void {
    this.insert(READ_TLB, low, high, frame);
  }

  insertWrite(low: number, high: number, frame: number): void {
    this.insert(WRITE_TLB, low, high, frame);
    this.writable[frame] = 1;
  }

  /** The frame now holds code: stores to it have to be seen. */
  protect(frame: number): void {
    if (!this.writable[frame]) return;
    this.empty(WRITE_TLB);
    this.writable[frame] = 0;
  }

  cacheJump(ripLow: number, ripHigh: number, tagHigh: number, block: number): void {
    const shifted = (ripLow >>> 12) | (ripHigh << 20);
    const at = (JUMP_CACHE >> 2) + ((ripLow ^ shifted) & (JUMP_CACHE_ENTRIES - 1)) * 4;
    this.words[at] = ripLow;
    this.words[at + 1] = ripHigh ^ tagHigh;
    this.words[at + 2] = block;
    this.jumpsCached = true;
  }

  private insert(tlb: number, low: number, high: number, frame: number): void {
    const page = low & ~0xfff;
    const at = (tlb + ((low >>> 12) & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE) >> 2;
    this.words[at] = page;
    this.words[at + 1] = high;
    this.words[at + 2] = (frame * PAGE_SIZE - page) | 0;
  }

  private drop(tlb: number, vpn: number): void {
    const index = vpn % TLB_ENTRIES;
    this.bytes.fill(0xff, tlb + index * TLB_ENTRY_SIZE, tlb + index * TLB_ENTRY_SIZE + 8);
    if (index === TLB_ENTRIES - 1) this.words[(tlb + index * TLB_ENTRY_SIZE) >> 2] = 0;
  }

  /** All ones match no address of their own index, but for the last entry, which gets a low word of zero. */
  private empty(tlb: number): void {
    this.bytes.fill(0xff, tlb, tlb + TLB_ENTRIES * TLB_ENTRY_SIZE);
    this.words[(tlb + (TLB_ENTRIES - 1) * TLB_ENTRY_SIZE) >> 2] = 0;
  }
}
