/** Bytes to instructions, by the rows. Intel SDM vol. 2, chapter 2. */
import { operandBits } from '../interp/variant.ts';
import { Segment } from '../state.ts';
import type { CompiledRow, OpcodeTable } from './encoding.ts';
import { Instruction, MAX_LENGTH, NO_SEGMENT, RIP_BASE } from './instruction.ts';
import { match, matchEvex, noMemoryForm, opmasksExist } from './match.ts';

/** What `decode` says: an instruction, or why not. `more` means that the bytes ended. */
export type DecodeStatus = 'ok' | 'invalid' | 'too-long' | 'more';

/** The tables of both modes. */
export interface Tables {
  readonly long: OpcodeTable;
  readonly compat: OpcodeTable;
}

class OutOfBytes extends Error {}
class TooLong extends Error {}

export const LEGACY_PREFIX = new Uint8Array(256);
for (const b of [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]) LEGACY_PREFIX[b] = 1;

const setOf = (...ranges: readonly (readonly [first: number, last: number])[]): ReadonlySet<number> =>
  new Set(ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, n) => first + n)));

/** How long opcodes of map 0F are, whether or not they exist with an EVEX prefix: what has an immediate byte; */
const WITH_IMMEDIATE = setOf([0x70, 0x73], [0xa4, 0xa4], [0xac, 0xac], [0xba, 0xba], [0xc2, 0xc2], [0xc4, 0xc6]);
/** what has no ModRM; */
const WITHOUT_MODRM = setOf(
  [0x04, 0x0c],
  [0x0e, 0x0f],
  [0x24, 0x27],
  [0x30, 0x3f],
  [0x77, 0x77],
  [0xa0, 0xa2],
  [0xa8, 0xaa],
  [0xc8, 0xcf],
);
/** and where ModRM names registers whatever it says. */
const REGISTERS_ONLY = setOf([0x20, 0x23]);

export class Decoder {
  readonly instruction = new Instruction();
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private start = 0;
  private end = 0;
  private long = false;
  private readonly table64: OpcodeTable;
  private readonly table32: OpcodeTable;
  private readonly extension: (() => Tables) | undefined;
  private extended: Tables | undefined;
  /** A signed byte of displacement counts this many bytes (EVEX: disp8*N). */
  private dispUnit = 1;
  private readonly outOfBytes = new OutOfBytes();
  private readonly tooLong = new TooLong();

  /** @param extension the rows of AVX-512, made when they are first wanted; they come before the others */
  constructor(table64: OpcodeTable, table32: OpcodeTable, extension?: () => Tables) {
    this.table64 = table64;
    this.table32 = table32;
    this.extension = extension;
  }

  /** The rows but for those of AVX-512. */
  get tables(): Tables {
    return { long: this.table64, compat: this.table32 };
  }

  /** Decodes at `start`; `end` bounds the bytes that are there. `code32` is CS.D outside 64-bit mode. */
  decode(bytes: Uint8Array, start: number, end: number, long: boolean, code32: boolean): DecodeStatus {
    this.bytes = bytes;
    this.at = start;
    this.start = start;
    this.end = end;
    try {
      const ok = this.run(long, code32);
      this.instruction.length = this.at - start;
      return ok ? 'ok' : 'invalid';
    } catch (e) {
      if (e === this.outOfBytes) return 'more';
      if (e === this.tooLong) return 'too-long';
      throw e;
    }
  }

  private u8(): number {
    if (this.at - this.start >= MAX_LENGTH) throw this.tooLong;
    if (this.at >= this.end) throw this.outOfBytes;
    return this.bytes[this.at++]!;
  }

  private s8(): number {
    return (this.u8() << 24) >> 24;
  }

  private u16(): number {
    return this.u8() | (this.u8() << 8);
  }

  private s32(): number {
    return this.u16() | (this.u16() << 16);
  }

  private run(long: boolean, code32: boolean): boolean {
    this.long = long;
    const i = this.instruction;
    i.begin();
    this.dispUnit = 1;
    let rex = 0;
    let size16 = false;
    let otherAddress = false;
    let repeat = 0;
    let b = this.u8();
    for (;;) {
      if (LEGACY_PREFIX[b]) {
        rex = 0;
        if (b === 0x66) size16 = true;
        else if (b === 0x67) otherAddress = true;
        else if (b === 0xf0) i.lock = true;
        else if (b >= 0xf2) repeat = b === 0xf3 ? 2 : 3;
        else i.segment = segmentOf(b, long, i.segment);
      } else if (long && (b & 0xf0) === 0x40) rex = b;
      else break;
      b = this.u8();
    }
    i.addressSize = long ? (otherAddress ? 32 : 64) : code32 !== otherAddress ? 32 : 16;
    i.rex = rex;
    i.prefix = repeat !== 0 ? repeat : size16 ? 1 : 0;
    i.w = rex & 8 ? 1 : 0;
    let map = 0;
    // What is undefined has a length all the same: more than 15 bytes are #GP, and missing ones #PF, before #UD.
    let valid = true;
    if (b === 0x62 && this.extension !== undefined && (long || (this.peek() & 0xc0) === 0xc0)) {
      const clean = !size16 && repeat === 0 && !i.lock && rex === 0;
      return this.evex(i, long) && clean;
    }
    if ((b === 0xc4 || b === 0xc5) && (long || (this.peek() & 0xc0) === 0xc0)) {
      if (size16 || repeat || i.lock || rex) valid = false;
      const v1 = this.u8();
      let v2 = v1;
      i.rex = 0x40 | (v1 & 0x80 ? 0 : 4);
      map = 1;
      i.w = 0;
      if (b === 0xc4) {
        v2 = this.u8();
        map = v1 & 31;
        i.rex |= (v1 & 0x40 ? 0 : 2) | (v1 & 0x20 ? 0 : 1);
        i.w = v2 & 0x80 ? 1 : 0;
        if (i.w) i.rex |= 8;
      }
      if (!long) i.rex = i.rex & 8 ? 8 : 0;
      if (map === 0 || map > 3) return false;
      i.vex = true;
      i.vexL = v2 & 4 ? 1 : 0;
      i.vvvv = (~v2 >> 3) & 15;
      i.prefix = v2 & 3;
      map += 4;
      b = this.u8();
    } else if (b === 0x0f) {
      b = this.u8();
      map = 1;
      if (b === 0x38 || b === 0x3a) {
        map = b === 0x38 ? 2 : 3;
        b = this.u8();
      }
    }
    i.opcode = b;
    if (map === 5 && b !== 0x77 && this.isShort(b)) return false;
    let candidates = (long ? this.table64 : this.table32)[(map << 8) | b];
    if (i.vex && this.extension !== undefined) candidates = this.extendedRows((map << 8) | b) ?? candidates;
    const hasModrm = candidates === undefined ? map > 1 : candidates[0]!.hasModrm;
    if (hasModrm) i.modrm = this.u8();
    i.head = this.at - this.start;
    const found = candidates && match(candidates, i);
    if (found === undefined) {
      i.rm = i.modrm & 7;
      if (hasModrm && i.modrm < 0xc0) this.memory(i, long);
      if (candidates === undefined) {
        if (map === 3 || map === 7 || (map === 5 && WITH_IMMEDIATE.has(b))) this.u8();
        return false;
      }
      i.row = candidates[0]!;
      return this.immediates(i) && false;
    }
    i.row = found;
    const { options } = found.row;
    const wide = i.w === 1 && !(i.vex && !long);
    if (long && options.osz === 'f64') i.size = 64;
    else if (long && options.osz === 'd64') i.size = size16 && i.w === 0 ? 16 : 64;
    else if (wide) i.size = 64;
    else i.size = (long || code32) !== (size16 && (found.prefix !== 1 || options.sized66 === true)) ? 32 : 16;
    if (!long) {
      i.w = 0;
      i.vvvv &= 7;
    }
    i.reg = ((i.modrm >> 3) & 7) | (i.rex & 4 ? 8 : 0);
    if (i.vex && this.extension !== undefined && !opmasksExist(i)) return false;
    i.rm = (hasModrm ? i.modrm & 7 : b & 7) | (i.rex & 1 ? 8 : 0);
    if (hasModrm && i.modrm < 0xc0 && !noMemoryForm(found)) this.memory(i, long);
    if (i.lock && !(options.lock && i.isMemory)) valid = false;
    if (options.vsib && i.addressSize === 16) valid = false;
    return this.immediates(i) && valid;
  }

  private extendedRows(at: number): readonly CompiledRow[] | undefined {
    this.extended ??= this.extension!();
    return (this.long ? this.extended.long : this.extended.compat)[at];
  }

  /** An EVEX prefix and what follows it; Intel SDM vol. 2, 2.7. */
  private evex(i: Instruction, long: boolean): boolean {
    const p0 = this.u8();
    if ((p0 & 3) === 0) {
      // Of a map that does not exist: as long as what 62 would be without the extension.
      i.modrm = p0;
      i.rm = p0 & 7;
      if (p0 < 0xc0) this.memory(i, long);
      return false;
    }
    const p1 = this.u8();
    const p2 = this.u8();
    const map = p0 & 7;
    const reserved = (p0 & 8) !== 0 || !(p1 & 4) || map === 0 || map > 3;
    i.vex = i.evex = true;
    i.w = p1 & 0x80 ? 1 : 0;
    i.rex = 0x40 | (i.w << 3) | (((p0 >> 5) & 7) ^ 7);
    const high = p0 & 0x10 ? 0 : 16;
    const highV = p2 & 8 ? 0 : 16;
    i.vvvv = ((~p1 >> 3) & 15) | highV;
    if (!long) {
      i.rex &= 0x48;
    }
    i.prefix = p1 & 3;
    i.opmask = p2 & 7;
    i.zeroing = (p2 & 0x80) !== 0;
    i.b = (p2 & 0x10) !== 0;
    i.rounding = (p2 >> 5) & 3;
    i.opcode = this.u8();
    if ((map & 3) === 1 && this.isShort(i.opcode)) return false;
    const impossible = reserved || (!long && highV !== 0);
    const candidates = impossible ? undefined : this.extendedRows(((map + 8) << 8) | i.opcode);
    i.modrm = this.u8();
    i.vexL = i.rounding === 3 ? 2 : (i.rounding as 0 | 1 | 2);
    const row = candidates && matchEvex(candidates, i);
    if (row === undefined) {
      i.rm = i.modrm & 7;
      if (i.modrm < 0xc0) this.memory(i, long);
      if ((map & 3) === 3 || ((map & 3) === 1 && WITH_IMMEDIATE.has(i.opcode))) this.u8();
      return false;
    }
    i.row = row;
    i.size = long && i.w === 1 ? 64 : 32;
    if (!long) {
      i.w = 0;
      i.vvvv &= 7;
    }
    i.reg = ((i.modrm >> 3) & 7) | (i.rex & 4 ? 8 : 0) | (long ? high : 0);
    i.rm = (i.modrm & 7) | (i.rex & 1 ? 8 : 0);
    if (i.modrm < 0xc0) {
      const n = row.operands.findIndex((o) => 'EMWY'.includes(o.place));
      const { evex, vsib } = row.row.options;
      const broadcast = i.b ? evex?.broadcast : undefined;
      this.dispUnit = evex?.disp8 ?? (broadcast ?? operandBits(row.operands[n]!, i.size, i.vexL, i.w)) >> 3;
      this.memory(i, long);
      if (vsib) {
        if (i.index < 0 || i.addressSize === 16) return false;
        i.index |= highV;
      }
    } else if (i.rex & 2 && row.operands.some((o) => o.place === 'W' || o.place === 'U')) i.rm |= 16;
    if (!opmasksExist(i) || (i.reg > 15 && row.operands.some((o) => o.place === 'G'))) return false;
    return this.immediates(i);
  }

  /** Takes what belongs to opcodes of map 0F that are no EVEX instructions and have no ordinary ModRM. */
  private isShort(opcode: number): boolean {
    if (WITHOUT_MODRM.has(opcode)) return true;
    if (REGISTERS_ONLY.has(opcode)) this.u8();
    else if ((opcode & 0xf0) === 0x80) this.s32();
    else return false;
    return true;
  }

  private peek(): number {
    if (this.at - this.start >= MAX_LENGTH) throw this.tooLong;
    if (this.at >= this.end) throw this.outOfBytes;
    return this.bytes[this.at]!;
  }

  /** ModRM, SIB and displacement; vol. 2, 2.1.5 and 2.2.1.6. */
  private memory(i: Instruction, long: boolean): void {
    i.isMemory = true;
    const mod = i.modrm >> 6;
    const rm = i.modrm & 7;
    if (i.addressSize === 16) {
      this.memory16(i, mod, rm);
      return;
    }
    i.base = i.rm;
    if (rm === 4) {
      const sib = this.u8();
      i.head++;
      const index = ((sib >> 3) & 7) | (i.rex & 2 ? 8 : 0);
      i.index = index === 4 && !i.row.row.options.vsib ? -1 : index;
      i.scale = sib >> 6;
      i.base = (sib & 7) | (i.rex & 1 ? 8 : 0);
      if ((sib & 7) === 5 && mod === 0) {
        i.base = -1;
        i.disp = this.s32();
      }
    } else if (rm === 5 && mod === 0) {
      i.base = long ? RIP_BASE : -1;
      i.disp = this.s32();
    }
    if (mod === 1) i.disp = this.s8() * this.dispUnit;
    else if (mod === 2) i.disp = this.s32();
    i.dispHigh = i.disp >> 31;
    if (i.segment === NO_SEGMENT) i.segment = i.base === 4 || i.base === 5 ? Segment.SS : Segment.DS;
  }

  private memory16(i: Instruction, mod: number, rm: number): void {
    i.base = [3, 3, 5, 5, 6, 7, 5, 3][rm]!;
    i.index = [6, 7, 6, 7, -1, -1, -1, -1][rm]!;
    let stack = i.base === 5;
    if (mod === 0 && rm === 6) {
      i.base = -1;
      stack = false;
      i.disp = (this.u16() << 16) >> 16;
    } else if (mod === 1) i.disp = this.s8() * this.dispUnit;
    else if (mod === 2) i.disp = (this.u16() << 16) >> 16;
    i.dispHigh = i.disp >> 31;
    if (i.segment === NO_SEGMENT) i.segment = stack ? Segment.SS : Segment.DS;
  }

  private immediates(i: Instruction): boolean {
    let first = true;
    for (const o of i.row.operands) {
      switch (o.place) {
        case 'I':
        case 'L': {
          let v = this.immediate(i, o.size);
          if (o.place === 'L' && !this.long) v &= 0x7f;
          if (first) {
            i.imm = v;
            if (!(o.size === 'v' && i.size === 64)) i.immHigh = v >> 31;
          } else i.imm2 = v;
          first = false;
          break;
        }
        case 'J':
          i.imm = o.size === 'b' ? this.s8() : i.size === 16 ? (this.u16() << 16) >> 16 : this.s32();
          i.immHigh = i.imm >> 31;
          break;
        case 'A':
          i.imm = i.size === 16 ? this.u16() : this.s32();
          i.imm2 = this.u16();
          break;
        case 'O':
          i.isMemory = true;
          i.disp = i.addressSize === 16 ? this.u16() : this.s32();
          if (i.addressSize === 64) i.dispHigh = this.s32();
          if (i.segment === NO_SEGMENT) i.segment = Segment.DS;
          break;
        default:
      }
    }
    return true;
  }

  private immediate(i: Instruction, size: string): number {
    switch (size) {
      case '1':
        return 1;
      case 'w':
        return this.u16();
      case 'd':
        return this.s32();
      case 'z':
        return i.size === 16 ? (this.u16() << 16) >> 16 : this.s32();
      case 'v': {
        if (i.size === 16) return this.u16();
        const low = this.s32();
        if (i.size === 64) i.immHigh = this.s32();
        return low;
      }
      default:
        return this.s8();
    }
  }
}

/** FS and GS always count; ES, CS, SS, DS are ignored in 64-bit mode. */
function segmentOf(prefix: number, long: boolean, before: number): number {
  if (prefix === 0x64) return Segment.FS;
  if (prefix === 0x65) return Segment.GS;
  if (long) return before;
  return [Segment.ES, Segment.CS, Segment.SS, Segment.DS][(prefix - 0x26) >> 3]!;
}
