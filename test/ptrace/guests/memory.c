/* Another process's memory: /proc/PID/mem, process_vm_readv, process_vm_writev. */
#include "t.h"

static char *page;
static int down[2], up[2];
static void say(int to) { write(to, "a", 1); }
static void hear(int from) {
  char c;
  read(from, &c, 1);
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  pipe(down);
  pipe(up);
  page = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  strcpy(page, "first page");
  strcpy(page + 4096, "read-only page");
  strcpy(page + 2 * 4096, "page without rights");
  mprotect(page + 4096, 4096, PROT_READ);
  mprotect(page + 2 * 4096, 4096, PROT_NONE);
  munmap(page + 3 * 4096, 4096);
  pid_t pid = fork();
  if (pid == 0) {
    hear(down[0]);
    printf("   child: %s, %s\n", page, page + 4096);
    fflush(stdout);
    say(up[1]);
    hear(down[0]);
    execl("/bin/sleep", "sleep", "100", (char *)0);
  }
  char path[64], b[64];
  sprintf(path, "/proc/%d/mem", pid);
  int fd = open(path, O_RDWR);
  printf("open %s\n", err(fd < 0 ? -errno : 0));
  for (int i = 0; i < 4; i++) {
    memset(b, 0, sizeof b);
    long n = pread(fd, b, 20, (unsigned long)page + i * 4096);
    printf("pread of page %d: %s %s\n", i, err(n < 0 ? -errno : n), b);
  }
  long n = pread(fd, b, 64, (unsigned long)page + 3 * 4096 - 20);
  printf("pread over the end: %s\n", err(n < 0 ? -errno : n));
  n = pwrite(fd, "FIRST", 5, (unsigned long)page);
  printf("pwrite: %s\n", err(n < 0 ? -errno : n));
  n = pwrite(fd, "READ", 4, (unsigned long)page + 4096);
  printf("pwrite to the read-only page: %s\n", err(n < 0 ? -errno : n));
  n = pwrite(fd, "READ", 4, (unsigned long)page + 3 * 4096);
  printf("pwrite to no page: %s\n", err(n < 0 ? -errno : n));
  lseek(fd, (unsigned long)page, SEEK_SET);
  n = read(fd, b, 5);
  printf("read after lseek: %s %.5s\n", err(n), b);

  char c[64];
  struct iovec local[2] = { { b, 7 }, { c, 64 } }, remote[2] = { { page, 10 }, { page + 4096, 14 } };
  memset(b, 0, sizeof b);
  memset(c, 0, sizeof c);
  n = process_vm_readv(pid, local, 2, remote, 2, 0);
  printf("process_vm_readv: %s %s|%s\n", err(n < 0 ? -errno : n), b, c);
  remote[1].iov_base = page + 2 * 4096;
  n = process_vm_readv(pid, local, 2, remote, 2, 0);
  printf("with a page without rights: %s\n", err(n < 0 ? -errno : n));
  n = process_vm_readv(pid, local, 2, remote + 1, 1, 0);
  printf("that page alone: %s\n", err(n < 0 ? -errno : n));
  n = process_vm_readv(pid, local, 2, remote, 2, 1);
  printf("flags: %s\n", err(n < 0 ? -errno : n));
  n = process_vm_readv(99999, local, 2, remote, 2, 0);
  printf("no such task: %s\n", err(n < 0 ? -errno : n));
  strcpy(b, " place");
  local[0].iov_len = 7;
  remote[0].iov_base = page + 5;
  n = process_vm_writev(pid, local, 1, remote, 1, 0);
  printf("process_vm_writev: %s\n", err(n < 0 ? -errno : n));
  remote[0].iov_base = page + 4096;
  n = process_vm_writev(pid, local, 1, remote, 1, 0);
  printf("to the read-only page: %s\n", err(n < 0 ? -errno : n));
  say(down[1]);
  hear(up[0]);

  printf("-- execve\n");
  say(down[1]);
  char is[64] = "";
  sprintf(path, "/proc/%d/comm", pid);
  for (int i = 0; i < 1000 && strcmp(is, "sleep\n"); i++) {
    FILE *f = fopen(path, "r");
    if (f && fgets(is, sizeof is, f)) fclose(f);
    usleep(1000);
  }
  n = pread(fd, b, 5, (unsigned long)page);
  printf("the old memory: %s\n", err(n < 0 ? -errno : n));
  finish(pid);
  n = pread(fd, b, 5, (unsigned long)page);
  printf("after its end: %s\n", err(n < 0 ? -errno : n));
  return 0;
}
