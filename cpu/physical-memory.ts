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
  readonly view: DataView;
  /** 1 for frames with decoded code. */
  readonly code: Uint8Array;
  /** The most frames that can be in use. */
  readonly frameLimit: number;
  /** One past the last frame number; there are more numbers than frames that may be in use. */
  private readonly end = (MEMORY_PAGES * 65536) / PAGE_SIZE;
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
    this.view = new DataView(this.buffer);
    this.frameLimit = Math.min(this.end - FIRST_FRAME, Math.floor(memoryLimit / PAGE_SIZE));
    this.code = new Uint8Array(this.end);
  }

  get framesInUse(): number {
    return this.used;
  }

  /** A zeroed frame's number, or -1 when the limit is reached. */
  allocFrame(): number {
    if (!this.room()) return -1;
    const reused = this.free.pop();
    if (reused === undefined) return this.allocContiguous(1);
    this.used++;
    this.bytes.fill(0, reused * PAGE_SIZE, (reused + 1) * PAGE_SIZE);
    return reused;
  }

  /** The first of `n` zeroed frames in a row, or -1. */
  allocContiguous(n: number): number {
    if (this.next + n > this.end || this.used + n > this.frameLimit) return -1;
    this.used += n;
    return this.advance(n);
  }

  /**
   * The first of `n` frame numbers in a row, zeroed and not in use until `use` is called for each; -1 where too few numbers
   * would be left for the single frames that may still be wanted.
   */
  setAside(n: number): number {
    const numbers = this.end - this.next - n + this.free.length;
    return numbers < this.frameLimit - this.used ? -1 : this.advance(n);
  }

  /** A frame that was set aside comes into use; false when the limit is reached. */
  use(): boolean {
    if (!this.room()) return false;
    this.used++;
    return true;
  }

  /** A frame goes out of use and stays set aside. */
  unuse(frame: number): void {
    this.noteWrite(frame);
    this.used--;
  }

  /** A frame that was set aside may be given to anybody. */
  recycle(frame: number): void {
    this.free.push(frame);
  }

  freeFrame(frame: number): void {
    this.unuse(frame);
    this.recycle(frame);
  }

  /** One more frame may come into use, perhaps after others were given back. */
  private room(): boolean {
    return this.used < this.frameLimit || (this.shrinker?.() === true && this.used < this.frameLimit);
  }

  private advance(n: number): number {
    const first = this.next;
    this.next += n;
    return first;
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
