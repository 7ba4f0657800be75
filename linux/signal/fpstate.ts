/** FPU state in signal frames: arch/x86/kernel/fpu/signal.c. */
import { frstor, fsave, initFpu, xrstor, xsave, xstateSize } from '../../cpu/xsave.ts';
import { EFAULT } from '../abi/errno.ts';
import {
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  FPX_SW_OFFSET,
  FSAVE_HEADER_SIZE,
  fpx_sw_bytes,
} from '../abi/sigcontext.ts';
import { SCRATCH_XSTATE } from '../mm/scratch.ts';
import {
  access_ok,
  copy_from_user,
  copy_from_user_into,
  copy_from_user_partial,
  copy_to_user,
  get_user_u32,
} from '../mm/uaccess.ts';
import type { Task } from '../task/task.ts';

/** `xfeatures_mask`: XCR0 of the machine. */
export const xfeatures = (task: Task): number => task.kernel.cpu.xcr0;
const FXSAVE_SIZE = 512;
const XSAVE_HEADER_SIZE = 64;
/** The image and the second magic. */
const sigframeSize = (task: Task): number => xstateSize(xfeatures(task)) + 4;

export interface MathFrame {
  /** The lowest address used, the `fpstate` of the sigcontext. */
  readonly sp: number;
  /** Where the fxsave image lies. */
  readonly fx: number;
}

/** fpu__alloc_mathframe(). */
export function fpu__alloc_mathframe(task: Task, sp: number, ia32: boolean): MathFrame {
  const below = sp - sigframeSize(task);
  const fx = below - (((below % 64) + 64) % 64);
  return { sp: ia32 ? fx - FSAVE_HEADER_SIZE : fx, fx };
}

/** copy_fpstate_to_sigframe(): the whole XSAVE image with its software bytes, and before it the i387 header for ia32. */
export function copy_fpstate_to_sigframe(task: Task, frame: MathFrame, ia32: boolean): number {
  const { regs } = task;
  const features = xfeatures(task);
  const size = xstateSize(features);
  const { bytes: image, view } = task.mm.frames.scratch.zeroed(SCRATCH_XSTATE, size + 4);
  xsave(regs, features, true, 16, image);
  fpx_sw_bytes.writeTo(
    image,
    {
      magic1: FP_XSTATE_MAGIC1,
      extended_size: size + 4 + (ia32 ? FSAVE_HEADER_SIZE : 0),
      xfeatures: BigInt(features),
      xstate_size: size,
    },
    FPX_SW_OFFSET,
  );
  view.setUint32(size, FP_XSTATE_MAGIC2, true);
  // save_xstate_epilog(): the legacy parts count as present, so that a handler may change them.
  view.setBigUint64(FXSAVE_SIZE, view.getBigUint64(FXSAVE_SIZE, true) | 3n, true);
  if (ia32) {
    const header = new Uint8Array(FSAVE_HEADER_SIZE);
    const i387 = fsave(regs);
    header.set(i387);
    // save_fsave_header(): `status` repeats swd, `magic` 0 says that fxsave data follow.
    header.set(i387.subarray(4, 6), 108);
    const error = copy_to_user(task.mm, frame.sp, header);
    if (error) return error;
  }
  return copy_to_user(task.mm, frame.fx, image);
}

/** fpu__restore_sig(): `at` 0 resets the FPU. @returns 0 or -EFAULT */
export function fpu__restore_sig(task: Task, at: number, ia32: boolean): number {
  const { regs, mm } = task;
  if (at === 0) {
    initFpu(regs);
    return 0;
  }
  const fx = ia32 ? at + FSAVE_HEADER_SIZE : at;
  const extended = check_for_xstate(task, fx);
  const { image, mask } = extended ?? { image: new Uint8Array(xstateSize(xfeatures(task))), mask: 3 };
  if (!extended) {
    const legacy = copy_from_user(mm, fx, FXSAVE_SIZE);
    if (typeof legacy === 'number') return failed(task);
    image.set(legacy);
    new DataView(image.buffer).setBigUint64(FXSAVE_SIZE, 3n, true);
  }
  if (!ia32) return restoreImage(task, image, mask) ? 0 : failed(task);
  const header = copy_from_user(mm, at, FSAVE_HEADER_SIZE);
  if (typeof header === 'number') return failed(task);
  sanitize_restored_xstate(image, mask);
  if (!restoreImage(task, image, mask)) return failed(task);
  frstor(regs, header.subarray(0, 108));
  return 0;
}

/** What the image does not hold goes to its initial state. */
function restoreImage(task: Task, image: Uint8Array, mask: number): boolean {
  const features = xfeatures(task);
  if ((features & ~mask) !== 0) initFpu(task.regs);
  return xrstor(task.regs, image, mask, true, 16, features);
}

/** fpu__clear() and -EFAULT. */
function failed(task: Task): number {
  initFpu(task.regs);
  return -EFAULT;
}

/** check_for_xstate(): the software bytes and the second magic, or only the legacy area counts. */
function check_for_xstate(task: Task, fx: number): { image: Uint8Array; mask: number } | undefined {
  const { bytes: software } = task.mm.frames.scratch.unset(SCRATCH_XSTATE, fpx_sw_bytes.size);
  if (!copy_from_user_into(task.mm, fx + FPX_SW_OFFSET, software)) return undefined;
  const sw = fpx_sw_bytes.read(software);
  if (sw.magic1 !== FP_XSTATE_MAGIC1) return undefined;
  if (sw.xstate_size < FXSAVE_SIZE + XSAVE_HEADER_SIZE || sw.xstate_size > xstateSize(xfeatures(task)))
    return undefined;
  if (sw.xstate_size > sw.extended_size) return undefined;
  if (!access_ok(fx, sw.xstate_size)) return undefined;
  const image = task.mm.frames.scratch.zeroed(SCRATCH_XSTATE, xstateSize(xfeatures(task))).bytes;
  if (copy_from_user_partial(task.mm, fx, image.subarray(0, sw.xstate_size)) < sw.xstate_size) return undefined;
  if (get_user_u32(task.mm, fx + sw.xstate_size) !== FP_XSTATE_MAGIC2) return undefined;
  return { image, mask: Number(sw.xfeatures & BigInt(xfeatures(task))) };
}

/** sanitize_restored_xstate(): nothing of the ia32 image can make XRSTOR fault. */
function sanitize_restored_xstate(image: Uint8Array, mask: number): void {
  const view = new DataView(image.buffer);
  view.setBigUint64(FXSAVE_SIZE, view.getBigUint64(FXSAVE_SIZE, true) & BigInt(mask), true);
  image.fill(0, FXSAVE_SIZE + 8, FXSAVE_SIZE + XSAVE_HEADER_SIZE);
  view.setUint32(24, view.getUint32(24, true) & 0xffff, true);
}
