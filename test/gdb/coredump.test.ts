/** Core files as stock gdb reads them, against what it said of the live process. */

import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { buildC, haveGcc } from '../helpers/build.ts';
import { gdb, gdbOn, haveGdb, startServer } from '../helpers/gdb.ts';

/** Three threads, each with something to see in its registers; the second one dies. */
const THREADS = `
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
char big[300000];
volatile double numbers[4] = { 1.5, 2.5, -3.25, 1e100 };
static pthread_barrier_t barrier;
__attribute__((noinline)) void deep(int depth, volatile int *where) {
  volatile double x = numbers[depth & 3] * depth;
  if (depth == 0) *where = 1;
  else deep(depth - 1, where);
  numbers[0] = x;
}
static void *sleeper(void *arg) { pthread_barrier_wait(&barrier); pause(); return arg; }
static void *victim(void *arg) { pthread_barrier_wait(&barrier); usleep(2000); deep(3, arg); return 0; }
int main(void) {
  struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
  pthread_t t[2];
  setrlimit(RLIMIT_CORE, &all);
  char *heap = malloc(100000);
  for (int i = 0; i < 100000; i++) big[i] = heap[i] = i * 7;
  pthread_barrier_init(&barrier, 0, 2);
  pthread_create(&t[0], 0, sleeper, heap);
  pthread_create(&t[1], 0, victim, (void *)16);
  pthread_join(t[1], 0);
  return 0;
}`;

const LOOK = [
  'echo =A\\n',
  'info threads',
  'echo =B\\n',
  'thread apply all -ascending backtrace',
  'echo =C\\n',
  'info registers',
  'echo =D\\n',
  'info registers float',
  'p $xmm0.uint128',
  'p $xmm7.uint128',
  'echo =E\\n',
  'p big[99999]',
  'p/d *(char (*)[100])&big[1000]',
  'p numbers',
  'x/4i $pc',
  'p $_siginfo.si_signo',
  'p $_siginfo._sifields._sigfault.si_addr',
  'echo =F\\n',
];

/** What stands between the marks, less what differs by nature: how gdb names and numbers threads. */
function sections(output: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const match of output.matchAll(/^=([A-E])\n([\s\S]*?)(?==[B-F]$)/gm)) {
    const text = match[2]!
      .replace(/^\[Switching.*\n|^warning:.*\n/gm, '')
      .replace(/Thread \d+\.(\d+) "[^"]*" \([^)]*\)/g, 'LWP $1')
      .replace(/Thread \d+\.(\d+) \([^)]*\)/g, 'LWP $1')
      .replace(/Thread 0x[0-9a-f]+ \(LWP (\d+)\)/g, 'LWP $1')
      .replace(/^(\*?) +\d+ +LWP/gm, '$1LWP')
      .replace(/^Thread \d+ \((.*LWP \d+).*$/gm, '$1')
      .replace(/[ \t]+/g, ' ');
    const parts = match[1] === 'A' ? text.split('\n').slice(1) : match[1] === 'B' ? text.split('\n\n') : [text];
    found[match[1]!] = parts
      .map((part) => part.trim())
      .sort()
      .join('\n')
      .trim();
  }
  return found;
}

describe('gdb on core files', () => {
  before(function () {
    if (!haveGdb() || !haveGcc()) this.skip();
  });

  for (const mode of ['-m64', '-m32'] as const) {
    it(`${mode}: the kernel's core, monitor dump-core's and gcore's show what the live process showed`, async () => {
      const program = buildC('threads', THREADS, [mode, '-static', '-no-pie', '-pthread']);
      const dir = mkdtempSync(join(tmpdir(), 'core-'));
      const upper = mkdtempSync(join(tmpdir(), 'upper-'));
      const server = await startServer('exec', ['--root', '/', '--upper', upper, program]);
      try {
        const live = await gdbOn(server, [
          'handle SIGSEGV stop print pass',
          'continue',
          ...LOOK,
          `monitor dump-core ${dir}/monitor.core`,
          `gcore ${dir}/gcore.core`,
          'continue',
        ]);
        expect(live, live).to.match(/Program terminated with signal SIGSEGV/);
        const wanted = sections(live);
        expect(Object.keys(wanted)).to.deep.equal(['A', 'B', 'C', 'D', 'E']);
        expect(wanted['B'])
          .to.match(/deep \(depth=(depth@entry=)?3/)
          .and.to.include('sleeper');
        expect(wanted['A']!.match(/LWP/g)).to.have.length(3);
        const cwd = process.cwd();
        for (const core of [`${upper}${cwd}/core`, `${dir}/monitor.core`, `${dir}/gcore.core`]) {
          expect(existsSync(core), core).to.equal(true);
          const dead = await gdb(LOOK, { args: [program, core] });
          const got = sections(dead);
          for (const part of ['A', 'B', 'C', 'D', 'E']) expect(got[part], `${core} ${part}`).to.equal(wanted[part]);
        }
      } finally {
        await server.stop();
      }
    });
  }
});
