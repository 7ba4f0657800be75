/** Lays structures out in the argument area, which is to lie at `base` in the guest. */
export class ArgumentArea {
  readonly base: number;
  private readonly pieces: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  private end = 0;

  constructor(base: number) {
    this.base = base;
  }

  /** Bytes used so far. */
  get size(): number {
    return this.end;
  }

  /** @returns the guest address of the bytes */
  add(bytes: Uint8Array): bigint {
    const at = Math.ceil(this.end / 16) * 16;
    this.pieces.push({ at, bytes });
    this.end = at + bytes.length;
    return BigInt(this.base + at);
  }

  /** An array of structures; an empty one has the address 0. */
  array<V>(type: { readonly size: number; write(value: V): Uint8Array }, values: readonly V[]): bigint {
    if (values.length === 0) {
      return 0n;
    }
    const bytes = new Uint8Array(type.size * values.length);
    values.forEach((value, index) => {
      bytes.set(type.write(value), index * type.size);
    });
    return this.add(bytes);
  }

  /** Replaces bytes that were added before. */
  patch(address: bigint, bytes: Uint8Array): void {
    const at = Number(address) - this.base;
    this.pieces.find((piece) => piece.at === at)?.bytes.set(bytes);
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.end);
    for (const { at, bytes } of this.pieces) {
      all.set(bytes, at);
    }
    return all;
  }
}
