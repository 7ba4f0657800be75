/**
 * The memory images of the x87, SSE, AVX and AVX-512 state: FXSAVE, XSAVE and FSAVE formats (Intel SDM vol. 1, 10.5, 13.4, 8.1.10).
 * The functions work on a task's registers, whether it is on the CPU or not.
 */
import { X87 } from './isa/x87-state.ts';
import { unpack80, ZERO } from './softfloat/real.ts';
import { opmaskOffset, State, vectorOffset } from './state.ts';

/** A task's registers: `view` lies over the context's bytes as `state.ts` lays them out. */
export interface FpuHolder {
  readonly view: DataView;
}

export const XFEATURE_X87 = 1;
export const XFEATURE_SSE = 2;
export const XFEATURE_AVX = 4;
/** XCR0 without AVX-512. */
export const XCR0 = XFEATURE_X87 | XFEATURE_SSE | XFEATURE_AVX;
/** Opmask, ZMM_Hi256 and Hi16_ZMM: they come together. */
export const XFEATURE_AVX512 = 0xe0;
export const FXSAVE_SIZE = 512;
/** Where the header is, and the components behind it begin. */
export const XSAVE_HEADER = 512;
const EXTENDED = 576;

/** A state component beyond x87 and SSE (CPUID leaf 0DH): registers that lie apart in a context, side by side in an image. */
export interface Component {
  /** Bit of XCR0. */
  readonly feature: number;
  readonly name: string;
  /** In the standard format. */
  readonly offset: number;
  readonly size: number;
  /** How many of the registers there are outside 64-bit mode. */
  readonly compat: number;
  readonly registers: number;
  /** Where a register's part is in the context. */
  readonly at: (register: number) => number;
}

export const COMPONENTS: readonly Component[] = [
  {
    feature: XFEATURE_AVX,
    name: 'AVX',
    offset: 576,
    size: 256,
    compat: 8,
    registers: 16,
    at: (n) => vectorOffset(n) + 16,
  },
  { feature: 0x20, name: 'AVX-512 opmask', offset: 1088, size: 64, compat: 8, registers: 8, at: opmaskOffset },
  {
    feature: 0x40,
    name: 'AVX-512 ZMM_Hi256',
    offset: 1152,
    size: 512,
    compat: 8,
    registers: 16,
    at: (n) => vectorOffset(n) + 32,
  },
  {
    feature: 0x80,
    name: 'AVX-512 Hi16_ZMM',
    offset: 1664,
    size: 1024,
    compat: 0,
    registers: 16,
    at: (n) => vectorOffset(16 + n),
  },
];

/** Bytes of an image in the standard format that has room for `features`. */
export const xstateSize = (features: number): number =>
  COMPONENTS.reduce((end, c) => (features & c.feature ? c.offset + c.size : end), EXTENDED);

/** Offset of each component in the compacted format, when `features` are in XCOMP_BV; all sizes are multiples of 64. */
export function compactedOffset(features: number, component: Component): number {
  return COMPONENTS.filter((c) => c.feature < component.feature && features & c.feature).reduce(
    (at, c) => at + c.size,
    EXTENDED,
  );
}

/** Bytes of an image in that format, up to the last component of `wanted`. */
export const compactedSize = (features: number, wanted = features): number =>
  COMPONENTS.reduce(
    (end, c) => (features & wanted & c.feature ? compactedOffset(features, c) + c.size : end),
    EXTENDED,
  );

/** Bytes that one register has in a component, and how many registers count: 16 in 64-bit mode. */
const strideOf = (c: Component): number => c.size / c.registers;
export const componentBytes = (c: Component, registers: number): number =>
  strideOf(c) * (registers === 16 ? c.registers : c.compat);

export const MXCSR_DEFAULT = 0x1f80;
/** Bits of MXCSR that may be set; loading another is #GP. */
export const MXCSR_MASK = 0xffff;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
/** Copies a multiple of 4 bytes; much quicker than views of parts so small. */
function copyWords(to: DataView, at: number, from: DataView, source: number, size: number): void {
  for (let n = 0; n < size; n += 4) {
    to.setInt32(at + n, from.getInt32(source + n, true), true);
  }
}
function clearWords(view: DataView, at: number, size: number): void {
  for (let n = 0; n < size; n += 4) {
    view.setInt32(at + n, 0, true);
  }
}

/** What FNINIT and XRSTOR's initial configuration make of the x87 unit; the registers are zeroed too. */
function initX87(view: DataView): void {
  view.setUint32(State.fcw, 0x37f, true);
  for (const at of [State.fsw, State.ftw, State.fop]) {
    view.setUint32(at, 0, true);
  }
  view.setBigUint64(State.fip, 0n, true);
  view.setBigUint64(State.fdp, 0n, true);
  clearWords(view, State.st, 128);
}

/** The parts of a component: their places in the context and in the component. */
function eachPart(c: Component, registers: number, f: (place: number, offset: number, size: number) => void): void {
  const stride = strideOf(c);
  for (let at = 0; at < componentBytes(c, registers); at += stride) {
    f(c.at(at / stride), at, stride);
  }
}

/** Gives components their initial configuration; MXCSR is not looked at. */
function initialise(view: DataView, components: number, registers: number): void {
  if (components & XFEATURE_X87) {
    initX87(view);
  }
  for (let i = 0; components & XFEATURE_SSE && i < registers; i++) {
    clearWords(view, vectorOffset(i), 16);
  }
  for (const c of COMPONENTS) {
    if (components & c.feature) {
      eachPart(c, registers, (place, _, size) => {
        clearWords(view, place, size);
      });
    }
  }
}

/** The state of a new program: FNINIT's, MXCSR 1F80, vector registers zero. */
export function initFpu(regs: FpuHolder): void {
  const { view } = regs;
  initX87(view);
  view.setUint32(State.mxcsr, MXCSR_DEFAULT, true);
  const { buffer, byteOffset } = view;
  new Uint8Array(buffer, byteOffset + vectorOffset(0), vectorOffset(32) - vectorOffset(0)).fill(0);
  clearWords(view, opmaskOffset(0), 64);
}

/** The 16-bit tag word from the abridged one: 0 valid, 1 zero, 2 special, 3 empty; by physical register. */
export function tagWord(fpu: X87): number {
  const { view } = fpu;
  let word = 0;
  for (let i = 0; i < 8; i++) {
    const at = State.st + i * 16;
    const se = view.getUint16(at + 8, true);
    let tag = 3;
    if (fpu.tags & (1 << i)) {
      const man = view.getBigUint64(at, true);
      const e = se & 0x7fff;
      tag = unpack80(se, man).kind === ZERO ? 1 : e === 0 || e === 0x7fff || !(man >> 63n) ? 2 : 0;
    }
    word |= tag << (2 * i);
  }
  return word;
}

/** The abridged tag from the 16-bit one. */
export function abridgedTag(word: number): number {
  let tags = 0;
  for (let i = 0; i < 8; i++) {
    if (((word >> (2 * i)) & 3) !== 3) {
      tags |= 1 << i;
    }
  }
  return tags;
}

/** Writes the x87 part of the FXSAVE image: bytes 0-23 and 32-159. `wide` is the REX.W form with 64-bit pointers. */
function saveX87(view: DataView, out: DataView, wide: boolean): void {
  const fpu = new X87(view);
  out.setUint16(0, fpu.cw, true);
  out.setUint16(2, fpu.sw, true);
  out.setUint16(4, fpu.tags, true);
  out.setUint16(6, fpu.fop, true);
  out.setBigUint64(8, wide ? fpu.fip : fpu.fip & 0xffffffffn, true);
  out.setBigUint64(16, wide ? fpu.fdp : fpu.fdp & 0xffffffffn, true);
  for (let i = 0; i < 8; i++) {
    out.setUint32(32 + 16 * i, fpu.lowWord(i), true);
    out.setUint32(36 + 16 * i, fpu.highWord(i), true);
    out.setUint32(40 + 16 * i, fpu.signExponent(i), true);
    out.setUint32(44 + 16 * i, 0, true);
  }
}

function saveMxcsr(view: DataView, out: DataView): void {
  out.setUint32(24, view.getUint32(State.mxcsr, true), true);
  out.setUint32(28, MXCSR_MASK, true);
}

function saveSse(view: DataView, out: DataView, registers: number): void {
  for (let i = 0; i < registers; i++) {
    copyWords(out, 160 + 16 * i, view, vectorOffset(i), 16);
  }
}

function loadX87(view: DataView, from: DataView, wide: boolean): void {
  const fpu = new X87(view);
  fpu.cw = (from.getUint16(0, true) & 0x1f3f) | 0x40;
  fpu.sw = from.getUint16(2, true);
  fpu.fop = from.getUint16(6, true) & 0x7ff;
  // Of FIP there are as many bits as linear addresses can have.
  fpu.fip = BigInt.asUintN(64, BigInt.asIntN(57, from.getBigUint64(8, true)));
  fpu.fdp = from.getBigUint64(16, true);
  if (!wide) {
    // The selectors beside the offsets go nowhere.
    fpu.fip &= 0xffffffffn;
    fpu.fdp &= 0xffffffffn;
  }
  for (let i = 0; i < 8; i++) {
    const at = 32 + 16 * i;
    fpu.writeWords(i, from.getUint16(at + 8, true), from.getUint32(at + 4, true), from.getUint32(at, true));
  }
  fpu.tags = from.getUint8(4);
  fpu.summarise();
}

/** FXSAVE. @param wide the REX.W form; @param registers how many XMM registers: 8 outside 64-bit mode */
export function fxsave(regs: FpuHolder, wide = true, registers = 16): Uint8Array {
  const image = new Uint8Array(FXSAVE_SIZE);
  const out = viewOf(image);
  saveX87(regs.view, out, wide);
  saveMxcsr(regs.view, out);
  saveSse(regs.view, out, registers);
  return image;
}

/** FXRSTOR. @returns false, with nothing changed, when MXCSR has a reserved bit */
export function fxrstor(regs: FpuHolder, image: Uint8Array, wide = true, registers = 16): boolean {
  const from = viewOf(image);
  const mxcsr = from.getUint32(24, true);
  if (mxcsr & ~MXCSR_MASK) {
    return false;
  }
  loadX87(regs.view, from, wide);
  regs.view.setUint32(State.mxcsr, mxcsr, true);
  for (let i = 0; i < registers; i++) {
    copyWords(regs.view, vectorOffset(i), from, 160 + 16 * i, 16);
  }
  return true;
}

const isZero = (view: DataView, at: number, bytes: number): boolean => {
  for (let i = 0; i < bytes; i += 4) {
    if (view.getInt32(at + i, true) !== 0) {
      return false;
    }
  }
  return true;
};

/**
 * XINUSE: the components of `mask` that are not in their initial configuration (SDM vol. 1, 13.6).
 * @param registers how many vector registers count: 8 outside 64-bit mode
 */
export function componentsInUse(regs: FpuHolder, mask = -1, registers = 16): number {
  const { view } = regs;
  const fpu = new X87(view);
  const x87 =
    fpu.cw !== 0x37f ||
    fpu.sw !== 0 ||
    fpu.tags !== 0 ||
    fpu.fop !== 0 ||
    fpu.fip !== 0n ||
    fpu.fdp !== 0n ||
    !isZero(view, State.st, 128);
  let sse = false;
  for (let i = 0; i < registers; i++) {
    sse ||= !isZero(view, vectorOffset(i), 16);
  }
  let inUse = (x87 ? XFEATURE_X87 : 0) | (sse ? XFEATURE_SSE : 0);
  for (const c of COMPONENTS) {
    if (!(mask & c.feature)) {
      continue;
    }
    const stride = strideOf(c);
    const counted = componentBytes(c, registers) / stride;
    for (let n = 0; n < counted; n++) {
      if (!isZero(view, c.at(n), stride)) {
        inUse |= c.feature;
        break;
      }
    }
  }
  return inUse;
}

/**
 * XSAVE in the standard format, of a size that has room for x87, SSE, AVX and `mask`; components outside `mask` are left
 * zero. XSTATE_BV tells the components in use.
 * @param image zeroes, which are filled and come back
 */
export function xsave(
  regs: FpuHolder,
  mask: number = XCR0,
  wide = true,
  registers = 16,
  image: Uint8Array = new Uint8Array(xstateSize(mask | XCR0)),
): Uint8Array {
  const out = viewOf(image);
  const inUse = mask & componentsInUse(regs, mask, registers);
  // The image is zero already, as most of the initial configurations are.
  if (inUse & XFEATURE_X87) {
    saveX87(regs.view, out, wide);
  } else if (mask & XFEATURE_X87) {
    out.setUint16(0, 0x37f, true);
  }
  if (mask & (XFEATURE_SSE | XFEATURE_AVX)) {
    saveMxcsr(regs.view, out);
  }
  if (inUse & XFEATURE_SSE) {
    saveSse(regs.view, out, registers);
  }
  for (const c of COMPONENTS) {
    if (inUse & c.feature) {
      eachPart(c, registers, (place, offset, size) => {
        copyWords(out, c.offset + offset, regs.view, place, size);
      });
    }
  }
  out.setUint32(XSAVE_HEADER, inUse, true);
  return image;
}

/** What a header says, if it may be restored from; `features`: XCOMP_BV in the compacted format. */
export function readHeader(
  from: DataView,
  xcr0: number,
): { components: number; features: number | undefined } | undefined {
  const components = from.getUint32(XSAVE_HEADER, true);
  const features = from.getUint32(XSAVE_HEADER + 8, true);
  const compacted = from.getUint32(XSAVE_HEADER + 12, true);
  // The upper half of XSTATE_BV and what is reserved.
  if (components & ~xcr0 || !isZero(from, XSAVE_HEADER + 4, 4) || !isZero(from, XSAVE_HEADER + 16, 8)) {
    return undefined;
  }
  if (features === 0 && compacted === 0) {
    return { components, features: undefined };
  }
  // Of its upper half XCOMP_BV has bit 63 alone.
  if (compacted !== 0x8000_0000 || features & ~xcr0 || components & ~features) {
    return undefined;
  }
  return isZero(from, XSAVE_HEADER + 24, 40) ? { components, features } : undefined;
}

/**
 * XRSTOR, standard or compacted format: components of `mask` that XSTATE_BV lacks get their initial configuration.
 * @param image at least the header, and the components that it has and `mask` asks for
 * @param xcr0 what the machine has
 * @returns false where the CPU raises #GP: with nothing changed, but that of the compacted format the parts before MXCSR are
 *   loaded and what XSTATE_BV lacks is initialised when MXCSR has a reserved bit
 */
export function xrstor(
  regs: FpuHolder,
  image: Uint8Array,
  mask: number = XCR0,
  wide = true,
  registers = 16,
  xcr0: number = XCR0 | mask,
): boolean {
  const from = viewOf(image);
  const { view } = regs;
  const header = readHeader(from, xcr0);
  if (!header) {
    return false;
  }
  const { components, features } = header;
  const offsetOf = (c: Component): number => (features === undefined ? c.offset : compactedOffset(features, c));
  if (COMPONENTS.some((c) => components & mask & c.feature && image.length < offsetOf(c) + c.size)) {
    return false;
  }
  // The standard format loads MXCSR with SSE or AVX, present or not; the compacted one treats it as part of SSE.
  const compacted = features !== undefined;
  const loadsMxcsr = compacted ? components & mask & XFEATURE_SSE : mask & (XFEATURE_SSE | XFEATURE_AVX);
  const mxcsr = from.getUint32(24, true);
  const refused = loadsMxcsr !== 0 && (mxcsr & ~MXCSR_MASK) !== 0;
  if (refused && !compacted) {
    return false;
  }
  initialise(view, mask & ~components, registers);
  if (components & mask & XFEATURE_X87) {
    loadX87(view, from, wide);
  }
  if (components & mask & XFEATURE_SSE) {
    for (let i = 0; i < registers; i++) {
      copyWords(view, vectorOffset(i), from, 160 + 16 * i, 16);
    }
  }
  if (refused) {
    return false;
  }
  if (loadsMxcsr) {
    view.setUint32(State.mxcsr, mxcsr, true);
  } else if (mask & XFEATURE_SSE) {
    view.setUint32(State.mxcsr, MXCSR_DEFAULT, true);
  }
  for (const c of COMPONENTS) {
    if (components & mask & c.feature) {
      const at = offsetOf(c);
      eachPart(c, registers, (place, offset, size) => {
        copyWords(view, place, from, at + offset, size);
      });
    }
  }
  return true;
}

/** FNSTENV's 28-byte (32-bit) or 14-byte (16-bit) protected-mode environment. */
export function fstenv(regs: FpuHolder, bits: 16 | 32 = 32): Uint8Array {
  const fpu = new X87(regs.view);
  const words = [fpu.cw, fpu.sw, tagWord(fpu), Number(fpu.fip & 0xffffffffn), 0, Number(fpu.fdp & 0xffffffffn), 0];
  const image = new Uint8Array((words.length * bits) / 8);
  const out = viewOf(image);
  words.forEach((w, i) => {
    if (bits === 16) {
      out.setUint16(i * 2, w & 0xffff, true);
    } else if (i === 3 || i === 5) {
      out.setUint32(i * 4, w, true);
    } else {
      out.setUint32(i * 4, (w | (i === 4 ? (fpu.fop & 0x7ff) << 16 : 0xffff0000)) >>> 0, true);
    }
  });
  return image;
}

/** FLDENV. */
export function fldenv(regs: FpuHolder, image: Uint8Array, bits: 16 | 32 = 32): void {
  const from = viewOf(image);
  const fpu = new X87(regs.view);
  const word = (i: number): number => from.getUint16((i * bits) / 8, true);
  const pointer = (i: number): bigint => BigInt(bits === 16 ? word(i) : from.getUint32(i * 4, true));
  fpu.cw = (word(0) & 0x1f3f) | 0x40;
  fpu.sw = word(1);
  fpu.tags = abridgedTag(word(2));
  fpu.fip = pointer(3);
  fpu.fdp = pointer(5);
  fpu.fop = bits === 32 ? from.getUint16(18, true) & 0x7ff : 0;
  fpu.summarise();
}

/** The environment and the eight registers: 108 or 94 bytes. Unlike FNSAVE it leaves the unit as it is. */
export function fsave(regs: FpuHolder, bits: 16 | 32 = 32): Uint8Array {
  const env = fstenv(regs, bits);
  const image = new Uint8Array(env.length + 80);
  image.set(env);
  const out = viewOf(image);
  const fpu = new X87(regs.view);
  for (let i = 0; i < 8; i++) {
    out.setBigUint64(env.length + 10 * i, fpu.significand(i), true);
    out.setUint16(env.length + 10 * i + 8, fpu.signExponent(i), true);
  }
  return image;
}

/** FRSTOR. */
export function frstor(regs: FpuHolder, image: Uint8Array, bits: 16 | 32 = 32): void {
  const from = viewOf(image);
  const env = (7 * bits) / 8;
  fldenv(regs, image.subarray(0, env), bits);
  const fpu = new X87(regs.view);
  const { tags } = fpu;
  for (let i = 0; i < 8; i++) {
    fpu.writeRaw(i, from.getUint16(env + 10 * i + 8, true), from.getBigUint64(env + 10 * i, true));
  }
  fpu.tags = tags;
}
