/** Loading segment registers, and the checks of accesses through segments that are not flat; Intel SDM vol. 3, 5.3-5.8. */
import type { Cpu } from './cpu.ts';
import { Vector } from './exit.ts';
import { AccessInfo, Rec } from './interp/record.ts';
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
import { Segment } from './state.ts';

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

/** What loading SS with `selector` would raise. */
export function checkStackSelector(cpu: Cpu, selector: number): SegmentFault | undefined {
  if (isNull(selector)) return { vector: Vector.GP, errorCode: 0 };
  const d = findDescriptor(cpu, selector);
  return d ? checkStackSegment(selector, d) : fault(Vector.GP, selector);
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

/** The fault of an access to a segment outside 64-bit mode, if it has one. */
function checkSegment(cpu: Cpu, record: number, s: number, offset: number, size: number, write: boolean): void {
  const { segments } = cpu;
  const a = segments.attributes(s);
  const vector = s === Segment.SS ? Vector.SS : Vector.GP;
  const allowed = (a & Attribute.Usable) !== 0 && (write ? isWritable(a) : isReadable(a));
  if (!allowed) cpu.access.raise(record, a & Attribute.Usable ? Vector.GP : vector, 0);
  const limit = segments.limit(s);
  const last = offset + size - 1;
  const top = a & Attribute.Big ? 0xffffffff : 0xffff;
  // A flat segment has no limit: accesses wrap.
  const flat = limit === 0xffffffff && segments.base(s) === 0n;
  const inside = isData(a) && a & Attribute.ExpandDown ? offset > limit && last <= top : last <= limit || flat;
  if (!inside) cpu.access.raise(record, vector, 0);
}

/** #AC: the operand's natural alignment; SDM vol. 3, table 6-7. */
export function alignmentOf(bytes: number): number {
  switch (bytes) {
    case 2:
    case 4:
    case 8:
      return bytes;
    case 10:
      return 8;
    default:
      return 1;
  }
}

/**
 * Linear address of an access of `bytes` bytes, after the checks that segments and AC ask for. `flags`: AccessInfo.
 * `offset` is what the instruction computes; `long`: as in 64-bit mode.
 */
export function checkAccess(
  cpu: Cpu,
  record: number,
  offset: bigint,
  bytes: number,
  flags: number,
  long: boolean = cpu.segments.long,
): bigint {
  const { segments, memory } = cpu;
  const s =
    flags & AccessInfo.Stack ? Segment.SS : flags & AccessInfo.Extra ? Segment.ES : memory.bytes[record + Rec.segment]!;
  const linear = linearAddress(cpu, s, offset, long);
  if (flags & AccessInfo.Aligned && Number(linear & 63n) % bytes !== 0) cpu.access.raise(record, Vector.GP, 0);
  if (!long) {
    const write = (flags & AccessInfo.Write) !== 0;
    checkSegment(cpu, record, s, Number(offset & 0xffffffffn), bytes, write);
  }
  const checks = segments.alignmentChecked && !(flags & AccessInfo.Unaligned);
  if (checks && Number(linear & 63n) % alignmentOf(bytes) !== 0 && isCanonical(linear)) {
    cpu.access.raise(record, Vector.AC, 0);
  }
  return linear;
}

export function linearAddress(cpu: Cpu, s: number, offset: bigint, long = cpu.segments.long): bigint {
  const linear = !long || s >= Segment.FS ? offset + cpu.segments.base(s) : offset;
  return linear & (long ? 0xffffffffffffffffn : 0xffffffffn);
}

export const isCanonical = (linear: bigint): boolean => BigInt.asIntN(48, linear) === BigInt.asIntN(64, linear);
