/**
 * The x87 unit's registers as they lie in the CPU state, and the rules every x87 instruction shares: stack faults, when
 * a result is written, how flags reach the status word (Intel SDM vol. 1, 8.1, 8.4, 8.5).
 */
import { FLAG_IE, FLAGS_ALL, FLAGS_PRE, FpEnv } from '../softfloat/env.ts';
import { defaultNaN, type Real, signExponent80, significand80, unpack80 } from '../softfloat/real.ts';
import { State } from '../state.ts';

export const SW_SF = 0x0040;
export const SW_ES = 0x0080;
export const SW_C0 = 0x0100;
export const SW_C1 = 0x0200;
export const SW_C2 = 0x0400;
export const SW_C3 = 0x4000;
export const SW_BUSY = 0x8000;
export const SW_CC = SW_C0 | SW_C2 | SW_C3;

export class X87 {
  readonly env = new FpEnv();
  readonly view: DataView;

  /** @param view the CPU state, or a context's copy of it */
  constructor(view: DataView) {
    this.view = view;
  }

  get cw(): number {
    return this.view.getUint32(State.fcw, true);
  }
  set cw(v: number) {
    this.view.setUint32(State.fcw, v, true);
  }
  get sw(): number {
    return this.view.getUint32(State.fsw, true);
  }
  set sw(v: number) {
    this.view.setUint32(State.fsw, v, true);
  }
  /** Bit i set = physical register i is not empty (the abridged tag of FXSAVE). */
  get tags(): number {
    return this.view.getUint32(State.ftw, true);
  }
  set tags(v: number) {
    this.view.setUint32(State.ftw, v, true);
  }
  get fop(): number {
    return this.view.getUint32(State.fop, true);
  }
  set fop(v: number) {
    this.view.setUint32(State.fop, v, true);
  }
  get fip(): bigint {
    return this.view.getBigUint64(State.fip, true);
  }
  set fip(v: bigint) {
    this.view.setBigUint64(State.fip, v, true);
  }
  get fdp(): bigint {
    return this.view.getBigUint64(State.fdp, true);
  }
  set fdp(v: bigint) {
    this.view.setBigUint64(State.fdp, v, true);
  }
  get top(): number {
    return (this.sw >> 11) & 7;
  }
  set top(v: number) {
    this.sw = (this.sw & ~0x3800) | ((v & 7) << 11);
  }

  private physical(i: number): number {
    return (this.top + i) & 7;
  }
  private offset(i: number): number {
    return State.st + this.physical(i) * 16;
  }

  empty(i: number): boolean {
    return !(this.tags & (1 << this.physical(i)));
  }
  setEmpty(i: number): void {
    this.tags &= ~(1 << this.physical(i));
  }
  read(i: number): Real {
    const at = this.offset(i);
    return unpack80(this.view.getUint16(at + 8, true), this.view.getBigUint64(at, true));
  }
  write(i: number, v: Real): void {
    this.writeRaw(i, signExponent80(v), significand80(v));
  }
  writeRaw(i: number, se: number, man: bigint): void {
    const at = this.offset(i);
    this.view.setBigUint64(at, man, true);
    this.view.setUint16(at + 8, se, true);
    this.tags |= 1 << this.physical(i);
  }
  signExponent(i: number): number {
    return this.view.getUint16(this.offset(i) + 8, true);
  }
  significand(i: number): bigint {
    return this.view.getBigUint64(this.offset(i), true);
  }

  /** The significand by halves, for moves that need no arithmetic. */
  writeWords(i: number, se: number, high: number, low: number): void {
    const at = this.offset(i);
    this.view.setUint32(at, low, true);
    this.view.setUint32(at + 4, high, true);
    this.view.setUint16(at + 8, se, true);
    this.tags |= 1 << this.physical(i);
  }
  highWord(i: number): number {
    return this.view.getUint32(this.offset(i) + 4, true);
  }
  lowWord(i: number): number {
    return this.view.getUint32(this.offset(i), true);
  }
  /** ST(to) = ST(from), as it stands. */
  copy(from: number, to: number): void {
    this.writeWords(to, this.signExponent(from), this.highWord(from), this.lowWord(from));
  }

  push(v: Real): void {
    this.top -= 1;
    this.write(0, v);
  }
  pop(): void {
    this.setEmpty(0);
    this.top += 1;
  }
  /** Pops when `times` is true, or as many times. */
  popIf(times: boolean | number): void {
    for (let n = Number(times); n > 0; n--) this.pop();
  }

  /** Starts an instruction: fresh flags, C1 clear. */
  begin(): FpEnv {
    this.env.beginX87(this.cw);
    this.sw &= ~SW_C1;
    return this.env;
  }

  /** Sets ES and B from the flags and the masks, as after a load of either word. */
  summarise(): void {
    this.sw = this.sw & ~this.cw & FLAGS_ALL ? this.sw | SW_ES | SW_BUSY : this.sw & ~(SW_ES | SW_BUSY);
  }

  /**
   * Moves the operation's flags to the status word.
   * @returns whether the result may be written: no unmasked exception came before it
   */
  finish(): boolean {
    const env = this.env;
    const blocked = env.unmasked(FLAGS_PRE);
    this.sw |= blocked ? env.flags & FLAGS_PRE : env.flags;
    if (env.roundedUp && !blocked) {
      this.sw |= SW_C1;
    }
    this.summarise();
    return !blocked;
  }

  /**
   * Stack fault: IE and SF, C1 telling the direction.
   * @returns whether IE is masked, so that the indefinite stands in for the result
   */
  stackFault(overflow: boolean): boolean {
    this.sw = (this.sw & ~SW_C1) | FLAG_IE | SW_SF | (overflow ? SW_C1 : 0);
    this.summarise();
    return (this.cw & FLAG_IE) !== 0;
  }

  /** Room for one more register; else a stack overflow, answered by the indefinite when masked. */
  room(): boolean {
    if (this.empty(7)) {
      return true;
    }
    if (this.stackFault(true)) {
      this.push(defaultNaN());
    }
    return false;
  }

  setConditions(bits: number): void {
    this.sw = (this.sw & ~SW_CC) | bits;
  }
}
