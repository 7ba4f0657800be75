import { EINVAL } from '../abi/errno.ts';
import type { Vma } from '../mm/vma.ts';
import type { Task } from '../task/task.ts';
import { TS_COMPAT } from '../task/thread-info.ts';
import type { Patch } from './patch.ts';

/** Posted in May 2016, merged in v4.8. */
export const base: Patch = {
  id: 'base',
  subject: 'x86/vdso: Add mremap hook to vm_special_mapping',
  requires: [],
  about:
    'Without it mremap() moves the [vdso] mapping, but mm->context.vdso keeps the old address: the next fast 32-bit system ' +
    'call, and a move made through __kernel_vsyscall itself, come back to the old landing pad; a 32-bit handler without ' +
    'SA_RESTORER returns there too. The hook follows the move, and refuses to move a part.',
  apply: () => ({ special_mapping_mremap: vdso_mremap }),
};

/** vdso_mremap() and vdso_fix_landing(), arch/x86/entry/vdso/vma.c. [vvar] has no hook. */
function vdso_mremap(task: Task, moved: Vma): number {
  if (moved.special?.name !== '[vdso]') return 0;
  const { mm } = task;
  const image = mm.vdsoImage;
  if (image === undefined || moved.end - moved.start !== image.size) return -EINVAL;
  const pad = image.symbols.int80_landing_pad;
  if ((task.threadInfo.status & TS_COMPAT) !== 0 && image.kind === '32' && pad !== undefined && mm.vdso !== undefined) {
    if (task.regs.rip === BigInt(mm.vdso + pad)) task.regs.rip = BigInt(moved.start + pad);
  }
  mm.vdso = moved.start;
  return 0;
}
