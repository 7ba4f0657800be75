/* Threads: each is traced by itself, execve from another thread than the leader, the leader's end. */
#include "t.h"

static int pipes[2];
static void *work(void *arg) {
  char c;
  read(pipes[0], &c, 1);
  return arg;
}
static void *execs(void *arg) {
  char c;
  read(pipes[0], &c, 1);
  execl("/bin/true", "true", (char *)0);
  return arg;
}
static void *leader_gone(void *arg) {
  char c;
  read(pipes[0], &c, 1);
  syscall(SYS_exit_group, 8);
  return arg;
}
static void two(void *(*f)(void *)) {
  pthread_t t[2];
  pthread_create(&t[0], 0, work, 0);
  pthread_create(&t[1], 0, f, 0);
  for (;;) pause();
}
static void body_work(void) {
  pthread_t t;
  pthread_create(&t, 0, work, 0);
  pthread_join(t, 0);
}
static void body_exec(void) { two(execs); }
static void body_gone(void) {
  pthread_t t;
  pthread_create(&t, 0, leader_gone, 0);
  syscall(SYS_exit, 1);
}

static pid_t next_thread(pid_t pid) {
  unsigned long m = 0;
  int s = go("clone", PTRACE_CONT, pid, 0);
  if (s >> 16 != PTRACE_EVENT_CLONE) exit(1);
  pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&m);
  stop("thread", m);
  return m;
}
static void go_on(void) { write(pipes[1], "a", 1); }

static void *waits(void *arg) {
  int s;
  pid_t p = waitpid((long)arg, &s, WNOHANG | __WALL | __WNOTHREAD);
  printf("another thread, __WNOTHREAD: %s", p == 0 ? "nothing" : p < 0 ? err(-errno) : status(s));
  p = waitpid((long)arg, &s, WNOHANG | __WALL);
  printf(" without: %s\n", p == 0 ? "nothing" : p < 0 ? err(-errno) : status(s));
  return 0;
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  pipe(pipes);
  int s;

  printf("-- a thread\n");
  pid_t pid = traced(body_work, options), t = next_thread(pid);
  pt(PTRACE_CONT, pid, 0, 0);
  pt(PTRACE_CONT, t, 0, 0);
  printf("wait without __WALL sees a traced thread: %s\n", err(waitpid(t, &s, WNOHANG)));
  syscall(SYS_tgkill, pid, t, SIGSTOP);
  stop("SIGSTOP for the thread", t);
  until(pid, 'S');
  s = go("passed: all are to stop", PTRACE_CONT, t, SIGSTOP);
  stop("the leader too", pid);
  kill(pid, SIGCONT);
  go("leader", PTRACE_CONT, pid, 0);
  pt(PTRACE_CONT, t, 0, 0);
  pt(PTRACE_CONT, pid, 0, SIGCONT);
  go_on();
  stop("thread ends", t);
  stop("process ends", pid);

  printf("-- execve from a thread\n");
  pid = traced(body_exec, options);
  t = next_thread(pid);
  pid_t u = next_thread(pid);
  pt(PTRACE_CONT, pid, 0, 0);
  pt(PTRACE_CONT, t, 0, 0);
  until(t, 'S');
  pt(PTRACE_CONT, u, 0, 0);
  until(u, 'S');
  /* Only the one that is to execute the program can read. */
  syscall(SYS_tgkill, pid, t, SIGSTOP);
  stop("a thread that stays stopped", t);
  go_on();
  s = stop("the other threads are killed", t);
  s = stop("execve", pid);
  unsigned long m = 0;
  pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&m);
  printf("message: the old thread id %d\n", m == (unsigned long)u);
  printf("the old id is gone: %s\n", err(pt(PTRACE_PEEKUSER, u, 0, (unsigned long)&m)));
  go("the end", PTRACE_CONT, pid, 0);

  printf("-- the leader ends first\n");
  pid = traced(body_gone, options);
  t = next_thread(pid);
  pt(PTRACE_CONT, pid, 0, 0);
  until(pid, 'Z');
  s = 0;
  pid_t p = waitpid(pid, &s, WNOHANG | __WALL);
  printf("the leader is a zombie: %s\n", p == 0 ? "nothing" : status(s));
  pt(PTRACE_CONT, t, 0, 0);
  go_on();
  stop("thread", t);
  stop("leader", pid);

  printf("-- a tracer of two threads\n");
  pid = idle();
  pt(PTRACE_SEIZE, pid, 0, 0);
  pt(PTRACE_INTERRUPT, pid, 0, 0);
  until(pid, 't');
  pthread_t th;
  pthread_create(&th, 0, waits, (void *)(long)pid);
  pthread_join(th, 0);
  finish(pid);
  return 0;
}
