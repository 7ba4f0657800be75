#include "sys.h"
static char buf[70000];
static unsigned st[64];
static void pst(const char*n,int off64,int off32,int w){ (void)w; P(n, *(unsigned*)((char*)st+N(off64,off32))); }
static void show(const char*p){ sl r=N(C2(4,p,st),C2(195,p,st)); P(p,r); if(r==0){pst(" mode",24,16,4);pst(" nlink",16,20,4);pst(" size",48,44,4);pst(" uid",28,24,4);pst(" blksz",56,52,4);} }
static void lst(sl n,const char*p){ st[0]=0; sl r=C2(N(6,196),p,st); P(p,r); if(!r){pst(" lmode",24,16,4);pst(" lsize",48,44,4);} (void)n;}
static void ls(const char*p){ int f=op(p,0200000,0); P("ls",f); sl n; int k=0; while((n=C3(N(217,220),f,buf,sizeof buf))>0) for(sl i=0;i<n;){char*d=buf+i;int rl=*(unsigned short*)(d+16);if(d[19]!='.'||(d[20]&&d[20]!='.'))k+=len(d+19)*(unsigned char)d[18];i+=rl;} P("sum",k); P("end",n); cl(f);}
void mainx(ul*sp){
 (void)sp;
 R(C2(N(83,39),"w",0755)); R(C2(N(83,39),"w",0755)); R(C1(N(80,12),"w"));
 int f=op("a",0102|01000,0644); P("open",f);
 R(wr(f,"hello world\n",12)); R(C3(N(8,19),f,0,1)); R(C3(N(8,19),f,-6,2)); R(rd(f,buf,100)); PS("tail",buf,6);
 R(C3(N(8,19),f,-1,0)); R(C3(N(8,19),f,100,0)); R(wr(f,"x",1)); show("a");
 R(C2(N(77,93),f,5)); show("a"); R(C2(N(77,93),f,-1));
 R(C3(N(8,19),f,0,0)); sl n=rd(f,buf,100); PS("short",buf,n);
 R(cl(f)); R(cl(f)); R(rd(f,buf,1)); R(wr(77,buf,1));
 R(op("nope",0,0)); R(op("a/",0,0)); R(op("a/b",0,0)); R(op("",0,0)); R(op(".",1,0)); R(op("a",0200000,0)); R(op("a",0300,0)); R(op("nodir/x",0101,0644)); R(op("newdir/",0101,0644));
 R(C2(N(88,83),"a","sl")); R(C2(N(88,83),"loop","loop")); R(C2(N(88,83),"a","sl")); R(op("loop",0,0)); R(op("sl",0400000,0)); lst(0,"sl"); show("sl"); show("loop");
 R(C3(N(89,85),"sl",buf,3)); R(C3(N(89,85),"a",buf,3)); R(C3(N(89,85),"sl",buf,0));
 R(C2(N(86,9),"a","hard")); show("a"); R(C2(N(86,9),".","hd")); R(C2(N(82,38),"hard","h2")); show("hard"); show("h2");
 R(C2(N(83,39),"d1",0777)); R(C2(N(83,39),"d1/d2",0700)); show("d1"); show("d1/d2"); R(C1(N(84,40),"d1")); R(C2(N(82,38),"d1","d1/d2/x")); R(C2(N(82,38),"a","d1")); R(C2(N(82,38),"d1","a")); R(C2(N(82,38),"d1/d2","d3")); show("d1"); R(C1(N(84,40),".")); R(C1(N(84,40),"d3/..")); R(C1(N(84,40),"d3/.")); R(C1(N(87,10),"d3")); R(C1(N(87,10),"h2/")); R(C1(N(87,10),"h2")); show("a");
 ls(".");
 R(C2(N(90,15),"a",0400)); show("a"); R(C2(N(21,33),"a",4)); R(C2(N(21,33),"a",1)); R(C2(N(21,33),"none",0)); R(C2(N(21,33),"a",9));
 R(C1(N(95,60),0)); R(C1(N(95,60),022));
 int p[2]; R(C1(N(22,42),p)); R(p[1]-p[0]); R(C3(N(8,19),p[0],0,0)); R(wr(p[1],"pipe",4)); n=rd(p[0],buf,100); PS("pipe",buf,n); R(wr(p[0],"x",1)); R(rd(p[1],buf,1)); R(C4(N(17,180),p[0],buf,1,0));
 R(C3(N(72,55),p[0],3,0)); R(C3(N(72,55),p[0],4,04000)); R(C3(N(72,55),p[0],3,0)); R(rd(p[0],buf,1));
 int k=0; R(C3(N(72,55),p[1],4,04000)); while((n=wr(p[1],buf,5000))>0)k+=n; P("filled",n);
 R(C3(N(16,54),p[0],0x541b,&k)!=0); R(cl(p[1])); while((n=rd(p[0],buf,sizeof buf))>0); P("eof",n);
 R(C2(N(33,63),1,60)); R(C2(N(33,63),1,99999)); R(C2(N(33,63),55,56)); R(C3(N(292,330),1,1,0)); R(C3(N(72,55),1,0,30)); R(C3(N(72,55),30,1,0)); R(C3(N(72,55),30,2,1)); R(C3(N(72,55),30,1,0));
 R(C3(N(16,54),f,0x5401,buf)); int df=op("/dev/null",2,0); R(C3(N(16,54),df,0x5401,buf)); R(wr(df,buf,1000)); R(rd(df,buf,10)); int z=op("/dev/zero",0,0); R(rd(z,buf,1000)); int fl=op("/dev/full",1,0); R(wr(fl,"x",1));
 R(C2(N(79,183),buf,1)); n=C2(N(79,183),buf,sizeof buf); P("cwdlen>0",n>2);
 f=op("v",0102,0600); struct{void*b;ul l;}iv[3]={{"ab",2},{"",0},{"cdef",4}}; R(C3(N(20,146),f,iv,3)); R(C3(N(20,146),f,iv,-1)); R(C3(N(20,146),f,iv,2000)); R(C3(N(20,146),f,1,1)); R(C5(N(18,181),f,"ZZ",2,1,0)); R(C5(N(17,180),f,buf,10,0,0)); PS("v",buf,6); R(C5(N(17,180),f,buf,10,-1,-1));
 R(wr(f,(char*)1,5)); R(rd(f,(char*)1,5)); R(op((char*)1,0,0)); R(C2(N(4,195),"v",1));
 R(C1(N(74,118),f)); R(C1(N(75,148),p[0])); R(C2(N(73,143),f,2)); R(C2(N(73,143),f,77)); R(C4(N(285,324),f,0,0,0)); R(C2(N(76,92),"v",3)); show("v"); R(C2(N(76,92),".",3));
 R(C2(N(137,99),".",buf)); R(C2(N(137,99),"none",buf)); R(C1(N(81,133),f)); R(C1(N(80,12),"v")); R(C1(N(80,12),"..")); show("w"); ls("w");
 R(C4(N(264,302),-100,"w/v",-100,"w/v")); R(C3(N(263,301),-100,"w/v",0x200)); R(C3(N(263,301),-100,"w/v",7)); R(C3(N(263,301),-100,"w/d1",0)); R(C3(N(263,301),-100,"w/d1",0x200));
 R(C3(N(257,295),99,"x",0)); R(C3(N(257,295),f,"x",0)); R(C3(N(257,295),f,"/dev/null",0)>0);
 R(C3(N(133,14),"fifo",010644,0)); show("fifo"); int ff=op("fifo",1|04000,0); P("fifo wr nonblock",ff); ff=op("fifo",0|04000,0); P("ok",ff>0); int fw=op("fifo",1|04000,0); R(wr(fw,"fi",2)); n=rd(ff,buf,9); PS("fifo",buf,n); cl(fw); R(rd(ff,buf,9)); R(C1(N(87,10),"fifo"));
 struct{int fd;short e,r;}pf[2]={{p[0],1,7},{df,5,7}}; R(C3(N(7,168),pf,2,0)); R(pf[0].r); R(pf[1].r); pf[0].fd=98; R(C3(N(7,168),pf,1,0)); R(pf[0].r); R(C3(N(7,168),0,0,1)); R(C3(N(7,168),1,1,1));
 R(C1(N(231,252),0));
}
