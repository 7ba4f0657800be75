/** The layouts that native/runner.c reads and writes, and the addresses that both sides use. */

export const CODE_BASE = 0x10000000;
export const CODE_SIZE = 0x40000;
export const SLOT_SIZE = 32;
export const SLOTS = CODE_SIZE / SLOT_SIZE;
/** Three writable pages, then a read-only one; nothing is mapped before and behind them. */
export const DATA_BASE = 0x20000000;
export const DATA_SIZE = 0x4000;
export const READ_ONLY_OFFSET = 0x3000;
/** Base of the segment with selector 0x63, which GS holds in compatibility mode. */
export const TLS_BASE = DATA_BASE + 0x1000;

export const FLAG_COMPAT = 1;
export const FLAG_REPEAT = 2;
export const FLAG_WIDE = 4;

const MAGIC = 0x54464944;
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

/** One instruction and the state before it. */
export interface TestCase {
  readonly compat: boolean;
  readonly repeat: boolean;
  /** The components of AVX-512 count. */
  readonly wide: boolean;
  readonly rip: number;
  readonly code: Uint8Array;
  /** rax rcx rdx rbx rsp rbp rsi rdi r8..r15 */
  readonly gpr: BigUint64Array;
  readonly rflags: number;
  readonly fsBase: bigint;
  readonly gsBase: bigint;
  /** Standard XSAVE format: legacy area, header, upper YMM halves, AVX-512. */
  readonly xstate: Uint8Array;
  readonly patches: readonly Patch[];
}

/** The state after it. */
export interface Outcome {
  /** -1: no exception; otherwise the vector. */
  readonly vector: number;
  readonly errorCode: number;
  readonly cr2: bigint;
  readonly rip: bigint;
  readonly rflags: number;
  readonly gpr: BigUint64Array;
  readonly selectors: readonly number[]; // cs ss ds es fs gs
  readonly fsBase: bigint;
  readonly gsBase: bigint;
  readonly xstate: Uint8Array;
  /** Changed 8-byte granules of the data pages: offset -> value. */
  readonly memory: ReadonlyMap<number, bigint>;
}

/** A batch as the runner wants it on stdin. */
export function encodeBatch(background: Uint8Array, cases: readonly TestCase[]): Uint8Array {
  const out = new Uint8Array(8 + DATA_SIZE + cases.length * CASE_BYTES);
  const view = new DataView(out.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, cases.length, true);
  out.set(background, 8);
  cases.forEach((testCase, i) => {
    writeCase(out, view, 8 + DATA_SIZE + i * CASE_BYTES, testCase);
  });
  return out;
}

/** sizeof(struct test_case) */
const CASE_BYTES = 8 + 8 + 16 + 128 + 24 + XSTATE + PATCHES * (8 + PATCH_BYTES);

function writeCase(out: Uint8Array, view: DataView, at: number, testCase: TestCase): void {
  view.setUint32(
    at,
    (testCase.compat ? FLAG_COMPAT : 0) | (testCase.repeat ? FLAG_REPEAT : 0) | (testCase.wide ? FLAG_WIDE : 0),
    true,
  );
  view.setUint32(at + 4, testCase.code.length, true);
  view.setBigUint64(at + 8, BigInt(testCase.rip), true);
  out.set(testCase.code, at + 16);
  for (let i = 0; i < 16; i++) view.setBigUint64(at + 32 + i * 8, testCase.gpr[i]!, true);
  view.setBigUint64(at + 160, BigInt(testCase.rflags), true);
  view.setBigUint64(at + 168, testCase.fsBase, true);
  view.setBigUint64(at + 176, testCase.gsBase, true);
  out.set(testCase.xstate, at + 184);
  if (testCase.patches.length > PATCHES) throw new RangeError('too many patches');
  testCase.patches.forEach((patch, i) => {
    const p = at + 184 + XSTATE + i * (8 + PATCH_BYTES);
    view.setUint32(p, patch.offset, true);
    view.setUint32(p + 4, patch.bytes.length, true);
    out.set(patch.bytes, p + 8);
  });
}

const RESULT_BYTES = 8 + 32 + 16 + 128 + 16 + 16 + XSTATE + 8;
const SIGTRAP = 5;

/** What the runner wrote for a batch. */
export function decodeResults(bytes: Uint8Array, count: number): Outcome[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const outcomes: Outcome[] = [];
  let at = 0;
  for (let n = 0; n < count; n++) {
    const signal = view.getUint32(at, true);
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
    const vector = signal === SIGTRAP && trap === 1 ? -1 : trap;
    outcomes.push({
      vector,
      errorCode: vector === -1 ? 0 : Number(view.getBigUint64(at + 16, true)),
      cr2: vector === 14 ? view.getBigUint64(at + 24, true) : 0n,
      rip: view.getBigUint64(at + 40, true),
      rflags: Number(view.getBigUint64(at + 48, true)),
      gpr,
      selectors,
      fsBase: view.getBigUint64(at + 200, true),
      gsBase: view.getBigUint64(at + 208, true),
      xstate: bytes.slice(at + 216, at + 216 + XSTATE),
      memory,
    });
    at += RESULT_BYTES + granules * 16;
  }
  return outcomes;
}
