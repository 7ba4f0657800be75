import { EEXIST, EINVAL } from '../abi/errno.ts';
import { ARCH_MAP_VDSO_32, ARCH_MAP_VDSO_64, ARCH_MAP_VDSO_X32 } from '../abi/prctl.ts';
import type { ArchPrctlRow } from '../entry/arch-prctl.ts';
import type { Task } from '../task/task.ts';
import type { VdsoKind } from '../vdso/image.ts';
import { map_vdso_at } from '../vdso/map.ts';
import { imageOf } from '../vdso/vvar.ts';
import { do_map_vdso } from './0002-map-vdso-addr.ts';
import type { Patch } from './patch.ts';

const CODES = [
  ['ARCH_MAP_VDSO_X32', ARCH_MAP_VDSO_X32, 'x32'],
  ['ARCH_MAP_VDSO_32', ARCH_MAP_VDSO_32, '32'],
  ['ARCH_MAP_VDSO_64', ARCH_MAP_VDSO_64, '64'],
] as const;

const rows = (map: (task: Task, kind: VdsoKind, address: number) => number): ArchPrctlRow[] =>
  CODES.map(([name, code, kind]) => ({ code, name, run: (_task, address, current) => map(current, kind, address) }));

/** As posted in June 2016: the result is 0, and an old vDSO may stay beside the new one. */
export const archMapVdso: Patch = {
  id: '0003',
  subject: 'x86/arch_prctl/vdso: add ARCH_MAP_VDSO_*',
  requires: [{ id: '0002', why: 'it maps at an address of its own choice, which map_vdso() takes only since then' }],
  about:
    'A restorer is 64-bit code: the kernel mapped it the 64-bit vDSO at exec, and nothing could give it the 32-bit one, ' +
    'with which mm->context.vdso (signal frames, the landing pad of fast system calls) has to agree. ' +
    'arch_prctl(ARCH_MAP_VDSO_32, address) maps it; the address is a hint for [vvar], and [vdso] follows it.',
  apply: (ops) => ({ arch_prctl: Object.freeze([...ops.arch_prctl, ...rows(do_map_vdso)]) }),
};

/** As merged (v4.9): only one vDSO at a time (-EEXIST), and the result is the size of the image. */
export const archMapVdsoMerged: Patch = {
  ...archMapVdso,
  apply: (ops) => ({ arch_prctl: Object.freeze([...ops.arch_prctl, ...rows(map_vdso_once)]) }),
};

/** map_vdso_once() and prctl_map_vdso(), arch/x86/entry/vdso/vma.c and process_64.c of v4.9. */
function map_vdso_once(task: Task, kind: VdsoKind, address: number): number {
  const image = imageOf(task.kernel.vdso, kind);
  if (image === undefined) return -EINVAL;
  if (task.mm.vmas.some((vma) => vma.special !== undefined)) return -EEXIST;
  const error = map_vdso_at(task, image, address);
  return error < 0 ? error : image.size;
}
