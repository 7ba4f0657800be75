/*
 * Where utime and stime stand in the siginfo of SIGCHLD: in what rt_sigtimedwait and ptrace give, and in signal frames. For 64 and
 * for 32 bits. Names of rows say what happens to the child, and how its parent hears of it.
 */
#include "row.h"
#include "modes.h"

#define SA_RESTORER 0x04000000u
enum { SYSCALL, INT80_23, INT80_33, X32 };
enum { EXIT, STOP, CONTINUE, TRAP };

/* What a handler leaves behind; below 4 GiB, and shared with the process that prints. */
struct seen { unsigned char info[128]; long cs; } *const seen = (void *)0x10000000;

struct { unsigned long long handler, flags, restorer, mask; } act64;
struct { unsigned handler, flags, restorer, mask[2]; } act32;
unsigned char info[128], chld[8] = {0, 0, 1};
/* Of one call: number, arguments. */
unsigned args[5];

/*
 * The same bytes in both modes; what a call gives comes back in RAX. RDX has siginfo in an i386 frame, RSI in the others. A 64-bit
 * program has no DS.
 */
extern char records[], by_int80[], by_syscall[], unblocks[];
asm(".text\n.code64\n"
    "records: mov %cs, %ebx\n mov $0x10000000, %edi\n mov %ebx, 128(%rdi)\n cmp $0x33, %ebx\n je 1f\n mov %edx, %esi\n"
    "1: mov $128, %ecx\n rep movsb\n mov $1, %eax\n int $0x80\n"
    "by_int80: mov %ss, %eax\n mov %eax, %ds\n mov $args, %edi\n"
    " mov (%rdi), %eax\n mov 4(%rdi), %ebx\n mov 8(%rdi), %ecx\n mov 12(%rdi), %edx\n mov 16(%rdi), %esi\n int $0x80\n ret\n"
    "by_syscall: mov $args, %ebx\n mov (%rbx), %eax\n mov 4(%rbx), %edi\n mov 8(%rbx), %esi\n mov 12(%rbx), %edx\n mov 16(%rbx), %r10d\n syscall\n ret\n"
    "unblocks: mov $175, %eax\n mov $1, %ebx\n mov $chld, %ecx\n xor %edx, %edx\n mov $8, %esi\n int $0x80\n ret\n"
#ifdef __i386__
    ".code32\n"
#endif
);

/* On the low stack in 64-bit code, so that a frame of any kind can be met by code of any kind. */
#ifdef __x86_64__
extern long on_low_stack(void *code);
asm("on_low_stack: push %rbx; push %rbp; push %rsi; push %rdi; mov %rsp, %rbp; mov $low_stack + 65000, %esp; call *%rdi; mov %rbp, %rsp; pop %rdi; pop %rsi; pop %rbp; pop %rbx; ret\n");
static long call_23(char *code) { return in_cs23(code); }
static long call_33(char *code) {
  long r;
  asm volatile("call on_low_stack" : "=a"(r) : "D"(code) : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory");
  return r;
}
#else
static long call_23(char *code) {
  long r;
  asm volatile("push %%ebx; push %%esi; push %%edi; call *%1; pop %%edi; pop %%esi; pop %%ebx" : "=a"(r) : "r"(code) : "ecx", "edx", "memory");
  return r;
}
static long call_33(char *code) { return in_cs33(code); }
#endif

/* A system call by each way in: numbers of the i386, the 64-bit and the x32 table; arguments of 32 bits. */
static long call(int how, unsigned nr32, unsigned nr64, unsigned nr_x32, unsigned a, unsigned b, unsigned c, unsigned d) {
  args[0] = how == X32 ? nr_x32 | 0x40000000 : how == SYSCALL ? nr64 : nr32;
  args[1] = a; args[2] = b; args[3] = c; args[4] = d;
  return (int)(how == INT80_23 ? call_23(by_int80) : call_33(how == INT80_33 ? by_int80 : by_syscall));
}

/* Which words from 24 on are not 0: in the 64-bit layout the status, which is 0 for an exit, stands there. */
static void words(const unsigned char *at) {
  for (int i = 24; i < 48; i += 4) if (*(unsigned *)(at + i)) say(" %d", i);
}

/* A tick of each kind of time at least: 10 million instructions, and 50,000 system calls. */
static void spend(void) {
  int n = 5000000;
  asm volatile("1: dec %0\n jnz 1b" : "+r"(n));
  for (int i = 0; i < 51000; i++) syscall(SYS_getppid);
}

/* The child that spends time, and then does something that its parent hears of. SIGCHLD is blocked, and nothing else is queued. */
static pid_t child_that(int what) {
  int status;
  sigset_t set;
  signal(SIGCHLD, SIG_DFL);
  sigemptyset(&set); sigaddset(&set, SIGCHLD); sigprocmask(SIG_BLOCK, &set, 0);
  pid_t pid = fork();
  if (pid == 0) {
    if (what == TRAP) ptrace(PTRACE_TRACEME, 0, 0, 0);
    spend();
    if (what != EXIT) raise(what == TRAP ? SIGTRAP : SIGSTOP);
    _exit(0);
  }
  siginfo_t unused;
  waitid(P_PID, pid, &unused, WEXITED | WSTOPPED | WNOWAIT);
  if (what == CONTINUE) {
    struct timespec none = {0, 0};
    sigtimedwait(&set, 0, &none);
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    /* The end's signal is not queued behind that of SIGCONT. */
  }
  return pid;
}

static void end(pid_t pid) { kill(pid, SIGKILL); waitpid(pid, 0, 0); }

/* rt_sigtimedwait. */
static void taken(long n) {
  pid_t pid = child_that(n & 15);
  memset(info, 0, sizeof info);
  long r = call(n >> 4, 177, 128, 523, (unsigned)(long)chld, (unsigned)(long)info, 0, 8);
  say("%ld, code %d, at", r, *(int *)(info + 8));
  words(info);
  end(pid);
}

/* A handler with SA_SIGINFO. */
static void framed(long n) {
  mmap(seen, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  pid_t pid = fork();
  if (pid == 0) {
    child_that(n & 15);
    int how = n >> 4 & 15;
    act64.handler = act32.handler = act64.restorer = act32.restorer = (unsigned)(long)records;
    act64.flags = act32.flags = SA_SIGINFO | SA_RESTORER;
    const void *act = how == SYSCALL ? (void *)&act64 : (void *)&act32;
    if (call(how, 174, 13, 512, SIGCHLD, (unsigned)(long)act, 0, 8) != 0) _exit(99);
    if (n >> 8) call_23(unblocks); else call_33(unblocks);
    _exit(98);
  }
  int status;
  waitpid(pid, &status, 0);
  say("exit %x, code %d, at", WEXITSTATUS(status), *(int *)(seen->info + 8));
  words(seen->info);
}

/* PTRACE_PEEKSIGINFO and PTRACE_GETSIGINFO: the tracee has a child that ended, so SIGCHLD is queued, and then stops it. */
static void traced(long how) {
  static struct { unsigned long long off; unsigned flags; int nr; } arg = {0, 1, 1};
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    child_that(EXIT);
    raise(SIGSTOP);
    sigset_t set; sigemptyset(&set); sigprocmask(SIG_SETMASK, &set, 0);
    _exit(0);
  }
  waitpid(pid, &status, 0);
  long r = call(how, 26, 101, 521, 0x4209, pid, (unsigned)(long)&arg, (unsigned)(long)info);
  say("%ld, code %x, at", r, *(int *)(info + 8));
  words(info);
  ptrace(PTRACE_CONT, pid, 0, 0);
  waitpid(pid, &status, 0);
  memset(info, 0, sizeof info);
  r = call(how, 26, 101, 521, 0x4202, pid, 0, (unsigned)(long)info);
  say("; %ld, code %x, at", r, *(int *)(info + 8));
  words(info);
  end(pid);
}

static const char *const HOW[] = {"syscall", "int 0x80, CS 23", "int 0x80, CS 33", "x32 call"}, *const WHAT[] = {"exit", "stop", "continue", "trap"};
static void one(const char *by, void (*run)(long), int what, int how) {
  char name[80];
  sprintf(name, "%s; %s by %s", WHAT[what], by, HOW[how & 15]);
  if (how >> 4) strcat(name, ", comes in CS 23");
  row(name, run, run == traced ? how : what | how << 4);
}

int main(void) {
  for (int how = SYSCALL; how <= X32; how++) {
    one("rt_sigtimedwait", taken, EXIT, how);
    one("handler set", framed, EXIT, how);
    one("PTRACE_PEEKSIGINFO and PTRACE_GETSIGINFO", traced, EXIT, how);
  }
  for (int what = STOP; what <= TRAP; what++) one("rt_sigtimedwait", taken, what, SYSCALL);
  one("rt_sigtimedwait", taken, STOP, INT80_23);
  one("handler set", framed, STOP, SYSCALL);
  one("handler set", framed, STOP, INT80_23);
  one("handler set", framed, EXIT, INT80_23 | 16);
  one("handler set", framed, EXIT, X32 | 16);
  return 0;
}
