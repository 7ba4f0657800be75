/** The debug registers of a context, as ptrace sets them; Intel SDM vol. 3, 17.2. */

/** Bits of DR6. */
export const Dr6 = { B0: 1, B1: 2, B2: 4, B3: 8, BS: 0x4000 } as const;

/** Four addresses (linear), the status and the control register. Fork does not copy them (flush_ptrace_hw_breakpoint). */
export class DebugRegisters {
  dr0 = 0n;
  dr1 = 0n;
  dr2 = 0n;
  dr3 = 0n;
  /** What the processor has reported; it never clears a bit. */
  dr6 = 0;
  /** L0 G0 .. L3 G3 in bits 0-7; R/W and LEN of each from bit 16. */
  dr7 = 0;
}

export interface HardwareBreakpoint {
  /** Its bit in DR6. */
  readonly bit: number;
  readonly kind: 'execute' | 'write' | 'access';
  readonly address: number;
  readonly length: number;
}

const LENGTHS = [1, 2, 8, 4] as const;

/** The breakpoints that are switched on. I/O breakpoints (R/W = 10) never hit: user mode has no ports. */
export function activeBreakpoints(d: DebugRegisters): HardwareBreakpoint[] {
  const found: HardwareBreakpoint[] = [];
  [d.dr0, d.dr1, d.dr2, d.dr3].forEach((linear, n) => {
    if (((d.dr7 >>> (2 * n)) & 3) === 0) return;
    const field = (d.dr7 >>> (16 + 4 * n)) & 15;
    const length = LENGTHS[field >> 2]!;
    const bit = 1 << n;
    const address = Number(BigInt.asUintN(64, linear));
    switch (field & 3) {
      case 0:
        found.push({ bit, kind: 'execute', address, length: 1 });
        break;
      case 1:
      case 3:
        found.push({ bit, kind: field & 2 ? 'access' : 'write', address: address - (address % length), length });
        break;
      default:
    }
  });
  return found;
}
