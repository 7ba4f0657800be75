/* mremap(2) and its like on [vdso] and [vvar]; for 64 bits, and with -m32 for fast system calls and signals. */
#include "row.h"

enum { MOVE = MREMAP_MAYMOVE | MREMAP_FIXED };
#define TO ((void *)0x50000000)

static long ret(void *r) { return r == MAP_FAILED ? -errno : 0; }
static struct area vdso, vvar;

static void start(void) { vdso = area("[vdso]", 0); vvar = area("[vvar]", 0); }
static void where(void) { say(", [vvar] %s, [vdso] %s", place(vvar, "[vvar]"), place(vdso, "[vdso]")); }

static void whole(long unused) { start(); say("%s", error(ret(mremap((void *)vdso.start, size(vdso), size(vdso), MOVE, TO)))); where(); }
static void whole_vvar(long unused) { start(); say("%s", error(ret(mremap((void *)vvar.start, size(vvar), size(vvar), MOVE, TO)))); where(); }
static void part_vvar(long unused) { start(); say("%s", error(ret(mremap((void *)vvar.start, 4096, 4096, MOVE, TO)))); where(); }
static void grow(long flags) { start(); say("%s", error(ret(mremap((void *)vdso.start, size(vdso), size(vdso) + 4096, flags)))); where(); }
static void onto_itself(long unused) { start(); say("%s", error(ret(mremap((void *)vdso.start, size(vdso), size(vdso), MOVE, (void *)vdso.start)))); where(); }
static void grow_moving(long unused) { start(); say("%s", error(ret(mremap((void *)vdso.start, size(vdso), size(vdso) + 4096, MOVE, TO)))); where(); }
static void dontunmap(long unused) { start(); say("%s", error(ret(mremap((void *)vdso.start, size(vdso), size(vdso), MREMAP_MAYMOVE | 4)))); where(); }
static void unmap_all(long unused) { start(); say("%s", error(munmap((void *)vdso.start, size(vdso)) ? -errno : 0)); where(); }
static void rwx(long unused) { start(); say("%s", error(mprotect((void *)vdso.start, 4096, 7) ? -errno : 0)); *(volatile char *)(vdso.start + 8) = 1; }
static void writable_vvar(long unused) { start(); say("%s", error(mprotect((void *)vvar.start, 4096, 3) ? -errno : 0)); }
static void in_child(long unused) {
  start();
  if (fork() == 0) { say("%s", error(ret(mremap((void *)vdso.start, size(vdso), size(vdso), MOVE, TO)))); where(); _exit(0); }
  wait(0);
  say("; the parent's [vdso] %s", place(vdso, "[vdso]"));
}

#ifdef __x86_64__
static void first_page(long unused) { start(); say("%s", error(ret(mremap((void *)vdso.start, 4096, 4096, MOVE, TO)))); where(); }
static void last_page(long unused) { start(); say("%s", error(ret(mremap((void *)(vdso.end - 4096), 4096, 4096, MOVE, TO)))); where(); }
static void shrink(long unused) {
  start();
  say("%s", error(ret(mremap((void *)vdso.start, 8192, 4096, 0)))); where();
  say("; then a move %s", error(ret(mremap((void *)vdso.start, 4096, 4096, MOVE, TO))));
}
static void unmap_part(long unused) { start(); say("%s", error(munmap((void *)vdso.end - 4096, 4096) ? -errno : 0)); where(); }
/* As posted ARCH_MAP_VDSO_32 leaves the old one, and all of them have the size of the last image. */
static void two_images(long unused) {
  start();
  long r;
  asm volatile("syscall" : "=a"(r) : "0"(158L), "D"(0x2002L), "S"(0x60000000L) : "rcx", "r11", "memory");
  say("%s", error(r));
  if (r) return;
  say(", old %s", error(ret(mremap((void *)vdso.start, 8192, 8192, MOVE, TO))));
  say(", new %s", error(ret(mremap((void *)area("[vdso]", 1).start, 4096, 4096, MOVE, (void *)0x70000000))));
}
#else
#include <elf.h>
#include <sys/auxv.h>
asm("by_int80: int $0x80; ret");
unsigned call_at;
static long at(unsigned entry, long nr, long a, long b, long c, long d, long e) {
  long r;
  call_at = entry;
  asm volatile("call *call_at" : "=a"(r) : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
  return r;
}
static long int80(long nr, long a, long b, long c, long d, long e) {
  long r;
  asm volatile("int $0x80" : "=a"(r) : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
  return r;
}
static unsigned entry(void) { return getauxval(AT_SYSINFO); }
static void move_by_fast(long unused) {
  start();
  say("%s", at(entry(), 163, vdso.start, size(vdso), size(vdso), MOVE, (long)TO) == (long)TO ? "0" : "?");
}
static void move_by_int80(void) { start(); int80(163, vdso.start, size(vdso), size(vdso), MOVE, (long)TO); }
static void call_after(long unused) { move_by_int80(); say("%d", at(entry() - vdso.start + (long)TO, 20, 0, 0, 0, 0, 0) == int80(20, 0, 0, 0, 0, 0)); }
static void call_at_old(long unused) { move_by_int80(); at(entry(), 20, 0, 0, 0, 0, 0); say("there"); }
static void int80_after(long unused) { move_by_int80(); say("%d", int80(20, 0, 0, 0, 0, 0) > 0); }
static volatile int handled;
static void handler(int sig) { handled = sig; }
static void signal_after(long rt) {
  move_by_int80();
  int act[5] = {(int)handler, 0, 0, 0, 0}, rt_act[5] = {(int)handler, 0, 0, 0, 0};
  if (rt) int80(174, 10, (int)rt_act, 0, 8, 0);
  else int80(67, 10, (int)act, 0, 0, 0);
  int80(37, int80(20, 0, 0, 0, 0, 0), 10, 0, 0, 0);
  say("%d", handled);
}
#endif

int main(void) {
#ifdef __i386__
  /* What the C library itself calls by the vDSO goes on when that is elsewhere. */
  asm volatile("movl $by_int80, %gs:0x10");
#endif
  row("whole [vdso]", whole, 0);
  row("whole [vvar]", whole_vvar, 0);
  row("first page of [vvar]", part_vvar, 0);
  row("grows", grow, 0);
  row("grows and may move", grow, MREMAP_MAYMOVE);
  row("grows at another place", grow_moving, 0);
  row("onto itself", onto_itself, 0);
  row("MREMAP_DONTUNMAP", dontunmap, 0);
  row("munmap", unmap_all, 0);
  row("mprotect of [vdso], and a write", rwx, 0);
  row("mprotect of [vvar]", writable_vvar, 0);
  row("in a child", in_child, 0);
#ifdef __x86_64__
  row("first page", first_page, 0);
  row("last page", last_page, 0);
  row("shrinks", shrink, 0);
  row("munmap of the last page", unmap_part, 0);
  row("two images", two_images, 0);
#else
  row("moved by a fast call", move_by_fast, 0);
  row("moved, then a fast call there", call_after, 0);
  row("moved, then a fast call at the old place", call_at_old, 0);
  row("moved, then int 0x80", int80_after, 0);
  row("moved, then a signal without SA_RESTORER", signal_after, 0);
  row("moved, then a signal of rt_sigaction without SA_RESTORER", signal_after, 1);
#endif
  return 0;
}
