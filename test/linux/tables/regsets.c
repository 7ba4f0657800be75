/*
 * What a tracer sees of a program that changes CS: sizes of the register sets. With an argument the program is the tracee: it
 * stops with CS 0x33 and with 0x23.
 */
#include "row.h"
#include "modes.h"
#include <sys/user.h>

extern char stop_here[], stop_there[];
/* kill(getpid(), SIGSTOP) by int 0x80 is the same bytes in both modes. */
asm(".text\nstop_here: .byte 0xb8; .long 20; int $0x80\n mov %eax, %ebx\n .byte 0xb9; .long 19; .byte 0xb8; .long 37; int $0x80\n ret\n");

static const char *const SETS[] = {"PRSTATUS", "PRFPREG", "PRXFPREG", "XSTATE", "386_TLS", "386_IOPERM"};
static const unsigned NOTES[] = {1, 2, 0x46e62b7f, 0x202, 0x200, 0x201};

pid_t tracee;

enum { OWN, INT80, X32_CALL };
/* ptrace(2) by one of the ways in. */
static long call(int how, long request, long addr, void *data) {
  long r = syscall(SYS_getpid);
#ifdef __x86_64__
  if (how == INT80) {
    asm volatile("int $0x80" : "=a"(r) : "0"(26L), "b"(request), "c"((long)tracee), "d"(addr), "S"(data) : "r8", "r9", "r10", "r11", "memory");
    return (int)r;
  }
  if (how == X32_CALL) {
    register void *r10 asm("r10") = data;
    asm volatile("syscall" : "=a"(r) : "0"(521L | 0x40000000), "D"(request), "S"((long)tracee), "d"(addr), "r"(r10) : "rcx", "r11", "memory");
    return r;
  }
#endif
  r = syscall(SYS_ptrace, request, tracee, addr, data);
  return r < 0 ? -errno : r;
}

/* How far a request writes. */
static void extent(const char *name, int how, int request) {
  static unsigned char a[8192], b[8192];
  memset(a, 0, sizeof a);
  memset(b, 0xff, sizeof b);
  long r = call(how, request, 0, a);
  if (r < 0) { say(" %s %s", name, error(r)); return; }
  call(how, request, 0, b);
  int n = sizeof a;
  while (n > 0 && a[n - 1] == 0 && b[n - 1] == 0xff) n--;
  say(" %s %d", name, n);
}

static void sets(long unused) {
  static char buffer[16384];
  for (int i = 0; i < 6; i++) {
    struct iovec io = {buffer, sizeof buffer};
    long r = syscall(SYS_ptrace, 0x4204, tracee, NOTES[i], &io);
    say("%s%s ", i ? " " : "", SETS[i]);
    if (r < 0) say("%s", io.iov_len == sizeof buffer ? error(-errno) : "changes iov_len");
    /* The size of the XSAVE area is the CPU's. */
    else say(i == 3 ? "whole" : "%d", (int)io.iov_len);
  }
}

/* SETREGSET, GETREGSET and what they say of lengths. */
static void set(long unused) {
  static char buffer[16384];
  struct iovec io = {buffer, sizeof buffer};
  syscall(SYS_ptrace, 0x4204, tracee, 1, &io);
  const int whole = io.iov_len;
  const struct { int request; int length; } calls[] = {{0x4205, whole}, {0x4205, whole + 4}, {0x4205, whole + 8}, {0x4205, 24}, {0x4204, 12}};
  for (int i = 0; i < 5; i++) {
    io.iov_len = calls[i].length;
    long r = syscall(SYS_ptrace, calls[i].request, tracee, 1, &io);
    say("%s%s", i ? ", " : "", r < 0 ? error(-errno) : "");
    if (r == 0) say("%d", (int)io.iov_len);
  }
}

static void old(long how) {
  extent("GETREGS", how, PTRACE_GETREGS);
  extent("GETFPREGS", how, PTRACE_GETFPREGS);
  extent("GETFPXREGS", how, 18);
}

#ifdef __x86_64__
/* Where CS stands in the user area: at 52 of the i386 one, at 136 of the 64-bit one; and the last word of each. */
static void peek(long how) {
  static unsigned words[2];
  static const int AT[] = {52, 136, 280, 284, 904, 912};
  for (int i = 0; i < 6; i++) {
    words[0] = words[1] = 0;
    long r = call(how, PTRACE_PEEKUSER, AT[i], words);
    say("%s%d %s", i ? ", " : "", AT[i], r < 0 ? error(r) : "");
    if (r >= 0) say("%x", words[0]);
  }
}
#endif

/* In the tracer itself: a row is a process, and only one may trace. */
static void of(const char *name, void (*look)(long), long argument) {
  if (!answer) answer = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  *answer = 0;
  look(argument);
  printf("%s: %s\n", name, *answer == ' ' ? answer + 1 : answer);
}

#ifdef __i386__
/* ptrace(PTRACE_GETREGS) by SYSCALL: in which layout it writes. */
struct { unsigned long long regs[27]; } wide;
extern char getregs64[];
asm(".code64\ngetregs64: mov $101, %eax; mov $12, %edi; mov $tracee, %ecx; mov (%rcx), %esi; xor %edx, %edx; mov $wide, %r10d; syscall; ret\n.code32\n");
static void by_syscall(long cs) {
  memset(&wide, 0x55, sizeof wide);
  int r = in_cs33(getregs64);
  int n = sizeof wide;
  while (n > 0 && ((unsigned char *)&wide)[n - 1] == 0x55) n--;
  const char *layout = ((unsigned *)&wide)[13] == cs ? "i386" : wide.regs[17] == cs ? "64-bit" : "no";
  say("%d, %d bytes, %s layout", r, n, layout);
}
#endif

int main(int argc, char **argv) {
  int status;
  if (argc > 1) {
#ifdef __x86_64__
    ((void (*)(void))stop_here)();
    in_cs23(stop_here);
#else
    in_cs33(stop_here);
    ((void (*)(void))stop_here)();
#endif
    _exit(0);
  }
  tracee = fork();
  if (tracee == 0) { ptrace(PTRACE_TRACEME, 0, 0, 0); execl("/proc/self/exe", "tracee", "x", (char *)0); _exit(9); }
  waitpid(tracee, &status, 0);
  for (int i = 0; i < 2; i++) {
    char name[64];
    ptrace(PTRACE_CONT, tracee, 0, 0);
    waitpid(tracee, &status, 0);
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, tracee, 0, &regs);
#ifdef __x86_64__
    int cs = regs.cs;
#else
    int cs = regs.xcs;
#endif
    sprintf(name, "CS %x, GETREGSET", cs); of(name, sets, cs);
    sprintf(name, "CS %x, SETREGSET", cs); of(name, set, cs);
    sprintf(name, "CS %x, older requests", cs); of(name, old, OWN);
#ifdef __x86_64__
    sprintf(name, "CS %x, older requests by int 0x80", cs); of(name, old, INT80);
    sprintf(name, "CS %x, older requests by the x32 call", cs); of(name, old, X32_CALL);
    sprintf(name, "CS %x, PEEKUSER", cs); of(name, peek, OWN);
    sprintf(name, "CS %x, PEEKUSER by int 0x80", cs); of(name, peek, INT80);
    sprintf(name, "CS %x, PEEKUSER by the x32 call", cs); of(name, peek, X32_CALL);
#endif
#ifdef __i386__
    sprintf(name, "CS %x, GETREGS by SYSCALL", cs); of(name, by_syscall, cs);
#endif
  }
  ptrace(PTRACE_KILL, tracee, 0, 0);
  return 0;
}
