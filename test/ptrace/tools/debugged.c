/* What the debuggers of tools.test.ts debug. */
#include <stdio.h>
#include <unistd.h>

volatile int counter;
struct point {
  int x, y;
  double d;
} origin = { 1, 2, 2.5 };

__attribute__((noinline)) int add(int a, int b) {
  int r = a + b;
  counter = r;
  return r;
}

__attribute__((noinline)) int fact(int n) {
  return n <= 1 ? 1 : n * fact(n - 1);
}

int main(void) {
  setvbuf(stdout, 0, _IONBF, 0);
  int s = 0;
  for (int i = 0; i < 3; i++) s = add(s, i);
  getppid();
  printf("%d %d\n", s, fact(5));
  return s;
}
