/* What strace watches: processes, signals, calls that fail. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void handler(int sig) { (void)sig; }

int main(int argc, char **argv) {
  int p[2], s;
  char b[8];
  if (argc > 1) return 7;
  syscall(SYS_pipe, p);
  pid_t pid = syscall(SYS_fork);
  if (pid == 0) {
    syscall(SYS_write, p[1], "child\n", 6);
    syscall(SYS_kill, syscall(SYS_getpid), SIGTERM);
  }
  syscall(SYS_read, p[0], b, 6);
  syscall(SYS_wait4, pid, &s, 0, 0);
  signal(SIGUSR1, handler);
  syscall(SYS_kill, syscall(SYS_getpid), SIGUSR1);
  pid = vfork();
  if (pid == 0) {
    execl(argv[0], argv[0], "x", (char *)0);
    _exit(1);
  }
  syscall(SYS_wait4, pid, &s, 0, 0);
  long ts[2] = { 0, 1000000 };
  syscall(SYS_nanosleep, ts, 0);
  syscall(SYS_close, 1000);
  syscall(SYS_write, 1, "done\n", 5);
  syscall(SYS_exit_group, 5);
}
