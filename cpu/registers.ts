/** The registers of one context, whether it is in the CPU or saved. */
import { dematerialise, materialise, STATUS_FLAGS } from './flags.ts';
import { Attribute } from './segment.ts';
import { fieldSize, Segment, State, type StateField } from './state.ts';

/** Bits of RFLAGS that exist; bit 1 is always set. */
const RFLAGS_BITS = 0x3f7fd7;

/** Where registers lie, laid out as in state.ts. */
export class RegisterBytes {
  readonly data: DataView;
  readonly gpr: BigUint64Array;

  constructor(data: DataView) {
    this.data = data;
    this.gpr = new BigUint64Array(data.buffer, data.byteOffset + State.gpr, 16);
  }
}

export class Registers {
  private readonly saved: RegisterBytes;
  private data: DataView;
  private numbers: BigUint64Array;

  /** @param saved where they are while the context is not in the CPU */
  constructor(saved: RegisterBytes) {
    this.saved = saved;
    this.data = saved.data;
    this.numbers = saved.gpr;
  }

  /** For the CPU: the context moved into it. */
  moveTo(bytes: RegisterBytes): void {
    this.data = bytes.data;
    this.numbers = bytes.gpr;
  }

  /** And out of it. */
  moveBack(): void {
    this.moveTo(this.saved);
  }

  /** The bytes of the context, laid out as in state.ts. */
  get view(): DataView {
    return this.data;
  }

  /** A part of the context, for register images (xsave.ts). */
  bytes(field: StateField): Uint8Array {
    return new Uint8Array(this.data.buffer, this.data.byteOffset + State[field], fieldSize(field));
  }

  /** rax rcx rdx rbx rsp rbp rsi rdi r8..r15. Not to be kept: the array changes when the context is switched. */
  get gpr(): BigUint64Array {
    return this.numbers;
  }

  /** Half of a general register: index 2n is the low half of register n, 2n + 1 its high half. */
  gprHalf(index: number): number {
    return this.data.getUint32(State.gpr + index * 4, true);
  }
  setGprHalf(index: number, v: number): void {
    this.data.setUint32(State.gpr + index * 4, v, true);
  }

  get rip(): bigint {
    return this.data.getBigUint64(State.rip, true);
  }
  set rip(v: bigint) {
    this.data.setBigUint64(State.rip, v, true);
  }

  get rflags(): bigint {
    return BigInt(this.eflags);
  }
  set rflags(v: bigint) {
    this.eflags = Number(v & BigInt(RFLAGS_BITS));
  }

  /** The low half of RFLAGS; there is nothing in the other. */
  get eflags(): number {
    const { data } = this;
    const low = data.getUint32(State.flagResult, true);
    const high = data.getUint32(State.flagResult + 4, true);
    return materialise(low, high, data.getUint32(State.flagAux, true)) | data.getUint32(State.flagRest, true) | 2;
  }
  set eflags(v: number) {
    const { data } = this;
    const flags = v & RFLAGS_BITS;
    const { result, aux } = dematerialise(flags);
    data.setUint32(State.flagResult, result, true);
    data.setUint32(State.flagResult + 4, 0, true);
    data.setUint32(State.flagAux, aux, true);
    data.setUint32(State.flagRest, flags & ~STATUS_FLAGS & ~2, true);
  }

  get long(): boolean {
    return (this.data.getUint32(State.segmentAttributes + Segment.CS * 4, true) & Attribute.Long) !== 0;
  }

  selector(s: Segment): number {
    return this.data.getUint32(State.selector + s * 4, true);
  }
  /** Only the number: the descriptor stays as it was loaded, until the selector is loaded. */
  setSelector(name: 'es' | 'ds' | 'fs' | 'gs', selector: number): void {
    const s = Segment[name.toUpperCase() as 'ES' | 'DS' | 'FS' | 'GS'];
    this.data.setUint32(State.selector + s * 4, selector, true);
  }
  get es(): number {
    return this.selector(Segment.ES);
  }
  get cs(): number {
    return this.selector(Segment.CS);
  }
  get ss(): number {
    return this.selector(Segment.SS);
  }
  get ds(): number {
    return this.selector(Segment.DS);
  }
  get fs(): number {
    return this.selector(Segment.FS);
  }
  get gs(): number {
    return this.selector(Segment.GS);
  }

  get fsBase(): bigint {
    return this.data.getBigUint64(State.segmentBase + Segment.FS * 8, true);
  }
  set fsBase(v: bigint) {
    this.data.setBigUint64(State.segmentBase + Segment.FS * 8, v, true);
  }
  get gsBase(): bigint {
    return this.data.getBigUint64(State.segmentBase + Segment.GS * 8, true);
  }
  set gsBase(v: bigint) {
    this.data.setBigUint64(State.segmentBase + Segment.GS * 8, v, true);
  }

  get rax(): bigint {
    return this.numbers[0]!;
  }
  set rax(v: bigint) {
    this.numbers[0] = v;
  }

  get rcx(): bigint {
    return this.numbers[1]!;
  }
  set rcx(v: bigint) {
    this.numbers[1] = v;
  }

  get rdx(): bigint {
    return this.numbers[2]!;
  }
  set rdx(v: bigint) {
    this.numbers[2] = v;
  }

  get rbx(): bigint {
    return this.numbers[3]!;
  }
  set rbx(v: bigint) {
    this.numbers[3] = v;
  }

  get rsp(): bigint {
    return this.numbers[4]!;
  }
  set rsp(v: bigint) {
    this.numbers[4] = v;
  }

  get rbp(): bigint {
    return this.numbers[5]!;
  }
  set rbp(v: bigint) {
    this.numbers[5] = v;
  }

  get rsi(): bigint {
    return this.numbers[6]!;
  }
  set rsi(v: bigint) {
    this.numbers[6] = v;
  }

  get rdi(): bigint {
    return this.numbers[7]!;
  }
  set rdi(v: bigint) {
    this.numbers[7] = v;
  }

  get r8(): bigint {
    return this.numbers[8]!;
  }
  set r8(v: bigint) {
    this.numbers[8] = v;
  }

  get r9(): bigint {
    return this.numbers[9]!;
  }
  set r9(v: bigint) {
    this.numbers[9] = v;
  }

  get r10(): bigint {
    return this.numbers[10]!;
  }
  set r10(v: bigint) {
    this.numbers[10] = v;
  }

  get r11(): bigint {
    return this.numbers[11]!;
  }
  set r11(v: bigint) {
    this.numbers[11] = v;
  }

  get r12(): bigint {
    return this.numbers[12]!;
  }
  set r12(v: bigint) {
    this.numbers[12] = v;
  }

  get r13(): bigint {
    return this.numbers[13]!;
  }
  set r13(v: bigint) {
    this.numbers[13] = v;
  }

  get r14(): bigint {
    return this.numbers[14]!;
  }
  set r14(v: bigint) {
    this.numbers[14] = v;
  }

  get r15(): bigint {
    return this.numbers[15]!;
  }
  set r15(v: bigint) {
    this.numbers[15] = v;
  }
}
