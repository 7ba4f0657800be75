import { pino } from 'pino';
import { CpuContext } from '../../cpu/context.ts';
import { Cpu } from '../../cpu/cpu.ts';
import { O_RDONLY, O_WRONLY } from '../../linux/abi/fcntl.ts';
import { KernelBug } from '../../linux/entry/oops.ts';
import { startProgram } from '../../linux/exec/init.ts';
import type { HostIo } from '../../linux/fs/host-stream.ts';
import { Vfs } from '../../linux/fs/vfs.ts';
import { Kernel } from '../../linux/kernel.ts';
import { bootOps } from '../../linux/patches/series.ts';
import type { StopEvent } from '../../linux/task/run.ts';
import { vdsoShipped } from '../../linux/vdso/config.ts';

export interface ProgramRun {
  readonly argv: readonly string[];
  readonly root?: string;
  readonly upper?: string;
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes of guest memory. */
  readonly memory?: number;
  /** Instructions, and what jumps of the clock count, after which the test gives up. */
  readonly limit?: number;
  readonly inodes?: number;
  readonly collectBugs?: boolean;
  readonly strace?: (line: string) => void;
}

export interface ProgramEnd {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit status, or 128 + the signal. */
  readonly status: number;
  readonly instructions: number;
  /** Bugs of the machine that the program met; without `collectBugs` the first one is thrown. */
  readonly bugs: readonly KernelBug[];
}

const utf8 = (parts: readonly Uint8Array[]): string => Buffer.concat(parts).toString('utf8');

const SLICE = 50_000_000;

/** What `exec --run` does, without a process of its own. */
export function runProgram(run: ProgramRun): ProgramEnd {
  const written = new Map<number, Uint8Array[]>([
    [1, []],
    [2, []],
  ]);
  const io: HostIo = {
    write: (fd, bytes) => {
      written.get(fd)?.push(bytes.slice());
      return 0;
    },
    isTty: () => false,
    winsize: () => ({ rows: 0, cols: 0 }),
  };
  const cpu = new Cpu(run.memory === undefined ? {} : { memoryLimit: run.memory });
  const vfs = new Vfs({ cpu, root: run.root ?? '/', upper: run.upper, io, maxInodes: run.inodes });
  const kernel = new Kernel({
    cpu,
    ops: bootOps(),
    vdso: vdsoShipped(),
    vfs,
    log: pino({ level: 'silent' }),
    bootEpochNs: BigInt(Math.ceil(Number(vfs.newestChange()) / 1e9)) * 1_000_000_000n,
    ...(run.strace && { strace: run.strace }),
  });
  const files = [vfs.hostStream(0, O_RDONLY), vfs.hostStream(1, O_WRONLY), vfs.hostStream(2, O_WRONLY)];
  const environment = Object.entries(run.env ?? {}).map(([name, value]) => `${name}=${value}`);
  const [program] = run.argv;
  const path = program!.startsWith('/') ? program! : `/usr/bin/${program}`;
  const task = startProgram(kernel, path, [...run.argv], environment, {
    context: new CpuContext(),
    files,
    cwd: run.cwd ?? '/',
  });
  const text = (fd: number): string => utf8(written.get(fd)!);
  if (typeof task === 'number') throw new Error(`execve ${path}: errno ${-task}`);
  const stdin = vfs.streams.get(0)!;
  if (run.input) stdin.deliver(Buffer.from(run.input));
  stdin.deliver(new Uint8Array(0));
  const bugs: KernelBug[] = [];
  let ran = 0;
  const limit = run.limit ?? 60_000_000_000;
  for (;;) {
    let event: StopEvent;
    try {
      event = kernel.run({ action: () => 'run', budget: SLICE });
    } catch (bug) {
      if (!(bug instanceof KernelBug) || run.collectBugs !== true) throw bug;
      bugs.push(bug);
      continue;
    }
    if (event.kind === 'done') break;
    if (event.kind === 'idle') {
      if (kernel.exitStatus !== undefined) break;
      const waits = [...kernel.tasks.values()].map(
        (t) => `${t.pid} ${t.comm} ${t.wait?.channels.join(' ') ?? t.state}`,
      );
      throw new Error(`no task can go on: ${waits.join(', ')}\n${text(1)}${text(2)}`);
    }
    if (event.kind === 'budget') ran += SLICE;
    if (ran > limit) throw new Error(`no end after ${limit} instructions\n${text(1)}${text(2)}`);
  }
  vfs.sync();
  const status = kernel.exitStatus ?? 0;
  const signal = status & 0x7f;
  return {
    stdout: text(1),
    stderr: text(2),
    status: signal === 0 ? (status >> 8) & 0xff : 128 + signal,
    instructions: cpu.icount,
    bugs,
  };
}
