/* Stops of the whole process: attached and seized tracees, LISTEN, INTERRUPT, SIGCONT, detaching into a stopped group. */
#include "t.h"

static void show(pid_t pid) {
  siginfo_t si;
  memset(&si, 0, sizeof si);
  long r = pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si);
  printf("   siginfo %s sig %d code %d\n", err(r), si.si_signo, (short)si.si_code);
}
static void nothing(const char *what, pid_t pid) {
  int s;
  pid_t p = waitpid(pid, &s, WNOHANG | __WALL | WUNTRACED | WCONTINUED);
  printf("%-28s %s\n", what, p == 0 ? "nothing" : p < 0 ? err(-errno) : status(s));
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  int s;

  printf("-- ATTACH to a sleeping task\n");
  pid_t pid = idle();
  until(pid, 'S');
  printf("ATTACH %s\n", err(pt(PTRACE_ATTACH, pid, 0, 0)));
  printf("again %s\n", err(pt(PTRACE_ATTACH, pid, 0, 0)));
  stop("SIGSTOP", pid);
  show(pid);
  go("SIGSTOP passed: group stop", PTRACE_CONT, pid, SIGSTOP);
  show(pid);
  nothing("told once", pid);
  printf("LISTEN %s, INTERRUPT %s: not seized\n", err(pt(PTRACE_LISTEN, pid, 0, 0)), err(pt(PTRACE_INTERRUPT, pid, 0, 0)));
  kill(pid, SIGCONT);
  go("SIGCONT", PTRACE_CONT, pid, 0);
  printf("DETACH %s\n", err(pt(PTRACE_DETACH, pid, 0, 0)));
  finish(pid);

  printf("-- ATTACH to a stopped task\n");
  pid = idle();
  kill(pid, SIGSTOP);
  waitpid(pid, &s, WUNTRACED);
  printf("ATTACH %s\n", err(pt(PTRACE_ATTACH, pid, 0, 0)));
  stop("group stop", pid);
  show(pid);
  go("its own SIGSTOP", PTRACE_CONT, pid, 0);
  show(pid);
  printf("DETACH %s\n", err(pt(PTRACE_DETACH, pid, 0, 0)));
  until(pid, 'T');
  nothing("after DETACH: stopped", pid);
  kill(pid, SIGCONT);
  until(pid, 'S');
  nothing("after SIGCONT", pid);
  finish(pid);

  printf("-- SEIZE and LISTEN\n");
  pid = idle();
  until(pid, 'S');
  printf("SEIZE %s\n", err(pt(PTRACE_SEIZE, pid, 0, 0)));
  nothing("no stop", pid);
  printf("PEEKUSER while it runs: %s, CONT %s, LISTEN %s\n", err(pt(PTRACE_PEEKUSER, pid, 0, (unsigned long)&s)),
         err(pt(PTRACE_CONT, pid, 0, 0)), err(pt(PTRACE_LISTEN, pid, 0, 0)));
  printf("INTERRUPT %s\n", err(pt(PTRACE_INTERRUPT, pid, 0, 0)));
  stop("INTERRUPT", pid);
  show(pid);
  printf("LISTEN: no group stop, but a stop of that kind: %s\n", err(pt(PTRACE_LISTEN, pid, 0, 0)));
  printf("INTERRUPT %s\n", err(pt(PTRACE_INTERRUPT, pid, 0, 0)));
  stop("ends LISTEN", pid);
  kill(pid, SIGTSTP);
  go("SIGTSTP", PTRACE_CONT, pid, 0);
  show(pid);
  printf("LISTEN in a signal stop %s\n", err(pt(PTRACE_LISTEN, pid, 0, 0)));
  go("passed: group stop", PTRACE_CONT, pid, SIGTSTP);
  show(pid);
  printf("LISTEN %s\n", err(pt(PTRACE_LISTEN, pid, 0, 0)));
  nothing("listens", pid);
  printf("PEEKUSER while it listens: %s\n", err(pt(PTRACE_PEEKUSER, pid, 0, (unsigned long)&s)));
  kill(pid, SIGUSR1);
  nothing("a signal changes nothing", pid);
  kill(pid, SIGCONT);
  stop("SIGCONT", pid);
  show(pid);
  go("signal", PTRACE_CONT, pid, 0);
  go("signal", PTRACE_CONT, pid, 0);
  printf("INTERRUPT in a stop %s\n", err(pt(PTRACE_INTERRUPT, pid, 0, 0)));
  go("another stop follows", PTRACE_CONT, pid, 0);
  kill(pid, SIGSTOP);
  go("SIGSTOP", PTRACE_CONT, pid, 0);
  go("group stop", PTRACE_CONT, pid, SIGSTOP);
  printf("CONT out of a group stop %s\n", err(pt(PTRACE_CONT, pid, 0, 0)));
  until(pid, 'S');
  kill(pid, SIGSTOP);
  stop("again SIGSTOP", pid);
  printf("DETACH with SIGSTOP %s\n", err(pt(PTRACE_DETACH, pid, 0, SIGSTOP)));
  until(pid, 'T');
  nothing("stopped", pid);
  finish(pid);

  printf("-- a parent that is not the tracer\n");
  int p[2];
  pipe(p);
  pid = idle();
  until(pid, 'S');
  fflush(stdout);
  pid_t tracer = fork();
  if (tracer == 0) {
    char c;
    pt(PTRACE_SEIZE, pid, 0, 0);
    pt(PTRACE_INTERRUPT, pid, 0, 0);
    stop("tracer: INTERRUPT", pid);
    write(p[1], "a", 1);
    kill(pid, SIGSTOP);
    go("tracer: SIGSTOP", PTRACE_CONT, pid, 0);
    go("tracer: group stop", PTRACE_CONT, pid, SIGSTOP);
    fflush(stdout);
    raise(SIGSTOP);
    kill(pid, SIGKILL);
    stop("tracer: SIGKILL", pid);
    _exit(0);
  }
  char c;
  read(p[0], &c, 1);
  waitpid(tracer, &s, WUNTRACED);
  nothing("parent: the group stop", pid);
  nothing("parent: only once", pid);
  kill(tracer, SIGCONT);
  waitpid(tracer, &s, 0);
  nothing("parent: the end", pid);

  printf("-- waitid\n");
  pid = idle();
  pt(PTRACE_SEIZE, pid, 0, 0);
  pt(PTRACE_INTERRUPT, pid, 0, 0);
  siginfo_t si;
  for (int i = 0; i < 2; i++) {
    memset(&si, 0, sizeof si);
    int r = waitid(P_PID, pid, &si, WSTOPPED | (i == 0 ? WNOWAIT : 0));
    printf("waitid %d: sig %d code %d status %x, right pid %d\n", r, si.si_signo, si.si_code, si.si_status, si.si_pid == pid);
  }
  memset(&si, 0, sizeof si);
  int r = waitid(P_PID, pid, &si, WSTOPPED | WNOHANG);
  printf("waitid %d: sig %d\n", r, si.si_signo);
  kill(pid, SIGKILL);
  r = waitid(P_PID, pid, &si, WEXITED);
  printf("waitid %d: sig %d code %d status %d\n", r, si.si_signo, si.si_code, si.si_status);
  r = waitid(P_PID, pid, &si, WEXITED);
  printf("waitid %s\n", err(r < 0 ? -errno : r));
  return 0;
}
