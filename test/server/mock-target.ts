/** A target without a machine: a dozen instructions that cross from 64- to 32-bit code and back, and scripted answers. */

import { getUserReg, STATE_SIZE, setUserReg } from '../../server/registers/state.ts';
import type {
  Bits,
  FileStat,
  LibraryList,
  MemoryRegion,
  Point,
  ResumeAction,
  ResumePlan,
  SliceResult,
  StopReport,
  Target,
  TargetFiles,
  ThreadRef,
} from '../../server/target.ts';

const CODE_64 = '90 6a23 6800204000 48cb';
const CODE_32 = 'b82a000000 e816000000 90 ea50104000 3300';
const INNER_32 = '55 89e5 40 5d c3';
const BACK_64 = '4889c3 ebfe';
export const START = 0x401000n;
export const FAR_RETURN = 0x401008n;
export const IN_32 = 0x402000n;
export const INNER = 0x402020n;
export const BACK = 0x401050n;
const STACK = 0x7f_ffff_e000n;

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');

export class MockTarget implements Target {
  readonly memory = new Map<bigint, number>();
  readonly state = new Uint8Array(STATE_SIZE);
  readonly avx512 = false;
  readonly points: Point[] = [];
  readonly thread: ThreadRef = { pid: 300, tid: 300 };
  plan: ResumePlan | undefined;
  alive = true;
  /** Spins instead of reporting. */
  endless = false;
  csSwitch: 'stop' | 'exec' | 'silent' = 'stop';
  failNextSlice = false;
  passed: number[] = [];
  events = { fork: false, vfork: false, exec: false };
  #interrupted = false;
  #status: { code: number } | { signal: number } | undefined;

  constructor() {
    this.#put(START, bytes(CODE_64));
    this.#put(IN_32, bytes(CODE_32));
    this.#put(INNER, bytes(INNER_32));
    this.#put(BACK, bytes(BACK_64));
    for (let i = 0n; i < 0x1000n; i++) this.memory.set(STACK - 0x1000n + i, 0);
    for (let i = 0n; i < 0x1000n; i++) this.memory.set(0xffff_d000n + i, 0);
    setUserReg(this.state, 'rip', START);
    setUserReg(this.state, 'rsp', 0xffff_df00n);
    setUserReg(this.state, 'r15', 0x1122_3344_5566_7788n);
    setUserReg(this.state, 'rbx', 0xaaaa_bbbb_cccc_ddddn);
    setUserReg(this.state, 'orig_rax', -1n);
    setUserReg(this.state, 'eflags', 0x202n);
    setUserReg(this.state, 'cs', 0x33n);
    setUserReg(this.state, 'ss', 0x2bn);
  }

  #put(address: bigint, data: Uint8Array): void {
    data.forEach((byte, i) => {
      this.memory.set(address + BigInt(i), byte);
    });
  }

  get pc(): bigint {
    return getUserReg(this.state, 'rip');
  }

  readonly opened: number[] = [];
  readonly content = Buffer.from('zero}#$*one\n'.repeat(20));
  readonly files: TargetFiles = {
    open: (_pid, path) => (path === '/hello' ? this.opened.push(3) && 3 : -2),
    close: (fd) => (fd === 3 ? 0 : -9),
    pread: (fd, count, offset) => (fd === 3 ? this.content.subarray(offset, offset + count) : -9),
    pwrite: (fd, data) => (fd === 3 ? data.length : -9),
    fstat: (fd) => (fd === 3 ? STAT : -9),
    readlink: (_pid, path) => (path === '/link' ? '/hello' : -22),
    unlink: () => -30,
    closeAll: () => void this.opened.splice(0),
  };

  processes = (): number[] => (this.alive ? [300] : []);
  threads = (): ThreadRef[] => (this.alive ? [this.thread] : []);
  currentThread = (): ThreadRef | undefined => (this.alive ? this.thread : undefined);
  threadName = (): string => 'mock<1>';
  threadInfo = (): string => `stopped in ${this.codeBits()}-bit code`;
  codeBits = (): Bits => (getUserReg(this.state, 'cs') === 0x33n ? 64 : 32);
  programBits = (): Bits => 32;
  readState = (): Uint8Array => Uint8Array.from(this.state);
  writeState(_thread: ThreadRef, state: Uint8Array): boolean {
    this.state.set(state);
    return true;
  }

  readMemory(_pid: number, address: bigint, length: number): Uint8Array {
    const out: number[] = [];
    for (let i = 0n; i < BigInt(length); i++) {
      const byte = this.memory.get(address + i);
      if (byte === undefined) break;
      out.push(byte);
    }
    return Uint8Array.from(out);
  }

  writeMemory(_pid: number, address: bigint, data: Uint8Array): boolean {
    if (this.readMemory(0, address, data.length).length < data.length) return false;
    this.#put(address, data);
    return true;
  }

  region = (_pid: number, address: bigint): MemoryRegion | undefined =>
    address >= 0x401000n && address < 0x403000n
      ? { start: 0x401000n, end: 0x403000n, permissions: 'rx', name: '/bin/mock' }
      : undefined;

  insertPoint(_pid: number, point: Point): boolean {
    this.points.push(point);
    return true;
  }
  removePoint(_pid: number, point: Point): boolean {
    const at = this.points.findIndex((p) => p.kind === point.kind && p.address === point.address);
    if (at >= 0) this.points.splice(at, 1);
    return at >= 0;
  }
  removePoints(): void {
    this.points.splice(0);
  }

  resume(plan: ResumePlan): void {
    this.plan = plan;
  }

  runSlice(): SliceResult {
    if (this.failNextSlice) {
      this.failNextSlice = false;
      throw new Error('a mock failure');
    }
    if (this.#interrupted) {
      this.#interrupted = false;
      return { kind: 'signal', thread: this.thread, signal: 2 };
    }
    const action = this.plan?.actions.get(300) ?? { kind: 'hold' };
    if (action.kind === 'hold') return 'idle';
    if (this.endless) return 'busy';
    for (let first = true; ; first = false) {
      const hit = this.points.find((p) => p.address === this.pc && (p.kind === 'software' || p.kind === 'hardware'));
      if (hit && !first && (hit.condition?.(this.thread) ?? true)) {
        return { kind: 'breakpoint', thread: this.thread, hardware: hit.kind === 'hardware' };
      }
      const report = this.#one(action);
      if (report) return report;
    }
  }

  #one(action: ResumeAction): StopReport | undefined {
    const before = this.codeBits();
    if (!this.#execute()) {
      this.alive = false;
      this.#status = { code: 7 };
      return { kind: 'exited', pid: 300, code: 7, last: true };
    }
    if (action.kind === 'step') return { kind: 'step', thread: this.thread };
    if (action.kind === 'range' && (this.pc < action.start || this.pc >= action.end)) {
      return { kind: 'step', thread: this.thread };
    }
    if (before !== this.codeBits() && this.csSwitch !== 'silent') {
      const path = this.csSwitch === 'exec' ? '/hello' : undefined;
      return { kind: 'cs-switch', thread: this.thread, path };
    }
    return undefined;
  }

  /** @returns false at the end of the program */
  #execute(): boolean {
    const reg = (name: 'rax' | 'rsp' | 'rbp' | 'rbx'): bigint => getUserReg(this.state, name);
    const set = setUserReg.bind(undefined, this.state);
    const push = (value: bigint, size: bigint): void => {
      set('rsp', reg('rsp') - size);
      for (let i = 0n; i < size; i++) this.memory.set(reg('rsp') + i, Number((value >> (8n * i)) & 0xffn));
    };
    const pop = (size: bigint): bigint => {
      let value = 0n;
      for (let i = size - 1n; i >= 0n; i--) value = (value << 8n) | BigInt(this.memory.get(reg('rsp') + i) ?? 0);
      set('rsp', reg('rsp') + size);
      return value;
    };
    const then = (_effect: unknown, to: bigint): bigint => to;
    const steps: Record<string, () => bigint> = {
      401000: () => 0x401001n,
      401001: () => then(push(0x23n, 8n), 0x401003n),
      401003: () => then(push(IN_32, 8n), FAR_RETURN),
      401008: () => {
        const to = pop(8n);
        set('cs', pop(8n));
        return to;
      },
      402000: () => then(set('rax', 42n), 0x402005n),
      402005: () => then(push(0x40200an, 4n), INNER),
      '40200a': () => 0x40200bn,
      '40200b': () => then(set('cs', 0x33n), BACK),
      402020: () => then(push(reg('rbp'), 4n), 0x402021n),
      402021: () => then(set('rbp', reg('rsp')), 0x402023n),
      402023: () => then(set('rax', reg('rax') + 1n), 0x402024n),
      402024: () => then(set('rbp', pop(4n)), 0x402025n),
      402025: () => pop(4n),
      401050: () => then(set('rbx', reg('rax')), 0x401053n),
    };
    const step = steps[this.pc.toString(16)];
    if (step) set('rip', step());
    return step !== undefined;
  }

  interrupt(): void {
    this.#interrupted = true;
  }
  halt(): void {
    this.#interrupted = false;
  }

  auxv = (): (readonly [bigint, bigint])[] => [
    [6n, 4096n],
    [9n, 0x402000n],
    [0n, 0n],
  ];
  execFile = (pid: number): string | undefined => (pid === 300 ? '/hello' : undefined);
  libraries = (): LibraryList => ({
    mainLm: 0x1000n,
    libraries: [{ name: '/lib/a&b.so', lm: 0x2000n, base: 0x3000n, dynamic: 0x4000n }],
  });
  siginfo = (_thread: ThreadRef, bits: Bits): Uint8Array => new Uint8Array(128).fill(bits);
  setSiginfo = (): boolean => true;
  kill(): void {
    this.alive = false;
    this.#status = { signal: 9 };
  }
  detach(): void {}
  attach = (pid: number): boolean => pid === 300;
  attachAll(): void {}
  exitStatus = (): { code: number } | { signal: number } | undefined => this.#status;
  passSignals(signals: ReadonlySet<number>): void {
    this.passed = [...signals];
  }
  programSignals(): void {}
  catchSyscalls(): void {}
  reportEvents(events: { fork: boolean; vfork: boolean; exec: boolean }): void {
    this.events = events;
  }
  monitor(line: string): string {
    const mode = /^cs-switch (stop|exec|silent)$/.exec(line)?.[1];
    if (mode) this.csSwitch = mode as 'stop' | 'exec' | 'silent';
    return mode ? '' : `no command ${line}\n`;
  }
}

const STAT: FileStat = {
  dev: 1,
  ino: 2,
  mode: 0o100644,
  nlink: 1,
  uid: 0,
  gid: 0,
  rdev: 0,
  size: 240,
  blksize: 4096,
  blocks: 1,
  atime: 3,
  mtime: 4,
  ctime: 5,
};
