/** The WebAssembly that a start needs: what the interpreter makes for some programs of every system. */
import { pino } from 'pino';
import { CpuContext } from '../../cpu/context.ts';
import { Cpu } from '../../cpu/cpu.ts';
import { ModuleStore } from '../../cpu/wasm/module-store.ts';
import { O_WRONLY } from '../../linux/abi/fcntl.ts';
import { startProgram } from '../../linux/exec/init.ts';
import { Vfs } from '../../linux/fs/vfs.ts';
import { Kernel } from '../../linux/kernel.ts';
import { bootOps } from '../../linux/patches/series.ts';
import { vdsoShipped } from '../../linux/vdso/config.ts';

/** Programs that are not there are missed by nobody: what is not in the store is made when it is needed. */
const SCRIPT = `
echo $((6 * 7)); ls -l /
perl -e 'printf "%.3f %s", 1.5, "a" =~ /a/'
python3 -c 'print(1.5, {"a": 2})'
`;

/** Runs a shell in a machine; what it prints is lost. */
export function commonModules(): ModuleStore {
  const modules = new ModuleStore();
  const cpu = new Cpu({ modules });
  const io = { write: () => 0, isTty: () => false, winsize: () => ({ rows: 0, cols: 0 }) };
  const vfs = new Vfs({ cpu, root: '/', upper: undefined, io });
  const kernel = new Kernel({ cpu, ops: bootOps(), vdso: vdsoShipped(), vfs, log: pino({ level: 'silent' }) });
  const output = vfs.hostStream(1, O_WRONLY);
  const files = [output, output, output];
  const environment = ['PATH=/usr/bin:/bin'];
  startProgram(kernel, '/bin/sh', ['sh', '-c', SCRIPT], environment, { context: new CpuContext(), files, cwd: '/' });
  for (let kind = ''; kind !== 'done' && kind !== 'idle'; ) {
    kind = kernel.run({ action: () => 'run', budget: 50_000_000 }).kind;
  }
  cpu.keepModules();
  return modules;
}
