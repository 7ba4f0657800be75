import { type KernelOps, v4_7 } from '../kernel-ops.ts';
import { unmapOnVvarFailure, unmapOnVvarFailureMerged } from './0001-vdso-unmap-on-vvar-failure.ts';
import { mapVdsoAddr, mapVdsoAddrMerged } from './0002-map-vdso-addr.ts';
import { archMapVdso, archMapVdsoMerged } from './0003-arch-map-vdso.ts';
import { prstatusByRegset } from './0004-prstatus-by-regset.ts';
import { regsetViewByCs } from './0005-regset-view-by-cs.ts';
import { sigactionAbi, sigactionAbiMerged, sigactionWithoutCs } from './0006-sigaction-abi.ts';
import { base } from './base-vdso-mremap.ts';
import { mmapByEntry } from './mmap-by-entry.ts';
import { type Patch, PatchError } from './patch.ts';
import { restartByEntry } from './restart-by-entry.ts';

/** A kernel that `--kernel` can name: v4.7-rc1 and an ordered series on top. */
export interface KernelVersion {
  readonly name: string;
  readonly description: string;
  readonly series: readonly Patch[];
}

const posted: readonly Patch[] = [
  base,
  unmapOnVvarFailure,
  mapVdsoAddr,
  archMapVdso,
  prstatusByRegset,
  regsetViewByCs,
  sigactionAbi,
];
const merged: readonly Patch[] = [
  base,
  unmapOnVvarFailureMerged,
  mapVdsoAddrMerged,
  archMapVdsoMerged,
  prstatusByRegset,
  regsetViewByCs,
  sigactionAbiMerged,
];
/** Of v4.8, v4.10 and v4.12. */
const later: readonly Patch[] = [restartByEntry, sigactionWithoutCs, mmapByEntry];

export const kernels: readonly KernelVersion[] = [
  { name: 'v4.7-rc1', description: 'the base: TIF_IA32 decides, no ARCH_MAP_VDSO', series: [] },
  { name: 'compat-cr', description: 'v4.7-rc1 with the series as it was posted in June 2016', series: posted },
  { name: 'v4.9', description: 'v4.7-rc1 with the series as it was merged', series: merged },
  {
    name: 'v4.12',
    description: 'as v4.9, with the later fixes that CRIU asks for',
    series: [...merged, ...later],
  },
];

export const defaultKernel = 'compat-cr';

/** The patches that a list names: `all`, `none`, or ids separated by commas. Throws PatchError. */
export function choosePatches(kernel: KernelVersion, list = 'all'): readonly Patch[] {
  if (list === 'none') return [];
  if (list === 'all') return kernel.series;
  const ids = list.split(',').map((id) => id.trim());
  for (const id of ids) {
    const patch = kernel.series.find((p) => p.id === id);
    if (patch === undefined) {
      const known = kernel.series.map((p) => p.id).join(', ') || 'none';
      throw new PatchError(`kernel ${kernel.name} has no patch '${id}' (it has: ${known})`);
    }
  }
  const chosen = kernel.series.filter((patch) => ids.includes(patch.id));
  for (const patch of chosen) {
    const missing = patch.requires.find(({ id }) => !ids.includes(id));
    if (missing !== undefined) throw new PatchError(`patch ${patch.id} needs patch ${missing.id}: ${missing.why}`);
  }
  return chosen;
}

/** The kernel of a name. Throws PatchError. */
export function kernelNamed(name: string): KernelVersion {
  const kernel = kernels.find((k) => k.name === name);
  if (kernel === undefined) {
    throw new PatchError(`unknown kernel '${name}' (known: ${kernels.map((k) => k.name).join(', ')})`);
  }
  return kernel;
}

/** The functions of the kernel that a patch replaces. */
export const replacedBy = (patch: Patch): readonly string[] => Object.keys(patch.apply(v4_7));

/** Applies a series to v4.7-rc1, once, at boot. */
export function bootOps(kernelName: string = defaultKernel, patchList = 'all'): KernelOps {
  const kernel = kernelNamed(kernelName);
  const chosen = choosePatches(kernel, patchList);
  let ops: KernelOps = { ...v4_7, release: kernel.name, patches: Object.freeze(chosen.map((p) => p.id)) };
  for (const patch of chosen) ops = { ...ops, ...patch.apply(ops) };
  return Object.freeze(ops);
}
