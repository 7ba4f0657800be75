/** Which vector registers a region uses as scalars for the most part: see vector-registers.ts. */
import type { Interpreter } from '../interp/interpreter.ts';
import { Pseudo } from '../interp/pseudo.ts';
import { RECORD_SIZE, Rec } from '../interp/record.ts';
import { State } from '../state.ts';
import type { BlockNode } from './graph.ts';
import type { Scalar } from './vector-registers.ts';

/** Copies and clears of whole registers, which go either way. */
const NEUTRAL = /^v?(mova?p[sd]|movup[sd]|movdq[au]|p?xor(p[sd])?)$/;
const MOVES: Readonly<Record<string, number>> = { movsd: 64, vmovsd: 64, movss: 32, vmovss: 32 };

interface Uses {
  f64: number;
  f32: number;
  whole: number;
}

export function scalarsOf(nodes: readonly BlockNode[], data: DataView, interpreter: Interpreter): Scalar[] {
  const uses: Uses[] = Array.from({ length: 32 }, () => ({ f64: 0, f32: 0, whole: 0 }));
  for (const { first, block } of nodes) {
    for (let r = first; r < block.end; r += RECORD_SIZE) {
      const handler = data.getUint16(r + Rec.handler, true);
      if (handler <= Pseudo.last) continue;
      const { forms, row } = interpreter.variant(handler);
      const { name } = row.row;
      const neutral = NEUTRAL.test(name) && forms.every((f) => f.kind === 'vector');
      forms.forEach(({ kind, bits }, i) => {
        const use = uses[(data.getUint16(r + Rec.operand + 2 * i, true) - State.vector) >> 6];
        if (kind !== 'vector' || !use || neutral) return;
        const width = MOVES[name] ?? bits;
        use[width === 64 ? 'f64' : width === 32 ? 'f32' : 'whole']++;
      });
    }
  }
  return uses.map(({ f64, f32, whole }) => {
    if (f64 > whole && f64 >= f32) return 'f64';
    return f32 > whole ? 'f32' : undefined;
  });
}
