/** FXSAVE, FXRSTOR, XSAVE and its variants, XRSTOR, XGETBV, LDMXCSR, STMXCSR (Intel SDM vol. 1, chapter 13; vol. 2). */
import { Vector } from '../exit.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { type I32, i32 } from '../ir/expr.ts';
import {
  COMPONENTS,
  compactedOffset,
  compactedSize,
  componentBytes,
  componentsInUse,
  FXSAVE_SIZE,
  fxrstor,
  fxsave,
  MXCSR_DEFAULT,
  MXCSR_MASK,
  readHeader,
  XFEATURE_AVX,
  XFEATURE_SSE,
  XFEATURE_X87,
  XSAVE_HEADER,
  xrstor,
  xsave,
  xstateSize,
} from '../xsave.ts';
import { helper, type Lower, op, type Row } from './row.ts';

/**
 * The memory operand's address, which must be aligned: #GP, or #AC where that is enabled and the address is not one of a
 * doubleword either.
 */
function areaOf(h: HelperContext, alignment: bigint): bigint {
  const address = h.address();
  const linear = h.linearOf(address);
  if (linear % alignment !== 0n) {
    h.raise(h.alignmentChecked && linear & 3n ? Vector.AC : Vector.GP);
  }
  return address;
}

const MXCSR_OFFSET = 24;
/** What asks for MXCSR in the standard format; in the compacted one it is part of SSE. */
const MXCSR_OF_STANDARD = XFEATURE_SSE | XFEATURE_AVX;

/** The bounds of its first doubleword count before its alignment does. */
const FIRST = 4;

/**
 * The area, after what the CPU looks at before it moves any of it: one byte of each of two places, by which all pages of the
 * area are known. The last byte comes first; then what a component of the mask has first in the legacy region.
 * @param first offset of that, undefined where the mask has nothing there
 */
function wholeArea(
  h: HelperContext,
  alignment: bigint,
  size: number,
  first: number | undefined,
  write: boolean,
): bigint {
  h.checkBounds(h.address(), FIRST, write);
  const address = areaOf(h, alignment);
  h.touch(h.addressAt(0, size - 1), write);
  touchFirst(h, first, write);
  return address;
}
function touchFirst(h: HelperContext, first: number | undefined, write: boolean): void {
  if (first !== undefined) h.touch(h.addressAt(0, first), write);
}
/** FCW, or MXCSR, which `mxcsr` says to be of those components. */
const firstOf = (mask: number, mxcsr: number): number | undefined =>
  mask & XFEATURE_X87 ? 0 : mask & mxcsr ? MXCSR_OFFSET : undefined;
const registersOf = (h: HelperContext): number => (h.long ? 16 : 8);
const isWide = (h: HelperContext): boolean => h.size === 64;

const fxsaveRow = helper((h) => {
  const n = registersOf(h);
  // Bytes 416-511, and the upper registers' outside 64-bit mode, stay as they are in memory.
  h.storeBytes(wholeArea(h, 16n, FXSAVE_SIZE, 0, true), fxsave(h, isWide(h), n).subarray(0, 160 + 16 * n));
});
const fxrstorRow = helper((h) => {
  const bytes = h.loadBytes(wholeArea(h, 16n, FXSAVE_SIZE, 0, false), FXSAVE_SIZE);
  if (!fxrstor(h, bytes, isWide(h), registersOf(h))) {
    h.raise(Vector.GP);
  }
});

/** EDX:EAX as far as XCR0 goes. */
const requested = (h: HelperContext): number => Number(h.register(0) & 0xffffffffn) & h.cpu.xcr0;

/** Stores the parts of `image` that belong to `components`; `compact`: XCOMP_BV, for the compacted format. */
function storeComponents(
  h: HelperContext,
  address: bigint,
  image: Uint8Array,
  components: number,
  mxcsr: boolean,
  compact?: number,
): void {
  const put = (at: number, from: number, to: number): void => {
    h.storeBytes((address + BigInt(at)) & h.addressMask, image.subarray(from, to));
  };
  const store = (from: number, to: number): void => put(from, from, to);
  const n = registersOf(h);
  if (components & XFEATURE_X87) {
    store(0, 24);
    store(32, 160);
  }
  if (mxcsr) {
    store(24, 32);
  }
  if (components & XFEATURE_SSE) {
    store(160, 160 + 16 * n);
  }
  for (const c of COMPONENTS) {
    if (components & c.feature) {
      const at = compact === undefined ? c.offset : compactedOffset(compact, c);
      put(at, c.offset, c.offset + componentBytes(c, n));
    }
  }
}

/** XINUSE. */
const inUseOf = (h: HelperContext): number => componentsInUse(h, -1, registersOf(h)) | h.cpu.heldInUse;

/** XSAVE, and XSAVEOPT, which leaves out what is in its initial configuration. */
const xsaveRow = (optimised: boolean): Lower =>
  helper((h) => {
    const mask = requested(h);
    const address = wholeArea(h, 64n, xstateSize(mask), firstOf(mask, MXCSR_OF_STANDARD), true);
    const header = h.addressAt(0, XSAVE_HEADER);
    h.touch(header, true);
    const before = h.load(64, header);
    const inUse = inUseOf(h);
    const image = xsave(h, mask, isWide(h), registersOf(h));
    storeComponents(h, address, image, optimised ? mask & inUse : mask, (mask & MXCSR_OF_STANDARD) !== 0);
    h.store(64, header, (before & ~BigInt(mask)) | BigInt(mask & inUse));
  });

const xsavec = helper((h) => {
  const mask = requested(h);
  const address = wholeArea(h, 64n, compactedSize(mask), firstOf(mask, XFEATURE_SSE), true);
  h.touch(h.addressAt(0, XSAVE_HEADER), true);
  // MXCSR belongs to SSE here and counts for its being in use.
  const mxcsr = h.get('mxcsr') !== MXCSR_DEFAULT ? XFEATURE_SSE : 0;
  const components = mask & (inUseOf(h) | mxcsr);
  const image = xsave(h, mask, isWide(h), registersOf(h));
  storeComponents(h, address, image, components, (components & XFEATURE_SSE) !== 0, mask);
  h.store(64, h.addressAt(0, XSAVE_HEADER), BigInt(components));
  h.store(64, h.addressAt(0, XSAVE_HEADER + 8), BigInt(mask) | (1n << 63n));
});

const xrstorRow = helper((h) => {
  const mask = requested(h);
  h.checkBounds(h.address(), FIRST, false);
  const address = areaOf(h, 64n);
  const format = h.load(64, h.addressAt(0, XSAVE_HEADER + 8)); // XCOMP_BV comes first, the rest of the header last
  const compacted = format >> 63n !== 0n;
  const { xcr0 } = h.cpu;
  if (compacted && format & ~((1n << 63n) | BigInt(xcr0))) {
    h.raise(Vector.GP);
  }
  const inArea = Number(format & BigInt(xcr0));
  h.touch(h.addressAt(0, (compacted ? compactedSize(inArea, mask) : xstateSize(mask)) - 1), false);
  const first = firstOf(compacted ? inArea & mask : mask, compacted ? XFEATURE_SSE : MXCSR_OF_STANDARD);
  touchFirst(h, first, false);
  const image = new Uint8Array(xstateSize(xcr0));
  const fetch = (from: number, bytes: number, to: number): void => {
    image.set(h.loadBytes((address + BigInt(from)) & h.addressMask, bytes), to);
  };
  fetch(XSAVE_HEADER, 64, XSAVE_HEADER);
  const header = readHeader(new DataView(image.buffer), xcr0);
  if (!header) {
    return h.raise(Vector.GP);
  }
  if (first !== undefined) fetch(0, FXSAVE_SIZE, 0);
  const { components, features } = header;
  for (const c of COMPONENTS) {
    if (components & mask & c.feature) {
      const at = features === undefined ? c.offset : compactedOffset(features, c);
      fetch(at, componentBytes(c, registersOf(h)), at);
    }
  }
  if (!xrstor(h, image, mask, isWide(h), registersOf(h), xcr0)) {
    h.raise(Vector.GP);
  }
});

/** XGETBV: XCR0, and with ECX = 1 the components in use. */
const xgetbv = helper((h) => {
  const index = Number(h.register(1) & 0xffffffffn);
  if (index > 1) {
    h.raise(Vector.GP);
  }
  h.setRegister(0, 32, BigInt(index ? inUseOf(h) & h.cpu.xcr0 : h.cpu.xcr0));
  h.setRegister(2, 32, 0n);
});

const ldmxcsr: Lower = (c) => {
  const v = c.read(0) as I32;
  c.if(i32.and(v, ~MXCSR_MASK), () => c.raise(Vector.GP));
  c.set('mxcsr', v);
};
const stmxcsr: Lower = (c) => c.write(0, c.get('mxcsr'));

export const xsaveRows: readonly Row[] = [
  op('fxsave', 'NP 0F AE /0', 'M', fxsaveRow),
  op('fxrstor', 'NP 0F AE /1', 'M', fxrstorRow),
  op('ldmxcsr', 'NP 0F AE /2', 'Md', ldmxcsr),
  op('stmxcsr', 'NP 0F AE /3', 'Md', stmxcsr),
  op('vldmxcsr', 'VEX.LZ.0F.WIG AE /2', 'Md', ldmxcsr),
  op('vstmxcsr', 'VEX.LZ.0F.WIG AE /3', 'Md', stmxcsr),
  op('xsave', 'NP 0F AE /4', 'M', xsaveRow(false)),
  op('xrstor', 'NP 0F AE /5', 'M', xrstorRow),
  op('xsaveopt', 'NP 0F AE /6', 'M', xsaveRow(true)),
  op('xsavec', 'NP 0F C7 /4', 'M', xsavec),
  op('xgetbv', 'NP 0F 01 D0', '', xgetbv),
];
