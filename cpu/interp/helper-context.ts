/** What the meaning of an instruction written in TypeScript sees: its operands, memory, and the ways to leave. */
import type { Cpu } from '../cpu.ts';
import { type Exit, Vector } from '../exit.ts';
import { elementsHost } from '../masked-access.ts';
import type { Registers } from '../registers.ts';
import { checkAccess, isCanonical, linearAddress } from '../segment-checks.ts';
import { fieldSize, RepeatStep, Segment, STATE_END, State, type StateField } from '../state.ts';
import { AccessInfo, Action, Rec, RecordFlag } from './record.ts';
import type { Variant } from './variant.ts';

const MASK64 = 0xffffffffffffffffn;

export class HelperContext {
  readonly cpu: Cpu;
  /** All of linear memory; the CPU state is at its beginning. */
  readonly view: DataView;
  /** Address of the op record. */
  record = 0;
  /** What the generated code shall do next; set by the methods below. */
  action: number = Action.Continue;

  constructor(cpu: Cpu, buffer: ArrayBuffer) {
    this.cpu = cpu;
    this.view = new DataView(buffer);
  }

  get variant(): Variant {
    return this.cpu.interpreter.variant(this.view.getUint16(this.record + Rec.handler, true));
  }
  get regs(): Registers {
    return this.cpu.regs;
  }
  /** Operand size, and whether the CPU is in 64-bit mode. */
  get size(): 16 | 32 | 64 {
    return this.variant.size;
  }
  get long(): boolean {
    return (this.view.getUint8(this.record + Rec.flags) & RecordFlag.Long) !== 0;
  }
  get vex(): boolean {
    return this.variant.row.vex;
  }
  get lanes(): 1 | 2 | 4 {
    return this.variant.lanes;
  }
  get modrm(): number {
    return this.view.getUint8(this.record + Rec.modrm);
  }
  get opcode(): number {
    return this.view.getUint8(this.record + Rec.opcode);
  }
  /** REP (F3) or REPNE (F2) was there. */
  get repeat(): 'rep' | 'repne' | undefined {
    const flags = this.view.getUint8(this.record + Rec.flags);
    return flags & RecordFlag.Rep ? 'rep' : flags & RecordFlag.Repne ? 'repne' : undefined;
  }
  /** Segment of the memory operand or of the source of a string instruction. */
  get segment(): number {
    return this.view.getUint8(this.record + Rec.segment);
  }
  /** Accesses are checked one by one: addresses are offsets until then. */
  get checked(): boolean {
    return this.variant.checked;
  }
  /** Bases of the source's and the destination's segment in string instructions. */
  get segmentBase(): bigint {
    if (this.checked) return 0n;
    return this.view.getBigUint64(this.view.getUint16(this.record + Rec.segmentBase, true), true);
  }
  get extraBase(): bigint {
    if (this.checked) return 0n;
    return this.view.getBigUint64(this.view.getUint16(this.record + Rec.base, true), true);
  }
  /** Mask of the address size. */
  get addressMask(): bigint {
    return this.view.getBigUint64(this.record + Rec.mask, true);
  }
  /** The immediate as a signed number (its low 32 bits), and the second one. */
  get imm(): number {
    return this.view.getInt32(this.record + Rec.imm, true);
  }
  get imm2(): number {
    return this.view.getInt32(this.record + Rec.imm2, true);
  }
  get rip(): bigint {
    return this.ripAt(Rec.offset);
  }
  get nextRip(): bigint {
    return this.ripAt(Rec.next);
  }

  bits(i: number): number {
    return this.variant.forms[i]!.bits;
  }
  isMemory(i: number): boolean {
    return this.variant.forms[i]!.kind === 'memory';
  }

  /** Address in the state (so in `view`) of register operand `i`: general, vector or mmx. Segment registers: the number. */
  slot(i: number): number {
    return this.view.getUint16(this.record + Rec.operand + 2 * i, true);
  }

  /** Address of the memory operand, for the accesses below; only the offset for `addressOnly` rows. */
  address(_i = 0): bigint {
    const { view, record } = this;
    const base = view.getBigUint64(view.getUint16(record + Rec.base, true), true);
    const index = view.getBigUint64(view.getUint16(record + Rec.index, true), true);
    const scale = BigInt(view.getUint8(record + Rec.scale));
    const disp = view.getBigInt64(record + Rec.disp, true);
    return (base + (index << scale) + disp) & this.addressMask;
  }

  /** Address `n` bytes further, wrapped as the address size has it. */
  addressAt(i: number, n: number): bigint {
    return (this.address(i) + BigInt(n)) & this.addressMask;
  }

  /** Operand `i`, zero-extended. */
  read(i: number): bigint {
    const { kind, bits } = this.variant.forms[i]!;
    if (kind === 'memory') return this.load(bits, this.address(i));
    if (kind === 'immediate') return BigInt.asUintN(bits, this.view.getBigInt64(this.record + Rec.imm, true));
    if (kind === 'segment' || kind === 'other') return BigInt(this.slot(i));
    return this.integer(this.slot(i), bits);
  }

  /** Writes operand `i`; a 32-bit general register is zero-extended to 64 bits. */
  write(i: number, v: bigint): void {
    const { kind, bits } = this.variant.forms[i]!;
    if (kind === 'memory') this.store(bits, this.address(i), v);
    else if (kind === 'register' && bits === 32) this.setInteger(this.slot(i), 64, v & 0xffffffffn);
    else this.setInteger(this.slot(i), bits, v);
  }

  /** `extra`: in ES, the destination of string instructions. */
  load(bits: number, address: bigint, extra = false): bigint {
    return this.loadLinear(bits, this.linear(address, bits >> 3, false, extra));
  }

  store(bits: number, address: bigint, v: bigint, extra = false): void {
    this.storeLinear(bits, this.linear(address, bits >> 3, true, extra), v);
  }

  /** Faults as a store of `bytes` (up to 64) bytes would. */
  probe(address: bigint, bytes: number): void {
    this.probeLinear(this.linear(address, bytes, true, false), bytes);
  }

  /** The linear address of an access through the segment of the memory operand. */
  private linear(address: bigint, bytes: number, write: boolean, extra: boolean): bigint {
    if (!this.checked) return address;
    const { unaligned, elementwise } = this.variant.row.row.options;
    const flags = (write ? AccessInfo.Write : 0) | (extra ? AccessInfo.Extra : 0);
    return checkAccess(
      this.cpu,
      this.record,
      address,
      bytes,
      flags | (unaligned || elementwise ? AccessInfo.Unaligned : 0),
    );
  }

  /** These three take what `stackAddress` gives. */
  loadLinear(bits: number, address: bigint): bigint {
    const low = Number(address & 0xffffffffn) | 0;
    const high = Number((address >> 32n) & 0xffffffffn) | 0;
    return this.integer(this.cpu.access.host(this.record, low, high, bits >> 3, false), bits);
  }

  storeLinear(bits: number, address: bigint, v: bigint): void {
    const low = Number(address & 0xffffffffn) | 0;
    const high = Number((address >> 32n) & 0xffffffffn) | 0;
    const host = this.cpu.access.host(this.record, low, high, bits >> 3, true);
    this.setInteger(host, bits, v);
    if (host < STATE_END) this.cpu.access.commit();
  }

  probeLinear(address: bigint, bytes: number): void {
    const low = Number(address & 0xffffffffn) | 0;
    const high = Number((address >> 32n) & 0xffffffffn) | 0;
    this.cpu.access.host(this.record, low, high, bytes, true);
  }

  /** Linear address of an offset in the stack segment, checked when SS is not flat or AC is set. */
  stackAddress(offset: bigint, bytes: number, write: boolean): bigint {
    if (!(this.view.getUint8(this.record + Rec.flags) & RecordFlag.Checked)) return offset;
    return checkAccess(this.cpu, this.record, offset, bytes, (write ? AccessInfo.Write : 0) | AccessInfo.Stack);
  }

  /** Host address for direct access to `n` bytes within a page; not when accesses are checked. */
  pageRun(address: bigint, n: number, write: boolean): number {
    const low = Number(address & 0xffffffffn) | 0;
    const high = Number((address >> 32n) & 0xffffffffn) | 0;
    return this.cpu.access.pageRun(this.record, low, high, n, write);
  }

  /** @param out takes the bytes, and keeps those that were read when a later one faults */
  loadBytes(address: bigint, n: number, out: Uint8Array = new Uint8Array(n)): Uint8Array {
    if (!this.checked) return this.cpu.access.read(this.record, address & MASK64, n);
    this.eachItem(address, n, false, (linear, at, bytes) => {
      out.set(this.cpu.access.read(this.record, linear, bytes), at);
    });
    return out;
  }

  /** Checks all of the destination before the first byte is stored; what crosses a segment's limit is stored up to there. */
  storeBytes(address: bigint, bytes: Uint8Array): void {
    if (!this.checked) {
      this.cpu.access.write(this.record, address & MASK64, bytes);
      return;
    }
    this.eachItem(address, bytes.length, true, (linear, at, n) => {
      this.cpu.access.write(this.record, linear, bytes.subarray(at, at + n));
    });
  }

  /** The first `bytes.length` bytes at the memory operand, in elements of `size`; all are checked before any is touched. */
  loadElements(size: number, bytes: Uint8Array): void {
    const host = this.elements(size, bytes.length / size, false);
    bytes.set(this.cpu.memory.bytes.subarray(host, host + bytes.length));
  }

  storeElements(size: number, bytes: Uint8Array): void {
    this.cpu.memory.bytes.set(bytes, this.elements(size, bytes.length / size, true));
    this.cpu.access.commit();
  }

  /** Elements that are packed are not subject to the alignment check. */
  private elements(size: number, count: number, write: boolean): number {
    const address = this.address();
    // Without an opmask they are one access to their segment.
    if (this.checked && this.variant.evex?.masked !== true) {
      const flags = AccessInfo.Unaligned | (write ? AccessInfo.Write : 0);
      checkAccess(this.cpu, this.record, address, size * count, flags);
    }
    const offsets = new Map(Array.from({ length: count }, (_, n) => [n, address + BigInt(n * size)]));
    return elementsHost(this.cpu, this.record, offsets, size, write, this.checked);
  }

  /** A structure is checked item by item: those of FSAVE's and FSTENV's images, or 16 bytes each. */
  private eachItem(
    address: bigint,
    n: number,
    write: boolean,
    item: (linear: bigint, at: number, bytes: number) => void,
  ): void {
    const word = n === 14 || n === 94 ? 2 : n === 28 || n === 108 ? 4 : 0;
    for (let at = 0; at < n; ) {
      const register = word > 0 && at >= 7 * word;
      const bytes = register ? ((at - 7 * word) % 10 === 0 ? 8 : 2) : Math.min(word || 16, n - at);
      // The registers of FSAVE's image lie where they lie: only words are subject to the alignment check.
      const flags = (write ? AccessInfo.Write : 0) | (register ? AccessInfo.Unaligned : 0);
      const offset = (address + BigInt(at)) & this.addressMask;
      item(checkAccess(this.cpu, this.record, offset, bytes, flags), at, bytes);
      at += bytes;
    }
  }

  /** Faults as an access to 1, 2 or 4 bytes would. */
  touch(address: bigint, write: boolean, bytes = 1): void {
    const linear = this.linear(address, bytes, write, false);
    if (write) this.probeLinear(linear, bytes);
    else this.loadLinear(8 * bytes, linear);
  }

  /** The checks of segment and canonical addresses, without those of alignment and pages. */
  checkBounds(address: bigint, bytes: number, write: boolean): void {
    const flags = AccessInfo.Unaligned | (write ? AccessInfo.Write : 0);
    const linear = this.checked ? checkAccess(this.cpu, this.record, address, bytes, flags) : address;
    if (!this.long) return;
    const last = linear + BigInt(bytes - 1);
    if (!isCanonical(linear) || !isCanonical(last)) this.raise(this.segment === Segment.SS ? Vector.SS : Vector.GP);
  }

  /** AC is set and counts. */
  get alignmentChecked(): boolean {
    return this.cpu.segments.alignmentChecked;
  }

  /**
   * For instructions that go on where they were interrupted: a debug exception that is due comes in lieu of the fault of
   * an element that is not the first; then nothing is returned (SDM vol. 2, VGATHERDPS).
   */
  orTrap<T>(access: () => T): T | undefined {
    try {
      return access();
    } catch (e) {
      if (this.get('repeatStep') === 0) throw e;
      this.set('repeatStep', RepeatStep.One | RepeatStep.Unfinished);
      return undefined;
    }
  }

  /** The linear address of what `address` gives, without any check. */
  linearOf(address: bigint): bigint {
    return this.checked ? linearAddress(this.cpu, this.segment, address) : address;
  }

  /** A general register, all 64 bits. */
  register(n: number): bigint {
    return this.view.getBigUint64(State.gpr + 8 * n, true);
  }
  setRegister(n: number, bits: number, v: bigint): void {
    if (bits === 32) this.setInteger(State.gpr + 8 * n, 64, v & 0xffffffffn);
    else this.setInteger(State.gpr + 8 * n, bits, v);
  }

  /** A field of the state of 4 or 8 bytes, the number being exact for those of 4. */
  get(field: StateField): number {
    return this.view.getUint32(State[field], true);
  }
  set(field: StateField, v: number): void {
    this.view.setUint32(State[field], v, true);
  }
  get64(field: StateField): bigint {
    return this.view.getBigUint64(State[field], true);
  }
  set64(field: StateField, v: bigint): void {
    this.view.setBigUint64(State[field], v, true);
  }
  bytes(field: StateField): Uint8Array {
    return new Uint8Array(this.view.buffer, State[field], fieldSize(field));
  }

  get rflags(): number {
    return this.regs.eflags;
  }
  set rflags(v: number) {
    this.regs.eflags = v;
  }

  /** Raises a fault: nothing of the instruction has happened. */
  raise(vector: number, errorCode = 0): never {
    return this.cpu.access.raise(this.record, vector, errorCode);
  }

  /** Ends the block and goes on at `rip`; the row has `ends`. */
  jump(rip: bigint): void {
    this.set64('rip', rip);
    this.action = Action.Jump;
  }

  /** Comes back from `run` with RIP after the instruction (or at `rip`); the row has `ends`. */
  exit(exit: Exit, rip?: bigint): void {
    if (rip === undefined) this.storeNextRip(State.rip);
    else this.set64('rip', rip);
    this.cpu.pendingExit = exit;
    this.action = Action.Exit;
  }

  /** Goes on after this instruction (or at `rip`) but through the run loop: mode, TF or mappings changed. The row has `ends`. */
  leave(rip = this.nextRip): void {
    this.set64('rip', rip);
    this.action = Action.Leave;
  }

  /** Writes `nextRip` into the 8 bytes at an address in the state, half by half: that makes no bigint. */
  storeNextRip(at: number): void {
    const { view } = this;
    const low = view.getUint32(State.blockRip, true) + view.getUint16(this.record + Rec.next, true);
    const high = view.getUint32(State.blockRip + 4, true) + (low > 0xffffffff ? 1 : 0);
    view.setUint32(at, low & view.getUint32(State.ripMask, true), true);
    view.setUint32(at + 4, high & view.getUint32(State.ripMask + 4, true), true);
  }

  private ripAt(field: number): bigint {
    const { view } = this;
    const start = view.getBigUint64(State.blockRip, true);
    return (start + BigInt(view.getUint16(this.record + field, true))) & view.getBigUint64(State.ripMask, true);
  }

  private integer(at: number, bits: number): bigint {
    const host = at >>> 0;
    if (bits === 64) return this.view.getBigUint64(host, true);
    if (bits === 32) return BigInt(this.view.getUint32(host, true));
    return BigInt(bits === 16 ? this.view.getUint16(host, true) : this.view.getUint8(host));
  }

  private setInteger(at: number, bits: number, v: bigint): void {
    const host = at >>> 0;
    if (bits === 64) this.view.setBigUint64(host, BigInt.asUintN(64, v), true);
    else if (bits === 32) this.view.setUint32(host, Number(v & 0xffffffffn), true);
    else if (bits === 16) this.view.setUint16(host, Number(v & 0xffffn), true);
    else this.view.setUint8(host, Number(v & 0xffn));
  }
}
