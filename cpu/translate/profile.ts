/** What has been seen of the running program: hot places, where computed jumps go, what instructions touch. */
import type { Block } from '../decode/code-cache.ts';
import type { Interpreter } from '../interp/interpreter.ts';
import { firstOfBlock } from '../interp/pseudo.ts';
import { Rec } from '../interp/record.ts';
import { Mode } from '../segment.ts';
import { PAGE_SIZE, State } from '../state.ts';
import type { BlockNode, Graph, Rip } from './graph.ts';
import { type Site, sitesOf } from './sites.ts';
import { MAX_WINDOWS, type Window, type Windows } from './windows.ts';

/** How many targets of a computed jump are noted. */
const MAX_SEEN = 64;
/** Runs of a block in a trace whose addresses are noted. */
const MAX_TOUCHES = 8;

/** The lowest address that a program's tables have. */
const LOWEST_TABLE = 0x10000;

/** A page that a window is around. */
export interface Anchor {
  readonly page: number;
  readonly write: boolean;
}

/** A region's windows, and the number of the one that an access is likely to be in, or -1. */
export interface WindowChoice {
  readonly anchors: Anchor[];
  windowOf(node: BlockNode, site: Site, write: boolean): number;
}

export class Profile {
  private readonly data: DataView;
  private readonly interpreter: Interpreter;
  /** Samples by address; and how many there have to be for a region, where that is not the usual number. */
  private readonly samples = new Map<Rip, number>();
  private readonly due = new Map<Rip, number>();
  private readonly seen = new Map<Rip, Rip[]>();
  /** How often blocks came by in traces; those where regions are often left to count as often seen. */
  private readonly warmth = new Map<Rip, number>();
  /** Addresses that instructions touched: the key is the instruction's address doubled, plus 1 for its stack access. */
  private readonly touched = new Map<number, { address: number; count: number }>();
  /** Of the trace under way: how often blocks came by, what they touch, and the last of them. */
  private readonly visits = new Map<Rip, number>();
  private readonly sites = new Map<Rip, readonly Site[]>();
  private last: Rip = -1;

  constructor(data: DataView, interpreter: Interpreter) {
    this.data = data;
    this.interpreter = interpreter;
  }

  /** One more sample of this address; true when there are enough for a region. */
  sample(rip: Rip, threshold: number): boolean {
    const count = this.samplesOf(rip) + 1;
    this.samples.set(rip, count);
    return count >= (this.due.get(rip) ?? threshold);
  }

  samplesOf(rip: Rip): number {
    return this.samples.get(rip) ?? 0;
  }

  /** A region is made of what is there: its samples start no other. */
  settle(rip: Rip): void {
    this.due.set(rip, Infinity);
  }

  /** A region would not have been worth it: it is thought of again when there are so many times as many samples. */
  postpone(rip: Rip, times: number): void {
    this.due.set(rip, Math.ceil(times * this.samplesOf(rip)));
  }

  /** It is sampled anew. */
  unsettle(rip: Rip): void {
    this.samples.delete(rip);
    this.due.delete(rip);
  }

  unsettleAll(): void {
    this.samples.clear();
    this.due.clear();
  }

  /** How often the block was seen to run in traces. */
  warmthOf(rip: Rip): number {
    return this.warmth.get(rip) ?? 0;
  }

  heat(rip: Rip): void {
    this.warmth.set(rip, Infinity);
  }

  /** Where the computed jump at the end of the block at `site` went. */
  targetsOf(site: Rip): readonly Rip[] {
    return this.seen.get(site) ?? [];
  }

  note(site: Rip, to: Rip): void {
    let list = this.seen.get(site);
    if (!list) {
      list = [];
      this.seen.set(site, list);
    }
    if (list.length < MAX_SEEN && !list.includes(to)) list.push(to);
  }

  // Traces.

  beginTrace(): void {
    this.last = -1;
    this.visits.clear();
    this.sites.clear();
  }

  /** The block at `rip` is about to run: notes how it was come to and what it touches. */
  watch(block: Block, rip: Rip): void {
    const { data } = this;
    if (this.last >= 0) this.note(this.last, rip);
    this.last = rip;
    const n = (this.visits.get(rip) ?? 0) + 1;
    this.visits.set(rip, n);
    // What runs once is unlikely to become part of a region.
    if (n + this.warmthOf(rip) < 2 || n > MAX_TOUCHES) return;
    const value = (register: number): number => {
      const at = State.gpr + 8 * register;
      return register === -1 ? 0 : data.getUint32(at + 4, true) * 2 ** 32 + data.getUint32(at, true);
    };
    for (const s of this.sitesOf(block, rip)) {
      if (s.base === -2 || s.index === -2) continue;
      const sum = value(s.base) + value(s.index) * 2 ** s.scale + s.delta;
      const wrap = data.getUint32(State.mode, true) & Mode.Long ? 2 ** 64 : 2 ** 32;
      const address = ((sum % wrap) + wrap) % wrap;
      const key = this.siteKey(rip, s);
      const known = this.touched.get(key);
      this.touched.set(key, { address, count: (known?.count ?? 0) + 1 });
    }
  }

  private sitesOf(block: Block, rip: Rip): readonly Site[] {
    let found = this.sites.get(rip);
    if (!found) {
      found = sitesOf(this.data, this.interpreter, firstOfBlock(this.data, block.start), block.end, rip);
      this.sites.set(rip, found);
    }
    return found;
  }

  /** The trace is done: what ran in it is warm. The place that came by far more often than `hot`, or that. */
  endTrace(hot: Rip): Rip {
    for (const [at, n] of this.visits) this.warmth.set(at, this.warmthOf(at) + n);
    let best = hot;
    for (const [at, n] of this.visits) if (n > 2 * (this.visits.get(best) ?? 0)) best = at;
    return best;
  }

  /** Windows around what the region's instructions are known to touch. */
  chooseWindows(graph: Graph, windows: Windows): WindowChoice {
    const found: { window: Window; count: number }[] = [];
    const of = new Map<number, Window>();
    for (const node of graph.nodes) {
      for (const s of sitesOf(this.data, this.interpreter, node.first, node.block.end, node.rip)) {
        const key = this.siteKey(node.rip, s);
        // A table at an address in the instruction, by whatever index.
        const fixed = s.base < 0 && s.delta >= LOWEST_TABLE ? { address: s.delta, count: 1 } : undefined;
        const seen = this.touched.get(key) ?? fixed;
        if (!seen) continue;
        const page = Math.floor(seen.address / PAGE_SIZE);
        let known = found.find(({ window: w }) => page >= w.low && page < w.high && (w.write || !s.write));
        if (!known) {
          let window = windows.around(page, true);
          if ((!window || window.low === window.high) && !s.write) window = windows.around(page, false);
          if (!window || window.low === window.high) continue;
          known = { window, count: 0 };
          found.push(known);
        }
        known.count += seen.count;
        of.set(key, known.window);
      }
    }
    found.sort((a, b) => b.count - a.count);
    const chosen = found.slice(0, MAX_WINDOWS).map(({ window }) => window);
    return {
      anchors: chosen.map((w) => ({ page: w.anchor, write: w.write })),
      windowOf: (node, site, write) => {
        const w = of.get(this.siteKey(node.rip, site));
        return w && (w.write || !write) ? chosen.indexOf(w) : -1;
      },
    };
  }

  private siteKey(rip: Rip, s: Site): number {
    return 2 * (rip + this.data.getUint16(s.record + Rec.offset, true)) + (s.implicit ? 1 : 0);
  }
}
