/* The kernel's version, as glibc and gdb find it: note "Linux", type 0. */
	.section .note.Linux, "a", @note
	.balign	4
	.long	2f - 1f
	.long	4f - 3f
	.long	0
1:	.asciz	"Linux"
2:	.balign	4
3:	.long	0x00040700
4:	.balign	4
	.section .note.GNU-stack, "", @progbits
