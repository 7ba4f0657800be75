/** Vectors that were recorded on a processor: lines of text, compressed. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** The lines of `fixtures/NAME` by the code of their instruction, which is the second word. */
export function vectorsByCode(name: string): ReadonlyMap<string, readonly string[]> {
  const text = gunzipSync(readFileSync(new URL(`fixtures/${name}`, import.meta.url))).toString();
  const byCode = new Map<string, string[]>();
  for (const line of text.trim().split('\n')) {
    const code = line.split(' ')[1]!;
    const known = byCode.get(code);
    if (known) known.push(line);
    else byCode.set(code, [line]);
  }
  return byCode;
}
