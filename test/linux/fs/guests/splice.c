/* What a pipe loses when it is spliced to a socket that takes only a part: nothing. How much is taken at once is the kernel's business. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TOTAL = 3000000 };
static unsigned char bytes[65536];
static unsigned char at(int i) { return i * 31 + i / 251; }
static int checked, ordered = 1;
static void check(int n) { for (int i = 0; i < n; i++) ordered &= bytes[i] == at(checked++); }

static void run(const char *name, int type, int nonblock) {
  int p[2], s[2], sent = 0, refused = 0, n;
  checked = 0;
  pipe2(p, O_NONBLOCK);
  socketpair(AF_UNIX, type | nonblock, 0, s);
  pid_t child = 0;
  if (!nonblock && (child = fork()) == 0) {
    close(s[0]);
    while ((n = read(s[1], bytes, 5000)) > 0) check(n);
    _exit(checked == TOTAL && ordered);
  }
  while (checked < TOTAL) {
    for (; sent < TOTAL; sent += n) {
      int count = TOTAL - sent < 50000 ? TOTAL - sent : 50000;
      for (int i = 0; i < count; i++) bytes[i] = at(sent + i);
      if ((n = write(p[1], bytes, count)) <= 0) break;
    }
    while ((n = splice(p[0], 0, s[0], 0, 65536, 0)) > 0);
    if (!nonblock) {
      if (sent == TOTAL && n < 0) break;
      continue;
    }
    ioctl(p[0], FIONREAD, &n);
    /* The socket is full; or all is on its way. */
    if (n == 0 && sent < TOTAL) continue;
    refused |= n > 0;
    while ((n = read(s[1], bytes, 30000)) > 0) check(n);
  }
  if (nonblock) printf("%s: %d in order %d refused %d\n", name, checked, ordered, refused);
  else {
    close(s[0]);
    waitpid(child, &n, 0);
    printf("%s: %d\n", name, WEXITSTATUS(n));
  }
}

int main(void) {
  run("non-blocking", SOCK_STREAM, SOCK_NONBLOCK);
  run("blocking", SOCK_STREAM, 0);
  return 0;
}
