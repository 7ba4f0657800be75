/** `npm run bench -- cpu [--rounds N] [--only NAME]`: hot loops natively, under qemu-user and here, interleaved; ratios to native. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

interface Workload {
  readonly name: string;
  /** Multiplies the loops, so that each takes 0.2 to 0.6 s natively. */
  readonly scale: number;
  /** A variant of another one's source, for one mode and outside the means. */
  readonly variant?: { readonly source: string; readonly bits: Bits; readonly flags: readonly string[] };
}

const WORKLOADS: readonly Workload[] = [
  { name: 'w1_collatz', scale: 4 },
  { name: 'w2_sha256', scale: 1 },
  { name: 'w3_sorttree', scale: 2 },
  { name: 'w4_bytes', scale: 2 },
  { name: 'w5_crc', scale: 1 },
  { name: 'w6_matmul', scale: 2 },
  { name: 'w7_fib', scale: 3 },
  { name: 'w8_interp', scale: 3 },
  // The same with 80-bit arithmetic.
  { name: 'matmul387', scale: 2, variant: { source: 'w6_matmul', bits: 32, flags: ['-mfpmath=387', '-mno-sse'] } },
];
/** Freestanding, and without what would turn the loops into something else. */
const FLAGS = [
  '-O2 -fno-pic -no-pie -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables',
  '-fno-tree-loop-distribute-patterns -fno-tree-vectorize -fcf-protection=none -fno-inline-functions',
].flatMap((line) => line.split(' '));
const MODES = { 64: ['-m64'], 32: ['-m32', '-msse2', '-mfpmath=sse'] } as const;
type Bits = keyof typeof MODES;

const project = join(import.meta.dirname, '..', '..');
const here = ['node', join(project, 'dist', 'server', 'main.js'), 'exec', '--run'];

interface Runner {
  readonly name: string;
  command(bits: Bits): readonly string[];
}
const RUNNERS: readonly Runner[] = [
  { name: 'native', command: () => [] },
  { name: 'qemu-user', command: (bits) => [bits === 64 ? 'qemu-x86_64' : 'qemu-i386'] },
  { name: 'here', command: () => here },
];

/** Seconds of wall time of a whole process, and what it printed; undefined when the program is missing. */
function time(command: readonly string[]): { seconds: number; output: string } | undefined {
  const start = process.hrtime.bigint();
  const done = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8', timeout: 300_000 });
  if (done.error) return undefined;
  return { seconds: Number(process.hrtime.bigint() - start) / 1e9, output: done.stdout };
}

const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);

function benchMode(bits: Bits, workloads: readonly Workload[], rounds: number, folder: string): void {
  const ratios = new Map<string, number[]>(RUNNERS.map(({ name }) => [name, []]));
  console.log(`\n| ${bits}-bit | native s | qemu-user x | here x |\n|---|---|---|---|`);
  for (const { name, scale, variant } of workloads) {
    if (variant && variant.bits !== bits) continue;
    const program = join(folder, `${name}.${bits}`);
    const source = join(import.meta.dirname, 'workloads', `${variant?.source ?? name}.c`);
    execFileSync('gcc', [
      ...MODES[bits],
      ...FLAGS,
      ...(variant?.flags ?? []),
      `-DSCALE=${scale}`,
      '-o',
      program,
      source,
    ]);
    const best = new Map<string, number>();
    let checksum: string | undefined;
    for (let round = 0; round < rounds; round++) {
      for (const runner of RUNNERS) {
        const result = time([...runner.command(bits), program]);
        if (!result) continue;
        checksum ??= result.output;
        if (result.output !== checksum)
          throw new Error(`${name}: ${runner.name} printed ${result.output}, not ${checksum}`);
        best.set(runner.name, Math.min(best.get(runner.name) ?? Number.POSITIVE_INFINITY, result.seconds));
      }
    }
    const native = best.get('native')!;
    const cells = ['qemu-user', 'here'].map((runner) => {
      const seconds = best.get(runner);
      if (seconds === undefined) return 'absent';
      if (!variant) ratios.get(runner)!.push(seconds / native);
      return (seconds / native).toFixed(2);
    });
    console.log(`| ${name} | ${native.toFixed(2)} | ${cells.join(' | ')} |`);
  }
  const means = ['qemu-user', 'here'].map((r) =>
    ratios.get(r)!.length ? geometricMean(ratios.get(r)!).toFixed(2) : 'absent',
  );
  console.log(`| **geometric mean** | | ${means.join(' | ')} |`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '1' }, only: { type: 'string', default: '' } },
});
if (positionals[0] !== 'cpu') {
  console.error('usage: npm run bench -- cpu [--rounds N] [--only NAME]');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'bench-'));
try {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: project, stdio: ['ignore', 'ignore', 'inherit'] });
  const workloads = WORKLOADS.filter(({ name }) => name.includes(values.only));
  for (const bits of [64, 32] as const) benchMode(bits, workloads, Number(values.rounds), folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
