/** What NT_PRSTATUS holds: every kind of task by every combination of patches 0004 and 0005. */
import { expect } from 'chai';
import { ELFCLASS32, ELFCLASS64, EM_386, EM_X86_64 } from '../../../linux/abi/elf.ts';
import { NT_AUXV, NT_FILE, NT_PRPSINFO, NT_SIGINFO } from '../../../linux/abi/elfcore.ts';
import { NT_PRFPREG, NT_PRSTATUS, NT_PRXFPREG, NT_X86_XSTATE } from '../../../linux/abi/ptrace.ts';
import { buildC, haveGcc } from '../../helpers/build.ts';
import { type CoreFile, readCore } from '../../helpers/core-file.ts';
import { runProgram } from '../helpers/run-guest.ts';

const RAW = ['-nostdlib', '-static', '-no-pie', '-ffreestanding', '-x', 'assembler-with-cpp'];
const UNLIMITED = 2n ** 64n - 1n;

/** 64-bit registers that only a 64-bit view can show, then a crash in the CS that CROSS says. */
const CRASH64 = `
 .globl _start
_start: movabs $0x1111222233334444, %r8
 movabs $0xf0f1f2f3f4f5f6f7, %r15
 movabs $0xa0a1a2a3a4a5a6a7, %r9
 mov $0x12345678, %ebx
#ifdef CROSS
 mov $stack, %esp
 pushq $0x23
 pushq $1f
 lretq
 .code32
1: mov $0x55667788, %edx
#endif
 ud2
 .bss
 .skip 4096
stack: .skip 64
`;
const CRASH32 = `
 .globl _start
 .code32
_start: mov $0x12345678, %ebx
 mov $0x55667788, %edx
#ifdef CROSS
 ljmp $0x33, $1f
 .code64
1: movabs $0x1111222233334444, %r8
 movabs $0xf0f1f2f3f4f5f6f7, %r15
 movabs $0xa0a1a2a3a4a5a6a7, %r9
#endif
 ud2
`;

/** Two threads of a 64-bit program: one with CS 0x33, one with 0x23. The one that COMPAT names crashes. */
const THREADS = `
 .globl _start
_start: mov $56, %eax
 mov $0x50f00, %edi
 mov $stack, %esi
 xor %edx, %edx
 xor %r10d, %r10d
 xor %r8d, %r8d
 syscall
 mov $0x12345678, %ebx
 test %eax, %eax
 jz child
 mov $stack - 2048, %esp
 pushq $0x23
 pushq $1f
 lretq
 .code32
#ifdef COMPAT
1: mov $1000000, %ecx
2: loop 2b
 ud2
#else
1: jmp 1b
#endif
 .code64
#ifdef COMPAT
child: jmp child
#else
child: mov $1000000, %ecx
2: loop 2b
 ud2
#endif
 .bss
 .skip 4096
stack: .skip 64
`;

interface Expected {
  readonly class: number;
  readonly machine: number;
  /** Bytes of NT_PRSTATUS, and where pr_reg and pr_fpvalid stand. */
  readonly size: number;
  readonly reg: number;
  readonly fpvalid: number;
  /** Which registers pr_reg has: 27 words, 17 words, or the 64 bytes of 27 words that found room. */
  readonly regs: '64' | '32' | 'cut';
}

const amd64: Expected = { class: ELFCLASS64, machine: EM_X86_64, size: 336, reg: 112, fpvalid: 328, regs: '64' };
const i386: Expected = { class: ELFCLASS32, machine: EM_386, size: 144, reg: 72, fpvalid: 140, regs: '32' };
const x32: Expected = { class: ELFCLASS32, machine: EM_X86_64, size: 296, reg: 72, fpvalid: 288, regs: '64' };

/** The columns, and kernels that are alike. */
const COMBINATIONS = [
  { kernel: 'compat-cr', patches: 'none', column: 0 },
  { kernel: 'compat-cr', patches: '0004', column: 1 },
  { kernel: 'compat-cr', patches: '0005', column: 2 },
  { kernel: 'compat-cr', patches: '0004,0005', column: 3 },
  { kernel: 'v4.7-rc1', patches: 'all', column: 0 },
  { kernel: 'compat-cr', patches: 'all', column: 3 },
  { kernel: 'v4.9', patches: 'all', column: 3 },
  { kernel: 'v4.12', patches: 'all', column: 3 },
] as const;

/** A row per kind of task, a column per combination. */
const TABLE: Readonly<Record<string, { cs: number; columns: readonly Expected[] }>> = {
  crash64: { cs: 0x33, columns: [amd64, amd64, amd64, amd64] },
  crash32: { cs: 0x23, columns: [i386, i386, i386, i386] },
  crashx32: { cs: 0x33, columns: [x32, x32, x32, x32] },
  crash64to32: {
    cs: 0x23,
    columns: [amd64, amd64, { ...amd64, machine: EM_386, regs: '32' }, { ...amd64, machine: EM_386, regs: '32' }],
  },
  crash32to64: { cs: 0x33, columns: [i386, i386, { ...i386, machine: EM_X86_64, regs: 'cut' }, x32] },
};

/** The notes of a view, in order, with the size of each that has one. */
const notesOf = (expected: Expected): (readonly [string, number, number?])[] => [
  ['CORE', NT_PRSTATUS, expected.size],
  ['CORE', NT_PRPSINFO, expected.class === ELFCLASS64 ? 136 : 124],
  ['CORE', NT_SIGINFO, 128],
  ['CORE', NT_AUXV],
  ['CORE', NT_FILE],
  ...(expected.machine === EM_386
    ? ([
        ['CORE', NT_PRFPREG, 108],
        ['LINUX', NT_PRXFPREG, 512],
      ] as const)
    : ([['CORE', NT_PRFPREG, 512]] as const)),
  ['LINUX', NT_X86_XSTATE],
];

describe('core dumps: the table of patches 0004 and 0005', () => {
  const programs: Record<string, string> = {};
  before(function () {
    if (!haveGcc()) this.skip();
    programs['crash64'] = buildC('crash64', CRASH64, ['-m64', ...RAW]);
    programs['crash64to32'] = buildC('crash64to32', CRASH64, ['-m64', '-DCROSS', ...RAW]);
    programs['crash32'] = buildC('crash32', CRASH32, ['-m32', ...RAW]);
    programs['crash32to64'] = buildC('crash32to64', CRASH32, ['-m32', '-DCROSS', ...RAW]);
    programs['crashx32'] = buildC('crashx32', CRASH64, ['-mx32', ...RAW]);
  });

  const dump = (name: string, kernel: string, patches: string): CoreFile => {
    const run = runProgram(programs[name]!, { core: UNLIMITED, kernel, patches });
    expect(run.status).to.equal(4 | 0x80);
    return readCore(run.read('/tmp/core'));
  };

  for (const [name, { cs, columns }] of Object.entries(TABLE)) {
    for (const { kernel, patches, column } of COMBINATIONS) {
      const expected = columns[column]!;
      it(`${name}, ${kernel}, patches ${patches}: ${expected.size} bytes, ${expected.regs} registers`, () => {
        const core = dump(name, kernel, patches);
        expect(core.class).to.equal(expected.class);
        expect(core.machine).to.equal(expected.machine);
        const wanted = notesOf(expected);
        expect(core.notes.map((n) => [n.owner, n.type])).to.deep.equal(wanted.map(([owner, type]) => [owner, type]));
        wanted.forEach(([, type, size], k) => {
          if (size !== undefined) expect(core.notes[k]!.desc.length, `note ${type}`).to.equal(size);
        });
        const prstatus = core.note(NT_PRSTATUS);
        expect(prstatus.readUInt32LE(expected.fpvalid)).to.equal(1);
        checkRegisters(prstatus.subarray(expected.reg), expected, cs, name);
      });
    }
  }
});

describe('core dumps: threads with different CS', () => {
  const core = (compat: boolean, patches: string): CoreFile => {
    const program = buildC('mixed', THREADS, ['-m64', ...(compat ? ['-DCOMPAT'] : []), ...RAW]);
    const run = runProgram(program, { core: UNLIMITED, kernel: 'compat-cr', patches });
    expect(run.status).to.equal(4 | 0x80);
    return readCore(run.read('/tmp/core'));
  };
  /** CS of each thread, the dead one first, and EBX, which stands where the view has it. */
  const threads = (file: CoreFile): number[][] =>
    file.notes
      .filter((n) => n.type === NT_PRSTATUS)
      .map(({ desc }) => {
        expect(desc.length).to.equal(336);
        const [ebx, cs] = file.machine === EM_386 ? [112, 112 + 52] : [112 + 40, 112 + 136];
        return [desc.readUInt32LE(cs!), desc.readUInt32LE(ebx!)];
      });
  before(function () {
    if (!haveGcc()) this.skip();
  });

  it('before 0005 the view is that of the program, with it that of the thread that dumps, for all threads', () => {
    const ebx = 0x12345678;
    for (const compat of [true, false]) {
      const order = compat ? [0x23, 0x33] : [0x33, 0x23];
      for (const patches of ['none', '0005', '0004,0005']) {
        const file = core(compat, patches);
        expect(file.machine).to.equal(compat && patches !== 'none' ? EM_386 : EM_X86_64);
        expect(threads(file)).to.deep.equal(order.map((cs) => [cs, ebx]));
      }
    }
  });
});

function checkRegisters(regs: Buffer, expected: Expected, cs: number, name: string): void {
  const wide = cs === 0x33;
  switch (expected.regs) {
    case '64':
      expect(regs.readBigUInt64LE(0)).to.equal(0xf0f1f2f3f4f5f6f7n);
      expect(regs.readBigUInt64LE(64)).to.equal(0xa0a1a2a3a4a5a6a7n);
      expect(regs.readBigUInt64LE(40)).to.equal(0x12345678n);
      expect(regs.readBigUInt64LE(136)).to.equal(BigInt(cs));
      break;
    case '32':
      expect(regs.readUInt32LE(0)).to.equal(0x12345678);
      if (!wide || name === 'crash32') expect(regs.readUInt32LE(8)).to.equal(0x55667788);
      expect(regs.readUInt32LE(52)).to.equal(cs);
      // Room that the 17 words leave is zero.
      expect(regs.subarray(68, expected.fpvalid - expected.reg).every((byte) => byte === 0)).to.equal(true);
      break;
    case 'cut':
      expect(regs.readBigUInt64LE(0)).to.equal(0xf0f1f2f3f4f5f6f7n);
      expect(regs.readBigUInt64LE(40)).to.equal(0x12345678n);
      // genregs_get() copies whole words only: nothing of r9.
      expect(regs.readUInt32LE(64)).to.equal(0);
      break;
  }
}
