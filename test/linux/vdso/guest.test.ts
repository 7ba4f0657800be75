import { expect } from 'chai';
import { buildC, haveGcc } from '../../helpers/build.ts';
import { runGuest } from '../helpers/run-guest.ts';

/** Calls each function of the vDSO and the system call of the same name; their answers may be 1 ms apart. */
const CLOCKS = `
#define _GNU_SOURCE
#include <sched.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long long ns(struct timespec t) { return t.tv_sec * 1000000000ll + t.tv_nsec; }
static int near(long long a, long long b) { return b >= a && b - a < 1000000; }
int main(void) {
  struct timespec a, b;
  static const int clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_BOOTTIME };
  for (int i = 0; i < 4; i++) {
    if (clock_gettime(clocks[i], &a)) return 1 + i;
    if (syscall(SYS_clock_gettime, clocks[i], &b)) return 11 + i;
    if (!near(ns(a), ns(b))) return 21 + i;
  }
  struct timeval tv;
  clock_gettime(CLOCK_REALTIME, &a);
  if (gettimeofday(&tv, 0)) return 31;
  if (!near(ns(a) - 1000, tv.tv_sec * 1000000000ll + tv.tv_usec * 1000ll)) return 32;
  if (time(0) != tv.tv_sec) return 33;
  if (sched_getcpu() != 0) return 34;
  return 42;
}`;

describe('the vDSO, called by a guest program', () => {
  for (const [name, flags] of [
    ['64-bit', ['-m64']],
    ['32-bit', ['-m32']],
  ] as const) {
    it(`tells the time of the system calls: ${name}`, function () {
      if (!haveGcc()) this.skip();
      expect(runGuest(buildC('clocks', CLOCKS, [...flags, '-static']))).to.equal(42);
    });
  }
});
