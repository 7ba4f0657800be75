/** The image sets that come with the project, for `npm start` and `npm run demo`. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's directory, with a slash at its end. */
export const PROJECT = fileURLToPath(new URL('..', import.meta.url));

export interface Bundled {
  readonly images: string;
  readonly root: string;
  readonly upper: string;
  /** Where the program's sources and what it is expected to print lie. */
  readonly set: string;
  remove(): void;
}

export function unpackBundled(name: string): Bundled {
  const directory = mkdtempSync(join(tmpdir(), 'compat-gdbserver-'));
  const archive = join(PROJECT, 'test', 'fixtures', 'images', `${name}.tar.xz`);
  const tar = spawnSync('tar', ['-xJf', archive, '-C', directory], { encoding: 'utf8' });
  if (tar.status !== 0) {
    rmSync(directory, { recursive: true, force: true });
    throw new Error(`cannot unpack ${archive} (tar and xz are needed): ${tar.error?.message ?? tar.stderr}`);
  }
  const set = join(directory, name);
  const upper = join(directory, 'upper');
  mkdirSync(upper);
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  return { images: join(set, 'images'), root: join(set, 'root'), upper, set, remove };
}
