import { createCipheriv, createHash } from 'node:crypto';
import { expect } from 'chai';
import { vectorOffset } from '../../cpu/state.ts';
import { FpMachine } from './fp-machine.ts';

const code = (...hex: string[]): Uint8Array => Buffer.from(hex.join('').replace(/ /g, ''), 'hex');

describe('AES, SHA, PCLMULQDQ, RDRAND', () => {
  const m = new FpMachine(true);
  const memory = new Uint8Array(m.cpu.memory.buffer);
  const set = (n: number, bytes: Uint8Array): void => memory.set(bytes, vectorOffset(n));
  const get = (n: number): Buffer => Buffer.from(memory.slice(vectorOffset(n), vectorOffset(n) + 16));

  it('encrypts and decrypts a block as AES-128 does, with keys of AESKEYGENASSIST', () => {
    const key = Buffer.from('2b7e151628aed2a6abf7158809cf4f3c', 'hex');
    const text = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
    const keys = [key];
    for (let round = 1, constant = 1; round <= 10; round++) {
      set(1, keys.at(-1)!);
      // aeskeygenassist $constant,%xmm1,%xmm2
      m.run(code('660f3adfd1', constant.toString(16).padStart(2, '0')));
      const next = Buffer.from(keys.at(-1)!);
      const assist = get(2).readUInt32LE(12);
      for (let i = 0, word = assist; i < 4; i++) {
        word = (word ^ next.readUInt32LE(4 * i)) >>> 0;
        next.writeUInt32LE(word, 4 * i);
      }
      keys.push(next);
      constant = constant === 0x80 ? 0x1b : constant << 1;
    }
    const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((v, i) => v ^ b[i]!));
    set(0, xor(text, keys[0]!));
    keys.slice(1).forEach((roundKey, n) => {
      set(1, roundKey);
      m.run(code(n === 9 ? '660f38ddc1' : '660f38dcc1'));
    });
    const cipher = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false);
    expect(get(0).toString('hex')).to.equal(cipher.update(text).toString('hex'));

    set(0, xor(get(0), keys[10]!));
    for (let round = 9; round >= 0; round--) {
      set(1, keys[round]!);
      if (round > 0) m.run(code('660f38dbc9')); // aesimc
      m.run(code(round === 0 ? '660f38dfc1' : '660f38dec1'));
    }
    expect(get(0).toString('hex')).to.equal(text.toString('hex'));
  });

  it('hashes a block as SHA-1 does', () => {
    const block = Buffer.alloc(64);
    block.write('abc');
    block[3] = 0x80;
    block[63] = 24;
    const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
    const vector = (words: readonly number[]): Buffer => {
      const bytes = Buffer.alloc(16);
      words.forEach((w, i) => {
        bytes.writeUInt32LE(w >>> 0, 4 * (3 - i));
      });
      return bytes;
    };
    const w: Buffer[] = [0, 1, 2, 3].map((n) => vector([0, 1, 2, 3].map((i) => block.readUInt32BE(16 * n + 4 * i))));
    for (let n = 4; n < 20; n++) {
      set(0, w[n - 4]!);
      set(1, w[n - 3]!);
      set(2, w[n - 2]!);
      set(3, w[n - 1]!);
      m.run(code('0f38c9c1', '660fefc2', '0f38cac3')); // sha1msg1, pxor, sha1msg2
      w.push(get(0));
    }
    set(0, vector(state.slice(0, 4)));
    set(4, vector([state[4]!, 0, 0, 0]));
    for (let n = 0; n < 20; n++) {
      // xmm1: E of before plus the words; xmm4: ABCD of before, for the next E
      set(1, w[n]!);
      if (n === 0)
        m.run(code('660ffecc')); // paddd %xmm4,%xmm1
      else m.run(code('0f38c8e1', '660f6fcc')); // sha1nexte %xmm1,%xmm4; movdqa %xmm4,%xmm1
      m.run(code('660f6fe0', `0f3accc1 0${Math.floor(n / 5)}`)); // movdqa %xmm0,%xmm4; sha1rnds4
    }
    const sum = (a: number, b: number): number => (a + b) >>> 0;
    const abcd = [3, 2, 1, 0].map((i, n) => sum(get(0).readUInt32LE(4 * i), state[n]!));
    const old = get(4).readUInt32LE(12);
    const digest = [...abcd, sum((old << 30) | (old >>> 2), state[4]!)];
    const hex = digest.map((v) => v.toString(16).padStart(8, '0')).join('');
    expect(hex).to.equal(createHash('sha1').update('abc').digest('hex'));
  });

  it('multiplies without carries', () => {
    const a = 0x8000000000000001n;
    const b = 0xfedcba9876543210n;
    let expected = 0n;
    for (let i = 0n; i < 64n; i++) if ((b >> i) & 1n) expected ^= a << i;
    const bytes = Buffer.alloc(16);
    bytes.writeBigUInt64LE(a, 8);
    bytes.writeBigUInt64LE(b, 0);
    set(0, bytes);
    m.run(code('660f3a44c001')); // pclmulqdq $1,%xmm0,%xmm0
    expect(get(0).readBigUInt64LE(0) | (get(0).readBigUInt64LE(8) << 64n)).to.equal(expected);
  });

  it('gives numbers that the state of the generator tells', () => {
    const draw = (): bigint => {
      m.regs.rax = 0n;
      m.regs.rflags = 0x8d6n;
      m.run(code('480fc7f0'));
      expect(m.regs.rflags & 0x8d5n).to.equal(1n);
      return m.regs.rax;
    };
    m.cpu.random.state = 1n;
    const first = [draw(), draw()];
    expect(first[0]).not.to.equal(first[1]);
    m.cpu.random.state = 1n;
    expect([draw(), draw()]).to.deep.equal(first);
    m.regs.rax = -1n & 0xffffffffffffffffn;
    m.run(code('0fc7f8')); // rdseed %eax
    expect(m.regs.rax >> 32n).to.equal(0n);
  });
});
