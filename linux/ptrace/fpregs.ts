/** The register sets of the FPU: arch/x86/kernel/fpu/regset.c. */
import { FXSAVE_SIZE, frstor, fsave, fxrstor, fxsave, MXCSR_MASK, xrstor, xsave } from '../../cpu/xsave.ts';
import { EINVAL } from '../abi/errno.ts';
import { FPX_SW_OFFSET } from '../abi/sigcontext.ts';
import { xfeatures } from '../signal/fpstate.ts';
import type { Task } from '../task/task.ts';
import type { UserRegset } from './regset.ts';

type Copies = Required<Pick<UserRegset, 'get' | 'set'>>;

const MXCSR_OFFSET = 24;
const XSTATE_HEADER = 512;

/** user_regset_copyin(): the given bytes over those that are there. */
function overlay(old: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const image = old.slice();
  image.set(bytes.subarray(0, image.length));
  return image as Uint8Array<ArrayBuffer>;
}

/** Bits of MXCSR that do not exist are dropped. */
function maskMxcsr(image: Uint8Array<ArrayBuffer>): void {
  const view = new DataView(image.buffer);
  view.setUint32(MXCSR_OFFSET, view.getUint32(MXCSR_OFFSET, true) & MXCSR_MASK, true);
}

/** xfpregs_get(), xfpregs_set(): the FXSAVE image. */
export const xfpregs: Copies = {
  get: (task) => fxsave(task.regs),
  set: (task, bytes) => {
    const image = overlay(fxsave(task.regs).subarray(0, FXSAVE_SIZE), bytes);
    maskMxcsr(image);
    return fxrstor(task.regs, image) ? 0 : -EINVAL;
  },
};

/** fpregs_get(), fpregs_set() of i386: the FSAVE image. */
export const fpregs: Copies = {
  get: (task) => fsave(task.regs),
  set: (task, bytes) => {
    frstor(task.regs, overlay(fsave(task.regs), bytes));
    return 0;
  },
};

/** The standard format, with the kernel's mask of features in the software bytes. */
function xstateregs_get(task: Task): Uint8Array {
  const features = xfeatures(task);
  const image = xsave(task.regs, features);
  new DataView(image.buffer).setBigUint64(FPX_SW_OFFSET, BigInt(features), true);
  return image;
}

/** xstateregs_get(), xstateregs_set(): what the kernel does not know, and the reserved part of the header, is dropped. */
export const xstateregs: Copies = {
  get: xstateregs_get,
  set: (task, bytes) => {
    const features = xfeatures(task);
    const image = overlay(xsave(task.regs, features), bytes);
    maskMxcsr(image);
    const view = new DataView(image.buffer);
    view.setBigUint64(XSTATE_HEADER, view.getBigUint64(XSTATE_HEADER, true) & BigInt(features), true);
    image.fill(0, XSTATE_HEADER + 8, XSTATE_HEADER + 64);
    return xrstor(task.regs, image, features) ? 0 : -EINVAL;
  },
};
