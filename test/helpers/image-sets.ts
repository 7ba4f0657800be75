import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The image sets that come with the tests; IMAGE_SETS names another directory of NAME.tar.xz files to run over. */
const directory = process.env['IMAGE_SETS'] ?? join(import.meta.dirname, '..', 'fixtures', 'images');

export const imageSetNames: readonly string[] = readdirSync(directory)
  .filter((name) => name.endsWith('.tar.xz'))
  .map((name) => name.slice(0, -'.tar.xz'.length))
  .sort();

/** Unpacks the set into a fresh directory: images/, root/, decoded/, expected.txt. */
export function unpackImageSet(name: string): { path: string; remove(): void } {
  const parent = mkdtempSync(join(tmpdir(), 'images-'));
  execFileSync('tar', ['-xf', join(directory, `${name}.tar.xz`), '-C', parent]);
  return { path: join(parent, name), remove: () => rmSync(parent, { recursive: true, force: true }) };
}
