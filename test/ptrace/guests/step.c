/* Single steps: what they count, what TF looks like, system calls, handlers, jumps. */
#include "t.h"

static void show(pid_t pid, int s) {
  siginfo_t si;
  memset(&si, 0, sizeof si);
  pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
  printf("   sig %d code %d addr %s, dr6 bit 14: %d\n", WSTOPSIG(s), si.si_code,
         (unsigned long)si.si_addr == peekuser(pid, R(IP)) ? "ip" : "other", (int)(peekuser(pid, DR(6)) >> 14 & 1));
}
extern char start[], middle[], popf_at[], call_at[];

/* In assembly, so that its instructions can be counted. */
void handler(int sig);
asm(".globl handler; handler: nop; ret");

static void straight(void) {
  asm volatile(".globl start, middle; start: nop; nop; nop; middle: nop; int3" ::: "memory");
}
static void flags(void) {
  unsigned long f, g;
  asm volatile("int3\n pushf\n pop %0\n"
               "mov %0, %1\n or $0x100, %1\n push %1\n"
               ".globl popf_at\n popf_at: popf\n nop\n nop\n pushf\n pop %0\n push %0\n andl $~0x100, (%%" 
#ifdef __x86_64__
               "rsp"
#else
               "esp"
#endif
               ")\n popf\n int3" : "=&r"(f), "=&r"(g) : : "memory", "cc");
}
static void called(void) {
#ifdef __x86_64__
  asm volatile("int3\n mov $110, %%eax\n .globl call_at\n call_at: syscall\n nop\n int3" ::: "rax", "rcx", "r11", "memory");
#else
  asm volatile("int3\n mov $64, %%eax\n .globl call_at\n call_at: int $0x80\n nop\n int3" ::: "eax", "memory");
#endif
}
static void caught(void) {
  signal(SIGUSR1, handler);
  asm volatile("int3; nop; nop; nop; int3");
}
static void loops(void) {
  static char a[64], b[64];
  void *from = a, *to = b;
  long n = 5;
  asm volatile("int3; rep movsb; nop; int3" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
}
/* Steps until int3, which is a SIGTRAP of another code. */
static void steps(const char *what, pid_t pid) {
  int n = 0, s;
  for (;;) {
    pt(PTRACE_SINGLESTEP, pid, 0, 0);
    waitpid(pid, &s, 0);
    if (!WIFSTOPPED(s)) break;
    siginfo_t si;
    pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
    if (si.si_code == SI_KERNEL) break;
    n++;
    if (n > 1000) break;
  }
  printf("%s: %d\n", what, n);
}
static int tf(pid_t pid) {
  struct user_regs_struct r;
  regs(pid, &r);
  return r.eflags >> 8 & 1;
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  int s;
  printf("-- nop\n");
  pid_t pid = traced(straight, 0);
  do {
    pt(PTRACE_SINGLESTEP, pid, 0, 0);
    waitpid(pid, &s, 0);
  } while (peekuser(pid, R(IP)) != (unsigned long)middle);
  show(pid, s);
  printf("   TF is hidden: %d\n", !tf(pid));
  s = go("int3", PTRACE_CONT, pid, 0);
  show(pid, s);
  finish(pid);

  printf("-- popf with TF\n");
  pid = traced(flags, 0);
  go("int3", PTRACE_CONT, pid, 0);
  while (peekuser(pid, R(IP)) != (unsigned long)popf_at) go("step", PTRACE_SINGLESTEP, pid, 0);
  s = go("popf", PTRACE_SINGLESTEP, pid, 0);
  show(pid, s);
  printf("   TF is the program's: %d\n", tf(pid));
  s = go("cont: its own trap", PTRACE_CONT, pid, 0);
  show(pid, s);
  printf("   TF: %d\n", tf(pid));
  s = go("cont", PTRACE_CONT, pid, 0);
  show(pid, s);
  finish(pid);

  printf("-- a system call\n");
  pid = traced(called, PTRACE_O_TRACESYSGOOD);
  go("int3", PTRACE_CONT, pid, 0);
  while (peekuser(pid, R(IP)) != (unsigned long)call_at) go("step", PTRACE_SINGLESTEP, pid, 0);
  s = go("step over the call", PTRACE_SINGLESTEP, pid, 0);
  show(pid, s);
  printf("   2 bytes further: %d\n", peekuser(pid, R(IP)) == (unsigned long)call_at + 2);
  s = go("step", PTRACE_SINGLESTEP, pid, 0);
  show(pid, s);
  finish(pid);

  printf("-- into a handler\n");
  pid = traced(caught, 0);
  go("int3", PTRACE_CONT, pid, 0);
  go("step", PTRACE_SINGLESTEP, pid, 0);
  s = go("step with SIGUSR1", PTRACE_SINGLESTEP, pid, SIGUSR1);
  show(pid, s);
  struct user_regs_struct r;
  regs(pid, &r);
  printf("   TF %d\n", tf(pid));
  steps("steps to the end of the handler and on to int3", pid);
  finish(pid);

  printf("-- a handler by kill, while stepping\n");
  pid = traced(caught, 0);
  go("int3", PTRACE_CONT, pid, 0);
  kill(pid, SIGUSR1);
  s = go("the signal first", PTRACE_SINGLESTEP, pid, 0);
  s = go("then its handler", PTRACE_SINGLESTEP, pid, SIGUSR1);
  show(pid, s);
  finish(pid);

  printf("-- rep movsb\n");
  pid = traced(loops, 0);
  go("int3", PTRACE_CONT, pid, 0);
  steps("steps for 5 bytes and a nop", pid);
  finish(pid);

  printf("-- POKEUSER of TF\n");
  pid = traced(straight, 0);
  regs(pid, &r);
  printf("set %s", err(pt(PTRACE_POKEUSER, pid, R(eflags), r.eflags | 0x100)));
  printf(", reads %d\n", tf(pid));
  s = go("cont", PTRACE_CONT, pid, 0);
  show(pid, s);
  printf("   TF: %d\n", tf(pid));
  finish(pid);
  return 0;
}
