/** Debian's strace, gdb and gdbserver as guests, on guest programs: they say what they say natively. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { haveGcc } from '../helpers/build.ts';
import { runProgram } from '../linux/helpers/run-guest.ts';

const SOURCES = join(import.meta.dirname, 'tools');
const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', HOME: '/', TERM: 'dumb' };

/** The calls that are the same on every kernel: libc asks newer ones for others. */
const CALLS =
  'pipe,fork,vfork,write,read,wait4,rt_sigreturn,sigreturn,kill,getpid,nanosleep,close,exit_group,execve,rt_sigaction';

/** gdb, told what to do by a file; without the address that a register or stack slot had before. */
const GDB = 'gdb -nx -batch -ex "set confirm off" -ex "set width 0" -ex "set pagination off" -ex "set sysroot /" -x';

const COMMANDS = `
break main
run
watch counter
catch syscall getppid
continue
bt
print/x $cs
continue
next
continue
print counter
print $_siginfo.si_signo
print origin
delete
break fact if n == 1
continue
bt
info registers eflags cs ss ds es fs gs
x/3i $pc
stepi
finish
print origin.d * 2
info threads
delete
continue
`;
const REMOTE = `
break add
continue
bt
watch counter
continue
info registers eflags
call add(40, 2)
delete
continue
`;
const ATTACH = `
bt
print released
set variable released = 1
detach
`;

interface Row {
  readonly name: string;
  readonly needs: readonly string[];
  /** A shell script; PROGRAM and DIR are replaced. */
  readonly script: string;
}

const rows = (bits: '64' | '32'): readonly Row[] => [
  {
    name: 'strace -ff',
    needs: ['strace'],
    script: `cd DIR && rm -f o.* && strace -ff -o o -e trace=${CALLS} ./watched-${bits}
      echo status $?; for f in $(ls -v o.*); do echo; cat $f; done`,
  },
  {
    name: 'strace -f of a shell that says nothing',
    needs: ['strace'],
    script: `cd DIR && strace -f -e trace=none -e signal=none -qq sh -c './watched-${bits}; echo $?' 2>&1`,
  },
  {
    name: 'gdb: breakpoints, a watchpoint, a caught call, registers, steps',
    needs: ['gdb'],
    script: `cd DIR && ${GDB} commands ./debugged-${bits} 2>&1`,
  },
];

const ONCE: readonly Row[] = [
  {
    name: 'gdb and gdbserver over a pipe',
    needs: ['gdb', 'gdbserver'],
    script: `cd DIR && ${GDB} pipe ./debugged-32 2>&1`,
  },
  {
    name: 'gdb and gdbserver over TCP',
    needs: ['gdb', 'gdbserver'],
    script: `cd DIR && { gdbserver --once 127.0.0.1:23451 ./debugged-32 2>/dev/null & sleep 0.5; ${GDB} tcp ./debugged-32 2>&1; }`,
  },
  {
    name: 'gdb -p',
    needs: ['gdb'],
    script: `cd DIR && { ./sleeper-64 & ${GDB} attach -p $! 2>&1; wait $!; echo $?; }`,
  },
];

/** What depends on the run: pids, and gdbserver's complaints about the FPU state of a newer kernel. */
const normal = (text: string): string =>
  text
    .split('\n')
    .filter((line) => !line.startsWith('Warning: ptrace(regsets_store_inferior_registers)'))
    .join('\n')
    .replace(/\b(process|pid =|LWP|Remote target) [0-9.]+/g, '$1 N')
    .replace(/\bThread [0-9a-fx.]+/g, 'Thread N')
    .replace(/^( +Id +Target Id).*$/gm, '$1')
    .replace(/^(\* 1 .*?\S) {2,}/gm, '$1 ')
    .replace(/((?:fork|vfork|getpid)\(.*\)) += \d+/g, '$1 = N')
    .replace(/(kill|wait4)\(\d+/g, '$1(N')
    .replace(/(wait4.*) = \d+$/gm, '$1 = N')
    .replace(/ +(?== [-\d?])/gm, ' ')
    .replace(/si_pid=\d+/g, 'si_pid=N')
    .replace(/0x[0-9a-f]+ \/\* \d+ vars \*\//g, 'ENVIRONMENT')
    // Libraries and the vDSO lie below a vDSO of another size.
    .replace(/\b0x7fff[0-9a-f]{8}\b|\b0x0*f7[0-9a-f]{6}\b/g, 'LIBRARY');

describe('tools as guests', () => {
  let folder: string;
  before(function () {
    if (!haveGcc()) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'ptrace-tools-'));
    writeFileSync(join(folder, 'commands'), COMMANDS);
    writeFileSync(join(folder, 'attach'), ATTACH);
    writeFileSync(join(folder, 'tcp'), `target remote 127.0.0.1:23451\n${REMOTE}`);
    writeFileSync(join(folder, 'pipe'), `target remote | gdbserver - ./debugged-32\n${REMOTE}`);
    for (const bits of ['64', '32']) {
      for (const [name, flags] of [
        ['watched', ['-O1', '-static']],
        ['debugged', ['-O0', '-fno-stack-protector']],
        ['sleeper', ['-O0', '-static']],
      ] as const) {
        const out = join(folder, `${name}-${bits}`);
        execFileSync('gcc', [`-m${bits}`, '-g', '-w', ...flags, '-o', out, `${name}.c`], { cwd: SOURCES });
      }
    }
  });
  after(() => {
    if (folder) rmSync(folder, { recursive: true });
  });

  const test = (title: string, { needs, script }: Row): void => {
    it(title, function () {
      const missing = needs.filter((tool) => !existsSync(`/usr/bin/${tool}`));
      if (missing.length > 0) {
        if (process.env['CI']) throw new Error(`${missing.join(', ')} is missing`);
        process.stderr.write(`SKIPPED LOUDLY: there is no ${missing.join(', ')} here\n`);
        this.skip();
      }
      const command = script.replaceAll('DIR', folder);
      const native = spawnSync('setarch', ['-R', '/bin/sh', '-c', command], {
        encoding: 'utf8',
        env: ENVIRONMENT,
        timeout: 60_000,
      });
      const env = Object.entries(ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
      const guest = runProgram('/bin/sh', { argv: ['-c', command], env, limit: 20_000_000_000 });
      expect(normal(guest.output)).to.equal(normal(native.stdout));
      expect(guest.status >> 8).to.equal(native.status);
    });
  };

  for (const bits of ['64', '32'] as const) for (const row of rows(bits)) test(`${row.name}, ${bits}-bit`, row);
  for (const row of ONCE) test(row.name, row);
});
