/** Stock gdb on a real image, from the first instruction of the restorer to the end of the 32-bit program. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { gdbOn, haveGdb, type ServerProcess, startServer } from '../helpers/gdb.ts';
import { unpackImageSet } from '../helpers/image-sets.ts';

type ImageSet = ReturnType<typeof unpackImageSet>;

const NAME = 'counter32-static';
const PROGRAM = `/srv/tasks/${NAME}/counter-m32s`;

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
  const after = (text: string, marker: string): string => text.slice(text.indexOf(`<${marker}>`));

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
      expect(text).to.match(/=> 0x[0-9a-f]+ <restorer_start>:/);
      expect(text).to.include('restorer_start in section .text');
      expect(text).to.include('= 0x33');
      expect(text).to.match(/rip +0x[0-9a-f]+ +0x[0-9a-f]+ <restorer_start\+\d+>/);
      expect(text).to.include('"i386:x86-64"');
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
        'tbreak restorer_task',
        'echo <nexti>\\n',
        'finish',
        'nexti',
        'info symbol $pc',
      ]);
      expect(text).to.match(/Breakpoint 1, 0x[0-9a-f]+ in restorer_unmap_old/);
      expect(text).to.match(/#0 .*restorer_unmap_old.*\n#1 .*restorer_task/);
      expect(text).to.match(/Run till exit.*\n(0x[0-9a-f]+ in restorer_task)/);
      expect(text).to.match(/Temporary breakpoint 2, 0x[0-9a-f]+ in restorer_map_vdso/);
      expect(text).to.match(/Breakpoint 3, 0x[0-9a-f]+ in restorer_map_memory/);
      expect(after(text, 'nexti')).to.include('restorer_task');
    });

    it('info files, info auxv, info proc mappings, watch', async () => {
      const text = await gdbOn(server, [
        'info files',
        'info auxv',
        'info proc mappings',
        'info proc',
        'watch *(long *)($rsp - 8)',
        'continue',
      ]);
      expect(text).to.include(`target:${PROGRAM}', file type elf32-i386`);
      expect(text).to.include('[vdso]');
      expect(text).to.match(/process 16921/);
      expect(text).to.match(/Hardware watchpoint 1/);
    });

    it('catches the system call that maps the vDSO', async () => {
      const text = await gdbOn(server, ['catch syscall arch_prctl', 'continue', 'p/x $rdi', 'continue', 'p $rax']);
      expect(text).to.match(/call to syscall arch_prctl/);
      expect(text).to.include('= 0x2002');
      expect(text).to.match(/returned from syscall arch_prctl/);
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
      expect(text).to.match(/\[CS is 0x23: gdb follows as i386\]\n=> 0x[0-9a-f]{8} <restorer_compat.*>:/);
      expect(text).to.include('= 0x23');
      expect(text).to.include('"i386"');
      expect(text).to.match(/eip +0x[0-9a-f]+ /);
      expect(text).not.to.match(/rror|arning: .*tdesc/);
    });

    it('stops continue once in each direction', async () => {
      const text = await gdbOn(server, ['continue', 'p/x $cs', 'continue']);
      expect(text).to.match(/Program stopped\.\n0x[0-9a-f]+ in restorer_compat/);
      expect(text).to.include('[CS is 0x23: gdb follows as i386]');
      expect(text).to.match(/exited normally/);
      expect(output()).to.equal(expected());
      expect(await server.ended).to.equal(0);
    });

    it('can be followed by hand', async () => {
      const text = await gdbOn(
        server,
        ['continue', 'p/x $cs', 'unset tdesc filename', 'x/2i $pc', 'info registers eip', 'stepi', 'continue'],
        true,
      );
      expect(text).to.include('Program stopped.');
      expect(text).to.match(/eip +0x/);
      expect(text).to.match(/exited normally/);
      expect(output()).to.equal(expected());
    });

    it('does nothing bad to whoever does not follow', async () => {
      const text = await gdbOn(server, ['continue', 'info registers rip cs', 'stepi', 'continue'], true);
      expect(text).to.match(/rip +0x/);
      expect(text).to.match(/cs +0x23/);
      expect(text).to.match(/exited normally/);
    });

    it('can be silent', async () => {
      const text = await gdbOn(server, ['monitor cs-switch silent', 'continue']);
      expect(text).not.to.include('Program stopped.');
      expect(text).to.match(/exited normally/);
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
      expect(text).to.include(`exec'd target:${PROGRAM}`.replace('target:', '')).and.to.include('= 0x23');
      expect(text).to.match(/exited normally/);
    });
  });

  describe('the 32-bit program', () => {
    const ARRIVE = ['tbreak restorer_compat_sigreturn', 'continue', 'continue', 'tbreak nanosleep', 'continue'];

    it('bt, variables, info registers, up', async () => {
      const text = await gdbOn(server, [
        ...ARRIVE,
        'bt',
        'frame function main',
        'p i',
        'p/x sum',
        'p last',
        'info locals',
        'info registers',
      ]);
      expect(text).to.match(/#\d+ +0x[0-9a-f]{8} in main \(\) at .*counter\.c:\d+/);
      expect(text).to.match(/\$1 = \d+/);
      expect(text).to.match(/\$3 = \{s = \d+, ns = \d+\}/);
      expect(text).to.match(/eip +0x[0-9a-f]+ +0x[0-9a-f]+ <(__)?(clock_)?nanosleep/);
    });

    it('finish, nexti over a call, stepi, x/i', async () => {
      const text = await gdbOn(server, [
        ...ARRIVE,
        'finish',
        'echo <finished>\\n',
        'tbreak dprintf',
        'continue',
        'finish',
        'x/3i $pc',
        'stepi',
        'tbreak clock_nanosleep',
        'continue',
      ]);
      expect(after(text, 'finished')).to.match(/Run till exit.*\n.*main \(\) at/);
    });

    it('break with a condition, watch, tbreak, hbreak', async () => {
      const text = await gdbOn(server, [
        ...ARRIVE,
        'frame function main',
        'watch sum',
        'continue',
        'continue',
        'delete',
        'hbreak nanosleep if $esp > 0x1000',
        'continue',
        'delete',
        'break dprintf if fd == 2',
        'continue',
        'p fd',
      ]);
      expect(text).to.match(/Hardware watchpoint \d+: sum[\s\S]*Old value = \d+\nNew value = \d+/);
      expect(text).to.match(/Breakpoint \d+, .*nanosleep/);
    });

    it('calls functions', async () => {
      const text = await gdbOn(server, [...ARRIVE, 'p (int)getpid()', 'p $_siginfo.si_signo', 'continue']);
      expect(text).to.include('$1 = 16921');
      expect(text).to.match(/exited normally/);
    });

    it('info proc mappings, info auxv, info files', async () => {
      const text = await gdbOn(server, [...ARRIVE, 'info proc mappings', 'info auxv', 'info files', 'monitor tasks']);
      expect(text).to.include('[vdso]').and.to.include('[heap]').and.to.include('[stack]');
      expect(text).to.match(/AT_ENTRY +Entry point of program +0x8049/);
      expect(text).to.match(/0x08049[0-9a-f]+ - 0x[0-9a-f]+ is \.text/);
      expect(text).to.match(/16921 .* 23 /);
    });
  });

  it('detach and reconnect', async () => {
    await gdbOn(server, ['tbreak restorer_map_vdso', 'continue', 'detach']);
    const second = await gdbOn(server, ['info symbol $pc', 'continue', 'disconnect']);
    expect(second).to.match(/restorer_map_vdso/);
    expect(second).to.include('[CS is 0x23: gdb follows as i386]');
    const third = await gdbOn(server, ['p/x $cs', 'x/i $pc', 'continue']);
    expect(third).to.include('= 0x23');
    expect(third).to.match(/exited normally/);
    expect(output()).to.equal(expected());
  });
});
