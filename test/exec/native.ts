import { type SpawnSyncReturns, spawnSync } from 'node:child_process';

export interface NativeRun {
  readonly argv: readonly string[];
  readonly root: string;
  readonly cwd: string;
  readonly input: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Runs a program natively, below another root if need be. */
export function runNative(run: NativeRun): SpawnSyncReturns<string> {
  const { argv, root, cwd, input, env } = run;
  const options = { input, encoding: 'utf8', timeout: 120_000 } as const;
  const path = argv[0]!.startsWith('/') ? argv[0]! : `/usr/bin/${argv[0]}`;
  if (root === '/') return spawnSync(path, argv.slice(1), { ...options, cwd, env, argv0: argv[0]! });
  const inside = ['/usr/sbin/chroot', root, '/usr/bin/env', '-i', '-C', cwd];
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const command = [...inside, ...variables, path, ...argv.slice(1)];
  if (!mayMount()) return spawnSync(command[0]!, command.slice(1), options);
  const mounts = `mount --rbind /proc "${root}/proc" && mount --rbind /dev "${root}/dev" && exec "$@"`;
  return spawnSync('unshare', ['-m', 'sh', '-c', mounts, 'sh', ...command], options);
}

/** Whether a native program below another root can have /proc and /dev. */
export const mayMount = (): boolean =>
  spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' }).status === 0;

export const mayChroot = (): boolean => process.getuid?.() === 0;
