/* Credentials, capabilities, prctl, memory advice, limits: the same natively and in the machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#define N(a) (sizeof(a) / sizeof(a[0]))
#define say(...) (printf("  " __VA_ARGS__), putchar('\n'), fflush(stdout))
#define ERR(x) ({ errno = 0; long r_ = (long)(x); r_ == -1 ? -errno : r_; })

static void caps(const char *when) {
  struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct d[2];
  long r = ERR(syscall(SYS_capget, &h, d));
  say("%s: %ld eff %d perm %d inh %d", when, r, d[0].effective != 0, d[0].permitted != 0, d[0].inheritable != 0);
}
static void ids(const char *when) {
  uid_t r, e, s; gid_t gr, ge, gs;
  getresuid(&r, &e, &s); getresgid(&gr, &ge, &gs);
  say("%s: %d %d %d fs %d, %d %d %d", when, r, e, s, setfsuid(-1), gr, ge, gs);
}
static void users(void) {
  ids("root"); caps("root");
  say("setreuid %ld", ERR(setreuid(100, 200))); ids("after"); caps("after");
  say("seteuid 100 %ld", ERR(seteuid(100))); ids("after");
  say("seteuid 0 %ld", ERR(seteuid(0)));
  say("setuid 200 %ld", ERR(setuid(200))); ids("after");
  say("setuid 300 %ld", ERR(setuid(300)));
  say("setgid %ld groups %ld", ERR(setgid(5)), ERR(setgroups(0, 0)));
}
static void saved(void) {
  say("seteuid %ld", ERR(seteuid(500))); ids("after"); caps("after");
  say("back %ld", ERR(seteuid(0))); caps("again");
  say("fsuid %d then %d", setfsuid(77), setfsuid(-1));
  say("setresuid %ld", ERR(setresuid(1, 2, 3))); ids("after"); caps("after");
  say("swap %ld", ERR(setresuid(3, 1, -1))); ids("after");
  say("other %ld", ERR(setresuid(9, -1, -1)));
}
static void keep(void) {
  say("keepcaps %ld", ERR(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)));
  setuid(1000); caps("kept");
  struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
  struct __user_cap_data_struct d[2];
  syscall(SYS_capget, &h, d);
  d[0].effective = d[0].permitted & (1 << CAP_SETUID); d[1].effective = 0;
  say("raise %ld", ERR(syscall(SYS_capset, &h, d)));
  say("setuid 0 %ld", ERR(setuid(0)));
  d[0].permitted |= 1 << CAP_NET_ADMIN; d[0].permitted &= ~(1 << CAP_CHOWN); d[0].effective &= d[0].permitted;
  say("drop %ld", ERR(syscall(SYS_capset, &h, d)));
  d[0].permitted |= 1 << CAP_CHOWN; say("regain %ld", ERR(syscall(SYS_capset, &h, d)));
  h.version = 1; say("version %ld is %x", ERR(syscall(SYS_capget, &h, 0)), h.version);
  h.version = _LINUX_CAPABILITY_VERSION_3; h.pid = 99999; say("nobody %ld", ERR(syscall(SYS_capget, &h, d)));
}
static void prctls(void) {
  char name[16] = "";
  int v;
  prctl(PR_SET_NAME, "a name that is too long"); prctl(PR_GET_NAME, name); say("name %s", name);
  say("dumpable %ld set 2 %ld", ERR(prctl(PR_GET_DUMPABLE)), ERR(prctl(PR_SET_DUMPABLE, 2)));
  say("pdeathsig %ld bad %ld", ERR(prctl(PR_SET_PDEATHSIG, SIGUSR1)), ERR(prctl(PR_SET_PDEATHSIG, 65)));
  prctl(PR_GET_PDEATHSIG, &v); say("is %d", v);
  say("keepcaps 2 %ld", ERR(prctl(PR_SET_KEEPCAPS, 2)));
  say("nnp %ld %ld clear %ld args %ld", ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)), ERR(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)), ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)), ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0)));
  say("subreaper %ld", ERR(prctl(PR_SET_CHILD_SUBREAPER, 1))); prctl(PR_GET_CHILD_SUBREAPER, &v); say("is %d", v);
  say("bset %ld drop %ld %ld none %ld", ERR(prctl(PR_CAPBSET_READ, CAP_CHOWN)), ERR(prctl(PR_CAPBSET_DROP, CAP_CHOWN)), ERR(prctl(PR_CAPBSET_READ, CAP_CHOWN)), ERR(prctl(PR_CAPBSET_READ, 200)));
  say("securebits %ld", ERR(prctl(PR_GET_SECUREBITS)));
  say("slack %ld %ld", ERR(prctl(PR_SET_TIMERSLACK, 1234)), ERR(prctl(PR_GET_TIMERSLACK)));
  say("tsc %ld", ERR(prctl(PR_GET_TSC, &v))); say("is %d", v);
  say("unknown %ld", ERR(prctl(12345)));
  /* The subreaper gets the grandchild. */
  int p[2]; pipe(p);
  if (fork() == 0) { if (fork() == 0) { usleep(20000); int d = getppid(); write(p[1], &d, 4); _exit(0); } _exit(0); }
  wait(0); read(p[0], &v, 4); say("reaper %d", v == getpid()); wait(0);
}
static void set_mm(void) {
  unsigned long brk = (unsigned long)sbrk(0);
  say("args %ld", ERR(prctl(PR_SET_MM, PR_SET_MM_ARG_START, &brk, 0, 1)));
  unsigned size = 0;
  say("size %ld", ERR(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0))); say("is %u", size);
  setuid(1000); say("user %ld", ERR(prctl(PR_SET_MM, PR_SET_MM_START_BRK, brk, 0, 0)));
}
static void memory(void) {
  unsigned char vec[8];
  char *p = mmap(0, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  p[0] = p[4096 * 3] = 1;
  long r_ = ERR(mincore(p, 8 * 4096, vec));
  say("mincore %ld: %d%d%d%d", r_, vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
  say("unaligned %ld hole %ld", ERR(mincore(p + 1, 4096, vec)), ERR(mincore((void *)0x10000, 4096, vec)));
  r_ = ERR(madvise(p, 4096, MADV_DONTNEED));
  say("dontneed %ld %d", r_, p[0]);
  say("bad %ld unaligned %ld hole %ld", ERR(madvise(p, 4096, 12345)), ERR(madvise(p + 1, 4096, MADV_NORMAL)), ERR(madvise((void *)0x10000, 4096, MADV_NORMAL)));
  p[4096] = 7; say("dontfork %ld", ERR(madvise(p + 4096, 4096, MADV_DONTFORK)));
  if (fork() == 0) { say("in the child %ld", ERR(mincore(p + 4096, 4096, vec))); _exit(0); }
  wait(0);
  say("mlock %ld munlock %ld", ERR(mlock(p, 4096)), ERR(munlock(p, 4096)));
  say("mlock hole %ld", ERR(mlock((void *)0x10000, 4096)));
  say("mlockall %ld bad %ld munlockall %ld", ERR(mlockall(MCL_CURRENT)), ERR(mlockall(0)), ERR(munlockall()));
  say("mlock2 %ld flag %ld", ERR(syscall(SYS_mlock2, p, 4096, 1)), ERR(syscall(SYS_mlock2, p, 4096, 2)));
  struct rlimit l = { 8192, 8192 };
  setrlimit(RLIMIT_MEMLOCK, &l);
  if (fork() == 0) { setuid(1000); munlockall(); say("limit %ld %ld", ERR(mlock(p, 8192)), ERR(mlock(p, 4 * 4096))); _exit(0); }
  wait(0);
  say("mprotect hole %ld unaligned %ld", ERR(mprotect((void *)0x10000, 4096, PROT_READ)), ERR(mprotect(p + 1, 1, PROT_READ)));
  say("msync %ld bad %ld hole %ld", ERR(msync(p, 4096, MS_SYNC)), ERR(msync(p, 4096, MS_SYNC | MS_ASYNC)), ERR(msync((void *)0x10000, 4096, MS_SYNC)));
}
static void limits(void) {
  struct rlimit l = { 10, 20 }, was;
  say("nofile %ld", ERR(setrlimit(RLIMIT_NOFILE, &l)));
  getrlimit(RLIMIT_NOFILE, &was); say("is %ld %ld", (long)was.rlim_cur, (long)was.rlim_max);
  int fd = 0; while ((fd = dup(0)) >= 0 && fd < 30); say("dup %d dup2 %ld", errno, ERR(dup2(0, 10)));
  for (fd = 3; fd < 10; fd++) close(fd);
  l.rlim_cur = 30; say("above %ld", ERR(setrlimit(RLIMIT_NOFILE, &l)));
  say("resource %ld", ERR(getrlimit(99, &l)));
  if (fork() == 0) { setuid(1000); l.rlim_cur = 5; l.rlim_max = 25; say("raise %ld", ERR(setrlimit(RLIMIT_NOFILE, &l))); _exit(0); }
  wait(0);
  l.rlim_cur = l.rlim_max = 100;
  setrlimit(RLIMIT_FSIZE, &l); signal(SIGXFSZ, SIG_IGN);
  int f = open("/tmp/limited", O_RDWR | O_CREAT | O_TRUNC, 0600); char big[200] = "";
  say("write %ld", ERR(write(f, big, 200)));
  say("again %ld", ERR(write(f, big, 1)));
  say("nice %ld", ERR(setpriority(PRIO_PROCESS, 0, 5))); say("is %d", getpriority(PRIO_PROCESS, 0));
  say("raw %ld", ERR(syscall(SYS_getpriority, PRIO_PROCESS, 0)));
  if (fork() == 0) { setuid(1000); say("raise %ld lower %ld", ERR(setpriority(PRIO_PROCESS, 0, 1)), ERR(setpriority(PRIO_PROCESS, 0, 7))); _exit(0); }
  wait(0);
}
static void system_(void) {
  struct utsname u;
  uname(&u); say("machine %s", u.machine);
  say("personality %lx", ERR(personality(0xffffffff)) & 0xff);
  personality(PER_LINUX32); uname(&u); say("as 32 %s %lx", u.machine, ERR(personality(0xffffffff)) & 0xff);
  char r[8] = "";
  say("getrandom %ld flags %ld", ERR(syscall(SYS_getrandom, r, 8, 0)), ERR(syscall(SYS_getrandom, r, 8, 0x100)));
  struct sysinfo si; long r_ = ERR(sysinfo(&si)); say("sysinfo %ld procs %d", r_, si.procs > 0);
  struct rusage ru; say("rusage %ld who %ld", ERR(getrusage(RUSAGE_SELF, &ru)), ERR(getrusage(77, &ru)));
  say("sched %ld prio %ld %ld", ERR(sched_getscheduler(0)), ERR(sched_get_priority_max(SCHED_FIFO)), ERR(sched_get_priority_min(SCHED_OTHER)));
  struct sched_param sp = { 0 }; say("param %ld bad %ld", ERR(sched_setscheduler(0, SCHED_BATCH, &sp)), ERR(sched_setscheduler(0, SCHED_FIFO, &sp)));
  say("yield %ld", ERR(sched_yield()));
  say("getcpu %ld", ERR(syscall(SYS_getcpu, 0, 0, 0)));
  say("getpgid %ld getsid %ld", ERR(getpgid(99999)), ERR(getsid(99999)));
  say("hostname %ld", ERR(sethostname("x", 65)));
  say("kcmp %ld %ld", ERR(syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0)), ERR(syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0)));
  say("acct %ld swapon %ld", ERR(syscall(SYS_setuid, 1000)), ERR(syscall(SYS_setuid, 0)));
  say("chroot %ld sethostname %ld", ERR(chroot("/")), ERR(sethostname("x", 1)));
}
static void vm(void) {
  char src[16] = "0123456789abcde", dst[16] = "";
  struct iovec l = { dst, 8 }, r = { src, 8 }, bad = { (void *)16, 8 };
  say("readv %ld %s", ERR(process_vm_readv(getpid(), &l, 1, &r, 1, 0)), dst);
  say("bad %ld flags %ld nobody %ld", ERR(process_vm_readv(getpid(), &l, 1, &bad, 1, 0)), ERR(process_vm_readv(getpid(), &l, 1, &r, 1, 1)), ERR(process_vm_readv(99999, &l, 1, &r, 1, 0)));
  l.iov_base = "read only"; say("writev %ld", ERR(process_vm_writev(getpid(), &l, 1, &r, 1, 0))); say("is %.8s", src);
}
static const struct { const char *name; void (*run)(void); } CASES[] = {
  { "users", users }, { "saved ids", saved }, { "kept capabilities", keep }, { "prctl", prctls }, { "PR_SET_MM", set_mm }, { "memory", memory },
  { "limits", limits }, { "system", system_ }, { "process_vm", vm },
};
int main(void) {
  for (unsigned i = 0; i < N(CASES); i++) {
    int status;
    printf("== %s\n", CASES[i].name);
    fflush(stdout);
    if (fork() == 0) { CASES[i].run(); _exit(0); }
    wait(&status);
    printf("  status %x\n", status);
  }
  return 0;
}
