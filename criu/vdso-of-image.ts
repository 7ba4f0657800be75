import { ELFCLASS32, readElfHeader } from '../linux/abi/elf.ts';
import type { VmaEntry } from './image-dir.ts';
import { ImageDir } from './image-dir.ts';
import { ImageError } from './image-error.ts';
import { readPages } from './pagemap.ts';
import { TASK_DEAD, TASK_ZOMBIE, VMA_AREA_VDSO, VMA_AREA_VVAR } from './proto/show.ts';

const MAX_VDSO = 0x10_0000n;

/** The vDSO of a dumped process: its place, its bytes, and the vvar before or after it. */
export interface DumpedVdso {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly compat: boolean;
  readonly vvar: number | undefined;
  readonly vvarSize: number;
}

/** The vDSO that process `pid` had at the dump; undefined when it had none. */
export function dumpedVdso(dir: ImageDir, pid: number, vmas: readonly VmaEntry[]): DumpedVdso | undefined {
  const vdso = vmas.find((vma) => (vma.status & VMA_AREA_VDSO) !== 0);
  const vvar = vmas.find((vma) => (vma.status & VMA_AREA_VVAR) !== 0);
  if (vdso === undefined) {
    return undefined;
  }
  const address = Number(vdso.start);
  if (vdso.end - vdso.start > MAX_VDSO) {
    dir.fail(`mm-${pid}.img`, `a vDSO of ${vdso.end - vdso.start} bytes at 0x${vdso.start.toString(16)}`);
  }
  const bytes = readPages(dir.pages(pid), address, Number(vdso.end - vdso.start));
  const header = readElfHeader(bytes);
  if (header === undefined) {
    return dir.fail(`mm-${pid}.img`, `the vDSO at 0x${vdso.start.toString(16)} is no ELF image`);
  }
  return {
    address,
    bytes,
    compat: header.class === ELFCLASS32,
    vvar: vvar === undefined ? undefined : Number(vvar.start),
    vvarSize: vvar === undefined ? 0 : Number(vvar.end - vvar.start),
  };
}

/** For `--vdso image`: the vDSO images of the dumping machine, as far as the dumped tasks show them, and its vvar pages. */
export function vdsoOfImage(path: string): {
  vdso32: Uint8Array | undefined;
  vdso64: Uint8Array | undefined;
  vvarPages: number;
} {
  const dir = ImageDir.open(path);
  const found: { vdso32: Uint8Array | undefined; vdso64: Uint8Array | undefined; vvarPages: number } = {
    vdso32: undefined,
    vdso64: undefined,
    vvarPages: 0,
  };
  for (const { pid } of dir.tree) {
    const state = dir.core(pid).tc?.task_state;
    const vdso = state === TASK_DEAD || state === TASK_ZOMBIE ? undefined : dumpedVdso(dir, pid, dir.mm(pid).vmas);
    if (vdso !== undefined) {
      found[vdso.compat ? 'vdso32' : 'vdso64'] ??= vdso.bytes;
      found.vvarPages = Math.max(found.vvarPages, vdso.vvarSize / 4096);
    }
  }
  if (found.vdso32 === undefined && found.vdso64 === undefined) {
    throw new ImageError(path, undefined, 'no task in these images has a vDSO');
  }
  return found;
}
