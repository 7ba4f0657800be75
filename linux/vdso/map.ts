import { EINVAL, ENOMEM } from '../abi/errno.ts';
import { type Addr, asAddr, PAGE_SIZE } from '../addr.ts';
import type { Mm } from '../mm/mm.ts';
import { _install_special_mapping, do_munmap } from '../mm/mmap.ts';
import { get_unmapped_area } from '../mm/unmapped-area.ts';
import { VM_DONTDUMP, VM_EXEC, VM_IO, VM_MAYEXEC, VM_MAYREAD, VM_MAYWRITE, VM_PFNMAP, VM_READ } from '../mm/vma.ts';
import type { Task } from '../task/task.ts';
import type { VdsoImage, VdsoKind } from './image.ts';
import { imageOf } from './vvar.ts';

const TEXT_FLAGS = VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
const VVAR_FLAGS = VM_READ | VM_MAYREAD | VM_IO | VM_DONTDUMP | VM_PFNMAP;

/**
 * map_vdso(), arch/x86/entry/vdso/vma.c: [vvar] and behind it [vdso]. `address` is a hint for the start of [vvar]; it
 * is taken when the range is free.
 *
 * What happens to the text when [vvar] cannot be had is patch 0001's business: `ops.vvar_map_failed`.
 */
export function map_vdso_at(task: Task, image: VdsoImage, address: number): number {
  const { mm, kernel } = task;
  const vvarSize = -image.symVvarStart;
  const start = get_unmapped_area(task, address, image.size + vvarSize, 0);
  if (start < 0) return start;
  const textStart = asAddr(start + vvarSize);
  mm.vdso = textStart;
  mm.vdsoImage = image;
  const text = _install_special_mapping(mm, textStart, image.size, TEXT_FLAGS, { name: '[vdso]' });
  if (typeof text === 'number') {
    mm.vdso = undefined;
    return text;
  }
  const vvar = takeFault(task)
    ? -ENOMEM
    : _install_special_mapping(mm, asAddr(start), vvarSize, VVAR_FLAGS, { name: '[vvar]' });
  if (typeof vvar === 'number') {
    mm.vdso = undefined;
    kernel.ops.vvar_map_failed(mm, image, textStart);
    return vvar;
  }
  return 0;
}

/** The fault injection of `monitor fail vvar`: the next [vvar] mapping fails as without memory. */
function takeFault(task: Task): boolean {
  const { faults } = task.kernel;
  if (!faults.failVvarOnce) return false;
  faults.failVvarOnce = false;
  return true;
}

/**
 * vdso_addr(), arch/x86/entry/vdso/vma.c: a page between the stack and the end of its 2 MiB; without randomisation that
 * is the first one, which a stack at the top of the address space leaves no room for.
 */
export function vdso_addr(start: number): number {
  return Math.ceil(start / PAGE_SIZE) * PAGE_SIZE;
}

/** calculate_addr of map_vdso(): where exec wants the vDSO; 32-bit programs leave it to get_unmapped_area. */
export function vdso_hint(mm: Mm, kind: VdsoKind): number {
  return kind === '32' ? 0 : vdso_addr(mm.startStack);
}

/** Before patch 0002: map_vdso() finds the place by itself. */
export function map_vdso_calculating(task: Task, kind: VdsoKind): number {
  const { vdso } = task.kernel;
  if (kind === '32' ? !vdso.vdso32Enabled : !vdso.vdso64Enabled) return 0;
  const image = imageOf(vdso, kind);
  return image === undefined ? -EINVAL : map_vdso_at(task, image, vdso_hint(task.mm, kind));
}

/** arch_setup_additional_pages() and compat_arch_setup_additional_pages(), arch/x86/entry/vdso/vma.c: at exec. */
export function arch_setup_additional_pages(task: Task): number {
  const { abi } = task.mm;
  return task.kernel.ops.setup_vdso(task, abi === 'ia32' ? '32' : abi);
}

/** What patch 0001 repairs: the text stays where it is, and so does context.vdso_image. */
export function vvar_map_failed(_mm: Mm, _image: VdsoImage, _textStart: Addr): void {}

/** As patch 0001 has it. */
export function vvar_map_failed_unmap(mm: Mm, image: VdsoImage, textStart: Addr): void {
  do_munmap(mm, textStart, image.size);
}
