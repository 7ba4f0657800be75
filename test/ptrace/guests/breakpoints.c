/* Debug registers: execution breakpoints and watchpoints of every length, more than one at a time, what is refused. */
#include "t.h"

static volatile struct { char before[8]; char bytes[16]; char after[8]; } __attribute__((aligned(16))) data;
extern char first[], second[];
static void body(void) {
  asm volatile(".globl first, second; int3; first: nop; nop; second: nop; int3" ::: "memory");
  for (int i = 0; i < 16; i++) data.bytes[i] = i;
  asm volatile("int3");
  volatile char c;
  for (int i = 0; i < 16; i++) c = data.bytes[i];
  asm volatile("int3");
  *(volatile short *)&data.bytes[3] = 1;
  *(volatile int *)&data.bytes[6] = 1;
  asm volatile("int3");
}

static void show(pid_t pid, int s) {
  siginfo_t si;
  memset(&si, 0, sizeof si);
  pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
  unsigned long ip = peekuser(pid, R(IP));
  printf("   code %d addr %s dr6 %lx", si.si_code, (unsigned long)si.si_addr == ip ? "ip" : "other", peekuser(pid, DR(6)) & 0xf00f);
  if (ip == (unsigned long)first) printf(" at first");
  if (ip == (unsigned long)second) printf(" at second");
  printf("\n");
}
static void set(pid_t pid, int n, unsigned long v) {
  long r = pt(PTRACE_POKEUSER, pid, DR(n), v);
  if (r) printf("   DR%d: %s\n", n, err(r));
}
/* Continues to the next int3 and counts the traps. */
static int count(pid_t pid) {
  int n = 0, s;
  for (;;) {
    pt(PTRACE_CONT, pid, 0, 0);
    waitpid(pid, &s, 0);
    siginfo_t si;
    memset(&si, 0, sizeof si);
    pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
    if (!WIFSTOPPED(s) || si.si_code != 4) return n;
    n++;
  }
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  printf("-- execution\n");
  pid_t pid = traced(body, 0);
  go("int3", PTRACE_CONT, pid, 0);
  set(pid, 0, (unsigned long)first);
  set(pid, 3, (unsigned long)second);
  set(pid, 7, 1 | 1 << 6);
  int s = go("first", PTRACE_CONT, pid, 0);
  show(pid, s);
  struct user_regs_struct r;
  regs(pid, &r);
  printf("   RF %d\n", (int)(r.eflags >> 16 & 1));
  s = go("second", PTRACE_CONT, pid, 0);
  show(pid, s);
  s = go("int3", PTRACE_CONT, pid, 0);
  show(pid, s);
  set(pid, 7, 0);

  printf("-- writes\n");
  unsigned long at = (unsigned long)data.bytes;
  set(pid, 0, at);
  set(pid, 7, 1 | 1 << 16);
  printf("a byte: %d\n", count(pid));
  finish(pid);
  static const struct { const char *what; int offset, len; } W[] = { { "2 bytes", 2, 1 }, { "4 bytes", 4, 3 }, { "8 bytes", 8, 2 } };
  for (unsigned i = 0; i < 3; i++) {
    pid = traced(body, 0);
    go("int3", PTRACE_CONT, pid, 0);
    go("int3", PTRACE_CONT, pid, 0);
    set(pid, 1, at + W[i].offset);
    set(pid, 7, 4 | (1 << 20) | (W[i].len << 22));
    printf("%s: %d writes", W[i].what, count(pid));
    printf(", %d reads", count(pid));
    set(pid, 7, 4 | (3 << 20) | (W[i].len << 22));
    printf(", then %d accesses\n", count(pid));
    finish(pid);
  }
  printf("-- reads and writes\n");
  pid = traced(body, 0);
  for (int i = 0; i < 3; i++) go("int3", PTRACE_CONT, pid, 0);
  set(pid, 0, at + 4);
  set(pid, 1, at + 5);
  set(pid, 2, at + 6);
  set(pid, 7, 0x15 | 3 << 16 | 1 << 20 | 3 << 24);
  s = go("a read of one", PTRACE_CONT, pid, 0);
  show(pid, s);
  s = go("a read of the other", PTRACE_CONT, pid, 0);
  show(pid, s);
  s = go("int3", PTRACE_CONT, pid, 0);
  s = go("a write over one of three", PTRACE_CONT, pid, 0);
  show(pid, s);
  s = go("a write over one", PTRACE_SINGLESTEP, pid, 0);
  while (WIFSTOPPED(s) && (peekuser(pid, DR(6)) & 15) == 0) {
    pt(PTRACE_SINGLESTEP, pid, 0, 0);
    waitpid(pid, &s, 0);
  }
  show(pid, s);
  finish(pid);

  printf("-- what is refused\n");
  pid = traced(body, 0);
  set(pid, 0, at + 1);
  printf("2 bytes unaligned %s", err(pt(PTRACE_POKEUSER, pid, DR(7), 1 | 1 << 16 | 1 << 18)));
  printf(" 4 bytes %s", err(pt(PTRACE_POKEUSER, pid, DR(7), 1 | 1 << 16 | 3 << 18)));
  printf(" 8 bytes %s", err(pt(PTRACE_POKEUSER, pid, DR(7), 1 | 1 << 16 | 2 << 18)));
  printf(" execution of 2 bytes %s", err(pt(PTRACE_POKEUSER, pid, DR(7), 1 | 1 << 18)));
  printf(" I/O %s\n", err(pt(PTRACE_POKEUSER, pid, DR(7), 1 | 2 << 16)));
  printf("DR7 %lx\n", peekuser(pid, DR(7)));
  printf("DR4 %s", err(pt(PTRACE_POKEUSER, pid, DR(4), 1)));
  printf(" DR5 %s\n", err(pt(PTRACE_POKEUSER, pid, DR(5), 1)));
  finish(pid);

  printf("-- fork does not inherit them, execve clears them\n");
  fflush(stdout);
  pid = fork();
  if (pid == 0) {
    pt(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    if (fork() == 0) {
      data.bytes[0] = 1;
      _exit(11);
    }
    int t;
    wait(&t);
    printf("   the child %s\n", status(t));
    fflush(stdout);
    execl("/bin/true", "true", (char *)0);
  }
  waitpid(pid, &s, 0);
  set(pid, 0, at);
  set(pid, 7, 1 | 1 << 16);
  go("SIGCHLD", PTRACE_CONT, pid, 0);
  go("execve", PTRACE_CONT, pid, SIGCHLD);
  printf("DR0 %s DR7 %s\n", peekuser(pid, DR(0)) ? "set" : "0", peekuser(pid, DR(7)) ? "set" : "0");
  go("the end", PTRACE_CONT, pid, 0);
  return 0;
}
