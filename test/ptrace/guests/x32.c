/* An x32 tracer of an x32 program, without libc: requests by number 521, which take 32-bit words and the 64-bit layouts. */
#define X32 0x40000000
typedef unsigned int u32;
typedef unsigned long long u64;

static long call(long nr, u64 a, u64 b, u64 c, u64 d) {
  register u64 r10 asm("r10") = d;
  u64 r;
  asm volatile("syscall" : "=a"(r) : "0"((u64)(u32)(nr | X32)), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return (long)(int)r;
}
static void put(const char *s) {
  int n = 0;
  while (s[n]) n++;
  call(1, 1, (u32)s, n, 0);
}
static void hex(u64 v) {
  char t[20], *p = t + 19;
  *p = 0;
  do *--p = "0123456789abcdef"[v & 15];
  while (v >>= 4);
  put(p);
}
static void answer(const char *what, long r, u64 v) {
  put(what);
  put(r < 0 ? " -" : " ");
  hex(r < 0 ? -r : r);
  put(" ");
  hex(v);
  put("\n");
}
/* The call first, then what it gave. */
#define say(what, request, value) do { long r_ = (request); answer(what, r_, value); } while (0)
static long pt(long request, long pid, u32 addr, void *data) { return call(521, request, pid, addr, (u32)data); }

static u64 regs[40];
static unsigned char bytes[1024];
static u32 constant = 0x12345678, after = 0x9abcdef0;

__attribute__((used)) void run(void) {
  long pid = call(57, 0, 0, 0, 0);
  if (pid == 0) {
    pt(0, 0, 0, 0);
    call(62, call(39, 0, 0, 0, 0), 19, 0, 0);
    call(39, 0, 0, 0, 0);
    call(231, 3, 0, 0, 0);
  }
  u32 status = 0;
  call(61, pid, (u32)&status, 0, 0);
  say("stop", 0, status);
  u64 v = ~0ull;
  say("PEEKUSR rax", pt(3, pid, 80, &v), v);
  say("PEEKUSR cs", pt(3, pid, 136, &v), v);
  v = ~0ull;
  say("PEEKUSR DR7", pt(3, pid, 848 + 56, &v), v);
  say("PEEKUSR beyond", pt(3, pid, 928, &v), 0);
  say("POKEUSR rax", pt(6, pid, 80, (void *)1), 0);
  say("POKEUSR ds", pt(6, pid, 184, (void *)0x2b), 0);
  v = ~0ull;
  say("PEEKDATA", pt(2, pid, (u32)&constant, &v), v);
  say("POKEDATA", pt(5, pid, (u32)&constant, (void *)0x77), 0);
  v = ~0ull;
  say("and behind it", pt(2, pid, (u32)&after, &v), v);
  say("GETREGS", pt(12, pid, 0, regs), regs[17]);
  struct { u32 base, len; } iov = { (u32)regs, sizeof regs };
  say("GETREGSET", pt(0x4204, pid, 1, &iov), iov.len);
  iov.base = (u32)bytes;
  iov.len = sizeof bytes;
  say("GETREGSET PRFPREG", pt(0x4204, pid, 2, &iov), iov.len);
  say("GETFPREGS", pt(14, pid, 0, bytes), 0);
  say("GETFPXREGS", pt(18, pid, 0, bytes), 0);
  say("GET_THREAD_AREA", pt(25, pid, 12, bytes), 0);
  say("ARCH_PRCTL", pt(30, pid, (u32)&v, (void *)0x1003), 0);
  u32 *si = (u32 *)bytes;
  say("GETSIGINFO", pt(0x4202, pid, 0, si), si[0]);
  say("si_pid is its own", 0, si[3] == (u32)pid);
  pt(0x4200, pid, 0, (void *)1);
  pt(24, pid, 0, 0);
  call(61, pid, (u32)&status, 0, 0);
  pt(12, pid, 0, regs);
  say("syscall stop", 0, status);
  say("orig_rax", 0, regs[15]);
  pt(7, pid, 0, 0);
  call(61, pid, (u32)&status, 0, 0);
  say("end", 0, status);
  call(231, 0, 0, 0, 0);
}
asm(".globl _start; _start: and $-16, %esp; call run");
