/** Runs blocks in both tiers and counts what was retired. */
import type { Blocks } from './blocks.ts';
import type { Block, CodeCache } from './decode/code-cache.ts';
import type { Fault, WatchRetry } from './fault.ts';
import { Flag } from './flags.ts';
import type { Interpreter } from './interp/interpreter.ts';
import { entersRegion, firstOfBlock, Pseudo } from './interp/pseudo.ts';
import { Outcome, RECORD_SIZE, Rec } from './interp/record.ts';
import type { RuntimeImports } from './runtime/module.ts';
import type { SegmentFile } from './segment.ts';
import { State } from './state.ts';
import type { Region } from './translate/region-table.ts';
import type { Sketch, Translator } from './translate/translator.ts';

/** What `execute` says besides the Outcomes of the generated code: the parts' `fault` was raised, or `retry`. */
export const RAISED = 100;
export const WATCHED = 101;

export interface TierParts {
  /** All of linear memory. */
  readonly data: DataView;
  readonly segments: SegmentFile;
  readonly blocks: Blocks;
  readonly cache: CodeCache;
  readonly interpreter: Interpreter;
  readonly fault: Fault;
  readonly retry: WatchRetry;
}

export class Tiers {
  /** Instructions retired since boot. */
  icount = 0;
  /** Budget given to the slice under way, to know the instruction count within it. */
  private slice = 0;
  private readonly parts: TierParts;
  private readonly data: DataView;

  constructor(parts: TierParts) {
    this.parts = parts;
    this.data = parts.data;
  }

  /** Instructions retired before the one of `record`, for RDTSC. */
  retiredBefore(record: number): number {
    const used = this.slice - this.data.getInt32(State.budget, true);
    return this.icount + used - this.data.getUint16(record + Rec.remaining, true);
  }

  /** Runs blocks for at most `budget` instructions and counts what was retired. */
  execute(budget: number, translator?: Translator): number {
    const { blocks, cache, fault, interpreter, retry } = this.parts;
    this.settleMode();
    this.slice = budget;
    this.data.setInt32(State.budget, budget, true);
    fault.record = 0;
    retry.record = 0;
    try {
      return translator ? this.runTiers(translator) : interpreter.run(blocks.lookUp().start);
    } catch (e) {
      if (e === fault) {
        this.unwind(fault.record);
        return RAISED;
      }
      if (e === retry) {
        this.unwind(retry.record);
        return WATCHED;
      }
      throw e;
    } finally {
      const retired = this.slice - this.data.getInt32(State.budget, true);
      this.icount += retired;
      if (!translator) interpreter.worked(retired);
      this.slice = 0;
      this.data.setInt32(State.budget, 0, true);
      this.data.setInt32(State.reserve, 0, true);
      cache.stopped();
    }
  }

  /** Runs the first `n` instructions of the block at RIP, or fewer when it leaves early. */
  part(n: number): number {
    const { blocks, fault } = this.parts;
    let block: Block;
    try {
      fault.record = 0;
      this.settleMode();
      block = blocks.lookUp();
    } catch (e) {
      if (e === fault) return RAISED;
      throw e;
    }
    const stopAt = n < block.count ? this.recordOf(block, n) : 0;
    const handler = stopAt === 0 ? 0 : this.data.getUint16(stopAt + Rec.handler, true);
    if (stopAt !== 0) this.data.setUint16(stopAt + Rec.handler, Pseudo.stop, true);
    try {
      return this.execute(block.count);
    } finally {
      const now = stopAt === 0 ? 0 : this.data.getUint16(stopAt + Rec.handler, true);
      if (now === Pseudo.stop && stopAt !== 0) this.data.setUint16(stopAt + Rec.handler, handler, true);
    }
  }

  /** For tests: the block at RIP as a region of its own; undefined when its first instruction is left to the interpreter. */
  sketch(translator: Translator, imports: RuntimeImports): Sketch | undefined {
    const { blocks, fault } = this.parts;
    try {
      this.settleMode();
      blocks.lookUp();
      return translator.sketchAlone(imports);
    } catch (e) {
      if (e !== fault) throw e;
      return undefined;
    }
  }

  /** For tests: runs a region where it was sketched, and in the same mode. */
  runRegion(translator: Translator, region: Region): void {
    const { data } = this;
    try {
      this.slice = region.need;
      data.setInt32(State.budget, this.slice, true);
      translator.table.prepare(region);
      translator.left(region, region.run());
      this.icount += this.slice - data.getInt32(State.budget, true);
    } finally {
      this.slice = 0;
      data.setInt32(State.budget, 0, true);
    }
  }

  /** Both tiers: the interpreter, stopped now and then to see what is hot, and the regions of the translator. */
  private runTiers(translator: Translator): number {
    const { blocks, interpreter } = this.parts;
    let start = blocks.first();
    this.hold(translator.untilSample);
    if (entersRegion(this.data, start) && !translator.isTracing) start = this.runRegions(translator);
    for (;;) {
      const outcome = interpreter.run(start);
      translator.untilSample = this.data.getInt32(State.budget, true);
      if (outcome === Outcome.Region) {
        start = this.runRegions(translator);
      } else if (outcome === Outcome.Budget && this.data.getInt32(State.reserve, true) > 0) {
        if (!translator.isTracing) {
          interpreter.worked(translator.options.interval);
          translator.sample();
        }
        this.grant();
        const block = blocks.lookUp();
        start = block.start;
        if (translator.isTracing) {
          translator.trace(block);
          this.hold(block.count);
          // The block itself, whether or not a region begins with it.
          start = firstOfBlock(this.data, start);
        } else this.hold(Math.max(translator.untilSample, block.count));
      } else {
        return outcome;
      }
    }
  }

  /** Runs regions as long as one leads to another; gives the record with which the interpreter goes on. */
  private runRegions(translator: Translator): number {
    this.grant();
    const { data } = this;
    const { blocks } = this.parts;
    let start = blocks.first();
    let go = true;
    while (go && entersRegion(data, start)) {
      const region = translator.regionAt(start);
      if (region === undefined || data.getInt32(State.budget, true) <= region.need) break;
      translator.table.prepare(region);
      go = translator.left(region, region.run());
      start = blocks.first();
    }
    this.hold(translator.untilSample);
    return firstOfBlock(data, start);
  }

  /** The whole budget of the run. */
  private grant(): void {
    const reserve = this.data.getInt32(State.reserve, true);
    this.slice += reserve;
    this.data.setInt32(State.budget, this.data.getInt32(State.budget, true) + reserve, true);
    this.data.setInt32(State.reserve, 0, true);
  }

  /** Not more than `n` of it. */
  private hold(n: number): void {
    const budget = this.data.getInt32(State.budget, true);
    const reserve = Math.max(0, budget - n);
    this.slice -= reserve;
    this.data.setInt32(State.budget, budget - reserve, true);
    this.data.setInt32(State.reserve, reserve, true);
  }

  /** An instruction did not complete: RIP goes back to it, and those that did not run are not counted. */
  private unwind(record: number): void {
    if (record === 0) return;
    const { data } = this;
    const rip = data.getBigUint64(State.blockRip, true) + BigInt(data.getUint16(record + Rec.offset, true));
    data.setBigUint64(State.rip, rip & data.getBigUint64(State.ripMask, true), true);
    const budget = data.getInt32(State.budget, true) + data.getUint16(record + Rec.remaining, true);
    data.setInt32(State.budget, budget, true);
  }

  /** AC may have changed (POPF, IRET, the kernel): blocks depend on it. */
  private settleMode(): void {
    const { segments } = this.parts;
    const wanted = (this.data.getUint32(State.flagRest, true) & Flag.AC) !== 0;
    if (wanted !== segments.alignmentChecked) segments.updateMode();
  }

  /** The first record of the block's instruction number `n`. */
  private recordOf(block: Block, n: number): number {
    for (let r = block.start; r < block.end; r += RECORD_SIZE) {
      if (this.data.getUint16(r + Rec.remaining, true) === block.count - n) return r;
    }
    throw new Error('a block without its instructions');
  }
}
