import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { buildC, haveGcc } from '../helpers/build.ts';

const HELLO = `
#include <stdio.h>
int main(int argc, char **argv) {
  printf("hello from %d bits, argc %d, last %s, %.3f\\n", (int)sizeof(void *) * 8, argc, argv[argc - 1], 22.0 / 7);
  return 7;
}`;

/** Runs a program in the machine by the command that a user would type. */
function emulated(args: readonly string[], input = ''): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, ['--import', 'tsx', 'server/main.ts', 'exec', '--run', ...args], {
    input,
    encoding: 'utf8',
    timeout: 120_000,
  });
}

function expectSame(args: readonly string[], input = '', stable: (line: string) => boolean = () => true): void {
  const native = spawnSync(args[0]!, args.slice(1), { input, encoding: 'utf8' });
  const ours = emulated(args, input);
  const lines = (output: string): string => output.split('\n').filter(stable).join('\n');
  expect(lines(ours.stdout), ours.stderr).to.equal(lines(native.stdout));
  expect(ours.status, ours.stderr).to.equal(native.status);
}

describe('exec --run', () => {
  for (const [name, flags] of [
    ['static 64-bit', ['-m64', '-static']],
    ['dynamic 64-bit', ['-m64']],
    ['static 32-bit', ['-m32', '-static']],
    ['dynamic 32-bit', ['-m32']],
  ] as const) {
    it(`gives the native output of a ${name} hello`, function () {
      if (!haveGcc()) this.skip();
      expectSame([buildC('hello', HELLO, flags), 'one', 'two']);
    });
  }

  describe('busybox-static for i386', () => {
    const busybox = process.env['BUSYBOX_I386'] ?? '/bin/busybox-i386';
    before(function () {
      if (existsSync(busybox)) return;
      if (process.env['CI']) throw new Error('BUSYBOX_I386 names no program; .ci/run should have fetched it');
      process.stderr.write('SKIPPED LOUDLY: set BUSYBOX_I386 to the busybox of Debian busybox-static:i386\n');
      this.skip();
    });
    it('sh -c with pipes, arithmetic and a loop', () => {
      const script = 'for i in 1 2 3; do echo $((i * i)); done | sort -rn; echo done; exit 3';
      expectSame([busybox, 'sh', '-c', script]);
    });
    it('ls -l /', () => {
      // Other processes of the host change the times and link counts of these meanwhile.
      expectSame([busybox, 'ls', '-l', '/'], '', (line) => !/ (proc|sys|dev|run|tmp)$/.test(line));
    });
    it('sha256sum', () => expectSame([busybox, 'sha256sum', busybox]));
    it('sort', () => expectSame([busybox, 'sort'], 'pear\napple\nfig\n'));
  });

  it('ends with the status of the first program when only a daemon is left', () => {
    const ours = emulated(['dash', '-c', 'mkfifo /tmp/never-written; cat /tmp/never-written & echo started; exit 5']);
    expect(ours.stdout, ours.stderr).to.equal('started\n');
    expect(ours.status, ours.stderr).to.equal(5);
  });
});
