/* What seccomp does, case by case: the same natively and in the machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#define GREG_AX REG_RAX
#else
#define ARCH AUDIT_ARCH_I386
#define GREG_AX REG_EAX
#endif
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RET(value) BPF_STMT(BPF_RET | BPF_K, value)
#define ON(nr, value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), RET(value)
#define ALLOW RET(SECCOMP_RET_ALLOW)
#define LENGTH(a) (sizeof(a) / sizeof(a[0]))

static long install(struct sock_filter *f, int n, int flags) {
  struct sock_fprog p = { n, f };
  long r = syscall(SYS_seccomp, 1, flags, &p);
  return r < 0 ? -errno : r;
}
#define INSTALL(...) ({ struct sock_filter f[] = { __VA_ARGS__ }; install(f, LENGTH(f), 0); })

static void say(const char *what, long value) { printf("  %s %ld\n", what, value); fflush(stdout); }
static long call(long nr, long a) { long r = syscall(nr, a); return r < 0 ? -errno : r; }

static void sigsys(int sig, siginfo_t *info, void *uc) {
  ucontext_t *c = uc;
  printf("  SIGSYS code %d errno %d syscall %d arch %x at next %d ax %d\n", info->si_code, info->si_errno, info->si_syscall,
         info->si_arch, info->si_call_addr != 0, (int)c->uc_mcontext.gregs[GREG_AX]);
  fflush(stdout);
}
static void catch_sigsys(void) {
  struct sigaction sa = { .sa_sigaction = sigsys, .sa_flags = SA_SIGINFO };
  sigaction(SIGSYS, &sa, 0);
}

static void strict(void) { say("prctl", prctl(PR_SET_SECCOMP, 1, 0, 0, 0)); write(1, "  strict\n", 9); syscall(SYS_exit, 5); }
static void strict_kill(void) { prctl(PR_SET_SECCOMP, 1, 0, 0, 0); syscall(SYS_getppid); syscall(SYS_exit, 5); }
static void strict_group(void) { prctl(PR_SET_SECCOMP, 1, 0, 0, 0); _exit(5); }
static void strict_again(void) {
  INSTALL(ALLOW);
  say("strict after filter", prctl(PR_SET_SECCOMP, 1, 0, 0, 0) < 0 ? -errno : 0);
  say("get", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
}
static void bad(void) {
  char *no = (char *)8;
  struct sock_filter f[] = { ALLOW };
  struct sock_fprog none = { 0, f }, wild = { 1, (void *)no };
  say("op", call(SYS_seccomp, 9));
  say("strict flags", syscall(SYS_seccomp, 0, 1, 0) < 0 ? -errno : 0);
  say("strict args", syscall(SYS_seccomp, 0, 0, f) < 0 ? -errno : 0);
  say("filter flags", install(f, 1, 0x8000));
  say("fault", syscall(SYS_seccomp, 1, 0, no) < 0 ? -errno : 0);
  say("empty", syscall(SYS_seccomp, 1, 0, &none) < 0 ? -errno : 0);
  say("wild", syscall(SYS_seccomp, 1, 0, &wild) < 0 ? -errno : 0);
  say("mode", prctl(PR_SET_SECCOMP, 3, 0, 0, 0) < 0 ? -errno : 0);
  say("no return", INSTALL(LOAD(nr)));
  say("unaligned", INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ALLOW));
  say("beyond", INSTALL(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ALLOW));
  say("byte", INSTALL(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), ALLOW));
  say("jump out", INSTALL(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0), ALLOW));
  say("ja out", INSTALL(BPF_STMT(BPF_JMP | BPF_JA, 1), ALLOW));
  say("div 0", INSTALL(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW));
  say("mod", INSTALL(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), ALLOW));
  say("shift", INSTALL(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ALLOW));
  say("mem", INSTALL(BPF_STMT(BPF_ST, 16), ALLOW));
  say("unset mem", INSTALL(BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW));
  say("get", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
}
static void unprivileged(void) {
  say("setuid", setuid(1000));
  say("without", INSTALL(ALLOW));
  say("nnp", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  say("with", INSTALL(ALLOW));
}
static void actions(void) {
  catch_sigsys();
  say("install", INSTALL(LOAD(nr), ON(SYS_getppid, SECCOMP_RET_ERRNO | 42), ON(SYS_getpgrp, SECCOMP_RET_ERRNO | 0xffff),
                         ON(SYS_getuid, SECCOMP_RET_TRAP | 77), ON(SYS_sync, SECCOMP_RET_TRACE | 7),
                         ON(SYS_getgid, SECCOMP_RET_ERRNO), ALLOW));
  say("errno", call(SYS_getppid, 0));
  long r = syscall(SYS_getpgrp);
  say("capped", r == -4095 ? r : r < 0 ? -errno : r);
  say("trap", call(SYS_getuid, 0));
  say("trace", call(SYS_sync, 0));
  say("zero", call(SYS_getgid, 0));
  say("allowed", call(SYS_getpid, 0) == getpid());
  if (fork() == 0) { say("in the child", call(SYS_getppid, 0)); _exit(0); }
  wait(0);
}
static void dies(void) { INSTALL(LOAD(nr), ON(SYS_getppid, SECCOMP_RET_KILL), ALLOW); syscall(SYS_getppid); _exit(5); }
static void trap_dies(void) { INSTALL(LOAD(nr), ON(SYS_getppid, SECCOMP_RET_TRAP), ALLOW); syscall(SYS_getppid); _exit(5); }
static void trap_blocked(void) {
  sigset_t all;
  catch_sigsys();
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, 0);
  trap_dies();
}
static void stacked(void) {
  INSTALL(LOAD(nr), ON(SYS_getppid, SECCOMP_RET_ERRNO | 1), ON(SYS_getuid, SECCOMP_RET_TRACE), ALLOW);
  INSTALL(LOAD(nr), ON(SYS_getppid, SECCOMP_RET_ERRNO | 2), ON(SYS_getuid, SECCOMP_RET_ERRNO | 3), ALLOW);
  say("the newest of equals", call(SYS_getppid, 0));
  say("the strictest", call(SYS_getuid, 0));
}
static void arithmetic(void) {
  /* 2 * 3 + 4 = 10; ^ 6 = 12; >> 1 = 6; << 2 = 24; - 3 = 21; / 4 = 5; | 8 = 13; & 7 = 5; - = -5; + 40 = 35, and the length. */
  say("install", INSTALL(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 25),
    BPF_STMT(BPF_LD | BPF_IMM, 2), BPF_STMT(BPF_LDX | BPF_IMM, 3), BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),
    BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 4), BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 6), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1),
    BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2), BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 4),
    BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 8), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 7), BPF_STMT(BPF_ALU | BPF_NEG, 0),
    BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 40), BPF_STMT(BPF_ST, 5), BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
    BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_STX, 6), BPF_STMT(BPF_LD | BPF_MEM, 5), BPF_STMT(BPF_LDX | BPF_MEM, 6),
    BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 3),
    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 98, 0, 2), BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
    BPF_STMT(BPF_RET | BPF_A, 0), RET(SECCOMP_RET_ERRNO | 9), ALLOW));
  say("result", call(SYS_getppid, 0));
}
static void div_x(void) {
  INSTALL(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 2), BPF_STMT(BPF_LDX | BPF_IMM, 0),
          BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), ALLOW);
  syscall(SYS_getppid);
  _exit(5);
}
static void arguments(void) {
  INSTALL(LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsid, 0, 4), LOAD(args[0]),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x12345678, 0, 2), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 20), BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
          BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SECCOMP_RET_ERRNO, 0, 1), BPF_STMT(BPF_RET | BPF_A, 0), ALLOW);
  say("low only", call(SYS_getsid, 0x12345678));
#ifdef __x86_64__
  say("high", call(SYS_getsid, 0x2112345678));
#endif
}
static void architectures(void) {
  INSTALL(LOAD(arch), ON(ARCH, SECCOMP_RET_ALLOW), RET(SECCOMP_RET_ERRNO | 33));
  say("own", call(SYS_getpid, 0) == getpid());
#ifdef __x86_64__
  long r;
  asm volatile("int $0x80" : "=a"(r) : "0"(20) : "r8", "r9", "r10", "r11", "memory");
  say("int80", r);
#endif
}
static pthread_barrier_t barrier;
static void *thread(void *arg) {
  if (arg) INSTALL(ALLOW);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  say("thread", call(SYS_getppid, 0) < 0 ? call(SYS_getppid, 0) : 0);
  pthread_barrier_wait(&barrier);
  return 0;
}
static void tsync(int own) {
  pthread_t t;
  struct sock_filter f[] = { LOAD(nr), ON(SYS_getppid, SECCOMP_RET_ERRNO | 44), ALLOW };
  pthread_barrier_init(&barrier, 0, 2);
  pthread_create(&t, 0, thread, (void *)(long)own);
  pthread_barrier_wait(&barrier);
  long r = install(f, LENGTH(f), 1);
  say("tsync", r > 0 ? 1 : r);
  say("self", call(SYS_getppid, 0) < 0 ? call(SYS_getppid, 0) : 0);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
}
static void tsync_free(void) { tsync(0); }
static void tsync_own(void) { tsync(1); }

static void tracee(void) {
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  INSTALL(LOAD(nr), ON(SYS_getppid, SECCOMP_RET_TRACE | 5), ON(SYS_getuid, SECCOMP_RET_TRACE | 6), ON(SYS_getsid, SECCOMP_RET_ERRNO | 8),
          ON(SYS_getgid, SECCOMP_RET_ALLOW), ALLOW);
  raise(SIGSTOP);
  say("changed", call(SYS_getppid, 0));
  say("skipped", call(SYS_getuid, 0));
  _exit(3);
}
static void tracer(void) {
  int status;
  pid_t pid = fork();
  if (pid == 0) tracee();
  waitpid(pid, &status, 0);
  say("options", ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP));
  struct sock_filter f[64];
  say("filter 0", ptrace(0x420c, pid, 0, f));
  say("filter 1", ptrace(0x420c, pid, 1, 0) < 0 ? -errno : 0);
  say("first", f[0].code == (BPF_LD | BPF_W | BPF_ABS) && f[2].k == (SECCOMP_RET_TRACE | 5));
  ptrace(PTRACE_CONT, pid, 0, 0);
  while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
    unsigned long message = 0;
    ptrace(PTRACE_GETEVENTMSG, pid, 0, &message);
    printf("  stop %x message %lu\n", status >> 8, message);
    fflush(stdout);
#ifdef __x86_64__
    long at = 8 * 15, ax = 8 * 10;
#else
    long at = 4 * 11, ax = 4 * 6;
#endif
    say("nr at the stop", ptrace(PTRACE_PEEKUSER, pid, at, 0) == (message == 5 ? SYS_getppid : SYS_getuid));
    say("ax", (int)ptrace(PTRACE_PEEKUSER, pid, ax, 0));
    ptrace(PTRACE_POKEUSER, pid, at, message == 5 ? SYS_getgid : -1);
    if (message == 6) ptrace(PTRACE_POKEUSER, pid, ax, 1234);
    ptrace(PTRACE_CONT, pid, 0, 0);
  }
  say("status", status);
}

static const struct { const char *name; void (*run)(void); } CASES[] = {
  { "strict", strict }, { "strict: another call", strict_kill }, { "strict: exit_group", strict_group }, { "strict after filter", strict_again },
  { "bad", bad }, { "unprivileged", unprivileged }, { "actions", actions }, { "kill", dies }, { "trap without handler", trap_dies },
  { "trap, blocked", trap_blocked }, { "stacked", stacked }, { "arithmetic", arithmetic }, { "division by zero", div_x },
  { "arguments", arguments }, { "architectures", architectures }, { "tsync", tsync_free }, { "tsync, a thread with its own", tsync_own },
  { "tracer", tracer },
};

int main(void) {
  struct rlimit none = { 0, 0 };
  setrlimit(RLIMIT_CORE, &none);
  for (unsigned i = 0; i < LENGTH(CASES); i++) {
    int status;
    printf("== %s\n", CASES[i].name);
    fflush(stdout);
    if (fork() == 0) { CASES[i].run(); _exit(0); }
    wait(&status);
    printf("  status %x\n", status);
  }
  return 0;
}
