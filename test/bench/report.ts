/** Results as they are kept, and the tables made of them. The README quotes `cpuTable` and `linuxTable` of the kept ones. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../../server/bundled.ts';
import { geometricMean, type Host, rounded } from './measure.ts';

export interface WorkloadResult {
  readonly name: string;
  /** `held-out`: nobody looked at it while making the program faster. */
  readonly group: 'first' | 'held-out';
  readonly bits: 64 | 32;
  readonly floatingPoint: boolean;
  readonly nativeSeconds: number;
  /** Times native, start-up taken off: by runner. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Millions of instructions per second, by tier. */
  readonly mips: Readonly<Record<string, number>>;
}

export interface CpuResults {
  readonly host: Host;
  readonly rounds: number;
  readonly workloads: readonly WorkloadResult[];
  /** Milliseconds of processor time of a whole process, by program and runner. */
  readonly start: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface LinuxResults {
  readonly host: Host;
  readonly rounds: number;
  /** Microseconds for each, natively and by runner. */
  readonly operations: readonly {
    readonly name: string;
    readonly native: number;
    readonly others: Readonly<Record<string, number>>;
  }[];
}

const table = (rows: readonly (readonly string[])[]): string =>
  rows
    .flatMap((cells, n) => [cells, ...(n === 0 ? [cells.map(() => '---')] : [])])
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

const times = (v: number | undefined): string => (v === undefined ? '-' : `${rounded(v)}`);

/** Runners in the order of the first result that has them all. */
const runnersOf = (all: readonly Readonly<Record<string, number>>[]): string[] => [
  ...new Set(all.flatMap(Object.keys)),
];

const place = ({ processor, node, qemu }: Host, rounds: number): string =>
  `${processor}, Node.js ${node}, qemu-user ${qemu}, the best of ${rounds}.`;

/** Every workload. */
export function cpuDetails(results: CpuResults): string {
  const runners = runnersOf(results.workloads.map((w) => w.ratios));
  const tiers = runnersOf(results.workloads.map((w) => w.mips));
  const rows = results.workloads.map((w) => [
    w.name,
    `${w.bits}`,
    `${rounded(w.nativeSeconds)}`,
    ...runners.map((r) => times(w.ratios[r])),
    ...tiers.map((t) => times(w.mips[t])),
  ]);
  return table([['', 'bits', 'native s', ...runners, ...tiers.map((t) => `MIPS, ${t}`)], ...rows]);
}

/** Geometric means, and what a start costs. */
export function cpuTable(results: CpuResults): string {
  const runners = runnersOf(results.workloads.map((w) => w.ratios));
  const mean = (name: string, choose: (w: WorkloadResult) => boolean): string[][] => {
    const chosen = results.workloads.filter(choose);
    if (chosen.length === 0) return [];
    const of = (r: string): string => {
      const ratios = chosen.map((w) => w.ratios[r]).filter((v) => v !== undefined);
      return ratios.length === chosen.length ? times(geometricMean(ratios)) : '-';
    };
    return [[name, ...runners.map(of)]];
  };
  const rows = ([64, 32] as const).flatMap((bits) =>
    (['first', 'held-out'] as const).flatMap((group) => {
      const what = `${bits}-bit, ${group === 'first' ? 'eight loops' : 'four held-out loops'}`;
      const inGroup = (w: WorkloadResult): boolean => w.bits === bits && w.group === group && !w.name.includes('x87');
      return [
        ...mean(what, inGroup),
        ...mean(`${what}, without floating point`, (w) => inGroup(w) && !w.floatingPoint),
      ];
    }),
  );
  const x87 = mean('32-bit, matrices by x87', (w) => w.name.includes('x87'));
  const starters = runnersOf(Object.values(results.start));
  const start = Object.entries(results.start).map(([program, by]) => [
    program,
    ...starters.map((r) => (by[r] === undefined ? '-' : `${Math.round(by[r])}`)),
  ]);
  return [
    table([['times native, geometric mean', ...runners], ...rows, ...x87]),
    table([['start to end, ms of all threads', ...starters], ...start]),
    place(results.host, results.rounds),
  ].join('\n\n');
}

export function linuxTable(results: LinuxResults): string {
  const runners = runnersOf(results.operations.map((o) => o.others));
  const rows = results.operations.map(({ name, native, others }) => [
    name,
    times(native),
    ...runners.flatMap((r) => {
      const v = others[r];
      return v === undefined ? ['-', '-'] : [times(v), times(v / native)];
    }),
  ]);
  const head = ['', 'native µs', ...runners.flatMap((r) => [`${r} µs`, '× native'])];
  return `${table([head, ...rows])}\n\n${place(results.host, results.rounds)}`;
}

type Kind = 'cpu' | 'linux';

const fileOf = (kind: Kind): string => join(import.meta.dirname, 'results', `${kind}.json`);
const README = join(PROJECT, 'README.md');

export const readResults = (kind: Kind): string => {
  const text = readFileSync(fileOf(kind), 'utf8');
  return kind === 'cpu' ? cpuTable(JSON.parse(text) as CpuResults) : linuxTable(JSON.parse(text) as LinuxResults);
};

const marks = (kind: Kind): readonly [string, string] => [`<!-- bench ${kind} -->\n`, `\n<!-- end -->`];

/** What the README quotes; undefined without the marks. */
export function quoted(kind: Kind, readme = readFileSync(README, 'utf8')): string | undefined {
  const [from, to] = marks(kind);
  const start = readme.indexOf(from);
  if (start < 0) return undefined;
  const end = readme.indexOf(to, start);
  return readme.slice(start + from.length, end);
}

/** What was measured now stands in place of what was measured before; the rest stays. */
function merged(before: CpuResults, now: CpuResults): CpuResults {
  const key = (w: WorkloadResult): string => `${w.name} ${w.bits}`;
  const all = new Map(before.workloads.map((w) => [key(w), w]));
  for (const w of now.workloads) {
    const old = all.get(key(w));
    all.set(key(w), { ...w, ratios: { ...old?.ratios, ...w.ratios }, mips: { ...old?.mips, ...w.mips } });
  }
  const start = { ...before.start };
  for (const [program, by] of Object.entries(now.start)) start[program] = { ...start[program], ...by };
  return { ...now, workloads: [...all.values()], start };
}

/** Keeps results and has the README quote them. */
export function keepCpu(results: CpuResults): void {
  const file = fileOf('cpu');
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as CpuResults) : undefined;
  keep('cpu', before ? merged(before, results) : results);
}

export const keepLinux = (results: LinuxResults): void => keep('linux', results);

function keep(kind: Kind, results: CpuResults | LinuxResults): void {
  writeFileSync(fileOf(kind), `${JSON.stringify(results, undefined, 2)}\n`);
  const readme = readFileSync(README, 'utf8');
  const old = quoted(kind, readme);
  if (old === undefined) throw new Error(`README.md has no place for the results of ${kind}`);
  const [from] = marks(kind);
  writeFileSync(
    README,
    readme.replace(from + old, () => from + readResults(kind)),
  );
}
