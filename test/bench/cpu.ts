/** Hot loops, and starts. */
import { join } from 'node:path';
import { Best, compile, Here, host, type Measured, measure, rounded, withFolder } from './measure.ts';
import type { CpuResults, WorkloadResult } from './report.ts';
import { type Bits, FLAGS, MODES } from './workloads.ts';

interface Workload {
  readonly name: string;
  /** Multiplies the loops, so that each takes 0.2 to 0.6 s natively. */
  readonly scale: number;
  readonly floatingPoint?: true;
  /** By the x87 instead of SSE2; 32-bit only. */
  readonly x87?: true;
}

const WORKLOADS: readonly Workload[] = [
  { name: 'w1_collatz', scale: 4 },
  { name: 'w2_sha256', scale: 1 },
  { name: 'w3_sorttree', scale: 2 },
  { name: 'w4_bytes', scale: 2 },
  { name: 'w5_crc', scale: 1 },
  { name: 'w6_matmul', scale: 2, floatingPoint: true },
  { name: 'w6_matmul', scale: 1, floatingPoint: true, x87: true },
  { name: 'w7_fib', scale: 3 },
  { name: 'w8_interp', scale: 3 },
  { name: 'h1_sieve', scale: 6 },
  { name: 'h2_queens', scale: 40 },
  { name: 'h3_hash', scale: 10 },
  { name: 'h4_mandelbrot', scale: 10, floatingPoint: true },
];
const X87 = ['-m32', '-mno-sse', '-mfpmath=387'];

interface Runner {
  readonly name: string;
  /** The tier, for runs of this program. */
  readonly tier?: string;
  command(bits: Bits): readonly string[];
}

export interface Options {
  readonly rounds: number;
  readonly only: string;
  readonly tier: string;
}

function runnersFor({ tier }: Options): Runner[] {
  const here = new Here();
  return [
    { name: 'native', command: () => [] },
    { name: 'qemu-user', command: (bits) => [bits === 64 ? 'qemu-x86_64' : 'qemu-i386'] },
    ...here.tiers
      .filter((t) => tier === '' || t === tier)
      .map((t) => ({ name: t, tier: t, command: () => here.command(t, '--log-level', 'info') })),
  ];
}

/** From the log's last record. */
function instructionsOf({ stderr }: Measured): number {
  return Number(/"instructions":(\d+)/.exec(stderr)?.[1]);
}

/** Runs a program in turn everywhere; by runner the best seconds, and the instructions that it took here. */
function race(
  program: string,
  bits: Bits,
  runners: readonly Runner[],
  rounds: number,
): { best: Best; instructions: number } {
  const best = new Best();
  let output: string | undefined;
  let instructions = 0;
  for (let round = 0; round < rounds; round++) {
    for (const { name, tier, command } of runners) {
      const result = measure([...command(bits), program]);
      if (!result) continue;
      output ??= result.stdout;
      if (result.stdout !== output) throw new Error(`${program}: ${name} printed ${result.stdout}, not ${output}`);
      if (tier) instructions = instructionsOf(result);
      best.note(name, result.seconds);
    }
  }
  return { best, instructions };
}

function benchWorkload(
  w: Workload,
  bits: Bits,
  runners: readonly Runner[],
  rounds: number,
  folder: string,
): WorkloadResult {
  const name = w.x87 ? `${w.name} x87` : w.name;
  const program = join(folder, w.name);
  const empty = join(folder, 'empty');
  const mode = w.x87 ? X87 : MODES[bits];
  compile(join('workloads', `${w.name}.c`), program, [...mode, ...FLAGS, `-DSCALE=${w.scale}`]);
  compile(join('workloads', 'empty.c'), empty, [...mode, ...FLAGS]);
  const start = race(empty, bits, runners, rounds).best;
  const { best, instructions } = race(program, bits, runners, rounds);
  const net = (r: string): number => best.get(r)! - start.get(r)!;
  const others = runners.filter((r) => r.name !== 'native' && best.get(r.name) !== undefined);
  const result: WorkloadResult = {
    name,
    group: w.name.startsWith('h') ? 'held-out' : 'first',
    bits,
    floatingPoint: w.floatingPoint ?? false,
    nativeSeconds: rounded(net('native')),
    ratios: Object.fromEntries(others.map((r) => [r.name, rounded(net(r.name) / net('native'))])),
    mips: Object.fromEntries(
      others.filter((r) => r.tier).map((r) => [r.name, Math.round(instructions / net(r.name) / 1e6)]),
    ),
  };
  console.error(`${name}, ${bits}-bit: ${JSON.stringify(result.ratios)} MIPS ${JSON.stringify(result.mips)}`);
  return result;
}

/** Programs of every system, and hello, static and dynamic. */
function benchStarts(runners: readonly Runner[], rounds: number, folder: string): CpuResults['start'] {
  const hello = (name: string, ...flags: string[]): string[] => {
    const program = join(folder, name);
    compile(join('workloads', 'hello.c'), program, ['-O1', ...flags]);
    return [program];
  };
  const programs: Readonly<Record<string, readonly string[]>> = {
    'hello, static': hello('hello-static', '-static'),
    'hello, dynamic': hello('hello-dynamic'),
    'bash -c true': ['/bin/bash', '-c', 'true'],
    'perl -e 1': ['/usr/bin/perl', '-e', '1'],
    'python3 -c pass': ['/usr/bin/python3', '-c', 'pass'],
  };
  const results: Record<string, Record<string, number>> = {};
  const node = new Best();
  const noting = (name: string, best: Best): void => {
    results[name] = {};
    for (const r of runners) {
      const seconds = best.get(r.name);
      if (seconds !== undefined) results[name][r.name] = Math.round(seconds * 1000);
    }
  };
  for (const [name, argv] of Object.entries(programs)) {
    const best = new Best();
    for (let round = 0; round < rounds; round++) {
      node.note('native', measure(['node', '-e', '0'])!.seconds);
      for (const r of runners) {
        const result = measure([...r.command(64), ...argv]);
        if (result) best.note(r.name, result.seconds);
      }
    }
    noting(name, best);
  }
  noting('node -e 0', node);
  return results;
}

export function benchCpu(options: Options): CpuResults {
  const runners = runnersFor(options);
  const workloads: WorkloadResult[] = [];
  let start: CpuResults['start'] = {};
  withFolder((folder) => {
    for (const bits of [64, 32] as const) {
      for (const w of WORKLOADS) {
        if (w.x87 && bits === 64) continue;
        if (w.name.includes(options.only)) workloads.push(benchWorkload(w, bits, runners, options.rounds, folder));
      }
    }
    if ('start'.includes(options.only)) start = benchStarts(runners, options.rounds, folder);
  });
  return { host: host(), rounds: options.rounds, workloads, start };
}
