/* Tries every way out of the root directory that we can think of, and reports what it could read or write there. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int found;
/* argv[1] is the host's path of the secret, which lies beside the root directory. */
static char host[4096], up[4096];

static void look(const char *path) {
  char buf[4096];
  int fd = open(path, O_RDWR);
  if (fd < 0) fd = open(path, O_RDONLY);
  if (fd < 0) return;
  ssize_t n = read(fd, buf, sizeof buf - 1);
  if (n > 0 && memmem(buf, n, "SECRET", 6)) printf("READ %s\n", path), found = 1;
  (void)!write(fd, "OVERWRITTEN", 11);
  (void)!ftruncate(fd, 0);
  close(fd);
}
static void everywhere(const char *prefix) {
  char path[9000];
  for (int i = 0; i < 8; i++) {
    strcpy(path, prefix);
    for (int k = 0; k < i; k++) strcat(path, "/..");
    size_t n = strlen(path);
    strcpy(path + n, host), look(path);
    strcpy(path + n, "/secret"), look(path);
    strcpy(path + n, "/escaped-file");
    int fd = open(path, O_CREAT | O_WRONLY, 0666);
    if (fd >= 0) (void)!write(fd, "x", 1), close(fd);
    strcpy(path + n, "/escaped-dir"), mkdir(path, 0777);
  }
}

int main(int argc, char **argv) {
  strcpy(host, argv[1]);
  static const char *prefixes[] = {"", "/", "..", "/proc/self/root", "/proc/self/cwd", "/proc/1/root", "/proc/self/fd/3", "/proc/self/task/1/root", "absolute", "relative", "upwards",
    "/dev/fd/3", "made", "made2/x", "/sys/../..", "/dev/pts/../..", "/proc/self/fd/3/.."};
  symlink("/../../../../../..", "made");
  mkdir("made2", 0755);
  symlink("../../../../../../..", "made2/x");
  int dir = open(".", O_RDONLY | O_DIRECTORY);
  dup2(dir, 3);
  /* A directory that becomes a symbolic link to the host, and the other way round, between sync and use. */
  char outside[4096];
  strcpy(outside, host);
  *strrchr(outside, '/') = 0;
  mkdir("swap", 0755);
  symlink(outside, "evil");
  sync();
  renameat2(AT_FDCWD, "swap", AT_FDCWD, "evil", 2);
  rename("evil", "evil2"), rename("swap", "swap2"), rename("evil2", "swap");
  sync();
  mkdir("swap/deep", 0755), close(open("swap/escaped-by-swap", O_CREAT | O_WRONLY, 0644));
  unlink("swap2"), symlink(outside, "late"), sync(), unlink("late"), mkdir("late", 0755), close(open("late/escaped-by-late", O_CREAT | O_WRONLY, 0644)), sync();
  symlink(host, "file"), sync(), unlink("file");
  int fd = open("file", O_CREAT | O_WRONLY, 0644);
  (void)!write(fd, "OVERWRITTEN", 11), close(fd), sync();
  for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++) everywhere(prefixes[i]);
  /* Links and devices. */
  link(host, "hard"), look("hard");
  link("absolute", "hard2"), look("hard2");
  linkat(AT_FDCWD, "absolute", AT_FDCWD, "hard3", AT_SYMLINK_FOLLOW), look("hard3");
  mknod("disk", S_IFBLK | 0666, makedev(8, 0)), look("disk");
  mknod("mem", S_IFCHR | 0666, makedev(1, 1)), look("mem");
  mknod("vda", S_IFBLK | 0666, makedev(254, 0)), look("vda");
  mount(host, "made2", 0, MS_BIND, 0), look("made2/secret");
  mount("/dev/vda", "made2", "ext4", 0, 0), look("made2/secret");
  struct { unsigned bytes; int type; char data[128]; } handle = {128};
  int id;
  syscall(SYS_name_to_handle_at, AT_FDCWD, ".", &handle, &id, 0);
  syscall(SYS_open_by_handle_at, 3, &handle, O_RDONLY);
  /* The classic way out of a chroot: it may lead to the guest's root and no further. */
  mkdir("jail", 0755);
  chroot("jail");
  for (int i = 0; i < 50; i++) chdir("..");
  chroot(".");
  everywhere("."), everywhere("");
  /* Names that the upper directory takes for marks. */
  chdir("/");
  mkdir(".wh.opaque", 0755), close(open(".wh.root", O_CREAT | O_WRONLY, 0644)), close(open(".wh..wh..opq", O_CREAT | O_WRONLY, 0644));
  symlink(outside, ".wh.link");
  /* What lies below --root: none of this may get there. */
  fd = open("/original", O_RDWR);
  (void)!write(fd, "changed", 7), fchmod(fd, 0777), fsync(fd), close(fd);
  unlink("/gone"), rename("/moved", "/moved2"), chmod("/", 0777), chown("/original", 1, 1), truncate("/original", 1);
  setxattr("/original", "user.x", "y", 1, 0), utimensat(AT_FDCWD, "/original", 0, 0);
  sync();
  printf("%s\n", found ? "escaped" : "contained");
  return 0;
}
