/** How a region begins and ends: the state comes into its locals, and what it may have changed goes back. */
import { i32 } from '../ir/expr.ts';
import type { AnyFunction } from '../ir/function.ts';
import { auxOfFlags, FlagKind, resultOfFlags } from '../runtime/flags.ts';
import type { RuntimeImports } from '../runtime/module.ts';
import { gprOffset, State } from '../state.ts';
import { Local, local, type RegionCode } from './region-code.ts';

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

/** Everything that the region may have changed goes back to the state. The number of the exit is on the stack. */
export function epilogue(code: RegionCode, need: number, imports: RuntimeImports): void {
  code.set(Local.exit);
  for (let n = 0; n < 16; n++) {
    if (code.written & (1 << n)) code.storeState('i64', gprOffset(n), () => code.get(n));
  }
  code.vectors.store();
  storeFlags(code, imports);
  code.storeState('i32', State.budget, () => {
    code.get(Local.budget);
    code.constant(need);
    code.op(0x6a);
  });
  code.get(Local.exit);
}

function storeFlags(code: RegionCode, imports: RuntimeImports): void {
  const kind = local('i32', Local.flagKind);
  const [a, b] = [local('i64', Local.flagA), local('i64', Local.flagB)];
  code.if(
    i32.eq(kind, FlagKind.Generic),
    () => {
      code.storeState('i64', State.flagResult, () => code.emit(a));
      code.storeState('i32', State.flagAux, () => code.emit(i32.wrap(b)));
    },
    () => {
      const call = (fn: unknown): void => {
        for (const e of [kind, a, b]) code.emit(e);
        code.call(imports.index(fn as AnyFunction));
      };
      code.storeState('i64', State.flagResult, () => call(resultOfFlags));
      code.storeState('i32', State.flagAux, () => call(auxOfFlags));
    },
  );
}
