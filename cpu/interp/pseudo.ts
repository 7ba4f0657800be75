/** Records that are not instructions: how blocks end, effective addresses with a segment, faults known at decoding. */
import { op, type Row } from '../isa/row.ts';
import type { RecordOps } from './lowering.ts';
import { Outcome, RECORD_SIZE, Rec } from './record.ts';

const pseudo = (name: string, build: (c: RecordOps) => void): Row => op(name, '00', '', (c) => build(c as RecordOps));

/** Their handler numbers are their places in this list. */
export const Pseudo = {
  /** A dropped block begins with it: back to the run loop, which looks the block up again. */
  leave: 0,
  /** Marks where a partial run has to end. */
  stop: 1,
  breakpoint: 2,
  /** The block was cut: goes on with the next instruction. */
  fallThrough: 3,
  /** Leaves the linear address of the next record's memory operand in `ea`. */
  ea: 4,
  /** Raises the exception whose vector is the immediate. */
  raise: 5,
  /** A region of the translator begins with this block: the records of the block follow. */
  region: 6,
  /** The block has moved: it is looked up again. */
  moved: 7,
  /** The highest of these numbers. */
  last: 7,
} as const;

/** A region begins with the block at `start`. */
export const entersRegion = (data: DataView, start: number): boolean =>
  data.getUint16(start + Rec.handler, true) === Pseudo.region;

/** The first record of the block itself. */
export const firstOfBlock = (data: DataView, start: number): number =>
  entersRegion(data, start) ? start + RECORD_SIZE : start;

export const pseudoRows: readonly Row[] = [
  pseudo('leave', (c) => c.stop(Outcome.Leave)),
  pseudo('stop', (c) => c.stop(Outcome.Stop)),
  pseudo('breakpoint', (c) => c.stop(Outcome.Breakpoint)),
  pseudo('fall-through', (c) => c.fallThrough()),
  pseudo('ea', (c) => c.setEffectiveAddress()),
  pseudo('raise', (c) => c.raiseImmediate()),
  pseudo('region', (c) => c.enterRegion()),
  pseudo('moved', (c) => c.again()),
];
