/* What the programs of this folder share: raw ptrace(2), and stops printed without pids and addresses. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define REQ_SYSEMU 31
#define REQ_SYSEMU_SINGLESTEP 32
#define REQ_SINGLEBLOCK 33
#define REQ_GETSIGMASK 0x420a
#define REQ_SETSIGMASK 0x420b
#define REQ_GET_FILTER 0x420c

#ifdef __x86_64__
#define AX rax
#define ORIG_AX orig_rax
#define IP rip
#define SP rsp
#define ARG1 rdi
#define ARG2 rsi
#define ARG3 rdx
#define R(field) offsetof(struct user, regs.field)
#else
#define AX eax
#define ORIG_AX orig_eax
#define IP eip
#define SP esp
#define ARG1 ebx
#define ARG2 ecx
#define ARG3 edx
#define R(field) offsetof(struct user, regs.field)
#endif
#define DR(n) (offsetof(struct user, u_debugreg) + (n) * sizeof(long))

/* -errno, as the kernel answers. */
static inline long pt(long request, long pid, unsigned long addr, unsigned long data) {
  long r = syscall(SYS_ptrace, request, pid, addr, data);
  return r < 0 ? -errno : r;
}
static inline unsigned long peekuser(pid_t pid, long offset) {
  unsigned long v = 0xdeadbeef;
  pt(PTRACE_PEEKUSER, pid, offset, (unsigned long)&v);
  return v;
}
static inline void regs(pid_t pid, struct user_regs_struct *r) { pt(PTRACE_GETREGS, pid, 0, (unsigned long)r); }
static inline void setregs(pid_t pid, struct user_regs_struct *r) { pt(PTRACE_SETREGS, pid, 0, (unsigned long)r); }

static inline const char *err(long r) {
  static char text[4][32];
  static int n;
  char *t = text[n++ & 3];
  static const struct { int e; const char *name; } names[] = { { EPERM, "EPERM" }, { ESRCH, "ESRCH" }, { EIO, "EIO" },
    { EINVAL, "EINVAL" }, { EFAULT, "EFAULT" }, { ECHILD, "ECHILD" }, { EINTR, "EINTR" }, { ENXIO, "ENXIO" },
    { EACCES, "EACCES" }, { ENOSYS, "ENOSYS" }, { EBADF, "EBADF" }, { EOPNOTSUPP, "EOPNOTSUPP" }, { ENOENT, "ENOENT" } };
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) if (r == -names[i].e) return names[i].name;
  sprintf(t, "%ld", r);
  return t;
}

static inline const char *status(int s) {
  static char text[4][64];
  static int n;
  char *t = text[n++ & 3];
  if (s == 0xffff) return "continued";
  if (WIFEXITED(s)) sprintf(t, "exited %d", WEXITSTATUS(s));
  else if (WIFSIGNALED(s)) sprintf(t, "killed %d", WTERMSIG(s));
  else sprintf(t, "stopped sig %d%s event %d", WSTOPSIG(s) & 0x7f, WSTOPSIG(s) & 0x80 ? "|80" : "", s >> 16);
  return t;
}

/* Waits for one task and says how it stands; returns the status. */
static inline int stop(const char *what, pid_t pid) {
  int s = 0;
  pid_t p = waitpid(pid, &s, __WALL);
  if (p != pid) printf("%-28s wait: %s\n", what, err(p < 0 ? -errno : p));
  else printf("%-28s %s\n", what, status(s));
  return s;
}

/* A request that lets it run, and the next stop. */
static inline int go(const char *what, long request, pid_t pid, unsigned long sig) {
  long r = pt(request, pid, 0, sig);
  if (r < 0) printf("%-28s request: %s\n", what, err(r));
  return stop(what, pid);
}

/* A child that asks to be traced, stops, and then does as it is told. */
static inline pid_t traced(void (*body)(void), long options) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    pt(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    body();
    _exit(0);
  }
  int s;
  waitpid(pid, &s, 0);
  if (options) pt(PTRACE_SETOPTIONS, pid, 0, options);
  return pid;
}

/* A child that nobody traces yet and that waits in pause(). */
static inline pid_t idle(void) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) for (;;) pause();
  return pid;
}

/* Until the kernel says that it sleeps, or what else. */
static inline void until(pid_t pid, char state) {
  char path[64], line[512];
  sprintf(path, "/proc/%d/stat", pid);
  for (;;) {
    FILE *f = fopen(path, "r");
    if (!f) return;
    if (!fgets(line, sizeof line, f)) line[0] = 0;
    fclose(f);
    char *p = strrchr(line, ')');
    if (p && p[2] == state) return;
    usleep(1000);
  }
}

static inline void finish(pid_t pid) {
  int s;
  kill(pid, SIGKILL);
  while (waitpid(pid, &s, __WALL) == pid && WIFSTOPPED(s)) pt(PTRACE_CONT, pid, 0, 0);
}
