/** Templates of the instructions that were decoded before, for runtime/known-code.ts, which says what they are. */
import { Pseudo } from '../interp/pseudo.ts';
import { RECORD_SIZE, Rec } from '../interp/record.ts';
import {
  ByteClass,
  CLASSES_OF_MODE,
  CODE_SLACK,
  decodeKnown,
  enterTemplates,
  FIELD_BYTES,
  Field,
  KnownState,
  numberRecords,
  SLOT_SIZE,
  Template,
  TemplateFlag,
} from '../runtime/known-code.ts';
import type { Runtime } from '../runtime/module.ts';
import { Mode } from '../segment.ts';
import { FRAMES, KNOWN_CLASSES, KNOWN_SLOTS, KNOWN_SLOTS_LOG2, KNOWN_STATE, TEMPLATES } from '../state.ts';
import { LEGACY_PREFIX, type Tables } from './decoder.ts';
import type { OpcodeTable, Operand } from './encoding.ts';
import { type Instruction, RIP_BASE } from './instruction.ts';
import { noMemoryForm } from './match.ts';

const SLOTS_END = KNOWN_SLOTS + (SLOT_SIZE << KNOWN_SLOTS_LOG2);

export class KnownCode {
  /** Where the next record goes, where the next instruction stands in the block and how many there may still be. */
  record = 0;
  offset = 0;
  left = 0;
  private readonly bytes: Uint8Array;
  private readonly data: DataView;
  private readonly state: Int32Array;
  private readonly decode: (code: number, last: number, mode: number) => number;
  private readonly numbering: (start: number, end: number, count: number) => void;
  private readonly enter: (start: number, end: number) => void;
  private next = TEMPLATES;

  constructor(buffer: ArrayBuffer, tables: Tables, runtime: Runtime) {
    this.bytes = new Uint8Array(buffer, 0, FRAMES);
    this.data = new DataView(buffer, 0, FRAMES);
    this.state = new Int32Array(buffer, KNOWN_STATE, 8);
    const functions = runtime.exports([decodeKnown, numberRecords, enterTemplates].map(({ name }) => name));
    this.decode = functions[decodeKnown.name] as typeof this.decode;
    this.numbering = functions[numberRecords.name] as typeof this.numbering;
    this.enter = functions[enterTemplates.name] as typeof this.enter;
    classify(this.bytes.subarray(KNOWN_CLASSES, KNOWN_CLASSES + CLASSES_OF_MODE), tables.long, true);
    const compat = KNOWN_CLASSES + CLASSES_OF_MODE;
    classify(this.bytes.subarray(compat, compat + CLASSES_OF_MODE), tables.compat, false);
  }

  /** Is code of this mode kept? With addresses of 16 bits ModRM means something else. */
  suits(mode: number): boolean {
    return (mode & (Mode.Long | Mode.Code32)) !== 0;
  }

  /** Makes records from the host address `code` on, as long as the page lasts; true when the last of them ends the block. */
  run(code: number, pageEnd: number, mode: number): boolean {
    const { state } = this;
    state[KnownState.record >> 2] = this.record;
    state[KnownState.offset >> 2] = this.offset;
    state[KnownState.left >> 2] = this.left;
    const ends = this.decode(code, pageEnd - CODE_SLACK, mode) !== 0;
    this.record = state[KnownState.record >> 2]!;
    this.offset = state[KnownState.offset >> 2]!;
    this.left = state[KnownState.left >> 2]!;
    return ends;
  }

  number(start: number, end: number, count: number): void {
    this.numbering(start, end, count);
  }

  /** `run` did not know the instruction that has its records at `record` now: it will. */
  remember(i: Instruction, record: number): void {
    const { state, data, bytes } = this;
    if (state[KnownState.keyBytes >> 2] !== i.head) return;
    const imm = immediateField(i);
    if (imm < 0) return;
    const disp = i.length - i.head - FIELD_BYTES[imm]!;
    if (disp !== 0 && disp !== 1 && disp !== 4) return;
    const ea = data.getUint16(record + Rec.handler, true) === Pseudo.ea;
    const size = ea ? 2 * RECORD_SIZE : RECORD_SIZE;
    if (this.next + Template.records + size > FRAMES) this.forget();
    const at = this.next;
    this.next += Template.records + size;
    const copy = at + Template.records;
    bytes.copyWithin(copy, record, record + size);
    // What remains of the fields without what stands in the code.
    const next = data.getUint16(record + Rec.next, true);
    const relative = i.row.operands.some((o) => o.place === 'J');
    const rip = i.base === RIP_BASE;
    const last = copy + size - RECORD_SIZE;
    if (disp !== 0 || rip) this.subtract(copy + Rec.disp, i.disp, i.disp >> 31, rip ? next : 0);
    if (imm !== 0) this.subtract(last + Rec.imm, i.imm, i.immHigh, relative ? next : 0);
    bytes[at + Template.length] = i.length;
    bytes[at + Template.disp] = disp === 0 ? Field.None : disp === 1 ? Field.S8 : Field.S32;
    bytes[at + Template.imm] = imm;
    bytes[at + Template.flags] =
      (rip ? TemplateFlag.RipBase : 0) |
      (relative ? TemplateFlag.Relative : 0) |
      (ea ? TemplateFlag.Ea : 0) |
      (i.row.row.options.ends ? TemplateFlag.Ends : 0);
    data.setInt32(at + Template.key, state[KnownState.key >> 2]!, true);
    data.setInt32(at + Template.key + 4, state[(KnownState.key >> 2) + 1]!, true);
    this.enter(at, this.next);
  }

  /** The templates whose handlers have numbers below `handlers`, for `load` in another run. */
  save(handlers: number): Uint8Array<ArrayBuffer> {
    const { bytes, data } = this;
    const out = new Uint8Array(this.next - TEMPLATES);
    let length = 0;
    for (let at = TEMPLATES; at < this.next; ) {
      const records = bytes[at + Template.flags]! & TemplateFlag.Ea ? 2 : 1;
      const end = at + Template.records + records * RECORD_SIZE;
      if (data.getUint16(end - RECORD_SIZE + Rec.handler, true) < handlers) {
        out.set(bytes.subarray(at, end), length);
        length += end - at;
      }
      at = end;
    }
    return out.slice(0, length);
  }

  load(templates: Uint8Array): void {
    this.bytes.set(templates, this.next);
    this.enter(this.next, this.next + templates.length);
    this.next += templates.length;
  }

  /** The room for templates is used up. */
  private forget(): void {
    this.bytes.fill(0, KNOWN_SLOTS, SLOTS_END);
    this.next = TEMPLATES;
  }

  /** Takes numbers from a field of 64 bits. */
  private subtract(at: number, low: number, high: number, more: number): void {
    const { data } = this;
    const v = (BigInt(high) << 32n) | BigInt(low >>> 0);
    data.setBigInt64(at, data.getBigInt64(at, true) - v - BigInt(more), true);
  }
}

/** How the immediate of an instruction stands in its code; -1 for those with two, or with one that is more than a number. */
function immediateField(i: Instruction): number {
  let found = -1;
  for (const o of i.row.operands) {
    if ('LAO'.includes(o.place) || i.evex) return -1;
    if (o.place !== 'I' && o.place !== 'J') continue;
    if (found >= 0) return -1;
    found = fieldOf(o, i.size);
  }
  return found < 0 ? Field.None : found;
}

function fieldOf({ place, size }: Operand, operandSize: number): number {
  if (place === 'J') return size === 'b' ? Field.S8 : operandSize === 16 ? Field.S16 : Field.S32;
  switch (size) {
    case '1':
      return Field.None;
    case 'w':
      return Field.U16;
    case 'd':
      return Field.S32;
    case 'z':
      return operandSize === 16 ? Field.S16 : Field.S32;
    case 'v':
      return operandSize === 16 ? Field.U16 : operandSize === 64 ? Field.I64 : Field.S32;
    default:
      return Field.S8;
  }
}

/** Fills in what each byte is, for the eight maps of a mode. */
function classify(classes: Uint8Array, table: OpcodeTable, long: boolean): void {
  for (let n = 0; n < CLASSES_OF_MODE; n++) {
    const rows = table[n];
    if (rows && !rows.some(noMemoryForm)) classes[n] = rows[0]!.hasModrm ? ByteClass.Modrm : ByteClass.Plain;
  }
  for (let b = 0; b < 256; b++) if (LEGACY_PREFIX[b]) classes[b] = ByteClass.Prefix;
  if (long) {
    classes.fill(ByteClass.Prefix, 0x40, 0x50);
    classes[0xc5] = ByteClass.Vex2;
    classes[0xc4] = ByteClass.Vex3;
    classes[0x62] = ByteClass.Unknown;
  } else for (const b of [0x67, 0x62, 0xc4, 0xc5]) classes[b] = ByteClass.Unknown;
  classes[0x0f] = ByteClass.Escape;
  classes[0x138] = classes[0x13a] = ByteClass.Escape;
}
