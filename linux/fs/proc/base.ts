import { EINVAL, ENOENT, ESRCH } from '../../abi/errno.ts';
import { access_process_vm } from '../../mm/uaccess.ts';
import { wholeTime } from '../../task/cpu-time.ts';
import type { Task } from '../../task/task.ts';
import { type Dentry, d_path } from '../dentry.ts';
import { File } from '../file.ts';
import type { Vfs } from '../vfs.ts';
import type { ProcEntry } from './entry.ts';
import { proc_pid_maps, proc_pid_smaps } from './maps.ts';
import { proc_pid_stat, proc_pid_statm, proc_pid_status } from './status.ts';

const alive = (task: Task): boolean => task.exitState === undefined && task.mm !== undefined;

/** The bytes between two addresses of a task, as far as they can be read. */
function range(task: Task, start: number, end: number): Uint8Array {
  if (!alive(task) || start === 0 || end <= start) return new Uint8Array(0);
  return access_process_vm(task.mm, start, Math.min(end - start, 0x20_0000)).slice();
}

/** proc_pid_cmdline_read(), fs/proc/base.c: a task that wrote over the end of its arguments shows on into the environment. */
function proc_pid_cmdline(_vfs: Vfs, task: Task): Uint8Array {
  if (!alive(task)) return new Uint8Array(0);
  const { argStart, argEnd, envStart, envEnd } = task.mm;
  const args = range(task, argStart, argEnd);
  if (args.length === 0 || args[args.length - 1] === 0 || envStart !== argEnd) return args;
  const all = range(task, argStart, envEnd);
  const end = all.indexOf(0, args.length);
  return all.subarray(0, end < 0 ? all.length : end);
}

function followFile(file: unknown): Dentry | number {
  return file instanceof File ? file.dentry : -ENOENT;
}

const RLIMITS: readonly (readonly [string, string])[] = [
  ['Max cpu time', 'seconds'],
  ['Max file size', 'bytes'],
  ['Max data size', 'bytes'],
  ['Max stack size', 'bytes'],
  ['Max core file size', 'bytes'],
  ['Max resident set', 'bytes'],
  ['Max processes', 'processes'],
  ['Max open files', 'files'],
  ['Max locked memory', 'bytes'],
  ['Max address space', 'bytes'],
  ['Max file locks', 'locks'],
  ['Max pending signals', 'signals'],
  ['Max msgqueue size', 'bytes'],
  ['Max nice priority', ''],
  ['Max realtime priority', ''],
  ['Max realtime timeout', 'us'],
];

/** proc_pid_limits(), fs/proc/base.c. */
function proc_pid_limits(_vfs: Vfs, task: Task): string {
  const show = (value: bigint): string => (value >= 0xffff_ffff_ffff_ffffn ? 'unlimited' : String(value)).padEnd(20);
  const head = `${'Limit'.padEnd(25)} ${'Soft Limit'.padEnd(20)} ${'Hard Limit'.padEnd(20)} ${'Units'.padEnd(10)}\n`;
  return RLIMITS.reduce((out, [name, unit], i) => {
    const limit = task.group.rlimits[i];
    if (limit === undefined) return out;
    return `${out}${name.padEnd(25)} ${show(limit.cur)} ${show(limit.max)} ${unit === '' ? '' : unit.padEnd(10)}\n`;
  }, head);
}

const MOUNT_OPTIONS = 'rw,relatime';
const MOUNTS: readonly (readonly [string, string, string])[] = [
  ['overlay', '/', 'overlay'],
  ['proc', '/proc', 'proc'],
  ['devtmpfs', '/dev', 'devtmpfs'],
  ['sysfs', '/sys', 'sysfs'],
];
/** show_vfsmnt(), fs/proc_namespace.c. */
export const mounts = (): string =>
  MOUNTS.map(([from, on, type]) => `${from} ${on} ${type} ${MOUNT_OPTIONS} 0 0\n`).join('');

/** show_mountinfo(), fs/proc_namespace.c. */
const mountinfo = (vfs: Vfs): string =>
  MOUNTS.map(([from, on, type], i) => {
    const dentry = on === '/' ? vfs.root : vfs.root.mounts.get(on.slice(1));
    const minorNumber = dentry?.inode.sb.dev ?? 0n;
    const parent = i === 0 ? 0 : 20;
    return `${20 + i} ${parent} 0:${minorNumber} / ${on} ${MOUNT_OPTIONS} - ${type} ${from} rw\n`;
  }).join('');

/** The first user namespace: every number is itself. */
const ID_MAP = '         0          0 4294967295\n';

const setComm = (_vfs: Vfs, task: Task, text: string): number => {
  task.comm = text.replace(/\n.*$/s, '').slice(0, 15);
  return 0;
};

/** proc_coredump_filter_write(): MMF_DUMP_FILTER_BITS is 9. */
function setCoredumpFilter(_vfs: Vfs, task: Task, text: string): number {
  const value = Number(text.trim().replace(/^0(?=[0-7])/, '0o'));
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) return -EINVAL;
  if (!alive(task)) return -ESRCH;
  task.mm.dumpFilter = value & 0x1ff;
  return 0;
}

/** Files in both tgid_base_stuff and tid_base_stuff, fs/proc/base.c. */
const common: readonly ProcEntry[] = [
  { name: 'auxv', mode: 0o400, guarded: true, show: (_v, task) => (alive(task) ? task.mm.savedAuxv.slice() : '') },
  { name: 'cmdline', mode: 0o444, show: proc_pid_cmdline },
  { name: 'comm', mode: 0o644, show: (_v, task) => `${task.comm}\n`, store: setComm },
  {
    name: 'cwd',
    mode: 0o777,
    readlink: (_v, task) => d_path(task.fs.cwd),
    follow: (_v, task) => task.fs.cwd,
  },
  {
    name: 'environ',
    mode: 0o400,
    guarded: true,
    show: (_v, task) => (alive(task) ? range(task, task.mm.envStart, task.mm.envEnd) : ''),
  },
  {
    name: 'exe',
    mode: 0o777,
    readlink: (_v, task) => (alive(task) ? (task.mm.exeFile?.path ?? -ENOENT) : -ENOENT),
    follow: (_v, task) => (alive(task) ? followFile(task.mm.exeFile) : -ENOENT),
  },
  { name: 'cgroup', mode: 0o444, show: () => '' },
  {
    name: 'io',
    mode: 0o400,
    show: () =>
      ['rchar', 'wchar', 'syscr', 'syscw', 'read_bytes', 'write_bytes', 'cancelled_write_bytes']
        .map((f) => `${f}: 0\n`)
        .join(''),
  },
  { name: 'limits', mode: 0o444, show: proc_pid_limits },
  { name: 'loginuid', mode: 0o644, show: () => '4294967295', store: () => 0 },
  { name: 'maps', mode: 0o444, guarded: true, show: (_v, task) => proc_pid_maps(task) },
  { name: 'mem', mode: 0o600, memory: true },
  { name: 'mountinfo', mode: 0o444, show: (vfs) => mountinfo(vfs) },
  { name: 'mounts', mode: 0o444, show: () => mounts() },
  {
    name: 'oom_score_adj',
    mode: 0o644,
    show: (_v, task) => `${task.group.oomScoreAdj}\n`,
    store: (_v, task, text) => {
      const value = Number(text);
      if (!Number.isInteger(value) || value < -1000 || value > 1000) return -EINVAL;
      task.group.oomScoreAdj = value;
      return 0;
    },
  },
  { name: 'oom_score', mode: 0o444, show: () => '0\n' },
  {
    name: 'personality',
    mode: 0o400,
    guarded: true,
    show: (_v, task) => `${task.personality.toString(16).padStart(8, '0')}\n`,
  },
  {
    name: 'root',
    mode: 0o777,
    readlink: (_v, task) => d_path(task.fs.root),
    follow: (_v, task) => task.fs.root,
  },
  {
    name: 'schedstat',
    mode: 0o444,
    show: (_v, task) => `${wholeTime(task.cpuTime)} 0 ${task.voluntarySwitches + task.involuntarySwitches}\n`,
  },
  { name: 'sessionid', mode: 0o444, show: () => '4294967295' },
  { name: 'smaps', mode: 0o444, guarded: true, show: (_v, task) => proc_pid_smaps(task) },
  { name: 'stack', mode: 0o400, guarded: true, show: () => '' },
  { name: 'statm', mode: 0o444, show: proc_pid_statm },
  { name: 'status', mode: 0o444, show: proc_pid_status },
  {
    name: 'syscall',
    mode: 0o400,
    guarded: true,
    show: (_v, task) => (task.state === 'running' ? 'running\n' : syscallLine(task)),
  },
  { name: 'gid_map', mode: 0o644, show: () => ID_MAP },
  { name: 'uid_map', mode: 0o644, show: () => ID_MAP },
  { name: 'setgroups', mode: 0o644, show: () => 'allow\n' },
  { name: 'wchan', mode: 0o444, show: () => '0' },
];

/** proc_pid_syscall(), fs/proc/base.c. */
function syscallLine(task: Task): string {
  const { regs } = task;
  const sp = `0x${regs.gpr[4]!.toString(16)} 0x${regs.rip.toString(16)}\n`;
  if (!task.inSyscall) return `-1 ${sp}`;
  return `${task.sysNr} ${task.sysArgs.map((a) => `0x${a.toString(16)}`).join(' ')} ${sp}`;
}

export const tgidEntries: readonly ProcEntry[] = [
  ...common,
  {
    name: 'coredump_filter',
    mode: 0o644,
    show: (_v, task) => (alive(task) ? `${task.mm.dumpFilter.toString(16).padStart(8, '0')}\n` : -ESRCH),
    store: setCoredumpFilter,
  },
  { name: 'stat', mode: 0o444, show: (vfs, task) => proc_pid_stat(vfs, task, true) },
];
export const tidEntries: readonly ProcEntry[] = [
  ...common,
  { name: 'children', mode: 0o444, show: (_v, task) => task.children.map((c) => `${c.pid} `).join('') },
  { name: 'stat', mode: 0o444, show: (vfs, task) => proc_pid_stat(vfs, task, false) },
];
