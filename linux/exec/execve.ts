import { ELOOP, ENOEXEC } from '../abi/errno.ts';
import type { Dentry } from '../fs/dentry.ts';
import { fput } from '../fs/file.ts';
import { force_sigsegv } from '../signal/queue.ts';
import type { Task } from '../task/task.ts';
import { load_elf_binary } from './binfmt-elf.ts';
import { load_script } from './binfmt-script.ts';
import { type BinPrm, do_open_execat, prepare_binprm } from './binprm.ts';
import { checkArguments } from './stack.ts';

const SIGSEGV = 11;

export interface ExecOptions {
  /** Where a relative path starts, of execveat(); an empty path means the file itself. */
  readonly start?: Dentry | undefined;
  readonly follow?: boolean;
  /** bprm->filename when it is not the path: "/dev/fd/N". */
  readonly filename?: string;
}

/** do_execveat_common(), fs/exec.c. @returns 0 when the new program is ready to run, or an errno */
export function do_execve(
  task: Task,
  path: string,
  argv: readonly (string | Uint8Array)[],
  envp: readonly (string | Uint8Array)[],
  options: ExecOptions = {},
): number {
  const bytes = (s: string | Uint8Array): Uint8Array => (typeof s === 'string' ? Buffer.from(s) : s);
  const file = do_open_execat(task, path, options.start, options.follow ?? true);
  if (typeof file === 'number') return file;
  const filename = options.filename ?? path;
  const bprm: BinPrm & { committed: boolean } = {
    task,
    file,
    buf: prepare_binprm(file),
    filename,
    interp: filename,
    argv: argv.map(bytes),
    envp: envp.map(bytes),
    secure: false,
    depth: 0,
    committed: false,
  };
  let error = checkArguments(bprm);
  if (error === 0) error = search_binary_handler(bprm);
  fput(bprm.file);
  if (error < 0 && bprm.committed) force_sigsegv(task, SIGSEGV);
  if (error < 0) return error;
  task.kernel.report({ kind: 'exec', task, path: task.mm.exeFile?.path ?? path });
  return 0;
}

/** search_binary_handler(), fs/exec.c: at most five scripts on the way. */
function search_binary_handler(bprm: BinPrm & { committed: boolean }): number {
  for (;;) {
    if (bprm.depth > 5) return -ELOOP;
    const script = load_script(bprm);
    if (script === 1) {
      bprm.depth++;
      continue;
    }
    if (script !== -ENOEXEC) return script;
    return load_elf_binary(bprm);
  }
}
