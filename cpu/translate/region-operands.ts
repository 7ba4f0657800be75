/** The operands of a region's instructions: constants from the record, registers in locals, memory through checks. */
import { loadAt } from '../interp/handler-code.ts';
import { OperandOps } from '../interp/operand-ops.ts';
import { Rec } from '../interp/record.ts';
import type { Variant } from '../interp/variant.ts';
import {
  type Expr,
  type F32,
  type F64,
  type I32,
  type I64,
  type Int,
  i32,
  i64,
  node,
  type Type,
  type V128,
} from '../ir/expr.ts';
import type { AnyFunction } from '../ir/function.ts';
import type { Lane } from '../ir/ops.ts';
import { f32x4, f64x2, v128 } from '../ir/vector.ts';
import { fieldSize, State, type StateField } from '../state.ts';
import { Load, Store } from '../wasm/emit.ts';
import { Addresses, type CheckExits, type Host, type Place } from './addresses.ts';
import { FlagKeeper } from './flag-keeper.ts';
import { FloatLoads } from './float-loads.ts';
import { fold } from './fold.ts';
import { lowPut } from './fold-vectors.ts';
import type { RegionCode } from './region-code.ts';
import { GPR_END, RegisterParts } from './register-parts.ts';
import { type Value, Values } from './values.ts';

/** The instruction has no translation: the region leaves before it. */
export class Untranslatable extends Error {}

export abstract class RegionOperands extends OperandOps<Host> {
  size: 16 | 32 | 64 = 64;
  lanes: 1 | 2 | 4 = 1;
  vex = false;
  readonly values: Values;
  readonly flags: FlagKeeper;
  readonly addresses: Addresses;
  protected readonly floatLoads = new FloatLoads();
  protected readonly code: RegionCode;
  protected variant!: Variant;
  /** Conditions around what is built. */
  protected level = 0;
  private readonly parts: RegisterParts;
  private readonly checks: CheckExits;
  private readonly data: DataView;
  /** 16-byte lanes of the vector registers that exist. */
  private readonly vectorLanes: number;
  private record = 0;
  private blockRip = 0;
  private ea: I64 | undefined;
  private hosts: { operand: number; write: boolean; host: Host }[] = [];

  constructor(code: RegionCode, checks: CheckExits, data: DataView, vectorLanes: number) {
    super();
    this.code = code;
    this.checks = checks;
    this.data = data;
    this.vectorLanes = vectorLanes;
    this.values = new Values(code.long);
    this.flags = new FlagKeeper(code, this);
    this.addresses = new Addresses(code, this.values, this.flags, checks, this);
    this.parts = new RegisterParts(code, this);
  }

  /** Calls a runtime function. */
  abstract callFunction(fn: AnyFunction, args: readonly Expr[]): Expr[];

  /** Is what is built here run whenever the instruction is? */
  get unconditional(): boolean {
    return this.level === 0;
  }

  protected beginInstruction(record: number, blockRip: number, variant: Variant): void {
    this.record = record;
    this.blockRip = blockRip;
    this.variant = variant;
    this.size = variant.size;
    this.lanes = variant.lanes;
    this.vex = variant.row.vex;
    this.touchesMmx = false;
    this.level = 0;
    this.hosts = [];
  }

  protected endInstruction(): void {
    this.ea = undefined;
    this.values.endInstruction();
  }

  /** The `ea` record before an instruction: offset and base of FS or GS. */
  buildEa(record: number, blockRip: number): void {
    this.record = record;
    this.blockRip = blockRip;
    const base = loadAt(64, i32.const(0), this.u16(Rec.segmentBase)) as I64;
    const offset = this.address();
    if (!this.code.long) {
      const size = this.data.getInt32(record + Rec.imm, true) & 0xff;
      this.code.emit(i64.gt_u(i64.add(offset, size - 1), 0xffffffff));
      this.checks.exitIf();
    }
    this.ea = this.let(this.addresses.wrap(i64.add(offset, base)));
  }

  let<T extends Type>(e: Expr<T>): Expr<T> {
    const f = fold(e);
    const put = f.type === 'v128' ? lowPut(f as V128) : undefined;
    if (put)
      return node(
        f.type,
        f.op,
        put.map((part) => this.let(part)),
        0,
      );
    const value = this.unconditional ? this.values.affineOf(f) : undefined;
    const named = this.code.let(f);
    if (named.op === 0x20 && (named.value as number) >= 16) this.values.name(named.value as number, f, value);
    return named;
  }

  assignRegister(n: number, e: I64): void {
    const f = fold(e);
    // Under a condition the register may or may not get it.
    const value = this.unconditional ? this.values.affineOf(f) : undefined;
    const bound = this.unconditional ? this.values.boundOf(f) : undefined;
    this.code.setRegister(n, f);
    this.values.assign(n, value, bound);
  }

  read(i: number): Int {
    const { kind, bits } = this.form(i);
    switch (kind) {
      case 'memory':
        return this.loadHost(bits, this.host(i, bits >> 3, false));
      case 'immediate':
        return bits === 64
          ? this.i64(Rec.imm)
          : i32.const(this.mask(bits, this.data.getInt32(this.record + Rec.imm, true)));
      case 'mmx':
        this.touchesMmx = true;
        return this.let(loadAt(bits, i32.const(0), this.slot(i)));
      case 'segment':
      case 'other':
        return i32.const(this.slot(i));
      case 'vector':
        return this.parts.vectorPart(this.slot(i), bits);
      default:
        return this.parts.get(this.slot(i), bits);
    }
  }

  write(i: number, v: Int): void {
    const { kind, bits } = this.form(i);
    if (kind === 'memory') this.writeMemory(i, v);
    else if (kind === 'register') this.parts.set(this.slot(i), bits, v);
    else if (kind === 'vector') this.parts.setVectorPart(this.slot(i), bits, v);
    else if (kind === 'mmx') {
      this.touchesMmx = true;
      this.storeAt(64, i32.const(0), v, this.slot(i));
      this.storeAt(16, i32.const(0), i32.const(0xffff), this.slot(i) + 8);
    } else throw new Untranslatable();
  }

  address(i = 0): I64 {
    void i;
    const base = this.u16(Rec.base);
    const index = this.u16(Rec.index);
    const scale = this.data.getUint8(this.record + Rec.scale);
    const narrow = this.data.getInt32(this.record + Rec.mask + 4, true) === 0;
    const mask = this.data.getInt32(this.record + Rec.mask, true);
    if (narrow && mask === -1) {
      let sum: I32 = i32.wrap(this.baseValue(base));
      if (index !== State.zero) sum = i32.add(sum, i32.shl(i32.wrap(this.baseValue(index)), scale));
      return this.let(i64.extend_u(i32.add(sum, this.data.getInt32(this.record + Rec.disp, true))));
    }
    let sum = this.baseValue(base);
    if (index !== State.zero) sum = i64.add(sum, i64.shl(this.baseValue(index), scale));
    sum = i64.add(sum, this.i64(Rec.disp));
    return this.let(narrow ? i64.and(sum, 0xffff) : sum);
  }

  // Vectors.

  protected vectorRegister(i: number, lane: Lane): V128 {
    return this.parts.vectorAt(this.slot(i), lane);
  }

  protected setVectorRegister(i: number, v: V128, lane: Lane): void {
    const slot = this.slot(i);
    this.parts.setVectorAt(slot, lane, v);
    if (!this.vex || lane !== this.lanes - 1) return;
    for (let above = this.lanes; above < this.vectorLanes; above++) this.parts.setVectorAt(slot, above, v128.zero());
  }

  vector(n: number, lane: Lane = 0): V128 {
    return this.code.vectors.get(n, lane);
  }

  setVector(n: number, v: V128, lane: Lane = 0): void {
    this.code.vectors.set(n, lane, v);
  }

  override readVector(i: number, lane: Lane = 0): V128 {
    const { kind, bits } = this.form(i);
    if (kind === 'memory' && bits === 64) return f64x2.replace(v128.zero(), 0, this.readF64(i));
    if (kind === 'memory' && bits === 32) return f32x4.replace(v128.zero(), 0, this.readF32(i));
    return super.readVector(i, lane);
  }

  override readF64(i: number): F64 {
    return this.form(i).kind === 'memory'
      ? this.loadFloat('f64', Load.f64, i)
      : this.let(f64x2.extract(this.readVector(i), 0));
  }

  override readF32(i: number): F32 {
    return this.form(i).kind === 'memory'
      ? this.loadFloat('f32', Load.f32, i)
      : this.let(f32x4.extract(this.readVector(i), 0));
  }

  private loadFloat<T extends 'f32' | 'f64'>(type: T, op: number, i: number): Expr<T> {
    const host = this.host(i, this.form(i).bits >> 3, false);
    const v = this.let(node(type, op, [host.base], host.offset));
    if (this.unconditional) this.floatLoads.loaded(v, host);
    return v;
  }

  stackIndex(): I32 {
    return i32.const(this.data.getUint8(this.record + Rec.modrm) & 7);
  }

  register(n: number, bits: number): Int {
    return this.parts.get(State.gpr + n * 8, bits);
  }

  setRegister(n: number, bits: number, v: Int): void {
    this.parts.set(State.gpr + n * 8, bits, v);
  }

  get(field: StateField): Int {
    switch (field) {
      case 'stackMask':
      case 'ripMask':
        return this.wide();
      case 'stackKeep':
        return i64.const(0);
      default:
        return this.let(loadAt(fieldSize(field) * 8, i32.const(0), State[field]));
    }
  }

  set(field: StateField, v: Int): void {
    this.storeAt(fieldSize(field) * 8, i32.const(0), v, State[field]);
  }

  checkAddress(address: I64): I64 {
    return address;
  }

  checkTarget(): void {}

  push(bits: 16 | 32 | 64, v: Int): void {
    const value = this.let(v);
    const top = this.let(this.addresses.wrap(i64.sub(this.code.register(4), bits >> 3)));
    this.storeHost(bits, this.translate(this.onStack(top), bits >> 3, true, true), value);
    this.assignRegister(4, top);
  }

  pop(bits: 16 | 32 | 64): { readonly value: Int; commit(): void } {
    const top = this.addresses.wrap(this.code.register(4));
    const value = this.loadHost(bits, this.translate(this.onStack(top), bits >> 3, false, true));
    return { value, commit: () => this.assignRegister(4, this.addresses.wrap(i64.add(top, bits >> 3))) };
  }

  loadStack(bits: 16 | 32 | 64, offset: I64): Int {
    return this.loadHost(bits, this.translate(this.onStack(offset), bits >> 3, false, true));
  }

  thisRip(): I64 {
    return this.rip(this.blockRip + this.u16(Rec.offset));
  }

  nextRip(): I64 {
    return this.rip(this.blockRip + this.u16(Rec.next));
  }

  segmentBase(): I64 {
    return this.baseValue(this.u16(Rec.segmentBase));
  }

  extraBase(): I64 {
    return this.baseValue(this.u16(Rec.base));
  }

  addressMask(): I64 {
    return this.i64(Rec.mask);
  }

  private u16(field: number): number {
    return this.data.getUint16(this.record + field, true);
  }

  private i64(field: number): I64 {
    return i64.const(this.data.getBigInt64(this.record + field, true));
  }

  private slot(i: number): number {
    return this.u16(Rec.operand + 2 * i);
  }

  private mask(bits: number, v: number): number {
    return bits === 32 ? v : v & ((1 << bits) - 1);
  }

  private wide(): I64 {
    return i64.const(this.code.long ? -1 : 0xffffffff);
  }

  private rip(v: number): I64 {
    return i64.const(this.size === 64 ? v : this.size === 32 ? v % 2 ** 32 : v % 2 ** 16);
  }

  /** The 64 bits at an address in the state that an address is made of. */
  private baseValue(at: number): I64 {
    if (at === State.zero) return i64.const(0);
    if (at === State.blockRip) return i64.const(this.blockRip);
    if (at === State.ea) {
      if (this.ea === undefined) throw new Untranslatable();
      return this.ea;
    }
    if (at < GPR_END) return this.code.register((at - State.gpr) >> 3);
    return loadAt(64, i32.const(0), at) as I64;
  }

  protected scalarRegister(i: number, bits: number): Int {
    if (this.form(i).kind === 'vector') return this.parts.vectorPart(this.slot(i), bits);
    return this.parts.get(this.slot(i), bits);
  }

  /** Host address of memory operand `i`, checked for the access; once per instruction and kind of access. */
  protected host(i: number, bytes: number, write: boolean): Host {
    const known = this.hosts.find((h) => h.operand === i && h.write === write);
    if (known) return known.host;
    const address = this.address(i);
    if (bytes >= 16) this.checkAlignment(address, bytes);
    const host = this.translate(this.placeOf(address), bytes, write);
    if (this.level === 0) this.hosts.push({ operand: i, write, host });
    return host;
  }

  private checkAlignment(address: I64, bytes: number): void {
    if (!this.isAligned) return;
    this.flags.keep();
    this.code.emit(i32.and(i32.wrap(address), bytes - 1));
    this.checks.exitIf();
  }

  protected hostOf(address: I64, bytes: number, write: boolean): Host {
    return this.translate(this.somewhere(address), bytes, write);
  }

  private somewhere(address: I64): Place {
    return { address: this.let(address), key: undefined, delta: 0 };
  }

  /** An address on the stack: the stack pointer's value, or RBP's with LEAVE, and some bytes. */
  private onStack(at: I64): Place {
    const address = this.let(at);
    const value = this.unconditional ? this.values.affineOf(address) : undefined;
    return { address, key: value && `${value.version}||0`, delta: value?.delta ?? 0 };
  }

  /** The memory operand's address in terms of its registers. */
  private placeOf(address: I64): Place {
    const value = (at: number): Value | undefined => (at < GPR_END ? this.values.of((at - State.gpr) >> 3) : undefined);
    const base = this.u16(Rec.base);
    const index = this.u16(Rec.index);
    const narrow = this.data.getInt32(this.record + Rec.mask + 4, true) === 0;
    const followed = (at: number): boolean => at < GPR_END || at === State.zero || at === State.blockRip;
    if (narrow === this.code.long || !followed(base) || !followed(index)) return { address, key: undefined, delta: 0 };
    const [b, i] = [value(base), value(index)];
    const scale = i ? this.data.getUint8(this.record + Rec.scale) : 0;
    const low = this.data.getInt32(this.record + Rec.disp, true);
    const disp = this.data.getInt32(this.record + Rec.disp + 4, true) * 2 ** 32 + (low >>> 0);
    const sum = disp + (base === State.blockRip ? this.blockRip : 0) + (b?.delta ?? 0) + (i?.delta ?? 0) * 2 ** scale;
    return { address, key: `${b?.version ?? ''}|${i?.version ?? ''}|${scale}`, delta: narrow ? sum | 0 : sum };
  }

  private translate(place: Place, bytes: number, write: boolean, implicit = false): Host {
    return this.addresses.translate(place, this.record, implicit, bytes, write);
  }

  protected loadHost(bits: number, host: Host, offset = 0): Int {
    return this.let(loadAt(bits, host.base, host.offset + offset));
  }

  protected storeHost(bits: number, host: Host, v: Int): void {
    this.storeAt(bits, host.base, v, host.offset);
  }

  protected loadVectorHost(host: Host, offset: number): V128 {
    return this.let(node('v128', Load.v128, [host.base], host.offset + offset));
  }

  private storeAt(bits: number, address: I32, v: Int, offset = 0): void {
    const { code } = this;
    this.floatLoads.forget();
    code.emit(address);
    const plain = fold(v);
    // The bits of a floating-point number go to memory as they are.
    const float = plain.op === 0xbd ? Store.f64 : plain.op === 0xbc ? Store.f32 : undefined;
    if (float && bits === (float === Store.f64 ? 64 : 32)) {
      code.emit(plain.args[0]!);
      code.op(float, 0);
      code.w.uleb(offset);
      return;
    }
    code.emit(plain);
    const wide = v.type === 'i64';
    const opcode = { 8: [0x3a, 0x3c], 16: [0x3b, 0x3d], 32: [0x36, 0x3e], 64: [0, 0x37] }[bits]?.[wide ? 1 : 0];
    if (!opcode) throw new Error(`no store of ${v.type} for ${bits} bits`);
    code.op(opcode, 0);
    code.w.uleb(offset);
  }

  protected storeVectorHost(host: Host, v: V128, offset: number): void {
    this.floatLoads.forget();
    this.code.emit(host.base);
    this.code.emit(v);
    this.code.op(0xfd, 0x0b, 0);
    this.code.w.uleb(host.offset + offset);
  }
}
