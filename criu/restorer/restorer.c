/*
 * The restorer blob: runs in the task that is being restored, as 64-bit code at any address, and turns it into the task of the
 * image. It removes all that was mapped but itself, puts the image's memory, vDSO and kernel-side state in place, and
 * leaves through rt_sigreturn. It must neither touch its own data segment nor need relocation: there is none.
 * CRIU: criu/pie/restorer.c; facts and order follow what a real restore does.
 */
#include "syscall.h"
#include "task-restore-args.h"

#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 0x20
#define MAP_32BIT 0x40
#define MREMAP_MAYMOVE 1
#define MREMAP_FIXED 2
#define PAGE_SIZE 4096ul

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_MAP_VDSO_32 0x2002
#define ARCH_MAP_VDSO_64 0x2003

#define PR_SET_PDEATHSIG 1
#define PR_SET_DUMPABLE 4
#define PR_SET_NAME 15
#define PR_CAPBSET_DROP 24
#define PR_GET_SECUREBITS 27
#define PR_SET_SECUREBITS 28
#define PR_SET_MM 35
#define PR_SET_CHILD_SUBREAPER 36
#define PR_SET_NO_NEW_PRIVS 38
#define PR_SET_THP_DISABLE 41
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_RAISE 2
#define PR_SET_MM_START_CODE 1
#define PR_SET_MM_AUXV 12
#define PR_SET_MM_EXE_FILE 13
#define PR_SET_MM_MAP 14

#define SECBIT_NO_SETUID_FIXUP 4
#define CAP_VERSION_3 0x20080522

#define CLONE_VM 0x100
#define CLONE_FS 0x200
#define CLONE_FILES 0x400
#define CLONE_SIGHAND 0x800
#define CLONE_THREAD 0x10000
#define CLONE_SYSVSEM 0x40000

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define EINVAL 22
#define EAGAIN 11
#define IOV_MAX 1024

/* Values of task_restore_args.stage. */
#define STAGE_RESTORE 0
#define STAGE_CREDS 1

#define NOINLINE __attribute__((noinline))
#define POINTER(type, address) ((struct type *)(uintptr_t)(address))

/* tail.S */
_Noreturn void restorer_leave_compat(struct task_restore_args *task, uint64_t sigframe, uint64_t leader);
_Noreturn void restorer_leave_native(struct task_restore_args *task, uint64_t sigframe, uint64_t leader);
long restorer_clone(unsigned long flags, uint64_t stack_top, struct thread_restore_args *thread);
_Noreturn void restorer_thread(struct thread_restore_args *thread);

static uint64_t length(const char *text)
{
	uint64_t n = 0;

	while (text[n])
		n++;
	return n;
}

/* Says on the log which call failed with which errno, and ends the task. */
_Noreturn NOINLINE void restorer_fail(struct task_restore_args *task, const char *what, long error)
{
	char number[24];
	int at = sizeof(number);
	unsigned long left = error < 0 ? -(unsigned long)error : (unsigned long)error;

	number[--at] = '\n';
	do {
		number[--at] = '0' + left % 10;
		left /= 10;
	} while (left);
	syscall3(NR_write, task->log_fd, "restorer: ", 10);
	syscall3(NR_write, task->log_fd, what, length(what));
	syscall3(NR_write, task->log_fd, error < 0 ? " failed: errno " : " gave ", error < 0 ? 15 : 6);
	syscall3(NR_write, task->log_fd, number + at, sizeof(number) - at);
	for (;;)
		syscall1(NR_exit_group, 1);
}

static void check(struct task_restore_args *task, const char *what, long result)
{
	if (result < 0)
		restorer_fail(task, what, result);
}

/* Everything that CRIU had mapped goes, its vDSO too; what lies in keep_start..keep_end stays. */
NOINLINE void restorer_unmap_old(struct task_restore_args *task)
{
	if (task->keep_start)
		check(task, "munmap below the restorer", syscall2(NR_munmap, 0, task->keep_start));
	check(task, "munmap above the restorer",
	      syscall2(NR_munmap, task->keep_end, task->task_size - task->keep_end));
}

/*
 * Maps [vvar] and after it [vdso] of the image's kind at the park address. The series of June 2016 returned 0, what was merged
 * returns the size of the image.
 */
NOINLINE void restorer_map_vdso(struct task_restore_args *task)
{
	long result;

	if (!task->map_vdso)
		return;
	result = syscall2(NR_arch_prctl, task->compat ? ARCH_MAP_VDSO_32 : ARCH_MAP_VDSO_64, task->park);
	check(task, task->compat ? "arch_prctl(ARCH_MAP_VDSO_32)" : "arch_prctl(ARCH_MAP_VDSO_64)", result);
	if (*(uint32_t *)(task->park + task->rt_vvar_size) != 0x464c457f)
		restorer_fail(task, "looking for the vDSO at the park address", result);
}

NOINLINE void restorer_map_memory(struct task_restore_args *task)
{
	struct restore_vma *vma = POINTER(restore_vma, task->vmas);
	struct restore_vma *end = vma + task->vma_count;
	long result;

	for (; vma < end; vma++) {
		/* A private mapping is made writable until its pages are in. */
		result = syscall6(NR_mmap, vma->start, vma->end - vma->start,
				  vma->flags & MAP_PRIVATE ? vma->prot | PROT_WRITE : vma->prot, vma->flags, vma->fd,
				  vma->pgoff);
		check(task, "mmap of a vma", result);
		if ((uint64_t)result != vma->start)
			restorer_fail(task, "mmap of a vma", result);
		if (vma->close_fd)
			syscall1(NR_close, vma->fd);
	}
}

NOINLINE void restorer_read_pages(struct task_restore_args *task)
{
	struct restore_iovec *iovec = POINTER(restore_iovec, task->iovecs);
	uint32_t left = task->iovec_count;
	uint64_t offset = 0;

	while (left) {
		uint32_t count = left < IOV_MAX ? left : IOV_MAX;
		long result = syscall5(NR_preadv, task->pages_fd, iovec, count, offset, 0);

		check(task, "preadv of pages", result);
		if (result == 0)
			restorer_fail(task, "preadv of pages", result);
		offset += result;
		while (left && (uint64_t)result >= iovec->length) {
			result -= iovec->length;
			iovec++;
			left--;
		}
		if (result) {
			iovec->base += result;
			iovec->length -= result;
		}
	}
	if (task->pages_fd >= 0)
		syscall1(NR_close, task->pages_fd);
}

/* The machine's vDSO is the one of the image: it goes to where the image had it. */
NOINLINE void restorer_move_vdso(struct task_restore_args *task)
{
	uint64_t flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	check(task, "munmap of the image's vdso", syscall2(NR_munmap, task->image_vdso, task->image_vdso_size));
	check(task, "munmap of the image's vvar", syscall2(NR_munmap, task->image_vvar, task->image_vvar_size));
	check(task, "mremap of [vdso]",
	      syscall5(NR_mremap, task->park + task->rt_vvar_size, task->rt_vdso_size, task->rt_vdso_size, flags,
		       task->image_vdso));
	check(task, "mremap of [vvar]",
	      syscall5(NR_mremap, task->park, task->rt_vvar_size, task->rt_vvar_size, flags, task->image_vvar));
}

/*
 * The machine's vDSO differs: it stays where it is, and the image's functions become jumps to it. The first bytes of the
 * machine's vDSO say what they belong to, for whoever dumps this task.
 */
NOINLINE void restorer_proxy_vdso(struct task_restore_args *task)
{
	struct restore_vdso_jump *jump = POINTER(restore_vdso_jump, task->vdso_jumps);
	uint64_t vdso = task->park + task->rt_vvar_size;
	uint64_t *mark = (uint64_t *)vdso;

	for (uint32_t i = 0; i < task->vdso_jump_count; i++, jump++) {
		uint8_t *code = (uint8_t *)jump->from;
		uint64_t to = vdso + jump->to_offset;
		int at = 0;

		if (!task->compat)
			code[at++] = 0x48; /* movabs */
		code[at++] = 0xb8;
		for (int bits = 0; bits < (task->compat ? 32 : 64); bits += 8)
			code[at++] = to >> bits;
		code[at++] = 0xff; /* jmp *%rax */
		code[at++] = 0xe0;
		for (int i = 0; i < 4; i++)
			code[at++] = 0xcc;
	}
	check(task, "mprotect of [vdso]",
	      syscall3(NR_mprotect, vdso, task->rt_vdso_size, PROT_READ | PROT_WRITE | PROT_EXEC));
	mark[0] = 0x4f53447655495243;
	mark[1] = task->image_vdso;
	mark[2] = 3;
	mark[3] = task->image_vvar ? task->image_vvar : ~0ul;
	mark[4] = task->park;
	check(task, "mprotect of [vdso]", syscall3(NR_mprotect, vdso, task->rt_vdso_size, PROT_READ | PROT_EXEC));
}

NOINLINE void restorer_protect_memory(struct task_restore_args *task)
{
	struct restore_vma *vma = POINTER(restore_vma, task->vmas);

	for (uint32_t i = 0; i < task->vma_count; i++, vma++) {
		if (task->vdso_in_place && (vma->start == task->image_vdso || vma->start == task->image_vvar))
			continue;
		if (!(vma->prot & PROT_WRITE))
			check(task, "mprotect of a vma", syscall3(NR_mprotect, vma->start, vma->end - vma->start, vma->prot));
		for (int advice = 0; advice < 64; advice++)
			if (vma->madv >> advice & 1)
				check(task, "madvise", syscall3(NR_madvise, vma->start, vma->end - vma->start, advice));
	}
}

/* What /proc/PID shows of the program: borders, arguments, auxv, exe. */
NOINLINE void restorer_mm(struct task_restore_args *task)
{
	struct restore_mm_map *mm = POINTER(restore_mm_map, task->mm);
	long result = syscall5(NR_prctl, PR_SET_MM, PR_SET_MM_MAP, mm, sizeof(*mm), 0);

	if (result == -EINVAL) {
		/* The first eleven words in the order of PR_SET_MM_START_CODE and so on, but for the three of stack and brk. */
		uint64_t values[] = { mm->start_code, mm->end_code, mm->start_data, mm->end_data, mm->start_stack,
				      mm->start_brk,  mm->brk,	    mm->arg_start,  mm->arg_end,  mm->env_start,
				      mm->env_end };

		for (uint32_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
			check(task, "prctl(PR_SET_MM)", syscall5(NR_prctl, PR_SET_MM, PR_SET_MM_START_CODE + i, values[i], 0, 0));
		check(task, "prctl(PR_SET_MM_AUXV)",
		      syscall5(NR_prctl, PR_SET_MM, PR_SET_MM_AUXV, mm->auxv, mm->auxv_size, 0));
		result = (int32_t)mm->exe_fd < 0 ? 0 : syscall5(NR_prctl, PR_SET_MM, PR_SET_MM_EXE_FILE, mm->exe_fd, 0, 0);
	}
	check(task, "prctl(PR_SET_MM_MAP)", result);
	if ((int32_t)mm->exe_fd >= 0)
		syscall1(NR_close, mm->exe_fd);
}

/* The TLS descriptors: the call takes a 32-bit pointer, hence a page below 4 GiB. */
NOINLINE void restorer_set_tls(struct task_restore_args *task, struct thread_restore_args *thread)
{
	struct restore_user_desc *from = POINTER(restore_user_desc, thread->tls);
	struct restore_user_desc *to;
	long page;

	if (!thread->tls_count)
		return;
	page = syscall6(NR_mmap, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	check(task, "mmap(MAP_32BIT)", page);
	to = POINTER(restore_user_desc, page);
	for (uint32_t i = 0; i < thread->tls_count; i++, from++) {
		to->entry_number = from->entry_number;
		to->base_addr = from->base_addr;
		to->limit = from->limit;
		to->flags = from->flags;
		check(task, "set_thread_area", int80(NR32_set_thread_area, page, 0, 0));
	}
	check(task, "munmap", syscall2(NR_munmap, page, PAGE_SIZE));
}

static void thread_common(struct task_restore_args *task, struct thread_restore_args *thread)
{
	int priority = thread->priority;

	check(task, "prctl(PR_SET_NAME)", syscall2(NR_prctl, PR_SET_NAME, thread->comm));
	syscall1(NR_set_tid_address, thread->clear_tid_addr);
	if (thread->robust_list_size) {
		long result = task->compat ? int80(NR32_set_robust_list, thread->robust_list, thread->robust_list_size, 0) :
					     syscall2(NR_set_robust_list, thread->robust_list, thread->robust_list_size);
		check(task, "set_robust_list", result);
	}
	if (thread->nice)
		check(task, "setpriority", syscall3(NR_setpriority, 0, 0, thread->nice));
	if (thread->policy)
		check(task, "sched_setscheduler", syscall3(NR_sched_setscheduler, 0, thread->policy, &priority));
	check(task, "arch_prctl(ARCH_SET_FS)", syscall2(NR_arch_prctl, ARCH_SET_FS, thread->fs_base));
	check(task, "arch_prctl(ARCH_SET_GS)", syscall2(NR_arch_prctl, ARCH_SET_GS, thread->gs_base));
	restorer_set_tls(task, thread);
	if (thread->pdeath_signal)
		check(task, "prctl(PR_SET_PDEATHSIG)", syscall2(NR_prctl, PR_SET_PDEATHSIG, thread->pdeath_signal));
}

/* The other threads: the next pid is told to the kernel before each clone, where it has no other way. */
NOINLINE void restorer_clone_threads(struct task_restore_args *task)
{
	struct thread_restore_args *thread = POINTER(thread_restore_args, task->threads);
	unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

	for (uint32_t i = 1; i < task->thread_count; i++) {
		char text[12];
		int at = sizeof(text);
		long pid;

		thread++;
		for (uint32_t left = thread->pid - 1; left || at == sizeof(text); left /= 10)
			text[--at] = '0' + left % 10;
		check(task, "write to ns_last_pid", syscall3(NR_write, task->last_pid_fd, text + at, sizeof(text) - at));
		pid = restorer_clone(flags, thread->stack_top, thread);
		check(task, "clone of a thread", pid);
		if (pid != thread->pid)
			restorer_fail(task, "clone of a thread", pid);
	}
	if (task->last_pid_fd >= 0)
		syscall1(NR_close, task->last_pid_fd);
}

NOINLINE void restorer_limits(struct task_restore_args *task)
{
	struct restore_rlimit *rlimit = POINTER(restore_rlimit, task->rlimits);

	for (uint32_t i = 0; i < task->rlimit_count; i++)
		check(task, "setrlimit", syscall2(NR_setrlimit, i, rlimit + i));
}

/* Timer ids are given out in order: unwanted ones are made and deleted until the right one comes. */
NOINLINE void restorer_create_timers(struct task_restore_args *task)
{
	struct restore_posix_timer *timer = POINTER(restore_posix_timer, task->posix_timers);

	for (uint32_t i = 0; i < task->posix_timer_count; i++, timer++) {
		for (;;) {
			struct {
				uint64_t value;
				uint32_t signo, notify, tid, pad[11];
			} event = { timer->sival, timer->signo, timer->notify, timer->notify_tid, { 0 } };
			uint32_t id;

			check(task, "timer_create", syscall3(NR_timer_create, timer->clock, &event, &id));
			if (id == timer->id)
				break;
			if (id > timer->id)
				restorer_fail(task, "timer_create", id);
			check(task, "timer_delete", syscall1(NR_timer_delete, id));
		}
	}
}

NOINLINE void restorer_arm_timers(struct task_restore_args *task)
{
	struct restore_itimer *itimer = POINTER(restore_itimer, task->itimers);
	struct restore_posix_timer *timer = POINTER(restore_posix_timer, task->posix_timers);

	for (int which = 0; which < 3; which++, itimer++)
		if (itimer->value_sec | itimer->value_usec)
			check(task, "setitimer", syscall3(NR_setitimer, which, itimer, 0));
	for (uint32_t i = 0; i < task->posix_timer_count; i++, timer++)
		if (timer->value_sec | timer->value_nsec)
			check(task, "timer_settime", syscall4(NR_timer_settime, timer->id, 0, timer, 0));
}

/* Handlers of a 64-bit task; those of a 32-bit task are set by 32-bit code, in tail.S. */
NOINLINE void restorer_sigactions(struct task_restore_args *task)
{
	struct restore_sigaction *action = POINTER(restore_sigaction, task->sigactions);

	for (uint32_t i = 0; i < task->sigaction_count; i++, action++)
		check(task, "rt_sigaction", syscall4(NR_rt_sigaction, action->signo, action, 0, 8));
}

static void queue_signals(struct task_restore_args *task, uint64_t infos, uint32_t count, uint32_t tid)
{
	struct restore_siginfo *info = POINTER(restore_siginfo, infos);
	long pid = syscall0(NR_getpid);

	for (uint32_t i = 0; i < count; i++, info++) {
		uint32_t signo = *(uint32_t *)info;

		if (tid)
			check(task, "rt_tgsigqueueinfo", syscall4(NR_rt_tgsigqueueinfo, pid, tid, signo, info));
		else
			check(task, "rt_sigqueueinfo", syscall3(NR_rt_sigqueueinfo, pid, signo, info));
	}
}

NOINLINE void restorer_creds(struct task_restore_args *task, struct thread_restore_args *thread)
{
	struct {
		uint32_t version, pid;
	} header = { CAP_VERSION_3, 0 };
	struct {
		uint32_t effective, permitted, inheritable;
	} data[2];
	long secbits;

	if (thread->uid | thread->gid | thread->euid | thread->egid | thread->suid | thread->sgid | thread->fsuid |
	    thread->fsgid | thread->group_count) {
		check(task, "prctl(PR_SET_SECUREBITS)", syscall2(NR_prctl, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
		check(task, "setgroups", syscall2(NR_setgroups, thread->group_count, thread->groups));
		check(task, "setresgid", syscall3(NR_setresgid, thread->gid, thread->egid, thread->sgid));
		syscall1(NR_setfsgid, thread->fsgid);
		check(task, "setresuid", syscall3(NR_setresuid, thread->uid, thread->euid, thread->suid));
		syscall1(NR_setfsuid, thread->fsuid);
	}
	secbits = syscall1(NR_prctl, PR_GET_SECUREBITS);
	if (secbits != thread->secbits)
		check(task, "prctl(PR_SET_SECUREBITS)", syscall2(NR_prctl, PR_SET_SECUREBITS, thread->secbits));
	for (uint32_t cap = 0; cap < 64; cap++) {
		if (thread->cap_bnd[cap / 32] >> cap % 32 & 1)
			continue;
		/* EINVAL: the kernel has no such capability. */
		if (syscall2(NR_prctl, PR_CAPBSET_DROP, cap) == -EINVAL)
			break;
	}
	for (int i = 0; i < 2; i++) {
		data[i].effective = thread->cap_eff[i];
		data[i].permitted = thread->cap_prm[i];
		data[i].inheritable = thread->cap_inh[i];
	}
	check(task, "capset", syscall2(NR_capset, &header, data));
	for (uint32_t cap = 0; cap < 64; cap++)
		if (thread->cap_amb[cap / 32] >> cap % 32 & 1)
			check(task, "prctl(PR_CAP_AMBIENT)",
			      syscall5(NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0));
	if (thread->no_new_privs)
		check(task, "prctl(PR_SET_NO_NEW_PRIVS)", syscall5(NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void wait_for(uint32_t *word, uint32_t value)
{
	uint32_t now;

	while ((now = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != value)
		syscall4(NR_futex, word, FUTEX_WAIT, now, 0);
}

static void block_signals(struct task_restore_args *task)
{
	uint64_t all = ~0ull;

	check(task, "rt_sigprocmask", syscall4(NR_rt_sigprocmask, 2, &all, 0, 8));
}

static _Noreturn void leave(struct task_restore_args *task, struct thread_restore_args *thread, int leader)
{
	if (task->compat)
		restorer_leave_compat(task, thread->sigframe, leader);
	restorer_leave_native(task, thread->sigframe, leader);
}

/* A thread that is not the leader starts here, on its own stack. */
_Noreturn void restorer_thread(struct thread_restore_args *thread)
{
	struct task_restore_args *task = POINTER(task_restore_args, thread->task);

	block_signals(task);
	thread_common(task, thread);
	queue_signals(task, thread->siginfos, thread->siginfo_count, thread->pid);
	wait_for(&task->stage, STAGE_CREDS);
	restorer_creds(task, thread);
	leave(task, thread, 0);
}

/* The whole way of a process: called once with the arguments, never returns. */
_Noreturn void restorer_task(struct task_restore_args *task)
{
	struct thread_restore_args *leader = POINTER(thread_restore_args, task->threads);

	block_signals(task);
	restorer_unmap_old(task);
	restorer_map_vdso(task);
	syscall5(NR_prctl, PR_SET_THP_DISABLE, task->thp_disabled, 0, 0, 0);
	restorer_map_memory(task);
	restorer_read_pages(task);
	if (task->map_vdso && task->image_vdso) {
		if (task->vdso_in_place)
			restorer_move_vdso(task);
		else
			restorer_proxy_vdso(task);
	}
	restorer_protect_memory(task);
	restorer_mm(task);
	thread_common(task, leader);
	restorer_clone_threads(task);
	restorer_limits(task);
	restorer_create_timers(task);
	if (!task->compat)
		restorer_sigactions(task);
	if (task->child_subreaper)
		check(task, "prctl(PR_SET_CHILD_SUBREAPER)", syscall2(NR_prctl, PR_SET_CHILD_SUBREAPER, 1));
	queue_signals(task, task->siginfos, task->siginfo_count, 0);
	queue_signals(task, leader->siginfos, leader->siginfo_count, leader->pid);
	__atomic_store_n(&task->stage, STAGE_CREDS, __ATOMIC_RELEASE);
	syscall3(NR_futex, &task->stage, FUTEX_WAKE, 0x7fffffff);
	restorer_creds(task, leader);
	syscall2(NR_prctl, PR_SET_DUMPABLE, task->dumpable);
	wait_for(&task->threads_ready, task->thread_count - 1);
	restorer_arm_timers(task);
	if (task->log_fd >= 0)
		syscall1(NR_close, task->log_fd);
	leave(task, leader, 1);
}
