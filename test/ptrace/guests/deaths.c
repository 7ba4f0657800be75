/* The end of tracers and tracees: EXITKILL, zombies that the tracer and the parent both wait for, DETACH. */
#include "t.h"

static int up[2], down[2];
static void say(int to[2]) { write(to[1], "a", 1); }
static void hear(int from[2]) {
  char c;
  read(from[0], &c, 1);
}

/* A tracer that seizes, or attaches to, `pid` and then ends. */
static void tracer_dies(pid_t pid, int seize, long options) {
  pid_t t = fork();
  if (t == 0) {
    pt(seize ? PTRACE_SEIZE : PTRACE_ATTACH, pid, 0, options);
    if (seize) pt(PTRACE_INTERRUPT, pid, 0, 0);
    int s;
    waitpid(pid, &s, __WALL);
    if (!seize && options) pt(PTRACE_SETOPTIONS, pid, 0, options);
    _exit(0);
  }
  waitpid(t, 0, 0);
}
static const char *later(pid_t pid) {
  int s;
  pid_t p;
  for (int i = 0; i < 50; i++) {
    p = waitpid(pid, &s, WNOHANG | WUNTRACED);
    if (p) break;
    usleep(1000);
  }
  return p == 0 ? "goes on" : p < 0 ? err(-errno) : status(s);
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  pipe(up);
  pipe(down);
  pid_t pid = idle();
  tracer_dies(pid, 1, 0);
  printf("seized, tracer ends: %s\n", later(pid));
  finish(pid);
  pid = idle();
  tracer_dies(pid, 1, PTRACE_O_EXITKILL);
  printf("seized with EXITKILL: %s\n", later(pid));
  pid = idle();
  tracer_dies(pid, 0, 0);
  printf("attached, in SIGSTOP's stop: %s\n", later(pid));
  finish(pid);
  pid = idle();
  tracer_dies(pid, 0, PTRACE_O_EXITKILL);
  printf("attached with EXITKILL: %s\n", later(pid));
  pid = idle();
  kill(pid, SIGSTOP);
  waitpid(pid, 0, WUNTRACED);
  tracer_dies(pid, 1, 0);
  until(pid, 'T');
  printf("seized while stopped, tracer ends: %s\n", later(pid));
  finish(pid);

  printf("-- a zombie of two\n");
  pid = fork();
  if (pid == 0) {
    say(up);
    for (;;) pause();
  }
  hear(up);
  pid_t t = fork();
  if (t == 0) {
    int s;
    pt(PTRACE_SEIZE, pid, 0, 0);
    say(up);
    kill(pid, SIGTERM);
    waitpid(pid, &s, __WALL);
    printf("tracer: %s\n", status(s));
    pt(PTRACE_CONT, pid, 0, SIGTERM);
    siginfo_t si;
    waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
    printf("tracer: code %d status %d\n", si.si_code, si.si_status);
    fflush(stdout);
    say(up);
    hear(down);
    waitpid(pid, &s, 0);
    printf("tracer: %s\n", status(s));
    printf("tracer again: %s\n", err(waitpid(pid, &s, 0) < 0 ? -errno : 0));
    fflush(stdout);
    _exit(0);
  }
  hear(up);
  hear(up);
  int s;
  pid_t p = waitpid(pid, &s, WNOHANG);
  printf("parent, while the tracer has it: %s\n", p == 0 ? "nothing" : status(s));
  say(down);
  waitpid(t, 0, 0);
  p = waitpid(pid, &s, 0);
  printf("parent: %s\n", p == pid ? status(s) : err(-errno));

  printf("-- a zombie, and the tracer ends\n");
  pid = idle();
  t = fork();
  if (t == 0) {
    pt(PTRACE_SEIZE, pid, 0, 0);
    kill(pid, SIGKILL);
    siginfo_t si;
    waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
    _exit(0);
  }
  waitpid(t, 0, 0);
  stop("parent", pid);

  printf("-- DETACH with a signal\n");
  pid = idle();
  pt(PTRACE_ATTACH, pid, 0, 0);
  stop("ATTACH", pid);
  printf("DETACH with SIGTERM %s\n", err(pt(PTRACE_DETACH, pid, 0, SIGTERM)));
  stop("then", pid);

  printf("-- PTRACE_KILL\n");
  pid = idle();
  pt(PTRACE_ATTACH, pid, 0, 0);
  stop("ATTACH", pid);
  printf("KILL %s\n", err(pt(PTRACE_KILL, pid, 0, 0)));
  stop("then", pid);
  pid = idle();
  until(pid, 'S');
  pt(PTRACE_SEIZE, pid, 0, 0);
  printf("KILL of one that runs %s: ", err(pt(PTRACE_KILL, pid, 0, 0)));
  printf("%s\n", later(pid));
  finish(pid);

  printf("-- SIGKILL in a stop\n");
  pid = idle();
  pt(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXIT);
  pt(PTRACE_INTERRUPT, pid, 0, 0);
  stop("INTERRUPT", pid);
  kill(pid, SIGKILL);
  stop("SIGKILL", pid);
  unsigned long m = 0;
  pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&m);
  printf("message %lx\n", m);
  go("the end", PTRACE_CONT, pid, 0);

  printf("-- a tracer's tracer\n");
  t = fork();
  if (t == 0) {
    say(up);
    pid = idle();
    pt(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL);
    pt(PTRACE_INTERRUPT, pid, 0, 0);
    stop("inner", pid);
    fflush(stdout);
    say(up);
    for (;;) pause();
  }
  hear(up);
  hear(up);
  printf("SEIZE of a tracer %s\n", err(pt(PTRACE_SEIZE, t, 0, 0)));
  pt(PTRACE_INTERRUPT, t, 0, 0);
  stop("outer", t);
  kill(t, SIGKILL);
  stop("outer", t);
  return 0;
}
