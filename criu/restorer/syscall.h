/* System calls of the restorer: the 64-bit ones by SYSCALL, those of the 32-bit table by INT 0x80 out of 64-bit code. */
#pragma once

#define NR_mmap 9
#define NR_mprotect 10
#define NR_munmap 11
#define NR_rt_sigaction 13
#define NR_rt_sigprocmask 14
#define NR_rt_sigreturn 15
#define NR_write 1
#define NR_close 3
#define NR_mremap 25
#define NR_madvise 28
#define NR_setitimer 38
#define NR_getpid 39
#define NR_clone 56
#define NR_setrlimit 160
#define NR_setgroups 116
#define NR_setresuid 117
#define NR_setresgid 119
#define NR_setfsuid 122
#define NR_setfsgid 123
#define NR_capset 126
#define NR_rt_sigqueueinfo 129
#define NR_setpriority 141
#define NR_sched_setscheduler 144
#define NR_prctl 157
#define NR_arch_prctl 158
#define NR_futex 202
#define NR_set_tid_address 218
#define NR_timer_create 222
#define NR_timer_settime 223
#define NR_timer_delete 226
#define NR_exit_group 231
#define NR_set_robust_list 273
#define NR_preadv 295
#define NR_rt_tgsigqueueinfo 297

#define NR32_munmap 91
#define NR32_rt_sigreturn 173
#define NR32_rt_sigaction 174
#define NR32_set_thread_area 243
#define NR32_set_robust_list 311

#ifndef __ASSEMBLER__

#include <stdint.h>

#define LONG(value) ((long)(value))

static inline long syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	register long r9 asm("r9") = f;
	long result;

	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return result;
}

#define syscall0(nr) syscall6(nr, 0, 0, 0, 0, 0, 0)
#define syscall1(nr, a) syscall6(nr, LONG(a), 0, 0, 0, 0, 0)
#define syscall2(nr, a, b) syscall6(nr, LONG(a), LONG(b), 0, 0, 0, 0)
#define syscall3(nr, a, b, c) syscall6(nr, LONG(a), LONG(b), LONG(c), 0, 0, 0)
#define syscall4(nr, a, b, c, d) syscall6(nr, LONG(a), LONG(b), LONG(c), LONG(d), 0, 0)
#define syscall5(nr, a, b, c, d, e) syscall6(nr, LONG(a), LONG(b), LONG(c), LONG(d), LONG(e), 0)

/* The kernel takes it as a call of an i386 task, whatever CS is: arguments and result have 32 bits. */
static inline int int80(int nr, uint32_t a, uint32_t b, uint32_t c)
{
	int result;

	asm volatile("int $0x80"
		     : "=a"(result)
		     : "a"(nr), "b"(a), "c"(b), "d"(c)
		     : "r8", "r9", "r10", "r11", "memory");
	return result;
}

#endif
