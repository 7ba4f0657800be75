/*
 * Runs single instructions on the host's CPU and reports the state after each.
 *
 * A batch comes on stdin, the results go to stdout (layouts: test/difftest/protocol.ts).
 * Each case is entered by sigreturn with TF set and left by the trap (or the fault) of
 * its one instruction; the handler takes the state out of the signal frame and puts the
 * next case's state in.  So one case costs one signal.  Code in compatibility mode is
 * entered by the same sigreturn, with CS 0x23.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>
#include <asm/ldt.h>

#define CODE_BASE 0x10000000UL
#define CODE_SIZE 0x40000UL
#define DATA_BASE 0x20000000UL
#define DATA_SIZE 0x4000UL /* three writable pages, then a read-only one */
#define READ_ONLY 0x3000UL
#define TLS_BASE (DATA_BASE + 0x1000)
#define MAGIC 0x54464944U
#define XSTATE 2688 /* with AVX-512, standard format */
#define PATCHES 3
#define PATCH_BYTES 64
#define MAX_GRANULES 256

#define FLAG_COMPAT 1
#define FLAG_WIDE 4 /* load the components of AVX-512 too */
#define FLAG_REPEAT 2 /* a string instruction with REP: step until RIP leaves it */

#define TF 0x100UL

struct patch {
	uint32_t offset, length;
	uint8_t bytes[PATCH_BYTES];
};

struct test_case {
	uint32_t flags, code_length;
	uint64_t rip;
	uint8_t code[16];
	uint64_t gpr[16]; /* rax rcx rdx rbx rsp rbp rsi rdi r8..r15 */
	uint64_t rflags, fs_base, gs_base;
	uint8_t xstate[XSTATE];
	struct patch patch[PATCHES];
};

struct result {
	uint32_t signal;
	int32_t code;
	uint64_t trap, error, cr2, address;
	uint64_t rip, rflags;
	uint64_t gpr[16];
	uint16_t cs, ss, ds, es, fs, gs, pad[2];
	uint64_t fs_base, gs_base;
	uint8_t xstate[XSTATE];
	uint32_t granules, steps;
	struct {
		uint64_t offset, value;
	} granule[MAX_GRANULES];
};

struct header {
	uint32_t magic, count;
	uint8_t background[DATA_SIZE];
};

static struct header *batch;
static struct test_case *cases;
static uint8_t *out;
static size_t out_used, out_size;
static uint8_t *data; /* a second, always writable mapping of the data pages */
static uint32_t current;
static uint32_t steps;
static int running;
static greg_t home_regs[NGREG];
static unsigned long home_fs_base, home_gs_base;

uint16_t seen_ds, seen_es, seen_fs, seen_gs;
uint64_t seen_fs_base, seen_gs_base;

static const int order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
			       REG_R8,	REG_R9,	 REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

/* AC, NT and ID survive into a handler: drop them before any C code runs. */
asm(".text\n"
    "handler_entry:\n"
    "  pushq $2\n"
    "  popfq\n"
    "  movw %ds, seen_ds(%rip)\n"
    "  movw %es, seen_es(%rip)\n"
    "  movw %fs, seen_fs(%rip)\n"
    "  movw %gs, seen_gs(%rip)\n"
    "  rdfsbase %rax\n"
    "  movq %rax, seen_fs_base(%rip)\n"
    "  rdgsbase %rax\n"
    "  movq %rax, seen_gs_base(%rip)\n"
    "  jmp handle\n");
void handler_entry(int, siginfo_t *, void *);

static void segments(uint16_t ds, uint16_t gs, uint64_t fs_base, uint64_t gs_base)
{
	asm volatile("movw %w0, %%ds; movw %w0, %%es; movw %w1, %%fs; movw %w2, %%gs" ::"r"((unsigned)ds), "r"(0U),
		     "r"((unsigned)gs));
	asm volatile("wrfsbase %0" ::"r"(fs_base));
	if (!gs)
		asm volatile("wrgsbase %0" ::"r"(gs_base));
}

static void load(ucontext_t *uc)
{
	struct test_case *c = &cases[current];
	uint8_t *fp = (uint8_t *)uc->uc_mcontext.fpregs;
	greg_t *g = uc->uc_mcontext.gregs;
	int compat = (c->flags & FLAG_COMPAT) != 0;

	for (int i = 0; i < 16; i++)
		g[order[i]] = (greg_t)c->gpr[i];
	g[REG_RIP] = (greg_t)c->rip;
	g[REG_EFL] = (greg_t)(c->rflags | TF);
	g[REG_CSGSFS] = (greg_t)((compat ? 0x23UL : 0x33UL) | (0x2bUL << 48));
	memcpy(fp, c->xstate, 416);
	uint64_t bv;
	memcpy(&bv, fp + 512, 8);
	int wide = (c->flags & FLAG_WIDE) != 0;
	bv = (bv & ~0xffUL) | (wide ? 0xe7 : 7); /* else opmasks and the upper ZMM halves: initial */
	memcpy(fp + 512, &bv, 8);
	memcpy(fp + 576, c->xstate + 576, 256);
	if (wide)
		memcpy(fp + 1088, c->xstate + 1088, XSTATE - 1088);
	for (int i = 0; i < PATCHES; i++)
		memcpy(data + c->patch[i].offset, c->patch[i].bytes, c->patch[i].length);
	steps = 0;
	if (compat)
		segments(0x2b, 0x63, 0, 0);
	else
		segments(0, 0, c->fs_base, c->gs_base);
}

static void store(int signal, siginfo_t *info, ucontext_t *uc)
{
	struct test_case *c = &cases[current];
	struct result *r = (struct result *)(out + out_used);
	uint8_t *fp = (uint8_t *)uc->uc_mcontext.fpregs;
	greg_t *g = uc->uc_mcontext.gregs;
	uint64_t sel = (uint64_t)g[REG_CSGSFS];

	memset(r, 0, offsetof(struct result, granule));
	r->signal = (uint32_t)signal;
	r->code = info->si_code;
	r->trap = (uint64_t)g[REG_TRAPNO];
	r->error = (uint64_t)g[REG_ERR];
	r->cr2 = (uint64_t)g[REG_CR2];
	r->address = (uint64_t)info->si_addr;
	r->rip = (uint64_t)g[REG_RIP];
	r->rflags = (uint64_t)g[REG_EFL];
	for (int i = 0; i < 16; i++)
		r->gpr[i] = (uint64_t)g[order[i]];
	r->cs = (uint16_t)sel;
	r->ss = (uint16_t)(sel >> 48);
	r->ds = seen_ds;
	r->es = seen_es;
	r->fs = seen_fs;
	r->gs = seen_gs;
	r->fs_base = seen_fs_base;
	r->gs_base = seen_gs_base;
	uint64_t bv;
	memcpy(&bv, fp + 512, 8);
	memcpy(r->xstate, fp, 416);
	if (!(bv & 1)) {
		memset(r->xstate, 0, 24);
		memset(r->xstate + 32, 0, 128);
		r->xstate[0] = 0x7f;
		r->xstate[1] = 3;
	}
	if (!(bv & 2))
		memset(r->xstate + 160, 0, 256);
	if (bv & 4)
		memcpy(r->xstate + 576, fp + 576, 256);
	if (bv & 0x20)
		memcpy(r->xstate + 1088, fp + 1088, 64);
	if (bv & 0x40)
		memcpy(r->xstate + 1152, fp + 1152, 512);
	if (bv & 0x80)
		memcpy(r->xstate + 1664, fp + 1664, 1024);
	memcpy(r->xstate + 512, &bv, 8);
	r->steps = steps;

	/* what changed in memory, in 8-byte granules; then as it was before */
	uint8_t *wanted = batch->background;
	static uint8_t before[DATA_SIZE];
	memcpy(before, wanted, DATA_SIZE);
	for (int i = 0; i < PATCHES; i++)
		memcpy(before + c->patch[i].offset, c->patch[i].bytes, c->patch[i].length);
	if (memcmp(before, data, DATA_SIZE) != 0) {
		for (uint64_t o = 0; o < DATA_SIZE; o += 8) {
			if (memcmp(before + o, data + o, 8) != 0 && r->granules < MAX_GRANULES) {
				r->granule[r->granules].offset = o;
				memcpy(&r->granule[r->granules].value, data + o, 8);
				r->granules++;
			}
		}
	}
	memcpy(data, wanted, DATA_SIZE);
	out_used += offsetof(struct result, granule) + r->granules * sizeof(r->granule[0]);
}

__attribute__((used)) void handle(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	if (!running) {
		memcpy(home_regs, uc->uc_mcontext.gregs, sizeof home_regs);
		home_fs_base = seen_fs_base;
		home_gs_base = seen_gs_base;
		running = 1;
		current = 0;
	} else {
		struct test_case *c = &cases[current];
		if ((c->flags & FLAG_REPEAT) && signal == SIGTRAP && steps < 65536 &&
		    (uint64_t)uc->uc_mcontext.gregs[REG_RIP] == c->rip) {
			steps++;
			int compat = (c->flags & FLAG_COMPAT) != 0;
			uc->uc_mcontext.gregs[REG_EFL] |= TF;
			if (compat)
				segments(0x2b, 0x63, 0, 0);
			else
				segments(0, 0, c->fs_base, c->gs_base);
			return;
		}
		store(signal, info, uc);
		current++;
	}
	if (current < batch->count) {
		load(uc);
	} else {
		running = 0;
		memcpy(uc->uc_mcontext.gregs, home_regs, sizeof home_regs);
		segments(0, 0, home_fs_base, home_gs_base);
	}
}

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void *map(unsigned long at, size_t size, int protection, int fd, off_t offset)
{
	void *p = mmap((void *)at, size, protection, MAP_SHARED | MAP_POPULATE | (at ? MAP_FIXED_NOREPLACE : 0), fd,
		       offset);
	if (p == MAP_FAILED || (at && p != (void *)at))
		fail("mmap");
	return p;
}

/* System calls from the tested code (it lies below 4 GiB, we do not) become SIGSYS. */
static void forbid_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof filter / sizeof filter[0], filter };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		fail("seccomp");
}

static void read_all(void *to, size_t size)
{
	uint8_t *p = to;
	while (size) {
		ssize_t n = read(0, p, size);
		if (n <= 0)
			fail("read");
		p += n;
		size -= (size_t)n;
	}
}

int main(void)
{
	int code_fd = memfd_create("code", 0), data_fd = memfd_create("data", 0);
	if (code_fd < 0 || data_fd < 0 || ftruncate(code_fd, CODE_SIZE) || ftruncate(data_fd, DATA_SIZE))
		fail("memfd");
	uint8_t *code = map(0, CODE_SIZE, PROT_READ | PROT_WRITE, code_fd, 0);
	data = map(0, DATA_SIZE, PROT_READ | PROT_WRITE, data_fd, 0);
	map(CODE_BASE, CODE_SIZE, PROT_READ | PROT_EXEC, code_fd, 0);
	map(DATA_BASE, READ_ONLY, PROT_READ | PROT_WRITE, data_fd, 0);
	map(DATA_BASE + READ_ONLY, DATA_SIZE - READ_ONLY, PROT_READ, data_fd, READ_ONLY);

	struct user_desc tls = { .entry_number = 12, .base_addr = TLS_BASE, .limit = 0xfffff, .seg_32bit = 1,
				 .limit_in_pages = 1, .useable = 1 };
	long answer; /* only the 32-bit table has set_thread_area (243): pass it a low address */
	memcpy(data, &tls, sizeof tls);
	asm volatile("int $0x80" : "=a"(answer) : "a"(243L), "b"(DATA_BASE) : "memory", "r8", "r9", "r10", "r11");
	if (answer) {
		fprintf(stderr, "set_thread_area: %ld\n", answer);
		return 2;
	}

	batch = malloc(sizeof *batch);
	read_all(batch, sizeof *batch);
	if (batch->magic != MAGIC)
		return 3;
	cases = malloc((batch->count + 1) * sizeof *cases);
	read_all(cases, batch->count * sizeof *cases);
	out_size = (size_t)(batch->count + 1) * sizeof(struct result);
	out = mmap(NULL, out_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (out == MAP_FAILED)
		fail("mmap");
	memcpy(data, batch->background, DATA_SIZE);
	memset(code, 0xcc, CODE_SIZE);
	for (uint32_t i = 0; i < batch->count; i++) {
		uint64_t at = cases[i].rip - CODE_BASE;
		size_t n = cases[i].code_length;
		if (at >= CODE_SIZE)
			return 4;
		memcpy(code + at, cases[i].code, n < CODE_SIZE - at ? n : CODE_SIZE - at);
	}

	stack_t stack = { .ss_size = 1 << 18 };
	stack.ss_sp = malloc(stack.ss_size);
	struct sigaction action = { .sa_sigaction = handler_entry, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	const int signals[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS };
	if (sigaltstack(&stack, NULL))
		fail("sigaltstack");
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		if (sigaction(signals[i], &action, NULL))
			fail("sigaction");
	alarm(60); /* the default action ends us */
	forbid_calls();
	asm volatile("int3" ::: "memory");

	for (size_t done = 0; done < out_used;) {
		ssize_t n = write(1, out + done, out_used - done);
		if (n <= 0)
			return 5;
		done += (size_t)n;
	}
	return 0;
}
