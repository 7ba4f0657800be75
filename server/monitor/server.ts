/** How the server behaves towards gdb: cs-switch symbols. */
import { VDSO_PREFIX } from '../linux-target/files.ts';
import type { MonitorCommand, MonitorContext } from './command.ts';

const MODES = {
  stop: 'the program stops there once (T00)',
  exec: 'gdb is told of an exec, and reads everything anew',
  silent: 'the program runs on; addresses above 4 GiB are out of reach of a 32-bit view',
} as const;

const isMode = (text: string | undefined): text is keyof typeof MODES =>
  text !== undefined && Object.hasOwn(MODES, text);

function csSwitch({ kernel }: MonitorContext, args: readonly string[]): string {
  const mode = args[0];
  if (mode !== undefined && !isMode(mode)) return `cs-switch: stop, exec or silent, not '${mode}'\n`;
  if (isMode(mode)) kernel.debug.csSwitch = mode;
  const now = kernel.debug.csSwitch;
  return `at a change between 64- and 32-bit code during continue: ${now}: ${MODES[now]}\n`;
}

/** Lines that gdb can execute as they are. */
function symbols({ symbols: blob, task }: MonitorContext): string {
  const lines = blob ? [`add-symbol-file ${blob.path} -o 0x${blob.offset.toString(16)}`] : [];
  const { vdso, vdsoImage } = task?.mm ?? {};
  if (vdso !== undefined && vdsoImage) {
    lines.push(`add-symbol-file target:${VDSO_PREFIX}${vdsoImage.kind} -o 0x${vdso.toString(16)}`);
  }
  return lines.length > 0 ? `${lines.join('\n')}\n` : 'nothing beyond the files that the process has mapped\n';
}

export const SERVER_COMMANDS: readonly MonitorCommand[] = [
  {
    name: 'cs-switch',
    usage: '[stop|exec|silent]',
    help: 'what happens when CS changes during continue',
    run: csSwitch,
  },
  {
    name: 'symbols',
    usage: '',
    help: 'the gdb commands that read symbols of the restorer blob and of the mapped vDSO',
    run: symbols,
  },
];
