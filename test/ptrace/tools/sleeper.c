/* What gdb attaches to. */
#include <time.h>

volatile int released;

int main(void) {
  struct timespec ts = { 0, 10000000 };
  while (!released) nanosleep(&ts, 0);
  return 9;
}
