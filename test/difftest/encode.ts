import { CODE_BASE, DATA_BASE, DATA_SIZE, READ_ONLY_OFFSET, SLOT_SIZE, TLS_BASE } from './protocol.ts';
import type { Random } from './random.ts';
import { edgeValue } from './state.ts';

/** An encoding with its operands left open. */
export interface Template {
  readonly name: string;
  readonly vex: boolean;
  /** 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A */
  readonly map: number;
  readonly opcode: number;
  /** The low three bits of the opcode (or of `exactModrm`) name a register. */
  readonly plusRegister: boolean;
  /** Mandatory prefix: 0, 0x66, 0xf3 or 0xf2. */
  readonly prefix: number;
  /** REX.W or VEX.W; -1: any. */
  readonly w: number;
  /** VEX.L; -1: any. */
  readonly l: number;
  /** VEX.vvvv names an operand. */
  readonly vvvv: boolean;
  readonly modrm: boolean;
  /** ModRM.reg as part of the opcode, or -1. */
  readonly digit: number;
  /** The whole ModRM byte as part of the opcode (x87), or -1. */
  readonly exactModrm: number;
  readonly form: 'reg' | 'mem' | 'any';
  /** Bytes of immediate; 'a': address size. */
  readonly immediate: number | 'a';
  /** 66 for 16-bit operands. */
  readonly operand16: boolean;
  /** Address size that the opcode implies (loops), or 0. */
  readonly addressSize: number;
  readonly lock: boolean;
  /** Repeat prefixes that may be put before it. */
  readonly repeat: readonly number[];
  /** The ModRM.reg operand is a bit offset into memory. */
  readonly bitOffset: boolean;
  /** The index is a vector register with elements of so many bits, or 0. */
  readonly vsib: 0 | 32 | 64;
  /** Registers that hold addresses without being named: rsi, rdi, rbx, rsp and rbp. */
  readonly implicit: readonly number[];
  readonly long: boolean;
  readonly compat: boolean;
  /** Operands in k0 to k7: other numbers do not exist. */
  readonly opmask?: boolean;
  readonly evex?: EvexTemplate;
}

/** How wide a register number may be. */
export type RegisterFile = 'vector' | 'general' | 'opmask';

/** What an EVEX encoding has besides. */
export interface EvexTemplate {
  readonly broadcast: boolean;
  readonly rounding: boolean;
  readonly mask: boolean;
  readonly needsMask: boolean;
  readonly zeroing: boolean;
  readonly reg: RegisterFile;
  readonly rm: RegisterFile;
  readonly v: RegisterFile;
  /** N of disp8*N in bytes, without and with a broadcast. */
  readonly unit: readonly [plain: number, broadcast: number];
}

/** Fixups from this number on are quarters (64 bits) of ymm registers; from the second on, eighths of zmm registers. */
export const VECTOR_FIXUP = 32;
export const WIDE_FIXUP = 128;

export interface Encoded {
  readonly code: Uint8Array;
  readonly fixups: (readonly [register: number, value: bigint])[];
  /** Offset of the memory operand in the data pages, if it has one. */
  readonly operand: number | undefined;
  readonly fsBase: bigint;
  readonly gsBase: bigint;
  /** A string instruction with a repeat prefix, or a gather: a trap may come before it is complete. */
  readonly repeated: boolean;
}

/** Where a memory operand goes: mostly on good ground, sometimes over an edge. */
export function pickOffset(random: Random): number {
  const kind = random.below(32);
  const page = random.below(3) * 0x1000;
  if (kind < 16) return page + random.below(64) * 64;
  if (kind < 19) return page + 16 * random.below(255);
  if (kind < 24) return page + random.below(0xfc0);
  if (kind < 26) return 0x1000 + 0x1000 * random.below(2) - 1 - random.below(32);
  if (kind === 26) return READ_ONLY_OFFSET - 1 - random.below(32);
  if (kind === 27) return DATA_SIZE - 1 - random.below(36);
  if (kind === 28) return -1 - random.below(32);
  if (kind === 29) return READ_ONLY_OFFSET + 16 * random.below(250);
  if (kind === 30) return READ_ONLY_OFFSET + random.below(0xfc0);
  return random.oneIn(2) ? DATA_SIZE + random.below(0x1000) : page + 8 * random.below(500);
}

export class Bytes {
  readonly list: number[] = [];
  u8(value: number): void {
    this.list.push(value & 255);
  }
  le(value: bigint, size: number): void {
    for (let i = 0; i < size; i++) this.list.push(Number((value >> BigInt(8 * i)) & 255n));
  }
}

export interface Operand {
  readonly modrm: number; // mod and rm
  readonly sib: number; // or -1
  readonly displacement: bigint;
  readonly displacementSize: number;
  readonly x: number;
  readonly b: number;
  readonly ripRelative: boolean;
}

/** One concrete encoding of a template at `rip`, with the register values that make its memory operand. */
export function encode(template: Template, random: Random, compat: boolean, rip: number): Encoded {
  const fixups: [number, bigint][] = [];
  let fsBase = 0n;
  let gsBase = 0n;
  let segment = 0;
  let addressSize = compat ? 4 : 8;
  let addressPrefix = false;
  if (template.addressSize && template.addressSize !== addressSize) {
    addressPrefix = true;
    addressSize = template.addressSize;
  }
  const offset = pickOffset(random);
  const linear = BigInt(DATA_BASE + offset);
  const memory =
    template.modrm &&
    template.exactModrm < 0 &&
    (template.form === 'mem' || (template.form === 'any' && random.oneIn(2)));
  const hasMemory = memory || template.immediate === 'a';

  let target = linear;
  if (hasMemory && random.oneIn(10)) {
    if (compat) {
      segment = 0x65; // GS: 0x63, a segment with a base; FS is null
      target = BigInt.asUintN(32, linear - BigInt(TLS_BASE));
    } else {
      segment = random.oneIn(2) ? 0x64 : 0x65;
      const base = random.oneIn(2) ? BigInt(DATA_BASE) : 0x7fff12345678n;
      if (segment === 0x64) fsBase = base;
      else gsBase = base;
      target = BigInt.asUintN(64, linear - base);
    }
  } else if (hasMemory && random.oneIn(40)) {
    segment = random.pick([0x2e, 0x36, 0x3e, 0x26]);
  }
  const mayShrink = (hasMemory || template.implicit.length > 0) && !compat && BigInt.asUintN(32, target) === target;
  if (mayShrink && random.oneIn(12)) {
    addressPrefix = true;
    addressSize = 4;
  }
  if (!compat && memory && random.oneIn(60))
    target = random.pick([0x800000000000n, 0xffff000000000000n - 8n, 1n << 63n]);

  const high = compat || (template.opmask && !random.oneIn(16)) ? 1 : 2;
  let reg = template.digit >= 0 ? template.digit : random.below(8 * high);
  const v = template.vvvv ? random.below(8 * high) : 0;
  const w = template.w >= 0 ? template.w : compat ? 0 : random.below(2);
  const l = template.l >= 0 ? template.l : random.below(2);
  let rm: Operand | undefined;
  if (memory) {
    rm = template.vsib
      ? vectorOperand(random, compat, addressSize, target, template.vsib, fixups)
      : memoryOperand(random, compat, addressSize, target, fixups);
    if (template.bitOffset && template.digit < 0) {
      if (fixups.some(([register]) => register === reg)) reg = (reg + 5) % (8 * high);
      if (!fixups.some(([register]) => register === reg)) {
        const bit = BigInt.asUintN(64, BigInt(random.below(0x8000) - 0x4000));
        fixups.push([reg, compat ? BigInt.asUintN(32, bit) : bit]);
      }
    }
  } else if (template.exactModrm >= 0) {
    const modrm = template.exactModrm + (template.plusRegister ? random.below(8) : 0);
    rm = { modrm, sib: -1, displacement: 0n, displacementSize: 0, x: 0, b: 0, ripRelative: false };
    reg = (template.exactModrm >> 3) & 7;
  } else if (template.modrm) {
    const r = random.below(8 * high);
    rm = { modrm: 0xc0 | (r & 7), sib: -1, displacement: 0n, displacementSize: 0, x: 0, b: r >> 3, ripRelative: false };
  } else {
    const b = compat || template.vex ? 0 : template.plusRegister ? random.below(2) : random.below(4) >> 1;
    rm = { modrm: 0, sib: -1, displacement: 0n, displacementSize: 0, x: 0, b, ripRelative: false };
  }

  const out = new Bytes();
  const lock = template.lock && memory && random.oneIn(3);
  const repeat = template.repeat.length > 0 && random.oneIn(2) ? random.pick(template.repeat) : 0;
  if (repeat) {
    const count = BigInt(random.below(40));
    fixups.push([1, addressSize === 4 && !compat ? count | (BigInt(random.u32()) << 32n) : count]);
  }
  for (const register of template.implicit) {
    if (random.oneIn(40)) continue;
    const value = BigInt(DATA_BASE + pickOffset(random));
    fixups.push([register, register < 6 && register !== 3 ? value & ~7n : value]);
  }
  if (lock) out.u8(0xf0);
  if (repeat) out.u8(repeat);
  if (segment) out.u8(segment);
  if (addressPrefix) out.u8(0x67);
  if (template.operand16) out.u8(0x66);
  if (template.prefix) if (!template.vex) out.u8(template.prefix);
  const r = template.digit >= 0 || !template.modrm ? 0 : reg >> 3;
  if (template.vex) {
    const pp = [0, 0x66, 0xf3, 0xf2].indexOf(template.prefix);
    if (template.map === 1 && rm.x === 0 && rm.b === 0 && w === 0 && random.oneIn(2)) {
      out.u8(0xc5);
      out.u8(((r ^ 1) << 7) | ((v ^ 15) << 3) | (l << 2) | pp);
    } else {
      out.u8(0xc4);
      out.u8(((r ^ 1) << 7) | ((rm.x ^ 1) << 6) | ((rm.b ^ 1) << 5) | template.map);
      out.u8((w << 7) | ((v ^ 15) << 3) | (l << 2) | pp);
    }
  } else {
    const rex = (w << 3) | (r << 2) | (rm.x << 1) | rm.b;
    if (!compat && (rex || random.oneIn(8))) out.u8(0x40 | rex);
    if (template.map >= 1) out.u8(0x0f);
    if (template.map === 2) out.u8(0x38);
    if (template.map === 3) out.u8(0x3a);
  }
  const plus = template.plusRegister && template.exactModrm < 0 ? random.below(8) : 0;
  out.u8(template.opcode + plus);
  const immediateSize = template.immediate === 'a' ? addressSize : template.immediate;
  if (template.modrm) {
    out.u8(rm.modrm | ((reg & 7) << 3));
    if (rm.sib >= 0) out.u8(rm.sib);
    if (rm.ripRelative) {
      const end = BigInt(rip + out.list.length + 4 + immediateSize);
      out.le(BigInt.asUintN(32, target - end), 4);
    } else {
      out.le(rm.displacement, rm.displacementSize);
    }
  }
  out.le(template.immediate === 'a' ? target : edgeValue(random), immediateSize);
  return {
    code: Uint8Array.from(out.list),
    fixups,
    operand: hasMemory ? offset : undefined,
    fsBase,
    gsBase,
    repeated: repeat !== 0 || template.vsib !== 0 || template.vsib !== 0,
  };
}

/** A vector of indices around the target: most elements are in reach of it. */
function vectorOperand(
  random: Random,
  compat: boolean,
  addressSize: number,
  target: bigint,
  bits: 32 | 64,
  fixups: [number, bigint][],
): Operand {
  const base = [0, 1, 2, 3, 6, 7][random.below(6)]!;
  const index = random.below(compat ? 8 : 16);
  const scale = random.below(4);
  const displacement = BigInt(random.below(256) - 128);
  fixups.push([base, BigInt.asUintN(addressSize * 8, target - displacement)]);
  for (let quarter = 0; quarter < 4; quarter++) {
    const one = (): bigint => BigInt(random.below(random.oneIn(8) ? 0x1000 : 64) - 16);
    const low = one();
    const value = bits === 64 ? low : BigInt.asUintN(32, low) | (one() << 32n);
    fixups.push([VECTOR_FIXUP + index * 4 + quarter, BigInt.asUintN(64, value)]);
  }
  return {
    modrm: 0x44,
    sib: (scale << 6) | ((index & 7) << 3) | base,
    displacement: BigInt.asUintN(8, displacement),
    displacementSize: 1,
    x: index >> 3,
    b: 0,
    ripRelative: false,
  };
}

/** `unit`: what a byte of displacement counts. */
export function memoryOperand(
  random: Random,
  compat: boolean,
  addressSize: number,
  target: bigint,
  fixups: [number, bigint][],
  unit = 1,
): Operand {
  const bits = addressSize * 8;
  const junk = (value: bigint): bigint =>
    addressSize === 4 && !compat
      ? BigInt.asUintN(32, value) | (BigInt(random.u32()) << 32n)
      : BigInt.asUintN(bits, value);
  const kind = random.below(8);
  const near = target < 0x80000000n;
  if (kind === 0 && near) {
    if (!compat && random.oneIn(2) && addressSize === 8) {
      return { modrm: 5, sib: -1, displacement: 0n, displacementSize: 4, x: 0, b: 0, ripRelative: true };
    }
    if (compat) return { modrm: 5, sib: -1, displacement: target, displacementSize: 4, x: 0, b: 0, ripRelative: false };
    return { modrm: 4, sib: 0x25, displacement: target, displacementSize: 4, x: 0, b: 0, ripRelative: false };
  }
  const mod = random.below(3);
  const size = [0, 1, 4][mod]!;
  const base = random.below(compat ? 8 : 16);
  const withSib = kind >= 3 ? kind >= 5 : (base & 7) === 4;
  let index = random.below(compat ? 8 : 16);
  if (index === base) index = (index + 1) % (compat ? 8 : 16);
  const withIndex = withSib && index !== 4 && kind >= 5;
  let displacement = 0n;
  if (size === 1) displacement = BigInt(random.below(256) - 128);
  if (size === 4) displacement = random.oneIn(2) ? BigInt(random.below(0x1000)) : BigInt(random.u32() | 0);
  const scale = random.below(4);
  if (mod === 0 && (base & 7) === 5) {
    // no base: disp32 + index, or RIP-relative / absolute without a SIB byte
    if (!withSib || !withIndex) return memoryOperand(random, compat, addressSize, target, fixups, unit);
    if (!near && addressSize === 8) return memoryOperand(random, compat, addressSize, target, fixups, unit);
    const value = random.oneIn(2) ? BigInt(random.below(256)) : BigInt.asUintN(bits, edgeValue(random));
    const rest = BigInt.asIntN(32, target - (value << BigInt(scale)));
    const exact = BigInt.asUintN(bits, rest + (value << BigInt(scale))) === BigInt.asUintN(bits, target);
    fixups.push([index, exact ? junk(value) : 0n]);
    return {
      modrm: 4,
      sib: (scale << 6) | ((index & 7) << 3) | 5,
      displacement: exact ? rest : target,
      displacementSize: 4,
      x: index >> 3,
      b: random.oneIn(2) && !compat ? 1 : 0,
      ripRelative: false,
    };
  }
  let value = target - (size === 1 ? displacement * BigInt(unit) : displacement);
  if (withIndex) {
    const step = random.oneIn(2) ? BigInt(random.below(256)) : edgeValue(random);
    value -= step << BigInt(scale);
    fixups.push([index, junk(step)]);
  }
  fixups.push([base, junk(value)]);
  const bytes = BigInt.asUintN(size * 8, displacement);
  if (withSib || (base & 7) === 4) {
    const field = withIndex ? index : 4;
    return {
      modrm: (mod << 6) | 4,
      sib: (scale << 6) | ((field & 7) << 3) | (base & 7),
      displacement: bytes,
      displacementSize: size,
      x: field >> 3,
      b: base >> 3,
      ripRelative: false,
    };
  }
  return {
    modrm: (mod << 6) | (base & 7),
    sib: -1,
    displacement: bytes,
    displacementSize: size,
    x: 0,
    b: base >> 3,
    ripRelative: false,
  };
}

export function slotAddress(slot: number): number {
  return CODE_BASE + slot * SLOT_SIZE;
}
