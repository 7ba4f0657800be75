/* System calls under a tracer: stops, changed numbers, arguments and results, emulation, restarts. */
#include "t.h"

static long once(long n, long a, long b, long c) {
  long r = syscall(n, a, b, c);
  return r < 0 ? -errno : r;
}

/* Stops at entry and exit of the next call number `nr`, skipping others. */
static void upto(pid_t pid, long nr) {
  for (;;) {
    int s;
    pt(PTRACE_SYSCALL, pid, 0, 0);
    if (waitpid(pid, &s, 0) < 0 || !WIFSTOPPED(s)) exit(1);
    if (WSTOPSIG(s) != (SIGTRAP | 0x80)) continue;
    if ((long)peekuser(pid, R(ORIG_AX)) == nr && (long)peekuser(pid, R(AX)) == -ENOSYS) return;
  }
}
static void show(const char *what, pid_t pid) {
  printf("%-28s orig_ax %s ax %s\n", what, err((long)peekuser(pid, R(ORIG_AX))), err((long)peekuser(pid, R(AX))));
}

static void games(void) {
  printf("   skipped: %s\n", err(once(SYS_getpgrp, 0, 0, 0)));
  printf("   skipped with a result: %s\n", err(once(SYS_getpgrp, 0, 0, 0)));
  printf("   another call: %s\n", err(once(SYS_getpgrp, -1, 0, 0)));
  printf("   another argument: %s\n", err(once(SYS_dup, 1000, 0, 0)));
  printf("   another result: %s\n", err(once(SYS_getpgrp, 0, 0, 0)));
  printf("   no such number: %s\n", err(once(SYS_getpgrp, 0, 0, 0)));
  printf("   restarted with other arguments: %s\n", err(once(SYS_dup, 1000, 0, 0)));
  fflush(stdout);
  _exit(7);
}

static volatile sig_atomic_t handled;
static void handler(int sig) { handled = sig; }
static void interrupted(void) {
  struct sigaction sa;
  memset(&sa, 0, sizeof sa);
  sa.sa_handler = handler;
  sigaction(SIGUSR1, &sa, 0);
  sa.sa_flags = SA_RESTART;
  sigaction(SIGUSR2, &sa, 0);
  int p[2];
  char c;
  pipe(p);
  printf("   read, no SA_RESTART: %s\n", err(once(SYS_read, p[0], (long)&c, 1)));
  printf("   read, SA_RESTART: %s\n", err(once(SYS_read, p[0], (long)&c, 1)));
  printf("   read, signal dropped: %s\n", err(once(SYS_read, p[0], (long)&c, 1)));
  printf("   pause: %s\n", err(once(SYS_pause, 0, 0, 0)));
  long ts[2] = { 0, 200000000 };
  printf("   nanosleep, signal dropped: %s\n", err(once(SYS_nanosleep, (long)ts, (long)ts, 0)));
  ts[1] = 200000000;
  printf("   nanosleep, handler: %s\n", err(once(SYS_nanosleep, (long)ts, 0, 0)));
  fflush(stdout);
  _exit(0);
}

static void emulated(void) {
  printf("   emulated getppid: %s\n", err(once(SYS_getppid, 0, 0, 0)));
  printf("   emulated close(1): %s\n", err(once(SYS_close, 1, 0, 0)));
  fflush(stdout);
  _exit(3);
}

/* The tracee sleeps in `nr`: the tracer sends a signal, and sees what the call came to. */
static void disturb(pid_t pid, long nr, int sig, int pass) {
  int s;
  upto(pid, nr);
  pt(PTRACE_SYSCALL, pid, 0, 0);
  until(pid, 'S');
  kill(pid, sig);
  waitpid(pid, &s, 0);
  show("interrupted", pid);
  go("signal", PTRACE_SYSCALL, pid, 0);
  go(pass ? "passed" : "dropped", PTRACE_SYSCALL, pid, pass);
  show("then", pid);
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  struct user_regs_struct r;
  int s;

  printf("-- numbers, arguments, results\n");
  pid_t pid = traced(games, PTRACE_O_TRACESYSGOOD);
  upto(pid, SYS_getpgrp);
  regs(pid, &r);
  r.ORIG_AX = -1;
  setregs(pid, &r);
  go("skip", PTRACE_SYSCALL, pid, 0);
  show("exit", pid);
  upto(pid, SYS_getpgrp);
  regs(pid, &r);
  r.ORIG_AX = -1;
  r.AX = 4711;
  setregs(pid, &r);
  go("skip with a result", PTRACE_SYSCALL, pid, 0);
  show("exit", pid);
  upto(pid, SYS_getpgrp);
  regs(pid, &r);
  r.ORIG_AX = SYS_close;
  setregs(pid, &r);
  go("another call", PTRACE_SYSCALL, pid, 0);
  upto(pid, SYS_dup);
  regs(pid, &r);
  r.ARG1 = 2000;
  setregs(pid, &r);
  go("another argument", PTRACE_SYSCALL, pid, 0);
  upto(pid, SYS_getpgrp);
  go("exit", PTRACE_SYSCALL, pid, 0);
  regs(pid, &r);
  r.AX = 99;
  setregs(pid, &r);
  upto(pid, SYS_getpgrp);
  regs(pid, &r);
  r.ORIG_AX = 5000;
  setregs(pid, &r);
  go("no such number", PTRACE_SYSCALL, pid, 0);
  show("exit", pid);
  upto(pid, SYS_dup);
  go("exit", PTRACE_SYSCALL, pid, 0);
  regs(pid, &r);
  r.IP -= 2;
  r.AX = SYS_getppid;
  setregs(pid, &r);
  go("gone back", PTRACE_SYSCALL, pid, 0);
  show("entry", pid);
  go("exit", PTRACE_SYSCALL, pid, 0);
  printf("getppid is the tracer: %d\n", (long)peekuser(pid, R(AX)) == getpid());
  pt(PTRACE_POKEUSER, pid, R(AX), 5);
  go("to the end", PTRACE_CONT, pid, 0);

  printf("-- interrupted calls\n");
  pid = traced(interrupted, PTRACE_O_TRACESYSGOOD);
  disturb(pid, SYS_read, SIGUSR1, SIGUSR1);
  disturb(pid, SYS_read, SIGUSR2, SIGUSR2);
  printf("   (the tracer makes the restarted read one that fails)\n");
  upto(pid, SYS_read);
  regs(pid, &r);
  r.ARG1 = 1000;
  setregs(pid, &r);
  go("exit", PTRACE_SYSCALL, pid, 0);
  disturb(pid, SYS_read, SIGUSR1, 0);
  regs(pid, &r);
  r.ARG1 = 1000;
  setregs(pid, &r);
  go("exit", PTRACE_SYSCALL, pid, 0);
  disturb(pid, SYS_pause, SIGUSR1, SIGUSR1);
  /* By the old number: glibc of i386 tries clock_nanosleep_time64 first, which v4.7 does not have. */
  disturb(pid, SYS_nanosleep, SIGUSR1, 0);
  go("exit of restart_syscall", PTRACE_SYSCALL, pid, 0);
  show("exit", pid);
  disturb(pid, SYS_nanosleep, SIGUSR1, SIGUSR1);
  go("to the end", PTRACE_CONT, pid, 0);

  printf("-- SYSEMU\n");
  pid = traced(emulated, PTRACE_O_TRACESYSGOOD);
  for (;;) {
    pt(REQ_SYSEMU, pid, 0, 0);
    waitpid(pid, &s, 0);
    if (!WIFSTOPPED(s)) break;
    long nr = peekuser(pid, R(ORIG_AX));
    if (nr == SYS_getppid) {
      show("entry", pid);
      pt(PTRACE_POKEUSER, pid, R(AX), 321);
      continue;
    }
    if (nr == SYS_close) {
      show("entry", pid);
      pt(PTRACE_POKEUSER, pid, R(AX), -5l);
      continue;
    }
    if (nr == SYS_write || nr == SYS_exit_group || nr == SYS_exit) {
      /* Carried out after all: back to the instruction, and once with CONT. */
      regs(pid, &r);
      r.IP -= 2;
      r.AX = nr;
      setregs(pid, &r);
      pt(PTRACE_SYSCALL, pid, 0, 0);
      waitpid(pid, &s, 0);
      if (nr != SYS_write) {
        pt(PTRACE_CONT, pid, 0, 0);
        waitpid(pid, &s, 0);
        break;
      }
      pt(PTRACE_SYSCALL, pid, 0, 0);
      waitpid(pid, &s, 0);
      continue;
    }
    pt(PTRACE_POKEUSER, pid, R(AX), 0);
  }
  printf("%s\n", status(s));

  printf("-- SYSEMU_SINGLESTEP\n");
  pid = traced(emulated, PTRACE_O_TRACESYSGOOD);
  int steps = 0, entries = 0;
  while (entries < 2 && steps < 100000) {
    pt(REQ_SYSEMU_SINGLESTEP, pid, 0, 0);
    waitpid(pid, &s, 0);
    if (WSTOPSIG(s) & 0x80) {
      entries++;
      if (peekuser(pid, R(ORIG_AX)) == SYS_getppid) show("entry", pid);
      pt(PTRACE_POKEUSER, pid, R(AX), 1);
    } else steps++;
  }
  printf("steps between the calls: %s\n", steps > 2 ? "many" : "few");
  finish(pid);
  return 0;
}
