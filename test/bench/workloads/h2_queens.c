#include "rt.h"
static u32 place(u32 all, u32 columns, u32 left, u32 right) {
  if (columns == all) return 1;
  u32 found = 0;
  for (u32 open = all & ~(columns | left | right); open;) {
    u32 queen = open & -open;
    open ^= queen;
    found += place(all, columns | queen, (left | queen) << 1, (right | queen) >> 1);
  }
  return found;
}
static u32 run(void) {
  u32 sum = 0;
  for (int k = 0; k < SCALE; k++) sum += place((1 << 12) - 1, 0, 0, 0) + k;
  return sum;
}
