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

export const batchBytes = (count: number): number => HEADER_BYTES + count * CASE_BYTES;

/** A batch as the runner wants it on stdin; `out` may hold an older one. */
export function encodeBatch(out: Uint8Array, background: Uint8Array, cases: readonly TestCase[]): void {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
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
  for (let i = 0; i < PATCHES; i++) {
    const p = at + i * (8 + PATCH_BYTES);
    const patch = c.patches[i];
    view.setUint32(p, patch?.offset ?? 0, true);
    view.setUint32(p + 4, patch?.bytes.length ?? 0, true);
    if (patch) out.set(patch.bytes, p + 8);
  }
}

/** Offsets in struct result. */
export const Result = {
  signal: 0,
  code: 4,
  trap: 8,
  error: 16,
  cr2: 24,
  rip: 40,
  rflags: 48,
  gpr: 56,
  selectors: 184,
  fsBase: 200,
  gsBase: 208,
  xstate: 216,
  granules: 216 + XSTATE,
} as const;
const RESULT_BYTES = 216 + XSTATE + 8;
/** What stands before the first result: the number of the processor. */
export const RESULTS_HEADER = 8;
const SIGTRAP = 5;
const SIGALRM = 14;
const SIGSYS = 31;
const TRAP_BRKPT = 1;
const DEBUG = 1;

/** An outcome as the runner wrote it, at `at` of the bytes; `at` is a multiple of 8. */
export interface RawResult {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly at: number;
}

/** What the runner wrote for a batch; undefined for a case that went on for a second. */
export function splitResults(bytes: Uint8Array, count: number): (RawResult | undefined)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const results: (RawResult | undefined)[] = [];
  let at = RESULTS_HEADER;
  for (let n = 0; n < count; n++) {
    results.push(words[at >> 2] === SIGALRM ? undefined : { view, bytes, words, at });
    at += RESULT_BYTES + words[(at + Result.granules) >> 2]! * 16;
  }
  return results;
}

/** The exception's number, or one of Ended. */
export function vectorOf({ words, at }: RawResult): number {
  const signal = words[at >> 2]!;
  const trap = words[(at + Result.trap) >> 2]!;
  if (signal === SIGSYS) return Ended.Call;
  if (signal === SIGTRAP && trap === DEBUG && words[(at + Result.code) >> 2] !== TRAP_BRKPT) return Ended.Step;
  return trap;
}

/** RIP as a number: exact below 2^53. */
export const ripOf = ({ words, at }: RawResult): number =>
  (words[(at + Result.rip) >> 2]! >>> 0) + (words[((at + Result.rip) >> 2) + 1]! >>> 0) * 2 ** 32;

/** The error code of a fault; 0 where there is none. */
export function errorCodeOf(raw: RawResult): number {
  const vector = vectorOf(raw);
  return vector >= 0 && vector < Ended.Call ? raw.words[(raw.at + Result.error) >> 2]! : 0;
}

/** Calls with each changed 8-byte granule of the data pages and where its value is in `words`. */
export function eachGranule(raw: RawResult, f: (offset: number, word: number) => void): void {
  const { words, at } = raw;
  const count = words[(at + Result.granules) >> 2]!;
  for (let i = 0; i < count; i++) {
    const word = (at + RESULT_BYTES) / 4 + i * 4;
    f(words[word]!, word + 2);
  }
}

export function decodeResult(raw: RawResult): Outcome {
  const { view, bytes, at } = raw;
  const vector = vectorOf(raw);
  const gpr = new BigUint64Array(16);
  for (let i = 0; i < 16; i++) gpr[i] = view.getBigUint64(at + Result.gpr + i * 8, true);
  const memory = new Map<number, bigint>();
  eachGranule(raw, (offset, word) => memory.set(offset, view.getBigUint64(word * 4, true)));
  return {
    vector,
    errorCode: errorCodeOf(raw),
    cr2: vector === 14 ? view.getBigUint64(at + Result.cr2, true) : 0n,
    rip: view.getBigUint64(at + Result.rip, true),
    rflags: Number(view.getBigUint64(at + Result.rflags, true)),
    gpr,
    selectors: [0, 1, 2, 3, 4, 5].map((i) => view.getUint16(at + Result.selectors + i * 2, true)),
    fsBase: view.getBigUint64(at + Result.fsBase, true),
    gsBase: view.getBigUint64(at + Result.gsBase, true),
    xstate: bytes.slice(at + Result.xstate, at + Result.xstate + XSTATE),
    memory,
  };
}

/** The other way round, for outcomes that were recorded. */
export function encodeResult(outcome: Outcome): RawResult {
  const bytes = new Uint8Array(RESULT_BYTES + outcome.memory.size * 16);
  const view = new DataView(bytes.buffer);
  const { vector } = outcome;
  view.setUint32(Result.signal, vector === Ended.Call ? SIGSYS : vector === Ended.Step ? SIGTRAP : 0, true);
  view.setUint32(Result.trap, vector === Ended.Step ? DEBUG : vector, true);
  view.setUint32(Result.error, outcome.errorCode, true);
  view.setBigUint64(Result.cr2, outcome.cr2, true);
  view.setBigUint64(Result.rip, outcome.rip, true);
  view.setUint32(Result.rflags, outcome.rflags, true);
  outcome.gpr.forEach((value, i) => {
    view.setBigUint64(Result.gpr + 8 * i, value, true);
  });
  outcome.selectors.forEach((selector, i) => {
    view.setUint16(Result.selectors + 2 * i, selector, true);
  });
  view.setBigUint64(Result.fsBase, outcome.fsBase, true);
  view.setBigUint64(Result.gsBase, outcome.gsBase, true);
  bytes.set(outcome.xstate, Result.xstate);
  view.setUint32(Result.granules, outcome.memory.size, true);
  let at = RESULT_BYTES;
  for (const [offset, value] of outcome.memory) {
    view.setUint32(at, offset, true);
    view.setBigUint64(at + 8, value, true);
    at += 16;
  }
  return { view, bytes, words: new Int32Array(bytes.buffer), at: 0 };
}
