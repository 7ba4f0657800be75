/* A row is a function in a process of its own; what it answers, or the signal that ends it, is printed behind its name. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char *answer;

/* Adds to the answer. */
static void say(const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsprintf(answer + strlen(answer), format, list);
  va_end(list);
}

static const char *error(long r) {
  static char text[32];
  switch (-r) {
    case 0: return "0";
    case EPERM: return "EPERM";
    case EIO: return "EIO";
    case EBADF: return "EBADF";
    case ENOMEM: return "ENOMEM";
    case EFAULT: return "EFAULT";
    case EACCES: return "EACCES";
    case EEXIST: return "EEXIST";
    case EINVAL: return "EINVAL";
    case ENOSYS: return "ENOSYS";
    case ENXIO: return "ENXIO";
  }
  sprintf(text, "%ld", r);
  return text;
}

static void row(const char *name, void (*run)(long), long argument) {
  int status;
  if (!answer) answer = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  *answer = 0;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    run(argument);
    _exit(0);
  }
  waitpid(pid, &status, 0);
  printf("%s: %s", name, answer);
  const char *space = *answer && answer[strlen(answer) - 1] != ' ' ? " " : "";
  if (WIFSIGNALED(status)) printf("%s%s", space, WTERMSIG(status) == SIGSEGV ? "SIGSEGV" : WTERMSIG(status) == SIGILL ? "SIGILL" : WTERMSIG(status) == SIGBUS ? "SIGBUS" : "killed");
  else if (status) printf("%sexit %x", space, WEXITSTATUS(status));
  printf("\n");
}

struct area { unsigned long start, end; };

/* The n-th mapping of a name, from the top. */
static struct area area(const char *name, int n) {
  struct area found[16] = {{0, 0}};
  int count = 0;
  char line[256];
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) {
    struct area a;
    if (strstr(line, name) && sscanf(line, "%lx-%lx", &a.start, &a.end) == 2) found[count++] = a;
  }
  fclose(maps);
  struct area none = {0, 0};
  return n < count ? found[count - 1 - n] : none;
}
static int areas(const char *name) { int n = 0; while (area(name, n).start) n++; return n; }
static unsigned long size(struct area a) { return a.end - a.start; }
static void unmap(const char *name) {
  for (struct area a; (a = area(name, 0)).start;) munmap((void *)a.start, size(a));
}

#ifdef __x86_64__
static long arch_prctl(long code, long address) {
  long r;
  asm volatile("syscall" : "=a"(r) : "0"(158L), "D"(code), "S"(address) : "rcx", "r11", "memory");
  return r;
}
enum { ARCH_MAP_VDSO_X32 = 0x2001, ARCH_MAP_VDSO_32, ARCH_MAP_VDSO_64 };
/* In place of the program's own. What ARCH_MAP_VDSO_32 answers. */
static long take_i386_vdso(void) { unmap("[vdso]"); unmap("[vvar]"); return arch_prctl(ARCH_MAP_VDSO_32, 0x60000000); }
#endif

/* What is left of where it was. */
static const char *place(struct area old, const char *name) {
  struct area now = area(name, 0);
  return !now.start ? "gone" : now.start != old.start ? size(now) == size(old) ? "moved" : "a part moved" : size(now) == size(old) ? "home" : "a part is home";
}

