/* Signal-delivery-stops: passed, dropped, replaced, injected; siginfo, queues, masks. */
#include "t.h"

static volatile sig_atomic_t seen;
static void handler(int sig, siginfo_t *si, void *uc) {
  (void)uc;
  seen = sig;
  printf("   handler: sig %d code %d value %d by %s\n", sig, si->si_code, sig >= 32 ? si->si_value.sival_int : 0,
         si->si_code > 0 ? "kernel" : si->si_pid == getpid() ? "itself" : si->si_pid == getppid() ? "tracer" : "other");
}
static void handle(int sig, int flags) {
  struct sigaction sa;
  memset(&sa, 0, sizeof sa);
  sa.sa_sigaction = handler;
  sa.sa_flags = SA_SIGINFO | flags;
  sigaction(sig, &sa, 0);
}
static void body(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  handle(SIGUSR1, 0);
  handle(SIGUSR2, 0);
  handle(SIGRTMIN, 0);
  raise(SIGUSR1);
  raise(SIGUSR1);
  raise(SIGUSR1);
  raise(SIGUSR1);
  raise(SIGCHLD); /* ignored by default, still seen by the tracer */
  signal(SIGWINCH, SIG_IGN);
  raise(SIGWINCH);
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, &old);
  raise(SIGUSR1);
  printf("   USR2 is blocked, seen %d\n", seen);
  sigprocmask(SIG_SETMASK, &old, 0);
  printf("   and now seen %d\n", seen);
  getppid();
  asm volatile("int3");
  *(volatile int *)16 = 1;
}

static void show(pid_t pid) {
  siginfo_t si;
  memset(&si, 0, sizeof si);
  long r = pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
  printf("   siginfo %s", err(r));
  if (r == 0) printf(": sig %d code %d errno %d", si.si_signo, si.si_code, si.si_errno);
  printf("\n");
}

struct peek { uint64_t off; uint32_t flags; int32_t nr; };
static siginfo_t many[8];
static void queue(pid_t pid, const char *what, uint64_t off, uint32_t flags, int nr) {
  struct peek a = { off, flags, nr };
  memset(many, 0, sizeof many);
  long r = pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&a, (unsigned long)many);
  printf("%s off %d flags %x nr %d: %s", what, (int)off, flags, nr, err(r));
  for (int i = 0; i < r; i++) printf(" [%d code %d]", many[i].si_signo, many[i].si_code);
  printf("\n");
}
static void sleeper(void) {
  sigset_t set;
  sigfillset(&set);
  sigprocmask(SIG_SETMASK, &set, 0);
  raise(SIGSTOP);
  for (;;) pause();
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  pid_t pid = traced(body, PTRACE_O_TRACESYSGOOD);
  go("first", PTRACE_CONT, pid, 0);
  show(pid);
  go("passed", PTRACE_CONT, pid, SIGUSR1);
  go("dropped", PTRACE_CONT, pid, 0);
  go("replaced", PTRACE_CONT, pid, SIGUSR2);
  siginfo_t si;
  memset(&si, 0, sizeof si);
  si.si_signo = SIGUSR1;
  si.si_code = SI_QUEUE;
  si.si_pid = getpid();
  printf("SETSIGINFO %s\n", err(pt(PTRACE_SETSIGINFO, pid, 0, (unsigned long)&si)));
  show(pid);
  go("siginfo set, passed", PTRACE_CONT, pid, SIGUSR1);
  go("SIGCHLD", PTRACE_CONT, pid, SIGCHLD);
  go("ignored SIGWINCH", PTRACE_CONT, pid, SIGWINCH);
  printf("too large a signal: %s\n", err(pt(PTRACE_CONT, pid, 0, 65)));
  go("replaced by a blocked one", PTRACE_CONT, pid, SIGUSR2);
  show(pid);
  go("to the next call", PTRACE_SYSCALL, pid, SIGUSR2);
  show(pid);
  while (peekuser(pid, R(ORIG_AX)) != SYS_getppid) {
    int s;
    pt(PTRACE_SYSCALL, pid, 0, 0);
    waitpid(pid, &s, 0);
    if (!WIFSTOPPED(s)) return 1;
  }
  go("a signal with a syscall stop", PTRACE_SYSCALL, pid, SIGUSR1);
  show(pid);
  go("next", PTRACE_CONT, pid, 0);
  show(pid);
  go("passed", PTRACE_CONT, pid, SIGUSR1);
  show(pid);
  go("int3 dropped", PTRACE_CONT, pid, 0);
  show(pid);
  go("SIGSEGV", PTRACE_CONT, pid, SIGSEGV);

  printf("-- queues\n");
  pid = traced(sleeper, 0);
  go("SIGSTOP", PTRACE_CONT, pid, 0);
  unsigned long mask = 0;
  uint64_t m = 0;
  printf("GETSIGMASK %s", err(pt(REQ_GETSIGMASK, pid, 8, (unsigned long)&m)));
  printf(" %llx, of 4 bytes %s\n", (unsigned long long)m, err(pt(REQ_GETSIGMASK, pid, 4, (unsigned long)&mask)));
  union sigval v = { .sival_int = 7 };
  sigqueue(pid, SIGRTMIN, v);
  sigqueue(pid, SIGRTMIN, v);
  kill(pid, SIGUSR1);
  kill(pid, SIGUSR1);
  syscall(SYS_tgkill, pid, pid, SIGUSR2);
  syscall(SYS_tgkill, pid, pid, SIGRTMIN + 1);
  queue(pid, "shared", 0, 1, 8);
  queue(pid, "private", 0, 0, 8);
  queue(pid, "shared", 1, 1, 1);
  queue(pid, "shared", 3, 1, 8);
  queue(pid, "shared", 99, 1, 8);
  queue(pid, "shared", 0, 1, 0);
  queue(pid, "shared", 0, 2, 1);
  queue(pid, "shared", 0, 1, -1);
  m = 1ull << (SIGUSR2 - 1) | 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 1ull << 40;
  printf("SETSIGMASK %s", err(pt(REQ_SETSIGMASK, pid, 8, (unsigned long)&m)));
  pt(REQ_GETSIGMASK, pid, 8, (unsigned long)&m);
  printf(" %llx, of 4 bytes %s, at 0 %s\n", (unsigned long long)m, err(pt(REQ_SETSIGMASK, pid, 4, (unsigned long)&m)),
         err(pt(REQ_SETSIGMASK, pid, 8, 0)));
  go("what the mask lets through", PTRACE_CONT, pid, 0);
  show(pid);
  go("first of the real-time ones", PTRACE_CONT, pid, 0);
  go("second", PTRACE_CONT, pid, 0);
  go("of the thread", PTRACE_CONT, pid, 0);
  finish(pid);
  return 0;
}
