/* Who may trace whom, and what is refused. Run as root. */
#include "t.h"

static void drop(int uid) {
  syscall(SYS_setgroups, 0, 0);
#ifdef SYS_setresgid32
  syscall(SYS_setresgid32, uid, uid, uid);
  syscall(SYS_setresuid32, uid, uid, uid);
#else
  syscall(SYS_setresgid, uid, uid, uid);
  syscall(SYS_setresuid, uid, uid, uid);
#endif
}

/* A process of a user's, which says when it is ready. */
static pid_t of(int uid, int dumpable) {
  int p[2];
  char c;
  pipe(p);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    if (uid) drop(uid);
    prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
    write(p[1], "a", 1);
    for (;;) pause();
  }
  read(p[0], &c, 1);
  close(p[0]);
  close(p[1]);
  return pid;
}

static void may(const char *what, int uid, pid_t pid) {
  fflush(stdout);
  pid_t t = fork();
  if (t == 0) {
    if (uid) drop(uid);
    char path[64], b[8];
    long where = (long)path & ~7l;
    struct iovec iov = { b, 8 }, far = { (void *)where, 8 };
    sprintf(path, "/proc/%d/mem", pid);
    int fd = open(path, O_RDONLY);
    printf("%-34s mem %s", what, err(fd < 0 ? -errno : 0));
    long r = syscall(SYS_process_vm_readv, pid, &iov, 1, &far, 1, 0);
    printf(" process_vm_readv %s", err(r < 0 ? -errno : r));
    printf(" SEIZE %s", err(pt(PTRACE_SEIZE, pid, 0, 0)));
    printf(" twice %s\n", err(pt(PTRACE_SEIZE, pid, 0, 0)));
    fflush(stdout);
    _exit(0);
  }
  waitpid(t, 0, 0);
}

static void *other(void *arg) {
  long pid = (long)arg, v;
  printf("another thread of the tracer: PEEKUSER %s", err(pt(PTRACE_PEEKUSER, pid, 0, (unsigned long)&v)));
  printf(" CONT %s", err(pt(PTRACE_CONT, pid, 0, 0)));
  printf(" DETACH %s\n", err(pt(PTRACE_DETACH, pid, 0, 0)));
  return 0;
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  pid_t a = of(1000, 1), b = of(1001, 1), root = of(0, 1), hidden = of(1000, 0);
  may("root, a user's process", 0, a);
  may("root, one that is not dumpable", 0, hidden);
  may("a user, his own process", 1000, a);
  may("a user, his own, not dumpable", 1000, hidden);
  may("a user, another's", 1000, b);
  may("a user, root's", 1000, root);
  finish(a), finish(b), finish(root), finish(hidden);

  unsigned long v;
  printf("no such task: ATTACH %s", err(pt(PTRACE_ATTACH, 99999, 0, 0)));
  printf(" CONT %s\n", err(pt(PTRACE_CONT, 99999, 0, 0)));
  printf("itself: ATTACH %s", err(pt(PTRACE_ATTACH, getpid(), 0, 0)));
  printf(" PEEKUSER %s\n", err(pt(PTRACE_PEEKUSER, getpid(), 0, (unsigned long)&v)));
  pid_t pid = idle();
  printf("not traced: PEEKUSER %s", err(pt(PTRACE_PEEKUSER, pid, 0, (unsigned long)&v)));
  printf(" KILL %s", err(pt(PTRACE_KILL, pid, 0, 0)));
  printf(" INTERRUPT %s", err(pt(PTRACE_INTERRUPT, pid, 0, 0)));
  printf(" DETACH %s\n", err(pt(PTRACE_DETACH, pid, 0, 0)));
  pt(PTRACE_ATTACH, pid, 0, 0);
  stop("ATTACH", pid);
  pthread_t t;
  pthread_create(&t, 0, other, (void *)(long)pid);
  pthread_join(t, 0);
  printf("unknown requests: %s", err(pt(10, pid, 0, 0)));
  printf(" %s", err(pt(0x42ff, pid, 0, 0)));
  printf(" %s\n", err(pt(-1, pid, 0, 0)));
  printf("bad pointers: PEEKDATA into 8 %s", err(pt(PTRACE_PEEKDATA, pid, (unsigned long)&v, 8)));
  printf(" GETREGS into 8 %s", err(pt(PTRACE_GETREGS, pid, 0, 8)));
  printf(" SETREGS from 8 %s", err(pt(PTRACE_SETREGS, pid, 0, 8)));
  printf(" GETREGSET into 8 %s", err(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, 8)));
  printf(" GETEVENTMSG into 8 %s", err(pt(PTRACE_GETEVENTMSG, pid, 0, 8)));
  printf(" PEEKSIGINFO from 8 %s\n", err(pt(PTRACE_PEEKSIGINFO, pid, 8, (unsigned long)&v)));
  printf("PEEKDATA of address 8 %s", err(pt(PTRACE_PEEKDATA, pid, 8, (unsigned long)&v)));
  printf(" POKEDATA %s\n", err(pt(PTRACE_POKEDATA, pid, 8, 1)));
  printf("DETACH with signal 65 %s", err(pt(PTRACE_DETACH, pid, 0, 65)));
  printf(" 0 %s", err(pt(PTRACE_DETACH, pid, 0, 0)));
  printf(" again %s\n", err(pt(PTRACE_DETACH, pid, 0, 0)));
  finish(pid);

  pid = fork();
  if (pid == 0) {
    printf("TRACEME %s", err(pt(PTRACE_TRACEME, 0, 0, 0)));
    printf(" again %s\n", err(pt(PTRACE_TRACEME, 0, 0, 0)));
    fflush(stdout);
    _exit(6);
  }
  int s;
  waitpid(pid, &s, 0);
  printf("%s\n", status(s));
  pid = fork();
  if (pid == 0) _exit(9);
  siginfo_t si;
  waitid(P_PID, pid, &si, WEXITED | WNOWAIT);
  printf("a zombie: ATTACH %s", err(pt(PTRACE_ATTACH, pid, 0, 0)));
  printf(" SEIZE %s\n", err(pt(PTRACE_SEIZE, pid, 0, 0)));
  waitpid(pid, &s, 0);
  return 0;
}
