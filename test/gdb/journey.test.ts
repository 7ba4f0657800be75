/** Stock gdb on a real image, from the first instruction of the restorer to the end of the 32-bit program. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { gdbOn, haveGdb, type ServerProcess, startServer } from '../helpers/gdb.ts';
import { unpackImageSet } from '../helpers/image-sets.ts';

type ImageSet = ReturnType<typeof unpackImageSet>;

const NAME = 'counter32-static';
const PROGRAM = `/srv/tasks/${NAME}/counter-m32s`;

/** Goes on within the function up to its next call. */
const TO_NEXT_CALL =
  'python [gdb.execute("nexti", to_string=True) for _ in range(50) if "call" not in gdb.execute("x/i $pc", to_string=True)]';

describe('gdb on a restored 32-bit task', function () {
  this.timeout(240_000);
  let set: ImageSet;
  let server: ServerProcess;

  const upper = (): string => join(set.path, 'upper');
  const output = (): string => readFileSync(join(upper(), 'srv', 'tasks', NAME, 'out.txt'), 'utf8');
  const expected = (): string =>
    readFileSync(join(set.path, 'root', 'srv', 'tasks', NAME, 'out.txt'), 'utf8') +
    readFileSync(join(set.path, 'expected.txt'), 'utf8');
  /** What gdb prints from a marker `echo` on. */
  const fromMarker = (text: string, marker: string): string => text.slice(text.indexOf(`<${marker}>`));

  beforeEach(async function () {
    if (!haveGdb()) this.skip();
    set = unpackImageSet(NAME);
    const args = ['--root', join(set.path, 'root'), '--upper', upper(), join(set.path, 'images')];
    server = await startServer('restore', args);
  });
  afterEach(async () => {
    await server?.stop();
    set?.remove();
  });

  describe('before the switch', () => {
    it('shows 64-bit code with the names of the blob', async () => {
      const text = await gdbOn(server, [
        'x/2i $pc',
        'info symbol $pc',
        'p/x $cs',
        'stepi',
        'info registers rip rsp',
        'show architecture',
      ]);
      expect(text, text).to.match(/=> 0x[0-9a-f]+ <restorer_start>:/);
      expect(text, text).to.include('restorer_start in section .text');
      expect(text, text).to.include('= 0x33');
      expect(text, text).to.match(/rip +0x[0-9a-f]+ +0x[0-9a-f]+ <restorer_start\+\d+>/);
      expect(text, text).to.include('"i386:x86-64"');
    });

    it('breakpoints of every kind, bt, finish, nexti over a call', async () => {
      const text = await gdbOn(server, [
        'break restorer_unmap_old',
        'tbreak restorer_map_vdso',
        'hbreak restorer_map_memory',
        'continue',
        'bt 2',
        'finish',
        'continue',
        'info breakpoints',
        'continue',
        'delete',
        'tbreak restorer_read_pages',
        'continue',
        'finish',
        TO_NEXT_CALL,
        'echo <nexti>\\n',
        'x/i $pc',
        'nexti',
        'info symbol $pc',
      ]);
      expect(text, text).to.match(/Breakpoint 1, restorer_unmap_old \(/);
      expect(text, text).to.match(/#0 +restorer_unmap_old .*\n#1 +0x[0-9a-f]{16} in restorer_task /);
      expect(text, text).to.match(/\nrestorer_task \(task=0x[0-9a-f]+\) at restorer\.c/);
      expect(text, text).to.match(/Temporary breakpoint 2, restorer_map_vdso \(/);
      expect(text, text).to.match(/Breakpoint 3, restorer_map_memory \(/);
      expect(fromMarker(text, 'nexti')).to.match(/call .*<restorer_\w+>[\s\S]*restorer_task \+ \d+ in section/);
    });

    it('info files, info auxv, info proc mappings, watch', async () => {
      const text = await gdbOn(server, [
        'info files',
        'info auxv',
        'info proc mappings',
        'info proc',
        'watch *(long *)0x17ff8',
        'continue',
      ]);
      expect(text, text).to.include(`target:${PROGRAM}', file type elf32-i386`);
      expect(text, text).to.include('[vdso]');
      expect(text, text).to.match(/process 16921/);
      expect(text, text).to.match(
        /Hardware watchpoint 1: .*\n[\s\S]*Hardware watchpoint 1: [\s\S]*Old value = 0\nNew value = \d+/,
      );
    });

    it('catches the system call that maps the vDSO', async () => {
      const text = await gdbOn(server, ['catch syscall arch_prctl', 'continue', 'p/x $rdi', 'continue', 'p $rax']);
      expect(text, text).to.match(/call to syscall arch_prctl/);
      expect(text, text).to.include('= 0x2002');
      expect(text, text).to.match(/returned from syscall arch_prctl/);
    });
  });

  describe('the switch', () => {
    it('is followed by stepi', async () => {
      const text = await gdbOn(server, [
        'tbreak restorer_to_compat',
        'continue',
        'x/i $pc',
        'stepi',
        'p/x $cs',
        'show architecture',
        'info registers eip',
        'stepi',
        'bt 1',
      ]);
      expect(text, text).to.match(/\[CS is 0x23: gdb follows as i386\]\n=> 0x[0-9a-f]{5,8} <restorer_compat>:/);
      expect(text, text).to.include('= 0x23');
      expect(text, text).to.include('"i386"');
      expect(text, text).to.match(/eip +0x[0-9a-f]+ /);
      expect(text, text).not.to.match(/rror|arning: .*tdesc/);
    });

    it('stops continue once in each direction', async () => {
      const text = await gdbOn(server, ['continue', 'p/x $cs', 'continue']);
      expect(text, text).to.match(/Program stopped\.\nrestorer_compat \(\) at/);
      expect(text, text).to.include('[CS is 0x23: gdb follows as i386]');
      expect(text, text).to.match(/exited normally/);
      expect(output()).to.equal(expected());
      expect(await server.ended).to.equal(0);
    });

    it('can be followed by hand', async () => {
      const text = await gdbOn(
        server,
        ['continue', 'p/x $cs', 'unset tdesc filename', 'x/2i $pc', 'info registers eip', 'stepi', 'continue'],
        true,
      );
      expect(text, text).to.include('Program stopped.');
      expect(text, text).to.match(/eip +0x/);
      expect(text, text).to.match(/exited normally/);
      expect(output()).to.equal(expected());
    });

    it('does nothing bad to whoever does not follow', async () => {
      const text = await gdbOn(server, ['continue', 'info registers rip cs', 'stepi', 'continue'], true);
      expect(text, text).to.match(/rip +0x/);
      expect(text, text).to.match(/cs +0x23/);
      expect(text, text).to.match(/exited normally/);
    });

    it('can be silent', async () => {
      const text = await gdbOn(server, ['monitor cs-switch silent', 'continue']);
      expect(text, text).not.to.include('Program stopped.');
      expect(text, text).to.match(/exited normally/);
    });

    it('can look like an exec', async () => {
      const text = await gdbOn(server, [
        'monitor cs-switch exec',
        'catch exec',
        'continue',
        'p/x $cs',
        'x/i $pc',
        'continue',
      ]);
      expect(text, text).to.include(`exec'd target:${PROGRAM}`.replace('target:', '')).and.to.include('= 0x23');
      expect(text, text).to.match(/exited normally/);
    });
  });

  describe('the 32-bit program', () => {
    const ARRIVE = ['tbreak restorer_compat_sigreturn', 'continue', 'continue', 'tbreak nanosleep', 'continue'];

    it('bt, variables, info registers, up', async () => {
      const text = await gdbOn(server, [
        ...ARRIVE,
        'bt',
        'frame 2',
        'p i',
        'p/x sum',
        'p last',
        'info locals',
        'info registers',
      ]);
      expect(text, text).to.match(/#1 +0x[0-9a-f]{8} in nap_ms .*\n#2 +main \(\) at counter\.c:\d+/);
      expect(text, text).to.match(/\$1 = 7\n\$2 = 0xb44ff9c5/);
      expect(text, text).to.match(/\$3 = \{s = 3162, ns = \d+\}/);
      expect(text, text).to.match(/eip +0x[0-9a-f]+ +0x[0-9a-f]+ <main\+\d+>/);
    });

    it('finish, nexti over a call, next over a line, stepi, x/i', async () => {
      const text = await gdbOn(server, [
        ...ARRIVE,
        'finish',
        'echo <nexti>\\n',
        'tbreak dprintf',
        'continue',
        'finish',
        TO_NEXT_CALL,
        'x/i $pc',
        'nexti',
        'info symbol $pc',
        'stepi',
        'tbreak counter.c:19',
        'continue',
        'echo <next>\\n',
        'next',
        'next',
        'bt 1',
      ]);
      expect(text, text).to.match(/\n0x[0-9a-f]{8} in nap_ms \(ms=100\) at/);
      expect(fromMarker(text, 'nexti')).to.match(/breakpoint \d+, 0x[0-9a-f]{8} in dprintf \(\)/);
      expect(fromMarker(text, 'nexti')).to.match(/call .*<\w+>[\s\S]*main \+ \d+ in section/);
      expect(fromMarker(text, 'next')).to.match(/#0 .*main \(\) at counter\.c/);
    });

    it('watch, hbreak, break with a condition', async () => {
      const text = await gdbOn(server, [
        ...ARRIVE,
        'frame 2',
        'watch -location v.ns',
        'continue',
        'bt',
        'continue',
        'bt',
        'delete',
        'hbreak *nanosleep if $esp > 0x1000',
        'continue',
        'delete',
        'break *dprintf if *(int *)($esp + 4) == 2',
        'continue',
        'p *(int *)($esp + 4)',
      ]);
      expect(text, text).to.match(/Hardware watchpoint \d+: -location v\.ns\n\nOld value = \d+\nNew value = 0\n/);
      expect(text, text).to.match(
        /Old value = 0\nNew value = \d+\n[\s\S]*#0 .*__vdso_clock_gettime \(\)\n#1 .*main \(\) at/,
      );
      expect(text, text).to.match(/Breakpoint \d+, 0x[0-9a-f]{8} in nanosleep/);
      expect(text, text).to.match(/Breakpoint \d+, 0x[0-9a-f]{8} in dprintf/);
      expect(text, text).to.match(/\$1 = 2\n/);
    });

    it('calls functions', async () => {
      const text = await gdbOn(server, [...ARRIVE, 'p (int)getpid()', 'p $_siginfo.si_signo', 'continue']);
      expect(text, text).to.include('$1 = 16921');
      expect(text, text).to.match(/exited normally/);
    });

    it('info proc mappings, info auxv, info files', async () => {
      const text = await gdbOn(server, [...ARRIVE, 'info proc mappings', 'info auxv', 'info files', 'monitor tasks']);
      expect(text, text).to.include('[vdso]').and.to.include('[heap]').and.to.include('[stack]');
      expect(text, text).to.match(/AT_ENTRY +Entry point of program +0x8049/);
      expect(text, text).to.match(/0x08049[0-9a-f]+ - 0x[0-9a-f]+ is \.text/);
      expect(text, text).to.match(/16921 .* 23 /);
    });
  });

  it('detach and reconnect', async () => {
    await gdbOn(server, ['tbreak restorer_map_vdso', 'continue', 'detach']);
    const second = await gdbOn(server, ['info symbol $pc', 'continue', 'disconnect']);
    expect(second, second).to.match(/restorer_map_vdso/);
    expect(second, second).to.include('[CS is 0x23: gdb follows as i386]');
    const third = await gdbOn(server, ['p/x $cs', 'x/i $pc', 'continue']);
    expect(third, third).to.include('= 0x23');
    expect(third, third).to.match(/exited normally/);
    expect(output()).to.equal(expected());
  });
});
