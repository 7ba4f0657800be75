/** npm run ptrace-native [NAME...]: runs the programs of guests/ on this machine and writes down what they print. As root. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Bits, buildGuest, recordingOf } from './build.ts';
import { ROWS } from './table.ts';

/** Runs that have to agree: what differs from run to run is not fit for a recording. */
const RUNS = 3;

function output(program: string): string {
  const { status, signal, stdout, stderr } = spawnSync(program, { encoding: 'utf8', timeout: 30_000, cwd: '/tmp' });
  if (status !== 0) throw new Error(`${program}: ${signal ?? `status ${status}`}\n${stdout}${stderr}`);
  return stdout;
}

function record(name: string, bits: Bits, folder: string): void {
  const program = buildGuest(name, bits, folder);
  const first = output(program);
  for (let i = 1; i < RUNS; i++) if (output(program) !== first) throw new Error(`${name}: two runs differ`);
  const file = recordingOf(name, bits);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, first);
  process.stdout.write(`${name}-${bits}: ${first.split('\n').length - 1} lines\n`);
}

if (process.getuid?.() !== 0) throw new Error('the programs change their user: run this as root');
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !ROWS.some((row) => row.name === name));
if (unknown.length > 0) throw new Error(`not in table.ts: ${unknown.join(', ')}`);
const folder = mkdtempSync(join(tmpdir(), 'ptrace-'));
for (const { name } of ROWS) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const bits of ['64', '32'] as const) record(name, bits, folder);
}
rmSync(folder, { recursive: true });
