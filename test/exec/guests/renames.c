/* renameat2 with every flag, and descriptors that only name a place. Prints what each call answers. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void say(const char *what, long n) { printf("%s: %ld %s\n", what, n, n < 0 ? strerrorname_np(errno) : ""); }
static void put(const char *path, const char *text) {
  int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  write(fd, text, strlen(text));
  close(fd);
}
static void show(const char *path) {
  char buf[64];
  struct stat st;
  int fd = open(path, O_RDONLY);
  if (fd < 0) {
    printf("%s: %s\n", path, strerrorname_np(errno));
    return;
  }
  fstat(fd, &st);
  ssize_t n = S_ISDIR(st.st_mode) ? 0 : read(fd, buf, sizeof buf);
  printf("%s: %s %.*s\n", path, S_ISDIR(st.st_mode) ? "directory" : "file", (int)n, buf);
  close(fd);
}
static long swap(const char *a, const char *b, int flags) {
  return syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, flags);
}
enum { NOREPLACE = 1, EXCHANGE = 2 };

int main(void) {
  struct stat one, two;
  mkdir("d", 0755), mkdir("d/in", 0755), mkdir("e", 0755), mkdir("e/full", 0755);
  put("a", "A"), put("b", "B"), put("d/f", "F"), put("e/full/x", "X"), symlink("nowhere", "l");
  say("keep the old", swap("a", "b", NOREPLACE));
  say("to a new name", swap("a", "c", NOREPLACE));
  show("a"), show("c");
  stat("c", &one);
  say("exchange", swap("c", "b", EXCHANGE));
  show("b"), show("c");
  stat("b", &two);
  printf("same inode %d\n", one.st_ino == two.st_ino);
  say("exchange with nothing", swap("c", "none", EXCHANGE));
  say("exchange nothing", swap("none", "c", EXCHANGE));
  say("file and directory", swap("c", "d", EXCHANGE));
  show("c"), show("d"), show("c/f");
  say("back", swap("c", "d", EXCHANGE));
  say("across directories", swap("d/f", "e/full", EXCHANGE));
  show("d/f"), show("d/f/x"), show("e/full");
  stat("d", &one), stat("e", &two);
  printf("links %d %d\n", (int)one.st_nlink, (int)two.st_nlink);
  say("link itself", swap("l", "b", EXCHANGE));
  show("b"), show("l");
  say("with its parent", swap("d", "d/in", EXCHANGE));
  say("parent with it", swap("d/in", "d", EXCHANGE));
  say("both flags", swap("b", "c", NOREPLACE | EXCHANGE));
  say("unknown flag", swap("b", "c", 16));
  say("with itself", swap("c", "c", EXCHANGE));
  say("slash", swap("c", "e/full/", EXCHANGE));
  say("dot", swap("d/.", "e", EXCHANGE));
  char cwd[4096], where[4096];
  getcwd(where, sizeof where), chdir("d/in");
  swap("../../e", "../../d", EXCHANGE);
  getcwd(cwd, sizeof cwd);
  printf("%s\n", cwd + strlen(where));
  chdir("../..");

  int path = open("c", O_PATH), fd = open("c", O_RDWR);
  char buf[8];
  say("read", read(path, buf, 1));
  say("fchmod", fchmod(path, 0600));
  say("fsync", fsync(path));
  say("lseek", lseek(path, 0, SEEK_SET));
  say("getdents", syscall(SYS_getdents64, path, buf, sizeof buf));
  say("fstat", fstat(path, &one));
  int copy = dup(path);
  printf("dup %d\n", copy > 0);
  say("flags", fcntl(path, F_GETFL) & O_PATH);
  off_t offset = -1;
  say("sendfile before the start", sendfile(1, fd, &offset, 1));
  say("mknod of another kind", mknod("n", 0050000 | 0600, 0));
  mknod("null", S_IFCHR | 0666, makedev(1, 3));
  int null = open("null", O_RDWR);
  say("read of a null made here", read(null, buf, sizeof buf));
  say("write to it", write(null, "x", 1));
  say("dnotify of nothing", fcntl(fd, F_NOTIFY, DN_MULTISHOT));
  say("dnotify of a file", fcntl(fd, F_NOTIFY, DN_CREATE));
  setuid(1000);
  say("device without the right", mknod("n", S_IFCHR | 0600, makedev(1, 3)));
  return 0;
}
