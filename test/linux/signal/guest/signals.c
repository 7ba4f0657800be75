/* Signals, timers, waiting: the same natively and in the machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#define N(a) (sizeof(a) / sizeof(a[0]))
#define say(...) (printf("  " __VA_ARGS__), putchar('\n'), fflush(stdout))
#define ERR(x) ({ errno = 0; long r_ = (x); r_ < 0 ? -errno : r_; })
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static volatile int count, last;
static siginfo_t info_;
static sigjmp_buf back;
static void plain(int sig) { count++; last = sig; }
static void with_info(int sig, siginfo_t *i, void *uc) { count++; last = sig; info_ = *i; }
static void jump(int sig, siginfo_t *i, void *uc) { info_ = *i; last = sig; siglongjmp(back, 1); }
static void on(int sig, void *handler, int flags) {
  struct sigaction sa = { 0 };
  sa.sa_sigaction = handler;
  sa.sa_flags = flags;
  sigaction(sig, &sa, 0);
}
static void block(int how, int sig) { sigset_t s; sigemptyset(&s); sigaddset(&s, sig); sigprocmask(how, &s, 0); }

static void queue_order(void) {
  int order[8], n = 0;
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, 0);
  int sent[] = { 40, 36, 40, SIGUSR2, SIGUSR1, SIGUSR2, 36 };
  for (unsigned i = 0; i < N(sent); i++) sigqueue(getpid(), sent[i], (union sigval){ .sival_int = 100 + i });
  siginfo_t si;
  struct timespec none = { 0, 0 };
  int sig;
  while ((sig = sigtimedwait(&all, &si, &none)) > 0) say("%d value %d code %d", sig, si.si_value.sival_int, si.si_code);
  say("then %d", errno);
}
static void codes(void) {
  on(SIGUSR1, with_info, SA_SIGINFO);
  kill(getpid(), SIGUSR1); say("kill %d own %d", info_.si_code, info_.si_pid == getpid());
  raise(SIGUSR1); say("tgkill %d", info_.si_code);
  sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 5 }); say("queue %d %d", info_.si_code, info_.si_value.sival_int);
  siginfo_t forged = { 0 };
  forged.si_code = SI_USER;
  say("forged for itself %ld", ERR(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &forged)));
  if (fork() == 0) { say("forged for another %ld", ERR(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &forged))); _exit(0); }
  wait(0);
  say("sig 0 %ld, 65 %ld, nobody %ld", ERR(kill(getpid(), 0)), ERR(kill(getpid(), 65)), ERR(kill(99999, 0)));
}
static void flags(void) {
  on(SIGUSR1, plain, SA_RESETHAND);
  raise(SIGUSR1);
  struct sigaction sa;
  sigaction(SIGUSR1, 0, &sa);
  say("reset %d count %d", sa.sa_handler == SIG_DFL, count);
  say("kill %ld stop %ld", ERR(sigaction(SIGKILL, &(struct sigaction){ .sa_handler = plain }, 0)), ERR(sigaction(SIGSTOP, &(struct sigaction){ .sa_handler = plain }, 0)));
  sigset_t s;
  sigfillset(&s);
  sigprocmask(SIG_SETMASK, &s, &s);
  sigprocmask(SIG_SETMASK, 0, &s);
  say("kill blocked %d stop %d", sigismember(&s, SIGKILL), sigismember(&s, SIGSTOP));
}
static volatile int depth, deepest, raised;
static void nested(int sig) { if (++depth > deepest) deepest = depth; if (++raised < 3) raise(sig); depth--; }
static void nodefer(void) {
  on(SIGUSR1, nested, 0); raise(SIGUSR1); say("deferred %d", deepest);
  depth = deepest = raised = 0;
  on(SIGUSR1, nested, SA_NODEFER); raise(SIGUSR1); say("nodefer %d", deepest);
}
static void fault(const char *what, int which) {
  static char *page;
  if (!page) { page = mmap(0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
  on(SIGSEGV, jump, SA_SIGINFO); on(SIGBUS, jump, SA_SIGINFO); on(SIGFPE, jump, SA_SIGINFO); on(SIGILL, jump, SA_SIGINFO); on(SIGTRAP, jump, SA_SIGINFO);
  void *expected = 0;
  if (sigsetjmp(back, 1) == 0) {
    switch (which) {
      case 0: *(volatile int *)16 = 1; break;
      case 1: *(volatile int *)page = 1; break;
      case 2: asm volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" : : : "eax", "ecx", "edx"); break;
      case 3: asm volatile("ud2"); break;
      case 4: asm volatile("int3"); break;
      case 5: asm volatile("hlt"); break;
      case 6: { int fd = open("/tmp/short", O_RDWR | O_CREAT, 0600); ftruncate(fd, 100); char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); p[50] = 1; p[4096] = 1; break; }
      case 7: ((void (*)(void))page)(); break;
      case 8: { feenableexcept(FE_DIVBYZERO); volatile double z = 0, y; y = 1 / z; break; }
      case 9: { feenableexcept(FE_INVALID); volatile double z = 0, y; y = z / z; break; }
      case 10: { feenableexcept(FE_OVERFLOW); volatile double z = 1e300, y; y = z * z; break; }
      case 11: { feenableexcept(FE_UNDERFLOW); volatile double z = 1e-300, y; y = z * z; break; }
      case 12: { feenableexcept(FE_INEXACT); volatile double z = 3, y; y = 1 / z; break; }
      case 13: asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"((short[]){ 0x37b })); break;
      case 14: asm volatile("int $0x2e"); break;
#ifdef __x86_64__
      case 15: *(volatile char *)0x8000000000000000 = 1; break;
      case 16: asm volatile("pushfq; orl $0x40000, (%%rsp); popfq; movl 1(%%rsp), %%eax" : : : "rax"); break;
      case 17: asm volatile("pushfq; orl $0x100, (%%rsp); popfq; nop" : : :); break;
#else
      case 15: break;
      case 16: asm volatile("pushfl; orl $0x40000, (%%esp); popfl; movl 1(%%esp), %%eax" : : : "eax"); break;
      case 17: asm volatile("pushfl; orl $0x100, (%%esp); popfl; nop" : : :); break;
#endif
      case 18: munmap(page, 4096); *(volatile int *)page; break;
      case 19: asm volatile("int $0x4"); break;
    }
    say("%s: nothing", what);
  } else {
    /* setjmp does not keep the flags: AC and TF. */
#ifdef __x86_64__
    asm volatile("pushfq; andl $0xfffbfeff, (%%rsp); popfq" : : :);
#else
    asm volatile("pushfl; andl $0xfffbfeff, (%%esp); popfl" : : :);
#endif
    say("%s: %d code %d addr %s", what, last, info_.si_code, info_.si_addr == 0 ? "0" : info_.si_addr == (void *)16 ? "16" : (char *)info_.si_addr >= page && (char *)info_.si_addr < page + 8192 ? "page" : "other");
  }
}
static void faults(void) {
  static const char *names[] = { "unmapped", "read only", "division", "ud2", "int3", "hlt", "beyond the file", "no exec", "fp division", "fp invalid", "fp overflow", "fp underflow", "fp inexact", "x87 division", "int 2e", "non canonical", "alignment", "step", "gone", "int 4" };
  for (unsigned i = 0; i < N(names); i++) { fedisableexcept(FE_ALL_EXCEPT); feclearexcept(FE_ALL_EXCEPT); fault(names[i], i); }
}
static void altstack(void) {
  static char memory[32768];
  stack_t st = { .ss_sp = memory, .ss_size = 1000 }, old;
  say("small %ld", ERR(sigaltstack(&st, 0)));
  st.ss_size = sizeof memory; st.ss_flags = 4;
  say("flags %ld", ERR(sigaltstack(&st, 0)));
  st.ss_flags = 0;
  say("set %ld", ERR(sigaltstack(&st, 0)));
  sigaltstack(0, &old); say("flags %x", old.ss_flags);
  st.ss_flags = SS_ONSTACK | SS_AUTODISARM;
  say("autodisarm %ld", ERR(sigaltstack(&st, 0)));
  sigaltstack(0, &old); say("flags %x", old.ss_flags);
  st.ss_flags = SS_DISABLE;
  say("disable %ld", ERR(sigaltstack(&st, 0)));
  sigaltstack(0, &old); say("flags %x", old.ss_flags);
}
static stack_t inside; static long inside_set; static int on_alt;
static char altmem[65536];
static void alt_handler(int sig) {
  char here;
  on_alt = &here >= altmem && &here < altmem + sizeof altmem;
  sigaltstack(0, &inside);
  stack_t st = { .ss_sp = altmem, .ss_size = sizeof altmem };
  inside_set = ERR(sigaltstack(&st, 0));
}
static void altstack_use(void) {
  stack_t st = { .ss_sp = altmem, .ss_size = sizeof altmem }, old;
  sigaltstack(&st, 0);
  on(SIGUSR1, alt_handler, SA_ONSTACK);
  raise(SIGUSR1); say("on %d flags %x set %ld", on_alt, inside.ss_flags, inside_set);
  st.ss_flags = SS_AUTODISARM;
  sigaltstack(&st, 0);
  raise(SIGUSR1); say("on %d flags %x set %ld", on_alt, inside.ss_flags, inside_set);
  sigaltstack(0, &old); say("after flags %x", old.ss_flags);
  if (fork() == 0) { sigaltstack(0, &old); say("child flags %x", old.ss_flags); _exit(0); }
  wait(0);
}
static void signalfds(void) {
  sigset_t s;
  sigemptyset(&s); sigaddset(&s, SIGUSR1); sigaddset(&s, 40);
  sigprocmask(SIG_BLOCK, &s, 0);
  int fd = signalfd(-1, &s, SFD_NONBLOCK);
  struct signalfd_siginfo si[4];
  say("empty %ld", ERR(read(fd, si, sizeof si)));
  struct pollfd p = { fd, POLLIN };
  say("poll %d", poll(&p, 1, 0));
  kill(getpid(), SIGUSR1); sigqueue(getpid(), 40, (union sigval){ .sival_int = 7 }); sigqueue(getpid(), 40, (union sigval){ .sival_int = 8 });
  say("poll %d", poll(&p, 1, 0));
  say("short %ld", ERR(read(fd, si, 100)));
  long n = read(fd, si, sizeof si);
  say("read %ld", n);
  for (unsigned i = 0; i < n / sizeof si[0]; i++) say("%d code %d int %d own %d", si[i].ssi_signo, si[i].ssi_code, si[i].ssi_int, si[i].ssi_pid == (unsigned)getpid());
}
static void timerfds(void) {
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  unsigned long long ticks = 0;
  struct itimerspec t = { { 0, 10000000 }, { 0, 10000000 } }, cur;
  say("not set %ld", ERR(read(fd, &ticks, 8)));
  timerfd_settime(fd, 0, &t, 0);
  say("too early %ld", ERR(read(fd, &ticks, 8)));
  struct pollfd p = { fd, POLLIN };
  say("poll %d", poll(&p, 1, 1000));
  usleep(35000);
  long r = ERR(read(fd, &ticks, 8));
  say("read %ld ticks %d", r, ticks >= 3 && ticks <= 6);
  say("short %ld", ERR(read(fd, &ticks, 4)));
  timerfd_gettime(fd, &cur);
  say("interval %ld rest %d", cur.it_interval.tv_nsec, cur.it_value.tv_nsec > 0 && cur.it_value.tv_nsec <= 10000000);
  say("bad clock %ld flags %ld", ERR(timerfd_create(77, 0)), ERR(timerfd_create(0, 1)));
  t.it_value.tv_nsec = 1000000000;
  say("bad time %ld", ERR(timerfd_settime(fd, 0, &t, 0)));
}
static void itimers(void) {
  struct itimerval t = { { 0, 0 }, { 0, 20000 } }, old;
  on(SIGALRM, with_info, SA_SIGINFO); on(SIGVTALRM, with_info, SA_SIGINFO); on(SIGPROF, with_info, SA_SIGINFO);
  setitimer(ITIMER_REAL, &t, 0);
  pause(); say("real %d code %x", last, info_.si_code);
  t.it_value.tv_usec = 3000;
  setitimer(ITIMER_VIRTUAL, &t, 0); count = 0;
  while (!count); say("virtual %d code %x", last, info_.si_code);
  setitimer(ITIMER_PROF, &t, 0); count = 0;
  while (!count) getppid(); say("prof %d", last);
  alarm(100); say("alarm %u", alarm(0));
  t.it_value.tv_usec = 1000000;
  say("bad %ld which %ld", ERR(setitimer(0, &t, 0)), ERR(setitimer(9, &old, 0)));
}
static void posix_timers(void) {
  timer_t id;
  struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 40, .sigev_value.sival_int = 99 };
  struct itimerspec t = { { 0, 5000000 }, { 0, 5000000 } }, cur;
  on(40, with_info, SA_SIGINFO);
  say("create %ld", ERR(timer_create(CLOCK_MONOTONIC, &ev, &id)));
  block(SIG_BLOCK, 40);
  timer_settime(id, 0, &t, 0);
  usleep(28000);
  block(SIG_UNBLOCK, 40);
  timer_settime(id, 0, &(struct itimerspec){ { 0 } }, &cur);
  say("count %d code %d value %d overrun %d", count, info_.si_code, info_.si_value.sival_int, info_.si_overrun >= 3 && info_.si_overrun <= 5);
  say("interval %ld", cur.it_interval.tv_nsec);
  say("delete %ld", ERR(timer_delete(id)));
  ev.sigev_notify = SIGEV_NONE;
  timer_create(CLOCK_REALTIME, &ev, &id);
  t.it_value.tv_sec = 100; timer_settime(id, 0, &t, 0); timer_gettime(id, &cur);
  say("none %d", cur.it_value.tv_sec >= 99);
  ev.sigev_notify = 77; say("bad notify %ld", ERR(timer_create(CLOCK_REALTIME, &ev, &id)));
  ev.sigev_notify = SIGEV_SIGNAL; ev.sigev_signo = 99; say("bad signal %ld", ERR(timer_create(CLOCK_REALTIME, &ev, &id)));
  ev.sigev_signo = 40; say("bad clock %ld", ERR(timer_create(55, &ev, &id)));
  ev.sigev_notify = SIGEV_THREAD_ID; ev._sigev_un._tid = 1; say("another's thread %ld", ERR(timer_create(CLOCK_REALTIME, &ev, &id)));
  ev._sigev_un._tid = syscall(SYS_gettid); count = 0;
  say("own thread %ld", ERR(timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &id)));
  timer_settime(id, 0, &(struct itimerspec){ { 0 }, { 0, 3000000 } }, 0);
  while (!count); say("cpu time %d", last);
}
static void later(int us, int sig) {
  pid_t me = getpid();
  if (fork() == 0) { usleep(us); kill(me, sig); _exit(0); }
}
static void interrupted(void) {
  int p[2]; char c;
  pipe(p);
  for (int restart = 0; restart < 2; restart++) {
    on(SIGUSR1, plain, restart ? SA_RESTART : 0);
    on(SIGCHLD, SIG_DFL, 0);
    pid_t writer = fork();
    if (writer == 0) { usleep(40000); write(p[1], "x", 1); _exit(0); }
    later(10000, SIGUSR1); say("read %ld", ERR(read(p[0], &c, 1)));
    if (!restart) read(p[0], &c, 1);
    while (wait(0) > 0);
    later(10000, SIGUSR1); say("nanosleep %ld", ERR(usleep(30000))); while (wait(0) > 0);
    later(10000, SIGUSR1); say("poll %ld", ERR(poll(0, 0, 30))); while (wait(0) > 0);
    later(10000, SIGUSR1); struct timeval tv = { 0, 30000 }; say("select %ld", ERR(select(0, 0, 0, 0, &tv))); while (wait(0) > 0);
    later(10000, SIGUSR1); int word = 0; struct timespec ts = { 0, 30000000 };
    say("futex %ld", ERR(syscall(SYS_futex, &word, 0, 0, &ts, 0, 0))); while (wait(0) > 0);
    later(10000, SIGUSR1); say("pause %ld", ERR(pause())); while (wait(0) > 0);
    later(10000, SIGUSR1); int ep = epoll_create1(0); struct epoll_event e; say("epoll %ld", ERR(epoll_wait(ep, &e, 1, 30))); close(ep); while (wait(0) > 0);
    sigset_t none; sigemptyset(&none);
    later(10000, SIGUSR1); say("sigsuspend %ld", ERR(sigsuspend(&none))); while (wait(0) > 0);
    sigset_t usr2; sigemptyset(&usr2); sigaddset(&usr2, SIGUSR2);
    later(10000, SIGUSR1); say("sigwait %ld", ERR(sigwaitinfo(&usr2, 0))); while (wait(0) > 0);
    pid_t sleeper = fork();
    if (sleeper == 0) { usleep(40000); _exit(3); }
    later(10000, SIGUSR1); int st = 0; long r = ERR(waitpid(sleeper, &st, 0)); say("waitpid %ld", r > 0 ? 1 : r); while (wait(0) > 0);
  }
}
/* Stopped and continued: the calls go on, with restart_syscall where time counts. */
static void restarted(void) {
  struct { const char *name; int which; } calls[] = { { "nanosleep", 0 }, { "poll", 1 }, { "futex", 2 }, { "clock_nanosleep", 3 }, { "select", 4 } };
  for (unsigned i = 0; i < N(calls); i++) {
    pid_t pid = fork();
    if (pid == 0) {
      struct timespec a, b, ts = { 0, 60000000 }; int word = 0; long r = 0; struct timeval tv = { 0, 60000 };
      clock_gettime(CLOCK_MONOTONIC, &a);
      switch (calls[i].which) {
        case 0: r = ERR(nanosleep(&ts, 0)); break;
        case 1: r = ERR(poll(0, 0, 60)); break;
        case 2: r = ERR(syscall(SYS_futex, &word, 0, 0, &ts, 0, 0)); break;
        case 3: r = ERR(-clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, 0)); break;
        case 4: r = ERR(select(0, 0, 0, 0, &tv)); break;
      }
      clock_gettime(CLOCK_MONOTONIC, &b);
      long ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
      say("%s %ld in time %d", calls[i].name, r, ms >= 59 && ms < 160);
      _exit(0);
    }
    int st;
    usleep(20000); kill(pid, SIGSTOP); waitpid(pid, &st, WUNTRACED); usleep(5000); kill(pid, SIGCONT); waitpid(pid, &st, 0);
  }
}
static void waiting(void) {
  int st; siginfo_t si;
  on(SIGCHLD, with_info, SA_SIGINFO);
  say("no child %ld", ERR(wait(&st)));
  pid_t pid = fork();
  if (pid == 0) { for (;;) pause(); }
  say("nohang %ld", ERR(waitpid(pid, &st, WNOHANG)));
  usleep(5000); kill(pid, SIGSTOP); waitpid(pid, &st, WUNTRACED);
  say("stopped %x, info code %d status %d", st, info_.si_code, info_.si_status);
  kill(pid, SIGCONT); usleep(5000); waitpid(pid, &st, WCONTINUED);
  say("continued %x, info code %d status %d", st, info_.si_code, info_.si_status);
  kill(pid, SIGTERM);
  memset(&si, 0, sizeof si);
  waitid(P_PID, pid, &si, WEXITED | WNOWAIT); say("nowait code %d status %d own %d", si.si_code, si.si_status, si.si_pid == pid);
  waitid(P_PID, pid, &si, WEXITED); say("waitid code %d status %d", si.si_code, si.si_status);
  say("gone %ld", ERR(waitid(P_PID, pid, &si, WEXITED)));
  say("options %ld none %ld", ERR(waitid(P_ALL, 0, &si, 0x10000)), ERR(waitid(P_ALL, 0, &si, 0)));
  pid = fork();
  if (pid == 0) _exit(77);
  waitpid(pid, &st, 0); say("exit %x, info code %d status %d", st, info_.si_code, info_.si_status);
  on(SIGCHLD, SIG_IGN, 0);
  if (fork() == 0) _exit(1);
  say("ignored %ld", ERR(wait(&st)));
  on(SIGCHLD, plain, SA_NOCLDWAIT); count = 0;
  if (fork() == 0) _exit(1);
  say("nocldwait %ld", ERR(wait(&st))); say("told %d", count);
  on(SIGCHLD, plain, SA_NOCLDSTOP); count = 0;
  pid = fork();
  if (pid == 0) for (;;) pause();
  kill(pid, SIGSTOP); waitpid(pid, &st, WUNTRACED); say("nocldstop %d", count); kill(pid, SIGKILL);
  waitpid(pid, &st, 0); say("killed %x told %d", st, count);
}
static void sessions(void) {
  pid_t pid = fork();
  if (pid == 0) {
    say("setsid %d", setsid() == getpid());
    say("again %ld", ERR(setsid()));
    say("pgid %d sid %d", getpgid(0) == getpid(), getsid(0) == getpid());
    pid_t a = fork();
    if (a == 0) { pause(); _exit(0); }
    say("own group %ld", ERR(setpgid(a, a)));
    say("is %d", getpgid(a) == a);
    say("nobody's %ld other's %ld negative %ld", ERR(setpgid(99999, 0)), ERR(setpgid(a, 99998)), ERR(setpgid(a, -1)));
    say("leader %ld", ERR(setpgid(0, a)));
    say("killpg %ld", ERR(kill(-a, SIGTERM)));
    int st; waitpid(-a, &st, 0); say("group's status %x", st);
    _exit(0);
  }
  waitpid(pid, 0, 0);
  /* An orphaned group with a stopped member: SIGHUP, then SIGCONT. */
  int p[2]; char c;
  pipe(p);
  pid = fork();
  if (pid == 0) {
    pid_t kid = fork();
    if (kid == 0) { setpgid(0, 0); on(SIGHUP, plain, 0); on(SIGCONT, plain, 0); raise(SIGSTOP); c = 'A' + count; write(p[1], &c, 1); _exit(0); }
    int st; waitpid(kid, &st, WUNTRACED); _exit(0);
  }
  waitpid(pid, 0, 0);
  read(p[0], &c, 1); say("orphan got %d", c - 'A');
  /* In an orphaned group SIGTSTP does nothing by default. */
  pid = fork();
  if (pid == 0) { setsid(); raise(SIGTSTP); raise(SIGTTIN); raise(SIGTTOU); _exit(9); }
  int st; waitpid(pid, &st, WUNTRACED); say("orphan's tstp %x", st);
}
static void *waiter(void *arg) { sigset_t s; int sig; sigemptyset(&s); sigaddset(&s, SIGUSR1); sigwait(&s, &sig); *(int *)arg = sig; return 0; }
static void threads(void) {
  pthread_t t; int got = 0;
  block(SIG_BLOCK, SIGUSR1);
  pthread_create(&t, 0, waiter, &got);
  usleep(5000); kill(getpid(), SIGUSR1); pthread_join(t, 0); say("a thread takes it %d", got);
  say("tgkill wrong group %ld", ERR(syscall(SYS_tgkill, getppid(), getpid(), SIGUSR1)));
  say("tkill 0 %ld", ERR(syscall(SYS_tkill, 0, SIGUSR1)));
  pthread_create(&t, 0, waiter, &got); pthread_kill(t, SIGUSR1); pthread_join(t, 0); say("directed %d", got);
}
static void limits(void) {
  struct rlimit l = { 3, 3 };
  block(SIG_BLOCK, 40); block(SIG_BLOCK, SIGUSR1);
  setuid(12345);
  setrlimit(RLIMIT_SIGPENDING, &l);
  long r[5];
  for (int i = 0; i < 5; i++) r[i] = ERR(sigqueue(getpid(), 40, (union sigval){ .sival_int = i }));
  say("queue %ld %ld %ld %ld %ld", r[0], r[1], r[2], r[3], r[4]);
  say("kill %ld", ERR(kill(getpid(), SIGUSR1)));
  say("rt kill %ld", ERR(kill(getpid(), 40)));
}
static void death(void) {
  int sigs[] = { SIGHUP, SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGKILL, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGCHLD, SIGURG, SIGWINCH, SIGIO, SIGPWR, SIGSYS, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGSTKFLT, 34, 64 };
  for (unsigned i = 0; i < N(sigs); i++) {
    int st; pid_t pid = fork();
    if (pid == 0) { kill(getpid(), sigs[i]); _exit(1); }
    waitpid(pid, &st, 0); say("%d: %x", sigs[i], st);
  }
}

static const struct { const char *name; void (*run)(void); } CASES[] = {
  { "order of the queue", queue_order }, { "codes", codes }, { "flags", flags }, { "nodefer", nodefer }, { "faults", faults }, { "altstack", altstack },
  { "altstack in use", altstack_use }, { "signalfd", signalfds }, { "timerfd", timerfds }, { "itimers", itimers }, { "posix timers", posix_timers },
  { "interrupted", interrupted }, { "stopped and continued", restarted }, { "waiting", waiting }, { "sessions", sessions }, { "threads", threads },
  { "limits", limits }, { "death", death },
};
int main(int argc, char **argv) {
  struct rlimit none = { 0, 0 };
  setrlimit(RLIMIT_CORE, &none);
  for (unsigned i = 0; i < N(CASES); i++) {
    int status;
    if (argc > 1 && strcmp(argv[1], CASES[i].name)) continue;
    printf("== %s\n", CASES[i].name);
    fflush(stdout);
    if (fork() == 0) { CASES[i].run(); _exit(0); }
    wait(&status);
    printf("  status %x\n", status);
  }
  return 0;
}
