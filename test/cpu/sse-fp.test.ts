import { expect } from 'chai';
import { Vector } from '../../cpu/exit.ts';
import { State, vectorOffset } from '../../cpu/state.ts';
import { vectorsByCode } from './fixture-vectors.ts';
import { DATA, FpMachine } from './fp-machine.ts';

const STACK = DATA + 0x800;
const STATUS = 0x8d5n;

function setVector(m: FpMachine, n: number, hex: string): void {
  const { view } = m.regs;
  view.setBigUint64(vectorOffset(n), BigInt(`0x${hex.slice(16)}`), true);
  view.setBigUint64(vectorOffset(n) + 8, BigInt(`0x${hex.slice(0, 16)}`), true);
}
const digits = (v: bigint, n: number): string => v.toString(16).padStart(n, '0');
function getVector(m: FpMachine, n: number): string {
  const { view } = m.regs;
  const at = vectorOffset(n);
  return digits(view.getBigUint64(at + 8, true), 16) + digits(view.getBigUint64(at, true), 16);
}

describe('SSE floating point as the hardware does it', () => {
  const m = new FpMachine();
  for (const [code, cases] of vectorsByCode('sse-fp-vectors.txt.gz')) {
    it(`${code}: ${cases.length} cases`, () => {
      for (const line of cases) {
        const [, , mxcsr, a, b, c, gpr, , result, after, rax] = line.split(' ') as string[];
        const { regs } = m;
        [a!, b!, c!].forEach((text, i) => {
          setVector(m, i, text);
        });
        regs.view.setUint32(State.mxcsr, Number.parseInt(mxcsr!, 16), true);
        regs.gpr[0] = BigInt(`0x${gpr}`);
        regs.rsp = BigInt(STACK);
        regs.rflags = 0x202n;
        const exit = m.run(Buffer.from(code, 'hex'));
        // PUSHFQ sees flags other than the six that the program that recorded had; after a fault RAX is untouched.
        const flags = code.endsWith('9c58') && exit.kind === 'budget';
        const mask = flags ? STATUS : (1n << 64n) - 1n;
        const value = getVector(m, 0);
        const got = `${value} ${digits(BigInt(regs.view.getUint32(State.mxcsr, true)), 4)} ${digits(regs.gpr[0]! & mask, 16)}`;
        const want = `${result} ${after} ${digits(BigInt(`0x${rax}`) & mask, 16)}`;
        expect(got, line).to.equal(want);
        if (exit.kind !== 'budget') expect(exit, line).to.include({ kind: 'exception', vector: Vector.XM });
      }
    });
  }
});
