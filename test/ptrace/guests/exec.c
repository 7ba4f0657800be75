/* execve under a tracer: what the other threads say of their end, and programs that change the user. */
#include "t.h"
#include <sys/auxv.h>
#include <sys/stat.h>

static int pipes[2];
static void *waits(void *arg) { for (;;) pause(); }
static void *executes(void *arg) {
  char c;
  read(pipes[0], &c, 1);
  execl("/proc/self/exe", "again", "x", (char *)0);
  _exit(1);
}
static void by_leader(void) {
  pthread_t a, b;
  pthread_create(&a, 0, waits, 0);
  pthread_create(&b, 0, waits, 0);
  executes(0);
}
static void by_thread(void) {
  pthread_t a, b;
  pthread_create(&a, 0, waits, 0);
  pthread_create(&b, 0, executes, 0);
  waits(0);
}

/* The thread that a clone event tells of, behind its first stop. */
static pid_t next_thread(pid_t pid) {
  int s;
  unsigned long tid = 0;
  pt(PTRACE_CONT, pid, 0, 0);
  do waitpid(pid, &s, __WALL); while (s >> 16 != PTRACE_EVENT_CLONE && (pt(PTRACE_CONT, pid, 0, 0), 1));
  pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&tid);
  waitpid(tid, &s, __WALL);
  return tid;
}

static void exits(const char *what, pid_t pid) {
  stop(what, pid);
  unsigned long code = 0;
  pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&code);
  printf("  message: status %s\n", status(code));
}

static void threads(void) {
  long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;
  int s;

  printf("-- execve of the leader\n");
  pid_t pid = traced(by_leader, options), a = next_thread(pid), b = next_thread(pid);
  pt(PTRACE_CONT, a, 0, 0);
  pt(PTRACE_CONT, b, 0, 0);
  pt(PTRACE_CONT, pid, 0, 0);
  until(a, 'S');
  until(b, 'S');
  write(pipes[1], "x", 1);
  exits("a thread", a);
  exits("another thread", b);
  until(pid, 'D');
  printf("execve waits: %s\n", err(waitpid(pid, &s, WNOHANG | __WALL)));
  go("thread", PTRACE_CONT, a, 0);
  go("another thread", PTRACE_CONT, b, 0);
  stop("execve", pid);
  pt(PTRACE_CONT, pid, 0, 0);
  exits("the program ends", pid);
  go("and is gone", PTRACE_CONT, pid, 0);

  printf("-- execve of a thread\n");
  pid = traced(by_thread, options), a = next_thread(pid), b = next_thread(pid);
  pt(PTRACE_CONT, a, 0, 0);
  pt(PTRACE_CONT, b, 0, 0);
  pt(PTRACE_CONT, pid, 0, 0);
  until(a, 'S');
  until(b, 'S');
  until(pid, 'S');
  write(pipes[1], "x", 1);
  exits("a thread", a);
  exits("the leader", pid);
  go("thread", PTRACE_CONT, a, 0);
  pt(PTRACE_CONT, pid, 0, 0);
  stop("execve", pid);
  unsigned long id = 0;
  pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&id);
  printf("message: the old thread id %d\n", id == (unsigned long)b);
  pt(PTRACE_CONT, pid, 0, 0);
  exits("the program ends", pid);
  go("and is gone", PTRACE_CONT, pid, 0);
}

/* A copy of this program that belongs to root and has the bit. */
static char copy[64];
static void make_copy(void) {
  sprintf(copy, "/tmp/setuid-%d", getpid());
  int from = open("/proc/self/exe", O_RDONLY), to = open(copy, O_WRONLY | O_CREAT, 0700);
  char buffer[65536];
  for (int n; (n = read(from, buffer, sizeof buffer)) > 0;) write(to, buffer, n);
  close(from);
  close(to);
  chmod(copy, 04755);
}
static void run_copy(void) {
  if (getuid() == 0) setuid(12345);
  execl(copy, "again", "who", (char *)0);
  _exit(1);
}
static void who(const char *what, int s) { printf("%-28s root %d secure %d\n", what, WEXITSTATUS(s) & 1, WEXITSTATUS(s) >> 1); }

static void of_tracer(const char *what) {
  int s;
  pid_t pid = traced(run_copy, PTRACE_O_TRACEEXEC);
  go(what, PTRACE_CONT, pid, 0);
  pt(PTRACE_CONT, pid, 0, 0);
  waitpid(pid, &s, 0);
  who(what, s);
}

static void setuids(void) {
  int s;
  printf("-- a program with the setuid bit\n");
  make_copy();
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) run_copy();
  waitpid(pid, &s, 0);
  who("without a tracer", s);
  of_tracer("a tracer of root");
  fflush(stdout);
  pid = fork();
  if (pid == 0) {
    setuid(12345);
    /* A process that was root does not let itself be traced. */
    prctl(PR_SET_DUMPABLE, 1);
    of_tracer("a tracer of the same user");
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, &s, 0);
  unlink(copy);
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "who")) return (geteuid() == 0) | getauxval(AT_SECURE) << 1;
  if (argc > 1) return 3;
  setvbuf(stdout, 0, _IOLBF, 0);
  pipe(pipes);
  threads();
  setuids();
  return 0;
}
