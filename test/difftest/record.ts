import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Bench, drafts } from './difftest.ts';
import { buildCase } from './generate.ts';
import { SLOTS } from './layout.ts';
import { decodeResult } from './protocol.ts';
import { allEncodings, type Encoding, wideEncodings } from './templates.ts';
import { packVectors, type Vector } from './vectors.ts';

const FILES: Readonly<Record<string, { readonly encodings: () => Encoding[]; readonly count: number }>> = {
  instructions: { encodings: allEncodings, count: 12000 },
  avx512: { encodings: wideEncodings, count: 3000 },
};

/** Records test/fixtures/vectors/NAME.gz on this host; run by hand when the generator changes. */
function main(): void {
  const name = process.argv[2] ?? '';
  const file = FILES[name];
  if (!file) throw new Error(`which of ${Object.keys(FILES).join(', ')}?`);
  const { runner, background, states } = new Bench();
  const vectors: Vector[] = [];
  try {
    const encodings = file.encodings().filter(({ features }) => features.every((f) => runner.has(f)));
    const items = drafts(encodings, 0x766563, file.count);
    for (let from = 0; from < items.length; from += SLOTS) {
      const part = items.slice(from, from + SLOTS);
      const outcomes = runner.run(
        background,
        part.map(({ draft }) => buildCase(draft, states)),
      );
      outcomes.forEach((raw, i) => {
        if (!raw) return;
        const expected = decodeResult(raw);
        const { encoding, draft } = part[i]!;
        vectors.push({ name: encoding.name, features: encoding.features, draft, expected });
      });
    }
  } finally {
    runner.close();
  }
  const directory = fileURLToPath(new URL('../fixtures/vectors/', import.meta.url));
  mkdirSync(directory, { recursive: true });
  const bytes = packVectors(vectors, states);
  writeFileSync(`${directory}${name}.gz`, bytes);
  process.stdout.write(`${vectors.length} vectors, ${bytes.length} bytes\n`);
}

main();
