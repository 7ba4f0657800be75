/** The dynamic loader's list of libraries: r_debug and link_map in the guest's memory (glibc, elf/link.h), in both sizes. */
import { AT_PHDR, AT_PHENT, AT_PHNUM } from '../../linux/abi/auxv.ts';
import type { Mm } from '../../linux/mm/mm.ts';
import { access_process_vm } from '../../linux/mm/uaccess.ts';
import type { Bits, LibraryList } from '../target.ts';

const PT_DYNAMIC = 2;
const PT_PHDR = 6;
const DT_DEBUG = 21n;
const MOST = 1000;

class Reader {
  readonly #mm: Mm;
  readonly size: number;

  constructor(mm: Mm, bits: Bits) {
    this.#mm = mm;
    this.size = bits / 8;
  }

  bytes(address: bigint, length: number): Uint8Array {
    if (address < 0n || address >= 0x8000_0000_0000n) return new Uint8Array(0);
    return access_process_vm(this.#mm, Number(address), length);
  }

  number(address: bigint, size: number): bigint | undefined {
    const bytes = this.bytes(address, size);
    if (bytes.length < size) return undefined;
    return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  }

  word(address: bigint, index = 0): bigint | undefined {
    return this.number(address + BigInt(index * this.size), this.size);
  }

  text(address: bigint): string {
    const parts: Uint8Array[] = [];
    for (let at = address, length = 0; length < 4096; ) {
      const piece = this.bytes(at, 256 - Number(at % 256n));
      const end = piece.indexOf(0);
      parts.push(end < 0 ? piece : piece.subarray(0, end));
      if (end >= 0 || piece.length === 0) break;
      at += BigInt(piece.length);
      length += piece.length;
    }
    return Buffer.concat(parts).toString('utf8');
  }
}

interface Segment {
  readonly type: number;
  readonly address: bigint;
}

function programHeaders(
  reader: Reader,
  auxv: ReadonlyMap<bigint, bigint>,
): { table: bigint; segments: Segment[] } | undefined {
  const table = auxv.get(BigInt(AT_PHDR));
  const entry = auxv.get(BigInt(AT_PHENT));
  const count = auxv.get(BigInt(AT_PHNUM));
  if (table === undefined || entry === undefined || count === undefined || count > 100n) return undefined;
  const segments: Segment[] = [];
  for (let i = 0n; i < count; i++) {
    const at = table + i * entry;
    const type = reader.number(at, 4);
    // p_vaddr is the third word; ELF64 has p_flags before p_offset.
    const address = reader.size === 8 ? reader.number(at + 16n, 8) : reader.number(at + 8n, 4);
    if (type === undefined || address === undefined) return undefined;
    segments.push({ type: Number(type), address });
  }
  return { table, segments };
}

/** DT_DEBUG of the program: the address of r_debug once the loader has filled it in. */
function findRDebug(reader: Reader, auxv: ReadonlyMap<bigint, bigint>): bigint | undefined {
  const headers = programHeaders(reader, auxv);
  const dynamic = headers?.segments.find((s) => s.type === PT_DYNAMIC);
  if (!headers || !dynamic) return undefined;
  const phdr = headers.segments.find((s) => s.type === PT_PHDR);
  const base = phdr ? headers.table - phdr.address : 0n;
  for (let i = 0; i < MOST; i++) {
    const tag = reader.word(base + dynamic.address, 2 * i);
    if (tag === undefined || tag === 0n) return undefined;
    if (tag === DT_DEBUG) return reader.word(base + dynamic.address, 2 * i + 1) || undefined;
  }
  return undefined;
}

/** @returns undefined for a static program, or before the loader has run */
export function readLibraries(
  mm: Mm,
  bits: Bits,
  auxv: readonly (readonly [bigint, bigint])[],
): LibraryList | undefined {
  const reader = new Reader(mm, bits);
  const rDebug = findRDebug(reader, new Map(auxv));
  const mainLm = rDebug === undefined ? undefined : reader.word(rDebug, 1);
  if (!mainLm) return undefined;
  const libraries: LibraryList['libraries'][number][] = [];
  let lm = reader.word(mainLm, 3);
  for (let i = 0; lm && i < MOST; i++) {
    const [base, name, dynamic] = [0, 1, 2].map((index) => reader.word(lm!, index));
    if (base === undefined || name === undefined || dynamic === undefined) break;
    libraries.push({ name: reader.text(name), lm, base, dynamic });
    lm = reader.word(lm, 3);
  }
  return { mainLm, libraries };
}
