/* System V IPC: the same natively and in the machine. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define N(a) (sizeof(a) / sizeof(a[0]))
#define say(...) (printf("  " __VA_ARGS__), putchar('\n'), fflush(stdout))
#define ERR(x) ({ errno = 0; long r_ = (long)(x); r_ == -1 ? -errno : r_; })
#define KEY 0x5ec0de
union semun { int val; struct semid_ds *buf; unsigned short *array; };

static void shm(void) {
  struct shmid_ds ds;
  int id = shmget(IPC_PRIVATE, 5000, 0600);
  say("get %d again %ld none %ld", id >= 0, ERR(shmget(KEY, 4096, 0)), ERR(shmget(KEY, 0, IPC_CREAT | 0600)));
  char *a = shmat(id, 0, 0), *b = shmat(id, 0, SHM_RDONLY);
  a[4999] = 'x'; say("shared %d zero %d", b[4999] == 'x', b[0] == 0);
  shmctl(id, IPC_STAT, &ds);
  say("size %ld attached %ld mode %o own %d last %d", (long)ds.shm_segsz, (long)ds.shm_nattch, ds.shm_perm.mode, ds.shm_cpid == getpid(), ds.shm_lpid == getpid());
  if (fork() == 0) { a[1] = 'c'; shmctl(id, IPC_STAT, &ds); say("in the child %ld", (long)ds.shm_nattch); _exit(0); }
  wait(0);
  say("from the child %d", b[1] == 'c');
  say("unaligned %ld here %ld", ERR(shmat(id, a + 1, 0)), ERR(shmat(id, a, 0)));
  say("remap %d", shmat(id, a, SHM_REMAP) == a);
  say("rmid %ld", ERR(shmctl(id, IPC_RMID, 0)));
  shmctl(id, IPC_STAT, &ds); say("marked %o attached %ld", ds.shm_perm.mode, (long)ds.shm_nattch);
  say("still %d", a[1] == 'c' || a[1] == 0);
  say("dt %ld", ERR(shmdt(a)));
  say("dt %ld", ERR(shmdt(b)));
  say("again %ld", ERR(shmdt(a)));
  say("gone %d", ERR(shmctl(id, IPC_STAT, &ds)) < 0);
  id = shmget(KEY, 4096, IPC_CREAT | IPC_EXCL | 0640);
  say("key %d excl %ld bigger %ld same %d", id >= 0, ERR(shmget(KEY, 4096, IPC_CREAT | IPC_EXCL)), ERR(shmget(KEY, 9000, 0)), shmget(KEY, 100, 0) == id);
  if (fork() == 0) {
    setgid(54321); setuid(12345);
    say("other: get %ld at %ld stat %ld rmid %ld", ERR(shmget(KEY, 100, 0600)), ERR(shmat(id, 0, 0)), ERR(shmctl(id, IPC_STAT, &ds)), ERR(shmctl(id, IPC_RMID, 0)));
    _exit(0);
  }
  wait(0);
  ds.shm_perm.uid = 12345; ds.shm_perm.gid = 1; ds.shm_perm.mode = 0604; say("set %ld", ERR(shmctl(id, IPC_SET, &ds)));
  shmctl(id, IPC_STAT, &ds); say("is %d %d %o %d", ds.shm_perm.uid, ds.shm_perm.gid, ds.shm_perm.mode, ds.shm_perm.cuid);
  say("lock %ld", ERR(shmctl(id, SHM_LOCK, 0))); shmctl(id, IPC_STAT, &ds); say("mode %o", ds.shm_perm.mode);
  say("bad %ld cmd %ld", ERR(shmctl(-1, IPC_STAT, &ds)), ERR(shmctl(id, 99, &ds)));
  shmctl(id, IPC_RMID, 0);
}
static void sem(void) {
  struct semid_ds ds; union semun u; unsigned short v[3] = { 1, 2, 3 };
  int id = semget(IPC_PRIVATE, 3, 0600);
  say("get %ld zero %ld many %ld", id >= 0 ? 0L : (long)-errno, ERR(semget(IPC_PRIVATE, 0, 0600)), ERR(semget(IPC_PRIVATE, 32001, 0600)));
  u.array = v; say("setall %ld", ERR(semctl(id, 0, SETALL, u)));
  say("val %ld %ld pid %d", ERR(semctl(id, 2, GETVAL)), ERR(semctl(id, 3, GETVAL)), semctl(id, 0, GETPID) == getpid());
  u.val = 40000; say("range %ld", ERR(semctl(id, 0, SETVAL, u)));
  struct sembuf down2 = { 1, -2, 0 }, again = { 1, -1, IPC_NOWAIT }, zero = { 1, 0, 0 }, far = { 7, 1, 0 };
  say("down %ld", ERR(semop(id, &down2, 1)));
  say("would wait %ld", ERR(semop(id, &again, 1)));
  say("zero %ld", ERR(semop(id, &zero, 1)));
  say("far %ld", ERR(semop(id, &far, 1)));
  struct sembuf both[2] = { { 0, -1, IPC_NOWAIT }, { 1, -1, IPC_NOWAIT } };
  say("all or none %ld", ERR(semop(id, both, 2)));
  say("left %ld", ERR(semctl(id, 0, GETVAL)));
  struct sembuf huge = { 2, 32767, 0 }; say("overflow %ld", ERR(semop(id, &huge, 1)));
  say("none %ld too many %ld", ERR(semop(id, &huge, 0)), ERR(semop(id, &huge, 501)));
  if (fork() == 0) { struct sembuf s = { 1, -1, 0 }; say("woken %ld", ERR(semop(id, &s, 1))); _exit(0); }
  usleep(20000); say("waiters %ld %ld", ERR(semctl(id, 1, GETNCNT)), ERR(semctl(id, 1, GETZCNT)));
  struct sembuf up = { 1, 1, 0 }; semop(id, &up, 1); wait(0);
  say("left %ld", ERR(semctl(id, 1, GETVAL)));
  struct timespec ts = { 0, 10000000 }; struct sembuf one = { 1, -1, 0 };
  say("timed %ld", ERR(semtimedop(id, &one, 1, &ts)));
  if (fork() == 0) { struct sembuf s = { 0, 5, SEM_UNDO }; semop(id, &s, 1); say("during %ld", ERR(semctl(id, 0, GETVAL))); _exit(0); }
  wait(0); say("undone %ld", ERR(semctl(id, 0, GETVAL)));
  if (fork() == 0) { struct sembuf s = { 1, -1, 0 }; say("removed %ld", ERR(semop(id, &s, 1))); _exit(0); }
  usleep(20000);
  u.buf = &ds; semctl(id, 0, IPC_STAT, u); say("nsems %ld otime %d", (long)ds.sem_nsems, ds.sem_otime != 0);
  semctl(id, 0, IPC_RMID); wait(0);
  say("gone %d", ERR(semctl(id, 0, GETVAL)) < 0);
}
struct text { long type; char text[9000]; };
static void msg(void) {
  static struct text m; struct msqid_ds ds;
  int id = msgget(IPC_PRIVATE, 0600);
  m.type = 0; say("type %ld", ERR(msgsnd(id, &m, 1, 0)));
  m.type = 1; say("long %ld", ERR(msgsnd(id, &m, 8193, 0)));
  for (int i = 0; i < 4; i++) { m.type = (int[]){ 3, 1, 2, 1 }[i]; m.text[0] = 'a' + i; msgsnd(id, &m, 10 + i, 0); }
  msgctl(id, IPC_STAT, &ds); say("num %ld bytes %ld of %ld own %d", (long)ds.msg_qnum, (long)ds.__msg_cbytes, (long)ds.msg_qbytes, ds.msg_lspid == getpid());
  long r = ERR(msgrcv(id, &m, 100, 2, 0)); say("two %ld %c", r, m.text[0]);
  r = ERR(msgrcv(id, &m, 100, -3, 0)); say("lowest %ld %ld %c", r, m.type, m.text[0]);
  r = ERR(msgrcv(id, &m, 100, 3, MSG_EXCEPT)); say("except %ld %ld %c", r, m.type, m.text[0]);
  say("too big %ld", ERR(msgrcv(id, &m, 5, 0, 0)));
  r = ERR(msgrcv(id, &m, 5, 0, MSG_NOERROR)); say("cut %ld %ld", r, m.type);
  say("none %ld", ERR(msgrcv(id, &m, 5, 0, IPC_NOWAIT)));
  m.type = 9;
  say("fill %ld", ERR(msgsnd(id, &m, 8192, 0)));
  say("fill %ld", ERR(msgsnd(id, &m, 8192, 0)));
  say("full %ld", ERR(msgsnd(id, &m, 1, IPC_NOWAIT)));
  if (fork() == 0) { m.type = 5; say("waited %ld", ERR(msgsnd(id, &m, 100, 0))); _exit(0); }
  usleep(20000); msgrcv(id, &m, 8192, 9, 0); wait(0); msgrcv(id, &m, 8192, 9, 0);
  r = ERR(msgrcv(id, &m, 8192, 0, 0)); say("then %ld %ld", r, m.type);
  if (fork() == 0) { say("removed %ld", ERR(msgrcv(id, &m, 100, 0, 0))); _exit(0); }
  usleep(20000); say("rmid %ld", ERR(msgctl(id, IPC_RMID, 0))); wait(0);
  say("gone %d", ERR(msgsnd(id, &m, 1, 0)) < 0);
}
static const struct { const char *name; void (*run)(void); } CASES[] = { { "shared memory", shm }, { "semaphores", sem }, { "messages", msg } };
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
