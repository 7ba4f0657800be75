/** i386 GNU/Linux: gdb's built-in order (gdb/features/i386/32bit-*.xml name the same registers). */
import {
  avx512Feature,
  avxFeature,
  EFLAGS_TYPE,
  low,
  makeLayout,
  type RegisterLayout,
  sseFeature,
  x87Rows,
} from './layout.ts';

const SEGMENTS = ['cs', 'ss', 'ds', 'es', 'fs', 'gs'] as const;

const PARTS = {
  name: 'i386-linux',
  bits: 32,
  architecture: 'i386',
  compatible: 'i386:x86-64',
  expedite: ['esp', 'ebp', 'eip', 'eflags', 'cs'],
  features: [
    {
      name: 'org.gnu.gdb.i386.core',
      types: EFLAGS_TYPE,
      rows: [
        low('eax', 'int32', 'rax'),
        low('ecx', 'int32', 'rcx'),
        low('edx', 'int32', 'rdx'),
        low('ebx', 'int32', 'rbx'),
        low('esp', 'data_ptr', 'rsp'),
        low('ebp', 'data_ptr', 'rbp'),
        low('esi', 'int32', 'rsi'),
        low('edi', 'int32', 'rdi'),
        low('eip', 'code_ptr', 'rip'),
        low('eflags', 'i386_eflags', 'eflags'),
        ...SEGMENTS.map((name) => low(name, 'int32', name)),
        ...x87Rows(),
      ],
    },
    sseFeature(8),
    { name: 'org.gnu.gdb.i386.linux', types: '', rows: [low('orig_eax', 'int', 'orig_rax', 'sign')] },
    avxFeature(8),
  ],
} as const;

export const I386_LINUX: RegisterLayout = makeLayout(PARTS);
/** Of a machine with AVX-512. */
export const I386_LINUX_AVX512: RegisterLayout = makeLayout({
  ...PARTS,
  features: [...PARTS.features, avx512Feature(8)],
});
