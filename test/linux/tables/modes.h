/* From one mode into the other and back. Stacks and code lie below 4 GiB: the programs are not position independent. */
char low_stack[65536] __attribute__((aligned(16)));

#ifdef __x86_64__
/* Calls a function of 32-bit code with CS 0x23 on the low stack; RBX, RBP and R12 to R15 come back. */
extern long in_cs23(void *code);
asm(".text\n.globl in_cs23\nin_cs23:\n"
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "mov %rsp, high_sp(%rip)\n"
    "mov $low_stack + 65000, %esp\n"
    "pushq $0x23; pushq $1f; lretq\n"
    ".code32\n1: call *%edi\n ljmp $0x33, $2f\n"
    ".code64\n2: mov high_sp(%rip), %rsp\n"
    "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n ret\n"
    ".local high_sp\n.comm high_sp, 8\n");
#else
/* Calls a function of 64-bit code with CS 0x33. */
extern int in_cs33(void *code);
asm(".text\n.globl in_cs33\nin_cs33:\n"
    "push %ebx; push %ebp; push %esi; push %edi\n"
    "mov 20(%esp), %eax\n"
    "ljmp $0x33, $1f\n"
    ".code64\n1: push %rbp; mov %rsp, %rbp; and $-16, %rsp; call *%rax; mov %rbp, %rsp; pop %rbp\n"
    "sub $8, %rsp; mov $2f, %ecx; mov %ecx, (%rsp); movl $0x23, 4(%rsp); lretl\n"
    ".code32\n2: pop %edi; pop %esi; pop %ebp; pop %ebx\n ret\n");
#endif
