/** `patches`: kernels and patches, one line each. */
import type { Command } from 'commander';
import { defaultKernel, kernels } from '../../linux/patches/series.ts';
import { table } from '../monitor/table.ts';
import { writeAll } from './host-io.ts';

export function patchesCommand(command: Command, done: (status: number) => void): void {
  command.description('list kernels and patches').action(() => {
    const rows = kernels.flatMap((kernel) => [
      ['kernel', kernel.name, kernel.description + (kernel.name === defaultKernel ? ' (default)' : '')],
      ...kernel.series.map((patch) => ['  patch', patch.id, patch.subject]),
    ]);
    writeAll(1, Buffer.from(table(rows)));
    done(0);
  });
}
