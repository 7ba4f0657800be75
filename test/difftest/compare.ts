import { Ended, HIGH_16, OPMASKS, type Outcome, ZMM_HIGH } from './protocol.ts';

const GPR = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'];
const SELECTORS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];

export interface Difference {
  readonly where: string;
  readonly expected: string;
  readonly got: string;
}

export interface CompareOptions {
  /** Flags that the instruction leaves undefined. */
  readonly undefinedFlags: number;
  /** Only the page of a fault's address is exact. */
  readonly imprecise: boolean;
  /** Which of #AC, #GP and #PF an area of XSAVE or FXSAVE that is not aligned gets is up to the implementation (SDM vol. 2). */
  readonly alignment: boolean;
  /** F2XM1 to FYL2XP1: the SDM promises an error below 1 ulp, not which neighbour (vol. 1, 8.3.10), so C1 is open too. */
  readonly transcendental: boolean;
}

/** Do two 80-bit numbers differ by at most one unit in the last place? */
function neighbours(a: Buffer, b: Buffer): boolean {
  const order = (bytes: Buffer): bigint => {
    const exponent = BigInt(bytes.readUInt16LE(8));
    return ((exponent & 0x7fffn) << 63n) | (bytes.readBigUInt64LE(0) & 0x7fffffffffffffffn);
  };
  const distance = order(a) - order(b);
  return ((a[9]! ^ b[9]!) & 0x80) === 0 && distance >= -1n && distance <= 1n;
}

/** Where two outcomes differ. */
export function compareOutcomes(expected: Outcome, got: Outcome, options: CompareOptions): Difference[] {
  const differences: Difference[] = [];
  const check = (where: string, e: number | bigint, g: number | bigint): void => {
    if (e !== g) differences.push({ where, expected: hex(e), got: hex(g) });
  };
  const faults = [12, 13, 14, 17];
  if (options.alignment && faults.includes(expected.vector) && faults.includes(got.vector)) return [];
  check('vector', expected.vector, got.vector);
  if (expected.vector === got.vector && expected.vector !== Ended.Step) {
    check('error code', expected.errorCode, got.errorCode);
    // Of a masked store, processors report the page that faults, not always the first byte that would be stored.
    const page = expected.vector === 14 && options.imprecise ? ~0xfffn : -1n;
    check('cr2', expected.cr2 & page, got.cr2 & page);
  }
  check('rip', expected.rip, got.rip);
  check('rflags', expected.rflags & ~options.undefinedFlags, got.rflags & ~options.undefinedFlags);
  for (let i = 0; i < 16; i++) check(GPR[i] ?? `r${i}`, expected.gpr[i]!, got.gpr[i]!);
  // The kernel's IRET into the oracle's handler turns the null selectors 1, 2 and 3 into 0.
  const seen = (selector: number): number => (selector < 4 ? 0 : selector);
  for (let i = 0; i < 6; i++) check(SELECTORS[i]!, seen(expected.selectors[i]!), seen(got.selectors[i]!));
  check('fs base', expected.fsBase, got.fsBase);
  check('gs base', expected.gsBase, got.gsBase);
  const bytes = (where: string, from: number, to: number): void => {
    const e = Buffer.from(expected.xstate.subarray(from, to));
    const g = Buffer.from(got.xstate.subarray(from, to));
    if (!e.equals(g)) differences.push({ where, expected: bigEndian(e), got: bigEndian(g) });
  };
  bytes('fcw', 0, 2);
  const c1 = options.transcendental ? ~0x200 : -1;
  check('fsw', statusWord(expected) & c1, statusWord(got) & c1);
  bytes('ftw', 4, 5);
  bytes('mxcsr', 24, 28);
  for (let i = 0; i < 8; i++) {
    const register = (o: Outcome): Buffer => Buffer.from(o.xstate.subarray(32 + i * 16, 42 + i * 16));
    if (options.transcendental && neighbours(register(expected), register(got))) continue;
    bytes(`st${i}`, 32 + i * 16, 42 + i * 16);
  }
  for (let i = 0; i < 16; i++) {
    bytes(`xmm${i}`, 160 + i * 16, 176 + i * 16);
    bytes(`ymm${i}h`, 576 + i * 16, 592 + i * 16);
  }
  for (let i = 0; i < 8; i++) bytes(`k${i}`, OPMASKS + i * 8, OPMASKS + i * 8 + 8);
  for (let i = 0; i < 16; i++) {
    bytes(`zmm${i}h`, ZMM_HIGH + i * 32, ZMM_HIGH + i * 32 + 32);
    bytes(`zmm${i + 16}`, HIGH_16 + i * 64, HIGH_16 + i * 64 + 64);
  }
  const offsets = new Set([...expected.memory.keys(), ...got.memory.keys()]);
  for (const offset of [...offsets].sort((a, b) => a - b)) {
    const e = expected.memory.get(offset);
    const g = got.memory.get(offset);
    const show = (value: bigint | undefined): string => (value === undefined ? 'unchanged' : hex(value));
    if (e !== g) differences.push({ where: `data+${hex(offset)}`, expected: show(e), got: show(g) });
  }
  return differences;
}

const statusWord = (o: Outcome): number => o.xstate[2]! | (o.xstate[3]! << 8);

function bigEndian(bytes: Buffer): string {
  return Buffer.from(bytes).reverse().toString('hex');
}

function hex(value: number | bigint): string {
  return value < 0 ? String(value) : `0x${value.toString(16)}`;
}
