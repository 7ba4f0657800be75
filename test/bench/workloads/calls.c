/* calls WHAT COUNT: does one thing COUNT times. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096L
static long count;

static void own(void) {
  for (long i = 0; i < count; i++) syscall(SYS_getppid);
}

/* getppid of the 32-bit table is 64. */
static void int80(void) {
  for (long i = 0; i < count; i++) {
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(64) : "memory", "cc");
  }
}

#ifdef __i386__
static void fast(void) {
  unsigned long entry = getauxval(AT_SYSINFO);
  if (!entry) exit(77); /* no vDSO */
  for (long i = 0; i < count; i++) {
    long r;
    __asm__ volatile("call *%1" : "=a"(r) : "r"(entry), "0"(64) : "memory", "cc");
  }
}
#endif

static void clocks(void) {
  struct timespec t;
  for (long i = 0; i < count; i++) clock_gettime(CLOCK_MONOTONIC, &t);
}

static void pipes(void) {
  int there[2], back[2];
  char c = 0;
  if (pipe(there) || pipe(back)) exit(1);
  pid_t child = fork();
  if (child == 0) {
    for (long i = 0; i < count; i++)
      if (read(there[0], &c, 1) != 1 || write(back[1], &c, 1) != 1) _exit(1);
    _exit(0);
  }
  for (long i = 0; i < count; i++)
    if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1) exit(1);
  waitpid(child, 0, 0);
}

static int *turn;
static void await(int mine) {
  while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) != mine) syscall(SYS_futex, turn, FUTEX_WAIT, !mine, 0, 0, 0);
}
static void give(int to) {
  __atomic_store_n(turn, to, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, turn, FUTEX_WAKE, 1, 0, 0, 0);
}
static void futexes(void) {
  turn = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t child = fork();
  for (long i = 0; i < count; i++) {
    await(child == 0);
    give(child != 0);
  }
  if (child == 0) _exit(0);
  waitpid(child, 0, 0);
}

static void forks(void) {
  for (long i = 0; i < count; i++) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, 0, 0);
  }
}

static void execs(void) {
  for (long i = 0; i < count; i++) {
    pid_t child = vfork();
    if (child == 0) {
      execl("/proc/self/exe", "calls", "own", "0", (char *)0);
      _exit(1);
    }
    waitpid(child, 0, 0);
  }
}

/* A page each. */
static void faults(void) {
  for (long left = count; left > 0; left -= 1024) {
    long n = left < 1024 ? left : 1024;
    char *p = mmap(0, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (long i = 0; i < n; i++) p[i * PAGE] = 1;
    munmap(p, n * PAGE);
  }
}

static void maps(void) {
  for (long i = 0; i < count; i++) {
    char *p = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p[0] = 1;
    munmap(p, 4 * PAGE);
  }
}

static volatile long caught;
static void handler(int sig) {
  (void)sig;
  caught++;
}
static void signals(void) {
  signal(SIGUSR1, handler);
  pid_t me = getpid();
  for (long i = 0; i < count; i++) kill(me, SIGUSR1);
  if (caught != count) exit(1);
}

static const char *self = "/proc/self/exe";
static void opens(void) {
  for (long i = 0; i < count; i++) close(open("/etc/passwd", O_RDONLY));
}
static void stats(void) {
  struct stat st;
  for (long i = 0; i < count; i++) stat("/usr/bin/env", &st);
}
static void reads(void) {
  char buffer[PAGE];
  int fd = open(self, O_RDONLY);
  for (long i = 0; i < count; i++)
    if (pread(fd, buffer, PAGE, 0) != PAGE) exit(1);
}
static void writes(void) {
  char buffer[PAGE];
  memset(buffer, 1, PAGE);
  FILE *file = tmpfile();
  for (long i = 0; i < count; i++)
    if (pwrite(fileno(file), buffer, PAGE, (i % 64) * PAGE) != PAGE) exit(1);
}

static const struct {
  const char *name;
  void (*run)(void);
} all[] = {
    {"own", own},         {"int80", int80},   {"clocks", clocks}, {"pipes", pipes},   {"futexes", futexes},
    {"forks", forks},     {"execs", execs},   {"faults", faults}, {"maps", maps},     {"signals", signals},
    {"opens", opens},     {"stats", stats},   {"reads", reads},   {"writes", writes},
#ifdef __i386__
    {"fast", fast},
#endif
};

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  count = atol(argv[2]);
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    if (strcmp(argv[1], all[i].name)) continue;
    all[i].run();
    return 0;
  }
  return 2;
}
