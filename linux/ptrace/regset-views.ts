/** Which register sets a task has: x86_64_regsets and x86_32_regsets of arch/x86/kernel/ptrace.c. x32 has no view of its own. */
import { XCR0, xstateSize } from '../../cpu/xsave.ts';
import { EM_386, EM_X86_64 } from '../abi/elf.ts';
import { ENXIO } from '../abi/errno.ts';
import { user_desc } from '../abi/process.ts';
import {
  NT_386_IOPERM,
  NT_386_TLS,
  NT_PRFPREG,
  NT_PRSTATUS,
  NT_PRXFPREG,
  NT_X86_XSTATE,
  user_regs_struct,
  user_regs_struct32,
} from '../abi/ptrace.ts';
import type { Task } from '../task/task.ts';
import { fpregs, xfpregs, xstateregs } from './fpregs.ts';
import { genregs32_get, genregs32_set } from './regs-32.ts';
import { genregs_get, genregs_set } from './regs-64.ts';
import type { UserRegset, UserRegsetView } from './regset.ts';
import { regset_tls_active, regset_tls_get, regset_tls_set } from './tls-regset.ts';

const IO_BITMAP_BYTES = 8192;

/** ioperm_active(), ioperm_get(). Not modelled: ioperm(2), so that no task has a bitmap. */
const ioperm: Omit<UserRegset, 'elementSize'> = {
  name: 'ioperm',
  noteType: NT_386_IOPERM,
  size: IO_BITMAP_BYTES,
  active: () => 0,
  get: () => -ENXIO,
};

const xstate: UserRegset = {
  name: 'xstate',
  noteType: NT_X86_XSTATE,
  size: xstateSize(XCR0),
  elementSize: 8,
  ...xstateregs,
};

/** user_x86_64_view. */
export const user_x86_64_view: UserRegsetView = {
  name: 'x86_64',
  machine: EM_X86_64,
  regsets: [
    {
      name: 'prstatus',
      noteType: NT_PRSTATUS,
      size: user_regs_struct.size,
      elementSize: 8,
      get: genregs_get,
      set: genregs_set,
    },
    { name: 'prfpreg', noteType: NT_PRFPREG, size: 512, elementSize: 8, ...xfpregs },
    { ...ioperm, elementSize: 8 },
    xstate,
  ],
};

/** user_x86_32_view. */
export const user_x86_32_view: UserRegsetView = {
  name: 'i386',
  machine: EM_386,
  regsets: [
    {
      name: 'prstatus',
      noteType: NT_PRSTATUS,
      size: user_regs_struct32.size,
      elementSize: 4,
      get: genregs32_get,
      set: genregs32_set,
    },
    { name: 'prfpreg', noteType: NT_PRFPREG, size: 108, elementSize: 4, ...fpregs },
    { name: 'prxfpreg', noteType: NT_PRXFPREG, size: 512, elementSize: 4, ...xfpregs },
    xstate,
    {
      name: 'tls',
      noteType: NT_386_TLS,
      size: 3 * user_desc.size,
      elementSize: user_desc.size,
      active: regset_tls_active,
      get: regset_tls_get,
      set: regset_tls_set,
    },
    { ...ioperm, elementSize: 4 },
  ],
};

/** update_regset_xstate_info(): the size of NT_X86_XSTATE is the machine's. */
function update_regset_xstate_info(view: UserRegsetView, xcr0: number): UserRegsetView {
  const size = xstateSize(xcr0);
  if (size === xstate.size) return view;
  return { ...view, regsets: view.regsets.map((r) => (r === xstate ? { ...r, size } : r)) };
}

/** task_user_regset_view(): patch 0005 changes what it looks at. */
export function task_user_regset_view(task: Task): UserRegsetView {
  const view = task.kernel.ops.task_user_regset_view(task) === 'i386' ? user_x86_32_view : user_x86_64_view;
  return update_regset_xstate_info(view, task.kernel.cpu.xcr0);
}
