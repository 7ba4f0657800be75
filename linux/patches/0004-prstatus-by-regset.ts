import type { Patch } from './patch.ts';

export const prstatusByRegset: Patch = {
  id: '0004',
  subject: 'x86/coredump: use pr_reg size, rather that TIF_IA32 flag',
  requires: [],
  about:
    'The core file of a 32-bit program has room in NT_PRSTATUS for either set of registers, and TIF_IA32 said how many ' +
    'bytes are copied, how long the note is, and where pr_fpvalid stands. With patch 0005 an i386 program that dies at ' +
    'CS 0x33 has 64-bit registers: 64 of their 216 bytes would find room. The patch asks the register set itself. ' +
    'Without 0005 the two always agree, and nothing changes.',
  apply: () => ({ compat_pr_reg_size: (_task, regset0) => regset0 }),
};
