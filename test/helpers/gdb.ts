/** Dialogues with stock gdb: a server on an ephemeral port, and gdb in batch mode. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TIMEOUT = 120_000;

let checked: boolean | undefined;

/** Whether gdb is there. Throws in CI when it is not. */
export function haveGdb(): boolean {
  if (checked === undefined) {
    checked = spawnSync('gdb', ['--version']).status === 0;
    if (!checked) {
      if (process.env['CI']) throw new Error('gdb is missing; .ci/run should have installed it');
      process.stderr.write('SKIPPED LOUDLY: gdb is missing\n');
    }
  }
  return checked;
}

/** A running `compat-gdbserver`. */
export interface ServerProcess {
  readonly port: number;
  readonly child: ChildProcess;
  stderr(): string;
  stdout(): string;
  /** The exit status, or the signal's name. */
  readonly ended: Promise<number | string>;
  stop(): Promise<void>;
}

export const cli = (args: readonly string[]): string[] => ['--import', 'tsx', 'server/main.ts', ...args];

/** Starts the server with `--listen 127.0.0.1:0` and waits until it listens. */
export async function startServer(command: 'restore' | 'exec', args: readonly string[]): Promise<ServerProcess> {
  const child = spawn(process.execPath, cli([command, '--listen', '127.0.0.1:0', ...args]), {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  let stdout = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  const ended = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal ?? ''));
  });
  const port = await new Promise<number>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the server does not listen: ${stderr}`)), TIMEOUT);
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
      const match = /^Listening on port (\d+)$/m.exec(stderr);
      if (!match) return;
      clearTimeout(late);
      resolve(Number(match[1]));
    });
    ended.then((status) => {
      clearTimeout(late);
      reject(new Error(`the server ended with ${status}: ${stderr}`));
    });
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  };
  return { port, child, ended, stop, stderr: () => stderr, stdout: () => stdout };
}

/** Runs gdb in batch mode. @returns what it printed, stderr included */
export async function gdb(commands: readonly string[], options: { args?: readonly string[] } = {}): Promise<string> {
  const settings = ['set pagination off', 'set confirm off', 'set width 0', 'set remotetimeout 60'];
  const ex = [...settings, ...commands].flatMap((command) => ['-ex', command]);
  const child = spawn('gdb', ['-nx', '-batch', ...(options.args ?? []), ...ex], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const late = setTimeout(() => child.kill('SIGKILL'), TIMEOUT);
  const status = await new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal ?? ''));
  });
  clearTimeout(late);
  return status === 'SIGKILL' ? `${output}\n(gdb was killed after ${TIMEOUT} ms)` : output;
}

/** gdb on a server, with the scripts of gdbscripts/ unless `bare`. */
export async function gdbOn(server: ServerProcess, commands: readonly string[], bare = false): Promise<string> {
  const connect = bare
    ? ['set sysroot target:', `target remote 127.0.0.1:${server.port}`]
    : [`set $port = ${server.port}`, 'source gdbscripts/connect.gdb'];
  return await gdb([...connect, ...commands]);
}
