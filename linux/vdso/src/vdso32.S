/*
 * __kernel_vsyscall and the two signal trampolines of the 32-bit image.
 * gdb and libgcc know the trampolines by their bytes, programs and CRIU know the landing pad by its pops.
 */
	.text
	.globl	__kernel_vsyscall
	.type	__kernel_vsyscall, @function
	.balign	32
__kernel_vsyscall:
	.cfi_startproc
	push	%ecx
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ecx, 0
	push	%edx
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset edx, 0
	push	%ebp
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ebp, 0
	/*
	 * At boot the kernel puts here what its CPU has, as Linux's alternatives do:
	 *   mov %esp, %ebp; sysenter     or     mov %ecx, %ebp; syscall
	 * Both come back at the landing pad. Without either the CPU goes on to the int.
	 */
	.globl	vsyscall_fast
	.hidden	vsyscall_fast
vsyscall_fast:
	.byte	0x0f, 0x1f, 0x40, 0x00
	int	$0x80
	.globl	int80_landing_pad
	.hidden	int80_landing_pad
int80_landing_pad:
	pop	%ebp
	.cfi_restore ebp
	.cfi_adjust_cfa_offset -4
	pop	%edx
	.cfi_restore edx
	.cfi_adjust_cfa_offset -4
	pop	%ecx
	.cfi_restore ecx
	.cfi_adjust_cfa_offset -4
	ret
	.cfi_endproc
	.size	__kernel_vsyscall, . - __kernel_vsyscall

/* A register that the frame keeps at esp + offset: DW_CFA_expression, DW_OP_breg4. Two bytes of SLEB128 reach 8191. */
	.macro	saved reg, offset
	.cfi_escape 0x10, \reg, 3, 0x74, ((\offset) & 0x7f) | 0x80, ((\offset) >> 7) & 0x7f
	.endm
/* sigcontext_32 at esp + \at: the CFA is its sp, DW_CFA_def_cfa_expression with DW_OP_deref. */
	.macro	sigcontext at
	.cfi_escape 0x0f, 4, 0x74, ((\at + 28) & 0x7f) | 0x80, ((\at + 28) >> 7) & 0x7f, 0x06
	saved	0, \at + 44
	saved	1, \at + 40
	saved	2, \at + 36
	saved	3, \at + 32
	saved	5, \at + 24
	saved	6, \at + 20
	saved	7, \at + 16
	saved	8, \at + 56
	.endm

	.globl	__kernel_sigreturn
	.type	__kernel_sigreturn, @function
	.balign	32
	.fill	31, 1, 0x90
	.cfi_startproc simple
	.cfi_signal_frame
	sigcontext 4
	nop				/* unwinders look at the address before the return address */
__kernel_sigreturn:
	pop	%eax
	sigcontext 0
	.byte	0xb8, 0x77, 0, 0, 0	/* mov $__NR_sigreturn, %eax */
	int	$0x80
	.cfi_endproc
	nop
	.size	__kernel_sigreturn, . - __kernel_sigreturn

	.globl	__kernel_rt_sigreturn
	.type	__kernel_rt_sigreturn, @function
	.balign	32
	.fill	31, 1, 0x90
	.cfi_startproc simple
	.cfi_signal_frame
	sigcontext 160
	nop
__kernel_rt_sigreturn:
	.byte	0xb8, 0xad, 0, 0, 0	/* mov $__NR_rt_sigreturn, %eax */
	int	$0x80
	.cfi_endproc
	nop
	.size	__kernel_rt_sigreturn, . - __kernel_rt_sigreturn
	.section .note.GNU-stack, "", @progbits
