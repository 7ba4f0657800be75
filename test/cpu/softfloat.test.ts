import { expect } from 'chai';
import { add, div, fma, isqrt, mul, sqrt } from '../../cpu/softfloat/arith.ts';
import { FLAG_DE, FLAG_IE, FLAG_OE, FLAG_PE, FLAG_UE, FpEnv, ROUND_CHOP, ROUND_UP } from '../../cpu/softfloat/env.ts';
import {
  bitLength,
  F32,
  F64,
  F80,
  pack16,
  pack32,
  pack64,
  precisionControl,
  type Real,
  signExponent80,
  significand80,
  unpack16,
  unpack32,
  unpack64,
  unpack80,
} from '../../cpu/softfloat/real.ts';
import { f2xm1, fcos, fpatan, fptan, fsin, fyl2x, fyl2xp1 } from '../../cpu/softfloat/transcendental.ts';

const scratch = new DataView(new ArrayBuffer(8));
const bits64 = (v: number): bigint => {
  scratch.setFloat64(0, v);
  return scratch.getBigUint64(0);
};
const value64 = (v: bigint): number => {
  scratch.setBigUint64(0, v);
  return scratch.getFloat64(0);
};
const real = (v: number): Real => unpack64(bits64(v));

function environment(x87 = false): FpEnv {
  const env = new FpEnv();
  if (x87) env.beginX87(0x37f);
  else env.beginSse(0x1f80);
  return env;
}

/** A reproducible stream of doubles over the whole range of encodings. */
function* doubles(count: number): Generator<number> {
  let seed = 88172645463325252n;
  for (let i = 0; i < count; i++) {
    seed ^= BigInt.asUintN(64, seed << 13n);
    seed ^= seed >> 7n;
    seed ^= BigInt.asUintN(64, seed << 17n);
    yield value64(i % 3 ? seed : (seed & 0x800fffffffffffffn) | (BigInt(1000 + (i % 50)) << 52n));
  }
}

describe('soft float', () => {
  it('measures bit lengths', () => {
    for (const n of [1, 2, 31, 32, 33, 52, 53, 54, 63, 64, 65, 127, 128, 129, 300]) {
      expect(bitLength(1n << BigInt(n - 1))).to.equal(n);
      expect(bitLength((1n << BigInt(n)) - 1n)).to.equal(n);
    }
    expect(bitLength(0n)).to.equal(0);
  });

  it('takes integer roots', () => {
    for (const v of [0n, 1n, 2n, 3n, 4n, 99n, 1n << 130n, (1n << 130n) - 1n, 12345678901234567890123456789n]) {
      const r = isqrt(v);
      expect(r * r <= v && (r + 1n) * (r + 1n) > v).to.equal(true);
    }
  });

  it('packs what it unpacks', () => {
    for (let i = 0; i < 0x10000; i += 7) expect(pack16(unpack16(i))).to.equal(i);
    for (const v of [0, 1, 0x7fffff, 0x800000, 0x3f800001, 0x7f800000, 0x7fc00123, 0x7f800001, 0xff7fffff]) {
      expect(pack32(unpack32(v))).to.equal(v);
    }
    for (const v of doubles(500)) expect(pack64(real(v))).to.equal(bits64(v));
    const x = unpack80(0xc123, 0xdeadbeefcafebaben);
    expect([signExponent80(x), significand80(x)]).to.deep.equal([0xc123, 0xdeadbeefcafebaben]);
  });

  it('agrees with the double arithmetic of JavaScript', () => {
    const values = [...doubles(3000)];
    for (let i = 0; i + 1 < values.length; i++) {
      const [x, y] = [values[i]!, values[i + 1]!];
      const env = environment();
      const check = (r: Real, want: number): void => {
        if (Number.isNaN(want)) expect(value64(pack64(r))).to.be.NaN;
        else expect(pack64(r)).to.equal(bits64(want));
      };
      check(add(env, F64, real(x), real(y)), x + y);
      check(mul(env, F64, real(x), real(y)), x * y);
      check(div(env, F64, real(x), real(y)), x / y);
      check(sqrt(env, F64, real(x)), Math.sqrt(x));
    }
  });

  it('raises overflow, underflow and precision', () => {
    const env = environment();
    mul(env, F64, real(1e300), real(1e300));
    expect(env.flags).to.equal(FLAG_OE | FLAG_PE);
    env.flags = 0;
    mul(env, F64, real(1e-300), real(1e-300));
    expect(env.flags).to.equal(FLAG_UE | FLAG_PE);
    env.flags = 0;
    // An exact denormal is no masked underflow.
    mul(env, F64, real(2 ** -1000), real(2 ** -60));
    expect(env.flags).to.equal(0);
    env.masks = 0x2f;
    mul(env, F64, real(2 ** -1000), real(2 ** -60));
    expect(env.flags).to.equal(FLAG_UE);
  });

  it('finds tininess after rounding', () => {
    const env = environment();
    // (1 - 2^-53) * 2^-1022 rounds up to the smallest normal number with 53 bits: not tiny.
    env.rounding = ROUND_UP;
    mul(env, F64, real(1 - 2 ** -53), real(2 ** -1022));
    expect(env.flags).to.equal(FLAG_UE | FLAG_PE);
    env.flags = 0;
    fma(env, F64, real(1 - 2 ** -53), real(2 ** -1022), real(2 ** -1074), []);
    expect(env.flags).to.equal(FLAG_DE | FLAG_PE);
  });

  it('rounds as the control asks', () => {
    const env = environment();
    env.rounding = ROUND_CHOP;
    expect(pack64(div(env, F64, real(5), real(3)))).to.equal(bits64(5 / 3) - 1n);
    env.rounding = ROUND_UP;
    expect(pack32(div(env, F32, real(1), real(3)))).to.equal(0x3eaaaaab);
    const x87 = environment(true);
    expect(significand80(div(x87, precisionControl(0x07f), real(1), real(3)))).to.equal(0xaaaaab0000000000n);
    expect(significand80(div(x87, precisionControl(0x27f), real(1), real(3)))).to.equal(0xaaaaaaaaaaaaa800n);
  });

  it('chooses NaNs as SSE and as x87 does', () => {
    const small = unpack64(0x7ff8000000000001n);
    const large = unpack64(0xfff8000000000002n);
    const signalling = unpack64(0x7ff0000000000003n);
    const sse = environment();
    expect(pack64(add(sse, F64, small, large))).to.equal(0x7ff8000000000001n);
    expect(sse.flags).to.equal(0);
    const x87 = environment(true);
    expect(pack64(add(x87, F80, small, large))).to.equal(0xfff8000000000002n);
    expect(pack64(add(x87, F80, signalling, small))).to.equal(0x7ff8000000000001n);
    expect(x87.flags).to.equal(FLAG_IE);
  });

  it('fuses', () => {
    const env = environment();
    const x = 1 + 2 ** -30;
    const r = fma(env, F64, real(x), real(x), real(-(1 + 2 ** -29)), []);
    expect(value64(pack64(r))).to.equal(2 ** -60);
  });

  it('computes transcendentals to the last bit of a double', () => {
    const close = (r: Real, want: number): void => {
      const env = environment();
      const got = value64(pack64(add(env, F64, r, real(0))));
      expect(Math.abs(got - want)).to.be.at.most(Math.abs(want) * 2 ** -51);
    };
    for (const v of [1e-30, 1e-5, 0.1, 0.5, 0.7853, 1, 1.5, 3, 10, 1234.5]) {
      const env = environment(true);
      close(fsin(env, real(v)), Math.sin(v));
      close(fcos(env, real(-v)), Math.cos(v));
      close(fptan(env, real(-v)), Math.tan(-v));
      close(fyl2x(env, real(3), real(v)), 3 * Math.log2(v));
      close(fpatan(env, real(v), real(-2)), Math.atan2(v, -2));
      close(fpatan(env, real(-5), real(v)), Math.atan2(-5, v));
      if (v < 1) {
        close(f2xm1(env, real(v)), Math.expm1(v * Math.LN2));
        close(f2xm1(env, real(-v)), Math.expm1(-v * Math.LN2));
      }
      close(fyl2xp1(env, real(1), real(v)), Math.log1p(v) / Math.LN2);
    }
  });
});
