/** Stock gdb on programs that `exec` started: threads, children, signals, interrupts, and 64-bit code that visits CS 0x23. */
import { expect } from 'chai';
import { frame } from '../../server/rsp/framing.ts';
import { buildC, haveGcc } from '../helpers/build.ts';
import { gdb, gdbOn, haveGdb, type ServerProcess, startServer } from '../helpers/gdb.ts';
import { RspClient } from '../helpers/rsp-client.ts';

const FAMILY = `
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int shared;
void handler(int sig) { shared += 1000; }
void *worker(void *arg) {
  for (int i = 0; i < 5; i++) { shared += (long)arg; usleep(1000); }
  return 0;
}
int child_work(int x) { return x * 2; }
int main(int argc, char **argv) {
  pthread_t t[2];
  int status;
  signal(SIGUSR1, handler);
  for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, worker, (void *)(i + 1));
  for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
  raise(SIGUSR1);
  pid_t pid = fork();
  if (pid == 0) _exit(child_work(3));
  waitpid(pid, &status, 0);
  printf("shared %d child %d\\n", shared, WEXITSTATUS(status));
  fflush(stdout);
  if (argc > 1) *(volatile int *)16 = 1;
  return 3;
}`;

const SPIN = 'volatile long n; int main(void) { for (;;) n++; }';

const WAITS = `
#include <errno.h>
#include <unistd.h>
int result, error, calls;
int add(int a, int b) { calls++; return a + b; }
int main(void) { result = pause(); error = errno; return error != EINTR; }`;

const SLEEPER = `
#include <time.h>
#include <stdio.h>
#include <unistd.h>
int main(void) { char c; long got = read(0, &c, 1); printf("got %ld\\n", got); return 0; }`;

/** 64-bit code that goes to CS 0x23 and comes back, as the restorer does, in a loop. */
const VISITOR = `
#include <sys/mman.h>
#include <string.h>
#include <stdio.h>
static const unsigned char code32[] = {
  0x55,                                     /* push %ebp */
  0x89, 0xe5,                               /* mov %esp, %ebp */
  0xb8, 0x2a, 0x00, 0x00, 0x00,             /* mov $42, %eax */
  0xe8, 0x08, 0x00, 0x00, 0x00,             /* call +8 */
  0x5d,                                     /* pop %ebp */
  0xea, 0x00, 0x00, 0x00, 0x00, 0x33, 0x00, /* ljmp $0x33, back */
  0x40, 0x40, 0xc3,                         /* inc %eax; inc %eax; ret */
};
int main(void) {
  unsigned char *low = mmap((void *)0x50000, 0x3000, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  long result;
  memcpy(low, code32, sizeof code32);
  unsigned back = 0x50100;
  memcpy(low + 15, &back, 4);
  low[0x100] = 0xff; low[0x101] = 0xe3;     /* jmp *%rbx */
  asm volatile("mov %%rsp, %%r12\\n\\t"
               "lea 1f(%%rip), %%rbx\\n\\t"
               "mov $0x52ff0, %%esp\\n\\t"
               "push $0x23\\n\\t"
               "push $0x50000\\n\\t"
               "lretq\\n"
               "1: mov %%r12, %%rsp\\n"
               : "=a"(result) : : "rbx", "r12", "memory", "cc");
  printf("%ld\\n", result);
  return result != 44;
}`;

const EXECUTES = `
#include <unistd.h>
int main(int argc, char **argv) { execv(argv[1], argv + 1); return 99; }`;

describe('gdb on a program', function () {
  this.timeout(240_000);
  let server: ServerProcess | undefined;
  before(function () {
    if (!haveGdb() || !haveGcc()) this.skip();
  });
  afterEach(async () => {
    await server?.stop();
    server = undefined;
  });
  const quiet = 'set debuginfod enabled off';
  const start = async (...args: string[]): Promise<ServerProcess> => {
    server = await startServer('exec', args);
    return server;
  };

  for (const [bits, flag] of [
    ['64', '-m64'],
    ['32', '-m32'],
  ] as const) {
    describe(`of ${bits} bits`, () => {
      let family: string;
      before(() => {
        family = buildC('family', FAMILY, [flag, '-O0', '-pthread']);
      });

      it('threads, watch, signals', async () => {
        const text = await gdbOn(await start(family), [
          quiet,
          'break worker',
          'continue',
          'info threads',
          'delete',
          'watch shared if shared > 10',
          'continue',
          'thread apply all bt 1',
          'delete',
          'continue',
          'p $_siginfo.si_signo',
          'break handler',
          'continue',
          'bt',
          'finish',
          'continue',
        ]);
        expect(text, text).to.match(/Thread 2 "family" hit Breakpoint 1, worker \(arg=0x1\)/);
        expect(text, text).to.match(
          new RegExp(`Thread 300\\.300 "family" \\(blocked in system call \\d+, ${bits}-bit code\\)`),
        );
        expect(text, text).to.match(/Old value = \d+\nNew value = 1[12]\n/);
        expect(text, text).to.include('received signal SIGUSR1').and.to.include('$1 = 10');
        expect(text, text).to.match(/#0 +handler \(sig=10\).*\n#1 +<signal handler called>/);
        expect(text, text).to.match(/exited with code 03/);
        expect(server?.stdout()).to.equal('shared 1015 child 6\n');
        expect(await server?.ended).to.equal(3);
      });

      it('follows a forked child, and both', async () => {
        const child = await gdbOn(await start(family), [
          quiet,
          'handle SIGUSR1 nostop',
          'set follow-fork-mode child',
          'break child_work',
          'continue',
          'bt 2',
          'continue',
        ]);
        expect(child, child).to.match(/hit Breakpoint 1\.2, child_work \(x=3\)|hit Breakpoint 1, child_work \(x=3\)/);
        expect(child, child).to.match(/exited with code 06/);
        await server?.stop();
        const both = await gdbOn(await start(family), [
          quiet,
          'handle SIGUSR1 nostop',
          'set detach-on-fork off',
          'set schedule-multiple on',
          'break child_work',
          'continue',
          'info inferiors',
          'continue',
          'inferior 1',
          'continue',
        ]);
        expect(both, both).to.match(/\[New inferior 2 \(process 303\)\]/);
        expect(both, both).to.match(/Inferior 2 \(process 303\) exited with code 06/);
        expect(both, both).to.match(/Inferior 1 \(process 300\) exited with code 03/);
      });

      it('a fault, its address and the exit status', async () => {
        const text = await gdbOn(await start(family, 'x'), [
          quiet,
          'handle SIGUSR1 nostop',
          'continue',
          'p $_siginfo._sifields._sigfault.si_addr',
          'x/i $pc',
          'continue',
        ]);
        expect(text, text).to.include('received signal SIGSEGV').and.to.include('= (void *) 0x10');
        expect(text, text).to.include('Program terminated with signal SIGSEGV');
        expect(await server?.ended).to.equal(139);
      });

      it('catches system calls by name, both ways', async () => {
        const text = await gdbOn(await start(family), [
          quiet,
          'handle SIGUSR1 nostop',
          'catch syscall write',
          'continue',
          'continue',
          `info registers ${bits === '64' ? 'orig_rax' : 'orig_eax'}`,
          'delete',
          'continue',
        ]);
        expect(text, text)
          .to.match(/call to syscall write/)
          .and.to.match(/returned from syscall write/);
        expect(text, text).to.match(bits === '64' ? /orig_rax +0x1 / : /orig_eax +0x4 /);
      });
    });
  }

  it('the interrupt byte stops a loop, and a system call that waits', async () => {
    const spin = buildC('spin', SPIN, ['-m32', '-static']);
    const client = await RspClient.connect((await start(spin)).port);
    await client.hello();
    client.raw(frame('vCont;c'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.raw('\x03');
    expect(await client.reply(20_000)).to.match(/^T02.*thread:p12c\.12c/);
    client.raw(frame('vCont;c'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    client.close();
    const text = await gdb([`target remote :${server!.port}`, 'p n > 1000', 'info program']);
    expect(text, text).to.include('$1 = 1');
  });

  it('the interrupt byte interrupts a system call by the rules of Linux', async () => {
    const client = await RspClient.connect((await start(buildC('waits', WAITS, ['-m32', '-static', '-O0']))).port);
    await client.hello();
    client.raw(frame('vCont;c'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    client.raw('\x03');
    expect(await client.reply(20_000)).to.match(/^T02/);
    client.close();
    // pause() has its -ERESTARTNOHAND in eax; a called function leaves it alone, and without a signal it waits again.
    const text = await gdb([
      `target remote :${server!.port}`,
      'p $eax',
      'p $orig_eax',
      'p add(2, 3)',
      'p $eax',
      'kill',
    ]);
    expect(text, text).to.include('$1 = -514').and.to.include('$2 = 29');
    expect(text, text).to.include('$3 = 5').and.to.include('$4 = -514');
  });

  it('a vanished client leaves the machine stopped for the next', async () => {
    const spin = buildC('spin', SPIN, ['-m64', '-static']);
    const client = await RspClient.connect((await start(spin)).port);
    await client.hello();
    client.raw(frame('vCont;c'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    client.close();
    const commands = [`target remote :${server!.port}`, 'p n', 'shell sleep 0.3', 'p n', 'kill'];
    const text = await gdb(commands);
    expect(text, text).to.match(/\$1 = (\d+)[\s\S]*\$2 = \1\n/);
    expect(await server!.ended).to.equal(137);
  });

  it('reads its input from the host', async () => {
    const text = await gdbOn(await start(buildC('sleeper', SLEEPER, ['-m32'])), [quiet, 'continue']);
    expect(text, text).to.include('exited normally');
    expect(server?.stdout()).to.equal('got 0\n');
  });

  it('follows 64-bit code that visits CS 0x23', async () => {
    const visitor = buildC('visitor', VISITOR, ['-m64', '-static']);
    const text = await gdbOn(await start(visitor), [
      'break *0x50000',
      'continue',
      'x/3i $pc',
      'p $esp',
      'stepi',
      'stepi',
      'bt 1',
      'stepi',
      'x/i $pc',
      'nexti',
      'p $eax',
      'continue',
      'p $rip',
      'x/i $pc',
      'continue',
    ]);
    expect(text, text).to.match(/Breakpoint 1, 0x0*50000 in \?\? \(\)\n[\s\S]*\[CS is 0x23: gdb follows as i386\]/);
    expect(text, text).to.include('call   0x50015').and.to.include('$2 = 42');
    expect(text, text).to.match(/Program stopped\.\n0x0*50100 in[\s\S]*gdb follows as i386:x86-64/);
    expect(text, text).to.match(/jmp +\*%rbx/);
    expect(text, text).to.include('exited normally');
    expect(server?.stdout()).to.equal('44\n');
  });

  it('follows an exec from 64- to 32-bit', async () => {
    const family = buildC('family', FAMILY, ['-m32', '-O0', '-pthread']);
    const text = await gdbOn(await start(buildC('executes', EXECUTES, ['-m64']), family), [
      quiet,
      'catch exec',
      'continue',
      'break main',
      'continue',
      'p $esp != 0',
      'info inferiors',
      'handle SIGUSR1 nostop',
      'continue',
    ]);
    expect(text, text).to.match(/exec'd .*family\)/);
    expect(text, text).to.match(/Breakpoint 2, main \(argc=1/);
    expect(text, text).to.match(/exited with code 03/);
  });
});
