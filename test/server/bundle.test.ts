/** What `npm run build` makes runs as the sources do. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ModuleStore, STORE_FILE } from '../../cpu/wasm/module-store.ts';
import { bundleScript, CODE } from '../../server/bundle/bundle-script.ts';
import { makeDist } from '../../server/bundle/dist.ts';
import { commonModules } from '../../server/bundle/modules.ts';
import { PROJECT } from '../../server/bundled.ts';
import { buildC, haveGcc } from '../helpers/build.ts';

describe('dist', () => {
  const folder = join(PROJECT, 'dist.test');
  const server = join(folder, 'server');
  const run = (nodeOptions: readonly string[], ...args: readonly string[]) =>
    spawnSync('node', [...nodeOptions, join(server, 'main.js'), ...args], { encoding: 'utf8' });

  before(async () => {
    await makeDist(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('starts with the code that V8 compiled for it', () => {
    expect(bundleScript(server).cachedDataRejected).to.equal(false);
  });

  it('has the modules that the interpreter makes', () => {
    const kept = ModuleStore.from(readFileSync(join(folder, 'cpu', 'wasm', STORE_FILE)));
    const made = commonModules();
    expect(made.get('functions')!.handlers).to.have.length.greaterThan(40);
    for (const name of ['main', 'functions', 'runtime'] as const) expect(kept.get(name)).to.deep.equal(made.get(name));
  });

  it('runs a program', function () {
    if (!haveGcc()) return this.skip();
    const program = buildC('hello', '#include <stdio.h>\nint main(void) { puts("hello"); return 3; }', []);
    const { status, stdout, stderr } = run([], 'exec', '--run', program);
    expect({ status, stdout, stderr }).to.deep.equal({ status: 3, stdout: 'hello\n', stderr: '' });
  });

  it('says what is wrong', () => {
    const { status, stderr } = run([], 'exec');
    expect({ status, stderr }).to.deep.equal({
      status: 2,
      stderr: "compat-gdbserver: missing required argument 'program'\n",
    });
  });

  it('runs by way of the module loader, for source maps', () => {
    const mapped = run(['--enable-source-maps'], 'patches');
    expect(mapped.status).to.equal(0);
    expect(mapped.stdout).to.equal(run([], 'patches').stdout);
  });

  it('runs without the code as well', () => {
    truncateSync(join(server, CODE), 1000);
    expect(bundleScript(server).cachedDataRejected).to.equal(true);
    expect(run([], 'patches').status).to.equal(0);
  });
});
