/** What the kernel does, once each: microseconds of processor time. */
import { join } from 'node:path';
import { Best, compile, Here, host, measure, rounded, withFolder } from './measure.ts';
import type { LinuxResults } from './report.ts';

interface Operation {
  readonly name: string;
  /** Of workloads/calls.c. */
  readonly what: string;
  readonly bits?: 32;
  /** How often: enough for V8 to have compiled what it will. */
  readonly count: number;
  /** Options for the runs here. */
  readonly options?: readonly string[];
}

const OPERATIONS: readonly Operation[] = [
  { name: 'getppid, SYSCALL', what: 'own', count: 1_000_000 },
  { name: 'getppid, INT 80 of 64-bit code', what: 'int80', count: 1_000_000 },
  { name: 'getppid, INT 80 of 32-bit code', what: 'int80', bits: 32, count: 1_000_000 },
  {
    name: 'getppid, vDSO of 32-bit code: SYSENTER here',
    what: 'fast',
    bits: 32,
    count: 1_000_000,
    options: ['--cpu', 'intel'],
  },
  {
    name: 'getppid, vDSO of 32-bit code: SYSCALL here',
    what: 'fast',
    bits: 32,
    count: 1_000_000,
    options: ['--cpu', 'amd'],
  },
  { name: 'clock_gettime, vDSO', what: 'clocks', count: 1_000_000 },
  { name: 'two processes take turns by pipes', what: 'pipes', count: 100_000 },
  { name: 'two processes take turns by a futex', what: 'futexes', count: 100_000 },
  { name: 'fork, exit, wait', what: 'forks', count: 1000 },
  { name: 'vfork, exec of a dynamic program, exit, wait', what: 'execs', count: 100 },
  { name: 'page fault, private memory', what: 'faults', count: 300_000 },
  { name: 'mmap, one page fault, munmap', what: 'maps', count: 200_000 },
  { name: 'kill, signal handler, sigreturn', what: 'signals', count: 100_000 },
  { name: 'open and close', what: 'opens', count: 200_000 },
  { name: 'stat', what: 'stats', count: 200_000 },
  { name: 'pread of 4 KiB', what: 'reads', count: 300_000 },
  { name: 'pwrite of 4 KiB', what: 'writes', count: 300_000 },
];

export function benchLinux(options: { readonly rounds: number; readonly only: string }): LinuxResults {
  const here = new Here();
  const tier = here.tiers.at(-1)!;
  const operations: LinuxResults['operations'][number][] = [];
  withFolder((folder) => {
    const programs = { 64: join(folder, 'calls64'), 32: join(folder, 'calls32') };
    compile('workloads/calls.c', programs[64], ['-O1']);
    compile('workloads/calls.c', programs[32], ['-O1', '-m32']);
    for (const o of OPERATIONS) {
      if (!o.name.includes(options.only)) continue;
      const bits = o.bits ?? 64;
      const runners: readonly (readonly [string, readonly string[], number])[] = [
        ['native', [], o.count],
        ['qemu-user', [bits === 64 ? 'qemu-x86_64' : 'qemu-i386'], o.count],
        ['here', here.command(tier, ...(o.options ?? [])), o.count],
      ];
      const best = new Best();
      for (let round = 0; round < options.rounds; round++) {
        for (const [name, command, count] of runners) {
          const run = (n: number): number | undefined => measure([...command, programs[bits], o.what, `${n}`])?.seconds;
          const none = run(0);
          const all = run(count);
          // Below what `time` can tell apart there is nothing to say.
          if (none !== undefined && all !== undefined) best.note(name, Math.max(all - none, 0.001) / count);
        }
      }
      const micro = (name: string): number | undefined => {
        const seconds = best.get(name);
        return seconds === undefined ? undefined : rounded(seconds * 1e6);
      };
      const others = ['qemu-user', 'here'].flatMap((name) => {
        const v = micro(name);
        return v === undefined ? [] : [[name, v] as const];
      });
      operations.push({ name: o.name, native: micro('native')!, others: Object.fromEntries(others) });
      console.error(o.name, JSON.stringify(operations.at(-1)));
    }
  });
  return { host: host(), rounds: options.rounds, operations };
}
