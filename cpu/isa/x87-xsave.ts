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

/** The bounds of its first doubleword count before its alignment does. */
const FIRST = 4;

/** The same for an area that is written, or read as a whole: its last byte is touched before all others. */
function wholeArea(h: HelperContext, alignment: bigint, size: number, write: boolean): bigint {
  h.checkBounds(h.address(), FIRST, write);
  const address = areaOf(h, alignment);
  h.checkBounds(h.further(address, size - 1), 1, write);
  h.touch(h.further(address, size - 1), write);
  return address;
}
const registersOf = (h: HelperContext): number => (h.long ? 16 : 8);
const isWide = (h: HelperContext): boolean => h.size === 64;

const fxsaveRow = helper((h) => {
  const n = registersOf(h);
  // Bytes 416-511, and the upper registers' outside 64-bit mode, stay as they are in memory.
  h.storeBytes(wholeArea(h, 16n, FXSAVE_SIZE, true), fxsave(h, isWide(h), n).subarray(0, 160 + 16 * n));
});
const fxrstorRow = helper((h) => {
  const bytes = h.loadBytes(wholeArea(h, 16n, FXSAVE_SIZE, false), FXSAVE_SIZE);
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
  const store = (from: number, to: number): void => h.storeBytes(address + BigInt(from), image.subarray(from, to));
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
      const to = compact === undefined ? c.offset : compactedOffset(compact, c);
      h.storeBytes(address + BigInt(to), image.subarray(c.offset, c.offset + componentBytes(c, n)));
    }
  }
}

/** XSAVE, and XSAVEOPT, which leaves out what is in its initial configuration. */
const xsaveRow = (optimised: boolean): Lower =>
  helper((h) => {
    const mask = requested(h);
    const address = wholeArea(h, 64n, xstateSize(mask), true);
    h.probe(address, XSAVE_HEADER + 64);
    const before = h.load(64, address + BigInt(XSAVE_HEADER));
    const inUse = componentsInUse(h, -1, registersOf(h));
    const image = xsave(h, mask, isWide(h), registersOf(h));
    storeComponents(h, address, image, optimised ? mask & inUse : mask, (mask & (XFEATURE_SSE | XFEATURE_AVX)) !== 0);
    h.store(64, address + BigInt(XSAVE_HEADER), (before & ~BigInt(mask)) | BigInt(mask & inUse));
  });

const xsavec = helper((h) => {
  const mask = requested(h);
  const address = wholeArea(h, 64n, compactedSize(mask), true);
  h.probe(address, XSAVE_HEADER + 64);
  // MXCSR belongs to SSE here and counts for its being in use.
  const mxcsr = h.get('mxcsr') !== MXCSR_DEFAULT ? XFEATURE_SSE : 0;
  const components = mask & (componentsInUse(h, -1, registersOf(h)) | mxcsr);
  const image = xsave(h, mask, isWide(h), registersOf(h));
  storeComponents(h, address, image, components, (components & XFEATURE_SSE) !== 0, mask);
  h.store(64, address + BigInt(XSAVE_HEADER), BigInt(components));
  h.store(64, address + BigInt(XSAVE_HEADER + 8), BigInt(mask) | (1n << 63n));
});

const xrstorRow = helper((h) => {
  const mask = requested(h);
  h.checkBounds(h.address(), FIRST, false);
  const address = areaOf(h, 64n);
  const format = h.load(64, h.further(address, XSAVE_HEADER + 8)); // XCOMP_BV comes first
  const size = format >> 63n ? compactedSize(Number(format & 0xffffffffn) & mask) : xstateSize(mask);
  h.touch(h.further(address, size - 1), false);
  const { xcr0 } = h.cpu;
  const image = new Uint8Array(xstateSize(xcr0));
  image.set(h.loadBytes(address, XSAVE_HEADER + 64));
  const header = readHeader(new DataView(image.buffer), xcr0);
  if (!header) {
    return h.raise(Vector.GP);
  }
  const { components, features } = header;
  for (const c of COMPONENTS) {
    if (components & mask & c.feature) {
      const at = features === undefined ? c.offset : compactedOffset(features, c);
      image.set(h.loadBytes(address + BigInt(at), componentBytes(c, registersOf(h))), at);
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
  h.setRegister(0, 32, BigInt(index ? componentsInUse(h, -1, registersOf(h)) & h.cpu.xcr0 : h.cpu.xcr0));
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
