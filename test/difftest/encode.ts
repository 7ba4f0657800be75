import {
  baseOf,
  DATA_BASE,
  DATA_SIZE,
  isBig,
  PAGE,
  READ_ONLY_OFFSET,
  SELECTORS,
  SLOTS,
  slotAddress,
  TLS_BASE,
} from './layout.ts';
import type { Mode } from './protocol.ts';
import type { Random } from './random.ts';
import { edgeValue } from './state.ts';

/** What an operand in memory (or on the stack) has to look like for the instruction to get anywhere. */
export type Special = 'far' | 'selector' | 'far-return' | 'iret' | 'fxrstor' | 'xrstor' | 'xsave' | 'pop-segment';

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
  /** Of `any`: not by chance. */
  readonly only?: 'reg' | 'mem' | undefined;
  /** Bytes of immediate; 'a': address size. */
  readonly immediate: number | 'a';
  /** The immediate is a branch's distance. */
  readonly branch: boolean;
  /** The immediate ends with a selector. */
  readonly farImmediate: boolean;
  /** Operand size that the encoding is for, or 0. */
  readonly operandSize: number;
  /** Address size that the opcode implies (loops), or 0. */
  readonly addressSize: number;
  readonly lock: boolean;
  /** Repeat prefixes that may be put before it. */
  readonly repeat: readonly number[];
  /** One of them that it always has, or 0. */
  readonly forced: number;
  /** The ModRM.reg operand is a bit offset into memory. */
  readonly bitOffset: boolean;
  /** The index is a vector register with elements of so many bits, or 0. */
  readonly vsib: 0 | 32 | 64;
  /** Registers that hold addresses without being named: rsi, rdi, rbx, rsp and rbp. */
  readonly implicit: readonly number[];
  readonly special: Special | undefined;
  /** The state components that XSAVE and XRSTOR are asked for. */
  readonly components: number;
  /** Operands in k0 to k7: other numbers do not exist. */
  readonly opmask: boolean;
  readonly evex: EvexTemplate | undefined;
  readonly modes: readonly Mode[];
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

/** Where a case runs. */
export interface Environment {
  readonly mode: Mode;
  /** es cs ss ds fs gs */
  readonly selectors: readonly number[];
}

/** Fixups from this number on are quarters (64 bits) of ymm registers; from the second on, eighths of zmm registers. */
export const VECTOR_FIXUP = 32;
export const WIDE_FIXUP = 128;

export interface Encoded {
  readonly code: readonly number[];
  readonly fixups: (readonly [register: number, value: bigint])[];
  /** Offset of the memory operand in the data pages, if it has one. */
  readonly operand: number | undefined;
  /** What is put into the data pages besides. */
  readonly patches: readonly (readonly [offset: number, bytes: Uint8Array])[];
  readonly fsBase: bigint | undefined;
  readonly gsBase: bigint | undefined;
  /** A string instruction with a repeat prefix, or a gather: a trap may come before it is complete. */
  readonly repeated: boolean;
}

const ES = 0;
const CS = 1;
const SS = 2;
const DS = 3;
export const FS = 4;
export const GS = 5;
export const SEGMENT_PREFIX = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** Where a memory operand goes: mostly on good ground, sometimes over an edge. */
export function pickOffset(random: Random): number {
  const kind = random.below(32);
  const page = random.below(3) * PAGE;
  if (kind < 16) return page + random.below(64) * 64;
  if (kind < 19) return page + 16 * random.below(255);
  if (kind < 24) return page + random.below(0xfc0);
  if (kind < 26) return PAGE + PAGE * random.below(2) - 1 - random.below(32);
  if (kind === 26) return READ_ONLY_OFFSET - 1 - random.below(32);
  if (kind === 27) return DATA_SIZE - 1 - random.below(36);
  if (kind === 28) return -1 - random.below(32);
  if (kind === 29) return READ_ONLY_OFFSET + 16 * random.below(250);
  if (kind === 30) return READ_ONLY_OFFSET + random.below(0xfc0);
  return random.oneIn(2) ? DATA_SIZE + random.below(PAGE) : page + 8 * random.below(500);
}

/** Room for the images of FXSAVE and XSAVE, which want 16 and 64 bytes of alignment. */
function pickImageOffset(random: Random): number {
  const kind = random.below(16);
  if (kind < 12) return random.below(3) * PAGE + 64 * random.below(48);
  if (kind === 12) return random.below(0x2000);
  if (kind === 13) return READ_ONLY_OFFSET - 64 * random.below(14);
  if (kind === 14) return DATA_SIZE - 64 * random.below(14);
  return 16 * random.below(0x300);
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

export const registerOperand = (modrm: number, b: number): Operand => ({
  modrm,
  sib: -1,
  displacement: 0n,
  displacementSize: 0,
  x: 0,
  b,
  ripRelative: false,
});

/** What is being encoded, and what it wants of the state. */
export class Making {
  readonly random: Random;
  readonly environment: Environment;
  readonly fixups: [number, bigint][] = [];
  fsBase: bigint | undefined;
  gsBase: bigint | undefined;
  /** Segment override, or -1. */
  segment = -1;
  addressSize: 2 | 4 | 8;

  constructor(random: Random, environment: Environment) {
    this.random = random;
    this.environment = environment;
    this.addressSize = environment.mode === 64 ? 8 : environment.mode === 32 ? 4 : 2;
  }

  get long(): boolean {
    return this.environment.mode === 64;
  }
  get registers(): number {
    return this.long ? 16 : 8;
  }

  /** The address in a segment of a linear address. */
  inSegment(linear: bigint, segment: number): bigint {
    let base = 0n;
    if (!this.long) base = BigInt(baseOf(this.environment.selectors[segment]!));
    else if (segment === FS) base = this.fsBase ?? 0n;
    else if (segment === GS) base = this.gsBase ?? 0n;
    return BigInt.asUintN(64, linear - base);
  }

  /** A register's value of which `bytes` bytes are an address: above them is what does not count. */
  junk(value: bigint, bytes: number): bigint {
    const low = BigInt.asUintN(8 * bytes, value);
    const width = this.long ? 8 : 4;
    if (bytes >= width) return low;
    return BigInt.asUintN(8 * width, low | (BigInt(this.random.u32()) << BigInt(8 * bytes)));
  }
}

/** By chance where the template leaves it open. */
export function takesMemory({ form, only }: Template, random: Random): boolean {
  if (form !== 'any') return form === 'mem';
  return only === undefined ? random.oneIn(2) : only === 'mem';
}

/** One concrete encoding of a template at `rip` (linear), with what it wants of registers and memory. */
export function encode(
  template: Template,
  random: Random,
  environment: Environment,
  rip: number,
  inline = false,
): Encoded {
  const d = new Making(random, environment);
  const { long, fixups } = d;
  let addressPrefix = false;
  const fixedSize = template.addressSize as 0 | 2 | 4 | 8;
  if (fixedSize && fixedSize !== d.addressSize) {
    addressPrefix = true;
    d.addressSize = fixedSize;
  }
  if (template.vsib && d.addressSize === 2 && !random.oneIn(4)) {
    addressPrefix = true; // VSIB does not go with 16-bit addresses
    d.addressSize = 4;
  }
  const image = template.special === 'xsave' || template.special === 'xrstor' || template.special === 'fxrstor';
  const offset = image ? pickImageOffset(random) : pickOffset(random);
  const linear = BigInt(DATA_BASE + offset);
  const memory = template.modrm && template.exactModrm < 0 && takesMemory(template, random);
  const hasMemory = memory || template.immediate === 'a';
  const usesMemory = hasMemory || template.implicit.length > 0;

  if (usesMemory && random.oneIn(10)) {
    if (long) {
      d.segment = random.oneIn(2) ? FS : GS;
      const base = random.oneIn(2) ? BigInt(DATA_BASE) : 0x7fff12345678n;
      if (d.segment === FS) d.fsBase = base;
      else d.gsBase = base;
    } else d.segment = random.oneIn(4) ? FS : GS;
  } else if (usesMemory && random.oneIn(long ? 40 : 8)) d.segment = random.pick([ES, CS, SS, DS]);
  if (!fixedSize && !template.vsib && usesMemory && random.oneIn(12)) {
    addressPrefix = !addressPrefix;
    d.addressSize = long ? 4 : d.addressSize === 4 ? 2 : 4;
  }
  let target = linear;
  if (long && memory && random.oneIn(60)) {
    target = random.pick([0x800000000000n, 0xffff000000000000n - 8n, 1n << 63n]);
  } else if (image && !long && random.oneIn(16)) {
    // An area over the end of what addresses reach, in a segment that begins at 0 or at the thread's data.
    const end = random.pick([0, TLS_BASE]) + random.pick([0x10000, 0x100000000]);
    target = BigInt.asUintN(32, BigInt(end - 64 * random.below(44)));
  } else if (!long && memory && random.oneIn(60)) target = random.pick([0xfffffffen, 0xffffffffn, 0xfffcn, 0xffffn]);

  const registers = template.opmask && !random.oneIn(16) ? 8 : d.registers;
  let reg = template.digit >= 0 ? template.digit : random.below(registers);
  const v = template.vvvv ? random.below(registers) : 0;
  const w = template.w >= 0 ? template.w : long ? random.below(2) : 0;
  const l = template.l >= 0 ? template.l : random.below(2);
  let rm: Operand;
  if (memory) {
    rm = template.vsib ? vectorOperand(d, target, template.vsib) : memoryOperand(d, target, rip);
    if (template.bitOffset && template.digit < 0) {
      if (fixups.some(([register]) => register === reg)) reg = (reg + 5) % d.registers;
      if (!fixups.some(([register]) => register === reg)) {
        const bit = BigInt.asUintN(64, BigInt(random.below(0x8000) - 0x4000));
        fixups.push([reg, long ? bit : BigInt.asUintN(32, bit)]);
      }
    }
  } else if (template.exactModrm >= 0) {
    rm = registerOperand(template.exactModrm + (template.plusRegister ? random.below(8) : 0), 0);
    reg = (template.exactModrm >> 3) & 7;
  } else if (template.modrm) {
    const r = random.below(registers);
    rm = registerOperand(0xc0 | (r & 7), r >> 3);
    if (template.special === 'selector' && !random.oneIn(6)) {
      fixups.push([r, BigInt(random.pick(SELECTORS)) | (BigInt(random.below(3)) << 16n)]);
    }
  } else {
    const b = !long || template.vex ? 0 : template.plusRegister ? random.below(2) : random.below(4) >> 1;
    rm = registerOperand(0, b);
  }

  const lock = template.lock && memory && random.oneIn(3);
  // F2 repeats like F3 where nothing is compared.
  const repeats = template.repeat.length > 0 && random.oneIn(2);
  const repeat = template.forced || (repeats ? (random.oneIn(6) ? 0xf2 : random.pick(template.repeat)) : 0);
  if (repeat && template.repeat.length > 0) fixups.push([1, d.junk(BigInt(random.below(40)), d.addressSize)]);
  const stack = implicitRegisters(d, template);
  const patches = stack === undefined ? [] : specialStack(d, template, stack);
  if (hasMemory && template.special) patches.push(...specialOperand(d, template, offset));
  if (image && template.special !== 'fxrstor') {
    // Components that the host does not have beyond ours.
    fixups.push(
      [0, BigInt(someOf(random, template.components)) | (random.oneIn(8) ? 0xfff00000n : 0n)],
      [2, BigInt(random.below(4))],
    );
  }

  const out = new Bytes();
  if (inline) {
    for (const [register, value] of fixups) loadRegister(out, environment.mode, register, value);
    fixups.length = 0;
  }
  const prefixed =
    template.operandSize === 16 ? environment.mode !== 16 : template.operandSize === 32 && environment.mode === 16;
  if (lock) out.u8(0xf0);
  if (repeat) out.u8(repeat);
  if (d.segment >= 0) out.u8(SEGMENT_PREFIX[d.segment]!);
  if (addressPrefix) out.u8(0x67);
  if (prefixed && !template.vex) out.u8(0x66);
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
    if (long && (rex || random.oneIn(8))) out.u8(0x40 | rex);
    if (template.map >= 1) out.u8(0x0f);
    if (template.map === 2) out.u8(0x38);
    if (template.map === 3) out.u8(0x3a);
  }
  const plus = template.plusRegister && template.exactModrm < 0 ? random.below(8) : 0;
  out.u8(template.opcode + plus);
  const immediateSize = template.immediate === 'a' ? d.addressSize : template.immediate;
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
  if (template.immediate === 'a') out.le(d.inSegment(target, d.segment < 0 ? DS : d.segment), immediateSize);
  else if (template.farImmediate) {
    const far = farTarget(d);
    out.le(far.offset, immediateSize - 2);
    out.le(BigInt(far.selector), 2);
  } else if (template.branch) out.le(distance(random, inline), immediateSize);
  else out.le(edgeValue(random), immediateSize);
  return {
    code: out.list,
    fixups,
    operand: hasMemory ? offset : undefined,
    patches,
    fsBase: d.fsBase,
    gsBase: d.gsBase,
    repeated: (repeat !== 0 && template.repeat.length > 0) || template.vsib !== 0,
  };
}

/** In a sequence branches go a little forwards, so that they end. */
function distance(random: Random, inline: boolean): bigint {
  return inline || random.oneIn(2) ? BigInt(random.below(24)) : edgeValue(random);
}

/** MOV with an immediate. */
export function loadRegister(out: Bytes, mode: Mode, register: number, value: bigint): void {
  if (register >= VECTOR_FIXUP) return; // of the first instruction only
  const wide = value >= 0x100000000n;
  if (mode === 16) out.u8(0x66);
  const rex = (wide ? 8 : 0) | (register >> 3);
  if (mode === 64 && rex) out.u8(0x40 | rex);
  out.u8(0xb8 + (register & 7));
  out.le(value, mode === 64 && wide ? 8 : 4);
}

/** Gives the implicit address registers values; where the stack pointer then points, in the data pages. */
function implicitRegisters(d: Making, template: Template): number | undefined {
  const { random } = d;
  let stack: number | undefined;
  for (const register of template.implicit) {
    if (random.oneIn(40)) continue;
    const isStack = register === 4 || register === 5;
    const offset = isStack ? pickOffset(random) & ~7 : pickOffset(random);
    if (register === 4) stack = offset;
    const override = d.segment < 0 ? DS : d.segment;
    const segment = isStack ? SS : register === 7 && template.repeat.length > 0 ? ES : override;
    const bytes = isStack ? (d.long ? 8 : isBig(d.environment.selectors[SS]!) ? 4 : 2) : d.addressSize;
    d.fixups.push([register, d.junk(d.inSegment(BigInt(DATA_BASE + offset), segment), bytes)]);
  }
  return stack;
}

/** A selector, and an offset that is likely to be good in it. */
function farTarget(d: Making): { selector: number; offset: bigint } {
  const { random } = d;
  const selector = random.oneIn(16) ? random.below(0x10000) : random.pick(SELECTORS);
  const linear = slotAddress(random.below(SLOTS)) + random.below(32);
  let offset = BigInt(linear - baseOf(selector));
  if (random.oneIn(16)) offset = edgeValue(random);
  return { selector, offset: BigInt.asUintN(64, offset) };
}

type Patches = [offset: number, bytes: Uint8Array][];

function items(list: readonly (readonly [value: bigint, bytes: number])[]): Uint8Array {
  const out = new Bytes();
  for (const [value, bytes] of list) out.le(BigInt.asUintN(8 * bytes, value), bytes);
  return Uint8Array.from(out.list);
}

function specialOperand(d: Making, template: Template, offset: number): Patches {
  const { random } = d;
  switch (template.special) {
    case 'far': {
      const far = farTarget(d);
      const bytes = (template.operandSize || 32) / 8;
      return [
        [
          offset,
          items([
            [far.offset, bytes],
            [BigInt(far.selector), 2],
          ]),
        ],
      ];
    }
    case 'selector':
      return [[offset, items([[BigInt(random.pick(SELECTORS)), 2]])]];
    case 'fxrstor':
      return [[offset, control(random)]];
    case 'xrstor': {
      const header = new Uint8Array(64);
      // Components that the host has beyond ours it restores.
      header[0] = someOf(random, template.components);
      if (random.oneIn(16)) header[1] = 1;
      if (random.oneIn(12)) header[16 + random.below(48)] = random.below(256);
      if (random.oneIn(4)) {
        header[15] = 0x80;
        if (!random.oneIn(4)) header[8] = someOf(random, template.components) | (random.oneIn(8) ? 0 : header[0]);
        if (random.oneIn(16)) header[9 + random.below(6)] = random.below(256) & ~6;
      }
      return [
        [offset, control(random)],
        [offset + 512, header],
      ];
    }
    default:
      return [];
  }
}

const someOf = (random: Random, components: number): number => random.below(256) & components;

/** The head of an FXSAVE image, with an MXCSR that is mostly good. */
function control(random: Random): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 32; i++) bytes[i] = random.below(256);
  if (random.oneIn(10)) return bytes;
  bytes[26] = bytes[27] = 0;
  bytes.fill(255, 28, 30);
  return bytes;
}

function specialStack(d: Making, template: Template, stack: number): Patches {
  const bytes = (template.operandSize || 32) / 8;
  const { random } = d;
  switch (template.special) {
    case 'pop-segment':
      return [[stack, items([[BigInt(random.pick(SELECTORS)), bytes]])]];
    case 'far-return': {
      const far = farTarget(d);
      return [
        [
          stack,
          items([
            [far.offset, bytes],
            [BigInt(far.selector), bytes],
          ]),
        ],
      ];
    }
    case 'iret': {
      const far = farTarget(d);
      const ss = random.oneIn(2) ? 0x2b : random.pick(SELECTORS);
      const sp = random.oneIn(4) ? edgeValue(random) : BigInt(DATA_BASE + 8 * random.below(0x600));
      const flags = BigInt(random.u32() & (random.oneIn(4) ? 0x3f7fff : 0x3f3ed7));
      const list = [far.offset, BigInt(far.selector), flags, sp, BigInt(ss)];
      return [[stack, items(list.map((value) => [value, bytes] as const))]];
    }
    default:
      return [];
  }
}

/** A vector of indices around the target: most elements are in reach of it. */
function vectorOperand(d: Making, target: bigint, bits: 32 | 64): Operand {
  const { random } = d;
  if (d.addressSize === 2) return memoryOperand(d, target, 0);
  const base = [0, 1, 2, 3, 6, 7][random.below(6)]!;
  const index = random.below(d.registers);
  const scale = random.below(4);
  const displacement = BigInt(random.below(256) - 128);
  const effective = d.inSegment(target, d.segment < 0 ? DS : d.segment);
  d.fixups.push([base, BigInt.asUintN(d.addressSize * 8, effective - displacement)]);
  for (let quarter = 0; quarter < 4; quarter++) {
    const one = (): bigint => BigInt(random.below(random.oneIn(8) ? 0x1000 : 64) - 16);
    const low = one();
    const value = bits === 64 ? low : BigInt.asUintN(32, low) | (one() << 32n);
    d.fixups.push([VECTOR_FIXUP + index * 4 + quarter, BigInt.asUintN(64, value)]);
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

/** Base and index by ModRM.rm with 16-bit addresses: BX SI, BX DI, BP SI, BP DI, SI, DI, BP, BX. */
const BASE16 = [3, 3, 5, 5, 6, 7, 5, 3];
const INDEX16 = [6, 7, 6, 7, -1, -1, -1, -1];

function memoryOperand16(d: Making, target: bigint, unit: number): Operand {
  const { random, fixups } = d;
  const rm = random.below(8);
  const mod = random.below(3);
  const absolute = mod === 0 && rm === 6;
  const segment = d.segment >= 0 ? d.segment : BASE16[rm] === 5 && !absolute ? SS : DS;
  const effective = BigInt.asUintN(16, d.inSegment(target, segment));
  const operand = (displacement: bigint, displacementSize: number): Operand => ({
    ...registerOperand((mod << 6) | rm, 0),
    displacement,
    displacementSize,
  });
  if (absolute) return operand(effective, 2);
  const displacement = mod === 1 ? BigInt(random.below(256) - 128) : mod === 2 ? BigInt(random.below(0x10000)) : 0n;
  let value = effective - (mod === 1 ? displacement * BigInt(unit) : displacement);
  if (INDEX16[rm]! >= 0) {
    const step = random.oneIn(2) ? BigInt(random.below(256)) : edgeValue(random);
    fixups.push([INDEX16[rm]!, d.junk(step, 2)]);
    value -= step;
  }
  fixups.push([BASE16[rm]!, d.junk(value, 2)]);
  return operand(BigInt.asUintN(8 * mod, displacement), mod);
}

/** `unit`: what a byte of displacement counts. */
export function memoryOperand(d: Making, target: bigint, rip: number, unit = 1): Operand {
  if (d.addressSize === 2) return memoryOperand16(d, target, unit);
  const { random, fixups, long, addressSize } = d;
  const bits = addressSize * 8;
  const kind = random.below(8);
  const data = d.inSegment(target, d.segment < 0 ? DS : d.segment);
  const near = data < 0x80000000n;
  if (kind === 0 && (near || !long)) {
    if (long && random.oneIn(2) && addressSize === 8 && d.segment < FS && rip !== 0) {
      return { ...registerOperand(5, 0), displacementSize: 4, ripRelative: true };
    }
    const absolute = { displacement: BigInt.asUintN(32, data), displacementSize: 4 };
    return long ? { ...registerOperand(4, 0), sib: 0x25, ...absolute } : { ...registerOperand(5, 0), ...absolute };
  }
  const mod = random.below(3);
  const size = [0, 1, 4][mod]!;
  const base = random.below(d.registers);
  const withSib = kind >= 3 ? kind >= 5 : (base & 7) === 4;
  let index = random.below(d.registers);
  if (index === base) index = (index + 1) % d.registers;
  const withIndex = withSib && index !== 4 && kind >= 5;
  let displacement = 0n;
  if (size === 1) displacement = BigInt(random.below(256) - 128);
  if (size === 4) displacement = random.oneIn(2) ? BigInt(random.below(0x1000)) : BigInt(random.u32() | 0);
  const scale = random.below(4);
  if (mod === 0 && (base & 7) === 5) {
    // no base: disp32 + index, or RIP-relative / absolute without a SIB byte
    if (!withSib || !withIndex) return memoryOperand(d, target, rip, unit);
    if (!near && addressSize === 8) return memoryOperand(d, target, rip, unit);
    const value = random.oneIn(2) ? BigInt(random.below(256)) : BigInt.asUintN(bits, edgeValue(random));
    const rest = BigInt.asIntN(32, data - (value << BigInt(scale)));
    const exact = BigInt.asUintN(bits, rest + (value << BigInt(scale))) === BigInt.asUintN(bits, data);
    fixups.push([index, exact ? d.junk(value, addressSize) : 0n]);
    return {
      modrm: 4,
      sib: (scale << 6) | ((index & 7) << 3) | 5,
      displacement: exact ? rest : data,
      displacementSize: 4,
      x: index >> 3,
      b: random.oneIn(2) && long ? 1 : 0,
      ripRelative: false,
    };
  }
  const stack = base === 4 || base === 5;
  let value = d.inSegment(target, d.segment >= 0 ? d.segment : stack ? SS : DS);
  value -= size === 1 ? displacement * BigInt(unit) : displacement;
  if (withIndex) {
    const step = random.oneIn(2) ? BigInt(random.below(256)) : edgeValue(random);
    value -= step << BigInt(scale);
    fixups.push([index, d.junk(step, addressSize)]);
  }
  fixups.push([base, d.junk(value, addressSize)]);
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
  return { ...registerOperand((mod << 6) | (base & 7), base >> 3), displacement: bytes, displacementSize: size };
}
