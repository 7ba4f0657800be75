#include "sys.h"
static char buf[70000];
static unsigned u[64];
#define MMAP(l,pr,fl,fd,off) C6(N(9,192),0,l,pr,fl,fd,off)
#define fork_() C0(N(57,2))
#define wait_(p) C4(N(61,114),-1,p,0,0)
#define exit_(c) C1(N(231,252),c)
static int st;
static void readall(const char*p){int f=op(p,0,0);P(p,f>=0);if(f<0)return;sl n;while((n=rd(f,buf,sizeof buf))>0)wr(1,buf,n);cl(f);}
static int has(const char*s,int n,const char*t){int l=len(t);for(int i=0;i+l<=n;i++){int j=0;while(j<l&&s[i+j]==t[j])j++;if(j==l)return 1;}return 0;}
void mainx(ul*sp){(void)sp;
 int p[2],q[2];sl n;
 int f=op("m",0102,0644);wr(f,"0123456789",10);C2(N(77,93),f,9000);
 char*a=(char*)MMAP(12288,3,1,f,0);P("map",(sl)a>0||(ul)a>0x1000);
 PS("shared",a,10);a[0]='X';a[5000]='Y';n=C5(N(17,180),f,buf,9000,0,0);P("pread",n);PS("c",buf,3);P("c5000",buf[5000]);
 C5(N(18,181),f,"new",3,1,0);PS("seen",a,6);
 char*b=(char*)MMAP(4096,3,2,f,0);b[0]='P';PS("priv",b,4);PS("shared",a,4);
 sl pid=fork_();if(pid==0){a[1]='C';b[1]='Q';wr(f,"child",5);exit_(3);}
 P("wait",wait_(&st)==pid);P("status",st);PS("shared",a,4);PS("priv",b,4);P("pos",C3(N(8,19),f,0,1));
 R(C2(N(11,91),a,12288));R(C2(N(11,91),b,4096));cl(f);
 int ap=op("app",02102,0600);wr(ap,"aaa",3);C3(N(8,19),ap,0,0);wr(ap,"bbb",3);P("append",C3(N(8,19),ap,0,1));
 int ap2=C1(N(32,41),ap);P("dup pos",C3(N(8,19),ap2,1,0));P("dup pos",C3(N(8,19),ap,0,1));
 R(C1(N(22,42),p));R(C1(N(22,42),q));
 pid=fork_();if(pid==0){cl(p[1]);cl(q[0]);while((n=rd(p[0],buf,7))>0)wr(q[1],buf,n);wr(q[1],"!",1);exit_(0);}
 cl(p[0]);cl(q[1]);wr(p[1],"through the child and back",26);cl(p[1]);int k=0;while((n=rd(q[0],buf+k,100))>0)k+=n;PS("echo",buf,k);wait_(&st);
 /* big transfer through a pipe: both sides block */
 C1(N(22,42),p);pid=fork_();if(pid==0){cl(p[0]);for(int i=0;i<65536;i++)buf[i]=i*7;for(int i=0;i<5;i++)n=wr(p[1],buf,65536);exit_(n==65536);}
 cl(p[1]);unsigned long sum=0;k=0;while((n=rd(p[0],buf,3000))>0){k+=n;for(int i=0;i<n;i++)sum=sum*31+(unsigned char)buf[i];sum&=0xffffff;}P("big",k);P("sum",sum);wait_(&st);P("st",st);cl(p[0]);
 /* SIGPIPE */
 C1(N(22,42),p);cl(p[0]);pid=fork_();if(pid==0){wr(p[1],"x",1);exit_(9);}wait_(&st);P("sigpipe",st);cl(p[1]);
 /* socketpair stream, seqpacket */
 R(N(C4(53,1,1,0,p),C4(360,1,1,0,p)));wr(p[0],"one",3);wr(p[0],"two",3);n=rd(p[1],buf,100);PS("sk",buf,n);cl(p[0]);R(rd(p[1],buf,10));cl(p[1]);
 R(N(C4(53,1,5,0,p),C4(360,1,5,0,p)));wr(p[0],"one",3);wr(p[0],"two",3);n=rd(p[1],buf,100);PS("sk",buf,n);n=rd(p[1],buf,2);PS("sk",buf,n);cl(p[0]);R(rd(p[1],buf,10));cl(p[1]);
 R(N(C3(41,2,1,0)>=0||1,1));
 /* eventfd, epoll */
 int ef=C2(N(290,328),3,0);R(rd(ef,buf,4));R(rd(ef,buf,8));P("v",buf[0]);int ep=C1(N(291,329),0);u[0]=1;u[1]=77;R(C4(N(233,255),ep,1,ef,u));R(C4(N(233,255),ep,1,ef,u));R(C4(N(232,256),ep,buf,4,0));buf[0]=2;buf[1]=buf[2]=0;wr(ef,buf,8);R(C4(N(232,256),ep,u+8,4,-1));P("ev",u[8]);P("data",u[9]);R(C4(N(233,255),ep,2,ef,u));R(C4(N(233,255),ep,2,ef,u));R(C4(N(233,255),ep,1,ap,u));R(C4(N(232,256),ep,u,4,5));
 /* memfd */
 int mf=C2(N(319,356),"name",2);R(C2(N(77,93),mf,100));R(C3(N(72,221),mf,1034,0));R(C3(N(72,221),mf,1033,2));R(C2(N(77,93),mf,50));n=C3(N(89,85),"/proc/self/fd/12",buf,200);
 R(C3(N(72,55),mf,1,0));
 /* proc */
 n=C3(N(89,85),"/proc/self/cwd",buf,200);P("cwd",n>0);readall("/proc/self/comm");readall("/proc/self/cmdline");n=C3(N(89,85),"/proc/self/exe",buf,200);PS("exe",buf+n-4,2);
 f=op("/proc/self/status",0,0);n=rd(f,buf,sizeof buf);P("Name",has(buf,n,"Name:\t"));P("State",has(buf,n,"State:\tR (running)\n"));P("Threads",has(buf,n,"Threads:\t1\n"));P("Umask",has(buf,n,"Umask:\t0022\n"));P("VmRSS",has(buf,n,"VmRSS:\t"));cl(f);
 f=op("/proc/self/maps",0,0);n=0;while((k=rd(f,buf+n,1000))>0)n+=k;P("stack",has(buf,n,"[stack]\n"));P("vdso",has(buf,n,"[vdso]\n"));P("exe",has(buf,n," r-xp 00001000 "));cl(f);
 f=op("/proc/self/stat",0,0);n=rd(f,buf,sizeof buf);k=0;for(int i=0;i<n;i++)k+=buf[i]==' ';P("stat fields",k);cl(f);
 f=op("/proc/self/mem",2,0);static char target[]="target";n=N(C5(17,f,buf,6,target,0),C5(180,f,buf,6,target,0));PS("mem",buf,6);N(C5(18,f,"TARGET",6,target,0),C5(181,f,"TARGET",6,target,0));PS("mem",target,6);R(N(C5(17,f,buf,6,0,0),C5(180,f,buf,6,0,0)));cl(f);
 R(op("/proc/none",0,0));R(op("/proc/self/fd/77",0,0));R(op("/proc/self/exe",2,0)<0);
 readall("/proc/self/loginuid"); puts_("\n");
 f=op("/dev/fd",0,0);P("devfd",f>=0);
 /* unlinked but open */
 f=op("gone",0102,0600);wr(f,"still",5);R(C1(N(87,10),"gone"));n=N(C5(17,f,buf,9,0,0),C5(180,f,buf,9,0,0));PS("gone",buf,n);R(C2(N(86,9),"gone","x"));cl(f);
 /* sendfile, splice, copies */
 f=op("src",0102,0600);for(int i=0;i<3000;i++)wr(f,"line of text\n",13);int g=op("dst",0102,0600);u[0]=5;u[1]=0;R(N(C4(40,g,f,u,20000),C4(239,g,f,u,20000)));P("off",u[0]);n=N(C5(17,g,buf,30,0,0),C5(180,g,buf,30,0,0));PS("dst",buf,n);
 C1(N(22,42),p);C3(N(8,19),f,0,0);R(C6(N(275,313),f,0,p[1],0,100,0));R(C4(N(276,315),p[0],p[1],10,0));n=rd(p[0],buf,200);P("spliced",n);
 R(C2(N(280,320),0,0)<0);struct{sl a,b,c,d;}tv={1000,5000,2000,6000};R(C4(N(280,320),-100,"src",&tv,0));R(N(C2(4,"src",u),C2(195,"src",u)));P("atime",u[N(18,16)]);P("mtime",u[N(22,18)]);P("nsec",u[N(24,19)]);
 int zf=op("/dev/zero",2,0);a=(char*)MMAP(4096,3,1,zf,0);b=(char*)MMAP(4096,3,2,zf,0);P("zero",a[5]+b[5]);pid=fork_();if(pid==0){a[5]=7;b[5]=8;exit_(0);}wait_(&st);P("zero",a[5]*10+b[5]);
 exit_(5);
}
