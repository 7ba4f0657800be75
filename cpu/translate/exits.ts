/** The places where a region is left: each has a number, which the region returns. */
import { Rec } from '../interp/record.ts';
import type { BlockNode, Rip } from './graph.ts';
import type { RegionCode } from './region-code.ts';

/** A place where the region is left. */
export interface RegionExit {
  /** RIP, or -1 when the region has stored it itself. */
  readonly rip: Rip;
  /** Instructions that were counted and have not run. */
  readonly back: number;
  /** `redo`: the interpreter has to do the next instruction. `leave`: control goes elsewhere. `budget`: it may come back. */
  readonly kind: 'redo' | 'leave' | 'budget';
  /** Of a computed jump: the block that it ends. */
  readonly site: Rip;
  /** How often it was taken. */
  count: number;
}

export class RegionExits {
  readonly list: RegionExit[] = [];
  /** What has to be done before an exit, in the copy of a loop that does not check. */
  before: (() => void) | undefined;
  private readonly code: RegionCode;
  private readonly data: DataView;
  private node: BlockNode | undefined;
  private record = 0;
  /** The exit before the instruction under construction, once there is one. */
  private redo = -1;

  constructor(code: RegionCode, data: DataView) {
    this.code = code;
    this.data = data;
  }

  /** The exits from here on stand before the instruction of `record`. */
  at(node: BlockNode, record: number): void {
    this.node = node;
    this.record = record;
    this.redo = -1;
  }

  /** Control goes elsewhere. */
  leave(rip: Rip, kind: 'leave' | 'budget' = 'leave', site: Rip = -1): void {
    this.list.push({ rip, back: 0, kind, site, count: 0 });
    this.leaveBy(this.list.length - 1);
  }

  /** Leaves before the instruction when the condition on the stack holds. */
  exitIf(): void {
    const { code } = this;
    code.w.hint(false);
    code.op(0x04, 0x40);
    code.depth++;
    this.exit();
    code.depth--;
    code.op(0x0b);
  }

  /** Leaves before the instruction. */
  exit(): void {
    this.before?.();
    this.leaveBy(this.redoExit());
  }

  leaveBy(number: number): void {
    this.code.constant(number);
    this.code.op(0x0c);
    this.code.w.uleb(this.code.depth - 1);
  }

  /** The number of the exit before the instruction. */
  redoExit(): number {
    const { node, record, data } = this;
    if (this.redo < 0) {
      this.list.push({
        rip: node!.rip + data.getUint16(record + Rec.offset, true),
        back: data.getUint16(record + Rec.remaining, true),
        kind: 'redo',
        site: -1,
        count: 0,
      });
      this.redo = this.list.length - 1;
    }
    return this.redo;
  }
}
