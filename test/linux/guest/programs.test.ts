import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { buildC, haveGcc } from '../../helpers/build.ts';
import * as programs from './programs.ts';

describe('guest programs', () => {
  for (const [name, source] of Object.entries(programs)) {
    for (const bits of [64, 32]) {
      it(`${name}, ${bits} bits, as on Linux`, function () {
        if (!haveGcc()) this.skip();
        this.timeout(300_000);
        const program = buildC(name, source, [`-m${bits}`, '-static', '-pthread', '-w']);
        const native = spawnSync(program, { encoding: 'utf8' });
        const cli = ['--import', 'tsx', 'server/main.ts', 'exec', '--run', program];
        const ours = spawnSync(process.execPath, cli, { encoding: 'utf8', timeout: 240_000 });
        expect(ours.stdout, ours.stderr).to.equal(native.stdout);
        const expected = native.signal === 'SIGTERM' ? 128 + 15 : native.status;
        expect(ours.status, ours.stderr).to.equal(expected);
      });
    }
  }
});
