import { DATA_SIZE } from './layout.ts';
import { OPMASKS, XSTATE, ZMM_HIGH } from './protocol.ts';
import { Random } from './random.ts';

/** Values on which carries, signs and widths turn. */
const EDGES = [
  0x0n,
  0x1n,
  0x2n,
  0x3fn,
  0x40n,
  0x7fn,
  0x80n,
  0xffn,
  0x100n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0x8000000000000001n,
  0xffffffff80000000n,
  0xffffffffffff8000n,
  0xffffffffffffff80n,
  0xfffffffffffffffen,
  0xffffffffffffffffn,
];

const FLOATS = [
  0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x80800000,
  0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7fc12345, 0x7f800001, 0xffa00000,
  0x40490fdb, 0x3f000000, 0x3fffffff, 0x4b000000, 0x4b7fffff, 0x4f000000, 0xcf000000, 0x5f000000, 0xdf000000,
  0x3effffff, 0x40200000, 0x4efffffe,
];

const DOUBLES = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x0000000000000001n,
  0x800fffffffffffffn,
  0x0010000000000000n,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0xfff8000000000000n,
  0x7ff8123456789abcn,
  0x7ff0000000000001n,
  0xfff4000000000000n,
  0x400921fb54442d18n,
  0x3fe0000000000000n,
  0x3fdfffffffffffffn,
  0x4330000000000000n,
  0x41e0000000000000n,
  0x41dfffffffc00000n,
  0xc1e0000000000000n,
  0x43e0000000000000n,
  0xc3e0000000000000n,
  0x36a0000000000000n,
  0x380fffffc0000000n,
  0x47efffffe0000000n,
  0x47effffff0000000n,
  0x4004000000000000n,
];

/** Sign and exponent, then the significand: zero, denormals, normals, infinities, NaNs, and what the 387 calls unsupported. */
const EXTENDED: readonly (readonly [number, bigint])[] = [
  [0x0000, 0x0000000000000000n],
  [0x8000, 0x0000000000000000n],
  [0x3fff, 0x8000000000000000n],
  [0xbfff, 0x8000000000000000n],
  [0x0000, 0x0000000000000001n],
  [0x8000, 0x7fffffffffffffffn],
  [0x0000, 0x8000000000000000n],
  [0x0001, 0x8000000000000000n],
  [0x7ffe, 0xffffffffffffffffn],
  [0xfffe, 0xffffffffffffffffn],
  [0x7fff, 0x8000000000000000n],
  [0xffff, 0x8000000000000000n],
  [0x7fff, 0xc000000000000000n],
  [0xffff, 0xc000000000000000n],
  [0x7fff, 0xc123456789abcdefn],
  [0x7fff, 0x8000000000000001n],
  [0xffff, 0xa000000000000000n],
  [0x7fff, 0x0000000000000000n],
  [0x7fff, 0x4000000000000000n],
  [0x4000, 0x0000000000000001n],
  [0x4000, 0xc90fdaa22168c235n],
  [0x3ffe, 0x8000000000000000n],
  [0x3ffd, 0xffffffffffffffffn],
  [0x401e, 0x8000000000000000n],
  [0xc01e, 0x8000000000000000n],
  [0x403e, 0x8000000000000000n],
  [0xc03e, 0x8000000000000000n],
  [0x403d, 0xffffffffffffffffn],
  [0x403a, 0xde0b6b3a763fffe0n],
  [0x3c00, 0x8000000000000000n],
  [0x43ff, 0x8000000000000000n],
  [0x3f80, 0x8000000000000000n],
  [0x407f, 0x8000000000000000n],
];

export function edgeValue(random: Random): bigint {
  switch (random.below(8)) {
    case 0:
      return random.u64();
    case 1:
      return BigInt(random.below(72));
    case 2:
      return BigInt.asUintN(64, -BigInt(random.below(72)));
    case 3:
      return random.u64() & random.u64() & random.u64();
    case 4:
      return BigInt(random.u32());
    case 5:
      return 1n << BigInt(random.below(64));
    default:
      return random.pick(EDGES);
  }
}

/** Fills with one of the styles that the data of some instruction may have. */
export function fillVector(random: Random, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const style = random.below(12);
  for (let i = 0; i < bytes.length; i++) {
    const small = random.u32();
    switch (style) {
      case 0:
        bytes[i] = 0;
        break;
      case 1:
        bytes[i] = 255;
        break;
      case 2:
        bytes[i] = [0, 1, 2, 0x7f, 0x80, 0x81, 0xfe, 0xff][small & 7]!;
        break;
      case 3:
        bytes[i] = 0x61 + (small % 3); // a text of few letters,
        if (small % 11 === 0) bytes[i] = 0; // which ends somewhere
        break;
      case 4:
        bytes[i] = small & 0x8f;
        break;
      default:
        bytes[i] = small;
    }
  }
  if (style >= 5 && style <= 6) for (let i = 0; i + 4 <= bytes.length; i += 4) view.setUint32(i, aFloat(random), true);
  if (style >= 7 && style <= 8)
    for (let i = 0; i + 8 <= bytes.length; i += 8) view.setBigUint64(i, aDouble(random), true);
  if (style === 9) for (let i = 0; i + 8 <= bytes.length; i += 8) view.setBigUint64(i, edgeValue(random), true);
  if (style === 10)
    for (let i = 0; i + 4 <= bytes.length; i += 4) view.setUint32(i, Number(edgeValue(random) & 0xffffffffn), true);
}

function aFloat(random: Random): number {
  const bits = random.u32();
  switch (random.below(4)) {
    case 0:
      return bits;
    case 1:
      return ((bits & 0x807fffff) | ((0x70 + random.below(0x20)) << 23)) >>> 0;
    default:
      return random.pick(FLOATS);
  }
}

function aDouble(random: Random): bigint {
  const bits = random.u64();
  switch (random.below(4)) {
    case 0:
      return bits;
    case 1:
      return (bits & 0x800fffffffffffffn) | (BigInt(0x3d0 + random.below(0x80)) << 52n);
    default:
      return random.pick(DOUBLES);
  }
}

function anExtended(random: Random): readonly [number, bigint] {
  const bits = random.u64();
  switch (random.below(8)) {
    case 0:
      return [random.below(0x10000), bits];
    case 1:
      return [0xffff, bits]; // what MMX leaves
    case 2:
    case 3:
      return [0x3fe0 + random.below(0x40) + (random.oneIn(2) ? 0x8000 : 0), bits | (1n << 63n)];
    default:
      return random.pick(EXTENDED);
  }
}

/** Values made once: a state takes its vectors out of here, which is much quicker than making each. */
class Pool {
  static readonly #vectors = 1 << 14;
  static readonly #extended = 1 << 12;
  /** 16 bytes each. */
  readonly #words = new Int32Array(Pool.#vectors * 4);
  /** Significand, then sign and exponent. */
  readonly #reals = new Int32Array(Pool.#extended * 3);

  constructor() {
    const random = new Random(0x706f6f6c);
    const bytes = new Uint8Array(this.#words.buffer);
    for (let i = 0; i < bytes.length; i += 16) fillVector(random, bytes.subarray(i, i + 16));
    for (let i = 0; i < this.#reals.length; i += 3) {
      const [high, low] = anExtended(random);
      this.#reals[i] = Number(BigInt.asIntN(32, low));
      this.#reals[i + 1] = Number(BigInt.asIntN(32, low >> 32n));
      this.#reals[i + 2] = high;
    }
  }

  /** Fills `count` words (a multiple of 4, or the first 2) from the `at`th on; a third of the vectors is random. */
  vector(random: Random, words: Int32Array, at: number, count: number): void {
    for (let i = at; i < at + count; i += 4) {
      const n = random.u32();
      const last = Math.min(i + 4, at + count);
      const from = (n & (Pool.#vectors - 1)) * 4 - i;
      if (n >>> 24 < 85) for (let k = i; k < last; k++) words[k] = random.u32();
      else for (let k = i; k < last; k++) words[k] = this.#words[from + k]!;
    }
  }

  real(random: Random, words: Int32Array, at: number): void {
    const from = (random.u32() & (Pool.#extended - 1)) * 3;
    words[at] = this.#reals[from]!;
    words[at + 1] = this.#reals[from + 1]!;
    words[at + 2] = this.#reals[from + 2]!;
  }
}

export interface MachineState {
  readonly gpr: BigUint64Array;
  readonly rflags: number;
  readonly xstate: Uint8Array;
}

/** How often the floating point units meet unusual settings. */
export type Profile = 'integer' | 'vector' | 'sse-fp' | 'x87';

const ARITHMETIC_FLAGS = 0x8d5;
export const DF = 0x400;
export const AC = 0x40000;

/** Makes states; recorded vectors hold a state's seed, so a change here asks for a new recording. */
export class States {
  readonly #pool = new Pool();

  /** The whole state of a seed. */
  make(seed: number, profile: Profile, wide: boolean): MachineState {
    const state = makeState(seed, profile, this.#pool);
    if (wide) widen(seed, state.xstate, this.#pool);
    return state;
  }

  /** What a case finds at its operand. */
  fill(random: Random, bytes: Uint8Array): void {
    this.#pool.vector(random, new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2), 0, bytes.length >> 2);
  }
}

function makeState(seed: number, profile: Profile, pool: Pool): MachineState {
  const random = new Random(seed);
  const gpr = new BigUint64Array(16);
  for (let i = 0; i < 16; i++) gpr[i] = edgeValue(random);
  let rflags = 0x202 | (random.u32() & ARITHMETIC_FLAGS);
  if (random.oneIn(8)) rflags |= DF;
  const xstate = new Uint8Array(XSTATE);
  const view = new DataView(xstate.buffer);
  const words = new Int32Array(xstate.buffer);
  view.setUint16(0, 0x37f, true);
  view.setUint32(24, 0x1f80, true);
  view.setUint32(28, 0xffff, true);
  view.setBigUint64(512, 7n, true);
  if (profile !== 'integer') {
    for (let i = 0; i < 16; i++) {
      pool.vector(random, words, 40 + i * 4, 4);
      pool.vector(random, words, 144 + i * 4, 4);
    }
    for (let i = 0; i < 8; i++) {
      pool.real(random, words, 8 + i * 4);
      if (profile === 'vector') pool.vector(random, words, 8 + i * 4, 2);
    }
    xstate[4] = random.oneIn(3) ? random.below(256) : 255;
    view.setUint16(2, (random.below(8) << 11) | (random.u32() & 0x4700), true);
    if (profile === 'x87') {
      if (random.oneIn(2)) view.setUint16(0, 0x7f | (random.below(4) << 8) | (random.below(4) << 10), true);
      if (random.oneIn(8)) xstate[0] = 0x40 | random.below(64);
      if (random.oneIn(8)) xstate[2] = random.below(128) & xstate[0]! & 0x3f; // sticky, all masked
    }
    if (profile === 'sse-fp') {
      let mxcsr = 0x1f80;
      if (random.oneIn(2)) mxcsr |= random.below(4) << 13;
      if (random.oneIn(8)) mxcsr |= 0x40;
      if (random.oneIn(8)) mxcsr |= 0x8000;
      if (random.oneIn(8)) mxcsr &= ~(random.below(64) << 7);
      if (random.oneIn(4)) mxcsr |= random.below(64) & (mxcsr >> 7);
      view.setUint32(24, mxcsr, true);
    }
    if (random.oneIn(20)) {
      // An exception of the x87 unit is pending.
      const exceptions = 1 << random.below(6);
      view.setUint16(0, view.getUint16(0, true) & ~exceptions, true);
      view.setUint16(2, view.getUint16(2, true) | exceptions | 0x8080, true);
    }
  }
  return { gpr, rflags, xstate };
}

/** Fills the components of AVX-512. */
function widen(seed: number, xstate: Uint8Array, pool: Pool): void {
  const random = new Random(seed ^ 0x3c6ef372);
  const view = new DataView(xstate.buffer);
  view.setBigUint64(512, 0xe7n, true);
  for (let i = 0; i < 8; i++) {
    const kind = random.below(8);
    const mask = kind === 0 ? 0n : kind === 1 ? -1n : kind === 2 ? 1n << BigInt(random.below(16)) : random.u64();
    view.setBigUint64(OPMASKS + 8 * i, BigInt.asUintN(64, mask), true);
  }
  pool.vector(random, new Int32Array(xstate.buffer), ZMM_HIGH / 4, (XSTATE - ZMM_HIGH) / 4);
}

/** What the data pages hold before every case. */
export function makeBackground(): Uint8Array {
  const background = new Uint8Array(DATA_SIZE);
  const random = new Random(0x7265616c);
  for (let i = 0; i < DATA_SIZE; i += 32) fillVector(random, background.subarray(i, i + 32));
  return background;
}
