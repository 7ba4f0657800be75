/** Loading segment registers, and the checks of accesses through segments that are not flat; Intel SDM vol. 3, 5.3-5.8. */
import type { Cpu } from './cpu.ts';
import { Vector } from './exit.ts';
import { RECORD_SIZE, Rec, RecordFlag } from './interp/record.ts';
import {
  Attribute,
  type Descriptor,
  descriptorDpl,
  isCode,
  isData,
  isReadable,
  isWritable,
  parseDescriptor,
} from './segment.ts';
import { gprOffset, Segment, State } from './state.ts';

export interface SegmentFault {
  readonly vector: number;
  readonly errorCode: number;
}

const ACCESSED_BIT = 1n << 40n;
const CPL = 3;

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;

/** The descriptor a selector names, or undefined beyond the table's limit. */
export function findDescriptor(cpu: Cpu, selector: number): Descriptor | undefined {
  const table = selector & 4 ? cpu.ldt : cpu.gdt;
  const raw = table[(selector & 0xffff) >> 3];
  return raw === undefined ? undefined : parseDescriptor(raw);
}

function markAccessed(cpu: Cpu, selector: number): void {
  const table = selector & 4 ? cpu.ldt : cpu.gdt;
  const index = (selector & 0xffff) >> 3;
  table[index] = table[index]! | ACCESSED_BIT;
}

const fault = (vector: number, selector: number): SegmentFault => ({ vector, errorCode: selector & 0xfffc });

function checkData(selector: number, d: Descriptor): SegmentFault | undefined {
  const { attributes: a } = d;
  if (!isReadable(a)) return fault(Vector.GP, selector);
  const conforming = isCode(a) && (a & Attribute.Conforming) !== 0;
  if (!conforming && descriptorDpl(a) < Math.max(CPL, selector & 3)) return fault(Vector.GP, selector);
  return a & Attribute.Present ? undefined : fault(Vector.NP, selector);
}

function checkStackSegment(selector: number, d: Descriptor): SegmentFault | undefined {
  const { attributes: a } = d;
  if ((selector & 3) !== CPL || !isData(a) || !isWritable(a) || descriptorDpl(a) !== CPL) {
    return fault(Vector.GP, selector);
  }
  return a & Attribute.Present ? undefined : fault(Vector.SS, selector);
}

/** What a far transfer to `selector` would raise; user mode stays at CPL 3. */
export function checkCode(cpu: Cpu, selector: number): SegmentFault | undefined {
  if (isNull(selector)) return { vector: Vector.GP, errorCode: 0 };
  const d = findDescriptor(cpu, selector);
  if (!d || !isCode(d.attributes)) return fault(Vector.GP, selector);
  const conforming = (d.attributes & Attribute.Conforming) !== 0;
  const dpl = descriptorDpl(d.attributes);
  if (conforming ? dpl > CPL : dpl !== CPL || (selector & 3) > CPL) return fault(Vector.GP, selector);
  if ((d.attributes & Attribute.Long) !== 0 && (d.attributes & Attribute.Big) !== 0) return fault(Vector.GP, selector);
  return d.attributes & Attribute.Present ? undefined : fault(Vector.NP, selector);
}

/** Loads the register, or says what that raises and changes nothing. */
export function loadSegmentRegister(cpu: Cpu, s: number, selector: number): SegmentFault | undefined {
  const { segments } = cpu;
  if (s === Segment.CS) {
    const refused = checkCode(cpu, selector);
    if (refused) return refused;
    segments.set(s, (selector & ~3) | CPL, findDescriptor(cpu, selector)!);
    cpu.segmentsChanged();
    return undefined;
  }
  if (isNull(selector)) {
    if (s === Segment.SS) return { vector: Vector.GP, errorCode: 0 };
    // AMD keeps base and limit of a null FS or GS, Intel clears them.
    const base = cpu.vendor === 'amd' ? segments.base(s) : 0n;
    segments.set(s, selector, { base, limit: 0, attributes: 0 });
    cpu.segmentsChanged();
    return undefined;
  }
  const d = findDescriptor(cpu, selector);
  if (!d) return fault(Vector.GP, selector);
  const refused = s === Segment.SS ? checkStackSegment(selector, d) : checkData(selector, d);
  if (refused) return refused;
  markAccessed(cpu, selector);
  segments.set(s, selector, { ...d, attributes: d.attributes | Attribute.Accessed });
  cpu.segmentsChanged();
  return undefined;
}

/** Linear address of `offset` in a segment, or the fault of an access there outside 64-bit mode. */
export function checkSegment(
  cpu: Cpu,
  record: number,
  s: number,
  offset: number,
  size: number,
  write: boolean,
): number {
  const { segments } = cpu;
  const a = segments.attributes(s);
  const vector = s === Segment.SS ? Vector.SS : Vector.GP;
  const allowed = (a & Attribute.Usable) !== 0 && (write ? isWritable(a) : isReadable(a));
  if (!allowed) return cpu.access.raise(record, a & Attribute.Usable ? Vector.GP : vector, 0);
  const limit = segments.limit(s);
  const last = offset + size - 1;
  const top = a & Attribute.Big ? 0xffffffff : 0xffff;
  const inside = isData(a) && a & Attribute.ExpandDown ? offset > limit && last <= top : last <= limit;
  if (!inside) cpu.access.raise(record, vector, 0);
  return (offset + Number(segments.base(s))) >>> 0;
}

/** A stack access through an SS that is not flat. */
export function checkStack(cpu: Cpu, record: number, offset: number, size: number, write: boolean): number {
  return checkSegment(cpu, record, Segment.SS, offset, size, write) | 0;
}

/** In the info of an `ea-checked` record: it stands before a string instruction. */
export const STRING_CHECK = 0x200;
const SOURCES = new Set([0xa4, 0xa6, 0xac]);
const WRITES = new Set([0xa4, 0xaa]);

/**
 * DS:rSI and ES:rDI, as far as the instruction uses them.
 * Not modelled: limits beyond the first element of a repeated instruction.
 */
function checkString(cpu: Cpu, record: number, h: DataView): void {
  const mask = h.getBigUint64(record + Rec.mask, true);
  const opcode = h.getUint8(record + Rec.opcode) & 0xfe;
  const bytes = h.getInt32(record + Rec.imm, true) & 0xff;
  const repeats = h.getUint8(record + Rec.flags) & (RecordFlag.Rep | RecordFlag.Repne);
  if (repeats && (h.getBigUint64(gprOffset(1), true) & mask) === 0n) return;
  const offset = (n: number): number => Number(h.getBigUint64(gprOffset(n), true) & mask);
  if (SOURCES.has(opcode)) checkSegment(cpu, record, h.getUint8(record + Rec.segment), offset(6), bytes, false);
  if (opcode !== 0xac) checkSegment(cpu, record, Segment.ES, offset(7), bytes, WRITES.has(opcode));
}

const READS = /^(f(?!n?st|ist|bst|n?save|xsave)|call|jmp)/;

/** The `ea-checked` record: leaves the linear address in State.ea. */
export function checkOperand(cpu: Cpu, record: number): void {
  const h = new DataView(cpu.memory.buffer, 0, 0x8000000);
  const info = h.getInt32(record + Rec.imm, true);
  if (info & STRING_CHECK) {
    checkString(cpu, record, h);
    return;
  }
  const base = h.getBigUint64(h.getUint16(record + Rec.base, true), true);
  const index = h.getBigUint64(h.getUint16(record + Rec.index, true), true);
  const sum = base + (index << BigInt(h.getUint8(record + Rec.scale))) + h.getBigInt64(record + Rec.disp, true);
  const offset = Number(sum & h.getBigUint64(record + Rec.mask, true));
  // A meaning in TypeScript is taken to write its first operand, but for what the x87 unit and far transfers read.
  const { writes, row } = cpu.interpreter.variant(h.getUint16(record + RECORD_SIZE + Rec.handler, true));
  const write = writes ?? ((info & 0x100) !== 0 && !READS.test(row.row.name));
  const linear = checkSegment(cpu, record, h.getUint8(record + Rec.segment), offset, info & 0xff, write);
  h.setBigUint64(State.ea, BigInt(linear), true);
}
