/** Stock gdb on the other images: dynamic, 64-bit, stopped; without the scripts; and the demo. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { gdbOn, haveGdb, type ServerProcess, startServer } from '../helpers/gdb.ts';
import { unpackImageSet } from '../helpers/image-sets.ts';

describe('gdb on other images', function () {
  this.timeout(240_000);
  let set: ReturnType<typeof unpackImageSet>;
  let server: ServerProcess | undefined;
  before(function () {
    if (!haveGdb()) this.skip();
  });
  const restore = async (name: string, ...args: string[]): Promise<ServerProcess> => {
    set = unpackImageSet(name);
    const places = ['--root', join(set.path, 'root'), '--upper', join(set.path, 'upper'), join(set.path, 'images')];
    server = await startServer('restore', [...args, ...places]);
    return server;
  };
  afterEach(async () => {
    await server?.stop();
    server = undefined;
    set?.remove();
  });
  const expectOutput = (name: string): void => {
    const out = (dir: string): string => readFileSync(join(set.path, dir, 'srv', 'tasks', name, 'out.txt'), 'utf8');
    expect(out('upper')).to.equal(out('root') + readFileSync(join(set.path, 'expected.txt'), 'utf8'));
  };

  it('a dynamic PIE is found at its place, with its libraries', async () => {
    const text = await gdbOn(await restore('counter32-dynamic', '--vdso', 'image'), [
      'break counter.c:14',
      'continue',
      'info sharedlibrary',
      'continue',
      'info symbol $pc',
      'p i',
      'up 0',
      'tbreak nanosleep',
      'continue',
      'bt',
      'p (int)getpid()',
      'delete',
      'continue',
    ]);
    expect(text, text).to.include('[the restored program is in place: gdb has looked at it again]');
    expect(text, text).to.match(/Yes \(\*\) +target:.*libc\.so\.6/);
    expect(text, text).to.match(/Breakpoint 1, main \(\) at counter\.c:1\d/);
    expect(text, text).to.match(
      /nanosleep \(\) from target:.*libc\.so\.6[\s\S]*in nap_ms[\s\S]*main \(\) at counter\.c:21/,
    );
    expect(text, text).to.include('$2 = 17073');
    expectOutput('counter32-dynamic');
  });

  it('a 64-bit task never leaves the wide view', async () => {
    const text = await gdbOn(await restore('counter64-avx2'), [
      'tbreak restorer_native_sigreturn',
      'continue',
      'stepi',
      'stepi',
      'bt',
      'p $ymm0.v4_int64[0] * 0',
      'p (int)getpid()',
      'continue',
    ]);
    expect(text, text).not.to.include('gdb follows');
    expect(text, text).to.match(/#0 .*clock_nanosleep \(\)[\s\S]*#\d+ +main \(\) at counter\.c:21/);
    expect(text, text).to.include('$2 = 25039').and.to.include('exited normally');
    expectOutput('counter64-avx2');
  });

  it('a machine with AVX-512 shows its registers', async () => {
    const text = await gdbOn(await restore('counter64-norseq'), [
      'catch syscall write',
      'continue',
      'p/x $k0',
      'p/x $zmm17.v8_int64',
      'p $zmm3.v8_int64[7] = 77',
      'p $zmm20.v16_int32[15] = 5',
      'p $k5 = 99',
      'maintenance flush register-cache',
      'p $zmm3.v8_int64[7]',
      'p $zmm20.v16_int32',
      'p $k5',
      'delete',
      'continue',
    ]);
    expect(text, text).to.include('$1 = 0x220081e');
    expect(text, text).to.include(
      '$2 = {0x2525252525252525, 0x2525252525252525, 0x2525252525252525, 0x2525252525252525, 0x0',
    );
    expect(text, text).to.match(/\$6 = 77\n\$7 = \{0 <repeats 15 times>, 5\}\n\$8 = 99/);
    expectOutput('counter64-norseq');
  });

  it('a stopped task goes on by SIGCONT', async () => {
    const text = await gdbOn(await restore('stopped32'), ['continue', 'continue', 'continue', 'signal SIGCONT']);
    expect(text, text).to.match(/received signal SIGSTOP[\s\S]*received signal SIGSTOP/);
    expect(text, text).to.include('exited normally');
    expectOutput('stopped32');
  });

  it('without the scripts, by unset tdesc filename and file', async () => {
    const text = await gdbOn(
      await restore('counter32-dynamic'),
      [
        'continue',
        'unset tdesc filename',
        'file target:/srv/tasks/counter32-dynamic/counter-m32d',
        'sharedlibrary',
        'x/2i $pc',
        'tbreak nanosleep',
        'continue',
        'bt',
        'finish',
        'up',
        'p i',
        'watch -location v.ns',
        'continue',
        'nexti',
        'delete',
        'hbreak dprintf',
        'continue',
        'info registers eip',
        'info auxv',
        'info proc mappings',
        'p (int)getpid()',
        'disconnect',
      ],
      true,
    );
    expect(text, text).to.match(/=> 0x[0-9a-f]+:\tmov +\$0x2b,%eax/);
    expect(text, text).to.match(/#1 +0x[0-9a-f]{8} in nap_ms .*\n#2 +main \(\)/);
    expect(text, text).to.match(/\$1 = 7[\s\S]*Hardware watchpoint \d+: -location v\.ns[\s\S]*New value = 0/);
    expect(text, text).to.match(/eip +0x[0-9a-f]+ +0x[0-9a-f]+ <dprintf/);
    expect(text, text).to.match(/AT_ENTRY +Entry point of program +0x565d/);
    expect(text, text).to.include('[heap]').and.to.include('= 17073');
    const rest = await gdbOn(server!, ['set pagination off', 'bt 1', 'continue'], true);
    expect(rest, rest).to.match(/#0 .*dprintf[\s\S]*exited normally/);
    expectOutput('counter32-dynamic');
  });

  it('npm run demo tells the whole journey', () => {
    const demo = spawnSync(process.execPath, ['--import', 'tsx', 'server/demo.ts'], {
      encoding: 'utf8',
      timeout: 200_000,
    });
    expect(demo.status, demo.stderr + demo.stdout).to.equal(0);
    for (const part of [
      /call to syscall arch_prctl/,
      /= 0x2002/,
      /\[vDSO symbols read at 0xf7fb8000\]/,
      /lretq/,
      /\[CS is 0x23: gdb follows as i386\]/,
      /__kernel_vsyscall \(\)\n#1 .*clock_nanosleep/,
      /exited normally/,
      /That is what it would have written/,
    ]) {
      expect(demo.stdout, demo.stdout).to.match(part);
    }
  });
});
