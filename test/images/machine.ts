import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { Cpu, type CpuOptions } from '../../cpu/cpu.ts';
import { imageWantsAvx512 } from '../../criu/avx512-of-image.ts';
import { ImageDir } from '../../criu/image-dir.ts';
import { type RestoreOptions, restore } from '../../criu/restore/restore.ts';
import { vdsoOfImage } from '../../criu/vdso-of-image.ts';
import { O_RDONLY } from '../../linux/abi/fcntl.ts';
import type { HostIo } from '../../linux/fs/host-stream.ts';
import { Vfs } from '../../linux/fs/vfs.ts';
import { Kernel } from '../../linux/kernel.ts';
import { bootOps } from '../../linux/patches/series.ts';
import type { StopEvent } from '../../linux/task/run.ts';
import { vdsoFromImage, vdsoShipped } from '../../linux/vdso/config.ts';

export interface RestoredMachine {
  readonly kernel: Kernel;
  /** What the restorer wrote to its log. */
  log(): string;
  /** Runs until something else than the end of the budget happens. */
  run(): StopEvent;
  /** A file as the guest left it. */
  read(path: string): string;
}

/** A machine with the tasks of an unpacked image set, about to run the blob. */
export function restoreSet(
  set: string,
  options: RestoreOptions & {
    vdso?: 'ours' | 'image';
    kernel?: string;
    patches?: string;
    avx512?: boolean;
    /** Receives a line for each system call. */
    strace?: (line: string) => void;
    translate?: CpuOptions['translate'];
  } = {},
): RestoredMachine {
  const images = join(set, 'images');
  let written = '';
  const io: HostIo = {
    write: (_fd, bytes) => {
      written += Buffer.from(bytes).toString();
      return 0;
    },
    isTty: () => false,
    winsize: () => ({ rows: 0, cols: 0 }),
  };
  const avx512 = options.avx512 ?? imageWantsAvx512(ImageDir.open(images));
  const cpu = new Cpu({ avx512, ...(options.translate && { translate: options.translate }) });
  const vfs = new Vfs({ cpu, root: join(set, 'root'), io });
  const own = options.vdso === 'image' ? vdsoOfImage(images) : undefined;
  const kernel = new Kernel({
    cpu,
    ops: bootOps(options.kernel ?? 'compat-cr', options.patches ?? 'all'),
    vdso: own === undefined ? vdsoShipped() : vdsoFromImage(own.vdso64, own.vdso32, own.vvarPages),
    vfs,
    log: pino({ level: 'silent' }),
    ...(options.strace && { strace: options.strace }),
  });
  restore(kernel, images, options);
  return {
    kernel,
    log: () => written,
    run: () => {
      for (;;) {
        const event = kernel.run({ action: () => 'run', budget: 20_000_000 });
        if (event.kind !== 'budget' && event.kind !== 'cs-switch') {
          return event;
        }
      }
    },
    read: (path) => {
      const file = vfs.openAs(undefined, path, O_RDONLY);
      if (typeof file === 'number') {
        throw new Error(`${path}: errno ${-file}`);
      }
      const bytes = file.inode.read(file, 0, 1 << 20);
      return typeof bytes === 'number' ? '' : Buffer.from(bytes).toString();
    },
  };
}

/** out.txt as it was at the dump, and after it what the program writes from there on. */
export const expectedOutput = (set: string, name: string): string =>
  outputAtDump(set, name) + readFileSync(join(set, 'expected.txt'), 'utf8');

export const outputAtDump = (set: string, name: string): string =>
  readFileSync(join(set, 'root', 'srv', 'tasks', name, 'out.txt'), 'utf8');
