/** Times of whole processes, compared as ratios. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT } from '../../server/bundled.ts';

export const MAIN = join(PROJECT, 'dist', 'server', 'main.js');

export interface Measured {
  /** Seconds of processor time, user and system, of the process and those that it waited for. */
  readonly seconds: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a workload says when it cannot run there. */
const ABSENT = 77;

/** Runs a command; undefined when there is no such program. Processor time, for other work on the machine does not count. */
export function measure(command: readonly string[]): Measured | undefined {
  const script = 'TIMEFORMAT="%U %S"; time "$@"';
  const done = spawnSync('bash', ['-c', script, 'bash', ...command], { encoding: 'utf8', timeout: 600_000 });
  if (done.status === 127 || done.status === ABSENT) return undefined;
  const lines = done.stderr.trimEnd().split('\n');
  const [user, system] = lines.pop()!.split(' ').map(Number);
  if (done.status !== 0) throw new Error(`${command.join(' ')}: status ${done.status}\n${done.stderr}`);
  return { seconds: user! + system!, stdout: done.stdout, stderr: lines.join('\n') };
}

/** The smallest of several, for what disturbs only adds. */
export class Best {
  private readonly seconds = new Map<string, number>();

  note(name: string, seconds: number): void {
    this.seconds.set(name, Math.min(this.seconds.get(name) ?? Number.POSITIVE_INFINITY, seconds));
  }

  get(name: string): number | undefined {
    return this.seconds.get(name);
  }
}

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);

/** Three digits are what the measurements are worth. */
export const rounded = (v: number): number => Number(v.toPrecision(3));

export interface Host {
  readonly processor: string;
  readonly node: string;
  readonly qemu: string;
}

export function host(): Host {
  const qemu = spawnSync('qemu-x86_64', ['--version'], { encoding: 'utf8' }).stdout ?? '';
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    node: process.version,
    qemu: /version (\S+)/.exec(qemu)?.[1] ?? 'absent',
  };
}

/** This program, as `npm run build` has made it. */
export class Here {
  /** The tiers that it can be told to use. */
  readonly tiers: readonly string[];
  private readonly choice: boolean;

  constructor() {
    const help = execFileSync('node', [MAIN, 'help', 'exec'], { encoding: 'utf8' });
    this.choice = help.includes('--tier');
    this.tiers = this.choice ? ['interp', 'translate'] : ['interp'];
  }

  command(tier: string, ...options: readonly string[]): string[] {
    return ['node', MAIN, 'exec', '--run', ...(this.choice ? ['--tier', tier] : []), ...options];
  }
}

/** A folder for the programs under test, gone afterwards. */
export function withFolder(use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function compile(source: string, program: string, flags: readonly string[]): void {
  execFileSync('gcc', [...flags, '-o', program, join(import.meta.dirname, source)], { stdio: 'inherit' });
}
