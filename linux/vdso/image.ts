import { ELFCLASS32, EM_X86_64, readDynamicSymbols, readElfHeader } from '../abi/elf.ts';
import { PAGE_SIZE } from '../addr.ts';

export type VdsoKind = '64' | '32' | 'x32';

/** Offsets in an image; undefined where it lacks the symbol. */
export interface VdsoSymbols {
  readonly __kernel_vsyscall: number | undefined;
  readonly __kernel_sigreturn: number | undefined;
  readonly __kernel_rt_sigreturn: number | undefined;
  /** Where the kernel lets a fast 32-bit system call come back: the byte after `int $0x80` in __kernel_vsyscall. */
  readonly int80_landing_pad: number | undefined;
  /** Every dynamic symbol. */
  readonly all: ReadonlyMap<string, number>;
}

/** `struct vdso_image`, arch/x86/include/asm/vdso.h. */
export interface VdsoImage {
  readonly kind: VdsoKind;
  /** A whole number of pages. */
  readonly bytes: Uint8Array;
  /** In bytes. */
  readonly size: number;
  /** Where [vvar] starts, relative to the text: negative. */
  readonly symVvarStart: number;
  readonly symbols: VdsoSymbols;
  /** The pages in the machine's memory; filled at boot. */
  readonly frames: number[];
}

/** The offset behind the first `int $0x80` at or after `from`, within 32 bytes. */
function landingPad(bytes: Uint8Array, from: number | undefined): number | undefined {
  if (from === undefined) return undefined;
  for (let at = from; at < from + 32; at++) if (bytes[at] === 0xcd && bytes[at + 1] === 0x80) return at + 2;
  return undefined;
}

/** Makes an image of an ELF file, or of the bytes of a vDSO that lay in memory. Undefined when it is none. */
export function vdsoImage(file: Uint8Array, vvarPages: number, minSize = 0): VdsoImage | undefined {
  const header = readElfHeader(file);
  if (header === undefined) return undefined;
  const size = Math.max(Math.ceil(file.length / PAGE_SIZE) * PAGE_SIZE, minSize);
  const bytes = new Uint8Array(size);
  bytes.set(file);
  const all = new Map(readDynamicSymbols(bytes).map((s) => [s.name, s.value]));
  const vsyscall = all.get('__kernel_vsyscall');
  return {
    kind: header.class !== ELFCLASS32 ? '64' : header.machine === EM_X86_64 ? 'x32' : '32',
    bytes,
    size,
    symVvarStart: -vvarPages * PAGE_SIZE,
    symbols: {
      __kernel_vsyscall: vsyscall,
      __kernel_sigreturn: all.get('__kernel_sigreturn'),
      __kernel_rt_sigreturn: all.get('__kernel_rt_sigreturn'),
      int80_landing_pad: landingPad(bytes, vsyscall),
      all,
    },
    frames: [],
  };
}

const NOP4 = [0x0f, 0x1f, 0x40, 0x00];
/** What __kernel_vsyscall has before its `int $0x80`, by the fast instruction of the CPU. */
const FAST_CALL = {
  /** mov %esp, %ebp; sysenter */
  intel: [0x89, 0xe5, 0x0f, 0x34],
  /** mov %ecx, %ebp; syscall */
  amd: [0x89, 0xcd, 0x0f, 0x05],
} as const;

/**
 * apply_alternatives(), arch/x86/kernel/alternative.c, for the only place in the 32-bit image that has some: SYSENTER
 * on Intel, SYSCALL on AMD. With both, the latter wins, as it stands last in Linux's list.
 */
export function applyAlternatives(image: VdsoImage, vendor: 'amd' | 'intel' | 'any' | 'none'): void {
  const pad = image.symbols.int80_landing_pad;
  if (pad === undefined || vendor === 'none') return;
  const at = pad - 6;
  if (NOP4.every((byte, i) => image.bytes[at + i] === byte)) {
    image.bytes.set(FAST_CALL[vendor === 'intel' ? 'intel' : 'amd'], at);
  }
}
