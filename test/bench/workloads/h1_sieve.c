#include "rt.h"
#define N 2000000
static u8 composite[N];
static u32 run(void) {
  u32 sum = 0;
  for (int k = 0; k < 6 * SCALE; k++) {
    memset(composite, 0, N);
    for (u32 i = 2; i < N; i++) {
      if (composite[i]) continue;
      sum += i;
      for (u32 j = 2 * i; j < N; j += i) composite[j] = 1;
    }
  }
  return sum;
}
