/** Bytes in the order of their arrival: a pipe's, a socket's, a terminal's. */
export class ByteQueue {
  readonly chunks: Uint8Array[] = [];
  length = 0;

  /** Takes over the array. */
  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.chunks.push(bytes);
    this.length += bytes.length;
  }

  /** Up to `count` bytes, without taking them away. */
  peek(count: number): Uint8Array {
    const out = new Uint8Array(Math.min(count, this.length));
    let done = 0;
    for (const chunk of this.chunks) {
      if (done === out.length) break;
      const part = chunk.length <= out.length - done ? chunk : chunk.subarray(0, out.length - done);
      out.set(part, done);
      done += part.length;
    }
    return out;
  }

  take(count: number): Uint8Array {
    const { chunks } = this;
    if (chunks.length === 1 && chunks[0]!.length <= count) {
      this.length = 0;
      return chunks.pop()!;
    }
    const out = this.peek(count);
    let left = out.length;
    while (left > 0) {
      const chunk = this.chunks[0]!;
      if (chunk.length <= left) {
        left -= chunk.length;
        this.chunks.shift();
      } else {
        this.chunks[0] = chunk.subarray(left);
        left = 0;
      }
    }
    this.length -= out.length;
    return out;
  }

  clear(): void {
    this.chunks.length = 0;
    this.length = 0;
  }
}
