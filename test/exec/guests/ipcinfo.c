/* What ipcs(1) asks: the limits of System V IPC. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

int main(void) {
  struct shminfo s;
  struct seminfo m;
  struct msginfo q;
  printf("%d", shmctl(0, IPC_INFO, (void *)&s) >= 0);
  printf(" %lu %lu %lu %lu\n", s.shmmin, s.shmmni, s.shmseg, s.shmmax);
  printf("%d", semctl(0, 0, IPC_INFO, &m) >= 0);
  printf(" %d %d %d %d %d %d %d %d\n", m.semmni, m.semmns, m.semmsl, m.semopm, m.semvmx, m.semmap, m.semusz, m.semaem);
  printf("%d", msgctl(0, IPC_INFO, (void *)&q) >= 0);
  printf(" %d %d %d %d %d %d\n", q.msgmax, q.msgmnb, q.msgmni, q.msgssz, q.msgmap, q.msgtql);
  int id = semget(IPC_PRIVATE, 4, 0600), shm = shmget(IPC_PRIVATE, 10000, 0600), msg = msgget(IPC_PRIVATE, 0600);
  msgsnd(msg, &(struct { long type; char text[5]; }){1, "abc"}, 4, 0);
  int top = semctl(0, 0, SEM_INFO, &m);
  printf("%d %d %d\n", top >= 0, m.semusz >= 1, m.semaem >= 4);
  struct shm_info i;
  printf("%d", shmctl(0, SHM_INFO, (void *)&i) >= 0);
  printf(" %d %d\n", i.used_ids >= 1, i.shm_tot >= 3);
  printf("%d", msgctl(0, MSG_INFO, (void *)&q) >= 0);
  printf(" %d %d %d\n", q.msgpool >= 1, q.msgmap >= 1, q.msgtql >= 4);
  semctl(id, 0, IPC_RMID), shmctl(shm, IPC_RMID, 0), msgctl(msg, IPC_RMID, 0);
  return 0;
}
