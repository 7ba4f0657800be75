/* Which frame a signal gets: by how its handler was set, and by what runs when it comes. For 64 and for 32 bits. */
#include "row.h"
#include "modes.h"

#define SA_RESTORER 0x04000000u
enum { SYSCALL, INT80_23, INT80_33, SIGACTION, SIGNAL };
enum { HIGH, LOW, IN_23, IN_33 };

struct { unsigned long long handler, flags, restorer, mask; } act64, old64;
struct { unsigned handler, flags, restorer, mask[2]; } act32, old32;

/* Of sigaction(2), i386 number 67. */
struct { unsigned handler, mask, flags, restorer; } act_old;

/* Bytes that mean the same in both modes. */
extern char leaves[], returns[], set_by_int80[], set_by_sigaction[], set_by_signal[], raise_it[];
asm(".text\n"
    "set_by_sigaction: mov $67, %eax\n mov $10, %ebx\n mov $act_old, %ecx\n xor %edx, %edx\n int $0x80\n ret\n"
    "set_by_signal: mov $48, %eax\n mov $10, %ebx\n mov $leaves, %ecx\n int $0x80\n ret\n"
    "leaves: mov %cs, %ebx\n mov $1, %eax\n int $0x80\n"
    "returns: ret\n"
    "set_by_int80: mov $174, %eax\n mov $10, %ebx\n mov $act32, %ecx\n mov $old32, %edx\n mov $8, %esi\n int $0x80\n ret\n"
    "raise_it: mov $20, %eax\n int $0x80\n mov %eax, %ebx\n mov $10, %ecx\n mov $37, %eax\n int $0x80\n ret\n");

extern char set_by_syscall[], with_low_stack[];
#ifdef __x86_64__
asm("set_by_syscall: mov $13, %eax\n mov $10, %edi\n mov $act64, %esi\n mov $old64, %edx\n mov $8, %r10d\n syscall\n ret\n"
    "with_low_stack: push %rbx; push %rbp; mov %rsp, %rbp; mov $low_stack + 65000, %esp; call raise_it; mov %rbp, %rsp; pop %rbp; pop %rbx; ret\n");
static void call(char *code) { asm volatile("call *%0" : : "r"(code) : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory"); }
static void call_in_cs23(char *code) { in_cs23(code); }
static void call_in_cs33(char *code) { call(code); }
#else
asm(".code64\n set_by_syscall: mov $13, %eax\n mov $10, %edi\n mov $act64, %esi\n mov $old64, %edx\n mov $8, %r10d\n syscall\n ret\n .code32\n");
static void call_in_cs23(char *code) { asm volatile("call *%0" : : "r"(code) : "eax", "ecx", "edx", "memory"); }
static void call_in_cs33(char *code) { in_cs33(code); }
#endif

static void set(int how, char *handler, unsigned flags) {
  act64.handler = act32.handler = (unsigned)(unsigned long)handler;
  act64.restorer = act32.restorer = (unsigned)(unsigned long)leaves;
  act64.flags = act32.flags = flags;
  if (how == SYSCALL) call_in_cs33(set_by_syscall);
  if (how != SYSCALL && how != INT80_33) {
    char *code = how == SIGACTION ? set_by_sigaction : how == SIGNAL ? set_by_signal : set_by_int80;
    act_old.handler = act32.handler; act_old.restorer = act32.restorer; act_old.flags = flags;
#ifdef __x86_64__
    call_in_cs23(code);
#else
    asm volatile("push %%ebx; push %%esi; call *%0; pop %%esi; pop %%ebx" : : "a"(code) : "ecx", "edx", "memory");
#endif
  }
  if (how == INT80_33) call_in_cs33(set_by_int80);
}

static void come(int where) {
  if (where == IN_23) {
#ifdef __x86_64__
    call_in_cs23(raise_it);
#else
    asm volatile("push %%ebx; call raise_it; pop %%ebx" : : : "eax", "ecx", "edx", "memory");
#endif
  }
  if (where == IN_33) call_in_cs33(raise_it);
#ifdef __x86_64__
  if (where == HIGH) call(raise_it);
  if (where == LOW) call(with_low_stack);
#endif
}

/* The handler leaves with its CS. */
static void frame(long n) { set(n & 15, leaves, n & 256 ? 0 : SA_RESTORER); come(n >> 4 & 15); say("no handler"); }
static void in_child(long n) {
  int status;
  set(n & 15, leaves, SA_RESTORER);
  pid_t pid = fork();
  if (pid == 0) { come(n >> 4 & 15); _exit(0); }
  waitpid(pid, &status, 0);
  say("exit %x", WEXITSTATUS(status));
}

/* What the call gives back of a handler that it set before. */
static void given_back(long how) {
  set(how & 15, leaves, SA_RESTORER | (how >> 8 ? 0x03000000 : 0));
  how &= 15;
  set(how, leaves, 0);
  say("%x", how == SYSCALL ? (unsigned)old64.flags : old32.flags);
}

/* Without SA_RESTORER, and the vDSO of the program itself; or it is gone, which mm->context.vdso does not hear of. */
static void own_vdso(long n) {
  struct area a;
  if (n & 1) while ((a = area("[vdso]", 0)).start) munmap((void *)a.start, size(a));
  set(INT80_23, returns, n & 2 ? SA_SIGINFO : 0);
  come(IN_23);
  say("returned");
}

#ifdef __x86_64__
/* Without SA_RESTORER, where an i386 vDSO is mapped first. The i386 sigreturn of v4.7 loads FS anew, null as it is. */
static void through_vdso(long how) {
  long r = take_i386_vdso();
  unsigned long before = 0, after = 1;
  say("%s, ", r > 0 ? "size" : error(r));
  set(how, returns, 0);
  arch_prctl(0x1003, (long)&before);
  come(IN_23);
  arch_prctl(0x1003, (long)&after);
  arch_prctl(0x1002, before);
  say("returned, FS base %s", after == before ? "kept" : after == 0 ? "0" : "?");
}
#endif

int main(void) {
#ifdef __x86_64__
  static const char *const HOW[] = {"syscall", "int 0x80, CS 23", "int 0x80, CS 33"}, *const WHERE[] = {"CS 33", "CS 33, low stack", "CS 23"};
  static const int WHERES[] = {HIGH, LOW, IN_23};
#else
  static const char *const HOW[] = {"syscall", "int 0x80, CS 23", "int 0x80, CS 33"}, *const WHERE[] = {"CS 23", "CS 33"};
  static const int WHERES[] = {IN_23, IN_33};
#endif
  char name[64];
  for (int how = 0; how < 3; how++) {
    for (int i = 0; i < sizeof WHERES / sizeof *WHERES; i++) { sprintf(name, "by %s; comes in %s", HOW[how], WHERE[i]); row(name, frame, how | WHERES[i] << 4); }
    sprintf(name, "by %s, no SA_RESTORER; comes in CS 23", HOW[how]); row(name, frame, how | IN_23 << 4 | 256);
    sprintf(name, "by %s; comes in a child", HOW[how]); row(name, in_child, how | IN_23 << 4);
    sprintf(name, "by %s; flags given back", HOW[how]); row(name, given_back, how);
    sprintf(name, "by %s, with the kernel's flags; given back", HOW[how]); row(name, given_back, how | 256);
  }
  row("by sigaction; comes in CS 23", frame, SIGACTION | IN_23 << 4);
  row("by signal; comes in CS 23", frame, SIGNAL | IN_23 << 4);
  row("no SA_RESTORER, own vDSO", own_vdso, 0);
  row("no SA_RESTORER, own vDSO, SA_SIGINFO", own_vdso, 2);
  row("no SA_RESTORER, vDSO unmapped", own_vdso, 1);
  row("no SA_RESTORER, vDSO unmapped, SA_SIGINFO", own_vdso, 3);
#ifdef __x86_64__
  row("by int 0x80, CS 23, no SA_RESTORER; returns through the i386 vDSO", through_vdso, INT80_23);
#endif
  return 0;
}
