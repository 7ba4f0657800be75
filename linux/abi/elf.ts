/** include/uapi/linux/elf.h: both classes as tables of field widths, from which the readers derive. */
export const ELFCLASS32 = 1,
  ELFCLASS64 = 2,
  ET_EXEC = 2,
  ET_DYN = 3,
  EM_386 = 3,
  EM_486 = 6,
  EM_X86_64 = 62;
export const PT_LOAD = 1,
  PT_DYNAMIC = 2,
  PT_INTERP = 3,
  PT_NOTE = 4,
  PT_PHDR = 6,
  PT_GNU_EH_FRAME = 0x6474_e550,
  PT_GNU_STACK = 0x6474_e551;
export const PF_X = 1,
  PF_W = 2,
  PF_R = 4;
export const DT_NULL = 0,
  DT_HASH = 4,
  DT_STRTAB = 5,
  DT_SYMTAB = 6,
  DT_STRSZ = 10,
  DT_SYMENT = 11,
  DT_SONAME = 14,
  DT_GNU_HASH = 0x6fff_fef5;

export interface ElfHeader {
  readonly class: number;
  readonly type: number;
  readonly machine: number;
  readonly entry: number;
  readonly phoff: number;
  readonly shoff: number;
  readonly phentsize: number;
  readonly phnum: number;
  readonly shentsize: number;
  readonly shnum: number;
  readonly shstrndx: number;
}

export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly filesz: number;
  readonly memsz: number;
  readonly align: number;
}

export interface ElfSymbol {
  readonly name: string;
  readonly value: number;
  readonly size: number;
  readonly info: number;
  readonly shndx: number;
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
/** A u64 of a header as a number: values above 2^53 lose low bits, which no valid file has. */
const u64 = (v: DataView, at: number): number => v.getUint32(at, true) + v.getUint32(at + 4, true) * 0x1_0000_0000;

/** `Elf32_Ehdr` or `Elf64_Ehdr`; undefined when the magic, class or length is wrong. */
export function readElfHeader(bytes: Uint8Array): ElfHeader | undefined {
  if (bytes.length < 52 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46)
    return undefined;
  const v = view(bytes);
  const cls = bytes[4]!;
  if (cls === ELFCLASS32) {
    return {
      class: cls,
      type: v.getUint16(16, true),
      machine: v.getUint16(18, true),
      entry: v.getUint32(24, true),
      phoff: v.getUint32(28, true),
      shoff: v.getUint32(32, true),
      phentsize: v.getUint16(42, true),
      phnum: v.getUint16(44, true),
      shentsize: v.getUint16(46, true),
      shnum: v.getUint16(48, true),
      shstrndx: v.getUint16(50, true),
    };
  }
  if (cls !== ELFCLASS64 || bytes.length < 64) return undefined;
  return {
    class: cls,
    type: v.getUint16(16, true),
    machine: v.getUint16(18, true),
    entry: u64(v, 24),
    phoff: u64(v, 32),
    shoff: u64(v, 40),
    phentsize: v.getUint16(54, true),
    phnum: v.getUint16(56, true),
    shentsize: v.getUint16(58, true),
    shnum: v.getUint16(60, true),
    shstrndx: v.getUint16(62, true),
  };
}

/** sizeof(Elf32_Phdr), sizeof(Elf64_Phdr). */
export const phentsizeOf = (cls: number): number => (cls === ELFCLASS32 ? 32 : 56);

/** One `Elf32_Phdr` or `Elf64_Phdr` at `at`. */
export function readProgramHeader(bytes: Uint8Array, cls: number, at: number): ProgramHeader {
  const v = view(bytes);
  if (cls === ELFCLASS32) {
    return {
      type: v.getUint32(at, true),
      offset: v.getUint32(at + 4, true),
      vaddr: v.getUint32(at + 8, true),
      filesz: v.getUint32(at + 16, true),
      memsz: v.getUint32(at + 20, true),
      flags: v.getUint32(at + 24, true),
      align: v.getUint32(at + 28, true),
    };
  }
  return {
    type: v.getUint32(at, true),
    flags: v.getUint32(at + 4, true),
    offset: u64(v, at + 8),
    vaddr: u64(v, at + 16),
    filesz: u64(v, at + 32),
    memsz: u64(v, at + 40),
    align: u64(v, at + 48),
  };
}

function cString(bytes: Uint8Array, at: number): string {
  let end = at;
  while (end < bytes.length && bytes[end] !== 0) end++;
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString('latin1');
}

function readSymbol(bytes: Uint8Array, cls: number, at: number, strtab: number): ElfSymbol {
  const v = view(bytes);
  const name = cString(bytes, strtab + v.getUint32(at, true));
  return cls === ELFCLASS32
    ? {
        name,
        value: v.getUint32(at + 4, true),
        size: v.getUint32(at + 8, true),
        info: bytes[at + 12]!,
        shndx: v.getUint16(at + 14, true),
      }
    : { name, value: u64(v, at + 8), size: u64(v, at + 16), info: bytes[at + 4]!, shndx: v.getUint16(at + 6, true) };
}

const symentOf = (cls: number): number => (cls === ELFCLASS32 ? 16 : 24);

/** The program headers of a whole file or image in memory. */
export function readProgramHeaders(bytes: Uint8Array, header: ElfHeader): ProgramHeader[] {
  const size = phentsizeOf(header.class);
  if (header.phentsize !== size || header.phoff + header.phnum * size > bytes.length) return [];
  return Array.from({ length: header.phnum }, (_, i) =>
    readProgramHeader(bytes, header.class, header.phoff + i * size),
  );
}

/** The number of symbols that a DT_GNU_HASH table reaches. */
function gnuHashCount(bytes: Uint8Array, cls: number, at: number): number {
  const v = view(bytes);
  const buckets = v.getUint32(at, true);
  const first = v.getUint32(at + 4, true);
  const bloom = v.getUint32(at + 8, true);
  const bucketsAt = at + 16 + bloom * (cls === ELFCLASS32 ? 4 : 8);
  let last = 0;
  for (let i = 0; i < buckets; i++) last = Math.max(last, v.getUint32(bucketsAt + 4 * i, true));
  if (last < first) return first;
  const chains = bucketsAt + 4 * buckets;
  while (v.getUint32(chains + 4 * (last - first), true) % 2 === 0) last++;
  return last + 1;
}

/**
 * The dynamic symbols of an ELF image as it lies in memory, found through PT_DYNAMIC, DT_HASH or DT_GNU_HASH,
 * DT_SYMTAB and DT_STRTAB. Values are relative to the image's start.
 */
export function readDynamicSymbols(bytes: Uint8Array): ElfSymbol[] {
  const header = readElfHeader(bytes);
  if (!header) return [];
  const phdrs = readProgramHeaders(bytes, header);
  const load = phdrs.find((p) => p.type === PT_LOAD);
  const dynamic = phdrs.find((p) => p.type === PT_DYNAMIC);
  if (!load || !dynamic) return [];
  const v = view(bytes);
  const word = header.class === ELFCLASS32 ? 4 : 8;
  const read = (at: number): number => (word === 4 ? v.getUint32(at, true) : u64(v, at));
  const tags = new Map<number, number>();
  for (let at = dynamic.offset; at + 2 * word <= bytes.length && at < dynamic.offset + dynamic.memsz; at += 2 * word) {
    const tag = read(at);
    if (tag === DT_NULL) break;
    tags.set(tag, read(at + word));
  }
  // An image that ran may hold relocated pointers; those of a vDSO never are.
  const place = (tag: number): number => (tags.get(tag) ?? Number.NaN) - load.vaddr;
  const symtab = place(DT_SYMTAB);
  const strtab = place(DT_STRTAB);
  const hash = place(DT_HASH);
  const gnuHash = place(DT_GNU_HASH);
  if (Number.isNaN(symtab) || Number.isNaN(strtab)) return [];
  let count = 0;
  if (hash >= 0 && hash + 8 <= bytes.length) count = v.getUint32(hash + 4, true);
  else if (gnuHash >= 0 && gnuHash + 16 <= bytes.length) count = gnuHashCount(bytes, header.class, gnuHash);
  const size = symentOf(header.class);
  const symbols: ElfSymbol[] = [];
  for (let i = 1; i < count && symtab + (i + 1) * size <= bytes.length; i++) {
    const symbol = readSymbol(bytes, header.class, symtab + i * size, strtab);
    symbols.push({ ...symbol, value: symbol.value - load.vaddr });
  }
  return symbols;
}

/** The symbols of .symtab, found through the section headers: of a file, not of an image in memory. */
export function readFileSymbols(bytes: Uint8Array): ElfSymbol[] {
  const header = readElfHeader(bytes);
  if (!header || header.shoff === 0) return [];
  const v = view(bytes);
  const wide = header.class === ELFCLASS64;
  const section = (i: number): { type: number; offset: number; size: number; link: number } => {
    const at = header.shoff + i * header.shentsize;
    return wide
      ? {
          type: v.getUint32(at + 4, true),
          offset: u64(v, at + 24),
          size: u64(v, at + 32),
          link: v.getUint32(at + 40, true),
        }
      : {
          type: v.getUint32(at + 4, true),
          offset: v.getUint32(at + 16, true),
          size: v.getUint32(at + 20, true),
          link: v.getUint32(at + 24, true),
        };
  };
  for (let i = 0; i < header.shnum; i++) {
    const s = section(i);
    if (s.type !== 2) continue;
    const strtab = section(s.link).offset;
    const count = s.size / symentOf(header.class);
    return Array.from({ length: count - 1 }, (_, k) =>
      readSymbol(bytes, header.class, s.offset + (k + 1) * symentOf(header.class), strtab),
    );
  }
  return [];
}
