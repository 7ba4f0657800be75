/** ptrace(2) of x32, which no recording shows: Debian's kernels have no CONFIG_X86_X32_ABI. By x32_arch_ptrace() of v4.7. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { haveGcc } from '../helpers/build.ts';
import { runProgram } from '../linux/helpers/run-guest.ts';

const FLAGS = [
  '-mx32',
  '-O1',
  '-nostdlib',
  '-static',
  '-ffreestanding',
  '-fno-stack-protector',
  '-fcf-protection=none',
];

/** Each line: request, its answer, what it gave; hexadecimal. */
const EXPECTED = `
stop 0 137f
PEEKUSR rax -5 ffffffffffffffff
PEEKUSR cs 0 ffffffff00000033
PEEKUSR DR7 0 ffffffff00000000
PEEKUSR beyond -5 0
POKEUSR rax -5 0
POKEUSR ds 0 0
PEEKDATA 0 ffffffff12345678
POKEDATA 0 0
and behind it 0 ffffffff9abcdef0
GETREGS 0 33
GETREGSET 0 d8
GETREGSET PRFPREG 0 200
GETFPREGS 0 0
GETFPXREGS -5 0
GET_THREAD_AREA -5 0
ARCH_PRCTL -5 0
GETSIGINFO 0 13
si_pid is its own 0 1
syscall stop 0 857f
orig_rax 0 40000027
end 0 300
`;

describe('ptrace of x32', () => {
  it('words of 32 bits, registers in the 64-bit layout, and of the user area only what lies behind the registers', function () {
    if (!haveGcc()) this.skip();
    const folder = mkdtempSync(join(tmpdir(), 'ptrace-'));
    const program = join(folder, 'x32');
    execFileSync('gcc', [...FLAGS, '-o', program, join(import.meta.dirname, 'guests/x32.c')], { stdio: 'inherit' });
    for (const kernel of ['v4.7-rc1', 'compat-cr']) {
      expect(runProgram(program, { kernel }).output.trim()).to.equal(EXPECTED.trim());
    }
    rmSync(folder, { recursive: true });
  });
});
