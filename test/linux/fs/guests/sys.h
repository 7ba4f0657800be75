typedef unsigned long ul; typedef long sl;
#ifdef __x86_64__
#define S64 1
static sl sc(sl n,sl a,sl b,sl c,sl d,sl e,sl f){register sl r10 asm("r10")=d,r8 asm("r8")=e,r9 asm("r9")=f;sl r;asm volatile("syscall":"=a"(r):"a"(n),"D"(a),"S"(b),"d"(c),"r"(r10),"r"(r8),"r"(r9):"rcx","r11","memory");return r;}
#else
struct six{sl a,b,c,d,e,f,n;};
__attribute__((noinline)) sl sc(sl n,sl a,sl b,sl c,sl d,sl e,sl f){struct six s={a,b,c,d,e,f,n};sl r;asm volatile("push %%ebx\npush %%esi\npush %%edi\npush %%ebp\nmov 0(%%eax),%%ebx\nmov 4(%%eax),%%ecx\nmov 8(%%eax),%%edx\nmov 12(%%eax),%%esi\nmov 16(%%eax),%%edi\nmov 20(%%eax),%%ebp\nmov 24(%%eax),%%eax\nint $0x80\npop %%ebp\npop %%edi\npop %%esi\npop %%ebx":"=a"(r):"a"(&s):"ecx","edx","memory");return r;}
#endif
#define N(a,b) (sizeof(ul)==8?(a):(b))
#define C0(n) sc(n,0,0,0,0,0,0)
#define C1(n,a) sc(n,(sl)(a),0,0,0,0,0)
#define C2(n,a,b) sc(n,(sl)(a),(sl)(b),0,0,0,0)
#define C3(n,a,b,c) sc(n,(sl)(a),(sl)(b),(sl)(c),0,0,0)
#define C4(n,a,b,c,d) sc(n,(sl)(a),(sl)(b),(sl)(c),(sl)(d),0,0)
#define C5(n,a,b,c,d,e) sc(n,(sl)(a),(sl)(b),(sl)(c),(sl)(d),(sl)(e),0)
#define C6(n,a,b,c,d,e,f) sc(n,(sl)(a),(sl)(b),(sl)(c),(sl)(d),(sl)(e),(sl)(f))
#define rd(f,b,n) C3(N(0,3),f,b,n)
#define wr(f,b,n) C3(N(1,4),f,b,n)
#define op(p,f,m) C3(N(2,5),p,f,m)
#define cl(f) C1(N(3,6),f)
static int len(const char*s){int n=0;while(s[n])n++;return n;}
static void puts_(const char*s){wr(1,s,len(s));}
static void num(sl v){char b[24];int i=24;int neg=v<0;ul u=neg?-v:v;do{b[--i]='0'+u%10;u/=10;}while(u);if(neg)b[--i]='-';wr(1,b+i,24-i);}
static void P(const char*s,sl v){puts_(s);puts_(" ");num(v);puts_("\n");}
static void PS(const char*s,const char*b,int n){puts_(s);puts_(" [");wr(1,b,n);puts_("]\n");}
#define R(call) P(#call, call)
void mainx(ul*sp);
#ifdef S64
asm(".globl _start\n_start: mov %rsp,%rdi\nand $-16,%rsp\ncall mainx\nhlt");
#else
asm(".globl _start\n_start: mov %esp,%eax\nand $-16,%esp\nsub $12,%esp\npush %eax\ncall mainx\nhlt");
#endif
void*memset(void*p,int c,ul n){char*q=p;while(n--)*q++=c;return p;}
void*memcpy(void*d,const void*s,ul n){char*q=d;const char*r=s;while(n--)*q++=*r++;return d;}
