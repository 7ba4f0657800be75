import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { batchBytes, encodeBatch, type RawResult, splitResults, type TestCase } from './protocol.ts';

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
  readonly #input: string;
  readonly #output: string;
  #batch = new Uint8Array(0);
  #results = new Uint8Array(0);
  readonly #program: string;
  readonly #flags: ReadonlySet<string>;

  constructor() {
    this.#directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'difftest-'));
    this.#input = join(this.#directory, 'cases');
    this.#output = join(this.#directory, 'results');
    this.#program = join(mkdtempSync(join(tmpdir(), 'difftest-')), 'runner');
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
    for (const directory of [this.#directory, dirname(this.#program)]) {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** The outcome of each case, good until the next call; undefined for a case that the runner did not survive. */
  run(background: Uint8Array, cases: readonly TestCase[]): (RawResult | undefined)[] {
    const size = batchBytes(cases.length);
    if (this.#batch.length < size) this.#batch = new Uint8Array(size);
    encodeBatch(this.#batch, background, cases);
    // Files in memory: a pipe would be read and written in small pieces.
    const input = openSync(this.#input, 'w+');
    const output = openSync(this.#output, 'w+');
    let done: SpawnSyncReturns<Buffer>;
    let written: Uint8Array;
    try {
      writeSync(input, this.#batch, 0, size, 0);
      done = spawnSync(this.#program, { stdio: [input, output, 'pipe'] });
      const { size: length } = fstatSync(output);
      if (this.#results.length < length) this.#results = new Uint8Array(length + (1 << 20));
      written = this.#results.subarray(0, length);
      for (let at = 0; at < length; ) at += readSync(output, written, at, length - at, at);
    } finally {
      closeSync(input);
      closeSync(output);
    }
    if (done.status === 0) {
      this.processor = written[0]!;
      return splitResults(written, cases.length);
    }
    if (done.status !== null && done.stderr.length > 0) throw new Error(`runner: ${done.stderr.toString()}`);
    if (cases.length === 1) return [undefined];
    const middle = cases.length >> 1;
    const parts = [cases.slice(0, middle), cases.slice(middle)];
    return parts.flatMap((part) => {
      const results = this.run(background, part);
      // The room is used again.
      const copy = this.#results.slice();
      const view = new DataView(copy.buffer);
      const words = new Int32Array(copy.buffer);
      return results.map((raw) => raw && { view, bytes: copy, words, at: raw.at });
    });
  }
}
