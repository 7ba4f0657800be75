/* Random requests, signals and resumes on tracees that do whatever they like. Nothing is compared: the machine has to stand it. */
#include "t.h"

static uint64_t seed;
static uint32_t rnd(void) {
  seed = seed * 6364136223846793005ull + 1442695040888963407ull;
  return seed >> 33;
}
#define PICK(list) list[rnd() % (sizeof list / sizeof *list)]

static void tracee(void) {
  struct timespec t = { 0, 1000 };
  for (;;) {
    switch (rnd() % 8) {
      case 0: getppid(); break;
      case 1: raise(rnd() % 31 + 1); break;
      case 2:
        if (fork() == 0) _exit(3);
        wait(0);
        break;
      case 3:
        if (vfork() == 0) _exit(1);
        break;
      case 4: nanosleep(&t, 0); break;
      case 5: asm volatile("int3"); break;
      case 6:
        if (rnd() % 20 == 0) execl("/proc/self/exe", "hostile", "tracee", (char *)0);
        break;
      case 7: write(2, "", 0); break;
    }
  }
}

static unsigned char buffer[65536];
static void one(pid_t pid) {
  static const int requests[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19, 21, 24, 25, 26, 30, 31, 32, 33,
    0x4200, 0x4201, 0x4202, 0x4203, 0x4204, 0x4205, 0x4206, 0x4207, 0x4208, 0x4209, 0x420a, 0x420b, 0x420c };
  static const int resumes[] = { PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SINGLESTEP, PTRACE_INTERRUPT };
  static const unsigned long addresses[] = { 1, 2, 8, 0x200, 0x201, 0x202, 0x46e62b7f };
  int s;
  pid_t who = pid;
  if (rnd() % 3 == 0) {
    pid_t w = waitpid(-1, &s, WNOHANG | __WALL | (rnd() & 1 ? WUNTRACED : 0));
    if (w > 0) who = w;
  }
  int r = rnd() & 1 ? PICK(resumes) : PICK(requests);
  unsigned long addr = rnd() % 4 == 0 ? rnd() % 1000 : rnd() % 3 == 0 ? PICK(addresses)
                     : rnd() & 1 ? (unsigned long)buffer : ((unsigned long)rnd() << 20) + rnd();
  unsigned long data = rnd() % 3 == 0 ? rnd() % 70 : rnd() & 1 ? (unsigned long)buffer : ((unsigned long)rnd() << 21) ^ rnd();
  if (rnd() % 5 == 0) for (int k = 0; k < 1024; k++) buffer[k] = rnd();
  struct iovec iov = { buffer, rnd() % 4096 };
  if (r == PTRACE_GETREGSET || r == PTRACE_SETREGSET) data = (unsigned long)&iov;
  if (r == PTRACE_SETOPTIONS) data = rnd() & 0x3000ff;
  if ((r == PTRACE_CONT || r == PTRACE_SYSCALL || r == PTRACE_SINGLESTEP) && rnd() % 4) data = 0;
  pt(r, who, addr, data);
  if (rnd() % 30 == 0) kill(pid, rnd() % 64 + 1);
  if (rnd() % 10 == 0) usleep(rnd() % 200);
}

int main(int argc, char **argv) {
  seed = argc > 1 ? atoi(argv[1]) : 1;
  if (argc > 1 && argv[1][0] == 't') tracee();
  for (int run = 0; run < 20; run++) {
    pid_t pid = fork();
    if (pid == 0) {
      seed += run;
      for (int i = 1; i < 64; i++) if (rnd() & 1) signal(i, SIG_IGN);
      if (rnd() & 1) {
        pt(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
      }
      tracee();
    }
    if (rnd() & 1) pt(rnd() & 1 ? PTRACE_SEIZE : PTRACE_ATTACH, pid, 0, 0);
    for (int i = 0; i < 300; i++) one(pid);
    kill(pid, SIGKILL);
    for (int i = 0; i < 200; i++) {
      int s;
      pid_t w = waitpid(-1, &s, __WALL | WNOHANG);
      if (w < 0) break;
      if (w > 0 && WIFSTOPPED(s)) pt(PTRACE_CONT, w, 0, SIGKILL);
      usleep(100);
    }
  }
  printf("done\n");
  return 0;
}
