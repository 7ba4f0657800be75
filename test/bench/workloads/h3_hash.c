#include "rt.h"
#define SIZE (1 << 16)
static u32 keys[SIZE], values[SIZE];
static u32 *find(u32 key) {
  u32 at = key * 2654435761u >> 16;
  while (keys[at] && keys[at] != key) at = (at + 1) & (SIZE - 1);
  keys[at] = key;
  return &values[at];
}
static u32 run(void) {
  u32 sum = 0, seed = 1;
  for (int k = 0; k < 20 * SCALE; k++) {
    memset(keys, 0, sizeof keys);
    for (int i = 0; i < 400000; i++) {
      seed = seed * 1664525 + 1013904223;
      sum += ++*find((seed >> 17) + 1);
    }
  }
  return sum;
}
