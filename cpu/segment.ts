/** Selectors, descriptors and the mode that follows from them; Intel SDM vol. 3, chapters 3 and 5. */
import { Flag } from './flags.ts';
import { Segment, State } from './state.ts';

/** Attributes as kept in the state: bits 8-23 of a descriptor's high word, limit bits cleared; and Usable. */
export const Attribute = {
  Type: 0xf,
  Accessed: 1,
  Writable: 2,
  /** Of a code segment: readable. */
  Readable: 2,
  /** Of a data segment. */
  ExpandDown: 4,
  /** Of a code segment. */
  Conforming: 4,
  Code: 8,
  NonSystem: 0x10,
  Present: 0x80,
  Long: 0x2000,
  Big: 0x4000,
  Granular: 0x8000,
  /** Not of the descriptor: the register holds a segment (no null selector). */
  Usable: 0x10000,
} as const;

/** The bits that decoded blocks depend on. */
export const Mode = {
  /** 64-bit mode: CS.L. */
  Long: 1,
  /** CS.D: 32-bit operands and addresses by default. */
  Code32: 2,
  /** ES, CS, SS and DS have base 0, all 4 GiB and may be read and written: nothing to check. */
  Flat: 4,
  /** FS and GS: add the base, nothing to check. */
  PlainFs: 8,
  PlainGs: 16,
  /** RFLAGS.AC: accesses that are not aligned fault. Linux sets CR0.AM. */
  Aligned: 32,
} as const;

export interface Descriptor {
  readonly base: bigint;
  /** In bytes, inclusive. */
  readonly limit: number;
  readonly attributes: number;
}

/** Takes an 8-byte descriptor apart. */
export function parseDescriptor(raw: bigint): Descriptor {
  const low = Number(raw & 0xffffffffn);
  const high = Number(raw >> 32n);
  const attributes = (high >>> 8) & 0xf0ff;
  const pages = (low & 0xffff) | (high & 0xf0000);
  const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;
  return {
    base: BigInt(base),
    limit: attributes & Attribute.Granular ? pages * 4096 + 4095 : pages,
    attributes: attributes | Attribute.Usable,
  };
}

export const descriptorDpl = (attributes: number): number => (attributes >> 5) & 3;
export const isCode = (attributes: number): boolean => (attributes & 0x18) === 0x18;
export const isData = (attributes: number): boolean => (attributes & 0x18) === 0x10;
export const isWritable = (attributes: number): boolean => (attributes & 0x1a) === 0x12;
export const isReadable = (attributes: number): boolean => isData(attributes) || (attributes & 0x1a) === 0x1a;

/** Segment registers in the state. */
export class SegmentFile {
  private readonly view: DataView;
  constructor(view: DataView) {
    this.view = view;
  }

  selector(s: number): number {
    return this.view.getUint32(State.selector + s * 4, true);
  }
  base(s: number): bigint {
    return this.view.getBigUint64(State.segmentBase + s * 8, true);
  }
  limit(s: number): number {
    return this.view.getUint32(State.segmentLimit + s * 4, true);
  }
  attributes(s: number): number {
    return this.view.getUint32(State.segmentAttributes + s * 4, true);
  }

  set(s: number, selector: number, d: Descriptor): void {
    this.view.setUint32(State.selector + s * 4, selector, true);
    this.view.setBigUint64(State.segmentBase + s * 8, d.base, true);
    this.view.setUint32(State.segmentLimit + s * 4, d.limit, true);
    this.view.setUint32(State.segmentAttributes + s * 4, d.attributes, true);
  }

  setBase(s: number, base: bigint): void {
    this.view.setBigUint64(State.segmentBase + s * 8, base, true);
  }

  get long(): boolean {
    return (this.attributes(Segment.CS) & Attribute.Long) !== 0;
  }

  get alignmentChecked(): boolean {
    return (this.view.getUint32(State.mode, true) & Mode.Aligned) !== 0;
  }

  /** Derives the mode bits and what RIP and RSP wrap at. */
  updateMode(): void {
    const { view } = this;
    const long = this.long;
    const bigStack = (this.attributes(Segment.SS) & Attribute.Big) !== 0;
    let mode = 0;
    if (long) mode = Mode.Long | Mode.Flat | Mode.PlainFs | Mode.PlainGs;
    else {
      if (this.attributes(Segment.CS) & Attribute.Big) mode |= Mode.Code32;
      const flatData = [Segment.SS, Segment.DS, Segment.ES].every((s) => this.isPlain(s) && this.base(s) === 0n);
      if (flatData && bigStack && this.isFlatCode()) mode |= Mode.Flat;
      if (this.isPlain(Segment.FS)) mode |= Mode.PlainFs;
      if (this.isPlain(Segment.GS)) mode |= Mode.PlainGs;
    }
    if (view.getUint32(State.flagRest, true) & Flag.AC) mode |= Mode.Aligned;
    view.setUint32(State.mode, mode, true);
    // Canonical addresses have bits 48-63 alike: the mode in bits 56-61 cannot be mistaken for an address.
    view.setBigUint64(State.modeTag, BigInt(mode) << 56n, true);
    view.setBigUint64(State.ripMask, long ? 0xffffffffffffffffn : 0xffffffffn, true);
    view.setBigUint64(State.codeLimit, long ? 0xffffffffffffffffn : BigInt(this.limit(Segment.CS)), true);
    const stack = long ? 0xffffffffffffffffn : bigStack ? 0xffffffffn : 0xffffn;
    view.setBigUint64(State.stackMask, stack, true);
    view.setBigUint64(State.stackKeep, stack === 0xffffn ? 0xffff0000n : 0n, true);
  }

  private isPlain(s: number): boolean {
    const a = this.attributes(s);
    return (
      (a & Attribute.Usable) !== 0 &&
      isWritable(a) &&
      (a & (Attribute.ExpandDown | Attribute.Present)) === Attribute.Present &&
      this.limit(s) === 0xffffffff
    );
  }

  private isFlatCode(): boolean {
    return (
      this.base(Segment.CS) === 0n && this.limit(Segment.CS) === 0xffffffff && isReadable(this.attributes(Segment.CS))
    );
  }
}
