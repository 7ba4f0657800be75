import { user_64bit_mode } from '../task/pt-regs.ts';
import type { Patch } from './patch.ts';

export const regsetViewByCs: Patch = {
  id: '0005',
  subject: 'x86/ptrace: down with test_thread_flag(TIF_IA32)',
  requires: [],
  about:
    'Which registers PTRACE_GETREGSET gives, and a core dump holds, followed the program that was executed. A task that a ' +
    'restorer made is a 64-bit program for good, though its code is 32-bit: a tracer got 216 bytes where it needs 68. The ' +
    'patch looks at CS: __USER_CS exactly is 64-bit, everything else, selectors of the LDT too, is i386.',
  apply: () => ({ task_user_regset_view: (task) => (user_64bit_mode(task) ? 'x86_64' : 'i386') }),
};
