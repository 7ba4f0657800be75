/* Extended attributes by path, link and descriptor. Prints what each call answers. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static void say(const char *what, ssize_t n) { printf("%s: %zd %s\n", what, n, n < 0 ? strerrorname_np(errno) : ""); }
static int byName(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
static void list(const char *path) {
  char buf[4096], *names[64];
  int count = 0;
  ssize_t n = listxattr(path, buf, sizeof buf);
  for (char *p = buf; p < buf + n; p += strlen(p) + 1)
    if (!strncmp(p, "user.", 5)) names[count++] = p;
  qsort(names, count, sizeof *names, byName);
  printf("list %s:", path);
  for (int i = 0; i < count; i++) printf(" %s", names[i]);
  printf("\n");
}

int main(void) {
  char buf[64] = "", longName[300] = "user.";
  static char big[70000];
  int fd = open("f", O_CREAT | O_RDWR, 0644);
  mkdir("d", 0755);
  symlink("f", "l");
  mkfifo("p", 0644);
  if (setxattr("f", "user.one", "1", 1, 0) < 0 && errno == EOPNOTSUPP) {
    printf("this file system keeps no attributes\n");
    return 0;
  }
  say("create an old one", setxattr("f", "user.one", "2", 1, XATTR_CREATE));
  say("replace it", setxattr("f", "user.one", "three", 5, XATTR_REPLACE));
  say("replace none", setxattr("f", "user.two", "2", 1, XATTR_REPLACE));
  say("create", fsetxattr(fd, "user.two", "two", 3, XATTR_CREATE));
  say("empty value", setxattr("f", "user.empty", "", 0, 0));
  say("through the link", setxattr("l", "user.link", "x", 1, 0));
  say("the link itself", lsetxattr("l", "user.link", "x", 1, 0));
  say("get of the link itself", lgetxattr("l", "user.link", buf, sizeof buf));
  say("a fifo", setxattr("p", "user.a", "x", 1, 0));
  say("get of a fifo", getxattr("p", "user.a", buf, sizeof buf));
  say("a directory", setxattr("d", "user.dir", "x", 1, 0));
  say("size", getxattr("f", "user.one", NULL, 0));
  say("too small", getxattr("f", "user.one", buf, 2));
  say("get", fgetxattr(fd, "user.one", buf, sizeof buf));
  printf("%s\n", buf);
  say("empty", getxattr("f", "user.empty", buf, sizeof buf));
  say("none", getxattr("f", "user.none", buf, sizeof buf));
  say("unknown kind", setxattr("f", "other.a", "x", 1, 0));
  say("get of unknown kind", getxattr("f", "other.a", buf, sizeof buf));
  say("flags", setxattr("f", "user.a", "x", 1, 4));
  say("no name", setxattr("f", "", "x", 1, 0));
  memset(longName + 5, 'n', 251);
  say("name of 256", setxattr("f", longName, "x", 1, 0));
  say("value of 65537", setxattr("f", "user.big", big, 65537, 0));
  say("no file", setxattr("none", "user.a", "x", 1, 0));
  say("bad name", setxattr("f", (char *)8, "x", 1, 0));
  say("bad value", setxattr("f", "user.a", (char *)8, 1, 0));
  int path = open("f", O_PATH);
  say("O_PATH", fgetxattr(path, "user.one", buf, sizeof buf));
  say("list too small", listxattr("f", buf, 3));
  list("f"), list("d"), list("l");
  rename("f", "g");
  list("g");
  say("remove", removexattr("g", "user.one"));
  say("remove again", removexattr("g", "user.one"));
  say("remove by descriptor", fremovexattr(fd, "user.two"));
  list("g");
  say("get of a pipe", (pipe((int *)buf), fgetxattr(*(int *)buf, "user.a", big, 10)));
  chmod("g", 0400), chown("d", 5, 5), chmod("d", 01777);
  if (setgid(1000) || setuid(1000)) return 1;
  say("trusted without the right", getxattr("g", "trusted.a", buf, sizeof buf));
  say("set of trusted", setxattr("g", "trusted.a", "x", 1, 0));
  say("not readable", getxattr("g", "user.link", buf, sizeof buf));
  say("not writable", setxattr("g", "user.link", "y", 1, 0));
  say("sticky directory", setxattr("d", "user.dir", "y", 1, 0));
  say("get there", getxattr("d", "user.dir", buf, sizeof buf));
  return 0;
}
