/**
 * Order and nesting of a region's blocks: reverse postorder, dominators (Cooper, Harvey and Kennedy, "A simple, fast
 * dominance algorithm"), loops. Edges that enter a loop at its side go through a dispatcher, so that what is left is
 * reducible and can be written with WebAssembly's blocks and loops.
 */

export interface Shape {
  /** Nodes in reverse postorder; -1 in `order` is the dispatcher, always first when there is one. */
  readonly order: readonly number[];
  /** Place in the order, by node; unreachable ones do not occur. */
  readonly place: ReadonlyMap<number, number>;
  /** Children in the dominator tree, later ones in the order first. */
  readonly children: ReadonlyMap<number, readonly number[]>;
  /** Nodes with a back edge to them. */
  readonly loops: ReadonlySet<number>;
  /** Nodes with more than one forward edge to them, or reached through a jump table. */
  readonly merges: ReadonlySet<number>;
  /** What the dispatcher goes to, the root first; empty without one. */
  readonly dispatched: readonly number[];
}

export const DISPATCHER = -1;

/**
 * @param successors of each node; node 0 is the root
 * @param table whether a node leaves through a jump table, whose targets then have to be blocks of their own
 */
export function structure(successors: readonly (readonly number[])[], table: (node: number) => boolean): Shape {
  const dispatched: number[] = [];
  for (;;) {
    const edges = (n: number): readonly number[] => {
      if (n === DISPATCHER) return dispatched;
      return successors[n]!;
    };
    const start = dispatched.length > 0 ? DISPATCHER : 0;
    const order = reversePostorder(start, edges);
    const place = new Map(order.map((n, at) => [n, at]));
    const preds = new Map<number, number[]>(order.map((n) => [n, []]));
    for (const n of order) for (const to of edges(n)) preds.get(to)!.push(n);
    const idom = dominators(order, place, preds);
    const dominates = (a: number, b: number): boolean => {
      let x = b;
      while (place.get(x)! > place.get(a)!) x = idom.get(x)!;
      return x === a;
    };
    const irregular = new Set<number>();
    const loops = new Set<number>();
    const forward = new Map<number, number>();
    for (const n of order) {
      for (const to of new Set(edges(n))) {
        if (place.get(to)! > place.get(n)!) forward.set(to, (forward.get(to) ?? 0) + 1);
        else if (dominates(to, n)) loops.add(to);
        else if (!dispatched.includes(to)) irregular.add(to);
      }
    }
    if (irregular.size > 0) {
      if (dispatched.length === 0) dispatched.push(0);
      for (const n of irregular) if (!dispatched.includes(n)) dispatched.push(n);
      continue;
    }
    const merges = new Set<number>(dispatched);
    for (const [n, count] of forward) if (count > 1) merges.add(n);
    for (const n of order) {
      if (n !== DISPATCHER && table(n)) for (const to of edges(n)) if (place.get(to)! > place.get(n)!) merges.add(to);
    }
    if (dispatched.length > 0) loops.add(DISPATCHER);
    const children = new Map<number, number[]>(order.map((n) => [n, []]));
    for (let k = order.length - 1; k > 0; k--) children.get(idom.get(order[k]!)!)!.push(order[k]!);
    return { order, place, children, loops, merges, dispatched };
  }
}

function reversePostorder(start: number, edges: (n: number) => readonly number[]): number[] {
  const seen = new Set([start]);
  const out: number[] = [];
  const stack: { n: number; next: number }[] = [{ n: start, next: 0 }];
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    const to = edges(top.n)[top.next++];
    if (to === undefined) {
      out.push(top.n);
      stack.pop();
    } else if (!seen.has(to)) {
      seen.add(to);
      stack.push({ n: to, next: 0 });
    }
  }
  return out.reverse();
}

function dominators(
  order: readonly number[],
  place: ReadonlyMap<number, number>,
  preds: ReadonlyMap<number, readonly number[]>,
): Map<number, number> {
  const idom = new Map<number, number>([[order[0]!, order[0]!]]);
  const meet = (x: number, y: number): number => {
    let a = x;
    let b = y;
    while (a !== b) {
      while (place.get(a)! > place.get(b)!) a = idom.get(a)!;
      while (place.get(b)! > place.get(a)!) b = idom.get(b)!;
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const n of order.slice(1)) {
      let found: number | undefined;
      for (const p of preds.get(n)!) {
        if (idom.has(p)) found = found === undefined ? p : meet(p, found);
      }
      if (idom.get(n) !== found) {
        idom.set(n, found!);
        changed = true;
      }
    }
  }
  return idom;
}
