import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { BlockBuilder, type BuiltBlock } from '../../cpu/decode/block-builder.ts';
import { Decoder } from '../../cpu/decode/decoder.ts';
import { buildTable, compileRow } from '../../cpu/decode/encoding.ts';
import { allRows } from '../../cpu/isa/all.ts';
import type { PhysicalMemory } from '../../cpu/physical-memory.ts';
import { Mode } from '../../cpu/segment.ts';
import { RECORDS } from '../../cpu/state.ts';
import { States } from '../difftest/state.ts';
import { unpackVectors } from '../difftest/vectors.ts';
import { Machine } from './machine.ts';

const LONG = Mode.Long | Mode.Flat | Mode.PlainFs | Mode.PlainGs;
const FLAT32 = Mode.Code32 | Mode.Flat;

/** Blocks as the builder makes them with and without what it remembers. */
class Both {
  private readonly memory: PhysicalMemory;
  private readonly frame: number;
  private readonly builder: BlockBuilder;
  private readonly handlers: number;

  constructor() {
    const rows = allRows.map(compileRow);
    const decoder = new Decoder(buildTable(rows, true), buildTable(rows, false));
    const { cpu } = new Machine();
    this.memory = cpu.memory;
    this.handlers = cpu.interpreter.mainCount;
    this.frame = cpu.memory.allocContiguous(2);
    this.builder = new BlockBuilder(decoder, cpu.interpreter, cpu.memory.buffer);
  }

  /** What the other one knows, where its handlers have the same numbers here. */
  learn(other: Both): number {
    const templates = other.builder.known.save(this.handlers);
    this.builder.known.load(templates);
    return templates.length;
  }

  put(bytes: Uint8Array): void {
    this.memory.bytes.set(bytes, this.frame * 4096);
  }

  private build(offset: number, mode: number, known: boolean): { block: BuiltBlock; records: string } {
    const source = {
      bytes: this.memory.bytes,
      at: this.frame * 4096 + offset,
      nextFrame: () => this.frame + 1,
      isBreakpoint: known ? undefined : () => false,
      limit: Infinity,
    };
    const block = this.builder.build(source, mode, RECORDS);
    return { block, records: Buffer.from(this.memory.bytes.subarray(RECORDS, block.end)).toString('hex') };
  }

  /** Bytes of the block at `offset`, after comparing. */
  compare(offset: number, mode: number): number {
    const plain = this.build(offset, mode, false);
    // The first time it may be new.
    for (let n = 0; n < 2; n++) expect(this.build(offset, mode, true)).to.deep.equal(plain);
    return plain.block.length;
  }
}

describe('code that was decoded before', () => {
  it('makes the records that decoding makes: the instructions of the recorded vectors', () => {
    const both = new Both();
    const vectors = unpackVectors(
      readFileSync(new URL('../fixtures/vectors/instructions.gz', import.meta.url)),
      new States(),
    );
    for (const { draft } of vectors) {
      both.put(draft.code);
      for (const mode of [LONG, FLAT32 | Mode.PlainFs, LONG | Mode.Aligned]) both.compare(0, mode);
    }
  });

  it('makes the records that decoding makes: blocks of a program', () => {
    const program = readFileSync(process.execPath).subarray(0x1000000, 0x1020000);
    const pass = (both: Both): Both => {
      for (let page = 0; page < program.length; page += 4096) {
        both.put(program.subarray(page, page + 8192));
        for (const mode of [LONG, FLAT32]) {
          for (let at = 0; at < 4096; ) at += Math.max(1, both.compare(at, mode));
        }
      }
      return both;
    };
    const first = pass(new Both());
    const other = new Both();
    expect(other.learn(first)).to.be.greaterThan(10_000);
    pass(other);
  });
});
