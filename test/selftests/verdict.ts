/** What a selftest says about itself, in one line. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

export interface Outcome {
  /** `N ok`, `N fail`, `N skip`, and `rc N` if it did not end with 0 (128 + N for a signal) or `time out`. */
  readonly verdict: string;
  readonly output: string;
  readonly seconds: number;
}

/** Milliseconds. */
const PATIENCE = 3000;

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/** Both ways of the selftests: `[OK]` and `[FAIL]` in a line, or lines of the Test Anything Protocol. */
export function verdictOf(output: string, end: string): string {
  const skipped = count(output, /^(not )?ok \d+ .*# SKIP/gm);
  const numbers = {
    ok: count(output, /\[OK\]/g) + count(output, /^ok \d+/gm) - count(output, /^ok \d+ .*# SKIP/gm),
    fail: count(output, /\[FAIL\]/g) + count(output, /^not ok \d+/gm) - count(output, /^not ok \d+ .*# SKIP/gm),
    skip: skipped + count(output, /\[SKIP\]/g),
  };
  const words = Object.entries(numbers).flatMap(([name, n]) => (n > 0 ? [`${n} ${name}`] : []));
  return [...words, ...(end === 'rc 0' && words.length > 0 ? [] : [end])].join(', ');
}

/** Runs a command to its end, or to the limit in seconds; then it and its children are killed. */
export function runTest(command: readonly string[], cwd: string, limit: number): Promise<Outcome> {
  const [name, ...args] = command;
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(name!, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let late = false;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes) => (output += bytes.toString('latin1')));
    const kill = (): void => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // All of them have ended.
      }
    };
    const timer = setTimeout(() => {
      late = true;
      kill();
    }, limit * 1000);
    child.on('error', reject);
    child.on('exit', (status, signal) => {
      clearTimeout(timer);
      kill();
      const seconds = (performance.now() - started) / 1000;
      const tell = (): void => {
        const end = late ? 'time out' : `rc ${signal ? 128 + constants.signals[signal] : status}`;
        resolve({ verdict: verdictOf(output, end), output, seconds });
      };
      // The streams may have something left, and somebody who has left the process group may keep them open.
      const patience = setTimeout(tell, PATIENCE);
      child.on('close', () => {
        clearTimeout(patience);
        tell();
      });
    });
  });
}
