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
    this.pages.set(index, frame);
    return frame;
  }

  /** filemap_fault(): the frame for a mapping; -1 beyond the end of the file or without memory. */
  pageFrame(index: number): number {
    if (index < 0 || index * PAGE_SIZE >= this.size) return -1;
    this.mapped.add(index);
    return this.page(index);
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

  /** generic_perform_write(). @returns bytes written: fewer than given when memory is out */
  write(pos: number, bytes: Uint8Array): number {
    let done = 0;
    while (done < bytes.length) {
      const at = pos + done;
      const index = Math.floor(at / PAGE_SIZE);
      const offset = at - index * PAGE_SIZE;
      const frame = this.page(index);
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
    for (let index = 0; index * PAGE_SIZE < this.size; index++) this.page(index);
  }

  /** Zeros a range: fallocate(FALLOC_FL_PUNCH_HOLE). */
  zeroRange(pos: number, count: number): void {
    const end = Math.min(pos + count, this.size);
    for (let at = pos; at < end; ) {
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
  }
}
