/* Made by header.ts from args.ts: edit that. */
#pragma once

#ifndef __ASSEMBLER__
#include <stdint.h>

struct restore_vma {
	uint64_t start;
	uint64_t end;
	uint64_t pgoff;
	uint64_t madv;
	uint32_t prot;
	uint32_t flags;
	int32_t fd;
	uint32_t close_fd;
};
_Static_assert(sizeof(struct restore_vma) == 48, "restore_vma");

struct restore_iovec {
	uint64_t base;
	uint64_t length;
};
_Static_assert(sizeof(struct restore_iovec) == 16, "restore_iovec");

struct restore_vdso_jump {
	uint64_t from;
	uint64_t to_offset;
};
_Static_assert(sizeof(struct restore_vdso_jump) == 16, "restore_vdso_jump");

struct restore_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
	uint64_t signo;
};
_Static_assert(sizeof(struct restore_sigaction) == 40, "restore_sigaction");

struct restore_compat_sigaction {
	uint32_t handler;
	uint32_t flags;
	uint32_t restorer;
	uint32_t mask[2];
	uint32_t signo;
};
_Static_assert(sizeof(struct restore_compat_sigaction) == 24, "restore_compat_sigaction");

struct restore_rlimit {
	uint64_t cur;
	uint64_t max;
};
_Static_assert(sizeof(struct restore_rlimit) == 16, "restore_rlimit");

struct restore_itimer {
	uint64_t interval_sec;
	uint64_t interval_usec;
	uint64_t value_sec;
	uint64_t value_usec;
};
_Static_assert(sizeof(struct restore_itimer) == 32, "restore_itimer");

struct restore_posix_timer {
	uint64_t interval_sec;
	uint64_t interval_nsec;
	uint64_t value_sec;
	uint64_t value_nsec;
	uint64_t sival;
	uint32_t id;
	uint32_t clock;
	uint32_t signo;
	uint32_t notify;
	uint32_t notify_tid;
	uint32_t _reserved;
};
_Static_assert(sizeof(struct restore_posix_timer) == 64, "restore_posix_timer");

struct restore_siginfo {
	uint8_t bytes[128];
};
_Static_assert(sizeof(struct restore_siginfo) == 128, "restore_siginfo");

struct restore_user_desc {
	uint32_t entry_number;
	uint32_t base_addr;
	uint32_t limit;
	uint32_t flags;
};
_Static_assert(sizeof(struct restore_user_desc) == 16, "restore_user_desc");

struct restore_mm_map {
	uint64_t start_code;
	uint64_t end_code;
	uint64_t start_data;
	uint64_t end_data;
	uint64_t start_brk;
	uint64_t brk;
	uint64_t start_stack;
	uint64_t arg_start;
	uint64_t arg_end;
	uint64_t env_start;
	uint64_t env_end;
	uint64_t auxv;
	uint32_t auxv_size;
	uint32_t exe_fd;
};
_Static_assert(sizeof(struct restore_mm_map) == 104, "restore_mm_map");

struct thread_restore_args {
	uint64_t task;
	uint64_t stack_top;
	uint64_t sigframe;
	uint64_t clear_tid_addr;
	uint64_t robust_list;
	uint64_t fs_base;
	uint64_t gs_base;
	uint64_t tls;
	uint64_t siginfos;
	uint64_t groups;
	uint32_t robust_list_size;
	uint32_t tls_count;
	uint32_t siginfo_count;
	uint32_t group_count;
	uint32_t pid;
	int32_t nice;
	uint32_t policy;
	uint32_t priority;
	uint32_t pdeath_signal;
	uint32_t uid;
	uint32_t gid;
	uint32_t euid;
	uint32_t egid;
	uint32_t suid;
	uint32_t sgid;
	uint32_t fsuid;
	uint32_t fsgid;
	uint32_t secbits;
	uint32_t no_new_privs;
	uint32_t cap_inh[2];
	uint32_t cap_prm[2];
	uint32_t cap_eff[2];
	uint32_t cap_bnd[2];
	uint32_t cap_amb[2];
	uint8_t comm[16];
};
_Static_assert(sizeof(struct thread_restore_args) == 216, "thread_restore_args");

struct task_restore_args {
	uint64_t keep_start;
	uint64_t keep_end;
	uint64_t release_start;
	uint64_t release_size;
	uint64_t task_size;
	uint64_t vmas;
	uint64_t iovecs;
	uint64_t vdso_jumps;
	uint64_t sigactions;
	uint64_t rlimits;
	uint64_t itimers;
	uint64_t posix_timers;
	uint64_t siginfos;
	uint64_t threads;
	uint64_t mm;
	uint64_t park;
	uint64_t rt_vvar_size;
	uint64_t rt_vdso_size;
	uint64_t image_vdso;
	uint64_t image_vdso_size;
	uint64_t image_vvar;
	uint64_t image_vvar_size;
	uint32_t compat;
	uint32_t map_vdso;
	uint32_t vdso_in_place;
	uint32_t vma_count;
	uint32_t iovec_count;
	uint32_t vdso_jump_count;
	uint32_t sigaction_count;
	uint32_t rlimit_count;
	uint32_t posix_timer_count;
	uint32_t siginfo_count;
	uint32_t thread_count;
	int32_t pages_fd;
	int32_t last_pid_fd;
	int32_t log_fd;
	uint32_t thp_disabled;
	uint32_t child_subreaper;
	uint32_t dumpable;
	uint32_t stage;
	uint32_t threads_ready;
	uint32_t _reserved;
};
_Static_assert(sizeof(struct task_restore_args) == 256, "task_restore_args");

#endif

#define TASK_RELEASE_START 16
#define TASK_RELEASE_SIZE 24
#define TASK_SIGACTIONS 64
#define TASK_SIGACTION_COUNT 200
#define TASK_THREADS_READY 248
#define COMPAT_SIGACTION_SIGNO 20
#define COMPAT_SIGACTION_SIZE 24
