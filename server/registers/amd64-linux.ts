/** amd64 GNU/Linux: gdb's built-in order (gdb/features/i386/64bit-*.xml name the same registers). */
import {
  avx512Feature,
  avxFeature,
  EFLAGS_TYPE,
  full,
  low,
  makeLayout,
  type RegisterLayout,
  sseFeature,
  x87Rows,
} from './layout.ts';

const SEGMENTS = ['cs', 'ss', 'ds', 'es', 'fs', 'gs'] as const;
const GENERAL = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi'] as const;
const EXTENDED = ['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const;

const PARTS = {
  name: 'amd64-linux',
  bits: 64,
  architecture: 'i386:x86-64',
  compatible: 'i386',
  expedite: ['rbp', 'rsp', 'rip', 'eflags', 'cs'],
  features: [
    {
      name: 'org.gnu.gdb.i386.core',
      types: EFLAGS_TYPE,
      rows: [
        ...GENERAL.map((name) => full(name, 'int64', name)),
        full('rbp', 'data_ptr', 'rbp'),
        full('rsp', 'data_ptr', 'rsp'),
        ...EXTENDED.map((name) => full(name, 'int64', name)),
        full('rip', 'code_ptr', 'rip'),
        low('eflags', 'i386_eflags', 'eflags'),
        ...SEGMENTS.map((name) => low(name, 'int32', name)),
        ...x87Rows(),
      ],
    },
    sseFeature(16),
    { name: 'org.gnu.gdb.i386.linux', types: '', rows: [full('orig_rax', 'int', 'orig_rax')] },
    {
      name: 'org.gnu.gdb.i386.segments',
      types: '',
      rows: [full('fs_base', 'int', 'fs_base'), full('gs_base', 'int', 'gs_base')],
    },
    avxFeature(16),
  ],
} as const;

export const AMD64_LINUX: RegisterLayout = makeLayout(PARTS);
/** Of a machine with AVX-512. */
export const AMD64_LINUX_AVX512: RegisterLayout = makeLayout({
  ...PARTS,
  features: [...PARTS.features, avx512Feature(16)],
});
