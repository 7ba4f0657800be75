/**
 * The builder for EVEX encodings: opmasks, broadcasts, and rounding of its own stand between a row's meaning and its
 * operands, so that most rows say no more than their VEX forms do. Intel SDM vol. 2, 2.7; vol. 1, 15.6.
 */
import { Vector } from '../exit.ts';
import { type I32, type I64, type Int, i32, i64, node, type V128 } from '../ir/expr.ts';
import { expandMask } from '../ir/mask.ts';
import type { Lane } from '../ir/ops.ts';
import { i16x8, i32x4, i64x2, v128 } from '../ir/vector.ts';
import type { EvexOptions } from '../isa/row.ts';
import { Load } from '../wasm/emit.ts';
import { elementCount } from './evex-form.ts';
import { loadAt } from './handler-code.ts';
import { RecordOps } from './lowering.ts';
import { Rec } from './record.ts';
import type { EvexForm } from './variant.ts';

const RC_MASK = 0x6000;
const RC_SHIFT = 13;
/** Everything masked; PE is set so that inexact results need no second look. */
const SUPPRESSED = 0x1fa0;

const ONE = {
  16: () => i16x8.splat(i32.const(0x3c00)),
  32: () => i32x4.splat(i32.const(0x3f800000)),
  64: () => i64x2.splat(i64.const(0x3ff0000000000000n)),
} as const;

export class EvexOps extends RecordOps {
  private readonly asked: EvexForm = this.variant.evex!;
  private readonly options: EvexOptions = this.variant.row.row.options.evex ?? {};
  /** The opmask, cut to the elements that there are. */
  private k: I64 = i64.const(0);

  protected override meaning(): void {
    const { masked, b } = this.asked;
    if (masked) this.k = this.let(i64.and(this.opmaskRegister(), this.present())) as I64;
    if (!b || this.variant.forms.some((f) => f.kind === 'memory')) {
      super.meaning();
      return;
    }
    const before = this.let(this.get('mxcsr')) as I32;
    if (this.options.rounding === 'er') {
      const control = i32.shl(this.code.field8(Rec.rounding), RC_SHIFT);
      this.set('mxcsr', i32.or(i32.or(i32.and(before, ~RC_MASK), SUPPRESSED), control));
    } else this.set('mxcsr', i32.or(before, SUPPRESSED));
    super.meaning();
    this.set('mxcsr', before);
  }

  /** A bit for each element that the instruction works on. */
  activeElements(): I64 {
    return this.asked.masked ? this.k : this.present();
  }

  get zeroing(): boolean {
    return this.asked.zeroing;
  }

  override readVector(i: number, lane: Lane = 0): V128 {
    const value = this.rawVector(i, lane);
    const { quiet, mask } = this.options;
    if (!this.asked.masked || quiet === undefined) return value;
    // Scalar conversions take from the first source only what they do not compute.
    if (quiet !== mask && i === 1 && this.variant.row.lengths === 0) return value;
    const one = ONE[quiet]();
    return this.let(v128.bitselect(value, one, this.laneMask(quiet, lane)));
  }

  override writeVector(i: number, v: V128, lane: Lane = 0): void {
    const { kind, bits } = this.form(i);
    if (i !== 0 || !this.asked.masked) {
      super.writeVector(i, v, lane);
      return;
    }
    const value = this.let(v);
    const mask = this.laneMask(this.options.mask!, lane);
    if (kind !== 'memory') {
      const old = this.asked.zeroing ? v128.zero() : node('v128', Load.v128, [this.code.slot(i)], lane * 16);
      super.writeVector(i, v128.bitselect(value, old, mask), lane);
      return;
    }
    const host = this.options.wholeMemory ? this.host(i, bits >> 3, true) : this.maskedHost(i, bits, true);
    const at = lane * 16;
    if (bits >= 128) {
      const old = node('v128', Load.v128, [host], at);
      this.code.storeV128(host, v128.bitselect(value, old, mask), at);
    } else {
      const old: V128 =
        bits === 64
          ? i64x2.replace(v128.zero(), 0, loadAt(64, host) as I64)
          : i32x4.replace(v128.zero(), 0, loadAt(bits, host) as I32);
      const merged = i64x2.extract(v128.bitselect(value, old, mask), 0);
      if (bits === 64) this.code.storeAt(64, host, merged);
      else this.code.storeAt(bits, host, i32.wrap(merged));
    }
    if ((lane + 1) * 128 >= bits) this.code.commit(host);
  }

  override read(i: number): Int {
    const { kind, bits } = this.form(i);
    if (kind !== 'memory' || !this.masksMemory()) return super.read(i);
    return this.let(loadAt(bits, this.maskedHost(i, bits, false)));
  }

  override write(i: number, v: Int): void {
    const { kind, bits } = this.form(i);
    if (kind === 'opmask' && this.asked.masked) {
      super.write(i, i64.and(this.k, v.type === 'i64' ? (v as I64) : i64.extend_u(v as I32)));
      return;
    }
    if (kind !== 'memory' || !this.asked.masked) {
      super.write(i, v);
      return;
    }
    // A scalar store happens or it does not.
    const value = this.let(v);
    this.if(i32.wrap(this.k), () => {
      const host = this.code.translate(this.linear(this.address(i), bits >> 3, true), bits >> 3, true);
      this.code.storeAt(bits, host, value);
      this.code.commit(host);
    });
  }

  /** Writes a lane whatever the opmask says. */
  writeWhole(i: number, v: V128, lane: Lane): void {
    super.writeVector(i, v, lane);
  }

  /** A lane of an operand as it stands. */
  private rawVector(i: number, lane: Lane): V128 {
    const { kind, bits } = this.form(i);
    if (kind !== 'memory') return super.readVector(i, lane);
    if (this.asked.b) {
      const element = this.read(i);
      return this.let(bits === 64 ? i64x2.splat(element as I64) : i32x4.splat(element as I32));
    }
    if (bits < 128 || !this.masksMemory()) return super.readVector(i, lane);
    return this.let(node('v128', Load.v128, [this.maskedHost(i, bits, false)], lane * 16));
  }

  private masksMemory(): boolean {
    return this.asked.masked && !this.options.wholeMemory;
  }

  private readonly maskedHosts = new Map<string, I32>();

  private maskedHost(i: number, bits: number, write: boolean): I32 {
    const key = `${i}${write}`;
    const known = this.maskedHosts.get(key);
    if (known) return known;
    const address = this.address(i);
    const bytes = bits >> 3;
    // Where the address is an offset yet, the slow path looks at it.
    const misaligned = this.variant.checked ? undefined : this.misaligned(address, bytes);
    if (misaligned) this.if(i32.and(i32.ne(misaligned, 0), i64.ne(this.k, 0)), () => this.raise(Vector.GP));
    const host = this.variant.checked
      ? this.code.maskedHost(address, bytes, write)
      : this.code.translate(address, bytes, write, false, true);
    if (this.code.depth === 0) this.maskedHosts.set(key, host);
    return host;
  }

  private opmaskRegister(): I64 {
    return loadAt(64, this.code.field16(Rec.opmask)) as I64;
  }

  private present(): I64 {
    const n = elementCount(this.variant);
    return i64.const(n >= 64 ? -1n : (1n << BigInt(n)) - 1n);
  }

  /** All ones where an element of `bits` bits in the lane is wanted, or is beyond those that are counted. */
  private laneMask(bits: number, lane: number): V128 {
    const k = i64.or(this.k, i64.xor(this.present(), -1));
    const first = (lane * 128) / bits;
    return expandMask(bits, first === 0 ? k : i64.shr_s(k, first));
  }
}
