/** How a region begins and ends: the state comes into its locals, and what it may have changed goes back. */
import { gprOffset, State } from '../state.ts';
import { auxInLocals, resultInLocals } from './flags-in-locals.ts';
import { Local, type RegionCode } from './region-code.ts';

/** @param need the budget is kept less that much, so that it is below zero when no more blocks should be begun */
export function prologue(code: RegionCode, need: number): void {
  for (let n = 0; n < 16; n++) {
    if (!(code.used & (1 << n))) continue;
    code.loadState('i64', gprOffset(n));
    code.set(n);
  }
  code.vectors.load();
  code.loadWindows();
  code.loadState('i64', State.flagResult);
  code.set(Local.flagA);
  code.loadState('i32', State.flagAux);
  code.op(0xad);
  code.set(Local.flagB);
  code.loadState('i32', State.budget);
  code.constant(need);
  code.op(0x6b);
  code.set(Local.budget);
}

/**
 * Everything that the region may have changed goes back to the state. The number of the exit is on the stack.
 * @param others what else there is to store
 */
export function epilogue(code: RegionCode, need: number, others: () => void): void {
  code.set(Local.exit);
  for (let n = 0; n < 16; n++) {
    if (code.written & (1 << n)) code.storeState('i64', gprOffset(n), () => code.get(n));
  }
  code.vectors.store();
  others();
  storeFlags(code);
  code.storeState('i32', State.budget, () => {
    code.get(Local.budget);
    code.constant(need);
    code.op(0x6a);
  });
  code.get(Local.exit);
}

function storeFlags(code: RegionCode): void {
  code.storeState('i64', State.flagResult, () => code.emit(resultInLocals()));
  code.storeState('i32', State.flagAux, () => code.emit(auxInLocals()));
}
