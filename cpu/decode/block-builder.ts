/** Decodes a block and writes its op records. */
import { Vector } from '../exit.ts';
import type { Interpreter } from '../interp/interpreter.ts';
import { Pseudo } from '../interp/pseudo.ts';
import { RECORD_SIZE, Rec, RecordFlag } from '../interp/record.ts';
import type { Form } from '../interp/variant.ts';
import { Mode } from '../segment.ts';
import {
  gprOffset,
  mmxOffset,
  opmaskOffset,
  PAGE_SIZE,
  RECORDS_END,
  Segment,
  State,
  segmentBaseOffset,
  vectorOffset,
} from '../state.ts';
import type { Decoder } from './decoder.ts';
import type { Operand } from './encoding.ts';
import { type Instruction, MAX_LENGTH, RIP_BASE } from './instruction.ts';
import { KnownCode } from './known-code.ts';

const MAX_INSTRUCTIONS = 64;

/** Where the bytes come from. */
export interface CodeSource {
  readonly bytes: Uint8Array;
  /** Host address of the first byte; the page ends where its frame does. */
  readonly at: number;
  /** Frame of the next page; asks the Mmu and faults when it may not be fetched. */
  nextFrame(): number;
  /** Does a breakpoint stand `offset` bytes after the start? Undefined where the page has none. */
  readonly isBreakpoint: ((offset: number) => boolean) | undefined;
  /** The code segment ends so many bytes after the start: what reaches beyond is #GP. */
  readonly limit: number;
}

export interface BuiltBlock {
  readonly end: number;
  readonly count: number;
  /** Bytes of code. */
  readonly length: number;
  readonly frame2: number;
}

export class BlockBuilder {
  private readonly decoder: Decoder;
  private readonly interpreter: Interpreter;
  readonly known: KnownCode;
  private readonly data: DataView;
  private readonly words: Int32Array;
  private readonly crossing = new Uint8Array(2 * MAX_LENGTH);
  private mode = 0;

  constructor(decoder: Decoder, interpreter: Interpreter, buffer: ArrayBuffer) {
    this.decoder = decoder;
    this.interpreter = interpreter;
    this.known = new KnownCode(buffer, decoder.tables, interpreter.runtime);
    this.data = new DataView(buffer, 0, RECORDS_END);
    this.words = new Int32Array(buffer, 0, RECORDS_END >> 2);
  }

  build(source: CodeSource, mode: number, start: number): BuiltBlock {
    const { data, known, decoder } = this;
    this.mode = mode;
    const pageEnd = (Math.floor(source.at / PAGE_SIZE) + 1) * PAGE_SIZE;
    const long = (mode & Mode.Long) !== 0;
    const code32 = (mode & Mode.Code32) !== 0;
    const plain = source.isBreakpoint === undefined && source.limit === Infinity && known.suits(mode);
    let frame2 = -1;
    let open = true;
    let handlers = false;
    known.record = start;
    known.offset = 0;
    known.left = MAX_INSTRUCTIONS;
    while (open) {
      if (plain && known.run(source.at + known.offset, pageEnd, mode)) {
        open = false;
        break;
      }
      const { record, offset } = known;
      const first = record === start;
      const at = source.at + offset;
      if (at >= pageEnd || known.left === 0) break;
      if (source.isBreakpoint?.(offset)) {
        if (!first) break;
        this.special(Pseudo.breakpoint, 0);
        open = false;
        break;
      }
      let status = decoder.decode(source.bytes, at, Math.min(pageEnd, at + MAX_LENGTH + 1), long, code32);
      let crosses = false;
      if (status === 'more') {
        // An instruction over the page's end gets a block of its own when it is not the first: the page may be missing.
        if (!first) break;
        frame2 = source.nextFrame();
        crosses = true;
        const here = pageEnd - at;
        this.crossing.set(source.bytes.subarray(at, pageEnd));
        const there = frame2 * PAGE_SIZE;
        this.crossing.set(source.bytes.subarray(there, there + MAX_LENGTH), here);
        status = decoder.decode(this.crossing, 0, here + MAX_LENGTH, long, code32);
      }
      const i = decoder.instruction;
      if (status !== 'ok' || offset + i.length > source.limit) {
        this.special(Pseudo.raise, offset);
        data.setInt32(record + Rec.imm, status === 'invalid' ? Vector.UD : Vector.GP, true);
        open = false;
        break;
      }
      known.record = this.write(i, record, offset);
      known.offset += i.length;
      known.left--;
      handlers = true;
      if (plain && !crosses) known.remember(i, record);
      if (i.row.row.options.ends) open = false;
      if (crosses) break;
    }
    const count = MAX_INSTRUCTIONS - known.left;
    if (open) {
      this.clear(known.record, Pseudo.fallThrough, known.offset, known.offset);
      known.record += RECORD_SIZE;
    }
    known.number(start, known.record, count);
    if (handlers) this.interpreter.flush();
    return { end: known.record, count, length: known.offset, frame2 };
  }

  /** A record in place of an instruction. */
  private special(handler: number, offset: number): void {
    const { known } = this;
    this.clear(known.record, handler, offset, offset);
    known.record += RECORD_SIZE;
    known.left--;
  }

  private clear(record: number, handler: number, offset: number, next: number): void {
    const { data } = this;
    this.words.fill(0, record >> 2, (record + RECORD_SIZE) >> 2);
    data.setUint16(record + Rec.handler, handler, true);
    data.setUint16(record + Rec.offset, offset, true);
    data.setUint16(record + Rec.next, next, true);
  }

  /** The record of one instruction, with an `ea` record before it when its segment has a base to add. */
  private write(i: Instruction, at: number, offset: number): number {
    const { data } = this;
    const next = offset + i.length;
    const { string, addressOnly, elementwise, late } = i.row.row.options;
    const accesses = i.isMemory && !addressOnly;
    const segment = i.segment < 0 ? Segment.DS : i.segment;
    // Elements that are masked off are not checked, and each wraps by itself.
    const each = elementwise === true || (i.evex && i.opmask !== 0);
    const wraps = !(this.mode & Mode.Long) || i.addressSize === 32;
    const checked =
      (this.mode & (Mode.Long | Mode.Flat)) === 0 ||
      (!(this.mode & Mode.Long) && each) ||
      (wraps && segment >= Segment.FS && isSpecial(i, accesses)) ||
      ((each || (accesses && late === true)) && segment >= Segment.FS) ||
      ((accesses || string !== undefined) &&
        (this.isChecked(segment, i.addressSize) || (string === 'both' && this.isChecked(Segment.ES, 32))));
    const handler = this.interpreter.handlerFor(i, checked);
    const { forms } = this.interpreter.variant(handler);
    let record = at;
    const viaEa = accesses && !checked && segment >= Segment.FS;
    if (viaEa) {
      this.clear(record, Pseudo.ea, offset, next);
      this.address(i, record, next);
      const bits = forms.find((f) => f.kind === 'memory')?.bits ?? 8;
      data.setInt32(record + Rec.imm, Math.max(1, bits >> 3), true);
      record += RECORD_SIZE;
    }
    this.clear(record, handler, offset, next);
    if (viaEa) this.finishedAddress(record);
    else this.address(i, record, next);
    if (string === 'both' && !(this.mode & Mode.Long)) {
      data.setUint16(record + Rec.base, segmentBaseOffset(Segment.ES), true);
    }
    this.operands(i, record, next, forms);
    let flags = this.mode & Mode.Flat && !(this.mode & Mode.Aligned) ? 0 : RecordFlag.Checked;
    if (i.prefix === 2) flags |= RecordFlag.Rep;
    if (i.prefix === 3) flags |= RecordFlag.Repne;
    if (this.mode & Mode.Long) flags |= RecordFlag.Long;
    data.setUint8(record + Rec.flags, flags);
    data.setUint8(record + Rec.modrm, i.modrm);
    data.setUint8(record + Rec.opcode, i.opcode);
    data.setUint8(record + Rec.length, i.length);
    data.setInt32(record + Rec.imm2, i.imm2, true);
    if (i.evex) {
      data.setUint16(record + Rec.opmask, opmaskOffset(i.opmask), true);
      data.setUint8(record + Rec.rounding, i.rounding);
    }
    return record + RECORD_SIZE;
  }

  /** Must accesses to this segment be checked one by one? */
  private isChecked(segment: number, addressSize: number): boolean {
    const { mode } = this;
    if (mode & Mode.Aligned) return true;
    if (mode & Mode.Long) return false;
    // What wraps at 64 KiB has to be an offset.
    if (addressSize === 16 && segment >= Segment.FS) return true;
    if (segment === Segment.FS) return !(mode & Mode.PlainFs);
    if (segment === Segment.GS) return !(mode & Mode.PlainGs);
    return segment === Segment.CS || !(mode & Mode.Flat); // CS is not for writing
  }

  private finishedAddress(record: number): void {
    const { data } = this;
    data.setUint16(record + Rec.base, State.ea, true);
    data.setUint16(record + Rec.index, State.zero, true);
    data.setInt32(record + Rec.mask, -1, true);
    data.setInt32(record + Rec.mask + 4, -1, true);
  }

  private address(i: Instruction, record: number, next: number): void {
    const { data } = this;
    const base = i.base === RIP_BASE ? State.blockRip : i.base < 0 ? State.zero : gprOffset(i.base);
    data.setUint16(record + Rec.base, base, true);
    const index = i.row.row.options.vsib ? vectorOffset : gprOffset;
    data.setUint16(record + Rec.index, i.index < 0 ? State.zero : index(i.index), true);
    data.setUint8(record + Rec.scale, i.scale);
    let disp = i.disp;
    let high = i.dispHigh;
    if (i.base === RIP_BASE) {
      disp = i.disp + next;
      high = disp < 0 ? -1 : 0;
    } else if (i.base === 4 && i.row.row.name === 'pop') {
      // POP's own address is computed with the stack pointer already moved (SDM vol. 2, POP).
      disp = i.disp + (i.size >> 3);
    }
    data.setInt32(record + Rec.disp, disp | 0, true);
    data.setInt32(record + Rec.disp + 4, high, true);
    data.setInt32(record + Rec.mask, i.addressSize === 16 ? 0xffff : -1, true);
    data.setInt32(record + Rec.mask + 4, i.addressSize === 64 ? -1 : 0, true);
    const segment = i.segment < 0 ? Segment.DS : i.segment;
    data.setUint8(record + Rec.segment, segment);
    const counts = segment >= Segment.FS || !(this.mode & Mode.Long);
    data.setUint16(record + Rec.segmentBase, counts ? segmentBaseOffset(segment) : State.zero, true);
  }

  private operands(i: Instruction, record: number, next: number, forms: readonly Form[]): void {
    const { data } = this;
    let imm = i.imm;
    let high = i.immHigh;
    i.row.operands.forEach((o, n) => {
      const form = forms[n]!;
      data.setUint16(record + Rec.operand + 2 * n, slot(o, form, i), true);
      if (o.place === 'J') {
        imm = i.imm + next;
        high = imm < 0 ? -1 : 0;
      }
    });
    data.setInt32(record + Rec.imm, imm | 0, true);
    data.setInt32(record + Rec.imm + 4, high, true);
  }
}

/**
 * What `ea` does not suit where addresses wrap at 4 GiB: strings; where the row does not say how many bytes there are;
 * where there is an effect before the access, as with MMX, or as a row tells (`late`).
 */
function isSpecial({ row }: Instruction, accesses: boolean): boolean {
  if (row.row.options.string !== undefined) return true;
  return accesses && row.operands.some((o) => (o.place === 'M' && o.size === '') || 'PQN'.includes(o.place));
}

/** Address in the state of a register operand; the number itself for segment, control and debug registers. */
function slot(o: Operand, form: Form, i: Instruction): number {
  const n = registerNumber(o, i);
  switch (form.kind) {
    case 'register':
      if (form.bits === 8 && n >= 4 && n < 8 && i.rex === 0 && o.place !== '#') return gprOffset(n - 4) + 1;
      return gprOffset(n);
    case 'vector':
      return vectorOffset(n);
    case 'mmx':
      return mmxOffset(n & 7);
    case 'opmask':
      return opmaskOffset(n & 7);
    case 'segment':
    case 'other':
      return n;
    default:
      return 0;
  }
}

function registerNumber(o: Operand, i: Instruction): number {
  switch (o.place) {
    case 'G':
    case 'K':
    case 'V':
    case 'C':
    case 'D':
      return i.reg;
    case 'P':
    case 'S':
      return i.reg & 7;
    case 'E':
    case 'R':
    case 'Z':
    case 'W':
    case 'U':
    case 'Q':
    case 'N':
    case 'T':
    case 'Y':
      return i.rm;
    case 'X':
    case 'B':
      return i.vvvv;
    case 'H':
      return i.vex ? i.vvvv : i.reg;
    case 'L':
      return (i.imm >> 4) & 15;
    case '#':
      return o.fixed;
    default:
      return 0;
  }
}
