/* Register sets: partial ones, what is refused, FPU and vector registers, TLS, memory that cannot be written. */
#include "t.h"

static volatile int counter;
static const int constant = 42;
static void body(void) {
  double x = 1.5;
#ifdef __SSE2__
  asm volatile("movups %0, %%xmm1" : : "m"(*(const char(*)[16])"0123456789abcdef") : "xmm1");
#endif
  asm volatile("fldl %0; int3; fstpl %0" : "+m"(x));
  printf("   popped %g\n", x);
  fflush(stdout);
  float f[4];
  asm volatile("int3; movups %%xmm1, %0" : "=m"(f) : : "memory");
  printf("   xmm1 %.15s\n", (char *)f);
  printf("   constant %d\n", *(volatile const int *)&constant);
  fflush(stdout);
}

static long set(pid_t pid, long request, unsigned type, void *at, size_t len, size_t *out) {
  struct iovec v = { at, len };
  long r = pt(request, pid, type, (unsigned long)&v);
  if (out) *out = v.iov_len;
  return r;
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  static unsigned char b[16384], c[16384];
  size_t n, full;
  pid_t pid = traced(body, 0);
  go("int3", PTRACE_CONT, pid, 0);

  printf("-- PRSTATUS\n");
  set(pid, PTRACE_GETREGSET, NT_PRSTATUS, b, sizeof b, &full);
  printf("size %d\n", (int)full);
  int word = full == 68 ? 4 : 8;
  for (int len = 0; len <= 3 * word; len += word / 2) {
    memset(c, 0xcc, sizeof c);
    long r = set(pid, PTRACE_GETREGSET, NT_PRSTATUS, c, len, &n);
    printf("%d words: %s length %d, as the whole: %d, behind untouched: %d\n", len * 2 / word, err(r), (int)(n / word),
           r != 0 || !memcmp(b, c, n), c[n] == 0xcc);
  }
  printf("unknown note %s, SET of it %s\n", err(set(pid, PTRACE_GETREGSET, 0x777, c, 8, &n)), err(set(pid, PTRACE_SETREGSET, 0x777, c, 8, 0)));
  printf("IOPERM %s", err(set(pid, PTRACE_GETREGSET, 0x201, c, 8, 0)));
  printf(" SET %s\n", err(set(pid, PTRACE_SETREGSET, 0x201, c, 8, 0)));

  printf("-- FPU\n");
  printf("GETFPREGS %s", err(pt(PTRACE_GETFPREGS, pid, 0, (unsigned long)b)));
  long double ld;
  int st = sizeof(long) == 8 ? 32 : 28;
  memcpy(&ld, b + st, 10);
  printf(" st0 %Lg\n", ld);
  ld = -2.25L;
  memcpy(b + st, &ld, 10);
  printf("SETFPREGS %s\n", err(pt(PTRACE_SETFPREGS, pid, 0, (unsigned long)b)));
  long r = pt(18, pid, 0, (unsigned long)b);
  printf("GETFPXREGS %s", err(r));
  if (r == 0) printf(" xmm1 %.16s", b + 160 + 16);
  printf("\n");
  r = set(pid, PTRACE_GETREGSET, NT_X86_XSTATE, b, sizeof b, &full);
  printf("XSTATE %s xmm1 %.16s, mask of features has x87, SSE, AVX: %d\n", err(r), b + 160 + 16, (b[464] & 7) == 7);
  memcpy(b + 160 + 16, "ABCDEFGHIJKLMNOP", 16);
  b[512] |= 3;
  printf("SET XSTATE %s", err(set(pid, PTRACE_SETREGSET, NT_X86_XSTATE, b, full, 0)));
  printf(" of a length that is no multiple %s\n", err(set(pid, PTRACE_SETREGSET, NT_X86_XSTATE, b, full - 4, 0)));
  go("next", PTRACE_CONT, pid, 0);

  printf("-- memory\n");
  unsigned long v = 0, at = (unsigned long)&constant & -sizeof(long);
  printf("PEEKTEXT %s", err(pt(PTRACE_PEEKTEXT, pid, at, (unsigned long)&v)));
  int shift = ((unsigned long)&constant & (sizeof(long) - 1)) * 8;
  printf(" %d\n", (int)(v >> shift));
  v = (v & ~(0xfffffffful << shift)) | (77ul << shift);
  printf("POKETEXT into a read-only page %s", err(pt(PTRACE_POKETEXT, pid, at, v)));
  printf(", here it is still %d\n", *(volatile const int *)&constant);
  printf("unaligned PEEKTEXT %s", err(pt(PTRACE_PEEKTEXT, pid, at + 1, (unsigned long)&v)));
  printf(" into an unaligned place %s\n", err(pt(PTRACE_PEEKTEXT, pid, at, (unsigned long)b + 1)));
  go("to the end", PTRACE_CONT, pid, 0);

  printf("-- thread areas\n");
  pid = traced(body, 0);
  unsigned desc[4];
  for (int i = 11; i <= 15; i++) {
    long r = pt(25, pid, i, (unsigned long)desc);
    printf("GET %d: %s", i, err(r));
    if (r == 0 && sizeof(long) == 8) printf(" base %x limit %x flags %x", desc[1], desc[2], desc[3]);
    printf("\n");
  }
  printf("GET -1: %s\n", err(pt(25, pid, -1, (unsigned long)desc)));
  unsigned data[4] = { 13, 0x1234, 0xfffff, 0x51 }, code[4] = { 13, 0, 0xfffff, 0x55 | 2 };
  printf("SET 13: %s", err(pt(26, pid, 13, (unsigned long)data)));
  pt(25, pid, 13, (unsigned long)desc);
  printf(" base %x limit %x flags %x\n", desc[1], desc[2], desc[3]);
  printf("SET 13 to a code segment: %s", err(pt(26, pid, 13, (unsigned long)code)));
  printf(" SET 3: %s\n", err(pt(26, pid, 3, (unsigned long)data)));
  finish(pid);
  return 0;
}
