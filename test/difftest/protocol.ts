/** The layouts that native/runner.c reads and writes. */
import { CODE_BYTES, DATA_SIZE, LDT, userDescriptorWords } from './layout.ts';

/** Left by the trap of one instruction (TF); without it the code runs on until an INT3 or a fault. */
const FLAG_STEP = 1;
/** Trapped while a repeated instruction goes on: step until RIP leaves it. */
const FLAG_REPEAT = 2;
/** FS and GS get the bases of the case (their selectors are null). */
const FLAG_BASES = 4;
/** The components of AVX-512 are loaded too. */
const FLAG_WIDE = 8;

const MAGIC = 0x54464946;
/** Bytes of the XSAVE image, standard format; and where the components of AVX-512 begin. */
export const XSTATE = 2688;
export const OPMASKS = 1088;
export const ZMM_HIGH = 1152;
export const HIGH_16 = 1664;
const PATCHES = 3;
const PATCH_BYTES = 64;

export interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export type Mode = 64 | 32 | 16;

/** One instruction or a few, and the state before them. */
export interface TestCase {
  readonly mode: Mode;
  readonly step: boolean;
  readonly repeat: boolean;
  /** The components of AVX-512 count. */
  readonly wide: boolean;
  /** Linear address of the code; RIP is an offset in CS. */
  readonly at: number;
  readonly rip: number;
  readonly code: Uint8Array;
  /** rax rcx rdx rbx rsp rbp rsi rdi r8..r15 */
  readonly gpr: BigUint64Array;
  readonly rflags: number;
  /** es cs ss ds fs gs */
  readonly selectors: readonly number[];
  readonly fsBase: bigint;
  readonly gsBase: bigint;
  /** Standard XSAVE format: legacy area, header, upper YMM halves, AVX-512. */
  readonly xstate: Uint8Array;
  readonly patches: readonly Patch[];
}

/** What `vector` says besides exceptions. */
export const Ended = {
  /** The trap after the instruction, or the debug exception of TF. */
  Step: -1,
  /** A system call. */
  Call: 0x100,
  /** Something else; never natively. */
  Other: -2,
} as const;

/** The state after them. */
export interface Outcome {
  /** The exception's, or one of Ended. */
  readonly vector: number;
  readonly errorCode: number;
  readonly cr2: bigint;
  readonly rip: bigint;
  readonly rflags: number;
  readonly gpr: BigUint64Array;
  readonly selectors: readonly number[]; // es cs ss ds fs gs
  readonly fsBase: bigint;
  readonly gsBase: bigint;
  readonly xstate: Uint8Array;
  /** Changed 8-byte granules of the data pages: offset -> value. */
  readonly memory: ReadonlyMap<number, bigint>;
}

const HEADER_BYTES = 16 + DATA_SIZE + 16 * 64;
/** sizeof(struct test_case) */
const CASE_BYTES = 8 + 16 + CODE_BYTES + 128 + 24 + 16 + XSTATE + PATCHES * (8 + PATCH_BYTES);

/** A batch as the runner wants it on stdin. */
export function encodeBatch(background: Uint8Array, cases: readonly TestCase[]): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + cases.length * CASE_BYTES);
  const view = new DataView(out.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, cases.length, true);
  view.setUint32(8, LDT.length, true);
  out.set(background, 16);
  LDT.forEach((d, n) => {
    userDescriptorWords(d, n).forEach((word, k) => {
      view.setUint32(16 + DATA_SIZE + 16 * n + 4 * k, word, true);
    });
  });
  cases.forEach((testCase, i) => {
    writeCase(out, view, HEADER_BYTES + i * CASE_BYTES, testCase);
  });
  return out;
}

function writeCase(out: Uint8Array, view: DataView, start: number, c: TestCase): void {
  const how = (c.step ? FLAG_STEP : 0) | (c.repeat ? FLAG_REPEAT : 0);
  const flags = how | (c.mode === 64 ? FLAG_BASES : 0) | (c.wide ? FLAG_WIDE : 0);
  view.setUint32(start, flags, true);
  view.setUint32(start + 4, c.code.length, true);
  view.setBigUint64(start + 8, BigInt(c.at), true);
  view.setBigUint64(start + 16, BigInt(c.rip), true);
  out.set(c.code, start + 24);
  let at = start + 24 + CODE_BYTES;
  for (let i = 0; i < 16; i++) view.setBigUint64(at + i * 8, c.gpr[i]!, true);
  view.setBigUint64(at + 128, BigInt(c.rflags), true);
  view.setBigUint64(at + 136, c.fsBase, true);
  view.setBigUint64(at + 144, c.gsBase, true);
  c.selectors.forEach((selector, i) => {
    view.setUint16(at + 152 + i * 2, selector, true);
  });
  at += 168;
  out.set(c.xstate, at);
  at += XSTATE;
  if (c.patches.length > PATCHES) throw new RangeError('too many patches');
  c.patches.forEach((patch, i) => {
    const p = at + i * (8 + PATCH_BYTES);
    view.setUint32(p, patch.offset, true);
    view.setUint32(p + 4, patch.bytes.length, true);
    out.set(patch.bytes, p + 8);
  });
}

const RESULT_BYTES = 8 + 32 + 16 + 128 + 16 + 16 + XSTATE + 8;
const SIGTRAP = 5;
const SIGALRM = 14;
const SIGSYS = 31;
const TRAP_BRKPT = 1;
const DEBUG = 1;

/** What the runner wrote for a batch; undefined for a case that went on for a second. */
export function decodeResults(bytes: Uint8Array, count: number): (Outcome | undefined)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const outcomes: (Outcome | undefined)[] = [];
  let at = 0;
  for (let n = 0; n < count; n++) {
    const signal = view.getUint32(at, true);
    const code = view.getInt32(at + 4, true);
    const trap = Number(view.getBigUint64(at + 8, true));
    const gpr = new BigUint64Array(16);
    for (let i = 0; i < 16; i++) gpr[i] = view.getBigUint64(at + 56 + i * 8, true);
    const selectors = [0, 1, 2, 3, 4, 5].map((i) => view.getUint16(at + 184 + i * 2, true));
    const granules = view.getUint32(at + 216 + XSTATE, true);
    const memory = new Map<number, bigint>();
    for (let i = 0; i < granules; i++) {
      const g = at + RESULT_BYTES + i * 16;
      memory.set(Number(view.getBigUint64(g, true)), view.getBigUint64(g + 8, true));
    }
    let vector = trap;
    if (signal === SIGSYS) vector = Ended.Call;
    else if (signal === SIGTRAP && trap === DEBUG && code !== TRAP_BRKPT) vector = Ended.Step;
    if (signal === SIGALRM) {
      outcomes.push(undefined);
      at += RESULT_BYTES + granules * 16;
      continue;
    }
    const fault = vector >= 0 && vector < Ended.Call;
    outcomes.push({
      vector,
      errorCode: fault ? Number(view.getBigUint64(at + 16, true)) : 0,
      cr2: vector === 14 ? view.getBigUint64(at + 24, true) : 0n,
      rip: view.getBigUint64(at + 40, true),
      rflags: Number(view.getBigUint64(at + 48, true)),
      gpr,
      selectors,
      fsBase: view.getBigUint64(at + 200, true),
      gsBase: view.getBigUint64(at + 208, true),
      xstate: bytes.subarray(at + 216, at + 216 + XSTATE),
      memory,
    });
    at += RESULT_BYTES + granules * 16;
  }
  return outcomes;
}
