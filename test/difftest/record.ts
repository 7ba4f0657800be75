import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { drafts } from './difftest.ts';
import { buildCase } from './generate.ts';
import { NativeRunner } from './native.ts';
import { makeBackground } from './state.ts';
import { allEncodings, factsOf } from './templates.ts';
import { packVectors, type Vector } from './vectors.ts';

/** Records test/fixtures/vectors/instructions.gz on this host; run by hand when the generator changes. */
function main(): void {
  const runner = new NativeRunner();
  const vectors: Vector[] = [];
  try {
    const items = [...drafts(allEncodings(), 0x766563, 12000)];
    const cases = items.slice(0, 8192).map(({ draft }) => buildCase(draft));
    const rest = items.slice(8192).map(({ draft }) => buildCase(draft));
    const background = makeBackground();
    const outcomes = [...runner.run(background, cases), ...runner.run(background, rest)];
    outcomes.forEach((expected, i) => {
      if (!expected) return;
      const { encoding, draft } = items[i]!;
      const facts = factsOf(draft.code, draft.compat, 0x10000000);
      const { name, features } = encoding;
      vectors.push({ name, text: facts.text, features, undefinedFlags: facts.undefinedFlags, draft, expected });
    });
  } finally {
    runner.close();
  }
  const directory = fileURLToPath(new URL('../fixtures/vectors/', import.meta.url));
  mkdirSync(directory, { recursive: true });
  const bytes = packVectors(vectors);
  writeFileSync(`${directory}instructions.gz`, bytes);
  process.stdout.write(`${vectors.length} vectors, ${bytes.length} bytes\n`);
}

main();
