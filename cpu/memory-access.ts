/**
 * The slow path of every load and store: TLB misses, accesses that cross a page, stores to pages with decoded code, watched
 * pages. Gives the generated code a host address to use; a scratch field when the bytes do not lie together.
 */
import type { CodeCache } from './decode/code-cache.ts';
import { Vector } from './exit.ts';
import type { Fault, WatchRetry } from './fault.ts';
import { Rec } from './interp/record.ts';
import { Access, type Mmu } from './mmu.ts';
import type { PhysicalMemory } from './physical-memory.ts';
import { PAGE_SIZE, Segment, State } from './state.ts';
import type { Tlb } from './tlb.ts';
import type { Watchpoints } from './watchpoints.ts';

/** Bytes on their way between a frame and a scratch field. */
interface Part {
  readonly host: number;
  readonly offset: number;
  readonly size: number;
}

/** An element that raises a fault when its turn comes: before that a store checks all pages, and a load is done as far as it. */
export interface Split {
  readonly element: number;
  readonly vector: number;
}

/** The upper half of an address, signed. */
const highOf = (address: bigint): number => Number(BigInt.asIntN(64, address) >> 32n);

export class MemoryAccess {
  mmu: Mmu | undefined;
  watchpoints: Watchpoints | undefined;
  /** Outside 64-bit mode linear addresses wrap at 4 GiB. */
  long = true;
  /** The access under way is PUSH's or POP's: a non-canonical address is #SS. */
  stack = false;
  private readonly memory: PhysicalMemory;
  private readonly tlb: Tlb;
  private readonly cache: CodeCache;
  private readonly fault: Fault;
  private readonly retry: WatchRetry;
  /** The store in the write scratch: where its bytes belong. */
  private pendingFirst = 0;
  private pendingFirstSize = 0;
  private pendingSecond = 0;
  private pendingSize = 0;
  /** Or, for a masked store: which bytes of it belong where. */
  private pendingParts: readonly Part[] = [];
  /** And what comes after that. */
  private pendingFault: { readonly record: number; readonly vector: number } | undefined;

  constructor(memory: PhysicalMemory, tlb: Tlb, cache: CodeCache, fault: Fault, retry: WatchRetry) {
    this.memory = memory;
    this.tlb = tlb;
    this.cache = cache;
    this.fault = fault;
    this.retry = retry;
  }

  /** Host address for an access of `size` (up to 64) bytes. */
  host(record: number, low: number, high: number, size: number, write: boolean): number {
    this.cache.running = record;
    const offset = low & 0xfff;
    if (offset + size > PAGE_SIZE) return this.crossing(record, low, high, size, write);
    const frame = this.frame(record, low, high, write ? Access.Write : Access.Read);
    const watched = this.watch(record, low, high, size, write);
    const at = frame * PAGE_SIZE + offset;
    if (!write) {
      if (!watched) this.tlb.insertRead(low, high, frame);
      return at;
    }
    if (this.memory.code[frame]) return this.scratch(at, size, 0, size);
    if (!watched) this.tlb.insertWrite(low, high, frame);
    return at;
  }

  /** Host address for `size` bytes within a page, to be read or written at once. */
  pageRun(record: number, low: number, high: number, size: number, write: boolean): number {
    this.cache.running = record;
    const frame = this.frame(record, low, high, write ? Access.Write : Access.Read);
    this.watch(record, low, high, size, write);
    if (write) this.memory.noteWrite(frame);
    return frame * PAGE_SIZE + (low & 0xfff);
  }

  /** Does the store that was made to the scratch field. */
  commit(): void {
    const { bytes } = this.memory;
    const from = State.writeScratch;
    if (this.pendingParts.length > 0) {
      for (const { host, offset, size } of this.pendingParts) {
        bytes.copyWithin(host, from + offset, from + offset + size);
        this.memory.noteWrite(Math.floor(host / PAGE_SIZE));
      }
      this.pendingParts = [];
      const late = this.pendingFault;
      this.pendingFault = undefined;
      if (late) this.raise(late.record, late.vector, 0);
      return;
    }
    const n = this.pendingFirstSize;
    bytes.copyWithin(this.pendingFirst, from, from + n);
    this.memory.noteWrite(Math.floor(this.pendingFirst / PAGE_SIZE));
    if (this.pendingSize > n) {
      bytes.copyWithin(this.pendingSecond, from + n, from + this.pendingSize);
      this.memory.noteWrite(Math.floor(this.pendingSecond / PAGE_SIZE));
    }
  }

  /**
   * Host address (a scratch field) for an access to some of a vector's elements; no other byte is touched or can fault.
   * @param bytes of an element
   * @param active the element numbers in order, and the addresses
   */
  masked(
    record: number,
    bytes: number,
    active: ReadonlyMap<number, bigint>,
    write: boolean,
    split: Split | undefined,
  ): number {
    this.cache.running = record;
    const parts: Part[] = [];
    // What is not canonical comes before any page.
    if (this.long) for (const at of active.values()) this.checkCanonical(record, highOf(at + BigInt(bytes - 1)));
    for (const [element, at] of active) {
      if (!write && element === split?.element) break;
      const address = BigInt.asUintN(this.long ? 64 : 32, at);
      this.eachPart(record, address, bytes, (partLow, partHigh, size, done) => {
        const frame = this.frame(record, partLow, partHigh, write ? Access.Write : Access.Read);
        this.watch(record, partLow, partHigh, size, write);
        parts.push({ host: frame * PAGE_SIZE + (partLow & 0xfff), offset: element * bytes + done, size });
      });
    }
    const early = split ? parts.filter(({ offset }) => offset < split.element * bytes) : parts;
    if (split && (!write || early.length === 0)) this.raise(record, split.vector, 0);
    const scratch = write ? State.writeScratch : State.readScratch;
    const memory = this.memory.bytes;
    for (const { host, offset, size } of parts) memory.copyWithin(scratch + offset, host, host + size);
    if (write) {
      this.pendingParts = early;
      this.pendingFault = split && { record, vector: split.vector };
      if (early.length === 0) this.pendingSize = this.pendingFirstSize = 0;
    }
    return scratch;
  }

  /** Copies `n` bytes out, of any number of pages. */
  read(record: number, address: bigint, n: number): Uint8Array {
    const out = new Uint8Array(n);
    this.eachPart(record, address, n, (low, high, size, done) => {
      const frame = this.frame(record, low, high, Access.Read);
      this.watch(record, low, high, size, false);
      const at = frame * PAGE_SIZE + (low & 0xfff);
      out.set(this.memory.bytes.subarray(at, at + size), done);
    });
    return out;
  }

  /** Stores bytes; checks all pages before the first is written. */
  write(record: number, address: bigint, bytes: Uint8Array): void {
    this.cache.running = record;
    const parts: [at: number, from: number, size: number][] = [];
    this.eachPart(record, address, bytes.length, (low, high, size, done) => {
      const frame = this.frame(record, low, high, Access.Write);
      this.watch(record, low, high, size, true);
      parts.push([frame * PAGE_SIZE + (low & 0xfff), done, size]);
    });
    for (const [at, from, size] of parts) {
      this.memory.bytes.set(bytes.subarray(from, from + size), at);
      this.memory.noteWrite(Math.floor(at / PAGE_SIZE));
    }
  }

  /** An address that is not canonical is #GP, or #SS; the end of an access is looked at before any page of it. */
  private checkCanonical(record: number, high: number): void {
    const sign = high >> 15;
    if (sign === 0 || sign === -1) return;
    const stack = this.stack || (record !== 0 && this.memory.bytes[record + Rec.segment] === Segment.SS);
    this.raise(record, stack ? Vector.SS : Vector.GP, 0);
  }

  /** The frame of a page, or a fault. */
  frame(record: number, low: number, high: number, access: Access): number {
    this.checkCanonical(record, high);
    const vpn = (high >>> 0) * 0x100000 + (low >>> 12);
    const found = this.mmu ? this.mmu.translate(vpn, access) : -1 - (access === Access.Write ? 6 : 4);
    if (found < 0) {
      this.fault.addressLow = low;
      this.fault.addressHigh = high;
      this.raise(record, Vector.PF, -1 - found);
    }
    return Math.floor(found / 8);
  }

  raise(record: number, vector: number, errorCode: number): never {
    const { fault } = this;
    this.stack = false;
    fault.record = record;
    fault.vector = vector;
    fault.errorCode = errorCode;
    throw fault;
  }

  /** Notes an access to a watched page; true when the page must not be cached. */
  private watch(record: number, low: number, high: number, size: number, write: boolean): boolean {
    const { watchpoints } = this;
    if (watchpoints === undefined) return false;
    const address = (high >>> 0) * 0x100000000 + (low >>> 0);
    if (watchpoints.touches(address, size, write) && !watchpoints.note(address, size, write)) {
      this.retry.record = record;
      throw this.retry;
    }
    return watchpoints.watchesPage(address);
  }

  private crossing(record: number, low: number, high: number, size: number, write: boolean): number {
    const first = PAGE_SIZE - (low & 0xfff);
    const access = write ? Access.Write : Access.Read;
    const nextLow = (low + first) | 0;
    const nextHigh = nextLow === 0 && this.long ? (high + 1) | 0 : high;
    // Ten bytes are accesses to eight and two.
    if (size !== 10 || first < 8) this.checkCanonical(record, nextHigh);
    const frame1 = this.frame(record, low, high, access);
    const frame2 = this.frame(record, nextLow, nextHigh, access);
    this.watch(record, low, high, first, write);
    this.watch(record, nextLow, nextHigh, size - first, write);
    const at = frame1 * PAGE_SIZE + (low & 0xfff);
    if (write) return this.scratch(at, first, frame2 * PAGE_SIZE, size);
    const { bytes } = this.memory;
    bytes.copyWithin(State.readScratch, at, at + first);
    bytes.copyWithin(State.readScratch + first, frame2 * PAGE_SIZE, frame2 * PAGE_SIZE + size - first);
    return State.readScratch;
  }

  /** Lets a store go to the scratch field, which first gets what memory holds (for read-modify-write). */
  private scratch(first: number, firstSize: number, second: number, size: number): number {
    const { bytes } = this.memory;
    this.pendingFirst = first;
    this.pendingFirstSize = firstSize;
    this.pendingSecond = second;
    this.pendingSize = size;
    bytes.copyWithin(State.writeScratch, first, first + firstSize);
    if (size > firstSize) bytes.copyWithin(State.writeScratch + firstSize, second, second + size - firstSize);
    return State.writeScratch;
  }

  private eachPart(
    record: number,
    address: bigint,
    n: number,
    part: (low: number, high: number, size: number, done: number) => void,
  ): void {
    if (this.long) this.checkCanonical(record, highOf(address + BigInt(n - 1)));
    let done = 0;
    while (done < n) {
      const at = this.long ? address + BigInt(done) : (address + BigInt(done)) & 0xffffffffn;
      const low = Number(at & 0xffffffffn) | 0;
      const high = Number((at >> 32n) & 0xffffffffn) | 0;
      const size = Math.min(n - done, PAGE_SIZE - (low & 0xfff));
      part(low, high, size, done);
      done += size;
    }
  }
}
