/*
 * The clock functions of the three vDSO images. Virtual time: the time stamp counter counts nanoseconds since boot, and
 * the [vvar] page holds what has to be added: u64 at 0 for CLOCK_REALTIME, u64 at 8 for CLOCK_MONOTONIC.
 * What is not known here goes to the kernel.
 */
typedef unsigned long long u64;
typedef long long s64;
typedef unsigned int u32;

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_REALTIME_COARSE 5
#define CLOCK_MONOTONIC_COARSE 6
/* CONFIG_HZ=250. */
#define TICK_NSEC 4000000u
#define NSEC_PER_SEC 1000000000u

#ifdef __i386__
typedef int word;
#define NR_clock_gettime 265
#define NR_clock_getres 266
#else
typedef s64 word;
#ifdef __ILP32__
#define NR_BASE 0x40000000
#else
#define NR_BASE 0
#endif
#define NR_clock_gettime (NR_BASE + 228)
#endif

struct timespec { word sec, nsec; };
struct timespec64 { s64 sec, nsec; };
struct timeval { word sec, usec; };
struct timezone { int minuteswest, dsttime; };

struct vvar { u64 realtime_offset, monotonic_offset; };
extern const volatile struct vvar vvar_page __attribute__((visibility("hidden")));

#define EXPORT __attribute__((visibility("default")))

static inline u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return ((u64)high << 32) | low;
}

/* Seconds and the rest; no libgcc in here. */
static inline u32 split(u64 ns, u32 *rest)
{
#ifdef __i386__
	u32 seconds, upper = (u32)(ns >> 32) % NSEC_PER_SEC;

	__asm__("divl %4" : "=a"(seconds), "=d"(*rest) : "a"((u32)ns), "d"(upper), "rm"(NSEC_PER_SEC));
	return seconds;
#else
	*rest = ns % NSEC_PER_SEC;
	return ns / NSEC_PER_SEC;
#endif
}

static inline word kernel2(word nr, word a, void *b)
{
	word result;

#ifdef __i386__
	__asm__ volatile("int $0x80" : "=a"(result) : "0"(nr), "b"(a), "c"(b) : "memory");
#else
	__asm__ volatile("syscall" : "=a"(result) : "0"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
#endif
	return result;
}

/* Nanoseconds of a clock that the page knows; false for all others. */
static inline int read_clock(int clock, u64 *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		*ns = rdtsc() + vvar_page.realtime_offset;
		return 1;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
		*ns = rdtsc() + vvar_page.monotonic_offset;
		return 1;
	}
	return 0;
}

EXPORT int __vdso_clock_gettime(int clock, struct timespec *ts)
{
	u64 ns;
	u32 rest;

	if (!read_clock(clock, &ns))
		return kernel2(NR_clock_gettime, clock, ts);
	ts->sec = split(ns, &rest);
	if (clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE)
		rest -= rest % TICK_NSEC;
	ts->nsec = rest;
	return 0;
}

EXPORT int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz)
{
	u64 ns;
	u32 rest;

	if (tv) {
		read_clock(CLOCK_REALTIME, &ns);
		tv->sec = split(ns, &rest);
		tv->usec = rest / 1000;
	}
	if (tz)
		tz->minuteswest = tz->dsttime = 0;
	return 0;
}

EXPORT word __vdso_time(word *t)
{
	u64 ns;
	u32 rest;
	word seconds;

	read_clock(CLOCK_REALTIME, &ns);
	seconds = split(ns, &rest);
	if (t)
		*t = seconds;
	return seconds;
}

/* GDT entry 15: its limit is node << 12 | cpu. */
EXPORT int __vdso_getcpu(u32 *cpu, u32 *node, void *unused)
{
	u32 p;

	(void)unused;
	__asm__("lsl %1, %0" : "=r"(p) : "r"(0x7b));
	if (cpu)
		*cpu = p & 0xfff;
	if (node)
		*node = p >> 12;
	return 0;
}

#ifdef __i386__
/*
 * Unlike Linux v4.7, which has none of these two (nor getcpu) in its 32-bit vDSO: an image that was dumped on a later
 * kernel brings a vDSO with them, and the restorer's jump trampolines must lead somewhere.
 */
EXPORT int __vdso_clock_gettime64(int clock, struct timespec64 *ts)
{
	struct timespec old;
	u64 ns;
	u32 rest;
	int error;

	if (read_clock(clock, &ns)) {
		ts->sec = split(ns, &rest);
		ts->nsec = rest;
		return 0;
	}
	error = kernel2(NR_clock_gettime, clock, &old);
	if (!error) {
		ts->sec = old.sec;
		ts->nsec = old.nsec;
	}
	return error;
}

EXPORT int __vdso_clock_getres(int clock, struct timespec *ts)
{
	return kernel2(NR_clock_getres, clock, ts);
}
#else
int clock_gettime(int, struct timespec *) __attribute__((weak, alias("__vdso_clock_gettime"), visibility("default")));
int gettimeofday(struct timeval *, struct timezone *) __attribute__((weak, alias("__vdso_gettimeofday"), visibility("default")));
word time(word *) __attribute__((weak, alias("__vdso_time"), visibility("default")));
int getcpu(u32 *, u32 *, void *) __attribute__((weak, alias("__vdso_getcpu"), visibility("default")));
#endif
