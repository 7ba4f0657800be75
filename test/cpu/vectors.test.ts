import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { Bench, compareBatch, drafts, judge, newTally, runBatch } from '../difftest/difftest.ts';
import { announced, Emulator } from '../difftest/emulate.ts';
import { buildCase } from '../difftest/generate.ts';
import { SLOTS } from '../difftest/layout.ts';
import { NativeRunner } from '../difftest/native.ts';
import { encodeResult } from '../difftest/protocol.ts';
import { showMismatch } from '../difftest/report.ts';
import { makeBackground, States } from '../difftest/state.ts';
import { allEncodings, type Encoding, wideEncodings } from '../difftest/templates.ts';
import { unpackVectors } from '../difftest/vectors.ts';

const LIVE_CASES = 20000;
const LIVE_WIDE_CASES = 8000;
const BATCH = SLOTS;

describe('single instructions', () => {
  const recordings = [
    ['instructions.gz', 'what a real CPU was recorded to do'],
    ['avx512.gz', 'the same with AVX-512'],
    ['found.txt', 'what long runs of the comparison once found wrong'],
  ] as const;
  for (const [file, what] of recordings) it(`do ${what}`, () => recorded(file));

  function recorded(file: string): void {
    const states = new States();
    const vectors = unpackVectors(readFileSync(new URL(`../fixtures/vectors/${file}`, import.meta.url)), states);
    expect(vectors.length).to.be.greaterThan(10);
    const emulator = new Emulator(makeBackground());
    const tally = newTally();
    const known = vectors.filter(({ features }) => features.every(announced));
    for (let from = 0; from < known.length; from += BATCH) {
      const part = known.slice(from, from + BATCH);
      const items = part.map(({ name, features, draft }) => ({ encoding: { name, features }, draft }));
      const cases = part.map(({ draft }) => buildCase(draft, states));
      const expected = part.map((vector) => encodeResult(vector.expected));
      compareBatch(emulator, items, cases, expected, tally, 2);
    }
    expect(tally.cases).to.equal(known.length);
    expect(tally.examples.slice(0, 5).map(showMismatch).join('\n')).to.equal('');
  }

  it('count as wrong unless the host takes its answer back', () => {
    const states = new States();
    const [vector] = unpackVectors(readFileSync(new URL('../fixtures/vectors/found.txt', import.meta.url)), states);
    const { name, features, draft, expected } = vector!;
    const testCase = buildCase(draft, states);
    const wrong = { ...expected, rip: expected.rip + 1n };
    const ask = (second: typeof expected | undefined): { mismatches: number; unsteady: number } => {
      const tally = newTally();
      const items = [{ encoding: { name, features }, draft }];
      compareBatch(new Emulator(makeBackground()), items, [testCase], [encodeResult(wrong)], tally, 1, () => second);
      return { mismatches: tally.mismatches, unsteady: tally.unsteady };
    };
    expect(ask(expected)).to.deep.equal({ mismatches: 0, unsteady: 1 });
    expect(ask(wrong)).to.deep.equal({ mismatches: 1, unsteady: 0 });
    expect(ask({ ...expected, rip: expected.rip + 2n })).to.deep.equal({ mismatches: 1, unsteady: 0 });
    expect(ask(undefined)).to.deep.equal({ mismatches: 1, unsteady: 0 });
  });

  it('may have other components in use than we have, but only those in their initial configuration', () => {
    const states = new States();
    const emulator = new Emulator(makeBackground());
    const all = unpackVectors(readFileSync(new URL('../fixtures/vectors/found.txt', import.meta.url)), states);
    const differing = (seed: number, at: number, components: number, inUse: number): string[] => {
      const { draft, expected } = all.find((vector) => vector.draft.seed === seed)!;
      const before = Buffer.from(makeBackground()).readBigUInt64LE(at);
      const bv = (before & ~BigInt(components)) | BigInt(inUse);
      const memory = new Map(expected.memory);
      if (bv === before) memory.delete(at);
      else memory.set(at, bv);
      const { differences } = judge(emulator, draft, buildCase(draft, states), { ...expected, memory });
      return differences.map(({ where }) => where);
    };
    // VZEROUPPER, writes of zeros under masks, and XSAVE of AVX, which the host has in use.
    expect(differing(2231255952, 0x1800, 4, 4)).to.deep.equal([]);
    expect(differing(2231255952, 0x1800, 4, 0)).to.deep.equal([]);
    // SSE and AVX, neither of them all zero.
    expect(differing(2378, 0x1140, 6, 6)).to.deep.equal([]);
    expect(differing(2378, 0x1140, 6, 4)).to.deep.equal(['data+0x1140']);
  });

  it("do what this host's CPU does", function () {
    if (!NativeRunner.available()) {
      if (process.env['CI']) throw new Error('gcc is missing; .ci/run should have installed it');
      process.stderr.write('SKIPPED LOUDLY: single instructions run natively only on x86-64 Linux with gcc\n');
      this.skip();
    }
    if (!NativeRunner.isReference()) {
      process.stderr.write('SKIPPED LOUDLY: the CPU follows Intel where processors differ; see npm run difftest\n');
      this.skip();
    }
    const bench = new Bench();
    const { runner } = bench;
    const tally = newTally();
    if (!runner.has('AVX512F')) process.stderr.write('SKIPPED LOUDLY: this host has no AVX-512\n');
    const has = ({ features }: Encoding): boolean => features.every((f) => announced(f) && runner.has(f));
    const encodings = allEncodings().filter(has);
    const wide = wideEncodings().filter(has);
    try {
      const items = [
        ...drafts(encodings, 2016, LIVE_CASES),
        ...(wide.length > 0 ? drafts(wide, 2017, LIVE_WIDE_CASES, [...encodings, ...wide]) : []),
      ];
      for (let from = 0; from < items.length; from += BATCH) {
        runBatch(bench, items.slice(from, from + BATCH), tally);
      }
    } finally {
      bench.close();
    }
    if (tally.unsteady > 0) process.stderr.write(`${tally.unsteady} cases that the host ended in two ways\n`);
    expect(tally.examples.slice(0, 5).map(showMismatch).join('\n')).to.equal('');
  });
});
