/** Memory operands under an opmask. */
import type { Cpu } from './cpu.ts';
import { Vector } from './exit.ts';
import { foldMask, maskedMemory } from './interp/evex-form.ts';
import { AccessInfo, Rec } from './interp/record.ts';
import type { Split } from './memory-access.ts';
import { checkAccess, isCanonical, linearAddress } from './segment-checks.ts';
import { Segment } from './state.ts';

const TOP = 0xffffffffn;

/**
 * Outside 64-bit mode, the element whose offsets go across 4 GiB. Of such a one only the bytes are checked at first, like all
 * others; that it is beyond the limit shows when its turn comes, and what is before it has been stored.
 */
function findSplit(cpu: Cpu, record: number, offsets: ReadonlyMap<number, bigint>, bytes: number): Split | undefined {
  const { segments } = cpu;
  const segment = cpu.memory.bytes[record + Rec.segment]!;
  const wraps = segments.limit(segment) === Number(TOP) && segments.base(segment) === 0n;
  if (segments.long || wraps) return undefined;
  for (const [element, at] of offsets) {
    if (at > TOP || at + BigInt(bytes - 1) <= TOP) continue;
    return { element, vector: segment === Segment.SS ? Vector.SS : Vector.GP };
  }
  return undefined;
}

/**
 * The host address for an access to elements of `bytes` bytes at some offsets in the segment of the memory operand, all of
 * which are checked before any page is touched.
 * @param between what comes between segments and pages, given the linear addresses, where no element goes across 4 GiB
 */
export function elementsHost(
  cpu: Cpu,
  record: number,
  offsets: ReadonlyMap<number, bigint>,
  bytes: number,
  write: boolean,
  checked: boolean,
  between?: (addresses: ReadonlyMap<number, bigint>) => void,
): number {
  const flags = AccessInfo.Unaligned | (write ? AccessInfo.Write : 0);
  const split = checked ? findSplit(cpu, record, offsets, bytes) : undefined;
  const addresses = new Map<number, bigint>();
  for (const [element, at] of offsets) {
    const whole = element !== split?.element;
    if (!whole) checkAccess(cpu, record, (at + BigInt(bytes - 1)) & TOP, 1, flags);
    addresses.set(element, checked ? checkAccess(cpu, record, at, whole ? bytes : 1, flags) : at);
  }
  if (!split) between?.(addresses);
  return cpu.access.masked(record, bytes, addresses, write, split);
}

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
  const checked = (info & 0x800) !== 0;
  const misaligned = (start: bigint): boolean => start % BigInt(size) !== 0n;
  if (variant.checked && wanted.length > 0 && variant.row.row.options.align === 'always') {
    const start = checked ? linearAddress(cpu, cpu.memory.bytes[record + Rec.segment]!, offset) : offset;
    if (misaligned(start)) cpu.access.raise(record, Vector.GP, 0);
  }
  const [first] = wanted;
  // What has no more than 8 bytes is subject to the alignment check, a larger vector under a mask is not.
  const aligned = variant.checked && size <= 8 && cpu.segments.alignmentChecked;
  const checkAlignment = (addresses: ReadonlyMap<number, bigint>): void => {
    if (!aligned || first === undefined || variant.row.row.options.unaligned) return;
    const start = addresses.get(first)! - BigInt(first * bytes);
    const end = start + BigInt(size - 1);
    if (misaligned(start) && isCanonical(start) && isCanonical(end)) cpu.access.raise(record, Vector.AC, 0);
  };
  const offsets = new Map(wanted.map((element) => [element, offset + BigInt(element * bytes)]));
  return elementsHost(cpu, record, offsets, bytes, write, checked, checkAlignment);
}
