/** x87 instructions on the control and status words, the tags and the top of the stack. */
import { SW_C1, type X87 } from './x87-state.ts';

/** FFREE. */
export function free(fpu: X87, i: number): void {
  fpu.sw &= ~SW_C1;
  fpu.setEmpty(i);
}

/** FINCSTP (+1) and FDECSTP (-1). */
export function moveTop(fpu: X87, by: number): void {
  fpu.sw &= ~SW_C1;
  fpu.top += by;
}

/** FNINIT. */
export function initialise(fpu: X87): void {
  fpu.cw = 0x37f;
  fpu.sw = 0;
  fpu.tags = 0;
  fpu.fop = 0;
  fpu.fip = 0n;
  fpu.fdp = 0n;
}

/** FNCLEX. */
export function clearExceptions(fpu: X87): void {
  fpu.sw &= 0x7f00;
}
