/* sendfile(2) to sockets that take less than the file: one that blocks, and one that does not. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (1000000 + 7)

static unsigned char content(long at) { return (unsigned char)(at * 31 + at / 251); }

/* Reads until the end, and says whether it was the file's bytes in order. */
static int drain(int fd) {
  static unsigned char buffer[30000];
  long at = 0;
  for (;;) {
    long n = read(fd, buffer, sizeof buffer);
    if (n <= 0) return at == SIZE ? 0 : 1;
    for (long i = 0; i < n; i++, at++)
      if (buffer[i] != content(at)) return 2;
  }
}

static void run(const char *name, int file, int flags, int offset) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) exit(1);
  pid_t child = fork();
  if (child == 0) {
    close(ends[1]);
    _exit(drain(ends[0]));
  }
  close(ends[0]);
  fcntl(ends[1], F_SETFL, flags);
  lseek(file, 0, SEEK_SET);
  off_t at = 0;
  long whole = 0, calls = 0;
  while (whole < SIZE) {
    long n = sendfile(ends[1], file, offset ? &at : NULL, SIZE - whole);
    if (n < 0 && errno == EAGAIN) {
      usleep(100);
      continue;
    }
    if (n <= 0) break;
    whole += n;
    calls++;
    if ((offset ? at : lseek(file, 0, SEEK_CUR)) != whole) printf("%s: the position is wrong\n", name);
  }
  close(ends[1]);
  int status;
  waitpid(child, &status, 0);
  printf("%s: %ld bytes, status %x, position %ld", name, whole, status, (long)lseek(file, 0, SEEK_CUR));
  if (flags == 0) printf(", calls %ld", calls);
  printf("\n");
}

int main(void) {
  FILE *file = tmpfile();
  for (long i = 0; i < SIZE; i++) putc(content(i), file);
  fflush(file);
  run("blocking, position", fileno(file), 0, 0);
  run("blocking, offset", fileno(file), 0, 1);
  run("without waiting, position", fileno(file), O_NONBLOCK, 0);
  run("without waiting, offset", fileno(file), O_NONBLOCK, 1);
  return 0;
}
