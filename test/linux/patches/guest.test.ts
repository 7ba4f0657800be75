import { expect } from 'chai';
import { buildC, haveGcc } from '../../helpers/build.ts';
import { runGuest } from '../helpers/run-guest.ts';

const FREESTANDING = [
  '-nostdlib',
  '-static',
  '-no-pie',
  '-ffreestanding',
  '-fno-stack-protector',
  '-fcf-protection=none',
];
const SIGSEGV = 128 + 11;

/**
 * i386: moves its vDSO by mremap, then takes a signal whose handler has no SA_RESTORER.
 * Argument `v`: the move is made through __kernel_vsyscall, else by int 0x80.
 */
const MOVE_VDSO = `
static int int80(int nr, int a, int b, int c, int d, int e) {
  int r;
  asm volatile("int $0x80" : "=a"(r) : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
  return r;
}
__attribute__((used)) int target;
static int fast(int entry, int nr, int a, int b, int c, int d, int e) {
  int r;
  target = entry;
  asm volatile("call *target"
    : "=a"(r) : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
  return r;
}
static volatile int handled;
static void handler(int sig) { handled = sig; }
__attribute__((used)) void run(int *sp) {
  int argc = sp[0], *p = sp + 1 + argc + 1, vdso = 0, entry = 0;
  int fastMove = argc > 1 && ((char *)sp[2])[0] == 'v';
  while (*p) p++;
  for (p++; *p; p += 2) { if (*p == 32) entry = p[1]; if (*p == 33) vdso = p[1]; }
  int moved = fastMove ? fast(entry, 163, vdso, 0x1000, 0x1000, 3, 0x50000000) : int80(163, vdso, 0x1000, 0x1000, 3, 0x50000000);
  if (moved != 0x50000000) int80(1, 1, 0, 0, 0, 0);
  int act[4] = { (int)handler, 0, 0, 0 };
  int80(67, 10, (int)act, 0, 0, 0);
  int80(37, int80(20, 0, 0, 0, 0, 0), 10, 0, 0, 0);
  if (handled != 10) int80(1, 2, 0, 0, 0, 0);
  if (fast(entry - vdso + 0x50000000, 20, 0, 0, 0, 0, 0) != int80(20, 0, 0, 0, 0, 0)) int80(1, 3, 0, 0, 0, 0);
  int80(1, 42, 0, 0, 0, 0);
}
asm(".globl _start; _start: mov %esp, %eax; push %eax; call run");
`;

/**
 * x86-64: gives up its vDSO, asks for the 32-bit one, goes to CS 0x23 and calls it. Exit status 42, or 100 + errno of
 * arch_prctl, or with the argument \`u\` whether [vdso] is mapped.
 */
const MAP_VDSO = `
static long sys(long nr, long a, long b, long c) {
  long r;
  asm volatile("syscall" : "=a"(r) : "0"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return r;
}
char stack32[4096];
__attribute__((used)) void run(long *sp) {
  long argc = sp[0], *p = sp + 1 + argc + 1, vdso = 0;
  while (*p) p++;
  for (p++; *p; p += 2) if (*p == 33) vdso = p[1];
  sys(11, vdso - 0x2000, 0x4000, 0);
  long r = sys(158, 0x2002, 0x50000000, 0);
  if (argc > 1) {
    unsigned char vec[1];
    sys(60, r == -12 && sys(27, 0x50002000, 4096, (long)vec) == -12 ? 0 : 1, 0, 0);
  }
  if (r < 0) sys(60, 100 - r, 0, 0);
  if (((char *)0x50002000)[4] != 1) sys(60, 2, 0, 0);
  unsigned entry = 0x50002000 + *(unsigned *)(0x50002000 + 24);
  long pid = sys(39, 0, 0, 0);
  asm volatile(
    "mov %2, %%rsp\\n pushq $0x23\\n pushq $1f\\n lretq\\n"
    ".code32\\n"
    "1: mov $20, %%eax\\n call *%%edi\\n mov $1, %%ebx\\n cmp %%esi, %%eax\\n jne 2f\\n mov $42, %%ebx\\n"
    "2: mov $1, %%eax\\n call *%%edi\\n hlt\\n"
    ".code64"
    : : "D"((unsigned long)entry), "S"(pid), "r"(stack32 + 4000));
}
asm(".globl _start; _start: mov %rsp, %rdi; call run");
`;

describe('patches, seen by a guest program', () => {
  let move: string;
  let map: string;
  before(function () {
    if (!haveGcc()) this.skip();
    move = buildC('move-vdso', MOVE_VDSO, ['-m32', '-fno-pic', ...FREESTANDING]);
    map = buildC('map-vdso', MAP_VDSO, ['-m64', ...FREESTANDING]);
  });

  it('base: a vDSO that was moved by a fast call or by int 0x80 still works', () => {
    for (const vendor of ['amd', 'intel'] as const) {
      for (const argv of [['v'], []]) {
        expect(runGuest(move, { vendor, argv, patches: 'none' })).to.equal(SIGSEGV);
        expect(runGuest(move, { vendor, argv, patches: 'base' })).to.equal(42);
      }
    }
  });

  it('0001: no [vdso] is left when [vvar] fails', () => {
    const fail = { argv: ['u'], failVvar: true };
    expect(runGuest(map, { ...fail, patches: '0002,0003' })).to.equal(1);
    expect(runGuest(map, { ...fail, patches: '0001,0002,0003' })).to.equal(0);
  });

  it('0003: a 64-bit program gets the 32-bit vDSO and calls it from CS 0x23', () => {
    expect(runGuest(map, { kernel: 'v4.7-rc1' })).to.equal(122);
    for (const vendor of ['amd', 'intel'] as const) {
      expect(runGuest(map, { vendor })).to.equal(42);
      expect(runGuest(map, { vendor, kernel: 'v4.9' })).to.equal(42);
    }
  });
});
