/* POSIX message queues: what each call answers, order, waits and notifications. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(int line, const char *call, long r) { printf("%d %s = %ld %s\n", line, call, r, r < 0 ? strerrorname_np(errno) : ""), fflush(stdout); }
#define R(call) (errno = 0, say(__LINE__, #call, call))
static char name[40], buf[128];
static volatile int got;
static void handler(int sig, siginfo_t *si, void *u) { got = si->si_code == SI_MESGQ ? si->si_value.sival_int : -1; }
static void alarmed(int sig) { got++; }

int main(void) {
  struct mq_attr a = {.mq_maxmsg = 3, .mq_msgsize = 16}, b;
  sprintf(name, "/q%d", (int)getpid());
  mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a);
  if (q < 0 && (errno == ENOSYS || errno == EMFILE || errno == EACCES)) {
    printf("this machine has no queues for us\n");
    return 0;
  }
  R(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a));
  R(mq_open("/none-such", O_RDWR));
  R(mq_open("/a/b", O_RDWR | O_CREAT, 0600, 0));
  a.mq_maxmsg = 0;
  R(mq_open("/zero", O_RDWR | O_CREAT, 0600, &a));
  R(fcntl(q, F_GETFD));
  R(mq_send(q, "low", 4, 1)), R(mq_send(q, "high", 5, 9)), R(mq_send(q, "high2", 6, 9));
  R(mq_send(q, "0123456789abcdef0", 17, 1));
  R(mq_send(q, "x", 1, 32768));
  mq_getattr(q, &b);
  printf("%ld %ld %ld %ld\n", b.mq_flags, b.mq_maxmsg, b.mq_msgsize, b.mq_curmsgs);
  struct pollfd p = {q, POLLIN | POLLOUT};
  poll(&p, 1, 0);
  printf("poll %x\n", p.revents);
  b.mq_flags = O_NONBLOCK;
  R(mq_setattr(q, &b, 0));
  R(mq_send(q, "full", 5, 1));
  b.mq_flags = O_APPEND;
  R(mq_setattr(q, &b, 0));
  unsigned prio = 77;
  R(mq_receive(q, buf, 8, &prio));
  for (int i = 0; i < 3; i++) R(mq_receive(q, buf, sizeof buf, &prio)), printf("%s %u\n", buf, prio);
  R(mq_receive(q, buf, sizeof buf, &prio));
  b.mq_flags = 0;
  mq_setattr(q, &b, 0);
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += 20000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  R(mq_timedreceive(q, buf, sizeof buf, 0, &t));
  t.tv_nsec = 2000000000;
  R(mq_timedreceive(q, buf, sizeof buf, 0, &t));
  struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &sa, 0);
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
  R(mq_notify(q, &e));
  R(mq_notify(q, &e));
  mq_send(q, "wake", 5, 0);
  printf("notified %d\n", got);
  got = 0, mq_send(q, "more", 5, 0);
  printf("once %d\n", got);
  R(mq_notify(q, &e));
  R(mq_notify(q, 0));
  while (b.mq_flags = O_NONBLOCK, mq_setattr(q, &b, 0), mq_receive(q, buf, sizeof buf, 0) >= 0);
  b.mq_flags = 0, mq_setattr(q, &b, 0);
  fflush(stdout);
  if (fork() == 0) {
    usleep(20000);
    for (int i = 0; i < 8; i++) sprintf(buf, "m%d", i), mq_send(q, buf, 4, 0);
    _exit(0);
  }
  for (int i = 0; i < 8; i++) mq_receive(q, buf, sizeof buf, 0), printf("%s ", buf);
  wait(0);
  printf("\n");
  struct sigaction al = {.sa_handler = alarmed};
  sigaction(SIGALRM, &al, 0);
  ualarm(20000, 0);
  R(mq_receive(q, buf, sizeof buf, 0));
  mqd_t r = mq_open(name, O_RDONLY), w = mq_open(name, O_WRONLY | O_NONBLOCK);
  R(mq_send(r, "x", 2, 0));
  R(mq_receive(w, buf, sizeof buf, 0));
  R(mq_send(0, "x", 2, 0));
  R(lseek(q, 0, SEEK_SET) < 0);
  mq_send(w, "abc", 3, 0);
  ssize_t n = read(r, buf, sizeof buf - 1);
  printf("%.*s", (int)n, buf);
  struct stat st;
  fstat(r, &st);
  printf("%o %d\n", st.st_mode, (int)st.st_size);
  R(mq_unlink(name));
  R(mq_unlink(name));
  R(mq_receive(r, buf, sizeof buf, 0));
  struct rlimit small = {100, 100};
  setrlimit(RLIMIT_MSGQUEUE, &small);
  R(mq_open("/limited", O_RDWR | O_CREAT, 0600, 0));
  if (setuid(1000)) return 1;
  a.mq_maxmsg = 11;
  R(mq_open("/many", O_RDWR | O_CREAT, 0600, &a));
  return 0;
}
