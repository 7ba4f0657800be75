#include "rt.h"
static u32 run(void) {
  u32 sum = 0;
  for (int k = 0; k < SCALE; k++) {
    for (int y = 0; y < 300; y++) {
      for (int x = 0; x < 400; x++) {
        double cr = x / 150.0 - 2, ci = y / 150.0 - 1 + k * 0.001, zr = 0, zi = 0;
        int n = 0;
        while (n < 250 && zr * zr + zi * zi < 4) {
          double next = zr * zr - zi * zi + cr;
          zi = 2 * zr * zi + ci;
          zr = next;
          n++;
        }
        sum += n;
      }
    }
  }
  return sum;
}
