/** The kernel: patches. */
import { kernelNamed } from '../../linux/patches/series.ts';
import type { MonitorCommand, MonitorContext } from './command.ts';
import { table } from './table.ts';

function patches({ kernel }: MonitorContext): string {
  const version = kernelNamed(kernel.ops.release);
  const rows = version.series.map((patch) => {
    const state = kernel.ops.patches.includes(patch.id) ? 'on' : patch.apply ? 'off' : 'later';
    return [patch.id, state, patch.subject];
  });
  return `kernel ${version.name}: ${version.description}\n${table(rows)}`;
}

export const KERNEL_COMMANDS: readonly MonitorCommand[] = [
  { name: 'patches', usage: '', help: 'the kernel and which patches of the series are on', run: patches },
];
