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

/**
 * x86-64: sets a handler by int 0x80, from CS 0x23, or with an argument from CS 0x33, and sends itself the signal. Exit
 * status: CS in the handler. From the label 1 on, the bytes mean the same in both modes.
 */
const HANDLER_CS = `
asm(
  ".bss\\n .lcomm stack32, 8192\\n"
  ".data\\n act: .long handler, 0, 0x04000000, handler\\n"
  ".text\\n .globl _start\\n _start: mov (%rsp), %rax\\n mov $stack32+8000, %esp\\n cmp $1, %eax\\n jne 1f\\n"
  "pushq $0x23\\n pushq $1f\\n lretq\\n"
  ".code32\\n"
  "1: mov $67, %eax\\n mov $10, %ebx\\n mov $act, %ecx\\n xor %edx, %edx\\n int $0x80\\n"
  "mov $20, %eax\\n int $0x80\\n mov %eax, %ebx\\n mov $10, %ecx\\n mov $37, %eax\\n int $0x80\\n hlt\\n"
  "handler: mov %cs, %ebx\\n mov $1, %eax\\n int $0x80\\n hlt\\n"
  ".code64\\n");
`;

/**
 * x86-64: mmap2 by int 0x80, then execve of itself by int 0x80. Exit status 1: the mapping was above 4 GiB; 2: below; 3: the
 * second program has its vDSO below.
 */
const MMAP_INT80 = `
static long int80(long nr, long a, long b, long c, long d, long e) {
  long r;
  asm volatile("int $0x80" : "=a"(r) : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "r8", "r9", "r10", "r11", "memory");
  return r;
}
static char path[4096];
static char status[2] = "1";
static unsigned argv[3];
__attribute__((used)) void run(long *sp) {
  long argc = sp[0], *p = sp + 1 + argc + 1, vdso = 0;
  while (*p) p++;
  for (p++; *p; p += 2) if (*p == 33) vdso = p[1];
  if (argc > 1) int80(1, vdso >> 32 ? ((char *)sp[2])[0] - '0' : 3, 0, 0, 0, 0);
  if (int80(192, 0, 4096, 3, 0x22, -1) >> 32 == 0) status[0] = '2';
  for (int i = 0; (path[i] = ((char *)sp[1])[i]); i++);
  argv[0] = (unsigned)(long)path;
  argv[1] = (unsigned)(long)status;
  int80(11, (long)path, (long)argv, 0, 0, 0);
  int80(1, 9, 0, 0, 0, 0);
}
asm(".globl _start; _start: mov %rsp, %rdi; call run");
`;

const EXEC_SELF = `
#include <unistd.h>
int main(int argc, char **argv) {
  if (argc > 1) return 42;
  execl("/proc/self/exe", "again", "x", (char *)0);
  return 1;
}
`;

describe('patches, seen by a guest program', () => {
  let move: string;
  let map: string;
  let handler: string;
  let mmap: string;
  before(function () {
    if (!haveGcc()) this.skip();
    move = buildC('move-vdso', MOVE_VDSO, ['-m32', '-fno-pic', ...FREESTANDING]);
    map = buildC('map-vdso', MAP_VDSO, ['-m64', ...FREESTANDING]);
    handler = buildC('handler-cs', HANDLER_CS, ['-m64', ...FREESTANDING]);
    mmap = buildC('mmap-int80', MMAP_INT80, ['-m64', ...FREESTANDING]);
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

  it('0001: where execve has no way back a failing [vvar] ends the task, on every kernel', () => {
    for (const bits of ['64', '32'] as const) {
      const program = buildC(`exec-${bits}`, EXEC_SELF, [`-m${bits}`, '-static']);
      for (const kernel of ['v4.7-rc1', 'compat-cr', 'v4.9', 'v4.12']) {
        expect(runGuest(program, { kernel })).to.equal(42);
        expect(runGuest(program, { kernel, failVvar: true })).to.equal(SIGSEGV);
      }
    }
  });

  it('0003: a 64-bit program gets the 32-bit vDSO and calls it from CS 0x23', () => {
    expect(runGuest(map, { kernel: 'v4.7-rc1' })).to.equal(122);
    for (const vendor of ['amd', 'intel'] as const) {
      expect(runGuest(map, { vendor })).to.equal(42);
      expect(runGuest(map, { vendor, kernel: 'v4.9' })).to.equal(42);
    }
  });

  it('0006: a handler that is set from CS 0x23 runs there', () => {
    expect(runGuest(handler, { patches: 'none' })).to.equal(0x33);
    for (const kernel of ['compat-cr', 'v4.9', 'v4.12']) expect(runGuest(handler, { kernel })).to.equal(0x23);
    expect(runGuest(handler, { argv: ['x'] })).to.equal(0x33);
    expect(runGuest(handler, { argv: ['x'], kernel: 'v4.9' })).to.equal(0x33);
    expect(runGuest(handler, { argv: ['x'], kernel: 'v4.12' })).to.equal(0x23);
  });

  it('mmap: below 4 GiB by int 0x80, and execve as a 64-bit program is not concerned', () => {
    expect(runGuest(mmap, {})).to.equal(1);
    expect(runGuest(mmap, { kernel: 'v4.12' })).to.equal(2);
  });
});
