/* PTRACE_SINGLEBLOCK: a stop after each branch that is taken. Virtual machines seldom have it, so nothing is recorded. */
#include "t.h"

extern char loop[], over[], callee[], back[], end[];

static void blocks(void) {
  asm volatile("int3\n mov $3, %%ecx\n nop\n"
               ".globl loop, over, callee, back, end\n"
               "loop: nop\n nop\n dec %%ecx\n jnz loop\n nop\n jmp over\n nop\n"
               "over: nop\n call callee\n back: nop\n jmp end\n"
               "callee: nop\n ret\n"
               "end: nop\n int3" ::: "ecx", "memory", "cc");
}

static const char *at(unsigned long ip) {
  static const struct { char *where; const char *name; } names[] = { { loop, "loop" }, { over, "over" }, { callee, "callee" },
    { back, "back" }, { end, "end" } };
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) if (ip == (unsigned long)names[i].where) return names[i].name;
  return "elsewhere";
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  pid_t pid = traced(blocks, 0);
  go("int3", PTRACE_CONT, pid, 0);
  for (int i = 0; i < 20; i++) {
    int s;
    pt(REQ_SINGLEBLOCK, pid, 0, 0);
    waitpid(pid, &s, 0);
    siginfo_t si;
    pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
    printf("%s code %d dr6 %lx\n", at(peekuser(pid, R(IP))), si.si_code, peekuser(pid, DR(6)));
    if (si.si_code == SI_KERNEL) break;
  }
  go("a single step", PTRACE_SINGLESTEP, pid, 0);
  finish(pid);
  return 0;
}
