/** `restore IMAGES-DIR`: a CRIU image directory, up to the first instruction of the restorer blob. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { imageWantsAvx512 } from '../../criu/avx512-of-image.ts';
import { ImageDir } from '../../criu/image-dir.ts';
import { loadBlob } from '../../criu/restore/blob.ts';
import { restore } from '../../criu/restore/restore.ts';
import { vdsoOfImage } from '../../criu/vdso-of-image.ts';
import type { Kernel } from '../../linux/kernel.ts';
import { type VdsoConfig, vdsoFromImage } from '../../linux/vdso/config.ts';
import { bootMachine, type MachineOptions, makeLogger, withMachineOptions } from './machine.ts';
import { runMachine } from './run.ts';

/** The program of each process, which gdb may ask for before the blob has set it. */
function programs(path: string): ReadonlyMap<number, string> {
  const dir = ImageDir.open(path);
  const files = dir.files();
  const found = new Map<number, string>();
  for (const { pid } of dir.tree) {
    if (!dir.has(`mm-${pid}.img`)) continue;
    const name = files.get(dir.mm(pid).exe_file_id)?.reg?.name;
    if (name !== undefined) found.set(pid, name);
  }
  return found;
}

function vdsoFor(path: string, options: MachineOptions): VdsoConfig | undefined {
  if (options.vdso !== 'image') return undefined;
  const { vdso64, vdso32, vvarPages } = vdsoOfImage(path);
  return vdsoFromImage(vdso64, vdso32, vvarPages, options.cpu.vendor);
}

/** Where the blob of each process lies: every one stands at its first instruction. */
function blobSymbols(kernel: Kernel): ReadonlyMap<number, { path: string; offset: number }> {
  const places = ['../../criu/restorer/', '../../../criu/restorer/'];
  const files = places.map((place) => fileURLToPath(new URL(`${place}restorer.elf`, import.meta.url)));
  const path = files.find((file) => existsSync(file));
  if (path === undefined) return new Map();
  const { entry } = loadBlob();
  const tasks = [...kernel.tasks.values()].filter((task) => task.exitState === undefined);
  return new Map(tasks.map((task) => [task.tgid, { path, offset: Number(task.regs.rip) - entry }]));
}

async function run(path: string, options: MachineOptions): Promise<number> {
  const log = makeLogger(options.logLevel);
  const names = programs(path);
  const vdso = vdsoFor(path, options);
  const avx512 = imageWantsAvx512(ImageDir.open(path));
  const kernel = bootMachine(options, log, { avx512, ...(vdso && { vdso }) });
  restore(kernel, path, { inheritFds: options.inheritFd });
  const blobs = blobSymbols(kernel);
  return await runMachine(kernel, options, log, {
    program: (pid) => names.get(pid),
    symbols: (pid) => blobs.get(pid),
  });
}

export function restoreCommand(command: Command, done: (status: number) => void): void {
  withMachineOptions(command)
    .argument('<images-dir>', 'what criu dump wrote')
    .description('restore a CRIU image directory')
    .action(async (path: string, options: MachineOptions) => done(await run(path, options)));
}
