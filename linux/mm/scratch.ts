/**
 * Buffers for what a call only copies to or from user memory: signal frames, stat structures. V8 takes arrays of more
 * than 64 bytes from outside of its heap, which costs more than the rest of such a call. No state: each use begins anew.
 */
export class Scratch {
  readonly #kept = new Map<number, ScratchBuffer>();

  /** Zeroes, until the next call with the same use and size. */
  zeroed(use: ScratchUse, size: number): ScratchBuffer {
    const buffer = this.unset(use, size);
    buffer.bytes.fill(0);
    return buffer;
  }

  /** Bytes that the caller writes all of. */
  unset(use: ScratchUse, size: number): ScratchBuffer {
    const key = size * 8 + use;
    let buffer = this.#kept.get(key);
    if (buffer === undefined) {
      const bytes = new Uint8Array(size);
      buffer = { bytes, view: new DataView(bytes.buffer) };
      this.#kept.set(key, buffer);
    }
    return buffer;
  }
}

export interface ScratchBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Who has the buffer: two uses never share one. */
export const SCRATCH_FRAME = 0,
  SCRATCH_XSTATE = 1,
  SCRATCH_STAT = 2,
  SCRATCH_WRITE = 3;
export type ScratchUse = 0 | 1 | 2 | 3;
/** Bytes of the buffer for what is written to a file. */
export const SCRATCH_WRITE_SIZE = 65536;
