/* One PT_LOAD with everything in it; [vvar] lies two pages before. */
SECTIONS
{
	PROVIDE_HIDDEN(vvar_page = -0x2000);

	. = SIZEOF_HEADERS;
	.hash		: { *(.hash) }			:text
	.gnu.hash	: { *(.gnu.hash) }
	.dynsym		: { *(.dynsym) }
	.dynstr		: { *(.dynstr) }
	.gnu.version	: { *(.gnu.version) }
	.gnu.version_d	: { *(.gnu.version_d) }
	.gnu.version_r	: { *(.gnu.version_r) }
	.dynamic	: { *(.dynamic) }		:text :dynamic
	.rodata		: { *(.rodata*) *(.data*) *(.got.plt) *(.got) *(.bss*) } :text
	.note		: { *(.note.Linux) }		:text :note
	.eh_frame_hdr	: { *(.eh_frame_hdr) }		:text :eh_frame_hdr
	.eh_frame	: { KEEP(*(.eh_frame)) }	:text
	. = ALIGN(0x100);
	.text		: { *(.text*) }			:text =0x90909090
	/DISCARD/	: { *(.comment) *(.note.gnu.property) *(.note.GNU-stack) *(.gnu.attributes) *(.discard*) }
}

PHDRS
{
	text		PT_LOAD		FLAGS(5) FILEHDR PHDRS;
	dynamic		PT_DYNAMIC	FLAGS(4);
	note		PT_NOTE		FLAGS(4);
	eh_frame_hdr	0x6474e550;
}

#ifdef VDSO32
ENTRY(__kernel_vsyscall);
VERSION
{
	LINUX_2.6 {
	global:
		__vdso_clock_gettime;
		__vdso_gettimeofday;
		__vdso_time;
		__vdso_clock_gettime64;
		__vdso_clock_getres;
		__vdso_getcpu;
	};
	LINUX_2.5 {
	global:
		__kernel_vsyscall;
		__kernel_sigreturn;
		__kernel_rt_sigreturn;
	local: *;
	};
}
#else
VERSION
{
	LINUX_2.6 {
	global:
#ifndef VDSOX32
		clock_gettime;
		gettimeofday;
		getcpu;
		time;
#endif
		__vdso_clock_gettime;
		__vdso_gettimeofday;
		__vdso_getcpu;
		__vdso_time;
	local: *;
	};
}
#endif
