/** Memory operands under an opmask. */
import type { Cpu } from './cpu.ts';
import { Vector } from './exit.ts';
import { foldMask, maskedMemory } from './interp/evex-form.ts';
import { AccessInfo, Rec } from './interp/record.ts';
import { checkAccess, isCanonical, linearAddress } from './segment-checks.ts';

/** The memory operand of an EVEX instruction: only the elements that its opmask names are touched. */
export function maskedHost(cpu: Cpu, record: number, low: number, high: number, info: number): number {
  const { data } = cpu;
  const size = info & 0xff;
  const write = (info & 0x100) !== 0;
  const variant = cpu.interpreter.variant(data.getUint16(record, true));
  const { elements, bits } = maskedMemory(variant, size * 8);
  const mask = data.getBigUint64(data.getUint16(record + Rec.opmask, true), true);
  const wanted = foldMask(mask, elements, (size * 8) / bits);
  const offset = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  const bytes = bits >> 3;
  const flags = AccessInfo.Unaligned | (write ? AccessInfo.Write : 0);
  const linear = (element: number): bigint => {
    const at = offset + BigInt(element * bytes);
    return info & 0x800 ? checkAccess(cpu, record, at, bytes, flags) : at;
  };
  const misaligned = (start: bigint): boolean => start % BigInt(size) !== 0n;
  if (variant.checked && wanted.length > 0 && variant.row.row.options.align === 'always') {
    const start = info & 0x800 ? linearAddress(cpu, cpu.memory.bytes[record + Rec.segment]!, offset) : offset;
    if (misaligned(start)) cpu.access.raise(record, Vector.GP, 0);
  }
  // Segments first, then pages.
  const addresses = new Map(wanted.map((element) => [element, linear(element)]));
  const [first] = wanted;
  // What has no more than 8 bytes is subject to the alignment check, a larger vector under a mask is not.
  const aligned = variant.checked && size <= 8 && cpu.segments.alignmentChecked;
  if (aligned && first !== undefined && !variant.row.row.options.unaligned) {
    const start = addresses.get(first)! - BigInt(first * bytes);
    const end = start + BigInt(size - 1);
    if (misaligned(start) && isCanonical(end)) cpu.access.raise(record, Vector.AC, 0);
  }
  return cpu.access.masked(record, bytes, wanted, (element) => addresses.get(element)!, write);
}
