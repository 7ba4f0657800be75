import { EINVAL } from '../abi/errno.ts';
import type { Task } from '../task/task.ts';
import type { VdsoKind } from '../vdso/image.ts';
import { map_vdso_at, vdso_hint } from '../vdso/map.ts';
import { imageOf } from '../vdso/vvar.ts';
import type { Patch } from './patch.ts';

export const mapVdsoAddr: Patch = {
  id: '0002',
  subject: 'x86/vdso: introduce do_map_vdso() and vdso_type enum',
  requires: [],
  about:
    'The caller, not map_vdso(), says where the vDSO goes and which one. Nothing that a program sees changes; patch 0003 ' +
    'needs it.',
  apply: () => ({ setup_vdso: (task, kind) => do_map_vdso(task, kind, vdso_hint(task.mm, kind)) }),
};

export const mapVdsoAddrMerged: Patch = {
  ...mapVdsoAddr,
  subject: 'x86/vdso: Replace calculate_addr in map_vdso() with addr',
};

/** do_map_vdso() of the posted series: a disabled vDSO is no error, one that is not configured is. */
export function do_map_vdso(task: Task, kind: VdsoKind, address: number): number {
  const { vdso } = task.kernel;
  if (kind === '32' ? !vdso.vdso32Enabled : !vdso.vdso64Enabled) return 0;
  const image = imageOf(vdso, kind);
  return image === undefined ? -EINVAL : map_vdso_at(task, image, address);
}
