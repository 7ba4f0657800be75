import { ELFCLASS32, PT_DYNAMIC, PT_LOAD, readElfHeader, readProgramHeaders } from '../../linux/abi/elf.ts';
import { type VdsoImage, vdsoImage } from '../../linux/vdso/image.ts';
import type { DumpedVdso } from '../vdso-of-image.ts';

/** The symbols by which two vDSOs are compared: criu/arch/x86/include/asm/vdso.h. */
const SYMBOLS: readonly string[] = [
  '__vdso_clock_gettime',
  '__vdso_getcpu',
  '__vdso_gettimeofday',
  '__vdso_time',
  '__kernel_sigreturn',
  '__kernel_rt_sigreturn',
  '__vdso_clock_gettime64',
];

export interface VdsoPlan {
  /** The machine's vDSO equals the image's: it is moved to the image's place. Else the image's gets jumps to it. */
  readonly inPlace: boolean;
  readonly jumps: readonly { readonly from: bigint; readonly to_offset: bigint }[];
  /** Symbols that the image's vDSO has and the machine's has not: their old code goes on running. */
  readonly missing: readonly string[];
}

/**
 * How the vDSO of the image becomes that of the machine: vdso_proxify() of criu/pie/parasite-vdso.c.
 * Unlike CRIU: where the machine lacks a symbol, the code of the image stays, and no jump to a wild address is written.
 */
export function planVdso(dumped: DumpedVdso, machine: VdsoImage, proxy: boolean): VdsoPlan | string {
  const wrong = checkElf(dumped.bytes);
  if (wrong !== undefined) {
    return wrong;
  }
  const vvarSize = -machine.symVvarStart;
  const old = vdsoImage(dumped.bytes, dumped.vvarSize / 4096)?.symbols.all ?? new Map<string, number>();
  const now = machine.symbols.all;
  const sameLayout =
    dumped.bytes.length === machine.size &&
    dumped.vvarSize === vvarSize &&
    (dumped.vvar === undefined || dumped.vvar < dumped.address);
  if (!proxy && sameLayout && SYMBOLS.every((name) => old.get(name) === now.get(name))) {
    return { inPlace: true, jumps: [], missing: [] };
  }
  const jumps: { from: bigint; to_offset: bigint }[] = [];
  const missing: string[] = [];
  for (const name of SYMBOLS) {
    const from = old.get(name);
    const to = now.get(name);
    if (from !== undefined && to !== undefined) {
      jumps.push({ from: BigInt(dumped.address + from), to_offset: BigInt(to) });
    } else if (from !== undefined) {
      missing.push(name);
    }
  }
  return { inPlace: false, jumps, missing };
}

/** What CRIU wants of a vDSO before it touches it: one PT_LOAD, one PT_DYNAMIC. */
function checkElf(bytes: Uint8Array): string | undefined {
  const header = readElfHeader(bytes);
  if (header === undefined) {
    return 'no ELF header';
  }
  const kinds = readProgramHeaders(bytes, header).map((each) => each.type);
  const count = (type: number): number => kinds.filter((each) => each === type).length;
  const name = header.class === ELFCLASS32 ? '32-bit' : '64-bit';
  if (count(PT_LOAD) !== 1 || count(PT_DYNAMIC) !== 1) {
    return `${name} ELF with ${count(PT_LOAD)} PT_LOAD and ${count(PT_DYNAMIC)} PT_DYNAMIC, expected one of each`;
  }
  return undefined;
}
