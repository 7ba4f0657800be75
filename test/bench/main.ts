/**
 * `npm run bench -- cpu|linux [--rounds N] [--only NAME] [--tier NAME] [--keep]`: times natively, under qemu-user and here, in turn,
 * as ratios. `--keep` writes them where the README quotes them. Needs gcc with -m32 and qemu-user.
 */
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { PROJECT } from '../../server/bundled.ts';
import { benchCpu } from './cpu.ts';
import { benchLinux } from './linux.ts';
import { cpuDetails, cpuTable, keepCpu, keepLinux, linuxTable } from './report.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    tier: { type: 'string', default: '' },
    keep: { type: 'boolean', default: false },
  },
});
const options = { rounds: Number(values.rounds), only: values.only, tier: values.tier };
const [kind] = positionals;
if (kind !== 'cpu' && kind !== 'linux') {
  console.error('usage: npm run bench -- cpu|linux [--rounds N] [--only NAME] [--tier interp|translate] [--keep]');
  process.exit(2);
}
execFileSync('npm', ['run', '--silent', 'build'], { cwd: PROJECT, stdio: ['ignore', 'ignore', 'inherit'] });
if (kind === 'cpu') {
  const results = benchCpu(options);
  if (results.workloads.length > 0) console.log(`${cpuDetails(results)}\n`);
  console.log(cpuTable(results));
  if (values.keep) keepCpu(results);
} else {
  const results = benchLinux(options);
  console.log(linuxTable(results));
  if (values.keep) keepLinux(results);
}
