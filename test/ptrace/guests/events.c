/* The stops of PTRACE_O_TRACE*: their order, statuses and messages; what is inherited. */
#include "t.h"

static unsigned long message(pid_t pid) {
  unsigned long m = 0;
  pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&m);
  return m;
}

static void forks(void) {
  if (fork() == 0) _exit(3);
  int s;
  wait(&s);
  if (vfork() == 0) _exit(4);
  wait(&s);
  _exit(5);
}

/* Every stop of the tracee and of its children, one after the other. */
static void follow(const char *title, pid_t pid, long request) {
  printf("-- %s\n", title);
  pid_t known[8] = { pid };
  int n = 1, alive = 1;
  pt(request, pid, 0, 0);
  while (alive > 0) {
    int s;
    pid_t p = waitpid(-1, &s, __WALL);
    if (p < 0) break;
    int who = 0;
    while (who < n && known[who] != p) who++;
    if (who == n) known[n++] = p, alive++;
    printf("task %d %s", who, status(s));
    if (!WIFSTOPPED(s)) {
      printf("\n");
      alive--;
      continue;
    }
    int event = s >> 16;
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
      int child = 0;
      pid_t m = message(p);
      while (child < n && known[child] != m) child++;
      if (child == n) known[n++] = m, alive++;
      printf(" message: task %d", child);
    } else if (event == PTRACE_EVENT_VFORK_DONE) {
      int child = 0;
      while (child < n && known[child] != (pid_t)message(p)) child++;
      printf(" message: task %d", child);
    } else if (event == PTRACE_EVENT_EXIT) printf(" message %lx", message(p));
    else if (event == PTRACE_EVENT_EXEC) printf(" message is own pid: %d", message(p) == (unsigned long)p);
    printf("\n");
    int sig = event == 0 ? WSTOPSIG(s) & 0x7f : 0;
    if (sig == SIGSTOP || sig == SIGTRAP) sig = 0;
    pt(request, p, 0, sig);
  }
}

static void run_true(void) { execl("/bin/true", "true", (char *)0); }
static void killed(void) { kill(getpid(), SIGKILL); }
static void *thread(void *arg) { return arg; }
static void threads(void) {
  pthread_t t;
  pthread_create(&t, 0, thread, 0);
  pthread_join(t, 0);
}

int main(void) {
  long all = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
             PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT;
  follow("fork and vfork, no options", traced(forks, 0), PTRACE_CONT);
  follow("execve, no options", traced(run_true, 0), PTRACE_CONT);
  follow("execve, TRACEEXEC", traced(run_true, PTRACE_O_TRACEEXEC), PTRACE_CONT);
  follow("exit, TRACEEXIT", traced(forks, PTRACE_O_TRACEEXIT), PTRACE_CONT);
  follow("SIGKILL to itself, TRACEEXIT", traced(killed, PTRACE_O_TRACEEXIT), PTRACE_CONT);

  printf("-- fork, TRACEFORK, step by step\n");
  pid_t pid = traced(forks, all);
  int s = go("fork", PTRACE_CONT, pid, 0);
  pid_t child = message(pid);
  s = stop("child", child);
  unsigned long word;
  printf("child is traced: PEEKUSER %s\n", err(pt(PTRACE_PEEKUSER, child, 0, (unsigned long)&word)));
  go("it has inherited the options", PTRACE_CONT, child, 0);
  printf("message %lx\n", message(child));
  go("child", PTRACE_CONT, child, 0);
  s = go("parent: SIGCHLD", PTRACE_CONT, pid, 0);
  s = go("vfork", PTRACE_CONT, pid, SIGCHLD);
  child = message(pid);
  stop("vfork child", child);
  pt(PTRACE_CONT, pid, 0, 0);
  go("vfork child exits", PTRACE_CONT, child, 0);
  go("vfork child", PTRACE_CONT, child, 0);
  s = stop("parent", pid);
  /* VFORK_DONE and SIGCHLD: the event comes first, the signal is looked at on the way out. */
  printf("message is the child: %d\n", message(pid) == (unsigned long)child);
  go("parent", PTRACE_CONT, pid, 0);
  go("parent exits", PTRACE_CONT, pid, SIGCHLD);
  printf("message %lx\n", message(pid));
  go("parent", PTRACE_CONT, pid, 0);

  printf("-- clone, TRACECLONE\n");
  pid = traced(threads, all);
  go("clone", PTRACE_CONT, pid, 0);
  child = message(pid);
  stop("thread", child);
  go("thread exits", PTRACE_CONT, child, 0);
  go("thread", PTRACE_CONT, child, 0);
  go("leader exits", PTRACE_CONT, pid, 0);
  go("leader", PTRACE_CONT, pid, 0);

  printf("-- SEIZE with TRACEFORK: the child stops with EVENT_STOP\n");
  fflush(stdout);
  pid = fork();
  if (pid == 0) {
    raise(SIGSTOP);
    forks();
  }
  waitpid(pid, &s, WUNTRACED);
  printf("SEIZE %s\n", err(pt(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC)));
  stop("seized while stopped", pid);
  kill(pid, SIGCONT);
  go("after SIGCONT", PTRACE_CONT, pid, 0);
  go("SIGCONT", PTRACE_CONT, pid, 0);
  go("fork", PTRACE_CONT, pid, 0);
  child = message(pid);
  stop("child", child);
  go("child", PTRACE_CONT, child, 0);
  go("parent: SIGCHLD", PTRACE_CONT, pid, 0);
  finish(pid);

  printf("-- options\n");
  pid = idle();
  printf("SEIZE with an unknown option %s, with addr %s\n", err(pt(PTRACE_SEIZE, pid, 0, 0x100)), err(pt(PTRACE_SEIZE, pid, 8, 0)));
  printf("SEIZE %s\n", err(pt(PTRACE_SEIZE, pid, 0, 0)));
  pt(PTRACE_INTERRUPT, pid, 0, 0);
  stop("INTERRUPT", pid);
  printf("unknown option %s, OLDSETOPTIONS %s\n", err(pt(PTRACE_SETOPTIONS, pid, 0, 0x400)), err(pt(21, pid, 0, PTRACE_O_TRACESYSGOOD)));
  finish(pid);
  return 0;
}
