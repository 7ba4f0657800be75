/* What works for a 64-bit program that runs 32-bit code, and, with -m32, for an i386 program that runs 64-bit code. */
#include "row.h"
#include "modes.h"
#include <sys/syscall.h>

/* Of both modes. */
long result, arguments[2];
extern char getpid80[], mmap80[], nanosleep80[], nanosleep64[], fast_syscall[], fast_sysenter[], through_vdso[];
asm(".text\n"
    "getpid80: mov $20, %eax\n int $0x80\n ret\n"
    "mmap80: mov $192, %eax\n xor %ebx, %ebx\n mov $4096, %ecx\n mov $3, %edx\n mov $0x22, %esi\n mov $-1, %edi\n xor %ebp, %ebp\n int $0x80\n ret\n"
    "nanosleep80: mov $162, %eax\n mov $time32, %ebx\n xor %ecx, %ecx\n int $0x80\n ret\n");
int time32[2] = {0, 20000000};
long long time64[2] = {0, 20000000};

static int interrupted(pid_t pid) {
  int status;
  usleep(5000);
  kill(pid, SIGSTOP);
  waitpid(pid, &status, WUNTRACED);
  kill(pid, SIGCONT);
  waitpid(pid, &status, 0);
  return status;
}

#ifdef __x86_64__
asm(".code32\n"
    "fast_syscall: mov $20, %eax\n mov %ecx, %ebp\n syscall\n hlt\n"
    "fast_sysenter: mov $20, %eax\n push %ecx; push %edx; push %ebp; mov %esp, %ebp\n sysenter\n hlt\n"
    "through_vdso: mov $20, %eax\n call *%ss:entry\n ret\n"
    ".code64\n");
unsigned entry;

static void getpid_there(long unused) { say("%d", in_cs23(getpid80) == getpid()); }
static void mmap_there(long unused) { unsigned long r = in_cs23(mmap80); say(r >> 32 ? "high" : "low"); }
static void mmap_by_cs33(long unused) {
  unsigned long r;
  asm volatile("push %%rbp; call mmap80; pop %%rbp" : "=a"(r) : : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
  say(r >> 32 ? "high" : "low");
}
static void fast(long code) { in_cs23((void *)code); say("?"); }
static void with_vdso(long unused) {
  if (take_i386_vdso() < 0) { say("no vDSO"); return; }
  entry = area("[vdso]", 0).start;
  entry += *(unsigned *)(entry + 24ul);
  say("%d", in_cs23(through_vdso) == getpid());
}
static void bases(long unused) {
  static long there[2];
  unsigned long fs = 0, gs = 0, was;
  arch_prctl(0x1003, (long)&was);
  arch_prctl(0x1001, 0x123456789000);
  in_cs23(getpid80);
  arch_prctl(0x1003, (long)&fs);
  arch_prctl(0x1004, (long)&gs);
  say("%s %lx", fs == was ? "kept" : "lost", gs);
}
static void tls(long unused) {
  static struct { unsigned entry, base, limit, bits; } desc = {-1, 0x1000, 0xfffff, 0x51};
  long r;
  asm volatile("int $0x80" : "=a"(r) : "0"(243), "b"(&desc) : "r8", "r9", "r10", "r11", "memory");
  say("%s entry %d", error(r), desc.entry);
  say(", by syscall %s", error(syscall(205, &desc) < 0 ? -errno : 0));
}
static void sleeps(long unused) {
  pid_t pid = fork();
  if (pid == 0) _exit(-(int)in_cs23(nanosleep80));
  say("%s", error(-WEXITSTATUS(interrupted(pid))));
}
static void exec_number(long by_int80) {
  static char self[] = "/proc/self/exe", mode[] = "x";
  static unsigned argv32[] = {0, 0, 0};
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    if (!by_int80) execl(self, self, mode, (char *)0);
    argv32[0] = (unsigned)(long)self; argv32[1] = (unsigned)(long)mode;
    asm volatile("int $0x80" : : "a"(11), "b"(self), "c"(argv32), "d"(0));
    _exit(1);
  }
  waitpid(pid, &status, 0);
  ptrace(PTRACE_CONT, pid, 0, 0);
  waitpid(pid, &status, 0);
  say("%ld", ptrace(PTRACE_PEEKUSER, pid, 120, 0));
  ptrace(PTRACE_KILL, pid, 0, 0);
}
#else
asm(".code64\n"
    "nanosleep64: mov $35, %eax\n mov $time64, %edi\n xor %esi, %esi\n syscall\n ret\n"
    ".code32\n");
static void getpid_there(long unused) { say("%d", in_cs33(getpid80) == getpid()); }
extern char map_there[];
asm(".code64\n map_there: mov $9, %eax\n xor %edi, %edi\n mov $4096, %esi\n mov $3, %edx\n mov $0x22, %r10d\n mov $-1, %r8\n xor %r9d, %r9d\n syscall\n mov %rax, %rdx; shr $32, %rdx; jz 1f; cmp $-1, %edx; je 1f; mov $1, %eax\n 1: ret\n .code32\n");
static void mmap_there(long unused) { int r = in_cs33(map_there); say(r == 1 ? "high" : r < 0 && r > -4096 ? error(r) : "low"); }
/* execve of itself by syscall. */
extern char exec64[];
char self64[] = "/proc/self/exe", mode64[] = "x";
long long argv64[3];
asm(".code64\n exec64: mov $59, %eax\n mov $self64, %edi\n mov $argv64, %esi\n xor %edx, %edx\n syscall\n ret\n .code32\n");
static void exec_number(long by_syscall) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    if (!by_syscall) execl(self64, self64, mode64, (char *)0);
    argv64[0] = (unsigned)self64; argv64[1] = (unsigned)mode64;
    in_cs33(exec64);
    _exit(1);
  }
  waitpid(pid, &status, 0);
  ptrace(PTRACE_CONT, pid, 0, 0);
  waitpid(pid, &status, 0);
  say("%ld", ptrace(PTRACE_PEEKUSER, pid, 44, 0));
  ptrace(PTRACE_KILL, pid, 0, 0);
}
static void sleeps(long unused) {
  pid_t pid = fork();
  if (pid == 0) _exit(-in_cs33(nanosleep64));
  say("%s", error(-WEXITSTATUS(interrupted(pid))));
}
#endif

int main(int argc, char **argv) {
  if (argc > 1) return 0;
  row("int 0x80", getpid_there, 0);
#ifdef __x86_64__
  row("mmap2 by int 0x80, CS 23", mmap_there, 0);
  row("mmap2 by int 0x80, CS 33", mmap_by_cs33, 0);
  row("SYSCALL", fast, (long)fast_syscall);
  row("SYSENTER", fast, (long)fast_sysenter);
  row("__kernel_vsyscall of an i386 vDSO", with_vdso, 0);
  row("FS and GS base", bases, 0);
  row("set_thread_area", tls, 0);
  row("int 0x80 nanosleep, stopped and continued", sleeps, 0);
  row("orig_ax at the stop of execve, called by syscall", exec_number, 0);
  row("orig_ax at the stop of execve, called by int 0x80", exec_number, 1);
#else
  row("mmap by syscall", mmap_there, 0);
  row("syscall nanosleep, stopped and continued", sleeps, 0);
  row("orig_ax at the stop of execve, called by int 0x80", exec_number, 0);
  row("orig_ax at the stop of execve, called by syscall", exec_number, 1);
#endif
  return 0;
}
