/** What gdb reads of a process beside its registers and memory: auxiliary vector, mappings, exit status. */
import { AT_PAGESZ, AT_SYSINFO_EHDR } from '../../linux/abi/auxv.ts';
import { vmaName } from '../../linux/fs/proc/maps.ts';
import type { Mm } from '../../linux/mm/mm.ts';
import { VM_EXEC, VM_READ, VM_WRITE } from '../../linux/mm/vma.ts';
import type { Bits, MemoryRegion } from '../target.ts';

type AuxvEntry = readonly [type: bigint, value: bigint];

/** @param bits the width of the program, in whose words exec wrote the vector */
export function auxvOf(mm: Mm, bits: Bits): AuxvEntry[] {
  const { savedAuxv } = mm;
  // CRIU's process under restore has executed nothing here. A vDSO of another class than the program's would confuse gdb.
  if (savedAuxv.length === 0) {
    const named = bits === 64 ? mm.vdso : undefined;
    const vdso = named === undefined ? [] : ([[BigInt(AT_SYSINFO_EHDR), BigInt(named)]] as const);
    return [...vdso, [BigInt(AT_PAGESZ), 4096n], [0n, 0n]];
  }
  const view = new DataView(savedAuxv.buffer, savedAuxv.byteOffset, savedAuxv.byteLength);
  const size = bits / 8;
  const word = (at: number): bigint => (size === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true)));
  const entries: AuxvEntry[] = [];
  for (let at = 0; at + 2 * size <= savedAuxv.length; at += 2 * size) {
    const entry = [word(at), word(at + size)] as const;
    entries.push(entry);
    if (entry[0] === 0n) break;
  }
  return entries;
}

const ADDRESS_SPACE = 1n << 64n;

/** The mapping that holds an address, or the hole around it. */
export function regionAt(mm: Mm, address: bigint): MemoryRegion | undefined {
  if (address >= ADDRESS_SPACE) return undefined;
  const at = Number(address);
  const vma = mm.findVma(at);
  if (!vma || vma.start > at) {
    const before = mm.vmas.filter((v) => v.end <= at).pop();
    return { start: BigInt(before?.end ?? 0), end: vma ? BigInt(vma.start) : ADDRESS_SPACE, permissions: '', name: '' };
  }
  const rights = [VM_READ, VM_WRITE, VM_EXEC].map((flag, i) => ((vma.flags & flag) !== 0 ? 'rwx'[i] : ''));
  return { start: BigInt(vma.start), end: BigInt(vma.end), permissions: rights.join(''), name: vmaName(mm, vma) };
}

/** A status as wait(2) gives it. */
export function exitOf(status: number): { readonly code: number } | { readonly signal: number } {
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >> 8) & 0xff } : { signal };
}
