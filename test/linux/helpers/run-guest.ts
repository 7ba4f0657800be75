import { CpuContext } from '../../../cpu/context.ts';
import { Cpu } from '../../../cpu/cpu.ts';
import { O_RDONLY, O_RDWR } from '../../../linux/abi/fcntl.ts';
import { startProgram } from '../../../linux/exec/init.ts';
import { Vfs } from '../../../linux/fs/vfs.ts';
import { Kernel } from '../../../linux/kernel.ts';
import { bootOps } from '../../../linux/patches/series.ts';
import type { Cred } from '../../../linux/task/cred.ts';
import type { StopEvent } from '../../../linux/task/run.ts';
import { vdsoShipped } from '../../../linux/vdso/config.ts';

export interface GuestOptions {
  readonly kernel?: string;
  readonly patches?: string;
  readonly vendor?: 'amd' | 'intel' | 'any';
  readonly argv?: readonly string[];
  readonly env?: readonly string[];
  readonly failVvar?: boolean;
  /** RLIMIT_CORE; default 0. */
  readonly core?: bigint;
  readonly cwd?: string;
  readonly cred?: Cred;
  /** Is attached to the first process, and told of every event; the guest goes on behind it. */
  readonly debugger?: (kernel: Kernel, event: StopEvent) => void;
  /** Run until no task is left, not only to the end of the first. */
  readonly toTheEnd?: boolean;
  /** Instructions after which the guest counts as hanging. */
  readonly limit?: number;
}

export interface GuestRun {
  readonly kernel: Kernel;
  /** As wait(2) gives it. */
  readonly status: number;
  /** What it wrote to descriptors 1 and 2. */
  readonly output: string;
  /** A file as the guest left it. */
  read(path: string): Buffer | undefined;
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} } as unknown as Kernel['log'];

/** Runs a program of the host in a machine of its own; what it writes goes nowhere else. */
export function runProgram(program: string, options: GuestOptions = {}): GuestRun {
  const vendor = options.vendor ?? 'any';
  const cpu = new Cpu({ vendor, memoryLimit: 256 * 1024 * 1024 });
  let output = '';
  const vfs = new Vfs({
    cpu,
    root: '/',
    io: {
      write: (_fd, bytes) => {
        output += Buffer.from(bytes).toString();
        return 0;
      },
      isTty: () => false,
      winsize: () => ({ rows: 0, cols: 0 }),
    },
  });
  const ops = bootOps(options.kernel, options.patches);
  const kernel = new Kernel({ cpu, ops, vdso: vdsoShipped(vendor), vfs, log: silent });
  const argv = [program, ...(options.argv ?? [])];
  const task = startProgram(kernel, program, argv, options.env ?? [], {
    context: new CpuContext(),
    files: [0, 1, 2].map((fd) => vfs.hostStream(fd, O_RDWR)),
    cwd: options.cwd ?? '/tmp',
    ...(options.cred && { cred: options.cred }),
  });
  if (typeof task === 'number') throw new Error(`execve ${program}: ${task}`);
  if (options.failVvar) kernel.faults.failVvarOnce = true;
  task.group.rlimits[4]!.cur = options.core ?? 0n;
  if (options.debugger) kernel.debug.pids.add(task.tgid);
  const limit = options.limit ?? 1_000_000_000;
  for (;;) {
    const event = kernel.run({ action: () => 'run', budget: 10_000_000 });
    options.debugger?.(kernel, event);
    if (event.kind === 'done' || (event.kind === 'exit' && event.task === task && !options.toTheEnd)) break;
    if (event.kind === 'idle') throw new Error(`the guest waits for ever; it wrote: ${output}`);
    if (cpu.icount > limit) throw new Error(`the guest does not end; it wrote: ${output}`);
  }
  const status = kernel.exitStatus;
  if (status === undefined) throw new Error('the guest does not end');
  const read = (path: string): Buffer | undefined => {
    const file = vfs.openAs(undefined, path, O_RDONLY);
    if (typeof file === 'number') return undefined;
    const bytes = file.inode.read(file, 0, file.inode.size);
    return typeof bytes === 'number' ? undefined : Buffer.from(bytes);
  };
  return { kernel, status, output, read };
}

/** @returns the program's exit status, or 128 + the signal that ended it */
export function runGuest(program: string, options: GuestOptions = {}): number {
  const { status } = runProgram(program, options);
  return (status & 0x7f) !== 0 ? 128 + (status & 0x7f) : (status >> 8) & 0xff;
}
