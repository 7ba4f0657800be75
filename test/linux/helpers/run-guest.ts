import { Cpu, CpuContext } from '../../../cpu/cpu.ts';
import { startProgram } from '../../../linux/exec/init.ts';
import { Vfs } from '../../../linux/fs/vfs.ts';
import { Kernel } from '../../../linux/kernel.ts';
import { bootOps } from '../../../linux/patches/series.ts';
import { vdsoShipped } from '../../../linux/vdso/config.ts';

export interface GuestOptions {
  readonly kernel?: string;
  readonly patches?: string;
  readonly vendor?: 'amd' | 'intel' | 'any';
  readonly argv?: readonly string[];
  readonly failVvar?: boolean;
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} } as unknown as Kernel['log'];

/**
 * Runs a program of the host in a machine without input and output.
 * @returns its exit status, or 128 + the signal that ended it
 */
export function runGuest(program: string, options: GuestOptions = {}): number {
  const vendor = options.vendor ?? 'any';
  const cpu = new Cpu({ vendor, memoryLimit: 256 * 1024 * 1024 });
  const vfs = new Vfs({ cpu, root: '/' });
  const ops = bootOps(options.kernel, options.patches);
  const kernel = new Kernel({ cpu, ops, vdso: vdsoShipped(vendor), vfs, log: silent });
  const argv = [program, ...(options.argv ?? [])];
  const task = startProgram(kernel, program, argv, [], { context: new CpuContext() });
  if (typeof task === 'number') throw new Error(`execve ${program}: ${task}`);
  if (options.failVvar) kernel.faults.failVvarOnce = true;
  while (cpu.icount < 1_000_000_000) {
    const event = kernel.run({ action: () => 'run', budget: 10_000_000 });
    if (event.kind === 'done') break;
    if (event.kind === 'idle') throw new Error('the guest waits for ever');
  }
  const status = kernel.exitStatus;
  if (status === undefined) throw new Error('the guest does not end');
  return (status & 0x7f) !== 0 ? 128 + (status & 0x7f) : (status >> 8) & 0xff;
}
