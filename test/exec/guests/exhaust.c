/* Takes more than there is of one thing. argv[1]: what. The children are the ones that fail. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void unlimited(void) {
  struct rlimit r = {4096, 4096};
  setrlimit(RLIMIT_NOFILE, &r);
}

static void memory(void) {
  for (;;) memset(malloc(1 << 20), 1, 1 << 20);
}
static void tmpfs(void) {
  int fd = memfd_create("big", 0);
  static char block[1 << 20];
  long n, done = 0;
  while ((n = write(fd, block, sizeof block)) > 0) done += n;
  printf("%s after more than 16 MiB: %d\n", strerror(errno), done > 16 << 20);
}
static void forks(void) {
  int n = 0;
  for (;;) {
    pid_t p = fork();
    if (p < 0) break;
    if (p == 0) pause();
    n++;
  }
  printf("%s after more than 1000: %d\n", strerror(errno), n > 1000);
  signal(SIGTERM, SIG_IGN);
  kill(0, SIGTERM);
  while (wait(0) > 0);
}
static void files(void) {
  unlimited();
  int n = 0;
  while (open("/dev/null", O_RDONLY) >= 0) n++;
  printf("%s at %d\n", strerror(errno), n > 4000);
  for (int i = 3; i < 4096; i++) close(i);
  int total = 0, failed = 0;
  for (int i = 0; i < 40 && !failed; i++) {
    if (fork() == 0) {
      while (open("/dev/null", O_RDONLY) >= 0);
      printf("%s\n", strerror(errno));
      fflush(stdout);
      pause();
    }
    total++;
  }
  usleep(1000);
  signal(SIGTERM, SIG_IGN);
  kill(0, SIGTERM);
  while (wait(0) > 0);
}
static void pipes(void) {
  unlimited();
  static char block[1 << 20];
  long total = 0;
  int v[2];
  while (pipe2(v, O_NONBLOCK) == 0) {
    fcntl(v[0], F_SETPIPE_SZ, 1 << 20);
    long n = write(v[1], block, sizeof block);
    if (n > 0) total += n;
  }
  printf("bounded: %d\n", total < 1l << 30);
}
static void names(void) {
  char name[20];
  int n = 0;
  for (; n < 2000000; n++) {
    sprintf(name, "n%d", n);
    if (mkdir(name, 0700) < 0) break;
  }
  printf("%s\n", strerror(errno));
}
static void nesting(void) {
  int v[2], keep[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, keep);
  for (int i = 0; i < 100000; i++) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, v);
    char control[CMSG_SPACE(2 * sizeof(int))];
    struct iovec iov = {"x", 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(h), keep, 2 * sizeof(int));
    if (sendmsg(v[0], &m, 0) < 0) break;
    close(keep[0]), close(keep[1]);
    keep[0] = v[0], keep[1] = v[1];
  }
  printf("%s\n", strerror(errno));
  int a = epoll_create1(0), b = epoll_create1(0);
  struct epoll_event e = {EPOLLIN};
  printf("%d ", epoll_ctl(a, EPOLL_CTL_ADD, b, &e));
  int r = epoll_ctl(b, EPOLL_CTL_ADD, a, &e);
  printf("%d %s\n", r, strerror(errno));
}
static void timers(void) {
  /* Nobody hears it: only the clock runs, for ever. */
  signal(SIGALRM, SIG_IGN);
  struct itimerval t = {{0, 1}, {0, 1}};
  setitimer(ITIMER_REAL, &t, 0);
  int fd = timerfd_create(0, 0);
  struct itimerspec s = {{0, 1}, {0, 1}};
  timerfd_settime(fd, 0, &s, 0);
  struct pollfd p = {-1, POLLIN};
  poll(&p, 1, -1);
}
static void sparse(void) {
  int fd = open("sparse", O_RDWR | O_CREAT, 0600), null = open("/dev/null", O_WRONLY);
  printf("%d\n", ftruncate(fd, 1l << 30 << (sizeof(long) == 8 ? 12 : 0)));
  printf("%d\n", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1l << 30));
  off_t at = 4096;
  printf("%d\n", sendfile(null, fd, &at, 1 << 26) == 1 << 26);
  printf("%d\n", (int)pwrite(fd, "end", 3, 1 << 29));
  close(fd);
}

int main(int argc, char **argv) {
  static const struct { const char *name; void (*run)(void); } all[] = {{"memory", memory}, {"tmpfs", tmpfs}, {"forks", forks}, {"files", files},
    {"pipes", pipes}, {"names", names}, {"nesting", nesting}, {"timers", timers}, {"sparse", sparse}};
  setvbuf(stdout, 0, _IOLBF, 0);
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
    if (!strcmp(argv[1], all[i].name)) {
      pid_t pid = fork();
      if (pid == 0) {
        setpgid(0, 0);
        all[i].run();
        exit(0);
      }
      int status;
      waitpid(pid, &status, 0);
      printf("child %x\n", status);
      return 0;
    }
  return 2;
}
