import type { PhysicalMemory } from '../../cpu/physical-memory.ts';
import { EIO } from '../abi/errno.ts';
import { PAGE_SIZE } from '../addr.ts';
import type { HostSource } from './host-files.ts';
import type { SuperBlock } from './super-block.ts';

/**
 * `struct address_space`, include/linux/fs.h: the page cache of one regular file. read, write and mmap share its frames,
 * so they see each other's changes. Pages come in lazily; read() of a page that is not cached goes to the host
 * directly and takes no frame.
 */
export class AddressSpace {
  readonly sb: SuperBlock;
  readonly source: HostSource | undefined;
  /** Bytes of the source that are still part of the file: truncation cuts, growing does not bring them back. */
  sourceSize: number;
  size: number;
  /** The smallest size since the last flush to the host. */
  lowest: number;
  readonly pages = new Map<number, number>();
  /** Pages changed since the last flush to the host. */
  readonly dirty = new Set<number>();
  /** It differs, or differed once, from the source. */
  changed = false;
  /** Pages that mappings may hold, and change without our notice. */
  readonly mapped = new Set<number>();

  constructor(sb: SuperBlock, size = 0, source?: HostSource) {
    this.sb = sb;
    this.size = size;
    this.lowest = size;
    this.source = source;
    this.sourceSize = source === undefined ? 0 : size;
  }

  private get memory(): PhysicalMemory {
    return this.sb.kernel.cpu.memory;
  }

  /** A frame leaves the page cache; it lives on while mappings hold it. */
  private giveUp(frame: number): void {
    const { kernel } = this.sb;
    this.sb.owner.filePages--;
    if (kernel.frames === undefined) kernel.cpu.memory.freeFrame(frame);
    else kernel.frames.releaseCache(frame);
  }

  /** find_or_create_page() with readpage(); -1 when memory is out. */
  private page(index: number): number {
    const known = this.pages.get(index);
    if (known !== undefined) return known;
    const frame = this.memory.allocFrame();
    if (frame < 0) return -1;
    const from = index * PAGE_SIZE;
    const count = Math.min(PAGE_SIZE, this.sourceSize - from);
    if (count > 0 && this.source !== undefined) {
      const bytes = this.memory.frame(frame).subarray(0, count);
      if (!this.source.files.pread(this.source, bytes, from)) bytes.fill(0);
      this.memory.noteWrite(frame);
    }
    if (this.pages.size === 0 && this.source !== undefined) this.sb.owner.cached.add(this);
    this.pages.set(index, frame);
    this.sb.owner.filePages++;
    return frame;
  }

  /** filemap_fault(): the frame for a mapping; -1 beyond the end of the file or without memory. */
  pageFrame(index: number): number {
    if (index < 0 || index * PAGE_SIZE >= this.size) return -1;
    this.mapped.add(index);
    return this.page(index);
  }

  /** Bytes of one page that is cached, where they lie. */
  inPlace(pos: number, count: number): Uint8Array | undefined {
    const index = Math.floor(pos / PAGE_SIZE);
    const offset = pos - index * PAGE_SIZE;
    const length = Math.min(count, this.size - pos);
    if (length <= 0 || offset + length > PAGE_SIZE) return undefined;
    const frame = this.pages.get(index);
    if (frame === undefined) return undefined;
    const at = frame * PAGE_SIZE + offset;
    return this.memory.bytes.subarray(at, at + length);
  }

  /** @returns the bytes, or -EIO when the host's file is gone */
  read(pos: number, count: number): Uint8Array | number {
    const length = Math.max(0, Math.min(count, this.size - pos));
    const out = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = pos + done;
      const index = Math.floor(at / PAGE_SIZE);
      const offset = at - index * PAGE_SIZE;
      const frame = this.pages.get(index);
      if (frame === undefined) {
        let run = PAGE_SIZE - offset;
        for (let next = index + 1; done + run < length && !this.pages.has(next); next++) run += PAGE_SIZE;
        run = Math.min(run, length - done);
        const stored = Math.min(run, this.sourceSize - at);
        if (stored > 0 && this.source?.files.pread(this.source, out.subarray(done, done + stored), at) === false)
          return -EIO;
        done += run;
      } else {
        const n = Math.min(PAGE_SIZE - offset, length - done);
        out.set(this.memory.frame(frame).subarray(offset, offset + n), done);
        done += n;
      }
    }
    return out;
  }

  /** shmem_default_max_blocks(): files take half of the memory at most. */
  private hasRoom(): boolean {
    const { owner } = this.sb;
    return (
      owner.filePages * 2 < this.memory.frameLimit || (owner.shrink() && owner.filePages * 2 < this.memory.frameLimit)
    );
  }

  /** generic_perform_write(). @returns bytes written: fewer than given when memory is out */
  write(pos: number, bytes: Uint8Array): number {
    let done = 0;
    this.changed = true;
    while (done < bytes.length) {
      const at = pos + done;
      const index = Math.floor(at / PAGE_SIZE);
      const offset = at - index * PAGE_SIZE;
      const frame = this.pages.get(index) ?? (this.hasRoom() ? this.page(index) : -1);
      if (frame < 0) break;
      const n = Math.min(PAGE_SIZE - offset, bytes.length - done);
      this.memory.frame(frame).set(bytes.subarray(done, done + n), offset);
      this.memory.noteWrite(frame);
      this.dirty.add(index);
      done += n;
      if (at + n > this.size) this.size = at + n;
    }
    return done;
  }

  /** truncate_setsize(), truncate_pagecache(): what is cut off reads as zeros should the file grow again. */
  truncate(size: number): void {
    this.changed = true;
    if (size < this.size) {
      const keep = Math.ceil(size / PAGE_SIZE);
      for (const [index, frame] of this.pages) {
        if (index < keep) continue;
        // Not modelled: unmap_mapping_range(); a page mapped before stays readable beyond the end instead of giving SIGBUS.
        this.pages.delete(index);
        this.mapped.delete(index);
        this.dirty.delete(index);
        this.giveUp(frame);
      }
      const tail = size % PAGE_SIZE;
      const last = this.pages.get(keep - 1);
      if (tail !== 0 && last !== undefined) this.zero(last, tail);
      this.sourceSize = Math.min(this.sourceSize, size);
    }
    this.size = size;
    this.lowest = Math.min(this.lowest, size);
  }

  /** Brings the whole file in, before its place on the host is written over or goes away. */
  load(): void {
    this.changed = true;
    for (let index = 0; index * PAGE_SIZE < this.sourceSize; index++) this.page(index);
  }

  /** shrink_page_list(): pages that the host has, and nobody maps. @returns how many frames came back */
  shrink(): number {
    const { frames } = this.sb.kernel;
    if (this.changed || frames === undefined) return 0;
    let freed = 0;
    for (const [index, frame] of this.pages) {
      if (frames.count(frame) > 0) continue;
      this.pages.delete(index);
      this.mapped.delete(index);
      this.giveUp(frame);
      freed++;
    }
    if (this.pages.size === 0) this.sb.owner.cached.delete(this);
    return freed;
  }

  /** The next byte at or behind `pos` that may differ from zero; the size when there is none. */
  nextData(pos: number): number {
    if (pos < this.sourceSize) return pos;
    const first = Math.floor(pos / PAGE_SIZE);
    if (this.pages.has(first)) return pos;
    let next = Number.POSITIVE_INFINITY;
    for (const index of this.pages.keys()) if (index > first && index < next) next = index;
    return Math.min(next * PAGE_SIZE, this.size);
  }

  /** Zeros a range: fallocate(FALLOC_FL_PUNCH_HOLE). */
  zeroRange(pos: number, count: number): void {
    const end = Math.min(pos + count, this.size);
    this.changed = true;
    for (let at = pos; at < end; ) {
      at = Math.max(at, this.nextData(at));
      if (at >= end) return;
      const n = Math.min(PAGE_SIZE - (at % PAGE_SIZE), end - at);
      this.write(at, new Uint8Array(n));
      at += n;
    }
  }

  private zero(frame: number, from: number): void {
    this.memory.frame(frame).fill(0, from);
    this.memory.noteWrite(frame);
  }

  /** The file is gone for good. */
  free(): void {
    for (const frame of this.pages.values()) this.giveUp(frame);
    this.pages.clear();
    this.dirty.clear();
    this.sb.owner.cached.delete(this);
  }
}
