/** The command line; DESIGN of its options: `compat-gdbserver help COMMAND`. */
import { Command, CommanderError } from 'commander';
import { ImageError } from '../criu/image-error.ts';
import { UpperError } from '../linux/fs/upper.ts';
import { execCommand } from './commands/exec.ts';
import { Failure } from './commands/failure.ts';
import { patchesCommand } from './commands/patches.ts';
import { restoreCommand } from './commands/restore.ts';
import { say } from './commands/run.ts';
import { showCommand } from './commands/show.ts';

const NAME = 'compat-gdbserver';
const SUCCESS = new Set(['commander.help', 'commander.helpDisplayed', 'commander.version']);

function makeProgram(done: (status: number) => void): Command {
  const program = new Command(NAME)
    .description('A gdb server that restores CRIU images of 32-bit tasks into an emulated x86-64 machine.')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`${NAME}: ${text.replace(/^error: /, '')}`) });
  const sub = (name: string): Command => program.command(name).exitOverride();
  restoreCommand(sub('restore'), done);
  execCommand(sub('exec'), done);
  showCommand(sub('show'), done);
  patchesCommand(sub('patches'), done);
  return program;
}

/** The status for what went wrong, with its line on stderr. */
function statusOf(error: unknown): number {
  if (error instanceof CommanderError) return SUCCESS.has(error.code) && error.exitCode === 0 ? 0 : 2;
  if (error instanceof Failure) {
    say(`${NAME}: ${error.message}`);
    return error.status;
  }
  if (error instanceof ImageError || error instanceof UpperError) {
    say(`${NAME}: ${error.message}`);
    return 1;
  }
  say(`${NAME}: a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 1;
}

async function main(): Promise<number> {
  let status = 0;
  try {
    await makeProgram((result) => {
      status = result;
    }).parseAsync();
  } catch (error) {
    status = statusOf(error);
  }
  return status;
}

void main().then((status) => process.exit(status));
