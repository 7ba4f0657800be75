/** What gdb and monitor show of patches 0004, 0005 and 0006 for a task whose CS is not that of its program. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { buildC, haveGcc } from '../helpers/build.ts';
import { gdbOn, haveGdb, startServer } from '../helpers/gdb.ts';

const RAW = ['-nostdlib', '-static', '-no-pie', '-ffreestanding', '-x', 'assembler-with-cpp'];

/** Goes to CS 0x23, sets a handler by int 0x80 there, and sends itself the signal. */
const TO_32 = `
 .globl _start
_start: mov $stack, %esp
 pushq $0x23
 pushq $1f
 lretq
 .code32
 .globl in32
1: mov $67, %eax
 mov $10, %ebx
 mov $act, %ecx
 xor %edx, %edx
 int $0x80
in32: nop
 mov $20, %eax
 int $0x80
 mov %eax, %ebx
 mov $10, %ecx
 mov $37, %eax
 int $0x80
 .globl handler
handler: mov $1, %eax
 mov $0, %ebx
 int $0x80
 .data
act: .long handler, 0, 0x04000000, handler
 .bss
 .skip 8192
stack: .skip 64
`;

/** An i386 program at CS 0x33. */
const TO_64 = `
 .globl _start
 .code32
_start: ljmp $0x33, $in64
 .code64
 .globl in64
in64: movabs $0xf0f1f2f3f4f5f6f7, %r9
 nop
 mov $60, %eax
 syscall
`;

describe('gdb and monitor, patch by patch', () => {
  let to32: string;
  let to64: string;
  before(function () {
    if (!haveGdb() || !haveGcc()) this.skip();
    to32 = buildC('to32', TO_32, ['-m64', ...RAW]);
    to64 = buildC('to64', TO_64, ['-m32', ...RAW]);
  });

  const talk = async (program: string, patches: string, commands: readonly string[]): Promise<string> => {
    const server = await startServer('exec', ['--patches', patches, program]);
    try {
      return await gdbOn(server, commands);
    } finally {
      await server.stop();
    }
  };
  const notes = (core: string): string => execFileSync('readelf', ['-hn', core], { encoding: 'utf8' });

  it('0004: the core of an i386 program at CS 0x33 has room for its registers', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'patches-'));
    for (const [patches, size] of [
      ['0005', 144],
      ['0004,0005', 296],
    ] as const) {
      const core = join(dir, `core.${size}`);
      const text = await talk(to64, patches, [
        'tbreak in64',
        'continue',
        'stepi',
        'monitor regset',
        `monitor dump-core ${core}`,
      ]);
      expect(text, text).to.include(`a core file is ELF32 EM_X86_64, with ${size} bytes of NT_PRSTATUS`);
      expect(notes(core)).to.match(new RegExp(`CORE +0x0*${size.toString(16)}\\tNT_PRSTATUS`));
    }
    // Without 0005 it shows nothing, nor for the task that went the other way.
    for (const patches of ['none', '0004']) {
      const text = await talk(to64, patches, ['tbreak in64', 'continue', 'monitor regset']);
      expect(text, text).to.include('a core file is ELF32 EM_386, with 144 bytes of NT_PRSTATUS');
    }
    for (const patches of ['0005', '0004,0005']) {
      const text = await talk(to32, patches, ['tbreak in32', 'continue', 'monitor regset']);
      expect(text, text).to.include('a core file is ELF64 EM_386, with 336 bytes of NT_PRSTATUS');
    }
  });

  it('0005: a tracer gets the registers of the code', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'patches-'));
    const core = join(dir, 'core');
    const commands = ['tbreak in32', 'continue', 'p/x $cs', 'monitor regset', `monitor dump-core ${core}`];
    const before = await talk(to32, 'none', commands);
    expect(before, before).to.match(/= 0x23\n/);
    expect(before, before).to.include('CS 0x23, TIF_IA32 clear').and.to.include('gets the x86_64 registers');
    expect(before, before).to.match(/bytes of each set: prstatus 216, prfpreg 512, /);
    expect(notes(core)).to.match(/Machine: +Advanced Micro Devices X86-64/);
    const after = await talk(to32, '0005', commands);
    expect(after, after).to.include('gets the i386 registers');
    expect(after, after).to.match(/bytes of each set: prstatus 68, prfpreg 108, prxfpreg 512, /);
    expect(notes(core))
      .to.match(/Machine: +Intel 80386/)
      .and.to.match(/NT_PRXFPREG/);
  });

  it('0006: a handler that 32-bit code set runs as 32-bit code', async () => {
    const commands = [
      'tbreak in32',
      'continue',
      'continue',
      'monitor handlers',
      'handle SIGUSR1 nostop noprint pass',
      'tbreak handler',
      'continue',
      'p/x $cs',
      'p/x (long)$sp % 16',
    ];
    const before = await talk(to32, 'none', commands);
    expect(before, before).to.match(/^SIGUSR1 +0x\w+ +0x4000000 +SA_RESTORER +64-bit$/m);
    expect(before, before).to.match(/= 0x33\n.*= 0x8\n/);
    const after = await talk(to32, '0006', commands);
    expect(after, after).to.match(/^SIGUSR1 +0x\w+ +0x6000000 +SA_RESTORER\|SA_IA32_ABI +i386$/m);
    expect(after, after).to.match(/= 0x23\n.*= 0xc\n/);
  });

  it('monitor patches and monitor fail', async () => {
    const text = await talk(to32, '0002,0003', [
      'monitor patches',
      'monitor patches 0003',
      'monitor patches 9999',
      'monitor fail vvar',
      'monitor fail disk',
    ]);
    expect(text, text).to.match(/^0001 +off +x86\/vdso: unmap vdso blob.* replaces vvar_map_failed$/m);
    expect(text, text).to.match(/^0003 +on +.* replaces arch_prctl$/m);
    expect(text, text).to.match(
      /^0003, on: x86\/arch_prctl\/vdso: add ARCH_MAP_VDSO_\*\nreplaces: arch_prctl\nA restorer is/m,
    );
    expect(text, text).to.include("kernel compat-cr has no patch '9999'");
    expect(text, text).to.include('the next mapping of [vvar] fails with -ENOMEM, once');
    expect(text, text).to.include('nothing else can be made to fail');
  });
});
