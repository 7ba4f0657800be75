/*
 * Random system calls with random arguments, by children that may come to any end.
 * The machine must survive; nothing else is expected. argv: seed, children, calls of each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;
static uint64_t next(void) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return state * 0x2545f4914f6cdd1dull;
}
static unsigned below(unsigned n) { return (unsigned)((next() >> 33) % n); }

static char *page, *readonly, *edge;
static const char *paths[] = {"f", ".", "..", "d", "d/e", "link", "/proc/self/fd/0", "/proc/self/maps", "/proc/self/mem", "/proc/self/status",
  "/proc/self/root", "/proc/self/cwd/../f", "/proc/self/fdinfo/0", "/proc/self/task", "/proc/sys/kernel/ns_last_pid", "/dev/null", "/dev/zero",
  "/dev/full", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts/0", "/dev/shm/x", "/dev", "/proc", "/sys/devices/system/cpu", "", "/", "fifo", "sock", "f/", "d/./../d//e", "/proc/self/exe",
  "/dev/fd/3", "/proc/self/net/tcp", "/proc/self/smaps", "/proc/1/stat", "/proc/thread-self/comm", "\xff\xfe", "/tmp"};

static long argument(void) {
  switch (below(16)) {
    case 0: return 0;
    case 1: return 1 + below(8);
    case 2: return below(24);
    case 3: return -1;
    case 4: return -100;
    case 5: return 1l << below(sizeof(long) * 8);
    case 6: return (long)next();
    case 7: return (long)(page + below(4096));
    case 8: return (long)(page + 8 * below(64));
    case 9: return (long)readonly;
    case 10: return (long)(edge - below(40));
    case 11: return (long)paths[below(sizeof paths / sizeof *paths)];
    case 12: return (long)strcpy(page + 2048, paths[below(sizeof paths / sizeof *paths)]);
    case 13: return 4096 * below(6);
    case 14: return (long)(0x7ffffff0 + below(32));
    default: return below(4096);
  }
}

static void fill(void) {
  for (int i = 0; i < 2048; i += sizeof(long)) {
    long v = argument();
    memcpy(page + i, &v, sizeof v);
  }
}

/* What would end the test itself, or wait for ever. */
static int forbidden(long nr) {
  static const long list[] = {SYS_exit, SYS_exit_group, SYS_fork, SYS_vfork, SYS_clone, SYS_kill, SYS_tkill, SYS_tgkill, SYS_pause, SYS_setsid, SYS_reboot,
#ifdef SYS_sigreturn
    SYS_sigreturn,
#endif
    SYS_rt_sigreturn, SYS_ptrace};
  for (unsigned i = 0; i < sizeof list / sizeof *list; i++)
    if (list[i] == nr) return 1;
  return 0;
}

static void nothing(int sig) { (void)sig; }

static void child(int calls) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct sigaction a = {.sa_handler = nothing};
  sigaction(SIGALRM, &a, 0);
  struct itimerval t = {{0, 20000}, {0, 20000}};
  setitimer(ITIMER_REAL, &t, 0);
  struct rlimit core = {0, 0};
  setrlimit(RLIMIT_CORE, &core);
  int v[2];
  close(0);
  open("f", O_RDWR | O_CREAT, 0600);
  pipe(v), socketpair(AF_UNIX, SOCK_STREAM, 0, v), socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_DGRAM, 0);
  syscall(SYS_eventfd2, 3, 0), syscall(SYS_epoll_create1, 0), syscall(SYS_timerfd_create, 0, 0), syscall(SYS_inotify_init1, 0);
  syscall(SYS_memfd_create, "m", 2), open("/proc/self", O_RDONLY | O_DIRECTORY), open(".", O_RDONLY | O_DIRECTORY), open("/dev/ptmx", O_RDWR | O_NOCTTY);
  socket(AF_NETLINK, SOCK_RAW, 0), socket(AF_UNIX, SOCK_DGRAM, 0), open("/proc/self/mem", O_RDWR);
  for (int i = 0; i < calls; i++) {
    long nr = below(400);
    if (below(40) == 0) nr = below(2) ? (long)next() : 0x40000000 + 500 + below(60);
    if (forbidden(nr & 0xffff) || nr < 0) continue;
    fill();
    if (below(50) == 0) {
      if (fork() == 0) {
        struct timespec ts = {0, 1000000};
        nanosleep(&ts, 0);
        _exit(3);
      }
      continue;
    }
    syscall(nr, argument(), argument(), argument(), argument(), argument(), argument());
  }
  _exit(0);
}

int main(int argc, char **argv) {
  int seed = atoi(argv[1]), children = atoi(argv[2]), calls = atoi(argv[3]);
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  sigprocmask(SIG_BLOCK, &chld, 0);
  page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  readonly = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  edge = page + 8192;
  for (int i = 0; i < children; i++) {
    state = 88172645463325252ull + 1000003ull * (seed + i);
    for (int k = 0; k < 5; k++) next();
    pid_t pid = fork();
    if (pid == 0) child(calls);
    struct timespec patience = {3, 0};
    while (waitpid(pid, 0, WNOHANG) == 0)
      if (sigtimedwait(&chld, 0, &patience) < 0 && errno == EAGAIN) kill(pid, SIGKILL);
  }
  printf("survived\n");
  return 0;
}
