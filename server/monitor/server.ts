/** How the server behaves towards gdb: cs-switch symbols. */
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
    help: "the gdb command that reads the restorer blob's symbols",
    run: ({ symbols }) =>
      symbols
        ? `add-symbol-file ${symbols.path} -o 0x${symbols.offset.toString(16)}\n`
        : 'no restorer blob in this process\n',
  },
];
