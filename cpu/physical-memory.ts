/** The machine's memory: 4 KiB frames in one linear memory, shared by all address spaces. */
import { FRAMES, MEMORY_PAGES, PAGE_SIZE } from './state.ts';

export const FIRST_FRAME = FRAMES / PAGE_SIZE;

/** What is told when a frame that holds decoded code is written. */
export interface CodeObserver {
  dropFrame(frame: number): void;
}

export class PhysicalMemory {
  readonly wasm: WebAssembly.Memory;
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array;
  /** 1 for frames with decoded code. */
  readonly code: Uint8Array;
  private readonly limit: number;
  private readonly free: number[] = [];
  private next = FIRST_FRAME;
  private used = 0;
  private observer: CodeObserver | undefined;
  /** Asked when memory is out: gives frames back, and says whether it did. */
  shrinker: (() => boolean) | undefined;

  constructor(memoryLimit: number) {
    this.wasm = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    this.buffer = this.wasm.buffer;
    this.bytes = new Uint8Array(this.buffer);
    const all = (MEMORY_PAGES * 65536) / PAGE_SIZE;
    this.limit = Math.min(all, FIRST_FRAME + Math.floor(memoryLimit / PAGE_SIZE));
    this.code = new Uint8Array(all);
  }

  /** The most frames that can be in use. */
  get frameLimit(): number {
    return this.limit - FIRST_FRAME;
  }

  get framesInUse(): number {
    return this.used;
  }

  /** A zeroed frame's number, or -1 when the limit is reached. */
  allocFrame(): number {
    let reused = this.free.pop();
    if (reused === undefined && this.next >= this.limit && this.shrinker?.() === true) reused = this.free.pop();
    if (reused !== undefined) {
      this.used++;
      this.bytes.fill(0, reused * PAGE_SIZE, (reused + 1) * PAGE_SIZE);
      return reused;
    }
    return this.allocContiguous(1);
  }

  /** The first of `n` zeroed frames in a row, or -1. */
  allocContiguous(n: number): number {
    if (this.next + n > this.limit) return -1;
    const first = this.next;
    this.next += n;
    this.used += n;
    return first;
  }

  freeFrame(frame: number): void {
    this.noteWrite(frame);
    this.free.push(frame);
    this.used--;
  }

  frame(frame: number): Uint8Array {
    return this.bytes.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE);
  }

  /** All frames that were ever handed out, in order. */
  get touched(): Uint8Array {
    return this.bytes.subarray(FRAMES, this.next * PAGE_SIZE);
  }

  /** To be called by whoever writes a frame from TypeScript. */
  noteWrite(frame: number): void {
    if (this.code[frame]) this.observer?.dropFrame(frame);
  }

  /** For the code cache. */
  observe(observer: CodeObserver): void {
    this.observer = observer;
  }
}
