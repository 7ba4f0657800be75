/* Record locks of processes and of open files, flock, waits and deadlocks. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#define R(call) do { errno = 0; long r_ = (call); printf("%d %s = %ld%s%s\n", __LINE__, #call, r_, r_ < 0 ? " " : "", r_ < 0 ? strerror(errno) : ""); fflush(stdout); } while (0)
static int lock(int fd, int cmd, int type, off_t start, off_t len) {
  struct flock f = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
  return fcntl(fd, cmd, &f);
}
static pid_t first;
static void show(int fd, int cmd, int type, off_t start, off_t len) {
  struct flock f = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
  int r = fcntl(fd, cmd, &f);
  printf("  %d: type %d from %d length %d, %s\n", r, f.l_type, (int)f.l_start, (int)f.l_len, f.l_pid == first ? "first" : f.l_pid == -1 ? "a file" : f.l_pid == 0 ? "nobody" : "another");
  fflush(stdout);
}
static void in_child(void (*run)(void)) {
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) run(), fflush(stdout), _exit(0);
  waitpid(p, 0, 0);
}
static int fd, fd2;
static void probe(void) {
  for (int i = 0; i < 100; i += 10) show(fd, F_GETLK, F_WRLCK, i, 10);
  R(lock(fd, F_SETLK, F_RDLCK, 0, 10));
  R(lock(fd, F_SETLK, F_WRLCK, 0, 10));
  R(lock(fd, F_SETLK, F_WRLCK, 95, 1));
  R(lock(fd, F_OFD_SETLK, F_WRLCK, 20, 1));
}
static void flocks(void) {
  int again = open("f", O_RDWR);
  R(flock(again, LOCK_EX | LOCK_NB));
  R(flock(again, LOCK_SH | LOCK_NB));
  R(flock(fd, LOCK_EX | LOCK_NB));
}
static void nothing(int sig) { (void)sig; }

int main(void) {
  struct flock odd = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -10, .l_len = 5};
  first = getpid();
  fd = open("f", O_RDWR | O_CREAT, 0600), fd2 = open("f", O_RDONLY);
  (void)!write(fd, "0123456789012345678901234567890123456789", 40);
  R(lock(fd, F_SETLK, F_RDLCK, 0, 30));
  R(lock(fd, F_SETLK, F_WRLCK, 10, 10));
  R(lock(fd, F_SETLK, F_RDLCK, 30, 10));
  R(lock(fd, F_SETLK, F_UNLCK, 35, 2));
  R(fcntl(fd, F_SETLK, &odd));
  R(lock(fd, F_SETLK, F_WRLCK, 50, -5));
  R(lock(fd, F_SETLK, F_WRLCK, 2, -5));
  R(lock(fd, F_SETLK, 7, 0, 1));
  R(lock(fd2, F_SETLK, F_WRLCK, 0, 1));
  R(lock(99, F_SETLK, F_WRLCK, 0, 1));
  show(fd, F_GETLK, F_WRLCK, 0, 0);
  show(fd, F_OFD_GETLK, F_WRLCK, 0, 0);
  in_child(probe);
  close(fd2);
  show(fd, F_OFD_GETLK, F_WRLCK, 0, 0);
  /* Locks of open files. */
  fd2 = open("f", O_RDWR);
  R(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 5));
  R(lock(fd2, F_OFD_SETLK, F_WRLCK, 4, 5));
  R(lock(fd2, F_OFD_SETLK, F_RDLCK, 5, 0));
  show(fd, F_OFD_GETLK, F_WRLCK, 0, 0);
  show(fd, F_GETLK, F_WRLCK, 0, 0);
  int copy = dup(fd);
  close(fd);
  R(lock(fd2, F_OFD_SETLK, F_WRLCK, 0, 5));
  close(copy);
  R(lock(fd2, F_OFD_SETLK, F_WRLCK, 0, 5));
  close(fd2);
  /* flock */
  fd = open("f", O_RDWR);
  R(flock(fd, LOCK_EX));
  in_child(flocks);
  R(flock(fd, LOCK_SH));
  in_child(flocks);
  R(flock(fd, 77));
  R(flock(fd, LOCK_UN));
  R(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  in_child(flocks);
  /* Waiting: until it is free, until a signal, until never. */
  int v[2];
  (void)!pipe(v);
  fflush(stdout);
  pid_t p = fork();
  if (p == 0) {
    (void)!write(v[1], "r", 1);
    R(lock(fd, F_SETLKW, F_WRLCK, 0, 10));
    R(lock(fd, F_SETLK, F_UNLCK, 0, 10));
    _exit(0);
  }
  char c;
  (void)!read(v[0], &c, 1);
  usleep(20000);
  printf("now\n"), fflush(stdout);
  lock(fd, F_SETLK, F_UNLCK, 0, 0);
  waitpid(p, 0, 0);
  R(lock(fd, F_SETLK, F_WRLCK, 0, 10));
  p = fork();
  if (p == 0) {
    struct sigaction a = {.sa_handler = nothing};
    sigaction(SIGALRM, &a, 0);
    alarm(1);
    R(lock(fd, F_SETLKW, F_WRLCK, 5, 10));
    _exit(0);
  }
  waitpid(p, 0, 0);
  fflush(stdout);
  p = fork();
  if (p == 0) {
    lock(fd, F_SETLKW, F_WRLCK, 100, 10);
    (void)!write(v[1], "r", 1);
    lock(fd, F_SETLKW, F_WRLCK, 0, 10);
    printf("got it\n"), fflush(stdout);
    _exit(0);
  }
  (void)!read(v[0], &c, 1);
  usleep(30000);
  R(lock(fd, F_SETLKW, F_WRLCK, 100, 10));
  /* Said once the child is done: its line and ours would race. */
  int unlocked = lock(fd, F_SETLK, F_UNLCK, 0, 10);
  waitpid(p, 0, 0);
  R(unlocked);
  R(lock(fd, F_SETLKW, F_WRLCK, 100, 10));
  return 0;
}
