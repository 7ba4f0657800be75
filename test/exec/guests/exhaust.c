/* Takes more than there is of one thing. argv[1]: what. The children are the ones that fail. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
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

/* One mapping in thousands of pieces, in many processes. */
static void mappings(void) {
  long pieces = 0, copies = 0;
  char *p = mmap(0, 70000 * 8192l, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  while (mprotect(p + pieces * 8192, 4096, PROT_NONE) == 0) pieces++;
  printf("%s at max_map_count: %d\n", strerror(errno), pieces > 32000 && pieces < 33000);
  for (pid_t child; copies < 100; copies++) {
    if ((child = fork()) < 0) break;
    if (child == 0) pause();
  }
  printf("%s after a few copies: %d\n", strerror(errno), copies > 2 && copies < 50);
  kill(0, SIGTERM);
}
static void queues(void) {
  static struct { long type; char text[8192]; } message = {1};
  struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
  struct mq_attr a = {.mq_maxmsg = 1000, .mq_msgsize = 1 << 20};
  char *big = calloc(1, 1 << 20), name[20];
  int id = msgget(IPC_PRIVATE, 0600), n = 0;
  struct msqid_ds ds;
  msgctl(id, IPC_STAT, &ds);
  ds.msg_qbytes = 1 << 30;
  msgctl(id, IPC_SET, &ds);
  while (n < 5000 && msgsnd(id, &message, sizeof message.text, IPC_NOWAIT) == 0) n++;
  setrlimit(RLIMIT_MSGQUEUE, &all);
  mqd_t q = mq_open("/exhaust", O_RDWR | O_CREAT, 0600, &a);
  while (mq_send(q, big, 1 << 20, 0) == 0);
  printf("%s\n", strerror(errno));
  msgctl(id, IPC_RMID, 0);
  printf("%d\n", mq_send(q, big, 1 << 20, 0));
  mq_unlink("/exhaust");
  for (n = 0; semget(IPC_PRIVATE, 32000, 0600) >= 0; n++);
  printf("%s\n", strerror(errno));
}
static void attributes(void) {
  static char value[65536];
  int bad = 0;
  for (int i = 0; !bad && i < 10000; i++) {
    char name[20];
    sprintf(name, "f%d", i);
    int fd = open(name, O_CREAT | O_RDWR, 0600);
    for (int k = 0; !bad && k < 4; k++) sprintf(name, "user.%d", k), bad = fsetxattr(fd, name, value, 60000, 0);
    close(fd);
  }
  printf("%s\n", strerror(errno));
  unlink("f0"), unlink("f1");
  printf("%d\n", setxattr("f2", "user.x", value, 100, 0));
}
/* Many of something in one place: each must stay cheap. */
static void many(void) {
  struct rlimit r = {20000, 20000};
  setrlimit(RLIMIT_NOFILE, &r);
  int e = epoll_create1(0), n = 0;
  struct epoll_event ev = {EPOLLIN};
  for (int fd; (fd = timerfd_create(0, 0)) >= 0; n++) epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev);
  printf("%s, %d\n", strerror(errno), n > 19000);
  for (int fd = e + 1; fd < 20000; fd += 2) close(fd);
  printf("%d\n", epoll_wait(e, &ev, 1, 0));
  timer_t t;
  for (n = 0; timer_create(CLOCK_MONOTONIC, 0, &t) == 0; n++);
  printf("%s, %d\n", strerror(errno), n < 5000);
  struct flock lock = {.l_type = F_WRLCK, .l_len = 1};
  int fd = open("locks", O_CREAT | O_RDWR, 0600);
  if (fd < 0) close(e + 2), fd = open("locks", O_CREAT | O_RDWR, 0600);
  for (n = 0; n < 2000 && fcntl(fd, F_SETLK, &lock) == 0; n++) lock.l_start += 2;
  printf("%d\n", n);
}
static void deep(void) {
  char path[8192];
  const char *name = "a-name-of-forty-letters-in-a-deep-folder";
  int top = open(".", O_RDONLY), n = 0;
  while (n < 15000 && mkdir(name, 0700) == 0 && chdir(name) == 0) n++;
  printf("%d\n", n);
  printf("%ld", (long)syscall(SYS_getcwd, path, sizeof path)), printf(" %s\n", strerror(errno));
  printf("%d", (int)readlink("/proc/self/cwd", path, sizeof path)), printf(" %s\n", strerror(errno));
  fchdir(top);
  printf("%d\n", rename(name, "moved"));
}

int main(int argc, char **argv) {
  static const struct { const char *name; void (*run)(void); } all[] = {{"memory", memory}, {"tmpfs", tmpfs}, {"forks", forks}, {"files", files},
    {"pipes", pipes}, {"names", names}, {"nesting", nesting}, {"timers", timers}, {"sparse", sparse},
    {"mappings", mappings}, {"queues", queues}, {"attributes", attributes}, {"many", many}, {"deep", deep}};
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
