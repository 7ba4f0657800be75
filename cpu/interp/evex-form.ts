/** How the elements of an EVEX instruction, the bits of its opmask and its memory operand go together. */
import type { Variant } from './variant.ts';

/** How many elements the opmask counts. */
export function elementCount(v: Variant): number {
  const options = v.row.row.options.evex;
  if (v.row.lengths === 0) return 1;
  if (options?.part !== undefined) return options.part / (options.mask ?? options.part);
  return (v.lanes * 128) / (options?.per ?? options?.mask ?? 128);
}

/** Of a memory operand of `size` bits: its elements, and how many of them the opmask counts. */
export function maskedMemory(v: Variant, size: number): { readonly elements: number; readonly bits: number } {
  const elements = elementCount(v);
  const { broadcast, mask } = v.row.row.options.evex ?? {};
  const element = v.evex?.b && broadcast ? broadcast : size / elements;
  // A part of a vector that goes to all places has elements as large as the destination's.
  return { elements, bits: v.row.row.options.evex?.repeats ? mask! : element };
}

/** Numbers of the memory elements that are wanted: element `i` of the vector comes from memory element `i` modulo `present`. */
export function foldMask(mask: bigint, elements: number, present: number): number[] {
  const wanted = new Set<number>();
  for (let i = 0; i < elements; i++) if ((mask >> BigInt(i)) & 1n) wanted.add(i % present);
  return [...wanted].sort((a, b) => a - b);
}
