/** The options that `restore` and `exec` share, and the machine that they describe. */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Logger, pino } from 'pino';
import { Cpu } from '../../cpu/cpu.ts';
import { Vfs } from '../../linux/fs/vfs.ts';
import { Kernel } from '../../linux/kernel.ts';
import { PatchError } from '../../linux/patches/patch.ts';
import { bootOps, defaultKernel, kernels } from '../../linux/patches/series.ts';
import { type CpuVendor, type VdsoConfig, vdsoFromFile, vdsoShipped } from '../../linux/vdso/config.ts';
import { DEFAULT_ADDRESS, type ListenAddress, parseListen } from '../listen.ts';
import { Failure, hostError } from './failure.ts';
import { hostIo, writeAll } from './host-io.ts';

export interface MachineOptions {
  readonly listen: ListenAddress;
  readonly run?: boolean;
  readonly root: string;
  readonly upper?: string;
  readonly inheritFd: ReadonlyMap<string, number>;
  readonly kernel: string;
  readonly patches: string;
  readonly vdso: string;
  readonly cpu: CpuChoice;
  readonly strace?: boolean;
  readonly once?: boolean;
  readonly logLevel: string;
  readonly seed: bigint;
  readonly memory: number;
  readonly tier: 'interp' | 'translate';
}

/** `--cpu`: whose processor, and what is added to it or taken away. */
export interface CpuChoice {
  readonly vendor: CpuVendor;
  /** Undefined: as the image wants it, else no. */
  readonly avx512: boolean | undefined;
}

const VENDORS: readonly CpuVendor[] = ['amd', 'intel', 'any'];

function cpuChoice(text: string): CpuChoice {
  const [name, ...features] = text.split(',');
  const vendor = VENDORS.find((v) => v === name);
  if (vendor === undefined) throw new InvalidArgumentError(`Allowed names are ${VENDORS.join(', ')}.`);
  let avx512: boolean | undefined;
  for (const feature of features) {
    if (!/^[+-]avx512$/.test(feature)) throw new InvalidArgumentError('expected NAME[,+avx512|,-avx512].');
    avx512 = feature[0] === '+';
  }
  return { vendor, avx512 };
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

function listen(text: string): ListenAddress {
  const address = parseListen(text);
  if (!address) throw new InvalidArgumentError('expected [HOST]:PORT, unix:PATH or stdio.');
  return address;
}

function inheritFd(text: string, known: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const match = /^fd\[(\d+)\]:(.+)$/.exec(text);
  if (!match) throw new InvalidArgumentError('expected fd[N]:NAME.');
  return new Map([...known, [match[2]!, Number(match[1])]]);
}

function seed(text: string): bigint {
  if (!/^(\d+|0x[0-9a-fA-F]+)$/.test(text)) throw new InvalidArgumentError('expected a number.');
  return BigInt.asUintN(64, BigInt(text));
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
const LEAST_MEMORY = 2 ** 24;
const MOST_MEMORY = 3.5 * 2 ** 30;

function memory(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)$/.exec(text);
  const bytes = match === null ? Number.NaN : Number(match[1]) * UNITS[match[2]!]!;
  if (!(bytes >= LEAST_MEMORY && bytes <= MOST_MEMORY)) throw new InvalidArgumentError('expected 16M to 3.5G.');
  return bytes;
}

/** Declares the options on a command. */
export function withMachineOptions(command: Command): Command {
  const names = kernels.map((kernel) => kernel.name).join(', ');
  return command
    .addOption(
      new Option('--listen <address>', '[HOST]:PORT, unix:PATH or stdio: where gdb connects')
        .argParser(listen)
        .default(parseListen(DEFAULT_ADDRESS), DEFAULT_ADDRESS),
    )
    .option('--run', 'do not wait for gdb: run to the end, leave with the status of the first task')
    .option('--root <dir>', "the guest's root directory, only read", '/')
    .option('--upper <dir>', 'where files that the guest writes or creates go (default: in memory, then gone)')
    .addOption(
      new Option('--inherit-fd <fd[N]:NAME>', 'descriptor N of the host stands for the open file NAME (repeatable)')
        .argParser(inheritFd)
        .default(new Map(), 'none'),
    )
    .option('--kernel <name>', names, defaultKernel)
    .option('--patches <list>', "which of the kernel's patches are on: all, none, or e.g. 0001,0003", 'all')
    .option('--vdso <name>', 'ours, an ELF file, or image: the one found in the image', 'ours')
    .addOption(
      new Option(
        '--cpu <name>',
        'amd, intel or any: which fast 32-bit system call instructions exist; NAME,+avx512 adds AVX-512 F, CD, BW, DQ and VL',
      )
        .argParser(cpuChoice)
        .default(cpuChoice('any'), 'any'),
    )
    .addOption(
      new Option('--memory <size>', "the machine's memory, in bytes or with K, M or G")
        .argParser(memory)
        .default(2 ** 31, '2G'),
    )
    .addOption(
      new Option('--tier <name>', 'how far the CPU goes: interp never translates hot code')
        .choices(['interp', 'translate'])
        .default('translate'),
    )
    .option('--strace', "print the guest's system calls to stderr")
    .option('--once', 'end when gdb detaches')
    .addOption(new Option('--log-level <level>', 'the log goes to stderr').choices(LEVELS).default('warn'))
    .addOption(
      new Option('--seed <number>', "where the guest's randomness comes from").argParser(seed).default(0n, '0'),
    );
}

/** The log of the machine, to stderr; bigints in hex. */
export function makeLogger(level: string): Logger {
  const hexOf = (value: unknown): unknown => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value);
  return pino(
    {
      level,
      base: null,
      timestamp: false,
      formatters: { log: (o) => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, hexOf(v)])) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}

function directory(path: string, option: string): string {
  try {
    if (statSync(path).isDirectory()) return resolve(path);
  } catch (error) {
    throw hostError(error, `${option} ${path}`);
  }
  throw new Failure(1, `${option} ${path}: not a directory`);
}

function upperDirectory(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw hostError(error, `--upper ${path}`);
  }
  return directory(path, '--upper');
}

/** `ours` or a file; `image` is the business of restore. */
function chooseVdso(name: string, vendor: CpuVendor): VdsoConfig {
  if (name === 'ours') return vdsoShipped(vendor);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(name);
  } catch (error) {
    throw hostError(error, `--vdso ${name}`);
  }
  const config = vdsoFromFile(bytes, vendor);
  if (!config) throw new Failure(1, `--vdso ${name}: offset 0: no ELF file of a vDSO`);
  return config;
}

/** Boots the kernel that the options name. */
export function bootMachine(
  options: MachineOptions,
  log: Logger,
  init: { vdso?: VdsoConfig; epoch?: 'newest'; avx512?: boolean } = {},
): Kernel {
  let ops: ReturnType<typeof bootOps>;
  try {
    ops = bootOps(options.kernel, options.patches);
  } catch (error) {
    if (error instanceof PatchError) throw new Failure(2, error.message);
    throw error;
  }
  const vdso = init.vdso ?? chooseVdso(options.vdso, options.cpu.vendor);
  const root = directory(options.root, '--root');
  const upper = upperDirectory(options.upper);
  const cpu = new Cpu({
    vendor: options.cpu.vendor,
    memoryLimit: options.memory,
    avx512: options.cpu.avx512 ?? init.avx512 ?? false,
    ...(options.tier === 'interp' && { translate: 'off' }),
  });
  const stdio = options.listen.kind === 'stdio' && options.run !== true;
  const io = hostIo(stdio ? new Map([[1, 2]]) : undefined);
  const vfs = new Vfs({ cpu, root, upper, io, seed: options.seed });
  return new Kernel({
    cpu,
    ops,
    vdso,
    vfs,
    log,
    seed: options.seed,
    ...(init.epoch === 'newest' && { bootEpochNs: vfs.newestChange() }),
    ...(options.strace && { strace: (line: string) => writeAll(2, Buffer.from(`${line}\n`)) }),
  });
}
