/* arch_prctl(ARCH_MAP_VDSO_*) in a 64-bit program. */
#include "row.h"

enum { X32 = ARCH_MAP_VDSO_X32, I386 = ARCH_MAP_VDSO_32, X64 = ARCH_MAP_VDSO_64 };

/* Class and machine of the image there. */
static void image(unsigned long at) {
  unsigned char *p = (void *)at;
  say(", ELF%d machine %d", p[4] == 1 ? 32 : 64, p[18]);
}

static void fresh(long code) {
  unmap("[vdso]"); unmap("[vvar]");
  long r = arch_prctl(code, 0x50000000);
  say(r > 0 ? "size" : "%s", error(r));
  struct area vdso = area("[vdso]", 0), vvar = area("[vvar]", 0);
  if (r > 0 && r != size(vdso)) say(" %ld?", r);
  if (!vdso.start) { say(", nothing"); return; }
  say(", [vvar] %lx", vvar.start);
  if (vdso.start != vvar.start + size(vvar)) say(" [vdso] not behind");
  image(vdso.start);
}

static void left(long what) {
  if (what & 1) unmap("[vdso]");
  if (what & 2) unmap("[vvar]");
  if (what & 4) { struct area a = area("[vdso]", 0); munmap((void *)a.start, 4096); unmap("[vvar]"); }
  say("%s", error(arch_prctl(I386, 0x50000000)));
  say(", %d [vvar] %d [vdso]", areas("[vvar]"), areas("[vdso]"));
}

static void hint(long at) {
  unmap("[vdso]"); unmap("[vvar]");
  if (at == 0x50000000) mmap((void *)at, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  long r = arch_prctl(I386, at);
  if (r < 0) { say("%s", error(r)); return; }
  unsigned long start = area("[vvar]", 0).start;
  if (start >> 32) say("high"); else say("%lx", start);
}

static void code(long n) { unmap("[vdso]"); unmap("[vvar]"); say("%s", error(arch_prctl(n, 0))); }

/* Every hole of the address space is taken. */
static void no_room(long unused) {
  unmap("[vdso]"); unmap("[vvar]");
  for (unsigned long n = 1UL << 46; n >= 4096; n >>= 1)
    while (mmap(0, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED);
  say("%s", error(arch_prctl(I386, 0)));
}

/* A page of the old [vdso] that nobody has read in this process comes from the new image, which has one page. */
static void old_pages(long page) {
  struct area old = area("[vdso]", 0);
  long r = arch_prctl(I386, 0x50000000);
  say(r == 0 ? "second, " : "%s, ", error(r));
  say("%s", ((volatile unsigned char *)old.start)[page * 4096 + 4] == 1 && page == 0 ? "ELF32" : page ? "read" : "ELF64");
}

static void auxv_stays(long unused) {
  unsigned long before[64] = {0}, after[64] = {0};
  int fd = open("/proc/self/auxv", O_RDONLY);
  pread(fd, before, sizeof before, 0);
  unmap("[vdso]"); unmap("[vvar]");
  arch_prctl(I386, 0x50000000);
  pread(fd, after, sizeof after, 0);
  say(memcmp(before, after, sizeof before) ? "changed" : "unchanged");
}

/* It acts on the tracer. */
static void by_ptrace(long unused) {
  unmap("[vdso]"); unmap("[vvar]");
  pid_t pid = fork();
  if (pid == 0) { ptrace(PTRACE_TRACEME, 0, 0, 0); raise(SIGSTOP); _exit(0); }
  int status;
  waitpid(pid, &status, 0);
  long r = syscall(SYS_ptrace, 30, pid, 0x50000000, I386);
  say("%s", r < 0 ? error(-errno) : "done");
  say(", %d [vdso]", areas("[vdso]"));
}

static void protections(long unused) {
  unmap("[vdso]"); unmap("[vvar]");
  if (arch_prctl(I386, 0x50000000) < 0) { say("none"); return; }
  struct area vdso = area("[vdso]", 0), vvar = area("[vvar]", 0);
  int fd = open("/proc/self/mem", O_RDWR);
  char c = 0x7f;
  say("breakpoint in [vdso] %ld, in [vvar] %ld", (long)pwrite(fd, &c, 1, vdso.start), (long)pwrite(fd, &c, 1, vvar.start));
  say(", mprotect %d %d", mprotect((void *)vdso.start, 4096, 7), mprotect((void *)vvar.start, 4096, 3));
}

static void by_x32(long unused) {
  long r;
  unmap("[vdso]"); unmap("[vvar]");
  asm volatile("syscall" : "=a"(r) : "0"(158L | 0x40000000), "D"(I386), "S"(0x50000000L) : "rcx", "r11", "memory");
  say("%s, %d [vdso]", r > 0 ? "size" : error(r), areas("[vdso]"));
}

static void by_int80(long unused) {
  long r;
  asm volatile("int $0x80" : "=a"(r) : "0"(384L), "b"(I386), "c"(0x50000000L) : "r8", "r9", "r10", "r11", "memory");
  say("%s", error(r));
}

int main(void) {
  row("ARCH_MAP_VDSO_X32", fresh, X32);
  row("ARCH_MAP_VDSO_32", fresh, I386);
  row("ARCH_MAP_VDSO_64", fresh, X64);
  row("[vdso] and [vvar] are there", left, 0);
  row("[vvar] is there", left, 1);
  row("[vdso] is there", left, 2);
  row("the second page of [vdso] is there", left, 4);
  row("hint 0", hint, 0);
  row("hint within a page", hint, 0x50000801);
  row("hint where something is", hint, 0x50000000);
  row("hint at the end of the address space", hint, 0x7ffffffff000);
  row("hint -1", hint, -1);
  row("no room", no_room, 0);
  row("code 0x2000", code, 0x2000);
  row("code 0x2004", code, 0x2004);
  row("first page of the old [vdso]", old_pages, 0);
  row("second page of the old [vdso]", old_pages, 1);
  row("auxiliary vector", auxv_stays, 0);
  row("by PTRACE_ARCH_PRCTL", by_ptrace, 0);
  row("protections", protections, 0);
  row("by the x32 call", by_x32, 0);
  row("i386 number 384", by_int80, 0);
  return 0;
}
