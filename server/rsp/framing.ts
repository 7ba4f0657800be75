/** Frames: `$payload#checksum`, the acknowledgements `+` and `-`, and the interrupt byte; all else between frames is noise. */
import { decodePayload, runLengthEncode } from './encoding.ts';

export type Frame =
  | { readonly kind: 'packet'; readonly payload: string; readonly intact: boolean }
  | { readonly kind: 'ack' | 'nak' | 'interrupt' };

/** A frame longer than this is taken for garbage. */
const LONGEST = 1 << 20;

/** The two hex digits behind `#`: the sum of all characters, modulo 256. */
export function checksum(raw: string): string {
  let sum = 0;
  for (let i = 0; i < raw.length; i++) sum = (sum + raw.charCodeAt(i)) & 0xff;
  return sum.toString(16).padStart(2, '0');
}

/** A payload as a packet, with runs encoded (gdb manual, Overview of the protocol). */
export function frame(payload: string): string {
  const raw = runLengthEncode(payload);
  return `$${raw}#${checksum(raw)}`;
}

/** Cuts a byte stream into frames. */
export class FrameReader {
  #buffer = '';

  push(chunk: Uint8Array): Frame[] {
    this.#buffer += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    const frames: Frame[] = [];
    for (;;) {
      const next = this.#next();
      if (!next) return frames;
      frames.push(next);
    }
  }

  #next(): Frame | undefined {
    const text = this.#buffer;
    for (let i = 0; i < text.length; i++) {
      switch (text[i]) {
        case '+':
          return this.#take(i + 1, { kind: 'ack' });
        case '-':
          return this.#take(i + 1, { kind: 'nak' });
        case '\x03':
          return this.#take(i + 1, { kind: 'interrupt' });
        case '$':
          return this.#packet(i);
      }
    }
    this.#buffer = '';
    return undefined;
  }

  #take(end: number, result: Frame): Frame {
    this.#buffer = this.#buffer.slice(end);
    return result;
  }

  #packet(start: number): Frame | undefined {
    const end = this.#buffer.indexOf('#', start);
    if (end < 0 || end + 3 > this.#buffer.length) {
      if (this.#buffer.length - start > LONGEST) this.#buffer = '';
      else this.#buffer = this.#buffer.slice(start);
      return undefined;
    }
    const raw = this.#buffer.slice(start + 1, end);
    // A `$` inside is the start of a new frame: the rest of the first one was lost.
    const again = raw.lastIndexOf('$');
    if (again >= 0) return this.#packet(start + 1 + again);
    const sum = this.#buffer.slice(end + 1, end + 3).toLowerCase();
    this.#buffer = this.#buffer.slice(end + 3);
    return { kind: 'packet', payload: decodePayload(raw), intact: sum === checksum(raw) };
  }
}
