import { expect } from 'chai';
import { type I32, i32, i64 } from '../../cpu/ir/expr.ts';
import { type AnyFunction, define } from '../../cpu/ir/function.ts';
import { runtimeFunctions } from '../../cpu/runtime/all.ts';
import { RuntimeImports, runtimeModule } from '../../cpu/runtime/module.ts';
import { MEMORY_PAGES, State } from '../../cpu/state.ts';

describe('runtime functions', () => {
  const twice = define('twice', ['i64'], ['i64'], (_f, a) => [i64.shl(a, 1)]);
  /** Quotient and remainder by subtraction, and a note in the state; -1 for a division by zero. */
  const divide = define('divide', ['i64', 'i64'], ['i32', 'i64', 'i64'], (f, a, b) => {
    f.if(i64.eqz(b), () => f.return(i32.const(-1), i64.const(0), i64.const(0)));
    const rest = f.variable(a);
    const quotient = f.variable(i64.const(0));
    f.if(i64.ge_u(rest.value, b), () =>
      f.loop((again) => {
        rest.set(i64.sub(rest.value, b));
        quotient.set(i64.add(quotient.value, 1));
        again(i64.ge_u(rest.value, b));
      }),
    );
    f.set('mxcsr', i32.wrap(rest.value));
    f.store(16, i32.const(State.st), i32.wrap(quotient.value), 8);
    return [f.load(16, i32.const(State.st), 8) as I32, f.call(twice, quotient.value), rest.value];
  });
  const functions = [divide] as unknown as AnyFunction[];

  it('take several parameters, give several results, call each other and see the state', () => {
    const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    const module = new WebAssembly.Module(runtimeModule(functions));
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    const run = exports['divide'] as (a: bigint, b: bigint) => readonly [number, bigint, bigint];
    expect(run(38n, 5n)).to.deep.equal([7, 14n, 3n]);
    expect(run(38n, 0n)).to.deep.equal([-1, 0n, 0n]);
    expect(new DataView(memory.buffer).getUint32(State.mxcsr, true)).to.equal(3);
  });

  it('are numbered after the other imports of a module, once each', () => {
    const called = new RuntimeImports(7);
    const [a, b] = [divide, twice] as unknown as [AnyFunction, AnyFunction];
    expect([called.index(a), called.index(b), called.index(a)]).to.deep.equal([7, 8, 7]);
    expect(called.imports.map(({ name }) => name)).to.deep.equal(['divide', 'twice']);
  });

  it('have names of their own', () => {
    const names = runtimeFunctions.map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
    const imports = ['memory', 'table', 'slow', 'commit', 'raise', 'helper', 'stack', 'address', 'resolve'];
    expect(names.filter((name) => imports.includes(name))).to.deep.equal([]);
  });

  it('make a valid module', () => {
    expect(() => new WebAssembly.Module(runtimeModule())).not.to.throw();
  });
});
