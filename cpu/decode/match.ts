/** Which row of an opcode an instruction is: prefixes, ModRM, and what VEX and EVEX say. */
import type { CompiledRow } from './encoding.ts';
import type { Instruction } from './instruction.ts';

/** The first of `candidates` that fits the prefixes and ModRM of `i`. */
export function match(candidates: readonly CompiledRow[], i: Instruction): CompiledRow | undefined {
  const { modrm } = i;
  for (const r of candidates) {
    if (r.prefix !== undefined && r.prefix !== i.prefix) continue;
    if (r.w !== undefined && r.w !== i.w) continue;
    if (r.row.options.noRexB && i.rex & 1) continue;
    if (r.digit !== undefined && r.digit !== ((modrm >> 3) & 7)) continue;
    if (r.mod !== undefined && (r.mod === 'register') !== modrm >= 0xc0) continue;
    if (r.modrm !== undefined && (modrm < r.modrm[0] || modrm >= r.modrm[0] + r.modrm[1])) continue;
    if (r.vex) {
      if (r.vexL !== undefined && r.vexL !== i.vexL) continue;
      if (!r.usesVvvv && i.vvvv !== 0) continue;
    }
    return r;
  }
  return undefined;
}

/** The same under an EVEX prefix; rounding control sets the vector length of `i`. */
export function matchEvex(candidates: readonly CompiledRow[], i: Instruction): CompiledRow | undefined {
  const { modrm } = i;
  const isRegister = modrm >= 0xc0;
  for (const r of candidates) {
    if (r.prefix !== i.prefix) continue;
    if (r.w !== undefined && r.w !== i.w) continue;
    if (r.digit !== undefined && r.digit !== ((modrm >> 3) & 7)) continue;
    if (r.mod !== undefined && (r.mod === 'register') !== isRegister) continue;
    const { evex, vsib } = r.row.options;
    if (i.b && !(isRegister ? evex?.rounding : evex?.broadcast)) continue;
    if (i.b && isRegister) i.vexL = 2;
    else if (i.rounding === 3) continue;
    if (r.lengths !== 0 && !(r.lengths & (1 << i.vexL))) continue;
    if (!r.usesVvvv && (vsib ? i.vvvv & 15 : i.vvvv) !== 0) continue;
    if (i.opmask !== 0 ? !evex?.mask : evex?.needsMask) continue;
    if (i.zeroing && (i.opmask === 0 || evex?.merging || (!isRegister && 'MWE'.includes(r.operands[0]!.place)))) {
      continue;
    }
    return r;
  }
  return undefined;
}

/** There are eight opmask registers; only for ModRM.rm is the extension bit ignored. */
export function opmasksExist(i: Instruction): boolean {
  for (const o of i.row.operands) {
    if ((o.place === 'K' && i.reg > 7) || (o.place === 'X' && i.vvvv > 7)) return false;
  }
  return true;
}

/** MOV to and from control registers take ModRM as a register whatever mod says. */
export const noMemoryForm = (r: CompiledRow): boolean => r.operands.some((o) => o.place === 'C' || o.place === 'D');
