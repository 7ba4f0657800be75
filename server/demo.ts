/** `npm run demo`: gdb in batch mode through the whole journey of a 32-bit task, explained step by step. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bundled, PROJECT, unpackBundled } from './bundled.ts';

interface Step {
  readonly why: string;
  readonly commands: readonly string[];
}

const STEPS: readonly Step[] = [
  {
    why: "The machine stands at the first instruction of CRIU's restorer blob: 64-bit code, CS 0x33, in a process that is still CRIU's own.",
    commands: ['x/3i $pc', 'p/x $cs', 'info proc mappings'],
  },
  {
    why: 'The blob unmaps everything but itself, and asks for a 32-bit vDSO: arch_prctl(ARCH_MAP_VDSO_32, address), patch 0003 of the series.',
    commands: ['tbreak restorer_map_vdso', 'continue', 'catch syscall arch_prctl', 'continue', 'p/x $rdi', 'p/x $rsi'],
  },
  {
    why: 'The call returns; the kernel has mapped [vvar] and a 32-bit [vdso] into a 64-bit process.',
    commands: ['continue', 'p/x $rax', 'delete', 'monitor vdso'],
  },
  {
    why: "The task's memory is filled from the image; then the vDSO moves to where the dumped program knows it: mremap, which the kernel follows (patch base).",
    commands: ['tbreak restorer_move_vdso', 'continue', 'finish', 'monitor vdso'],
  },
  {
    why: 'All is in place. The last 64-bit instruction of the blob: lretq with selector 0x23 on the stack.',
    commands: ['tbreak restorer_to_compat', 'continue', 'x/2i $pc', 'x/2gx $rsp', 'stepi', 'stepi'],
  },
  {
    why: 'CS is 0x23 now. gdb has read the i386 description anew, without a reconnect: 32-bit registers, 32-bit disassembly.',
    commands: ['p/x $cs', 'x/4i $pc', 'info registers eip esp eflags cs'],
  },
  {
    why: 'The 32-bit part ends with rt_sigreturn by int $0x80: the frame on the stack holds the registers of the dump.',
    commands: ['tbreak restorer_compat_sigreturn', 'continue', 'x/3i $pc', 'stepi', 'stepi'],
  },
  {
    why: 'This is the dumped program, at the instruction where CRIU had stopped it, with its stack and its libraries.',
    commands: ['x/i $pc', 'backtrace', 'info proc mappings'],
  },
  {
    why: 'It is an ordinary 32-bit program to gdb: variables, watchpoints, breakpoints, calls of its functions.',
    commands: [
      'frame 4',
      'p i',
      'p/x sum',
      'watch -location v.ns',
      'continue',
      'backtrace',
      'delete',
      'tbreak nanosleep',
      'continue',
      'p (int) getpid()',
    ],
  },
  { why: 'And it runs to its end, as if nothing had happened.', commands: ['continue'] },
];

/** A gdb script that shows each command before it runs it. */
function script(port: number): string {
  const echo = (text: string): string => `echo ${text.replace(/[\\"]/g, '\\$&')}\\n`;
  const lines = [`set $port = ${port}`, `source ${join(PROJECT, 'gdbscripts', 'connect.gdb')}`, 'set width 0'];
  for (const step of STEPS) {
    lines.push(echo(`\\n# ${step.why}`).replace('\\\\n#', '\\n#'));
    for (const command of step.commands) lines.push(echo(`(gdb) ${command}`), command);
  }
  return `${lines.join('\n')}\n`;
}

/** Starts the server. @returns its port once it listens */
function startServer(image: Bundled): { port: Promise<number>; stop: () => void } {
  const args = ['--import', 'tsx', join(PROJECT, 'server', 'main.ts'), 'restore', '--once', '--listen', '127.0.0.1:0'];
  const options = ['--vdso', 'image', '--root', image.root, '--upper', image.upper, image.images];
  const child = spawn(process.execPath, [...args, ...options], { cwd: PROJECT, stdio: ['ignore', 'inherit', 'pipe'] });
  const port = new Promise<number>((resolve, reject) => {
    let text = '';
    child.stderr.on('data', (chunk) => {
      text += chunk;
      const match = /^Listening on port (\d+)$/m.exec(text);
      if (match) resolve(Number(match[1]));
    });
    child.on('close', (status) => reject(new Error(`the server ended with ${status}: ${text}`)));
  });
  return { port, stop: () => void child.kill() };
}

async function main(): Promise<number> {
  if (spawnSync('gdb', ['--version']).status !== 0) {
    process.stderr.write('npm run demo needs gdb (Debian: apt install gdb)\n');
    return 1;
  }
  const image = unpackBundled('counter32-static');
  const directory = mkdtempSync(join(tmpdir(), 'demo-'));
  const server = startServer(image);
  try {
    const file = join(directory, 'journey.gdb');
    writeFileSync(file, script(await server.port));
    const gdb = spawn('gdb', ['-nx', '-batch', '-ex', `directory ${join(image.set, 'src')}`, '-x', file], {
      cwd: PROJECT,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const status = await new Promise<number>((resolve) => gdb.on('close', (code) => resolve(code ?? 1)));
    const out = join(image.upper, 'srv', 'tasks', 'counter32-static', 'out.txt');
    const expected = readFileSync(join(image.set, 'expected.txt'), 'utf8');
    const text = existsSync(out) ? readFileSync(out, 'utf8') : '';
    process.stdout.write(`\n# What the program has written, before the dump and after the restore:\n${text}`);
    process.stdout.write(
      text.endsWith(expected)
        ? '\nThat is what it would have written without the dump.\n'
        : '\nThat is NOT expected.\n',
    );
    return text.endsWith(expected) ? status : 1;
  } finally {
    server.stop();
    rmSync(directory, { recursive: true, force: true });
    image.remove();
  }
}

process.exit(await main());
