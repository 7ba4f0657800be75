import { expect } from 'chai';
import { executeRegister } from '../../cpu/isa/x87-execute.ts';
import { X87 } from '../../cpu/isa/x87-state.ts';
import { CONTEXT_SIZE, State } from '../../cpu/state.ts';
import { Random } from '../difftest/random.ts';
import { FpMachine } from './fp-machine.ts';

/** Opcode and ModRM of what has a runtime function. */
const INSTRUCTIONS = [
  ...[0xc1, 0xc9, 0xd1, 0xd9, 0xe1, 0xe9, 0xf1, 0xf9].map((modrm) => [0xd8, modrm] as const),
  ...[0xc1, 0xca, 0xe1, 0xe9, 0xf1, 0xf9].map((modrm) => [0xde, modrm] as const),
  ...[0xc1, 0xc9, 0xe0, 0xe1, 0xe4, 0xe5, 0xe9, 0xf4, 0xfa, 0xfc, 0xfd].map((modrm) => [0xd9, modrm] as const),
  ...[0xd1, 0xd9, 0xe1, 0xe9].map((modrm) => [0xdd, modrm] as const),
] as const;

describe('x87 in WebAssembly', () => {
  const m = new FpMachine(true);
  const memory = new Uint8Array(m.cpu.memory.buffer, 0, CONTEXT_SIZE);
  const { view } = m.regs;
  const random = new Random(0x387);

  function prepare(): void {
    view.setUint32(State.fcw, 0x7f | (random.below(4) << 8) | (random.below(4) << 10), true);
    if (random.oneIn(4)) view.setUint32(State.fcw, 0x40 | random.below(0x1000), true);
    view.setUint32(State.fsw, (random.below(8) << 11) | (random.u32() & 0x4700), true);
    view.setUint32(State.ftw, random.oneIn(8) ? random.below(256) : 0xff, true);
    // Exponents near each other, as sums want, and at both ends now and then.
    const near = random.oneIn(6) ? (random.oneIn(2) ? 1 : 0x7fc0) : 0x3fc0;
    for (let i = 0; i < 8; i++) {
      const bits = random.u64() & (random.oneIn(2) ? -1n : -1n << BigInt(random.below(64)));
      view.setBigUint64(State.st + 16 * i, random.oneIn(12) ? 0n : bits | (1n << 63n), true);
      const exponent = random.oneIn(12) ? 0 : near + random.below(random.oneIn(2) ? 4 : 0x80);
      view.setUint16(State.st + 16 * i + 8, (exponent & 0x7fff) | (random.oneIn(2) ? 0x8000 : 0), true);
    }
  }

  it('does what TypeScript does', () => {
    const from = State.fcw;
    const to = State.st + 128;
    for (const [opcode, modrm] of INSTRUCTIONS) {
      for (let n = 0; n < 60; n++) {
        prepare();
        const copy = memory.slice();
        const expected = new X87(new DataView(copy.buffer));
        executeRegister(expected, opcode, modrm, 0);
        m.run(Uint8Array.of(opcode, modrm));
        // The pointers to the last instruction are the row's affair.
        for (const at of [State.fip, State.fdp, State.fop]) copy.set(memory.subarray(at, at + 8), at);
        const hex = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(from, to)).toString('hex');
        expect(hex(memory), `${opcode.toString(16)} ${modrm.toString(16)}`).to.equal(hex(copy));
      }
    }
  });
});
