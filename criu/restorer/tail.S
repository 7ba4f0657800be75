/*
 * Entry, the birth of a thread, and the ways out. Both ways out remove the argument area (the leader does) and then call
 * rt_sigreturn on the frame that the restore side has built.
 */
#include "syscall.h"
#include "task-restore-args.h"

#define USER32_CS 0x23
#define USER_DS 0x2b
#define FUTEX_WAKE 1

/* A label of its own in backtraces and disassembly. */
	.macro LABEL name
	.globl \name
	.type \name, @function
\name:
	.endm
	.macro END name
	.size \name, . - \name
	.endm

	.cfi_sections .debug_frame

	.section .text.entry, "ax"
	.code64
/* rdi = struct task_restore_args, rsp = top of the stack */
LABEL restorer_start
	.cfi_startproc
	.cfi_undefined rip
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	call	restorer_task
	hlt
	.cfi_endproc
END restorer_start

	.text
/* long restorer_clone(flags, stack_top, thread) */
LABEL restorer_clone
	.cfi_startproc
	movq	%rdx, %r9
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	movl	$NR_clone, %eax
	syscall
	testq	%rax, %rax
	jz	1f
	ret
	.cfi_undefined rip
1:	xorl	%ebp, %ebp
	movq	%r9, %rdi
	call	restorer_thread
	hlt
	.cfi_endproc
END restorer_clone

/*
 * A thread says that it needs the argument area no more; its leader waits for all to say so. From here on the stack is the room
 * below the signal frame, which stays.
 */
	.macro THREAD_READY
	movq	%rsi, %rsp
	testl	%edx, %edx
	jnz	1f
	movq	%rsi, %rbp
	leaq	TASK_THREADS_READY(%rdi), %rdi
	lock incl (%rdi)
	movl	$FUTEX_WAKE, %esi
	movl	$1, %edx
	movl	$NR_futex, %eax
	syscall
	movq	%rbp, %rsi
	xorl	%edx, %edx
1:
	.endm

/* (task, sigframe, leader): rt_sigreturn takes the frame at rsp - 8 */
LABEL restorer_leave_native
	.cfi_startproc
	.cfi_undefined rip
	THREAD_READY
	leaq	8(%rsi), %rsp
	testl	%edx, %edx
	jz	restorer_native_sigreturn
	movq	TASK_RELEASE_SIZE(%rdi), %rsi
	movq	TASK_RELEASE_START(%rdi), %rdi
	movl	$NR_munmap, %eax
	syscall
	.cfi_endproc
END restorer_leave_native
LABEL restorer_native_sigreturn
	.cfi_startproc
	.cfi_undefined rip
	movl	$NR_rt_sigreturn, %eax
	syscall
	ud2
	.cfi_endproc
END restorer_native_sigreturn

/* (task, sigframe, leader) */
LABEL restorer_leave_compat
	.cfi_startproc
	.cfi_undefined rip
	THREAD_READY
	leaq	restorer_compat(%rip), %rax
	pushq	$USER32_CS
	pushq	%rax
	movl	%esi, %ebp
	.cfi_endproc
END restorer_leave_compat
/* The far return that loads CS with the 32-bit user code segment. */
LABEL restorer_to_compat
	.cfi_startproc
	.cfi_undefined rip
	lretq
	.cfi_endproc
END restorer_to_compat

	.code32
/* edi = task, ebp = sigframe, edx = leader? A 64-bit task has null selectors in DS and ES, which 32-bit code cannot use. */
LABEL restorer_compat
	movl	$USER_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	leal	4(%ebp), %esp
	testl	%edx, %edx
	jz	restorer_compat_sigreturn
	movl	TASK_SIGACTIONS(%edi), %ebp
	jmp	2f
END restorer_compat
/* The kernel marks a handler as a 32-bit one by the way that rt_sigaction came in: INT 0x80, from 32-bit code. */
LABEL restorer_compat_sigaction
	movl	COMPAT_SIGACTION_SIGNO(%ebp), %ebx
	movl	%ebp, %ecx
	xorl	%edx, %edx
	movl	$8, %esi
	movl	$NR32_rt_sigaction, %eax
	int	$0x80
	addl	$COMPAT_SIGACTION_SIZE, %ebp
2:	decl	TASK_SIGACTION_COUNT(%edi)
	jns	restorer_compat_sigaction
END restorer_compat_sigaction
LABEL restorer_compat_munmap
	movl	TASK_RELEASE_START(%edi), %ebx
	movl	TASK_RELEASE_SIZE(%edi), %ecx
	movl	$NR32_munmap, %eax
	int	$0x80
END restorer_compat_munmap
/* rt_sigreturn takes the frame at esp - 4; what it loads is the task of the image */
LABEL restorer_compat_sigreturn
	movl	$NR32_rt_sigreturn, %eax
	int	$0x80
	ud2
END restorer_compat_sigreturn

	.section .note.GNU-stack, "", @progbits
