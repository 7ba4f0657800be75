import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { buildC, haveGcc } from '../helpers/build.ts';

/** All of AVX-512's state survives a handler that uses it; the frame is as large as the state. */
const STATE = `
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
static uint32_t words[5];
static void handler(int sig, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  memcpy(words, (char *)uc->uc_mcontext.fpregs + 464, sizeof words); /* struct _fpx_sw_bytes */
  uint64_t *k3 = (uint64_t *)((char *)uc->uc_mcontext.fpregs + 1088 + 24);
  printf("k3 %llx\\n", (unsigned long long)*k3);
  *k3 += 1;
  asm volatile("vpternlogd $255, %%zmm7, %%zmm7, %%zmm7; vmovdqa64 %%zmm7, %%zmm29; kxnorq %%k3, %%k3, %%k3; vzeroall" ::: "memory");
}
int main(void) {
  struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
  sigaction(SIGUSR1, &sa, 0);
  uint8_t in[64], out[3][64];
  uint64_t k = 0x123456789abcdefULL, after;
  for (int i = 0; i < 64; i++) in[i] = i * 7 + 1;
  printf("f %d bw %d\\n", !!__builtin_cpu_supports("avx512f"), !!__builtin_cpu_supports("avx512bw"));
  fflush(stdout);
  asm volatile("vmovdqu64 %[in], %%zmm7; vmovdqu64 %[in], %%zmm29; kmovq %[k], %%k3\\n"
               "mov $39, %%eax; syscall; mov %%eax, %%edi; mov $10, %%esi; mov $62, %%eax; syscall\\n"
               "vmovdqu64 %%zmm7, %[a]; vmovdqu64 %%zmm29, %[b]; kmovq %%k3, %[after]\\n"
               : [a] "=m"(out[0]), [b] "=m"(out[1]), [after] "=r"(after)
               : [in] "m"(in), [k] "r"(k) : "rax", "rcx", "r11", "rdi", "rsi", "memory");
  printf("%d %d k3 %llx size %u %u features %x\\n", memcmp(in, out[0], 64), memcmp(in, out[1], 64),
         (unsigned long long)after, words[1], words[4], words[2]);
  return 0;
}`;

const run = (cpu: string, program: string): { stdout: string; status: number | null; stderr: string } =>
  spawnSync(process.execPath, ['--import', 'tsx', 'server/main.ts', 'exec', '--run', '--cpu', cpu, program], {
    encoding: 'utf8',
    timeout: 60_000,
  });

describe('exec --cpu NAME,+avx512', () => {
  before(function () {
    if (!haveGcc()) this.skip();
  });

  it('keeps all of the state in signal frames', () => {
    const { stdout, status, stderr } = run('any,+avx512', buildC('avx512-state', STATE, []));
    expect(stdout, stderr).to.equal(
      'f 1 bw 1\nk3 123456789abcdef\n0 0 k3 123456789abcdf0 size 2692 2688 features e7\n',
    );
    expect(status, stderr).to.equal(0);
  });

  it('and without it the instructions do not exist', () => {
    const { stdout, status } = run('any', buildC('avx512-state', STATE, []));
    expect(stdout).to.equal('f 0 bw 0\n');
    expect(status).to.equal(128 + 4);
  });

  it('refuses other features', () => {
    const { stderr, status } = run('any,+avx10', '/bin/true');
    expect(stderr).to.match(/expected NAME\[,\+avx512\|,-avx512\]/);
    expect(status).to.equal(2);
  });
});
