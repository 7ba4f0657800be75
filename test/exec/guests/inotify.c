/* What inotify tells. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define R(call) do { errno = 0; long r_ = (call); printf("%d %s = %ld%s%s\n", __LINE__, #call, r_, r_ < 0 ? " " : "", r_ < 0 ? strerror(errno) : ""); } while (0)
static int fd;
static unsigned cookie;
static void drain(const char *what) {
  char buf[8192];
  ssize_t n = read(fd, buf, sizeof buf);
  printf("-- %s\n", what);
  for (ssize_t at = 0; at < n;) {
    struct inotify_event *e = (void *)(buf + at);
    printf("  wd %d mask %x length %d %s%s\n", e->wd, e->mask, e->len, e->len ? e->name : "", e->cookie ? (e->cookie == cookie ? " same" : " new") : "");
    if (e->cookie) cookie = e->cookie;
    at += sizeof *e + e->len;
  }
}
#define STEP(call) do { call; drain(#call); } while (0)

int main(void) {
  static char out[1 << 16];
  setvbuf(stdout, out, _IOFBF, sizeof out);
  char c[100];
  int n;
  fd = inotify_init1(IN_NONBLOCK);
  mkdir("d", 0755), mkdir("e", 0755);
  R(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
  R(inotify_add_watch(fd, "none", IN_ALL_EVENTS));
  R(inotify_add_watch(fd, "d", 0));
  int f = open("d/f", O_CREAT | O_RDWR, 0600);
  drain("create");
  R(inotify_add_watch(fd, "d/f", IN_ALL_EVENTS));
  R(inotify_add_watch(fd, "d/f", IN_ONLYDIR | IN_OPEN));
  STEP(write(f, "hello", 5));
  STEP(pread(f, c, 5, 0));
  STEP(pread(f, c, 5, 100));
  STEP(ftruncate(f, 2));
  STEP(fchmod(f, 0644));
  STEP(futimes(f, 0));
  STEP(close(f));
  STEP(truncate("d/f", 1));
  STEP(close(open("d/f", O_RDONLY)));
  STEP(close(open("d/f", O_WRONLY | O_TRUNC)));
  STEP(close(open("d/f", O_PATH)));
  STEP(link("d/f", "d/g"));
  STEP(symlink("f", "d/s"));
  STEP(mkdir("d/sub", 0700));
  STEP(mkfifo("d/fifo", 0600));
  STEP(rename("d/g", "d/h"));
  STEP(rename("d/f", "e/f"));
  STEP(rename("e/f", "d/f"));
  STEP(rename("d/h", "d/other"));
  STEP(rmdir("d/sub"));
  STEP(unlink("d/other"));
  f = open("d/f", O_RDONLY);
  drain("open");
  STEP(unlink("d/f"));
  STEP(close(f));
  DIR *dir = opendir("d");
  drain("opendir");
  readdir(dir);
  drain("readdir");
  STEP(closedir(dir));
  R(inotify_add_watch(fd, "d/s", IN_DONT_FOLLOW | IN_ATTRIB));
  R(inotify_add_watch(fd, "d", IN_CREATE | IN_ONESHOT));
  STEP(close(creat("d/x", 0600)));
  STEP(close(creat("d/y", 0600)));
  R(inotify_rm_watch(fd, 77));
  int wd = inotify_add_watch(fd, "e", IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF);
  R(inotify_add_watch(fd, "e", IN_CREATE | IN_MASK_ADD) == wd);
  STEP(close(creat("e/new", 0600)));
  STEP(rename("d/x", "e/new"));
  STEP(rename("e", "e2"));
  R(read(fd, c, 10));
  close(creat("e2/a", 0600));
  R(read(fd, c, 10));
  R(ioctl(fd, FIONREAD, &n));
  R(n);
  struct pollfd p = {fd, POLLIN};
  R(poll(&p, 1, 0));
  drain("rest");
  R(poll(&p, 1, 0));
  unlink("e2/a"), unlink("e2/new");
  STEP(rmdir("e2"));
  wd = inotify_add_watch(fd, ".", IN_ALL_EVENTS);
  STEP(inotify_rm_watch(fd, wd));
  R(inotify_add_watch(0, ".", IN_OPEN));
  R(inotify_init1(1));
  return 0;
}
