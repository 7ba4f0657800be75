/** The name of a core file: format_corename(), fs/coredump.c. */
import type { SigInfo } from '../abi/signal.ts';
import type { Task } from '../task/task.ts';

/** What /proc/sys says of core files. Plain data of the kernel. */
export interface CoreState {
  /** kernel.core_pattern */
  pattern: string;
  /** kernel.core_uses_pid */
  usesPid: boolean;
  /** kernel.core_pipe_limit: so many helpers at once, for whose end a dump waits; 0: any number, and no dump waits. */
  pipeLimit: number;
  /** core_dump_count: dumps into pipes that are under way. */
  dumps: number;
  /** fs.suid_dumpable: SUID_DUMP_* for a process whose ids changed. */
  suidDumpable: number;
}

export const newCoreState = (): CoreState => ({
  pattern: 'core',
  usesPid: false,
  pipeLimit: 0,
  dumps: 0,
  suidDumpable: 0,
});

/** cn_printf() of a name: a slash would lead elsewhere. */
const escaped = (name: string): string => {
  const safe = name.replaceAll('/', '!');
  return safe === '' || safe === '.' || safe === '..' ? `!${safe.slice(1)}` : safe;
};

/** What begins a pattern that names a program, to which the core goes. */
export const PIPE = '|';

/** format_corename(): the name of the file, or the helper's command line. */
export function format_corename(task: Task, info: SigInfo): string {
  const { kernel, group, cred, mm } = task;
  const { pattern, usesPid } = kernel.coreState;
  const piped = pattern.startsWith(PIPE);
  let pidUsed = false;
  const values: Readonly<Record<string, () => string>> = {
    '%': () => '%',
    p: () => String(task.tgid),
    P: () => String(task.tgid),
    i: () => String(task.pid),
    I: () => String(task.pid),
    u: () => String(cred.uid),
    g: () => String(cred.gid),
    d: () => String(mm.dumpable),
    s: () => String(info.signo),
    t: () => String(kernel.realtimeNs() / 1_000_000_000n),
    h: () => escaped(kernel.hostname),
    e: () => escaped(task.comm),
    E: () => (mm.exeFile?.path ?? `${task.comm} (path unknown)`).replaceAll('/', '!'),
    c: () => String(group.rlimits[4]?.cur ?? 0n),
  };
  // A % at the end, and a letter that means nothing, are left out.
  let name = (piped ? pattern.slice(PIPE.length) : pattern).replace(/%(.?)/gs, (_all, letter: string) => {
    if (letter === 'p') pidUsed = true;
    return values[letter]?.() ?? '';
  });
  if (!piped && !pidUsed && usesPid) name += `.${task.tgid}`;
  return name;
}
