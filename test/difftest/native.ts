import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeResults, encodeBatch, type Outcome, type TestCase } from './protocol.ts';

/** Linux's names in /proc/cpuinfo where they are not iced's. */
const HOST_NAMES: Readonly<Record<string, string>> = {
  SSE3: 'pni',
  CMPXCHG16B: 'cx16',
  LZCNT: 'abm',
  SHA: 'sha_ni',
  PCLMULQDQ: 'pclmulqdq',
  CLFSH: 'clflush',
  PREFETCHW: '3dnowprefetch',
};

/** The oracle: the host's own CPU, by native/runner.c. */
export class NativeRunner {
  /** The one that the last batch ran on. */
  processor = 0;
  readonly #directory: string;
  readonly #program: string;
  readonly #flags: ReadonlySet<string>;

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'difftest-'));
    this.#program = join(this.#directory, 'runner');
    const cpuinfo = readFileSync('/proc/cpuinfo', 'utf8');
    this.#flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(' '));
    const source = fileURLToPath(new URL('./native/runner.c', import.meta.url));
    const options = ['-O2', '-fPIE', '-pie', '-fno-stack-protector', '-fcf-protection=none', '-Wl,-z,now'];
    execFileSync('gcc', [...options, '-o', this.#program, source], { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  static available(): boolean {
    if (process.platform !== 'linux' || process.arch !== 'x64') return false;
    return ['/usr/bin/gcc', '/usr/local/bin/gcc'].some((path) => existsSync(path));
  }

  /** The model follows Intel where processors differ: fault order, TOP at a fault, RCPPS and the like. */
  static isReference(): boolean {
    return /^vendor_id\s*: GenuineIntel$/m.test(readFileSync('/proc/cpuinfo', 'latin1'));
  }

  /** Does this host have a feature (iced's name)? */
  has(feature: string): boolean {
    const name = HOST_NAMES[feature] ?? feature.toLowerCase();
    return /^(INTEL|X64|FPU|MULTIBYTENOP|PAUSE|RDPMC)/.test(feature) || this.#flags.has(name);
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** The outcome of each case; undefined for a case that the runner did not survive. */
  run(background: Uint8Array, cases: readonly TestCase[]): (Outcome | undefined)[] {
    const done = spawnSync(this.#program, { input: encodeBatch(background, cases), maxBuffer: 1 << 30 });
    if (done.status === 0) {
      this.processor = done.stdout.readUInt32LE(0);
      return decodeResults(done.stdout.subarray(4), cases.length);
    }
    if (done.status !== null && done.stderr.length > 0) throw new Error(`runner: ${done.stderr.toString()}`);
    if (cases.length === 1) return [undefined];
    const middle = cases.length >> 1;
    return [...this.run(background, cases.slice(0, middle)), ...this.run(background, cases.slice(middle))];
  }
}
