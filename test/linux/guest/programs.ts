/** C programs whose output under the model must be what Linux prints: no addresses, pids or times in it. */

export const threads = `
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <semaphore.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static int counter, ready;
static __thread int own;
static void *work(void *arg) {
  for (int i = 0; i < 1000; i++) {
    pthread_mutex_lock(&lock);
    counter++;
    pthread_mutex_unlock(&lock);
    own++;
  }
  pthread_mutex_lock(&lock);
  ready++;
  pthread_cond_signal(&cond);
  pthread_mutex_unlock(&lock);
  sem_wait(&sem);
  return (void *)(long)(own + (long)arg);
}
int main(void) {
  pthread_t t[4];
  sem_init(&sem, 0, 0);
  for (long i = 0; i < 4; i++) pthread_create(&t[i], 0, work, (void *)i);
  pthread_mutex_lock(&lock);
  while (ready < 4) pthread_cond_wait(&cond, &lock);
  pthread_mutex_unlock(&lock);
  for (int i = 0; i < 4; i++) sem_post(&sem);
  for (int i = 0; i < 4; i++) {
    void *r;
    pthread_join(t[i], &r);
    printf("thread %d: %ld\\n", i, (long)r);
  }
  printf("counter %d\\n", counter);
  return 0;
}`;

export const signals = `
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <sys/mman.h>
static volatile int seen;
static sigjmp_buf back;
static char stack[65536];
static volatile double fp;
static void simple(int sig) { seen = sig; }
static void info(int sig, siginfo_t *si, void *uc) {
  (void)uc;
  char here;
  printf("sig %d code %d value %d altstack %d\\n", sig, si->si_code, si->si_value.sival_int,
         &here >= stack && &here < stack + sizeof stack);
  fp = fp * 3.5;
}
static void fault(int sig, siginfo_t *si, void *uc) {
  printf("fault %d code %d addr %lx\\n", sig, si->si_code, (unsigned long)si->si_addr & 0xfff);
  (void)uc;
  siglongjmp(back, 1);
}
static void set(int sig, void *fn, int flags) {
  struct sigaction sa;
  memset(&sa, 0, sizeof sa);
  sa.sa_sigaction = (void (*)(int, siginfo_t *, void *))fn;
  sa.sa_flags = flags;
  sigaction(sig, &sa, 0);
}
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  set(SIGUSR1, simple, 0);
  raise(SIGUSR1);
  printf("raise: %d\\n", seen);
  stack_t ss = { .ss_sp = stack, .ss_size = sizeof stack };
  printf("sigaltstack: %d\\n", sigaltstack(&ss, 0));
  set(SIGRTMIN + 1, info, SA_SIGINFO | SA_ONSTACK);
  union sigval v = { .sival_int = 4711 };
  double before = 1.25;
  fp = 2.0;
  sigqueue(getpid(), SIGRTMIN + 1, v);
  printf("fp %g %g\\n", before * 2, fp);
  sigset_t m, old;
  sigemptyset(&m);
  sigaddset(&m, SIGUSR2);
  sigprocmask(SIG_BLOCK, &m, &old);
  set(SIGUSR2, simple, 0);
  raise(SIGUSR2);
  printf("blocked: %d\\n", seen);
  sigset_t p;
  sigpending(&p);
  printf("pending: %d\\n", sigismember(&p, SIGUSR2));
  sigprocmask(SIG_SETMASK, &old, 0);
  printf("unblocked: %d\\n", seen);
  set(SIGSEGV, fault, SA_SIGINFO | SA_NODEFER);
  set(SIGBUS, fault, SA_SIGINFO | SA_NODEFER);
  set(SIGFPE, fault, SA_SIGINFO | SA_NODEFER);
  set(SIGILL, fault, SA_SIGINFO | SA_NODEFER);
  set(SIGTRAP, fault, SA_SIGINFO | SA_NODEFER);
  if (!sigsetjmp(back, 1)) *(volatile int *)0x10 = 1;
  char *page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!sigsetjmp(back, 1)) page[0x123] = 1;
  volatile int zero = 0;
  if (!sigsetjmp(back, 1)) printf("%d\\n", (zero + 77) / zero);
  if (!sigsetjmp(back, 1)) __asm__ volatile("ud2");
  if (!sigsetjmp(back, 1)) __asm__ volatile("int3");
  if (!sigsetjmp(back, 1)) __asm__ volatile("hlt");
  if (!sigsetjmp(back, 1)) __asm__ volatile("int $0x77");
  struct itimerval it = { { 0, 0 }, { 0, 50000 } };
  set(SIGALRM, simple, 0);
  setitimer(ITIMER_REAL, &it, 0);
  struct timespec ts = { 5, 0 }, rem = { 0, 0 };
  int r = nanosleep(&ts, &rem);
  printf("nanosleep %d %d, rest %d, signal %d\\n", r, errno == EINTR, (int)rem.tv_sec, seen);
  struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value = { 99 } };
  timer_t t;
  printf("timer_create %d\\n", timer_create(CLOCK_MONOTONIC, &ev, &t));
  struct itimerspec its = { { 0, 0 }, { 0, 1000000 } };
  timer_settime(t, 0, &its, 0);
  pause();
  set(SIGUSR1, simple, SA_RESETHAND);
  raise(SIGUSR1);
  struct sigaction sa;
  sigaction(SIGUSR1, 0, &sa);
  printf("reset %d\\n", sa.sa_handler == SIG_DFL);
  raise(SIGTERM);
  return 1;
}`;

export const processes = `
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>
int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IONBF, 0);
  if (argc > 1) {
    printf("child says %s\\n", argv[1]);
    return 9;
  }
  int status;
  if (fork() == 0) _exit(3);
  wait(&status);
  printf("exit %d %d\\n", WIFEXITED(status), WEXITSTATUS(status));
  pid_t p = fork();
  if (p == 0) {
    signal(SIGSEGV, SIG_DFL);
    *(volatile int *)8 = 1;
  }
  waitpid(p, &status, 0);
  printf("signal %d %d\\n", WIFSIGNALED(status), WTERMSIG(status));
  p = fork();
  if (p == 0) {
    raise(SIGSTOP);
    _exit(4);
  }
  waitpid(p, &status, WUNTRACED);
  printf("stopped %d %d\\n", WIFSTOPPED(status), WSTOPSIG(status));
  kill(p, SIGCONT);
  siginfo_t si;
  memset(&si, 0, sizeof si);
  waitid(P_PID, p, &si, WCONTINUED | WEXITED);
  printf("waitid code %d\\n", si.si_code == CLD_CONTINUED || si.si_code == CLD_EXITED);
  while (waitpid(p, &status, 0) < 0 && errno == EINTR) {}
  int fds[2];
  pipe(fds);
  p = vfork();
  if (p == 0) {
    dup2(fds[1], 1);
    execl("/proc/self/exe", "again", "hi", (char *)0);
    _exit(127);
  }
  close(fds[1]);
  char buf[64];
  int n = read(fds[0], buf, sizeof buf);
  waitpid(p, &status, 0);
  printf("from child: %.*sstatus %d\\n", n, buf, WEXITSTATUS(status));
  int *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int *private = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (fork() == 0) {
    *shared = 5;
    *private = 5;
    _exit(0);
  }
  wait(0);
  printf("shared %d private %d\\n", *shared, *private);
  int none = wait(0);
  printf("no child %d %d\\n", none, errno == ECHILD);
  prctl(PR_SET_NAME, "renamed");
  char name[17] = "";
  prctl(PR_GET_NAME, name);
  printf("name %s\\n", name);
  struct rlimit rl = { 100, 200 };
  setrlimit(RLIMIT_NOFILE, &rl);
  getrlimit(RLIMIT_NOFILE, &rl);
  printf("rlimit %d %d\\n", (int)rl.rlim_cur, (int)rl.rlim_max);
  printf("uid %d sid %d\\n", getuid() == geteuid(), getsid(0) == getsid(getpid()));
  struct utsname u;
  uname(&u);
  printf("uname %s %s\\n", u.sysname, u.machine);
  signal(SIGPIPE, SIG_IGN);
  close(fds[0]);
  return 0;
}`;
