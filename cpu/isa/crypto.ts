/** AES-NI, PCLMULQDQ and the SHA extensions, with the VEX forms that AVX adds (Intel SDM vol. 2). */
import { type I32, type I64, i32, i64, select, type V128 } from '../ir/expr.ts';
import type { RuntimeFunction } from '../ir/function.ts';
import type { Ops } from '../ir/ops.ts';
import { i8x16, i32x4, i64x2, v128 } from '../ir/vector.ts';
import * as crypto from '../runtime/crypto.ts';
import { type Lower, op, type Row, sse } from './row.ts';
import { imm8, shifted } from './simd-forms.ts';

type BlockFunction = RuntimeFunction<readonly ['v128'], readonly ['v128']>;

/** A round: the transformation of the first source, and the round key in the second. */
const round =
  (f: BlockFunction): Lower =>
  (c) => {
    const state = c.readVector(1);
    const key = c.readVector(2);
    c.writeVector(0, v128.xor(c.call(f, state), key));
  };

const unmix: Lower = (c) => c.writeVector(0, c.call(crypto.aesUnmix, c.readVector(1)));

/** AESKEYGENASSIST: words 1 and 3 substituted, each also rotated and with the round constant. */
const keyAssist: Lower = (c) => {
  const imm = imm8(c, 2);
  const words = c.call(crypto.aesSubstitute, c.readVector(1));
  // Bytes 4..7, the same by one further, bytes 12..15, by one further.
  const lanes = [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12];
  const constants = i64x2.splat(i64.shl(i64.extend_u(imm), 32));
  c.writeVector(0, v128.xor(i8x16.shuffle(words, words, lanes), constants));
};

/** PCLMULQDQ: bit 0 of the immediate chooses the quadword of the first source, bit 4 that of the second. */
const carryless: Lower = (c) => {
  const imm = imm8(c, 3);
  const quad = (v: V128, high: I32): I64 => c.let(select(i64x2.extract(v, 1), i64x2.extract(v, 0), high));
  const a = quad(c.readVector(1), i32.and(imm, 1));
  const b = quad(c.readVector(2), i32.and(shifted(imm, 4), 1));
  const [low, high] = c.call(crypto.carrylessProduct, a, b);
  c.writeVector(0, i64x2.replace(i64x2.splat(low), 1, high));
};

/** The four doublewords of a vector, lowest first. */
const words = (c: Ops, v: V128): [I32, I32, I32, I32] => [
  c.let(i32x4.extract(v, 0)),
  c.let(i32x4.extract(v, 1)),
  c.let(i32x4.extract(v, 2)),
  c.let(i32x4.extract(v, 3)),
];
const vectorOf = (w: readonly [I32, I32, I32, I32]): V128 =>
  w.reduce<V128>((v, x, lane) => (lane === 0 ? i32x4.splat(x) : i32x4.replace(v, lane, x)), v128.zero());
const sum = (...terms: I32[]): I32 => terms.reduce((a, b) => i32.add(a, b));

/** SHA1RNDS4: four rounds of the kind that the immediate names; A is the highest doubleword. */
const sha1Rounds: Lower = (c) => {
  const kind = c.let(i32.and(imm8(c, 2), 3));
  const [d0, c0, b0, a0] = words(c, c.readVector(0));
  const data = words(c, c.readVector(1));
  const constant = c.let(
    select(
      select(i32.const(0x5a827999), i32.const(0x6ed9eba1), i32.eqz(kind)),
      select(i32.const(0x8f1bbcdc), i32.const(0xca62c1d6), i32.eq(kind, 2)),
      i32.lt_u(kind, 2),
    ),
  );
  let [a, b, x, d]: I32[] = [a0, b0, c0, d0];
  let e: I32 = i32.const(0);
  for (let n = 0; n < 4; n++) {
    const choice = i32.xor(i32.and(b!, x!), i32.and(i32.not(b!), d!));
    const parity = i32.xor(i32.xor(b!, x!), d!);
    const majority = i32.xor(i32.xor(i32.and(b!, x!), i32.and(b!, d!)), i32.and(x!, d!));
    const mixed = select(choice, select(majority, parity, i32.eq(kind, 2)), i32.eqz(kind));
    // The first round's E is in the data already.
    const next: I32 = c.let(sum(mixed, i32.rotl(a!, 5), data[3 - n]!, e, constant));
    [e, d, x, b, a] = [d!, x!, c.let(i32.rotl(b!, 30)), a!, next];
  }
  c.writeVector(0, vectorOf([d!, x!, b!, a!]));
};

const sha1Next: Lower = (c) => {
  const e = i32.rotl(i32x4.extract(c.readVector(0), 3), 30);
  const data = c.readVector(1);
  c.writeVector(0, i32x4.replace(data, 3, i32.add(i32x4.extract(data, 3), e)));
};
const sha1Message1: Lower = (c) => {
  const a = c.readVector(0);
  const b = c.readVector(1);
  c.writeVector(0, v128.xor(a, i64x2.replace(i64x2.splat(i64x2.extract(a, 0)), 0, i64x2.extract(b, 1))));
};
const sha1Message2: Lower = (c) => {
  const [a0, a1, a2, a3] = words(c, c.readVector(0));
  const [b0, b1, b2] = words(c, c.readVector(1));
  const w16 = c.let(i32.rotl(i32.xor(a3, b2), 1));
  const w17 = c.let(i32.rotl(i32.xor(a2, b1), 1));
  const w18 = c.let(i32.rotl(i32.xor(a1, b0), 1));
  const w19 = c.let(i32.rotl(i32.xor(a0, w16), 1));
  c.writeVector(0, vectorOf([w19, w18, w17, w16]));
};

const rotations = (v: I32, ...counts: number[]): I32 =>
  counts.map((n) => i32.rotr(v, n)).reduce((a, b) => i32.xor(a, b));
/** The small sigmas of the message schedule: two rotations and a shift. */
const sigma0 = (v: I32): I32 => i32.xor(rotations(v, 7, 18), i32.shr_u(v, 3));
const sigma1 = (v: I32): I32 => i32.xor(rotations(v, 17, 19), i32.shr_u(v, 10));

/** SHA256RNDS2: two rounds, with their message words and constants summed in XMM0. */
const sha256Rounds: Lower = (c) => {
  const [h0, g0, d0, c0] = words(c, c.readVector(0));
  const [f0, e0, b0, a0] = words(c, c.readVector(1));
  const wk = c.vector(0);
  let [a, b, x, d, e, f, g, h]: I32[] = [a0, b0, c0, d0, e0, f0, g0, h0];
  for (let n = 0; n < 2; n++) {
    const choice = i32.xor(i32.and(e!, f!), i32.and(i32.not(e!), g!));
    const majority = i32.xor(i32.xor(i32.and(a!, b!), i32.and(a!, x!)), i32.and(b!, x!));
    const t = c.let(sum(choice, rotations(e!, 6, 11, 25), i32x4.extract(wk, n), h!));
    const next = c.let(sum(t, majority, rotations(a!, 2, 13, 22)));
    [h, g, f, e, d, x, b, a] = [g!, f!, e!, c.let(i32.add(t, d!)), x!, b!, a!, next];
  }
  c.writeVector(0, vectorOf([f!, e!, b!, a!]));
};
const sha256Message1: Lower = (c) => {
  const a = words(c, c.readVector(0));
  const next = [a[1], a[2], a[3], c.let(i32x4.extract(c.readVector(1), 0))] as const;
  const at = (n: 0 | 1 | 2 | 3): I32 => c.let(i32.add(a[n], sigma0(next[n])));
  c.writeVector(0, vectorOf([at(0), at(1), at(2), at(3)]));
};
const sha256Message2: Lower = (c) => {
  const [a0, a1, a2, a3] = words(c, c.readVector(0));
  const [, , b2, b3] = words(c, c.readVector(1));
  const w16 = c.let(i32.add(a0, sigma1(b2)));
  const w17 = c.let(i32.add(a1, sigma1(b3)));
  const w18 = c.let(i32.add(a2, sigma1(w16)));
  c.writeVector(0, vectorOf([w16, w17, w18, c.let(i32.add(a3, sigma1(w17)))]));
};

const aes = (name: string, opcode: string, f: BlockFunction): Row[] =>
  sse(name, `66 0F38 ${opcode} /r`, 'Vdq Hdq Wdq', round(f), { vex: '128' });

export const cryptoRows: readonly Row[] = [
  ...aes('aesenc', 'DC', crypto.aesEncrypt),
  ...aes('aesenclast', 'DD', crypto.aesEncryptLast),
  ...aes('aesdec', 'DE', crypto.aesDecrypt),
  ...aes('aesdeclast', 'DF', crypto.aesDecryptLast),
  ...sse('aesimc', '66 0F38 DB /r', 'Vdq Wdq', unmix, { vex: '128' }),
  ...sse('aeskeygenassist', '66 0F3A DF /r', 'Vdq Wdq Ib', keyAssist, { vex: '128' }),
  ...sse('pclmulqdq', '66 0F3A 44 /r', 'Vdq Hdq Wdq Ib', carryless, { vex: '128' }),
  op('sha1rnds4', 'NP 0F 3A CC /r', 'Vdq Wdq Ib', sha1Rounds),
  op('sha1nexte', 'NP 0F 38 C8 /r', 'Vdq Wdq', sha1Next),
  op('sha1msg1', 'NP 0F 38 C9 /r', 'Vdq Wdq', sha1Message1),
  op('sha1msg2', 'NP 0F 38 CA /r', 'Vdq Wdq', sha1Message2),
  op('sha256rnds2', 'NP 0F 38 CB /r', 'Vdq Wdq', sha256Rounds),
  op('sha256msg1', 'NP 0F 38 CC /r', 'Vdq Wdq', sha256Message1),
  op('sha256msg2', 'NP 0F 38 CD /r', 'Vdq Wdq', sha256Message2),
];
