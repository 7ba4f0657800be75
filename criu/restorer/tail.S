/*
 * Entry, the birth of a thread, and the ways out. Both ways out remove the argument area (the leader does) and then call
 * rt_sigreturn on the frame that the restore side has built.
 */
#include "syscall.h"
#include "task-restore-args.h"

#define USER32_CS 0x23
#define USER_DS 0x2b
#define FUTEX_WAKE 1

	.section .text.entry, "ax"
	.code64
	.globl restorer_start
	.type restorer_start, @function
/* rdi = struct task_restore_args, rsp = top of the stack */
restorer_start:
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	call	restorer_task
	hlt
	.size restorer_start, . - restorer_start

	.text
	.globl restorer_clone
	.type restorer_clone, @function
/* long restorer_clone(flags, stack_top, thread) */
restorer_clone:
	movq	%rdx, %r9
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r8d, %r8d
	movl	$NR_clone, %eax
	syscall
	testq	%rax, %rax
	jz	1f
	ret
1:	xorl	%ebp, %ebp
	movq	%r9, %rdi
	call	restorer_thread
	hlt
	.size restorer_clone, . - restorer_clone

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

	.globl restorer_leave_native
	.type restorer_leave_native, @function
/* (task, sigframe, leader): rt_sigreturn takes the frame at rsp - 8 */
restorer_leave_native:
	THREAD_READY
	leaq	8(%rsi), %rsp
	testl	%edx, %edx
	jz	restorer_native_sigreturn
	movq	TASK_RELEASE_SIZE(%rdi), %rsi
	movq	TASK_RELEASE_START(%rdi), %rdi
	movl	$NR_munmap, %eax
	syscall
	.globl restorer_native_sigreturn
restorer_native_sigreturn:
	movl	$NR_rt_sigreturn, %eax
	syscall
	ud2
	.size restorer_leave_native, . - restorer_leave_native

	.globl restorer_leave_compat
	.type restorer_leave_compat, @function
/* (task, sigframe, leader) */
restorer_leave_compat:
	THREAD_READY
	leaq	restorer_compat(%rip), %rax
	pushq	$USER32_CS
	pushq	%rax
	movl	%esi, %ebp
	.globl restorer_to_compat
/* The far return that loads CS with the 32-bit user code segment. */
restorer_to_compat:
	lretq
	.size restorer_leave_compat, . - restorer_leave_compat

	.code32
	.globl restorer_compat
	.type restorer_compat, @function
/* edi = task, ebp = sigframe, edx = leader? A 64-bit task has null selectors in DS and ES, which 32-bit code cannot use. */
restorer_compat:
	movl	$USER_DS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	leal	4(%ebp), %esp
	testl	%edx, %edx
	jz	restorer_compat_sigreturn
	movl	TASK_SIGACTIONS(%edi), %ebp
	jmp	2f
	.globl restorer_compat_sigaction
/* The kernel marks a handler as a 32-bit one by the way that rt_sigaction came in: INT 0x80, from 32-bit code. */
restorer_compat_sigaction:
	movl	COMPAT_SIGACTION_SIGNO(%ebp), %ebx
	movl	%ebp, %ecx
	xorl	%edx, %edx
	movl	$8, %esi
	movl	$NR32_rt_sigaction, %eax
	int	$0x80
	addl	$COMPAT_SIGACTION_SIZE, %ebp
2:	decl	TASK_SIGACTION_COUNT(%edi)
	jns	restorer_compat_sigaction
	.globl restorer_compat_munmap
restorer_compat_munmap:
	movl	TASK_RELEASE_START(%edi), %ebx
	movl	TASK_RELEASE_SIZE(%edi), %ecx
	movl	$NR32_munmap, %eax
	int	$0x80
	.globl restorer_compat_sigreturn
/* rt_sigreturn takes the frame at esp - 4; what it loads is the task of the image */
restorer_compat_sigreturn:
	movl	$NR32_rt_sigreturn, %eax
	int	$0x80
	ud2
	.size restorer_compat, . - restorer_compat

	.section .note.GNU-stack, "", @progbits
