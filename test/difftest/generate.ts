import { type Encoded, type Environment, encode, VECTOR_FIXUP, WIDE_FIXUP } from './encode.ts';
import { encodeEvex } from './encode-evex.ts';
import {
  baseOf,
  CODE_BYTES,
  CODE_SELECTORS,
  code16Selector,
  DATA_SELECTORS,
  DATA_SIZE,
  EDGES,
  edgeEnd,
  SLOTS,
  STACK_SELECTORS,
  slotAddress,
  TLS_SELECTOR,
  USER_CS,
  USER_DS,
  USER32_CS,
} from './layout.ts';
import type { Mode, Patch, TestCase } from './protocol.ts';
import { Random } from './random.ts';
import { AC, edgeValue, type Profile, type States } from './state.ts';
import { type Encoding, isComparable, lengthOf } from './templates.ts';

/** A case as it is recorded: what the seed does not give. */
export interface Draft {
  readonly seed: number;
  readonly profile: Profile;
  readonly mode: Mode;
  readonly step: boolean;
  readonly repeat: boolean;
  readonly aligned: boolean;
  /** With all of AVX-512's state; the other cases leave it in its initial configuration. */
  readonly wide: boolean;
  readonly code: Uint8Array;
  /** Where each instruction begins. */
  readonly starts: readonly number[];
  /** Linear address. */
  readonly at: number;
  readonly selectors: readonly number[];
  readonly fixups: readonly (readonly [register: number, value: bigint])[];
  /** Offset of the memory operand in the data pages, or -1. */
  readonly operand: number;
  readonly patches: readonly (readonly [offset: number, bytes: Uint8Array])[];
  readonly fsBase: bigint;
  readonly gsBase: bigint;
}

/** What kinds of cases there are: one instruction under TF, the same on its own, a few in a row. */
export type Kind = 'step' | 'single' | 'sequence';

/** Segments for a mode: mostly as Linux starts programs. */
function environmentOf(random: Random, mode: Mode, at: number): Environment {
  const data = (): number => random.pick(DATA_SELECTORS);
  if (mode === 64) {
    const odd = random.oneIn(16);
    const other = (): number => (odd && random.oneIn(2) ? data() : 0);
    const ss = odd ? random.pick(STACK_SELECTORS) : USER_DS;
    return { mode, selectors: [other(), USER_CS, ss, other(), 0, 0] };
  }
  const plain = mode === 32 && !random.oneIn(4);
  const inSlots = at < slotAddress(SLOTS);
  let cs = USER32_CS;
  if (mode === 16) cs = code16Selector(at);
  else if (!plain && inSlots && random.oneIn(2)) {
    cs = random.pick(CODE_SELECTORS);
    if (at - baseOf(cs) > 0x4000) cs = CODE_SELECTORS[0]!;
  }
  if (plain) return { mode, selectors: [USER_DS, cs, USER_DS, USER_DS, 0, TLS_SELECTOR] };
  const maybe = (): number => (random.oneIn(3) ? USER_DS : random.oneIn(16) ? 0 : data());
  const ss = random.oneIn(2) ? USER_DS : random.pick(STACK_SELECTORS);
  const fs = random.oneIn(2) ? 0 : data();
  return { mode, selectors: [maybe(), cs, ss, maybe(), fs, random.oneIn(2) ? TLS_SELECTOR : data()] };
}

/** No instruction takes more from behind it. */
const INT3_AFTER = 16;

const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x66, 0x67, 0xf0, 0xf0, 0xf2, 0xf3];

/**
 * What was changed may have become shorter: what is left over would run too. Or longer: it takes its last bytes from the INT3
 * behind it, also where another instruction is to follow.
 */
function onlyFirst(code: readonly number[], mode: Mode): readonly number[] {
  const length = lengthOf(Uint8Array.from(code), mode);
  if (length === 0) return code;
  return [...code, ...new Array<number>(INT3_AFTER).fill(0xcc)].slice(0, length);
}

/** Prefixes that the encoding does not ask for, in front or right before the opcode; at times too many of them. */
function withOddPrefixes(random: Random, code: readonly number[], mode: Mode, wide: boolean): readonly number[] {
  const extra: number[] = [];
  const count = random.oneIn(6) ? 12 + random.below(4) : 1 + random.below(3);
  for (let i = 0; i < count; i++) {
    extra.push(mode === 64 && random.oneIn(4) ? 0x40 | random.below(16) : random.pick(PREFIXES));
  }
  let place = 0;
  if (random.oneIn(3)) {
    while (PREFIXES.includes(code[place]!) || (mode === 64 && (code[place]! & 0xf0) === 0x40)) place++;
  }
  const made = [...code.slice(0, place), ...extra, ...code.slice(place)];
  const bytes = Uint8Array.from(made);
  if (!isComparable(bytes, mode, wide)) return code;
  return onlyFirst(made, mode);
}

interface Assembled extends Omit<Encoded, 'code' | 'fsBase' | 'gsBase'> {
  readonly code: number[];
  readonly starts: number[];
  fsBase: bigint;
  gsBase: bigint;
}

function make(encoding: Encoding, random: Random, environment: Environment, at: number, inline: boolean): Encoded {
  if (!encoding.evex) return encode(encoding, random, environment, at, inline);
  const made = encodeEvex(encoding, random, environment, at, inline, inline);
  if (inline) return made;
  if (isComparable(Uint8Array.from(made.code), environment.mode, true)) {
    return { ...made, code: onlyFirst(made.code, environment.mode) };
  }
  return encodeEvex(encoding, random, environment, at, inline, true);
}

function assembleOne(
  encoding: Encoding,
  random: Random,
  environment: Environment,
  at: number,
  odd: boolean,
): Assembled {
  const made = make(encoding, random, environment, at, false);
  const code = odd ? withOddPrefixes(random, made.code, environment.mode, encoding.wide) : made.code;
  return { ...made, code: [...code], starts: [0], fsBase: made.fsBase ?? 0n, gsBase: made.gsBase ?? 0n };
}

/** A flag that the SDM leaves undefined is not what the host makes of it: a CMP follows. */
const LEAVES_FLAGS_UNDEFINED = /^(i?mul|r[oc][lr]|s[ah]l|sh[lr]d|aad|bs[fr]|[tl]zcnt|andn|bls(r|i|msk)|bzhi|bextr)$/;

/**
 * Of what these leave in the x87 unit the last bit and C1 are up to the processor (compare.ts): in a sequence nothing after
 * them looks at it.
 */
const TRANSCENDENTAL = /^(f2xm1|fyl2x|fyl2xp1|fpatan|fptan|fsin|fcos|fsincos)$/;
const usesX87 = ({ name, features }: Encoding): boolean =>
  features.some((feature) => /^(FPU|MMX|FXSR|XSAVE)/.test(feature)) || /_mm(m64)?(_|$)/.test(name);

/** Some instructions in a row; all but the first get their addresses by MOVs before them. */
function assembleMany(
  list: readonly Encoding[],
  random: Random,
  environment: Environment,
  at: number,
): Assembled | undefined {
  let all: Assembled | undefined;
  const branches: { readonly end: number; readonly size: number }[] = [];
  const append = (encoding: Encoding, code: readonly number[]): void => {
    all!.code.push(...code);
    if (encoding.branch) branches.push({ end: all!.code.length, size: encoding.immediate as number });
    if (!LEAVES_FLAGS_UNDEFINED.test(encoding.mnemonic)) return;
    all!.starts.push(all!.code.length);
    all!.code.push(0x3c, random.below(256));
  };
  let open = false;
  for (const encoding of list) {
    if (!encoding.modes.includes(environment.mode)) continue;
    if (open && usesX87(encoding)) continue;
    if (TRANSCENDENTAL.test(encoding.mnemonic)) open = true;
    if (all === undefined) {
      all = assembleOne(encoding, random, environment, at, false);
      append(encoding, []);
      continue;
    }
    if (encoding.vsib) continue;
    const made = make(encoding, random, environment, at + all.code.length, true);
    // The bases of FS and GS are the first one's.
    if (made.fsBase !== undefined || made.gsBase !== undefined) continue;
    if (all.code.length + made.code.length + 2 > CODE_BYTES) break;
    all.starts.push(all.code.length);
    append(encoding, made.code);
  }
  // Branches go to the beginning of a later instruction, or to the end.
  for (const { end, size } of branches) {
    const targets = [...all!.starts.filter((start) => start >= end), all!.code.length];
    const distance = random.pick(targets) - end;
    for (let i = 0; i < size; i++) all!.code[end - size + i] = i === 0 ? distance : 0;
  }
  return all;
}

/** @param neighbours for sequences: what may follow */
export function draftCase(
  encoding: Encoding,
  mode: Mode,
  seed: number,
  index: number,
  kind: Kind,
  neighbours: readonly Encoding[],
): Draft {
  const random = new Random(seed ^ 0x5bd1e995);
  const edge = kind !== 'sequence' && mode !== 16 && index % SLOTS < EDGES;
  let at = slotAddress(index % SLOTS);
  if (edge) at = edgeEnd(index % SLOTS) - 1 - random.below(15);
  const environment = environmentOf(random, mode, at);
  let made: Assembled | undefined;
  if (kind === 'sequence') {
    const list = [
      encoding,
      ...Array.from({ length: 1 + random.below(7) }, () => random.pick(neighbours)).filter(
        (next) => encoding.wide || !next.wide,
      ),
    ];
    made = assembleMany(list, random, environment, at);
  }
  made ??= assembleOne(encoding, random, environment, at, random.oneIn(20));
  return {
    seed,
    profile: kind === 'sequence' ? 'vector' : encoding.floating,
    mode,
    step: kind === 'step',
    repeat: kind === 'step' && made.repeated && random.oneIn(2),
    aligned: random.oneIn(12),
    wide: encoding.wide,
    code: Uint8Array.from(made.code),
    starts: made.starts,
    at,
    selectors: environment.selectors,
    fixups: made.fixups,
    operand: made.operand ?? -1,
    patches: made.patches.filter(([offset, bytes]) => offset >= 0 && offset + bytes.length <= DATA_SIZE).slice(0, 2),
    fsBase: made.fsBase,
    gsBase: made.gsBase,
  };
}

/** Where a 64-bit part of a zmm register is in the XSAVE image. */
function zmmOffset(n: number, part: number): number {
  if (n >= 16) return 1664 + (n - 16) * 64 + part * 8;
  if (part < 2) return 160 + n * 16 + part * 8;
  return part < 4 ? 576 + n * 16 + (part - 2) * 8 : 1152 + n * 32 + (part - 4) * 8;
}

/** The whole case that a draft stands for. */
export function buildCase(draft: Draft, states: States): TestCase {
  const state = states.make(draft.seed, draft.profile, draft.wide);
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
  const long = draft.mode === 64;
  if (!long) for (let i = 0; i < 16; i++) state.gpr[i] = state.gpr[i]! & 0xffffffffn;
  const patches: Patch[] = [];
  if (draft.operand >= 0 && draft.operand < DATA_SIZE) {
    const random = new Random(draft.seed ^ 0x1b873593);
    const bytes = new Uint8Array(64);
    states.fill(random, bytes);
    const view = new DataView(bytes.buffer);
    if (random.oneIn(4)) view.setBigUint64(0, edgeValue(random), true);
    if (random.oneIn(8)) {
      const half = random.oneIn(2) ? 4 : 8;
      view.setBigUint64(0, state.gpr[0]!, true); // what CMPXCHG compares with
      view.setBigUint64(half, half === 4 ? state.gpr[2]! & 0xffffffffn : state.gpr[2]!, true);
    }
    if (random.oneIn(4)) bytes.set(state.xstate.subarray(32, 42), 0);
    patches.push({ offset: draft.operand, bytes: bytes.subarray(0, Math.min(64, DATA_SIZE - draft.operand)) });
  }
  for (const [offset, bytes] of draft.patches) patches.push({ offset, bytes });
  return {
    mode: draft.mode,
    step: draft.step,
    repeat: draft.repeat,
    wide: draft.wide,
    at: draft.at,
    rip: long ? draft.at : draft.at - baseOf(draft.selectors[1]!),
    code: draft.code,
    gpr: state.gpr,
    rflags: state.rflags | (draft.aligned ? AC : 0),
    selectors: draft.selectors,
    fsBase: draft.fsBase,
    gsBase: draft.gsBase,
    xstate: state.xstate,
    patches,
  };
}
