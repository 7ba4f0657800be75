/* Scheduling calls: policies, attributes, nice values, rights. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(int line, const char *call, long r) { printf("%d %s = %ld %s\n", line, call, r, r < 0 ? strerrorname_np(errno) : ""), fflush(stdout); }
#define R(call) (errno = 0, say(__LINE__, #call, call))
struct attr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint64_t more[2];
};
static struct attr a;
static long set(void) { return syscall(SYS_sched_setattr, 0, &a, 0); }
static void get(void) {
  memset(&a, 0x55, sizeof a);
  long r = syscall(SYS_sched_getattr, 0, &a, 48, 0);
  printf("%ld: size %u policy %u flags %d nice %d priority %u\n", r, a.size, a.policy, (int)a.flags, a.nice, a.priority);
  fflush(stdout);
}

int main(void) {
  setpriority(PRIO_PROCESS, 0, 0);
  get();
  R(syscall(SYS_sched_getattr, 0, &a, 47, 0));
  R(syscall(SYS_sched_getattr, 0, &a, 48, 1));
  R(syscall(SYS_sched_getattr, 0, 0, 48, 0));
  R(syscall(SYS_sched_getattr, -1, &a, 48, 0));
  R(syscall(SYS_sched_getattr, 3999999, &a, 48, 0));
  a = (struct attr){.size = 48, .policy = SCHED_BATCH, .nice = 7};
  R(set()), get();
  R(getpriority(PRIO_PROCESS, 0));
  a = (struct attr){.size = 0, .policy = SCHED_OTHER, .nice = 30};
  R(set()), get();
  a = (struct attr){.size = 48, .policy = SCHED_OTHER, .nice = 3, .flags = 1};
  R(set()), get();
  R(sched_getscheduler(0));
  fflush(stdout);
  if (fork() == 0) get(), _exit(0);
  wait(0);
  a = (struct attr){.size = 48, .policy = SCHED_OTHER, .priority = 5};
  R(set());
  a = (struct attr){.size = 48, .policy = 77};
  R(set());
  a = (struct attr){.size = 48, .policy = -1};
  R(set());
  a = (struct attr){.size = 47};
  R(set());
  a = (struct attr){.size = 4097};
  R(set());
  R(syscall(SYS_sched_setattr, 0, &a, 1));
  struct sched_param p = {5};
  R(sched_setscheduler(0, SCHED_OTHER, &p));
  R(sched_setscheduler(0, 99, &p));
  p.sched_priority = 0;
  R(sched_setscheduler(0, SCHED_FIFO, &p));
  R(sched_setscheduler(0, SCHED_BATCH, &p));
  R(sched_getscheduler(0));
  R(sched_setscheduler(0, SCHED_IDLE, &p));
  get();
  R(sched_setscheduler(0, SCHED_OTHER, &p));
  R(sched_get_priority_max(SCHED_RR)), R(sched_get_priority_min(SCHED_RR)), R(sched_get_priority_max(4));
  setpriority(PRIO_PROCESS, 0, 5);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_NICE, &none), setrlimit(RLIMIT_RTPRIO, &none);
  int end[2];
  pipe(end);
  pid_t other = fork();
  if (other == 0) close(end[1]), read(end[0], end, 1), _exit(0);
  if (setuid(1000)) return 1;
  R(setpriority(PRIO_PROCESS, 0, 6));
  R(setpriority(PRIO_PROCESS, 0, 5));
  p.sched_priority = 1;
  R(sched_setscheduler(0, SCHED_FIFO, &p));
  a = (struct attr){.size = 48, .policy = SCHED_OTHER, .nice = -1};
  R(set());
  a = (struct attr){.size = 48, .policy = SCHED_OTHER, .nice = 9};
  R(set());
  R(setpriority(PRIO_PROCESS, other, 9));
  R(kill(other, SIGKILL));
  return 0;
}
