/* An x32 program without a libc: each case leaves by exit_group(number) when something is not as it should be. */
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;
#define X32 0x40000000

static s64 sys(u32 nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  register u64 r10 asm("r10") = d;
  register u64 r8 asm("r8") = e;
  register u64 r9 asm("r9") = f;
  s64 r;
  asm volatile("syscall" : "=a"(r) : "0"((u64)(nr | X32)), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return r;
}
#define P(x) ((u64)(u32)(x))
static void die(int code) { sys(231, code, 0, 0, 0, 0, 0); for (;;); }
#define CHECK(n, condition) do { if (!(condition)) die(n); } while (0)

struct act { u32 handler, flags, restorer, pad; u32 mask[2]; };
struct compat_act { u32 handler; u32 flags; u32 restorer; u32 mask[2]; };
struct timespec { s64 sec, nsec; };
struct iovec { u32 base, len; };
struct stack { u32 sp, flags, size; };

static volatile int handled, code, pid_in, sig_in;
static volatile u64 frame_at, uc_at, info_at;
void restorer(void);
asm(".globl restorer\nrestorer: mov $0x40000201, %eax\n syscall\n hlt\n");
static void handler(int sig, int *info, u32 *uc) {
  handled++;
  sig_in = sig;
  code = info[2];
  /* The union of a compat siginfo begins at 12. */
  pid_in = info[3];
  info_at = P(info);
  uc_at = P(uc);
}
static volatile u64 times[2];
static void times_handler(int sig, const u64 *info) {
  /* si_utime and si_stime. */
  times[0] = info[3];
  times[1] = info[4];
}
static char altstack[8192] __attribute__((aligned(16)));
static char buffer[64];

static void vdso_calls(u32 vdso) {
  /* ELFCLASS32 and EM_X86_64. */
  unsigned char *e = (unsigned char *)vdso;
  CHECK(20, e[4] == 1 && e[18] == 62);
  u32 phoff = *(u32 *)(e + 28), dyn = 0;
  int n = *(unsigned short *)(e + 44);
  for (int i = 0; i < n; i++) {
    u32 *ph = (u32 *)(e + phoff + 32 * i);
    if (ph[0] == 2) dyn = vdso + ph[1];
  }
  CHECK(21, dyn != 0);
  u32 symtab = 0, strtab = 0, hash = 0;
  for (u32 *d = (u32 *)dyn; d[0]; d += 2) {
    if (d[0] == 4) hash = vdso + d[1];
    if (d[0] == 5) strtab = vdso + d[1];
    if (d[0] == 6) symtab = vdso + d[1];
  }
  int (*gettime)(int, struct timespec *) = 0;
  for (u32 i = 0; i < ((u32 *)hash)[1]; i++) {
    u32 *s = (u32 *)(symtab + 16 * i);
    const char *name = (const char *)(strtab + s[0]), *want = "__vdso_clock_gettime";
    int k = 0;
    while (name[k] && name[k] == want[k]) k++;
    if (!name[k] && !want[k]) gettime = (void *)(vdso + s[1]);
  }
  CHECK(22, gettime != 0);
  struct timespec a = { 0, 0 }, b = { 0, 0 };
  CHECK(23, gettime(1, &a) == 0);
  CHECK(24, sys(228, 1, P(&b), 0, 0, 0, 0) == 0);
  CHECK(25, b.sec == a.sec && b.nsec >= a.nsec);
}

__attribute__((used)) void start(u32 *sp) {
  /* x32's stack holds words of 4 bytes. */
  u32 argc = sp[0], *p = sp + 1 + argc + 1, vdso = 0, pagesz = 0;
  while (*p) p++;
  for (p++; *p; p += 2) {
    if (*p == 33) vdso = p[1];
    if (*p == 6) pagesz = p[1];
  }
  int signals_broken = argc > 1;
  CHECK(1, pagesz == 4096 && vdso != 0);
  CHECK(2, sys(39, 0, 0, 0, 0, 0, 0) > 0);
  /* A place below 4 GiB. */
  s64 at = sys(9, 0, 4096, 3, 0x22, -1, 0);
  CHECK(3, at > 0 && at < 0x100000000ll);
  CHECK(4, sys(9, 0x7f0000000000, 4096, 3, 0x32, -1, 0) == -12);
  CHECK(6, sys(548, 0, 0, 0, 0, 0, 0) == -38);
  struct iovec v[2] = { { (u32)(long)"x3", 2 }, { (u32)(long)"2\n", 2 } };
  CHECK(7, sys(516, 1, P(v), 2, 0, 0, 0) == 4);
  struct timespec t = { 0, 1000000 }, before, after;
  sys(228, 1, P(&before), 0, 0, 0, 0);
  CHECK(8, sys(35, P(&t), 0, 0, 0, 0, 0) == 0);
  sys(228, 1, P(&after), 0, 0, 0, 0);
  CHECK(9, (after.sec - before.sec) * 1000000000 + after.nsec - before.nsec >= 1000000);
  vdso_calls(vdso);
  /* ioctl by 514 on what is no terminal. */
  CHECK(30, sys(514, 1, 0x5401, P(buffer), 0, 0, 0) == -25);
  /* sigaltstack by 525: 12 bytes. */
  struct stack old, st = { (u32)(long)altstack, 0, sizeof altstack };
  CHECK(31, sys(525, P(&st), 0, 0, 0, 0, 0) == 0);
  CHECK(32, sys(525, 0, P(&old), 0, 0, 0, 0) == 0 && old.size == sizeof altstack && old.sp == st.sp);
  /* rt_sigaction by 512: the compat structure. SA_SIGINFO | SA_RESTORER | SA_ONSTACK. */
  struct compat_act sa = { (u32)(long)handler, 0x0c000004, (u32)(long)restorer, { 0, 0 } }, was;
  CHECK(33, sys(512, 10, P(&sa), 0, 8, 0, 0) == 0);
  CHECK(34, sys(512, 10, 0, P(&was), 8, 0, 0) == 0 && was.handler == sa.handler && was.restorer == sa.restorer);
  if (signals_broken) was.flags &= ~0x01000000;
  CHECK(35, (was.flags & 0x0fffffff) == 0x0c000004 || (was.flags & 0x0fffffff) == 0x0d000004);
  s64 pid = sys(39, 0, 0, 0, 0, 0, 0);
  CHECK(36, sys(62, pid, 10, 0, 0, 0, 0) == 0);
  CHECK(37, handled == 1 && sig_in == 10 && code == 0 && pid_in == pid);
  CHECK(38, uc_at > st.sp && uc_at < st.sp + sizeof altstack);
  /* x32's frame: ucontext at 8, siginfo at 296. */
  CHECK(39, info_at - uc_at == 288);
  /* rt_sigpending 522, rt_sigtimedwait 523 with a 64-bit timespec, rt_sigqueueinfo 524. */
  u64 set = 1ull << 34, pending = 0;
  CHECK(40, sys(14, 0, P(&set), 0, 8, 0, 0) == 0);
  int queued[32] = { 35, 0, -1, (int)pid, 0, 4711 };
  CHECK(41, sys(524, pid, 35, P(queued), 0, 0, 0) == 0);
  CHECK(42, sys(522, P(&pending), 8, 0, 0, 0, 0) == 0 && pending == set);
  int got[32] = { 0 };
  struct timespec short_ = { 0, 1000 };
  CHECK(43, sys(523, P(&set), P(got), P(&short_), 8, 0, 0) == 35 && got[2] == -1 && got[5] == 4711);
  CHECK(44, sys(523, P(&set), P(got), P(&short_), 8, 0, 0) == -11);
  /* A child's end: the times of SIGCHLD are 64-bit. */
  set = 1ull << 16;
  sys(14, 0, P(&set), 0, 8, 0, 0);
  s64 child = sys(57, 0, 0, 0, 0, 0, 0);
  if (child == 0) die(7);
  CHECK(45, sys(523, P(&set), P(got), 0, 8, 0, 0) == 17);
  CHECK(46, got[3] == child && got[5] == 7);
  /* In a frame, too: of a child that spent more than a tick of both kinds. */
  sa.handler = (u32)(long)times_handler;
  CHECK(50, sys(512, 17, P(&sa), 0, 8, 0, 0) == 0);
  child = sys(57, 0, 0, 0, 0, 0, 0);
  if (child == 0) {
    for (volatile int i = 0; i < 3000000; i++);
    for (int i = 0; i < 51000; i++) sys(39, 0, 0, 0, 0, 0, 0);
    die(7);
  }
  /* WEXITED | WNOWAIT; then it comes. */
  CHECK(51, sys(529, 1, child, 0, 0x1000004, 0, 0) == 0);
  CHECK(52, sys(14, 1, P(&set), 0, 8, 0, 0) == 0);
  CHECK(53, times[0] >= 1 && times[0] < 1000 && times[1] >= 1 && times[1] < 1000);
  sys(14, 0, P(&set), 0, 8, 0, 0);
  int info[32] = { 0 };
  CHECK(47, sys(529, 1, child, P(info), 4, 0, 0) == 0 && info[3] == child && info[5] == 7);
  /* The same number without bit 30 is the compat call, too, in this kernel. */
  s64 r;
  asm volatile("syscall" : "=a"(r) : "0"(525ull), "D"(0ull), "S"(P(&old)) : "rcx", "r11", "memory");
  CHECK(48, r == 0);
  die(42);
}
asm(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
