/** The source of the selftests, and gcc on it: all in a folder outside of the project, for neither belongs to it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Build } from './programs.ts';

const PACKAGE = 'linux-source-6.1';
const SELFTESTS = join('tools', 'testing', 'selftests');
const WANTED = ['tools/testing/selftests', 'tools/include', 'include/uapi', 'arch/x86/include'];

function command(name: string, args: readonly string[], cwd: string): void {
  const { status, stderr, error } = spawnSync(name, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (error || status !== 0) throw new Error(`${name} ${args.join(' ')}: ${error?.message ?? stderr}`);
}

/** Debian's package of the source, downloaded and unpacked. @returns the top folder of the source */
function unpackPackage(scratch: string): string {
  const top = join(scratch, PACKAGE);
  if (existsSync(join(top, SELFTESTS))) return top;
  const archive = join('usr', 'src', `${PACKAGE}.tar.xz`);
  const installed = `/${archive}`;
  if (!existsSync(installed)) {
    command('apt-get', ['download', '-q', PACKAGE], scratch);
    const deb = readdirSync(scratch).find((name) => name.startsWith(`${PACKAGE}_`) && name.endsWith('.deb'))!;
    command('dpkg-deb', ['-x', deb, '.'], scratch);
  }
  const from = existsSync(installed) ? installed : join(scratch, archive);
  command('tar', ['xf', from, ...WANTED.map((folder) => `${PACKAGE}/${folder}`)], scratch);
  return top;
}

/** @param source the top folder of a Linux source tree, or undefined for Debian's. @returns the folder of its selftests */
export function findSelftests(source: string | undefined, scratch: string): string {
  mkdirSync(scratch, { recursive: true });
  const folder = join(source ?? unpackPackage(scratch), SELFTESTS);
  if (!existsSync(join(folder, 'x86'))) throw new Error(`${folder}: no selftests there`);
  return folder;
}

/** @returns the path of the program; throws with gcc's words when it cannot be built */
export function buildSelftest(build: Build, selftests: string, scratch: string): string {
  const { program, bits, dynamic } = build;
  const folder = join(selftests, program.folder);
  const out = join(scratch, 'bin', build.id);
  mkdirSync(join(scratch, 'bin'), { recursive: true });

  const flags = [
    `-m${bits}`,
    ...['-O2', '-std=gnu99', '-pthread', '-no-pie', '-w', '-DCAN_BUILD_32', '-DCAN_BUILD_64'],
    ...(dynamic ? [] : ['-static']),
    ...['-iquote', join(selftests, '../../../include/uapi')],
    ...(program.flags ?? []),
  ];
  const sources = program.sources ?? [`${program.name}.c`];
  command('gcc', [...flags, '-o', out, ...sources, '-lrt', '-ldl', '-lm'], folder);
  return out;
}
