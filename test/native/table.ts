/** The recordings, and where v4.7 and the series differ from the Linux 6.18 that they were made on. */

import { XCR0, xstateSize } from '../../cpu/xsave.ts';
import { type Exception, instead, R8_ZERO, type Recording, sections, type Variation } from './rules.ts';
import { TRACER_RECORDINGS } from './tracers.ts';
import { VDSO_RECORDINGS } from './vdso.ts';

/** Size of the XSAVE image on the machine of the recordings: AVX-512 and PKRU. */
const RECORDED_XSTATE = 2432;
const XFEATURES = XCR0.toString(16);
const lessState = (size: string): string => String(Number(size) - RECORDED_XSTATE + xstateSize(XCR0));

const smallerXstate: readonly Exception[] = [
  instead('the CPU has fewer state components', /\b(ext_size|ext|xsize|dist_to_old_sp)=(\d+)/g, (_all, name, size) => {
    return `${name}=${lessState(size!)}`;
  }),
  instead('the CPU has fewer state components', /xfeat=(0:)?e7/g, (_all, high = '') => `xfeat=${high}${XFEATURES}`),
];

// ---- (b) signal frames

const frameVaries: readonly Variation[] = [
  // Where the stack was.
  [/dist_to_old_sp=(\d+)/g, (_all, d) => `dist_to_old_sp=${Number(d) - (Number(d) % 64)}`],
  [/r8=[1-9]\d/g, 'r8=STRLEN'],
  [/(rip\(\+176\)|eip|esp|esp_sig|edx=[1-9a-f][0-9a-f]{5} ecx)=[0-9a-f]{6}/g, '$1=ADDR'],
  [/edx=[0-9a-f]{6} /g, 'edx=ADDR '],
  // Lines of words: addresses of the program, its pid, and a register that the compiler chose.
  [/^( {5}.*)$/gm, '$1 '],
  [/\b4[0-9a-f]{5} /g, 'ADDR '],
  [/^( {5}\w+ a 0 0 0 0) \w+ a [01] (ADDR) \w+ /gm, '$1 PID a BP $2 PID '],
  [/^( {5}\w+ a ADDR ADDR a 0 0) \w+ /gm, '$1 PID '],
  [/^( {5}0 0 0 0 0 0) \w+ a [01] ADDR \w+ /gm, '$1 PID a BP ADDR PID '],
  // The 32-bit address of a stub, cut from a 64-bit one.
  [/^( {5})[0-9a-f]{5}[67][0-9a-f]0 a/gm, '$1STUB a'],
  [/pretcode=[0-9a-f]{5}[67][0-9a-f]0/g, 'pretcode=STUB'],
];

/** Handlers that 64-bit code sets by int 0x80 have the frames of those that it sets by syscall. */
const asBySyscall: Exception = {
  reason: 'the series does not mark a handler that is set with CS 0x33; the check is gone since v4.10',
  change: (text) => {
    const all = sections(text, /\n\n(?===)/);
    const bodyOf = (heading: string): string => {
      const section = all.find((s) => s.includes(heading))!;
      return section.slice(section.indexOf('\n'));
    };
    return all
      .map((section) => {
        const how = /by INT80\(174\) from CS 0x33, (signal in \S+, (no restorer|SA_RESTORER))/.exec(section);
        return how ? section.slice(0, section.indexOf('\n')) + bodyOf(`by SYSCALL(13), ${how[1]}`) : section;
      })
      .join('\n\n');
  },
};

const frames = (kernel: string, exceptions: readonly Exception[]): Recording => ({
  file: 'b_sigframe.txt',
  program: 'sigframe',
  kernel,
  varies: frameVaries,
  exceptions: [...smallerXstate, instead(R8_ZERO, /r8=STRLEN(?=.*000000000023)/g, 'r8=0'), ...exceptions],
});

export const RECORDINGS: readonly Recording[] = [
  { file: 'offs64.txt', program: 'offs64', kernel: 'compat-cr', varies: [], exceptions: [] },
  { file: 'offs32.txt', program: 'offs32', kernel: 'compat-cr', varies: [], exceptions: [] },
  frames('v4.12', []),
  frames('v4.9', [asBySyscall]),
  frames('compat-cr', [
    asBySyscall,
    instead(
      'the series as posted gives SA_IA32_ABI back in oldact',
      /(from CS 0x23,.* flags=4)([04])/g,
      (_all, before, digit) => `${before}${digit === '0' ? 2 : 6}`,
    ),
  ]),
  {
    file: 'f_int80.txt',
    program: 'f_int80',
    kernel: 'compat-cr',
    varies: [
      [/&hi=\S+/, '&hi=ADDR'],
      [/-> \d+, pid \d+/, '-> PID, pid PID'],
      [/brk\(0\) int80 = 0*([0-9a-f]+) ; sbrk\(0\)=0x\1$/m, 'brk(0) int80 = sbrk(0)'],
      [/(int80 from CS 0x33|nr90) = 00000000f7[0-9a-f]{6}/g, '$1 = low'],
      [/(int80 from CS 0x33|nr90) = 00007f[0-9a-f]{10}/g, '$1 = high'],
      [/(mmap by syscall) = 0x7f[0-9a-f]{10}/, '$1 = high'],
    ],
    exceptions: [
      instead('mmap by int 0x80 from a 64-bit program: above 4 GiB before v4.12', /= low$/gm, '= high'),
      instead('there is no arch_prctl(2) for i386 before v4.12', /int80=-22/, 'int80=-38'),
      instead(R8_ZERO, /r8=.* r11=\w+/, 'r8=0 r9=0 r10=0 r11=0'),
    ],
  },
  {
    file: 'f_int80.txt',
    program: 'f_int80',
    kernel: 'v4.12',
    varies: [
      [/&hi=\S+/, '&hi=ADDR'],
      [/-> \d+, pid \d+/, '-> PID, pid PID'],
      [/brk\(0\) int80 = 0*([0-9a-f]+) ; sbrk\(0\)=0x\1$/m, 'brk(0) int80 = sbrk(0)'],
      [/= 00000000f7[0-9a-f]{6}/g, '= low'],
      [/(mmap by syscall) = 0x7f[0-9a-f]{10}/, '$1 = high'],
    ],
    exceptions: [
      instead('not modelled in the kernel v4.12: arch_prctl(2) for i386', /int80=-22/, 'int80=-38'),
      instead(R8_ZERO, /r8=.* r11=\w+/, 'r8=0 r9=0 r10=0 r11=0'),
    ],
  },
  {
    file: 'i_waitid80.txt',
    program: 'waitid80',
    kernel: 'compat-cr',
    varies: [[/\+12=\w+/, '+12=PID']],
    exceptions: [],
  },
  {
    file: 'i_sigtw80.txt',
    program: 'sigtw80',
    kernel: 'compat-cr',
    varies: [
      [/\+12=\w+/, '+12=PID'],
      [/\+24=0{6}[0-9a-f]{2} /, '+24=TIME '],
    ],
    exceptions: [],
  },
  {
    file: 'j_gdt32.txt',
    program: 'gdt32',
    kernel: 'compat-cr',
    varies: [[/base=8\w{6} /, 'base=TLS ']],
    exceptions: [],
  },
  {
    file: 'j_gdt64.txt',
    program: 'gdt64',
    kernel: 'compat-cr',
    varies: [],
    exceptions: [instead('the recording was made on CPU 1; the model has one', /limit=00000001/, 'limit=00000000')],
  },
  ...VDSO_RECORDINGS,
  ...TRACER_RECORDINGS,
];
