/** What a region consists of: blocks that have run before, reached from a root, and the edges between them. */
import type { Block, CodeCache } from '../decode/code-cache.ts';
import type { Interpreter } from '../interp/interpreter.ts';
import { firstOfBlock, Pseudo } from '../interp/pseudo.ts';
import { RECORD_SIZE, Rec } from '../interp/record.ts';
import type { Variant } from '../interp/variant.ts';
import { PAGE_SIZE } from '../state.ts';

const MAX_INSTRUCTIONS = 1200;
/** A computed jump is compared with no more targets than these, a return with no more return sites. */
const MAX_TARGETS = 64;
const MAX_RETURNS = 12;

/** Linear addresses below 2^47 as numbers. */
export type Rip = number;

export interface BlockNode {
  readonly rip: Rip;
  readonly block: Block;
  /** First record of the block itself, behind what may stand before it. */
  readonly first: number;
  /** The record that has no translation: the region leaves before it. 0: there is none. */
  cut: number;
  readonly kind: 'goto' | 'conditional' | 'call' | 'computed' | 'computed-call' | 'return' | 'none';
  /** Where a branch goes, and what stands after the block (for calls: where they return to). */
  readonly taken: Rip;
  readonly next: Rip;
  /** Known targets of a computed jump or return. */
  targets: Rip[];
  /** Numbers by the order of the region; for edges that leave it, nothing. */
  successors: BlockNode[];
}

/** How the region finds blocks: by address in the current address space, without asking for pages. */
export interface CodeSource {
  /** Frame of a page that is present and may be executed, or -1. */
  frameOf(vpn: number): number;
  readonly mode: number;
  readonly data: DataView;
  readonly cache: CodeCache;
  readonly interpreter: Interpreter;
  /** Handlers whose rows have no translation. */
  readonly untranslatable: Set<number>;
  /** Targets of the computed jump at the end of the block that have been seen. */
  targetsOf(rip: Rip): readonly Rip[];
  readonly maxBlocks: number;
  /** May it hold x87 instructions? */
  readonly x87: boolean;
  /** Has the block been seen to run often enough to be worth it? */
  isWarm(rip: Rip): boolean;
}

export interface Graph {
  readonly root: BlockNode;
  readonly nodes: readonly BlockNode[];
  /** The pages of the code and their frames. */
  readonly pages: ReadonlyMap<number, number>;
  /** It holds x87 instructions, or would if it were allowed to. */
  readonly hasX87: boolean;
  readonly cutsX87: boolean;
}

/** The blocks of a region that begins at `rip`; undefined when none can begin there. */
export function formGraph(source: CodeSource, rip: Rip): Graph | undefined {
  const graph = new GraphBuilder(source).build(rip);
  // MMX registers are those of the x87.
  return graph?.hasX87 && graph.nodes.some((n) => holds(source, n, isMmx))
    ? new GraphBuilder({ ...source, x87: false }).build(rip)
    : graph;
}

class GraphBuilder {
  private readonly source: CodeSource;
  private readonly pages = new Map<number, number>();
  private readonly nodes = new Map<Rip, BlockNode | undefined>();
  private instructions = 0;
  private cutsX87 = false;

  constructor(source: CodeSource) {
    this.source = source;
  }

  build(rip: Rip): Graph | undefined {
    const root = this.at(rip);
    if (!root) return undefined;
    const queue = [root];
    for (let k = 0; k < queue.length; k++) {
      const n = queue[k]!;
      for (const to of this.ways(n)) {
        if (this.nodes.has(to)) continue;
        const found = this.at(to);
        if (found) queue.push(found);
      }
    }
    for (const n of queue) n.successors = [];
    this.connect(queue);
    const reached = reachable(root);
    const pages = new Map<number, number>();
    for (const n of reached) {
      const vpn = Math.floor(n.rip / PAGE_SIZE);
      pages.set(vpn, n.block.frame);
      if (n.block.frame2 >= 0) pages.set(vpn + 1, n.block.frame2);
    }
    const hasX87 = reached.some((n) => holds(this.source, n, isX87));
    return { root, nodes: reached, pages, hasX87, cutsX87: this.cutsX87 };
  }

  /** Addresses where control may go, with the return sites of calls. */
  private ways(n: BlockNode): readonly Rip[] {
    if (n.cut !== 0) return [];
    switch (n.kind) {
      case 'goto':
        return [n.taken];
      case 'conditional':
      case 'call':
        return [n.taken, n.next];
      case 'computed':
        return n.targets;
      case 'computed-call':
        return [...n.targets, n.next];
      case 'return':
        return n.targets;
      default:
        return [];
    }
  }

  private at(rip: Rip): BlockNode | undefined {
    const known = this.nodes.get(rip);
    if (known) return known;
    const block = this.nodes.size > 0 && !this.source.isWarm(rip) ? undefined : this.find(rip);
    if (!block) return undefined;
    if (this.nodes.size >= this.source.maxBlocks || this.instructions + block.count > MAX_INSTRUCTIONS)
      return undefined;
    this.instructions += block.count;
    const node = this.nodeOf(rip, block);
    this.nodes.set(rip, node);
    return node;
  }

  private find(rip: Rip): Block | undefined {
    const { source } = this;
    const vpn = Math.floor(rip / PAGE_SIZE);
    const frame = this.frame(vpn);
    if (frame < 0) return undefined;
    const block = source.cache.blocks.get(frame, rip % PAGE_SIZE, source.mode);
    if (!block) return undefined;
    if (!source.x87 && source.maxBlocks > 1 && this.mostlyX87(block)) {
      this.cutsX87 = true;
      return undefined;
    }
    return block.frame2 < 0 || this.frame(vpn + 1) === block.frame2 ? block : undefined;
  }

  /** A quarter of its instructions or more: it would leave the region again and again for what arithmetic calls. */
  private mostlyX87(block: Block): boolean {
    const { data, interpreter } = this.source;
    let found = 0;
    for (let r = block.start; r < block.end; r += RECORD_SIZE) {
      const handler = data.getUint16(r + Rec.handler, true);
      if (handler > Pseudo.last && isX87(interpreter.variant(handler))) found++;
    }
    return found * 4 >= block.count;
  }

  private frame(vpn: number): number {
    let frame = this.pages.get(vpn);
    if (frame === undefined) {
      frame = this.source.frameOf(vpn);
      this.pages.set(vpn, frame);
    }
    return frame;
  }

  private nodeOf(rip: Rip, block: Block): BlockNode {
    const { data, interpreter, untranslatable } = this.source;
    const first = firstOfBlock(data, block.start);
    let cut = 0;
    for (let r = first; r < block.end && cut === 0; r += RECORD_SIZE) {
      const handler = data.getUint16(r + Rec.handler, true);
      const plain = handler > Pseudo.last || handler === Pseudo.ea || handler === Pseudo.fallThrough;
      if (!plain || untranslatable.has(handler) || foreign(interpreter.variant(handler))) cut = r;
      else if (!this.source.x87 && handler > Pseudo.last && isX87(interpreter.variant(handler))) {
        this.cutsX87 = true;
        cut = r;
      }
    }
    // The address of the memory operand belongs to the instruction.
    if (cut > first && data.getUint16(cut - RECORD_SIZE + Rec.handler, true) === Pseudo.ea) cut -= RECORD_SIZE;
    const last = block.end - RECORD_SIZE;
    const handler = data.getUint16(last + Rec.handler, true);
    const next = rip + data.getUint16(last + Rec.next, true);
    const base = { rip, block, first, cut, targets: [] as Rip[], successors: [] as BlockNode[] };
    if (handler === Pseudo.fallThrough) return { ...base, kind: 'goto', taken: next, next };
    if (handler <= Pseudo.last) return { ...base, kind: 'none', taken: 0, next };
    const variant = interpreter.variant(handler);
    const taken = rip + data.getInt32(last + Rec.imm + 4, true) * 2 ** 32 + data.getUint32(last + Rec.imm, true);
    const kind = kindOf(variant);
    const beyond = kind !== 'return' && variant.size === 64 && (taken < 0 || taken >= 2 ** 47);
    if (kind === 'none' || variant.size === 16 || beyond)
      return { ...base, cut: cut || last, kind: 'none', taken: 0, next };
    const target = variant.size === 64 ? taken : ((taken % 2 ** 32) + 2 ** 32) % 2 ** 32;
    const node: BlockNode = { ...base, kind, taken: target, next };
    if (kind === 'computed' || kind === 'computed-call')
      node.targets = this.source.targetsOf(rip).slice(0, MAX_TARGETS);
    if (kind === 'return') node.targets = [...this.source.targetsOf(rip)].slice(0, MAX_RETURNS);
    return node;
  }

  private connect(all: readonly BlockNode[]): void {
    this.findReturns(all);
    for (const n of all) {
      const ways =
        n.cut !== 0
          ? []
          : n.kind === 'call' || n.kind === 'goto'
            ? [n.taken]
            : n.kind === 'conditional'
              ? [n.taken, n.next]
              : n.targets;
      for (const rip of new Set(ways)) {
        const to = this.nodes.get(rip);
        if (to) n.successors.push(to);
      }
    }
  }

  /** Gives each return the sites that its function is called from. */
  private findReturns(all: readonly BlockNode[]): void {
    for (const site of all) {
      if (site.cut !== 0 || (site.kind !== 'call' && site.kind !== 'computed-call')) continue;
      if (!this.nodes.get(site.next)) continue;
      const entries = site.kind === 'call' ? [site.taken] : site.targets;
      for (const entry of entries) {
        for (const end of this.returnsOf(entry)) {
          if (!end.targets.includes(site.next) && end.targets.length < MAX_RETURNS) end.targets.push(site.next);
        }
      }
    }
  }

  private readonly returns = new Map<Rip, BlockNode[]>();
  /** The RETs of the function at `entry`. */
  private returnsOf(entry: Rip): readonly BlockNode[] {
    const known = this.returns.get(entry);
    if (known) return known;
    const found: BlockNode[] = [];
    this.returns.set(entry, found);
    const seen = new Set<BlockNode>();
    const stack = [this.nodes.get(entry)];
    for (let n = stack.pop(); stack.length > 0 || n; n = stack.pop()) {
      if (!n || seen.has(n)) continue;
      seen.add(n);
      if (n.cut !== 0) continue;
      if (n.kind === 'return') found.push(n);
      else if (n.kind === 'call' || n.kind === 'computed-call') stack.push(this.nodes.get(n.next));
      else for (const to of this.ways(n)) stack.push(this.nodes.get(to));
    }
    return found;
  }
}

const isX87 = (v: Variant): boolean => /^D[89A-F] /.test(v.row.row.encoding);
const isMmx = (v: Variant): boolean => v.row.row.name === 'emms' || v.forms.some((f) => f.kind === 'mmx');
/** What is left to the interpreter altogether: segments that are not flat, vectors as indices, EVEX. */
const foreign = (v: Variant): boolean => v.checked || v.row.evex || v.row.row.options.vsib !== undefined;

/** Is there such an instruction in a block, before where it is cut? */
function holds(
  { data, interpreter }: CodeSource,
  { first, block, cut }: BlockNode,
  is: (v: Variant) => boolean,
): boolean {
  for (let r = first; r < (cut || block.end); r += RECORD_SIZE) {
    const handler = data.getUint16(r + Rec.handler, true);
    if (handler > Pseudo.last && is(interpreter.variant(handler))) return true;
  }
  return false;
}

function kindOf(v: Variant): BlockNode['kind'] {
  const { name } = v.row.row;
  const relative = v.row.operands[0]?.place === 'J';
  if (name === 'call') return relative ? 'call' : v.row.operands[0]?.place === 'E' ? 'computed-call' : 'none';
  if (name === 'jmp') return relative ? 'goto' : v.row.operands[0]?.place === 'E' ? 'computed' : 'none';
  if (name === 'ret') return 'return';
  return relative ? 'conditional' : 'none';
}

function reachable(root: BlockNode): BlockNode[] {
  const seen = new Set([root]);
  const list = [root];
  for (let k = 0; k < list.length; k++) {
    for (const to of list[k]!.successors) {
      if (seen.has(to)) continue;
      seen.add(to);
      list.push(to);
    }
  }
  return list;
}
