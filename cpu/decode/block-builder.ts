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
import { type Decoder, type Instruction, MAX_LENGTH, RIP_BASE } from './decoder.ts';
import type { Operand } from './encoding.ts';

const MAX_INSTRUCTIONS = 64;

/** Where the bytes come from. */
export interface CodeSource {
  readonly bytes: Uint8Array;
  /** Host address of the first byte; the page ends where its frame does. */
  readonly at: number;
  /** Frame of the next page; asks the Mmu and faults when it may not be fetched. */
  nextFrame(): number;
  /** A breakpoint stands `offset` bytes after the start. */
  isBreakpoint(offset: number): boolean;
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
  private readonly data: DataView;
  private readonly crossing = new Uint8Array(2 * MAX_LENGTH);
  private mode = 0;

  constructor(decoder: Decoder, interpreter: Interpreter, buffer: ArrayBuffer) {
    this.decoder = decoder;
    this.interpreter = interpreter;
    this.data = new DataView(buffer, 0, RECORDS_END);
  }

  build(source: CodeSource, mode: number, start: number): BuiltBlock {
    const { data } = this;
    this.mode = mode;
    const pageEnd = (Math.floor(source.at / PAGE_SIZE) + 1) * PAGE_SIZE;
    const long = (mode & Mode.Long) !== 0;
    const code32 = (mode & Mode.Code32) !== 0;
    const starts: number[] = [];
    let record = start;
    let offset = 0;
    let frame2 = -1;
    let open = true;
    while (open) {
      const at = source.at + offset;
      if (at >= pageEnd || starts.length === MAX_INSTRUCTIONS) break;
      if (source.isBreakpoint(offset)) {
        if (starts.length > 0) break;
        starts.push(record);
        this.clear(record, Pseudo.breakpoint, 0, 0);
        record += RECORD_SIZE;
        open = false;
        break;
      }
      let status = this.decoder.decode(source.bytes, at, Math.min(pageEnd, at + MAX_LENGTH + 1), long, code32);
      let crosses = false;
      if (status === 'more') {
        // An instruction over the page's end gets a block of its own when it is not the first: the page may be missing.
        if (starts.length > 0) break;
        frame2 = source.nextFrame();
        crosses = true;
        const here = pageEnd - at;
        this.crossing.set(source.bytes.subarray(at, pageEnd));
        const there = frame2 * PAGE_SIZE;
        this.crossing.set(source.bytes.subarray(there, there + MAX_LENGTH), here);
        status = this.decoder.decode(this.crossing, 0, here + MAX_LENGTH, long, code32);
      }
      starts.push(record);
      if (status !== 'ok') {
        this.clear(record, Pseudo.raise, offset, offset);
        data.setInt32(record + Rec.imm, status === 'invalid' ? Vector.UD : Vector.GP, true);
        record += RECORD_SIZE;
        open = false;
        break;
      }
      const i = this.decoder.instruction;
      if (offset + i.length > source.limit) {
        this.clear(record, Pseudo.raise, offset, offset);
        data.setInt32(record + Rec.imm, Vector.GP, true);
        record += RECORD_SIZE;
        open = false;
        break;
      }
      record = this.write(i, record, offset);
      offset += i.length;
      if (i.row.row.options.ends) open = false;
      if (crosses) break;
    }
    if (open) {
      this.clear(record, Pseudo.fallThrough, offset, offset);
      record += RECORD_SIZE;
    }
    this.number(start, record, starts);
    this.interpreter.flush();
    return { end: record, count: starts.length, length: offset, frame2 };
  }

  /** Numbers the instructions from the end: `remaining`. */
  private number(start: number, end: number, starts: readonly number[]): void {
    for (let k = 0; k < starts.length; k++) {
      const to = starts[k + 1] ?? end;
      for (let r = starts[k]!; r < to; r += RECORD_SIZE) {
        const isTail = k === starts.length - 1 && this.data.getUint16(r, true) === Pseudo.fallThrough && r > start;
        this.data.setUint16(r + Rec.remaining, isTail ? 0 : starts.length - k, true);
      }
    }
  }

  private clear(record: number, handler: number, offset: number, next: number): void {
    const { data } = this;
    for (let n = 0; n < RECORD_SIZE; n += 4) data.setInt32(record + n, 0, true);
    data.setUint16(record + Rec.handler, handler, true);
    data.setUint16(record + Rec.offset, offset, true);
    data.setUint16(record + Rec.next, next, true);
  }

  /** The record of one instruction, with an `ea` record before it when its segment has a base to add. */
  private write(i: Instruction, at: number, offset: number): number {
    const { data } = this;
    const next = offset + i.length;
    const { string, addressOnly, elementwise } = i.row.row.options;
    const accesses = i.isMemory && !addressOnly;
    const segment = i.segment < 0 ? Segment.DS : i.segment;
    // Elements that are masked off are not checked, and each wraps by itself.
    const each = elementwise === true || (i.evex && i.opmask !== 0);
    const checked =
      (this.mode & (Mode.Long | Mode.Flat)) === 0 ||
      (!(this.mode & Mode.Long) && (each || (accesses && segment >= Segment.FS && isSpecial(i)))) ||
      (each && segment >= Segment.FS) ||
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

/** What `ea` does not suit: how many bytes there are the row does not say; MMX has an effect before the access. */
const isSpecial = (i: Instruction): boolean =>
  i.row.operands.some((o) => (o.place === 'M' && o.size === '') || 'PQN'.includes(o.place));

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
