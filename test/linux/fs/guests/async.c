/* Signals for what happens to open files (O_ASYNC, F_NOTIFY), and urgent data of TCP. Each line says what was done and what came of it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static char seen[4096];
static void handler(int sig, siginfo_t *info, void *context) {
  if (sig == SIGIO) sprintf(seen + strlen(seen), " SIGIO %d", info->si_code);
  else if (sig == SIGURG) sprintf(seen + strlen(seen), " SIGURG %d", info->si_code);
  else sprintf(seen + strlen(seen), " RT code %d band %lx fd %d", info->si_code, (long)info->si_band, info->si_fd);
}
/* What has come; segments of TCP may take a moment. */
static void told(const char *what, long result) {
  usleep(20000);
  printf("%-44s %ld%s%s:%s\n", what, result < 0 ? -1 : result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : "", seen);
  *seen = 0;
}
#define T(call) told(#call, call)

enum { RT = 40 };
static void async(int fd, int sig) { fcntl(fd, F_SETOWN, getpid()); fcntl(fd, F_SETSIG, sig); fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC); }

static void pipes(void) {
  int p[2];
  char bytes[70000] = {0};
  pipe2(p, O_NONBLOCK);
  async(p[0], 0);
  T(write(p[1], "abc", 3));
  T(write(p[1], "abc", 3));
  T(read(p[0], bytes, 6));
  async(p[0], RT);
  async(p[1], RT);
  T(write(p[1], "abc", 3));
  T(read(p[0], bytes, 3));
  T(write(p[1], bytes, 70000));
  T(read(p[0], bytes, 65536));
  T(fcntl(p[0], F_SETFL, O_NONBLOCK));
  T(write(p[1], "abc", 3));
  T(fcntl(p[0], F_GETFL));
  T(close(p[0]));
  close(p[1]);
}

static void owners(void) {
  int p[2], dead;
  struct f_owner_ex ex = {F_OWNER_TID, getpid()}, back = {7, 7};
  pid_t pid = getpid();
  pipe(p);
  T(fcntl(p[0], F_GETOWN));
  T(fcntl(p[0], F_SETOWN, pid) || fcntl(p[0], F_GETOWN) != pid);
  T(fcntl(p[0], F_SETOWN_EX, &ex));
  T(fcntl(p[0], F_GETOWN_EX, &back) || back.type != F_OWNER_TID || back.pid != pid);
  ex.type = F_OWNER_PGRP; ex.pid = getpgrp();
  T(fcntl(p[0], F_SETOWN_EX, &ex));
  T(fcntl(p[0], F_GETOWN_EX, &back) || back.type != F_OWNER_PGRP || back.pid != ex.pid);
  ex.type = 3;
  T(fcntl(p[0], F_SETOWN_EX, &ex));
  if ((dead = fork()) == 0) _exit(0);
  waitpid(dead, 0, 0);
  ex.type = F_OWNER_PID; ex.pid = dead;
  T(fcntl(p[0], F_SETOWN_EX, &ex));
  T(fcntl(p[0], F_SETOWN_EX, (void *)1));
  ex.pid = 0;
  T(fcntl(p[0], F_SETOWN_EX, &ex));
  T(fcntl(p[0], F_GETOWN));
  T(fcntl(p[0], F_SETSIG, 65));
  T(fcntl(p[0], F_SETSIG, 40) || fcntl(p[0], F_GETSIG) != 40);
  /* To a child, and to a group. */
  for (int group = 0; group < 2; group++) {
    int status;
    pid_t child = fork();
    if (child == 0) { setpgid(0, 0); sigset_t set; sigemptyset(&set); sigaddset(&set, RT); sigprocmask(SIG_BLOCK, &set, 0); siginfo_t info; raise(SIGSTOP); sigwaitinfo(&set, &info); _exit(info.si_signo == RT && info.si_code == POLL_IN && info.si_fd == p[0]); }
    waitpid(child, &status, WUNTRACED);
    fcntl(p[0], F_SETFL, O_ASYNC);
    fcntl(p[0], F_SETOWN, group ? -child : child);
    T(write(p[1], "x", 1));
    kill(child, SIGCONT);
    waitpid(child, &status, 0);
    T(WEXITSTATUS(status));
  }
  int file = open("/proc/self/exe", O_RDONLY), on = 1;
  T(fcntl(file, F_SETFL, O_ASYNC) || (fcntl(file, F_GETFL) & O_ASYNC));
  T(ioctl(file, FIOASYNC, &on));
  T(ioctl(p[1], FIOASYNC, &on) || !(fcntl(p[1], F_GETFL) & O_ASYNC));
  T(ioctl(p[1], SIOCSPGRP, &pid));
}

static void unix_sockets(int type) {
  int s[2];
  char bytes[70000] = {0};
  socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s);
  async(s[0], RT);
  T(write(s[1], "abc", 3));
  T(read(s[0], bytes, 3));
  while (write(s[0], bytes, 4096) > 0);
  told("full", 0);
  while (read(s[1], bytes, 4096) > 0);
  told("empty", 0);
  T(shutdown(s[1], SHUT_WR));
  T(close(s[1]));
  close(s[0]);
}

static int listener, port;
static void tcp_pair(int s[2]) {
  struct sockaddr_in to = {AF_INET};
  socklen_t length = sizeof to;
  listener = socket(AF_INET, SOCK_STREAM, 0);
  listen(listener, 5);
  getsockname(listener, (void *)&to, &length);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  port = to.sin_port;
  async(listener, RT);
  s[0] = socket(AF_INET, SOCK_STREAM, 0);
  connect(s[0], (void *)&to, sizeof to);
  told("connect", 0);
  s[1] = accept(listener, 0, 0);
  close(listener);
  fcntl(s[0], F_SETFL, O_NONBLOCK);
  fcntl(s[1], F_SETFL, O_NONBLOCK);
}

static void tcp(void) {
  int s[2], n;
  char bytes[64];
  tcp_pair(s);
  async(s[1], RT);
  T(send(s[0], "abc", 3, 0));
  T(recv(s[1], bytes, 64, 0));
  T(shutdown(s[0], SHUT_WR));
  T(shutdown(s[1], SHUT_WR));
  close(s[0]); close(s[1]);
  /* A connection that is aborted: what came before can be read. */
  tcp_pair(s);
  struct linger now = {1, 0};
  struct sockaddr_in name; socklen_t length = sizeof name;
  setsockopt(s[0], SOL_SOCKET, SO_LINGER, &now, sizeof now);
  async(s[1], RT);
  send(s[0], "hello", 5, 0);
  told("send", 0);
  T(close(s[0]));
  T(ioctl(s[1], FIONREAD, &n) ? -1 : n);
  T(getpeername(s[1], (void *)&name, &length));
  T(recv(s[1], bytes, 3, 0));
  T(recv(s[1], bytes, 64, 0));
  T(recv(s[1], bytes, 64, 0));
  T(recv(s[1], bytes, 64, 0));
  T(send(s[1], "x", 1, MSG_NOSIGNAL));
  T(shutdown(s[1], SHUT_RD));
  close(s[1]);
  /* What is sent to a socket that is closed. */
  tcp_pair(s);
  close(s[0]);
  usleep(10000);
  T(send(s[1], "x", 0, MSG_NOSIGNAL));
  T(send(s[1], "x", 0, MSG_NOSIGNAL));
  T(send(s[1], "x", 1, MSG_NOSIGNAL));
  struct pollfd p = {s[1], POLLIN | POLLOUT};
  T(poll(&p, 1, 0) ? p.revents : 0);
  T(getsockopt(s[1], SOL_SOCKET, SO_ERROR, &n, &length) ? -1 : n);
  T(recv(s[1], bytes, 64, 0));
  T(send(s[1], "x", 1, MSG_NOSIGNAL));
  close(s[1]);
}

static int s[2], mark;
static int polled(void) { struct pollfd p = {s[1], POLLIN | POLLPRI | POLLRDNORM}; return poll(&p, 1, 0) ? p.revents : 0; }
static int at_mark(void) { return ioctl(s[1], SIOCATMARK, &mark) ? -1 : mark; }
static int inq(void) { return ioctl(s[1], FIONREAD, &mark) ? -1 : mark; }
static void urgent(int inlined) {
  char bytes[64];
  struct iovec io = {bytes, 64};
  struct msghdr m = {0, 0, &io, 1};
  tcp_pair(s);
  setsockopt(s[1], SOL_SOCKET, SO_OOBINLINE, &inlined, sizeof inlined);
  fcntl(s[1], F_SETOWN, getpid());
  T(at_mark());
  T(recv(s[1], bytes, 64, MSG_OOB));
  T(send(s[0], "abcU", 4, MSG_OOB));
  T(polled()); T(at_mark()); T(inq());
  T(recv(s[1], bytes, 64, MSG_OOB | MSG_PEEK));
  T(send(s[0], "def", 3, 0));
  T(recv(s[1], bytes, 64, MSG_PEEK));
  T(recv(s[1], bytes, 64, 0));
  T(polled()); T(at_mark()); T(inq());
  T(recvmsg(s[1], &m, MSG_OOB) < 0 ? -1 : bytes[0]); T(m.msg_flags);
  T(recv(s[1], bytes, 64, MSG_OOB));
  T(at_mark());
  T(recv(s[1], bytes, 64, MSG_PEEK)); T(bytes[0]);
  T(recv(s[1], bytes, 64, 0)); T(bytes[0]);
  T(at_mark()); T(polled());
  /* Only the last of two is urgent; and one that nobody read. */
  T(send(s[0], "1X", 2, MSG_OOB));
  T(send(s[0], "2Y3", 2, MSG_OOB));
  T(recv(s[1], bytes, 64, 0)); T(bytes[1]);
  T(recv(s[1], bytes, 64, MSG_OOB) < 0 ? -1 : bytes[0]);
  T(send(s[0], "z", 1, 0));
  T(recv(s[1], bytes, 64, 0)); T(bytes[0]);
  T(send(s[0], "!", 1, MSG_OOB));
  T(send(s[0], "q", 1, 0));
  T(recv(s[1], bytes, 64, 0)); T(bytes[0]);
  T(recv(s[1], bytes, 64, MSG_OOB));
  T(send(s[0], "!", 1, MSG_OOB));
  T(send(s[0], "?", 1, MSG_OOB));
  T(recv(s[1], bytes, 0, MSG_OOB));
  T(recv(s[1], bytes, 64, 0));
  T(recv(s[1], bytes, 64, 0));
  T(send(s[0], "abc", 3, 0));
  T(send(s[0], "d", 1, MSG_OOB));
  T(send(s[0], "efg", 3, 0));
  T(recv(s[1], bytes, 6, MSG_WAITALL));
  T(recv(s[1], bytes, 64, 0));
  /* With a signal of its own. */
  async(s[1], RT);
  T(send(s[0], "U", 1, MSG_OOB));
  T(close(s[0]));
  T(recv(s[1], bytes, 64, MSG_OOB));
  T(recv(s[1], bytes, 64, MSG_OOB));
  close(s[1]);
}

static void udp(void) {
  struct sockaddr_in to = {AF_INET};
  socklen_t length = sizeof to;
  int a = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(a, (void *)&to, sizeof to);
  getsockname(a, (void *)&to, &length);
  connect(b, (void *)&to, sizeof to);
  async(a, RT);
  async(b, 0);
  T(send(b, "x", 1, 0));
  T(send(b, "x", 1, MSG_OOB));
  T(recv(a, &to, 1, MSG_OOB));
  close(a);
  T(send(b, "x", 1, 0));
  close(b);
}

static void directories(void) {
  int dir, fd = open("old", O_CREAT | O_RDWR, 0600);
  mkdir("d", 0700);
  dir = open("d", O_RDONLY);
  T(fcntl(fd, F_NOTIFY, DN_MODIFY));
  T(fcntl(fd, F_NOTIFY, 0));
  T(fcntl(dir, F_NOTIFY, DN_CREATE) || fcntl(dir, F_GETOWN) != getpid());
  T(open("d/a", O_CREAT | O_RDWR, 0600));
  T(open("d/b", O_CREAT | O_RDWR, 0600));
  fcntl(dir, F_SETSIG, RT);
  T(fcntl(dir, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT));
  T(mkdir("d/sub", 0700));
  T(rename("d/a", "d/c"));
  T(fcntl(dir, F_NOTIFY, 0));
  T(fcntl(dir, F_NOTIFY, DN_RENAME | DN_MULTISHOT));
  T(rename("d/c", "d/a"));
  T(rename("d/a", "moved"));
  T(rename("moved", "d/a"));
  T(fcntl(dir, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT));
  T(rename("d/a", "moved"));
  T(rename("moved", "d/e"));
  T(link("d/e", "d/f"));
  T(unlink("d/f"));
  T(chmod("d/e", 0644));
  T(fcntl(dir, F_NOTIFY, DN_ATTRIB | DN_MODIFY | DN_ACCESS | DN_MULTISHOT));
  T(chmod("d/e", 0600));
  T(chmod("d", 0755));
  fd = open("d/e", O_RDWR);
  T(write(fd, "x", 1));
  T(pread(fd, seen + 4000, 1, 0));
  T(ftruncate(fd, 0));
  T(fcntl(dir, F_NOTIFY, 0));
  T(unlink("d/b"));
  fcntl(dir, F_NOTIFY, DN_DELETE | DN_MULTISHOT);
  T(close(dup(dir)));
  T(unlink("d/e"));
  int in = inotify_init1(IN_NONBLOCK);
  inotify_add_watch(in, "d", IN_CREATE);
  async(in, RT);
  T(open("d/g", O_CREAT | O_RDWR, 0600));
}

static void terminals(void) {
  char name[64];
  int m = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  grantpt(m); unlockpt(m); ptsname_r(m, name, 64);
  int t = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
  struct termios tio;
  tcgetattr(t, &tio); tio.c_lflag &= ~ECHO; tcsetattr(t, TCSANOW, &tio);
  T(fcntl(t, F_SETFL, O_NONBLOCK | O_ASYNC) || fcntl(t, F_GETOWN) != getpid());
  T(write(m, "abc", 3));
  T(write(m, "d\n", 2));
  fcntl(t, F_SETSIG, RT);
  tio.c_lflag &= ~ICANON; tcsetattr(t, TCSANOW, &tio);
  T(write(m, "e", 1));
}

int main(void) {
  struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGIO, &act, 0); sigaction(SIGURG, &act, 0); sigaction(RT, &act, 0);
  setvbuf(stdout, 0, _IONBF, 0);
  pipes(); owners();
  unix_sockets(SOCK_STREAM); unix_sockets(SOCK_DGRAM);
  tcp(); urgent(0); urgent(1); udp(); directories(); terminals();
  return 0;
}
