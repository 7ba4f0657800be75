/** `exec PROGRAM [ARG..]`: start a Linux program. */
import { realpathSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';
import type { Command } from 'commander';
import { CpuContext } from '../../cpu/context.ts';
import { O_RDONLY, O_RDWR, O_WRONLY } from '../../linux/abi/fcntl.ts';
import { startProgram } from '../../linux/exec/init.ts';
import type { File } from '../../linux/fs/file.ts';
import type { Vfs } from '../../linux/fs/vfs.ts';
import { errnoName, Failure } from './failure.ts';
import { bootMachine, type MachineOptions, makeLogger, withMachineOptions } from './machine.ts';
import { runMachine } from './run.ts';

/** The host's working directory as the guest sees it; `/` if it lies outside of the guest's root. */
function workingDirectory(root: string): string {
  const inside = relative(realpathSync(root), process.cwd());
  return inside.startsWith('..') || isAbsolute(inside) ? '/' : `/${inside}`;
}

/** execvp(3): a name without a slash is looked for in PATH. */
function candidates(program: string): string[] {
  if (program.includes('/')) return [program];
  const path = process.env['PATH'] ?? '/bin:/usr/bin';
  return path.split(':').map((dir) => `${dir === '' ? '.' : dir}/${program}`);
}

function findProgram(vfs: Vfs, program: string, cwd: string): string {
  for (const path of candidates(program)) {
    const full = path.startsWith('/') ? path : `${cwd}/${path}`;
    const stat = vfs.stat(vfs.rootContext(), full);
    if (typeof stat !== 'number' && (program.includes('/') || (stat.mode & 0o170111) > 0o100000)) return path;
  }
  throw new Failure(1, `${program}: no such program in the guest's root directory`);
}

/** 0-2 of the host; an end of one file that the host has on several descriptors stays one. */
function standardStreams(vfs: Vfs): File[] {
  // A terminal is open for both, as login(1) leaves it: tmux and less use one descriptor for all.
  const open = (fd: number, flags: number): File => vfs.hostStream(fd, vfs.io.isTty(fd) ? O_RDWR : flags);
  return [open(0, O_RDONLY), open(1, O_WRONLY), open(2, O_WRONLY)];
}

async function run(program: string, args: readonly string[], options: MachineOptions): Promise<number> {
  if (options.vdso === 'image') throw new Failure(2, '--vdso image: there is no image here');
  const log = makeLogger(options.logLevel);
  const kernel = bootMachine(options, log, { epoch: 'newest' });
  const cwd = workingDirectory(options.root);
  const path = findProgram(kernel.vfs, program, cwd);
  const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  const task = startProgram(kernel, path, [program, ...args], environment, {
    context: new CpuContext(),
    files: standardStreams(kernel.vfs),
    cwd,
  });
  if (typeof task === 'number') throw new Failure(1, `${path}: ${errnoName(-task)}`);
  return await runMachine(kernel, options, log);
}

export function execCommand(command: Command, done: (status: number) => void): void {
  withMachineOptions(command)
    .argument('<program>', "a path in the guest's root directory, or a name to look for in PATH")
    .argument('[args...]')
    .description('start a Linux program')
    .passThroughOptions()
    .action(async (program: string, args: string[], options: MachineOptions) =>
      done(await run(program, args, options)),
    );
}
