/** mremap(2) of [vdso] and [vvar]: the patch base, the mremap hook. */
import { type Column, describeTable } from './table.ts';

const HOME = '[vvar] home, [vdso] home';

/** In the order of the columns: without the hook, and with it. */
const WITHOUT: readonly Column[] = [
  { kernel: 'v4.7-rc1' },
  { kernel: 'compat-cr', patches: '0001,0002,0003,0004,0005,0006' },
];
const WITH: readonly Column[] = [
  { kernel: 'compat-cr', patches: 'base' },
  { kernel: 'compat-cr' },
  { kernel: 'v4.9' },
  { kernel: 'v4.12' },
];
const hook = (without: string, with_: string): string[] => [without, without, with_, with_, with_, with_];

/** What the hook has no say in. */
const COMMON = {
  'whole [vdso]': '0, [vvar] home, [vdso] moved',
  'whole [vvar]': '0, [vvar] moved, [vdso] home',
  'first page of [vvar]': '0, [vvar] a part moved, [vdso] home',
  grows: `EFAULT, ${HOME}`,
  'grows and may move': `EFAULT, ${HOME}`,
  'grows at another place': `EFAULT, ${HOME}`,
  'onto itself': `EINVAL, ${HOME}`,
  MREMAP_DONTUNMAP: `EINVAL, ${HOME}`,
  munmap: '0, [vvar] home, [vdso] gone',
  'mprotect of [vdso], and a write': '0',
  'mprotect of [vvar]': 'EACCES',
  'in a child': "0, [vvar] home, [vdso] moved; the parent's [vdso] home",
};

describeTable('mremap of the vDSO in a 64-bit program', {
  source: 'mremap.c',
  bits: 64,
  columns: [...WITHOUT, ...WITH],
  rows: {
    ...COMMON,
    'first page': hook('0, [vvar] home, [vdso] a part moved', `EINVAL, ${HOME}`),
    'last page': hook('0, [vvar] home, [vdso] a part is home', `EINVAL, ${HOME}`),
    // In place it is a munmap, which has no hook; a later move meets the size.
    shrinks: hook(
      '0, [vvar] home, [vdso] a part is home; then a move 0',
      '0, [vvar] home, [vdso] a part is home; then a move EINVAL',
    ),
    'munmap of the last page': '0, [vvar] home, [vdso] a part is home',
    // As posted: the hook compares with the image that came last. From v4.9 on there is no second one.
    'two images': ['EINVAL', '0, old 0, new 0', 'EINVAL', '0, old EINVAL, new 0', 'EEXIST', 'EEXIST'],
  },
});

for (const vendor of ['amd', 'intel', 'any'] as const) {
  const on = (column: Column): Column => ({ ...column, vendor });
  describeTable('mremap of the vDSO in an i386 program', {
    source: 'mremap.c',
    bits: 32,
    columns: [...WITHOUT, ...WITH].map(on),
    rows: {
      ...COMMON,
      'moved by a fast call': hook('SIGSEGV', '0'),
      'moved, then a fast call there': hook('SIGSEGV', '1'),
      'moved, then a fast call at the old place': 'SIGSEGV',
      'moved, then int 0x80': '1',
      'moved, then a signal without SA_RESTORER': hook('SIGSEGV', '10'),
      'moved, then a signal of rt_sigaction without SA_RESTORER': hook('SIGSEGV', '10'),
    },
  });
}
