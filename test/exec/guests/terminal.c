/* Pseudo terminals: the line discipline, job control, hangup. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define R(call) do { errno = 0; long r_ = (call); printf("%d %s = %ld%s%s\n", __LINE__, #call, r_, r_ < 0 ? " " : "", r_ < 0 ? strerror(errno) : ""); } while (0)
static int m, s;

static void show(const char *what, int fd) {
  char buf[8192];
  struct pollfd p = {fd, POLLIN};
  ssize_t n = poll(&p, 1, 60) > 0 ? read(fd, buf, sizeof buf) : -2;
  printf("%s %d %x:", what, (int)n, p.revents);
  for (ssize_t i = 0; i < n && i < 200; i++) printf(buf[i] < 32 || buf[i] == 127 ? "<%d>" : "%c", buf[i]);
  printf("\n");
}
/* Natively the discipline works on it a moment later, and on a busy machine later still. */
static void type(const char *text) { (void)!write(m, text, strlen(text)), usleep(20000); }
static void talk(const char *text) {
  printf("-- ");
  for (const char *t = text; *t; t++) printf(*t < 32 || *t == 127 ? "<%d>" : "%c", *t);
  printf("\n");
  type(text);
  show("echo", m);
  show("read", s);
}
static int events(int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI};
  poll(&p, 1, 0);
  return p.revents;
}
static void mode(tcflag_t clear, tcflag_t set) {
  struct termios t;
  tcgetattr(s, &t);
  t.c_lflag = (t.c_lflag & ~clear) | set;
  tcsetattr(s, TCSANOW, &t);
}
static volatile int got;
static void note(int sig) { got = sig; }

static void discipline(void) {
  struct termios t;
  struct stat st;
  int n;
  R(m = open("/dev/ptmx", O_RDWR | O_NOCTTY));
  R(open(ptsname(m), O_RDWR | O_NOCTTY));
  R(grantpt(m));
  R(unlockpt(m));
  R(events(m));
  R(s = open(ptsname(m), O_RDWR | O_NOCTTY));
  R(isatty(s) + isatty(m));
  fstat(s, &st);
  printf("%o %d\n", st.st_mode & S_IFMT, (int)(st.st_rdev >> 8));
  R(strcmp(ttyname(s), ptsname(m)));
  R(tcgetattr(s, &t));
  printf("%o %o %o %o\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
  for (int i = 0; i < 17; i++) printf("%d ", t.c_cc[i]);
  struct winsize w = {24, 80, 1, 2};
  R(ioctl(m, TIOCSWINSZ, &w));
  memset(&w, 0, sizeof w);
  R(ioctl(s, TIOCGWINSZ, &w));
  printf("%d %d %d %d\n", w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel);
  R(tcgetpgrp(s));
  R(events(m));
  R(events(s));
  talk("hello\n");
  talk("partial");
  talk(" line\r");
  talk("abc\177\177X\n");
  talk("one two  three\027four\n");
  talk("kill this\025that\n");
  talk("tab\there\177\177\177\177\177\177!\n");
  talk("\001\033[A\n");
  talk("lit\026\003eral\026\n\n");
  talk("again\022\n");
  talk("eof\004");
  talk("\004");
  talk("two\nlines\n");
  show("second", s);
  talk("\023");
  R(events(s));
  R(fcntl(s, F_SETFL, O_NONBLOCK));
  R(write(s, "stopped", 7));
  type("\021");
  R(write(s, "a\tb\nc\r\n", 7));
  show("out", m);
  R(fcntl(s, F_SETFL, 0));
  mode(ECHO, 0);
  talk("silent\n");
  mode(0, ECHONL);
  talk("newline only\n");
  mode(ICANON, ECHO);
  talk("raw\177\004\n");
  type("keep");
  mode(0, ICANON);
  show("became a line", s);
  talk("x\n");
  mode(ICANON | ECHO | ISIG, 0);
  tcgetattr(s, &t);
  t.c_cc[VMIN] = 3, t.c_cc[VTIME] = 0, t.c_iflag = 0, t.c_oflag = 0;
  tcsetattr(s, TCSANOW, &t);
  type("ab");
  R(events(s));
  type("c\r\003");
  show("three", s);
  t.c_cc[VMIN] = 0, t.c_cc[VTIME] = 0;
  tcsetattr(s, TCSANOW, &t);
  char b[10];
  R(read(s, b, 10));
  t.c_cc[VTIME] = 1;
  tcsetattr(s, TCSANOW, &t);
  R(read(s, b, 10));
  type("z");
  R(read(s, b, 10));
  t.c_cc[VMIN] = 5;
  tcsetattr(s, TCSANOW, &t);
  type("yz");
  R(read(s, b, 10));
  R(ioctl(m, FIONREAD, &n));
  type("flush me");
  R(ioctl(s, FIONREAD, &n));
  R(n);
  R(tcflush(s, TCIFLUSH));
  R(ioctl(s, FIONREAD, &n));
  R(n);
  R(ioctl(s, TIOCGETD, &n));
  R(tcdrain(s));
  R(ioctl(s, 0x5499, 0));
  t.c_iflag = ICRNL | IXON, t.c_oflag = OPOST | ONLCR, t.c_lflag = ICANON | ECHO | ECHOE | ECHOK | ISIG | IEXTEN | ECHOCTL | ECHOKE;
  tcsetattr(s, TCSANOW, &t);
  char big[5000];
  memset(big, 'q', sizeof big);
  R(write(m, big, 5000) > 0);
  type("\n");
  usleep(60000);
  ioctl(s, FIONREAD, &n);
  R(n);
  tcflush(s, TCIOFLUSH);
  close(s);
  R(events(m));
  R(read(m, b, 5));
  R(s = open(ptsname(m), O_RDWR | O_NOCTTY));
  char name[50];
  strcpy(name, ptsname(m));
  close(m);
  R(events(s));
  R(read(s, b, 5));
  R(write(s, "x", 1));
  R(ioctl(s, TCGETS, &t));
  close(s);
  R(access(name, F_OK));
}

/* A session with a shell's moves. */
static void control(void) {
  m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  unlockpt(m);
  char name[50];
  strcpy(name, ptsname(m));
  fflush(stdout);
  pid_t leader = fork();
  if (leader == 0) {
    R(open("/dev/tty", O_RDWR) >= 0 ? 1 : -errno == -ENXIO);
    R(setsid() == getpid());
    R(open("/dev/tty", O_RDWR));
    s = open(name, O_RDWR);
    R(tcgetsid(s) == getpid());
    R(tcgetpgrp(s) == getpid());
    int tty = open("/dev/tty", O_RDWR);
    R(tty >= 0);
    signal(SIGINT, note);
    type("\003");
    usleep(20000);
    R(got);
    show("^C", m);
    signal(SIGTTOU, SIG_DFL);
    pid_t job = fork();
    if (job == 0) {
      setpgid(0, 0);
      char b[50];
      signal(SIGINT, SIG_DFL);
      ssize_t n = read(s, b, 50);
      printf("job read %d\n", (int)n), fflush(stdout);
      tcsetpgrp(s, getpid());
      _exit(5);
    }
    setpgid(job, job);
    int status;
    R(waitpid(job, &status, WUNTRACED) == job);
    printf("stopped by %d\n", WSTOPSIG(status));
    R(tcsetpgrp(s, 999999));
    R(tcsetpgrp(s, job));
    type("input\n");
    R(kill(-job, SIGCONT));
    R(waitpid(job, &status, WUNTRACED) == job);
    printf("status %x\n", status);
    signal(SIGTTOU, SIG_IGN);
    R(tcsetpgrp(s, getpgrp()));
    show("echo", m);
    job = fork();
    if (job == 0) {
      setpgid(0, 0);
      signal(SIGTTOU, SIG_DFL), signal(SIGINT, SIG_DFL);
      struct termios t;
      tcgetattr(s, &t);
      t.c_lflag |= TOSTOP;
      tcsetattr(s, TCSANOW, &t);
      _exit(6);
    }
    setpgid(job, job);
    waitpid(job, &status, WUNTRACED);
    printf("settings stopped it: %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
    tcsetpgrp(s, job);
    kill(-job, SIGCONT);
    waitpid(job, &status, 0);
    tcsetpgrp(s, getpgrp());
    printf("then %x\n", status);
    job = fork();
    if (job == 0) {
      setpgid(0, 0);
      signal(SIGTTOU, SIG_DFL), signal(SIGINT, SIG_DFL);
      (void)!write(s, "background\n", 11);
      _exit(7);
    }
    setpgid(job, job);
    waitpid(job, &status, WUNTRACED);
    printf("output stopped it: %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
    tcsetpgrp(s, job);
    kill(-job, SIGCONT);
    waitpid(job, &status, 0);
    show("its output", m);
    /* A foreground job that the keyboard kills. */
    job = fork();
    if (job == 0) {
      setpgid(0, 0);
      signal(SIGINT, SIG_DFL), signal(SIGQUIT, SIG_DFL);
      tcsetpgrp(s, getpid());
      for (;;) pause();
    }
    while (tcgetpgrp(s) != job) usleep(100);
    type("\032");
    waitpid(job, &status, WUNTRACED);
    printf("^Z: %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
    kill(-job, SIGCONT);
    type("\003");
    waitpid(job, &status, 0);
    printf("^C: %x\n", status & 0x7f);
    tcsetpgrp(s, getpgrp());
    signal(SIGWINCH, note);
    struct winsize w = {30, 90};
    ioctl(m, TIOCSWINSZ, &w);
    R(got == SIGWINCH);
    job = fork();
    if (job == 0) {
      signal(SIGHUP, SIG_DFL);
      for (;;) pause();
    }
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(leader, &status, 0);
  printf("leader %x\n", status);
  /* The terminal goes: the session leader hears of it. */
  fflush(stdout);
  leader = fork();
  if (leader == 0) {
    setsid();
    close(m);
    m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    unlockpt(m);
    s = open(ptsname(m), O_RDWR);
    signal(SIGHUP, note);
    close(m);
    usleep(1000);
    R(got == SIGHUP);
    R(open("/dev/tty", O_RDWR));
    char b;
    R(read(s, &b, 1));
    fflush(stdout);
    _exit(0);
  }
  waitpid(leader, &status, 0);
  printf("leader %x\n", status);
}

int main(void) {
  static char out[1 << 16];
  setvbuf(stdout, out, _IOFBF, sizeof out);
  close(0), open("/dev/null", O_RDONLY);
  discipline();
  control();
  return 0;
}
