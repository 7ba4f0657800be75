/** Building small guest programs with the host's gcc; tests that need it are skipped loudly on a machine without it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let checked: boolean | undefined;

/** Whether gcc builds and the host runs 64- and 32-bit programs. Throws in CI when it cannot. */
export function haveGcc(): boolean {
  if (checked === undefined) {
    const probe = spawnSync('gcc', ['-m32', '-x', 'c', '-', '-o', '/dev/null'], { input: 'int main(void){return 0;}' });
    checked = probe.status === 0 && process.arch === 'x64' && process.platform === 'linux';
    if (!checked) {
      if (process.env['CI']) throw new Error('gcc with -m32 is missing; .ci/run should have installed gcc-multilib');
      process.stderr.write('SKIPPED LOUDLY: gcc with -m32 (Debian: gcc-multilib) is missing\n');
    }
  }
  return checked;
}

/** Compiles one C file. @returns the path of the program in a fresh temporary folder */
export function buildC(
  name: string,
  source: string,
  flags: readonly string[],
  libraries: readonly string[] = [],
): string {
  const dir = mkdtempSync(join(tmpdir(), 'compat-guest-'));
  const src = join(dir, `${name}.c`);
  const out = join(dir, name);
  writeFileSync(src, source);
  execFileSync('gcc', ['-O1', '-g', ...flags, '-o', out, src, ...libraries], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return out;
}
