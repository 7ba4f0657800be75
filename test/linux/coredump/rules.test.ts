/** Whether there is a core file, where, and what is in it. */
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect } from 'chai';
import { PF_W, type ProgramHeader, PT_LOAD } from '../../../linux/abi/elf.ts';
import { NT_FILE, NT_PRPSINFO, NT_SIGINFO } from '../../../linux/abi/elfcore.ts';
import { NT_386_TLS, NT_PRSTATUS } from '../../../linux/abi/ptrace.ts';
import { init_cred } from '../../../linux/task/cred.ts';
import { buildC, haveGcc } from '../../helpers/build.ts';
import { readCore } from '../../helpers/core-file.ts';
import { type GuestOptions, type GuestRun, runProgram } from '../helpers/run-guest.ts';

/** What is to be done before the signal, by letter. */
const PROGRAM = `
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, text, strlen(text)) != (long)strlen(text)) _exit(99);
  close(fd);
}
static void *idle(void *arg) { for (;;) pause(); return arg; }
static char *map(int length, int flags, int fd) {
  char *p = mmap(0, length, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (p == MAP_FAILED) _exit(98);
  return p;
}
int main(int argc, char **argv) {
  int signo = SIGABRT;
  pthread_t t;
  for (char *c = argc > 1 ? argv[1] : ""; *c; c++) switch (*c) {
    case 'q': signo = SIGQUIT; break;
    case 'k': signo = SIGTERM; break;
    case 'n': prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); break;
    case 'p': put("/proc/sys/kernel/core_pattern", "/tmp/%e.%p.%s.%%%x.core"); break;
    case 'u': put("/proc/sys/kernel/core_uses_pid", "1\\n"); break;
    case 'r': put("/proc/sys/fs/suid_dumpable", "2"); break;
    case 'a': put("/proc/sys/kernel/core_pattern", "/tmp/abs"); break;
    case 's': if (setresuid(1000, 1000, 1000)) _exit(97); break;
    case 't': pthread_create(&t, 0, idle, 0); usleep(1000); break;
    case '0': put("/proc/self/coredump_filter", "0"); break;
    case '1': put("/proc/self/coredump_filter", "0x7f"); break;
    case 'm': {
      memset(map(0x10000, MAP_SHARED | MAP_ANONYMOUS, -1), 'S', 0x10000);
      memset(map(0x20000, MAP_PRIVATE | MAP_ANONYMOUS, -1), 'P', 0x20000);
      map(0x30000, MAP_PRIVATE | MAP_ANONYMOUS, -1);
      char *hidden = map(0x40000, MAP_PRIVATE | MAP_ANONYMOUS, -1);
      memset(hidden, 'H', 0x40000);
      madvise(hidden, 0x40000, MADV_DONTDUMP);
      int fd = open("/tmp/mapped", O_RDWR | O_CREAT, 0600);
      ftruncate(fd, 0x60000);
      memset(map(0x60000, MAP_SHARED, fd), 'F', 0x60000);
      break;
    }
    case 'f':
      if (vfork() == 0) raise(SIGABRT), _exit(1);
      _exit(7);
    case 'l': if (link("/proc/self/exe", "/tmp/core") == 0) {} symlink("/tmp/target", "/tmp/core"); break;
  }
  raise(signo);
  return 3;
}`;

const UNLIMITED = 2n ** 64n - 1n;

describe('core dumps: rules', () => {
  let program: string;
  let program32: string;
  before(function () {
    if (!haveGcc()) this.skip();
    program = buildC('corerules', PROGRAM, ['-m64', '-static', '-pthread', '-w']);
    chmodSync(dirname(program), 0o755);
    program32 = buildC('corerules', PROGRAM, ['-m32', '-static', '-pthread', '-w']);
  });

  const run = (letters: string, options: GuestOptions = {}): GuestRun =>
    runProgram(program, { argv: [letters], core: UNLIMITED, ...options });

  it('a signal whose default is a core: the file, and 0x80 in the status', () => {
    for (const [letters, signo] of [
      ['', 6],
      ['q', 3],
    ] as const) {
      const guest = run(letters);
      expect(guest.status).to.equal(signo | 0x80);
      const core = readCore(guest.read('/tmp/core'));
      expect(core.note(NT_SIGINFO).readInt32LE(0)).to.equal(signo);
      expect(core.note(NT_PRSTATUS).readInt16LE(12)).to.equal(signo);
    }
    expect(run('k').status).to.equal(15);
  });

  it('RLIMIT_CORE: none below a page, and cut where it ends', () => {
    expect(run('', { core: 4095n }).status).to.equal(6);
    const cut = run('', { core: 20_000n });
    expect(cut.status).to.equal(6 | 0x80);
    const whole = run('').read('/tmp/core')!;
    const part = cut.read('/tmp/core')!;
    expect(part.length).to.be.lessThan(whole.length);
    expect(part.equals(whole.subarray(0, part.length))).to.equal(true);
  });

  it('not of a process that is not dumpable, or changed its ids', () => {
    expect(run('n').status).to.equal(6);
    expect(run('s').status).to.equal(6);
    // suid_dumpable 2: as root, and only to a name from the root directory.
    expect(run('rs').status).to.equal(6);
    const guest = run('ras');
    expect(guest.status).to.equal(6 | 0x80);
    const stat = guest.kernel.vfs.stat(guest.kernel.vfs.rootContext(), '/tmp/abs');
    expect(stat).to.include({ uid: 0, mode: 0o100600 });
  });

  it('core_pattern and core_uses_pid', () => {
    const guest = run('p');
    expect(guest.read('/tmp/corerules.300.6.%.core')).to.not.equal(undefined);
    expect(run('u').read('/tmp/core.300')).to.not.equal(undefined);
    expect(run('pu').read('/tmp/corerules.300.6.%.core')).to.not.equal(undefined);
  });

  it('an old file, or link, of that name goes first', () => {
    const guest = run('l');
    expect(guest.status).to.equal(6 | 0x80);
    expect(readCore(guest.read('/tmp/core')).class).to.equal(2);
    expect(guest.read('/tmp/target')).to.equal(undefined);
  });

  it('not in a directory that the user may not write', () => {
    const cred = { ...init_cred, uid: 1000, euid: 1000, suid: 1000, fsuid: 1000, capPermitted: 0n, capEffective: 0n };
    expect(run('', { cwd: '/etc', cred }).status).to.equal(6);
    expect(run('', { cwd: '/tmp', cred }).status).to.equal(6 | 0x80);
  });

  it('coredump_filter says which memory; MADV_DONTDUMP hides its own', () => {
    const sizes = (letters: string): Map<number, ProgramHeader> => {
      const core = readCore(run(letters).read('/tmp/core'));
      const load = core.segments.filter((p) => p.type === PT_LOAD && (p.flags & PF_W) !== 0);
      return new Map(load.map((p) => [p.memsz, p]));
    };
    const filesz = (letters: string): (number | undefined)[] =>
      [0x1_0000, 0x2_0000, 0x3_0000, 0x4_0000, 0x6_0000].map((size) => sizes(letters).get(size)?.filesz);
    // Shared, written, never touched, hidden, a file.
    const byDefault = [0x1_0000, 0x2_0000, 0, 0, 0];
    const merged = filesz('m');
    // Neighbours without a difference are one mapping.
    expect(merged[0]).to.equal(byDefault[0]);
    expect(merged[4]).to.equal(0);
    expect(merged[3]).to.equal(0);
    expect(filesz('0m')).to.satisfy((all: (number | undefined)[]) => all.every((size) => !size));
    expect(filesz('1m')[4]).to.equal(0x6_0000);
  });

  it('a thread in a system call shows how it ended; the dead one comes first', () => {
    for (const [path, orig] of [
      [program, 112 + 120],
      [program32, 72 + 44],
    ] as const) {
      const guest = runProgram(path, { argv: ['tm'], core: UNLIMITED });
      const threads = readCore(guest.read('/tmp/core')).notes.filter((n) => n.type === NT_PRSTATUS);
      const wide = path === program;
      expect(threads.map((n) => n.desc.readInt32LE(wide ? 32 : 24))).to.deep.equal([300, 301]);
      const [ax, nr] = wide
        ? [threads[1]!.desc.readBigInt64LE(112 + 80), threads[1]!.desc.readBigInt64LE(orig)]
        : [threads[1]!.desc.readInt32LE(72 + 24), threads[1]!.desc.readInt32LE(orig)];
      // -ERESTARTNOHAND of pause(2).
      expect(Number(ax)).to.equal(-514);
      expect(Number(nr)).to.equal(wide ? 34 : 29);
    }
  });

  it('386_TLS when a slot is used; the name and arguments; the mapped files', () => {
    const guest = runProgram(program32, { argv: ['m'], core: UNLIMITED });
    const core = readCore(guest.read('/tmp/core'));
    expect(core.note(NT_386_TLS).length).to.equal(48);
    expect(core.note(NT_386_TLS).readUInt32LE(0)).to.equal(12);
    const info = core.note(NT_PRPSINFO);
    expect(info.toString('latin1', 28, 38)).to.equal('corerules\0');
    expect(info.toString('latin1', 44)).to.match(/corerules m \0/);
    const files = core.note(NT_FILE);
    const count = files.readUInt32LE(0);
    const names = files.toString('latin1', 8 + count * 12).split('\0');
    expect(names).to.include(program32).and.to.include('/tmp/mapped');
  });

  it('who shares the memory dies too', () => {
    const guest = run('f');
    expect(guest.status & 0x7f).to.equal(6);
  });
});
