/* What the calls on sockets answer over loopback. Ports and numbers that change are never printed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define R(call) do { errno = 0; long r_ = (call); printf("%d %s = %ld%s%s\n", __LINE__, #call, r_, r_ < 0 ? " " : "", r_ < 0 ? strerror(errno) : ""); } while (0)
static char buf[1 << 17];

static struct sockaddr_in in4(const char *host, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, host, &a.sin_addr);
  return a;
}
static struct sockaddr_in6 in6(const char *host, int port) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  inet_pton(AF_INET6, host, &a.sin6_addr);
  return a;
}
static int port_of(int fd) {
  struct sockaddr_storage a;
  socklen_t n = sizeof a;
  getsockname(fd, (void *)&a, &n);
  return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port : ((struct sockaddr_in6 *)&a)->sin6_port);
}
static void show_name(const char *what, int (*get)(int, struct sockaddr *, socklen_t *), int fd) {
  struct sockaddr_storage a = {0};
  socklen_t n = sizeof a;
  char text[64] = "";
  int r = get(fd, (void *)&a, &n);
  if (r == 0) inet_ntop(a.ss_family, a.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&a)->sin_addr : (void *)&((struct sockaddr_in6 *)&a)->sin6_addr, text, sizeof text);
  printf("%s: %d family %d length %d %s\n", what, r < 0 ? -errno : 0, a.ss_family, (int)n, text);
}
static int events(int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
  poll(&p, 1, 0);
  return p.revents;
}
static int option(int fd, int level, int name) {
  int v = -1;
  socklen_t n = sizeof v;
  return getsockopt(fd, level, name, &v, &n) < 0 ? -errno : v;
}
static void set(int fd, int level, int name, int v) { R(setsockopt(fd, level, name, &v, sizeof v)); }
#define A(a) (struct sockaddr *)&(a), sizeof(a)

static void tcp(void) {
  int l = socket(AF_INET, SOCK_STREAM, 0), c, s;
  R(events(l));
  R(listen(l, 5) + 0);
  show_name("autobound", getsockname, l);
  close(l);
  l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  struct sockaddr_in a = in4("127.0.0.1", 0), foreign = in4("10.1.2.3", 0);
  R(bind(l, A(foreign)));
  R(bind(l, (void *)&a, 8));
  R(bind(l, A(a)));
  R(bind(l, A(a)));
  int port = port_of(l);
  a.sin_port = htons(port);
  c = socket(AF_INET, SOCK_STREAM, 0);
  R(connect(c, A(a)));
  R(events(c));
  R(getpeername(c, (void *)&a, &(socklen_t){sizeof a}));
  R(accept(l, 0, 0));
  R(listen(l, 3));
  R(events(l));
  R(connect(c, A(a)));
  R(connect(c, A(a)));
  R(events(l));
  struct sockaddr_in from;
  socklen_t n = sizeof from;
  s = accept4(l, (void *)&from, &n, SOCK_NONBLOCK);
  printf("accepted %d, %d, same port %d, flags %x\n", s >= 0, (int)n, ntohs(from.sin_port) == port_of(c), fcntl(s, F_GETFL));
  show_name("peer", getpeername, s);
  show_name("own", getsockname, c);
  R(recv(s, buf, 10, 0));
  R(events(s));
  R(send(c, "hello world", 11, 0));
  R(recv(s, buf, 5, MSG_PEEK));
  R(recv(s, buf, 5, 0));
  int pending;
  R(ioctl(s, FIONREAD, &pending));
  R(pending);
  R(recv(s, buf, 100, MSG_TRUNC));
  R(recv(s, buf, 10, MSG_OOB));
  R(send(s, "abc", 3, MSG_DONTWAIT));
  R(write(s, "def", 3));
  R(recv(c, buf, 6, MSG_WAITALL));
  printf("%.6s\n", buf);
  R(shutdown(c, SHUT_WR));
  R(events(c));
  R(events(s));
  R(recv(s, buf, 9, 0));
  R(send(c, "x", 1, MSG_NOSIGNAL));
  R(send(s, "still", 5, 0));
  R(read(c, buf, 100));
  R(shutdown(c, SHUT_RD));
  R(recv(c, buf, 9, 0));
  R(shutdown(c, 7));
  R(option(c, SOL_SOCKET, SO_TYPE));
  R(option(c, SOL_SOCKET, SO_DOMAIN));
  R(option(c, SOL_SOCKET, SO_PROTOCOL));
  R(option(c, SOL_SOCKET, SO_ERROR));
  R(option(l, SOL_SOCKET, SO_ACCEPTCONN));
  R(option(c, IPPROTO_TCP, TCP_NODELAY));
  set(c, IPPROTO_TCP, TCP_NODELAY, 1);
  R(option(c, IPPROTO_TCP, TCP_NODELAY));
  set(c, SOL_SOCKET, SO_KEEPALIVE, 5);
  R(option(c, SOL_SOCKET, SO_KEEPALIVE));
  set(c, SOL_SOCKET, SO_REUSEADDR, 1);
  set(c, SOL_SOCKET, 9999, 1);
  set(c, 77, 1, 1);
  set(c, IPPROTO_IP, IP_TTL, 33);
  R(option(c, IPPROTO_IP, IP_TTL));
  R(option(c, IPPROTO_IP, 999));
  close(c);
  R(events(s));
  R(send(s, "y", 1, MSG_NOSIGNAL));
  R(send(s, "y", 1, MSG_NOSIGNAL));
  close(s);
  /* refused, unread data, reset */
  c = socket(AF_INET, SOCK_STREAM, 0);
  close(l);
  a = in4("127.0.0.1", port);
  R(connect(c, A(a)));
  close(c);
  c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  R(connect(c, A(a)));
  R(events(c));
  R(option(c, SOL_SOCKET, SO_ERROR));
  R(option(c, SOL_SOCKET, SO_ERROR));
  close(c);
  l = socket(AF_INET, SOCK_STREAM, 0);
  set(l, SOL_SOCKET, SO_REUSEADDR, 1);
  R(bind(l, A(a)));
  R(listen(l, 1));
  int l2 = socket(AF_INET, SOCK_STREAM, 0);
  R(bind(l2, A(a)));
  set(l2, SOL_SOCKET, SO_REUSEADDR, 1);
  R(bind(l2, A(a)));
  close(l2);
  c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  R(connect(c, A(a)));
  R(events(c));
  R(connect(c, A(a)));
  R(connect(c, A(a)));
  s = accept(l, 0, 0);
  R(send(c, "unread", 6, 0));
  close(s);
  R(events(c));
  R(recv(c, buf, 9, 0));
  R(recv(c, buf, 9, 0));
  R(send(c, "x", 1, MSG_NOSIGNAL));
  close(c);
  /* a big transfer between processes */
  c = socket(AF_INET, SOCK_STREAM, 0);
  R(connect(c, A(a)));
  s = accept(l, 0, 0);
  if (fork() == 0) {
    long sum = 0;
    for (int i = 0; i < (int)sizeof buf; i++) buf[i] = i * 7;
    for (int i = 0; i < 64; i++) sum += send(c, buf, sizeof buf, 0);
    _exit(sum == 64 * (long)sizeof buf);
  }
  close(c);
  long total = 0;
  unsigned long hash = 0;
  for (long k; (k = read(s, buf, 50000)) > 0; total += k)
    for (long i = 0; i < k; i += 97) hash = (hash * 31 + (unsigned char)buf[i]) & 0xffff;
  int status;
  wait(&status);
  printf("big %ld, status %x\n", total, status);
  close(s);
  /* timeouts and signals */
  c = socket(AF_INET, SOCK_STREAM, 0);
  R(connect(c, A(a)));
  struct timeval tv = {0, 30000}, back;
  R(setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  n = sizeof back;
  R(getsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &back, &n));
  printf("timeout %d, %d bytes\n", (int)(back.tv_usec / 10000), n == sizeof back);
  R(recv(c, buf, 1, 0));
  close(c);
  close(l);
  struct sockaddr_in away = in4("192.0.2.1", 80);
  c = socket(AF_INET, SOCK_DGRAM, 0);
  (void)away;
  close(c);
  R(socket(AF_INET, SOCK_STREAM, 17));
  R(socket(AF_INET, 9, 0));
  R(socket(AF_INET, SOCK_SEQPACKET, 0));
  R(socket(99, SOCK_STREAM, 0));
  R(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0}));
  R(send(open("/dev/null", O_RDWR), "x", 1, 0));
  R(recv(99, buf, 1, 0));
}

static void udp(void) {
  int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
  R(events(a));
  struct sockaddr_in at = in4("127.0.0.1", 0), to, from;
  R(bind(a, A(at)));
  to = in4("127.0.0.1", port_of(a));
  R(bind(b, A(to)));
  R(send(b, "x", 1, 0));
  R(sendto(b, "hello", 5, 0, A(to)));
  R(sendto(b, "", 0, 0, A(to)));
  R(sendto(b, "three", 5, 0, A(to)));
  show_name("b", getsockname, b);
  R(events(a));
  socklen_t n = sizeof from;
  R(recvfrom(a, buf, 3, MSG_TRUNC, (void *)&from, &n));
  printf("from b %d, %d\n", ntohs(from.sin_port) == port_of(b), (int)n);
  R(recv(a, buf, 10, 0));
  struct iovec iov = {buf, 2};
  char control[100];
  struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  R(recvmsg(a, &m, 0));
  printf("flags %x, name %d, control %d\n", m.msg_flags, (int)m.msg_namelen, (int)m.msg_controllen);
  R(recv(a, buf, 10, MSG_DONTWAIT));
  R(sendto(b, buf, 70000, 0, A(to)));
  R(connect(b, A(to)));
  show_name("connected", getpeername, b);
  R(send(b, "again", 5, 0));
  R(sendto(b, "to", 2, 0, A(to)));
  struct mmsghdr mm[4] = {0};
  struct iovec iovs[4];
  for (int i = 0; i < 4; i++) iovs[i] = (struct iovec){buf + 100 * i, 100}, mm[i].msg_hdr.msg_iov = &iovs[i], mm[i].msg_hdr.msg_iovlen = 1;
  R(recvmmsg(a, mm, 4, MSG_DONTWAIT, 0));
  R(mm[0].msg_len + mm[1].msg_len);
  iovs[0].iov_len = iovs[1].iov_len = 7;
  R(sendmmsg(b, mm, 2, 0));
  R(recv(a, buf, 100, 0));
  close(a);
  R(send(b, "lost", 4, 0));
  R(events(b));
  R(recv(b, buf, 1, MSG_DONTWAIT));
  R(recv(b, buf, 1, MSG_DONTWAIT));
  R(shutdown(b, SHUT_RDWR));
  R(events(b));
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  R(connect(b, &none, sizeof none));
  R(getpeername(b, &none, &(socklen_t){sizeof none}));
  R(listen(b, 1));
  R(accept(b, 0, 0));
  close(b);
}

/* What getaddrinfo() does to find out which address it would send from. */
static void sources(void) {
  int s = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  struct sockaddr_in6 any = in6("::", 9), mapped = in6("::ffff:127.0.0.1", 9);
  struct sockaddr_in four = in4("0.0.0.0", 9), own = in4("127.0.0.1", 0);
  R(connect(s, A(any)));
  show_name("from", getsockname, s);
  R(connect(s, &none, sizeof none));
  show_name("after", getsockname, s);
  R(connect(s, A(four)));
  show_name("from", getsockname, s);
  R(connect(s, &none, sizeof none));
  R(connect(s, A(mapped)));
  show_name("from", getsockname, s);
  close(s);
  s = socket(AF_INET, SOCK_DGRAM, 0);
  R(bind(s, A(own)));
  R(connect(s, A(four)));
  R(connect(s, &none, sizeof none));
  show_name("bound", getsockname, s);
  close(s);
}

static void ipv6(void) {
  int l = socket(AF_INET6, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), c6 = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 any = in6("::", 0), one;
  R(option(l, IPPROTO_IPV6, IPV6_V6ONLY) >= 0);
  set(l, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  R(bind(l, A(any)));
  R(listen(l, 3));
  struct sockaddr_in four = in4("127.0.0.1", port_of(l));
  one = in6("::1", port_of(l));
  R(connect(c, A(four)));
  R(connect(c6, A(one)));
  int s = accept(l, 0, 0), s6 = accept(l, 0, 0);
  show_name("mapped peer", getpeername, s);
  show_name("mapped own", getsockname, s);
  show_name("six peer", getpeername, s6);
  R(write(c, "a", 1) + write(c6, "b", 1));
  R(read(s, buf, 5));
  R(read(s6, buf, 5));
  int only = socket(AF_INET, SOCK_STREAM, 0);
  R(bind(only, A(four)));
  close(l), close(c), close(c6), close(s), close(s6), close(only);
}

static void local(void) {
  int v[2], fds[2];
  R(socketpair(AF_UNIX, SOCK_STREAM, 0, v));
  R(events(v[0]));
  R(pipe(fds));
  char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
  struct iovec iov = {"data", 4};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int))};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(h), &fds[1], sizeof(int));
  R(sendmsg(v[0], &m, 0));
  set(v[1], SOL_SOCKET, SO_PASSCRED, 1);
  iov = (struct iovec){buf, 100};
  memset(control, 0, sizeof control);
  m.msg_controllen = sizeof control;
  R(recvmsg(v[1], &m, MSG_CMSG_CLOEXEC));
  printf("flags %x\n", m.msg_flags);
  for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
    printf("cmsg %d %d\n", h->cmsg_type, (int)(h->cmsg_len - CMSG_LEN(0)));
    int fd;
    memcpy(&fd, CMSG_DATA(h), sizeof fd);
    if (h->cmsg_type == SCM_RIGHTS) R(write(fd, "through", 7) + fcntl(fd, F_GETFD) * 100);
  }
  R(read(fds[0], buf, 100));
  struct ucred cred;
  socklen_t n = sizeof cred;
  R(getsockopt(v[0], SOL_SOCKET, SO_PEERCRED, &cred, &n));
  printf("peer is me %d\n", cred.pid == getpid());
  R(write(v[0], "unread", 6));
  close(v[1]);
  R(events(v[0]));
  R(read(v[0], buf, 9));
  R(read(v[0], buf, 9));
  R(send(v[0], "x", 1, MSG_NOSIGNAL));
  close(v[0]);
  struct sockaddr_un u = {.sun_family = AF_UNIX, .sun_path = "sock"};
  int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
  R(connect(c, A(u)));
  R(bind(l, (void *)&u, offsetof(struct sockaddr_un, sun_path) + 5));
  R(bind(l, A(u)));
  R(connect(c, A(u)));
  R(listen(l, 0));
  R(connect(c, A(u)));
  R(events(c));
  struct sockaddr_un who = {0};
  n = sizeof who;
  int s = accept(l, (void *)&who, &n);
  printf("unnamed peer: %d\n", (int)n);
  n = sizeof who;
  R(getpeername(c, (void *)&who, &n));
  printf("%d %s\n", (int)n, who.sun_path);
  R(shutdown(c, SHUT_WR));
  R(read(s, buf, 4));
  R(events(s));
  int again = socket(AF_UNIX, SOCK_STREAM, 0);
  R(bind(again, A(u)));
  R(unlink("sock"));
  R(connect(again, A(u)));
  int d = socket(AF_UNIX, SOCK_DGRAM, 0), e = socket(AF_UNIX, SOCK_DGRAM, 0);
  struct sockaddr_un hidden = {.sun_family = AF_UNIX, .sun_path = "\0test-hidden-name"};
  R(bind(d, (void *)&hidden, offsetof(struct sockaddr_un, sun_path) + 17));
  R(sendto(e, "dgram", 5, 0, (void *)&hidden, offsetof(struct sockaddr_un, sun_path) + 17));
  n = sizeof who;
  R(recvfrom(d, buf, 3, 0, (void *)&who, &n));
  printf("no name: %d\n", (int)n);
  R(connect(e, (void *)&hidden, offsetof(struct sockaddr_un, sun_path) + 17));
  close(d);
  R(send(e, "x", 1, 0));
  R(recv(e, buf, 1, MSG_DONTWAIT));
  close(e), close(l), close(c), close(s), close(again);
}

static void interfaces(void) {
  struct ifaddrs *list;
  int lo4 = 0, lo6 = 0;
  R(getifaddrs(&list));
  for (struct ifaddrs *i = list; i; i = i->ifa_next)
    if (!strcmp(i->ifa_name, "lo") && i->ifa_addr)
      lo4 |= i->ifa_addr->sa_family == AF_INET, lo6 |= i->ifa_addr->sa_family == AF_PACKET;
  printf("lo has %d, up %d\n", lo4, (list->ifa_flags & IFF_UP) != 0);
  R(if_nametoindex("lo"));
  R(if_nametoindex("nothere"));
  char name[IF_NAMESIZE];
  printf("%s\n", if_indextoname(1, name));
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq r = {.ifr_name = "lo"};
  R(ioctl(s, SIOCGIFFLAGS, &r));
  printf("%x\n", r.ifr_flags);
  R(ioctl(s, SIOCGIFMTU, &r));
  R(r.ifr_mtu);
  R(ioctl(s, SIOCGIFADDR, &r));
  printf("%s\n", inet_ntoa(((struct sockaddr_in *)&r.ifr_addr)->sin_addr));
  strcpy(r.ifr_name, "nope");
  R(ioctl(s, SIOCGIFFLAGS, &r));
  struct ifaddrs *all = list;
  freeifaddrs(all);
  close(s);
}

int main(void) {
  static char out[1 << 16];
  setvbuf(stdout, out, _IOLBF, sizeof out);
  tcp();
  udp();
  sources(), ipv6();
  local();
  interfaces();
  int ep = epoll_create1(0), l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = in4("127.0.0.1", 0);
  bind(l, A(a)), listen(l, 1);
  a.sin_port = htons(port_of(l));
  struct epoll_event e = {EPOLLIN | EPOLLET, {.fd = l}};
  R(epoll_ctl(ep, EPOLL_CTL_ADD, l, &e));
  R(epoll_wait(ep, &e, 1, 0));
  R(connect(c, A(a)));
  R(epoll_wait(ep, &e, 1, 100));
  R(epoll_wait(ep, &e, 1, 0));
  return 0;
}
