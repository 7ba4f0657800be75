/** core_pattern that begins with |: the core goes to a program. */
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect } from 'chai';
import { NT_PRSTATUS } from '../../../linux/abi/ptrace.ts';
import { buildC, haveGcc } from '../../helpers/build.ts';
import { readCore } from '../../helpers/core-file.ts';
import { type GuestOptions, type GuestRun, runProgram } from '../helpers/run-guest.ts';

/** Sets core_pattern to its second argument; the letters of the first say how it ends. */
const PROGRAM = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, text, strlen(text)) != (long)strlen(text)) _exit(99);
  close(fd);
}
static char big[300000];
static void *crashes(void *arg) { raise(SIGABRT); return arg; }
static void crash(void) {
  memset(big, 'B', sizeof big);
  char *hole = mmap(0, 0x100000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  hole[0x80000] = 'h';
  raise(SIGABRT);
}
int main(int argc, char **argv) {
  put("/proc/sys/kernel/core_pattern", argv[2]);
  struct rlimit one = {1, 1};
  int status;
  pthread_t t;
  switch (*argv[1]) {
    case 't': pthread_create(&t, 0, crashes, 0); pthread_join(t, 0); break;
    case '1': setrlimit(RLIMIT_CORE, &one); break;
    case 'f': put("/proc/sys/kernel/core_pattern", "core"); break;
    case 'n': sethostname("a/host", 6); break;
    case 'l': put("/proc/sys/kernel/core_pipe_limit", "1"); break;
    case 'w': case 'W': {
      /* Two at once, and at most one helper; or its end is not waited for. */
      if (*argv[1] == 'W') put("/proc/sys/kernel/core_pipe_limit", "1");
      pid_t a = fork();
      if (a == 0) crash();
      usleep(1000);
      pid_t b = fork();
      if (b == 0) crash();
      waitpid(a, &status, 0);
      int first = status;
      int there = access("/tmp/helper.done", F_OK) == 0;
      waitpid(b, &status, 0);
      printf("%x %x %d\\n", first, status, there);
      return 0;
    }
    case 'k': {
      pid_t a = fork();
      if (a == 0) crash();
      usleep(20000);
      int before = waitpid(a, &status, WNOHANG);
      kill(a, SIGTERM);
      usleep(1000);
      int term = waitpid(a, &status, WNOHANG);
      kill(a, SIGKILL);
      waitpid(a, &status, 0);
      printf("%d %d %x\\n", before, term, status);
      return 0;
    }
  }
  crash();
}`;

/** What a helper sees of itself; then it reads its standard input. Letters of its first argument say otherwise. */
const HELPER = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
int main(int argc, char **argv, char **envp) {
  char cwd[64], bytes[4096];
  struct rlimit core;
  int fds[3];
  for (int i = 0; i < 3; i++) fds[i] = fcntl(i, F_GETFD) < 0 ? -errno : 0;
  FILE *out = fopen("/tmp/helper.txt", "a");
  getrlimit(RLIMIT_CORE, &core);
  for (int i = 1; i < argc; i++) fprintf(out, "%s|", argv[i]);
  fprintf(out, "\\nenv %d uid %d core %d %d cwd %s sid %d", envp[0] != 0, getuid(), (int)core.rlim_cur, (int)core.rlim_max, getcwd(cwd, 64), getsid(0));
  for (int i = 0; i < 3; i++) fprintf(out, " %d", fds[i]);
  fprintf(out, "\\n");
  fclose(out);
  if (*argv[1] == 'x') return 0;
  if (*argv[1] == 's') sleep(1);
  if (*argv[1] == 'z') { for (;;) pause(); }
  if (*argv[1] == 'c') abort();
  int to = open("/tmp/helper.core", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  for (long n; (n = read(0, bytes, sizeof bytes)) > 0;) write(to, bytes, n);
  if (*argv[1] == 'd') { usleep(5000); close(open("/tmp/helper.done", O_WRONLY | O_CREAT, 0600)); }
  return 0;
}`;

const DUMPED = 6 | 0x80;
const UNLIMITED = 2n ** 64n - 1n;
const SELF = 'env 0 uid 0 core 1 1 cwd / sid 0 0 -9 -9';

describe('core dumps: into a pipe', () => {
  let program: string;
  let program32: string;
  let helper: string;
  before(function () {
    if (!haveGcc()) this.skip();
    program = buildC('corepipe', PROGRAM, ['-m64', '-static', '-pthread', '-w']);
    program32 = buildC('corepipe', PROGRAM, ['-m32', '-static', '-pthread', '-w']);
    helper = buildC('corehelper', HELPER, ['-m64', '-static', '-w']);
    chmodSync(dirname(helper), 0o755);
  });

  const run = (letter: string, pattern: string, options: GuestOptions & { bits?: 32 } = {}): GuestRun =>
    runProgram(options.bits === 32 ? program32 : program, {
      argv: [letter, pattern.replace('HELPER', helper)],
      toTheEnd: true,
      ...options,
    });
  const text = (guest: GuestRun): string[] => guest.read('/tmp/helper.txt')?.toString().trim().split('\n') ?? [];

  it('a program with the core as its standard input, whatever RLIMIT_CORE says: the same bytes as in a file', () => {
    for (const bits of [undefined, 32] as const) {
      const of = bits === 32 ? { bits } : {};
      const guest = run('-', '|HELPER r', of);
      expect(guest.status).to.equal(DUMPED);
      expect(text(guest)).to.deep.equal(['r|', SELF]);
      const piped = guest.read('/tmp/helper.core')!;
      expect(readCore(piped).note(NT_PRSTATUS).readInt32LE(0)).to.equal(6);
      // In the file holes at the end do not count. Behind the notes the stack has another argument, and other pids.
      const file = run('f', '|HELPER r', { ...of, core: UNLIMITED }).read('/tmp/core')!;
      expect(piped.length - file.length).to.be.within(0, 0x20_0000);
      expect(piped.includes(Buffer.alloc(300_000, 'B'))).to.equal(true);
      expect(readCore(piped).segments).to.deep.equal(readCore(file).segments);
    }
  });

  it('every % of the pattern; words are parted behind that', () => {
    const guest = run('n', '|HELPER r%% %p %P %i %I %u %g %d %s %h %e %c %x %');
    const [words] = text(guest);
    expect(words).to.equal('r%|300|300|300|300|0|0|1|6|a!host|corepipe|0|');
    const [path] = text(run('-', '|  HELPER r  %E\t%t'));
    expect(path).to.equal(`r|${program.replaceAll('/', '!')}|1464739200|`);
  });

  it('%i is the thread that died', () => {
    expect(text(run('t', '|HELPER r %p %i'))[0]).to.equal('r|300|301|');
  });

  it('nothing for a helper that cannot be run, nor for RLIMIT_CORE 1, which a helper has itself', () => {
    expect(run('-', '|/nonexistent %p').status).to.equal(6);
    expect(run('-', '|').status).to.equal(6);
    expect(run('-', '|/etc/passwd').status).to.equal(6);
    const one = run('1', '|HELPER r');
    expect(one.status).to.equal(6);
    expect(text(one)).to.deep.equal([]);
    // It crashes, and is not dumped to itself.
    const crashing = run('-', '|HELPER c');
    expect(crashing.status).to.equal(DUMPED);
    expect(text(crashing)).to.deep.equal(['c|', SELF]);
  });

  it('a helper that does not read: the dump ends with it', () => {
    expect(run('-', '|HELPER x').status).to.equal(DUMPED);
    expect(run('l', '|HELPER x').status).to.equal(DUMPED);
  });

  it('core_pipe_limit: so many at once, and the process ends behind its helper', () => {
    // The first helper sleeps before it reads.
    expect(run('W', '|HELPER s').output).to.equal('86 6 0\n');
    expect(run('w', '|HELPER s').output).to.equal('86 86 0\n');
    expect(run('W', '|HELPER d').output).to.match(/ 1\n$/);
    expect(run('w', '|HELPER d').output).to.match(/ 0\n$/);
  });

  it('only SIGKILL ends a dump', () => {
    const options = { toTheEnd: false };
    expect(run('k', '|HELPER z', options).output).to.equal('0 0 89\n');
  });
});
