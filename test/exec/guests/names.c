/* Names that are no UTF-8. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void hex(const char *what, const char *text, int n) {
  printf("%s %d:", what, n);
  for (int i = 0; i < n; i++) printf(" %02x", (unsigned char)text[i]);
  printf("\n");
}
static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

int main(void) {
  static const char *names[] = {"\xff", "caf\xe9", "caf\xc3\xa9", "\xc3", "a\xed\xa0\x80z", "\xf0\x9f\x90\xa7", "\xef\xbf\xbd", "\xed\xb2\x80", "\x80\x81\xfe", "x\xe2\x82", "\xef\xbb\xbf" "bom"};
  char buf[4096], *list[50];
  int n = 0;
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    int fd = open(names[i], O_CREAT | O_EXCL | O_WRONLY, 0600);
    printf("%d %d\n", fd >= 0, (int)write(fd, names[i], strlen(names[i])));
    sprintf(buf, "/proc/self/fd/%d", fd);
    char target[4096];
    ssize_t k = readlink(buf, target, sizeof target);
    char *last = memrchr(target, '/', k);
    hex("fd", last + 1, target + k - last - 1);
    close(fd);
    sprintf(buf, "l%u", i);
    symlink(names[i], buf);
    k = readlink(buf, target, sizeof target);
    hex("link", target, k);
    struct stat st;
    printf("%d %d\n", stat(buf, &st), (int)st.st_size);
  }
  mkdir("d\xff", 0700);
  chdir("d\xff");
  getcwd(buf, sizeof buf);
  hex("cwd", strrchr(buf, '/'), strlen(strrchr(buf, '/')));
  chdir("..");
  rename("\xff", "new\xfe");
  printf("%d %d\n", access("\xff", F_OK), access("new\xfe", F_OK));
  char longest[300];
  memset(longest, 0xff, 299), longest[255] = 0;
  printf("%d\n", mkdir(longest, 0700));
  longest[255] = 'a', longest[256] = 0;
  printf("%d %s\n", mkdir(longest, 0700), strerror(errno));
  DIR *dir = opendir(".");
  for (struct dirent *e; (e = readdir(dir));) list[n++] = strdup(e->d_name);
  qsort(list, n, sizeof *list, by_name);
  for (int i = 0; i < n; i++) hex("name", list[i], strlen(list[i]));
  return 0;
}
