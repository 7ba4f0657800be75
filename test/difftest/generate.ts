import { type Encoded, encode, slotAddress, VECTOR_FIXUP, WIDE_FIXUP } from './encode.ts';
import { encodeEvex } from './encode-evex.ts';
import { DATA_SIZE, type Patch, SLOTS, type TestCase } from './protocol.ts';
import { Random } from './random.ts';
import { edgeValue, fillVector, makeState, type Profile, widen } from './state.ts';
import { type Encoding, isOurs } from './templates.ts';

/** A case as it is recorded: what the seed does not give. */
export interface Draft {
  readonly seed: number;
  readonly profile: Profile;
  readonly compat: boolean;
  readonly repeat: boolean;
  /** With all of AVX-512's state; the other cases leave it in its initial configuration. */
  readonly wide: boolean;
  readonly code: Uint8Array;
  readonly slot: number;
  readonly fixups: readonly (readonly [register: number, value: bigint])[];
  /** Offset of the memory operand in the data pages, or -1. */
  readonly operand: number;
  readonly fsBase: bigint;
  readonly gsBase: bigint;
}

export function draftCase(encoding: Encoding, seed: number, slot: number): Draft {
  const random = new Random(seed ^ 0x5bd1e995);
  const compat = encoding.long ? encoding.compat && random.oneIn(2) : true;
  const evex = (strict = false): Encoded => encodeEvex(encoding, random, compat, slotAddress(slot % SLOTS), strict);
  let made = encoding.evex ? evex() : encode(encoding, random, compat, slotAddress(slot % SLOTS));
  if (encoding.evex && !isOurs(made.code, compat)) made = evex(true);
  while (encoding.name.startsWith('Mov_Sreg') && loadsStackSegment(made.code)) {
    made = encode(encoding, random, compat, slotAddress(slot % SLOTS));
  }
  return {
    seed,
    profile: encoding.floating,
    compat,
    repeat: made.repeated,
    wide: encoding.wide,
    code: made.code,
    slot: slot % SLOTS,
    fixups: made.fixups,
    operand: made.operand ?? -1,
    fsBase: made.fsBase,
    gsBase: made.gsBase,
  };
}

/** MOV SS holds off the trap for one instruction. */
function loadsStackSegment(code: Uint8Array): boolean {
  const opcode = code.indexOf(0x8e);
  return opcode >= 0 && ((code[opcode + 1]! >> 3) & 7) === 2;
}

/** Where a 64-bit part of a zmm register is in the XSAVE image. */
function zmmOffset(n: number, part: number): number {
  if (n >= 16) return 1664 + (n - 16) * 64 + part * 8;
  if (part < 2) return 160 + n * 16 + part * 8;
  return part < 4 ? 576 + n * 16 + (part - 2) * 8 : 1152 + n * 32 + (part - 4) * 8;
}

/** The whole case that a draft stands for. */
export function buildCase(draft: Draft): TestCase {
  const state = makeState(draft.seed, draft.profile);
  if (draft.wide) widen(draft.seed, state.xstate);
  const vectors = new DataView(state.xstate.buffer);
  for (const [register, value] of draft.fixups) {
    if (register < VECTOR_FIXUP) {
      state.gpr[register] = value;
      continue;
    }
    if (register >= WIDE_FIXUP) {
      vectors.setBigUint64(zmmOffset((register - WIDE_FIXUP) >> 3, register & 7), value, true);
      continue;
    }
    const n = (register - VECTOR_FIXUP) >> 2;
    const quarter = (register - VECTOR_FIXUP) & 3;
    vectors.setBigUint64((quarter < 2 ? 160 : 576 - 16) + n * 16 + quarter * 8, value, true);
  }
  if (draft.compat) for (let i = 0; i < 16; i++) state.gpr[i] = state.gpr[i]! & 0xffffffffn;
  const patches: Patch[] = [];
  if (draft.operand >= 0) {
    const random = new Random(draft.seed ^ 0x1b873593);
    const bytes = new Uint8Array(64);
    for (let i = 0; i < 64; i += 16) fillVector(random, bytes.subarray(i, i + 16));
    const view = new DataView(bytes.buffer);
    if (random.oneIn(4)) view.setBigUint64(0, edgeValue(random), true);
    if (random.oneIn(8)) {
      const half = random.oneIn(2) ? 4 : 8;
      view.setBigUint64(0, state.gpr[0]!, true); // what CMPXCHG compares with
      view.setBigUint64(half, half === 4 ? state.gpr[2]! & 0xffffffffn : state.gpr[2]!, true);
    }
    if (random.oneIn(4)) bytes.set(state.xstate.subarray(32, 42), 0);
    const end = Math.min(draft.operand + 64, DATA_SIZE);
    if (draft.operand >= 0 && end > draft.operand) {
      patches.push({ offset: draft.operand, bytes: bytes.subarray(0, end - draft.operand) });
    }
  }
  return {
    compat: draft.compat,
    repeat: draft.repeat,
    wide: draft.wide,
    rip: slotAddress(draft.slot),
    code: draft.code,
    gpr: state.gpr,
    rflags: state.rflags,
    fsBase: draft.fsBase,
    gsBase: draft.gsBase,
    xstate: state.xstate,
    patches,
  };
}
