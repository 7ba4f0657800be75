/** Blocks nested as WebAssembly wants them: each is put where its dominator's code ends, jumps go to enclosing constructs. */
import { type I64, i32, i64 } from '../ir/expr.ts';
import type { BlockNode, Graph, Rip } from './graph.ts';
import { Local, type RegionCode, VOID } from './region-code.ts';
import { DISPATCHER, type Shape, structure } from './structure.ts';

interface Label {
  readonly node: number;
  readonly depth: number;
}

/** Builds blocks and knows what goes from one to the next. */
export interface BlockBuilder<Leaving> {
  /** Builds a node; `before` is what is known when it has but one way to it. */
  block(n: number, before: Leaving | undefined): void;
  /** For the block that is put in line next. */
  readonly leaving: Leaving | undefined;
  /** Leaves the region. */
  leave(rip: Rip): void;
}

export class Nesting<Leaving> {
  private readonly code: RegionCode;
  private readonly graph: Graph;
  private readonly builder: BlockBuilder<Leaving>;
  private readonly numbers = new Map<BlockNode, number>();
  private readonly byRip = new Map<Rip, number>();
  private readonly shape: Shape;
  private readonly labels: Label[] = [];

  constructor(code: RegionCode, graph: Graph, builder: BlockBuilder<Leaving>) {
    this.code = code;
    this.graph = graph;
    this.builder = builder;
    graph.nodes.forEach((n, k) => {
      this.numbers.set(n, k);
      this.byRip.set(n.rip, k);
    });
    const successors = graph.nodes.map((n) => n.successors.map((to) => this.numbers.get(to)!));
    this.shape = structure(successors, (n) => usesTable(graph.nodes[n]!) || isOwnLoop(graph.nodes[n]!));
  }

  build(): void {
    if (this.shape.dispatched.length > 0) this.dispatcher();
    else this.tree(0);
  }

  /** May a node be come to again and again within the region? */
  isHead(n: number): boolean {
    return this.shape.loops.has(n) || this.shape.dispatched.includes(n);
  }

  isLoop(n: number): boolean {
    return this.shape.loops.has(n);
  }

  private dispatcher(): void {
    const { code } = this;
    code.op(0x03, VOID);
    code.depth++;
    this.labels.push({ node: DISPATCHER, depth: code.depth });
    this.within(DISPATCHER, this.blocksAfter(DISPATCHER), undefined);
    this.labels.pop();
    code.depth--;
    code.op(0x0b);
  }

  /** A node with everything that it dominates. */
  private tree(n: number, before?: Leaving): void {
    const { code } = this;
    const isLoop = this.isLoop(n);
    if (isLoop) {
      code.op(0x03, VOID);
      code.depth++;
      this.labels.push({ node: n, depth: code.depth });
    }
    this.within(n, this.blocksAfter(n), isLoop ? undefined : before);
    if (isLoop) {
      this.labels.pop();
      code.depth--;
      code.op(0x0b);
    }
  }

  private blocksAfter(n: number): readonly number[] {
    return this.shape.children.get(n)!.filter((c) => this.shape.merges.has(c));
  }

  private within(n: number, after: readonly number[], before: Leaving | undefined, at = 0): void {
    const { code } = this;
    const next = after[at];
    if (next === undefined) {
      if (n === DISPATCHER) this.dispatch();
      else this.builder.block(n, before);
      return;
    }
    code.op(0x02, VOID);
    code.depth++;
    // Distinguished from the label of a loop of the same node by where it stands: forward edges come to the block.
    this.labels.push({ node: next, depth: code.depth });
    this.within(n, after, before, at + 1);
    this.labels.pop();
    code.depth--;
    code.op(0x0b);
    this.tree(next);
  }

  private dispatch(): void {
    const { code, shape } = this;
    code.get(Local.dispatch);
    code.op(0x0e);
    code.w.uleb(shape.dispatched.length - 1);
    for (const n of shape.dispatched) code.w.uleb(this.distance(n));
  }

  /** Which enclosing construct a jump to `n` leaves or repeats. */
  private distance(n: number): number {
    for (let k = this.labels.length - 1; k >= 0; k--) {
      const label = this.labels[k]!;
      if (label.node === n) return this.code.depth - label.depth;
    }
    throw new Error('a block without a label');
  }

  /** Goes to `rip` from node `from`: jumps, puts the block here, or leaves the region. */
  go(from: number, rip: Rip): void {
    const { code, shape } = this;
    const to = this.byRip.get(rip);
    if (to === undefined || !this.graph.nodes[from]!.successors.includes(this.graph.nodes[to]!)) {
      this.builder.leave(rip);
      return;
    }
    const backward = shape.place.get(to)! <= shape.place.get(from)!;
    if (backward && shape.loops.has(to) && this.labels.some((l) => l.node === to)) {
      this.jump(to);
    } else if (backward) {
      code.constant(shape.dispatched.indexOf(to));
      code.set(Local.dispatch);
      this.jump(DISPATCHER);
    } else if (shape.merges.has(to)) {
      this.jump(to);
    } else {
      this.tree(to, this.builder.leaving);
    }
  }

  private jump(to: number): void {
    this.code.op(0x0c);
    this.code.w.uleb(this.distance(to));
  }

  /** Can the targets of a computed jump be told apart by a jump table? */
  hasTable(n: number): boolean {
    const node = this.graph.nodes[n]!;
    return usesTable(node) && node.successors.every((to) => this.hasLabel(n, this.numbers.get(to)!));
  }

  /** A jump table over the range of the targets. */
  table(targets: readonly BlockNode[], value: I64): void {
    const { code } = this;
    const lowest = Math.min(...targets.map((t) => t.rip));
    const highest = Math.max(...targets.map((t) => t.rip));
    const byPlace = new Map(targets.map((t) => [t.rip - lowest, this.numbers.get(t)!]));
    code.op(0x02, VOID);
    code.depth++;
    const offset = i64.sub(value, lowest);
    code.emit(i64.gt_u(offset, highest - lowest));
    code.op(0x0d, 0);
    code.emit(i32.wrap(offset));
    code.op(0x0e);
    code.w.uleb(highest - lowest + 1);
    for (let k = 0; k <= highest - lowest; k++) {
      const to = byPlace.get(k);
      code.w.uleb(to === undefined ? 0 : this.distance(to));
    }
    code.w.uleb(0);
    code.depth--;
    code.op(0x0b);
  }

  /** Not through the dispatcher? */
  private hasLabel(from: number, to: number): boolean {
    const { place, loops } = this.shape;
    return place.get(to)! > place.get(from)! || (loops.has(to) && this.labels.some((l) => l.node === to));
  }
}

/** Does the block only ever repeat itself or go on? */
export const isOwnLoop = (n: BlockNode): boolean =>
  n.kind === 'conditional' && n.cut === 0 && n.taken !== n.next && n.successors.includes(n);

const TABLE_RANGE = 4096;
/** Many targets close to each other are told apart by a jump table. */
function usesTable(n: BlockNode): boolean {
  if (n.kind !== 'computed' || n.successors.length < 4) return false;
  const rips = n.successors.map((s) => s.rip);
  return Math.max(...rips) - Math.min(...rips) < TABLE_RANGE;
}
