/** The kernel: patches, fail, dump-core. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { SIGTRAP, type SigInfo } from '../../linux/abi/signal.ts';
import { elf_core_dump } from '../../linux/coredump/elf-core.ts';
import { kernelNamed, replacedBy } from '../../linux/patches/series.ts';
import { kernelInfo } from '../../linux/signal/queue.ts';
import type { Task } from '../../linux/task/task.ts';
import type { MonitorCommand, MonitorContext } from './command.ts';
import { table } from './table.ts';

function patches({ kernel }: MonitorContext, [id]: readonly string[]): string {
  const version = kernelNamed(kernel.ops.release);
  const state = (name: string): string => (kernel.ops.patches.includes(name) ? 'on' : 'off');
  if (id !== undefined) {
    const patch = version.series.find((p) => p.id === id);
    if (patch === undefined) return `kernel ${version.name} has no patch '${id}'\n`;
    const replaces = replacedBy(patch).join(', ');
    return `${patch.id}, ${state(patch.id)}: ${patch.subject}\nreplaces: ${replaces}\n${wrap(patch.about)}`;
  }
  const rows = version.series.map((patch) => [
    patch.id,
    state(patch.id),
    patch.subject,
    `replaces ${replacedBy(patch).join(', ')}`,
  ]);
  return `kernel ${version.name}: ${version.description}\n${table(rows)}`;
}

/** Lines of at most 80 columns. */
function wrap(text: string): string {
  let out = '';
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length >= 80) {
      out += `${line}\n`;
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return `${out}${line}\n`;
}

function fail({ kernel }: MonitorContext, [what]: readonly string[]): string {
  if (what !== 'vvar') return 'fail: vvar, the next mapping of [vvar]; nothing else can be made to fail\n';
  kernel.faults.failVvarOnce = true;
  return 'the next mapping of [vvar] fails with -ENOMEM, once: see patch 0001\n';
}

/** The signal that the task stands at, or as gdb's gcore has it. */
const reasonOf = (task: Task): SigInfo => task.debugSignal ?? kernelInfo(SIGTRAP);

/** A core file of the process, as the kernel would write it if the selected thread died now. On the host. */
function dumpCore({ task }: MonitorContext, [name]: readonly string[]): string {
  if (task === undefined) return 'no task is selected\n';
  if (task.exitState !== undefined) return `task ${task.pid} has ended\n`;
  const path = resolve(name ?? `core.${task.tgid}`);
  let size = 0;
  try {
    const fd = openSync(path, 'w', 0o600);
    try {
      for (const chunk of elf_core_dump(task, reasonOf(task))) {
        if (typeof chunk !== 'number') writeSync(fd, chunk, 0, chunk.length, size);
        size += typeof chunk === 'number' ? chunk : chunk.length;
      }
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return `dump-core: ${(error as Error).message}\n`;
  }
  return `core of process ${task.tgid}, thread ${task.pid}: ${path}, ${size} bytes\n`;
}

export const KERNEL_COMMANDS: readonly MonitorCommand[] = [
  {
    name: 'patches',
    usage: '[ID]',
    help: 'the kernel, which patches are on and what they replace; of one: what it does',
    run: patches,
  },
  { name: 'fail', usage: 'vvar', help: 'makes the next mapping of [vvar] fail, once', run: fail },
  {
    name: 'dump-core',
    usage: '[FILE]',
    help: 'writes a core file of the process on the host, as the kernel would now (default core.PID)',
    run: dumpCore,
  },
];
