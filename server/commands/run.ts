/** A machine with its first task: run to the end, or serve gdb. */
import type { Logger } from 'pino';
import { KernelBug } from '../../linux/entry/oops.ts';
import type { Kernel } from '../../linux/kernel.ts';
import type { StopEvent } from '../../linux/task/run.ts';
import { LinuxTarget, type LinuxTargetOptions } from '../linux-target.ts';
import type { ListenAddress } from '../listen.ts';
import { serve } from '../server.ts';
import { Session } from '../session.ts';
import { Failure } from './failure.ts';
import { InputPump, writeAll } from './host-io.ts';
import type { MachineOptions } from './machine.ts';

const SLICE = 50_000_000;
/** 128 + SIGSTOP. */
const ALL_STOPPED = 147;
/** Bugs of ours after which `--run` gives up. */
const MAX_BUGS = 100;

export const say = (line: string): void => writeAll(2, Buffer.from(`${line}\n`));

/** The exit status for a status as wait(2) gives it. */
export function exitCode(status: number | undefined): number {
  if (status === undefined) return 0;
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}

/** `--run`. @returns the exit status */
function runToEnd(kernel: Kernel, pump: InputPump, log: Logger): number {
  let bugs = 0;
  for (;;) {
    let event: StopEvent;
    try {
      event = kernel.run({ action: () => 'run', budget: SLICE });
    } catch (bug) {
      // The call that met it has failed; the rest of the machine is whole.
      if (!(bug instanceof KernelBug) || ++bugs > MAX_BUGS) throw bug;
      log.error({ err: bug }, 'a bug of the machine');
      continue;
    }
    if (event.kind === 'done') return exitCode(kernel.exitStatus);
    if (event.kind === 'idle' && !pump.fetch()) {
      const living = [...kernel.tasks.values()].filter((task) => task.exitState === undefined);
      if (living.length > 0 && living.every((task) => task.state === 'stopped')) {
        say(`compat-gdbserver: every task is stopped (SIGSTOP); it goes on by SIGCONT, from gdb`);
        return ALL_STOPPED;
      }
      // Daemons that the program has left behind, as a shell would leave them.
      if (kernel.exitStatus !== undefined) return exitCode(kernel.exitStatus);
      const waits = living.map((task) => `${task.pid} for ${task.wait?.channels.join(' ') ?? task.state}`);
      throw new Failure(1, `no task can go on: ${waits.join(', ')}`);
    }
  }
}

const nameOf = (address: ListenAddress): string =>
  address.kind === 'tcp'
    ? `${address.host}:${address.port}`
    : address.kind === 'unix'
      ? `unix:${address.path}`
      : 'stdio';

/** An address that cannot be had, in gdbserver's words. */
function bindError(error: unknown, address: ListenAddress): Failure {
  const { code, message } = error as NodeJS.ErrnoException;
  const text: Readonly<Record<string, string>> = {
    EADDRINUSE: "Can't bind address: Address already in use.",
    EACCES: "Can't bind address: Permission denied.",
    EADDRNOTAVAIL: "Can't bind address: Cannot assign requested address.",
    ENOTFOUND: 'cannot resolve name',
  };
  return new Failure(1, `${nameOf(address)}: ${(code && text[code]) ?? message}`);
}

async function serveGdb(
  kernel: Kernel,
  options: MachineOptions,
  log: Logger,
  target: LinuxTargetOptions,
): Promise<number> {
  const session = new Session(new LinuxTarget(kernel, target), log);
  try {
    await serve(session, { listen: options.listen, once: options.once ?? false, say });
  } catch (error) {
    throw bindError(error, options.listen);
  }
  return exitCode(kernel.exitStatus);
}

/** @returns the exit status */
export async function runMachine(
  kernel: Kernel,
  options: MachineOptions,
  log: Logger,
  target: LinuxTargetOptions = {},
): Promise<number> {
  const overStdio = options.listen.kind === 'stdio' && options.run !== true;
  const pump = new InputPump(kernel.vfs, new Set(overStdio ? [0] : []));
  const status = options.run
    ? runToEnd(kernel, pump, log)
    : await serveGdb(kernel, options, log, { ...target, wantInput: () => pump.fetchAsync() });
  kernel.vfs.sync();
  log.info({ instructions: kernel.cpu.icount }, 'end');
  return status;
}
