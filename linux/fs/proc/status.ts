import { SIGCHLD } from '../../abi/signal.ts';
import { VM_EXEC, VM_GROWSDOWN, VM_LOCKED, VM_SHARED, VM_WRITE } from '../../mm/vma.ts';
import { clockTicks, thread_group_cputime } from '../../task/cpu-time.ts';
import type { Task } from '../../task/task.ts';
import type { Vfs } from '../vfs.ts';

/** task_state_array[], fs/proc/array.c. */
export function stateOf(task: Task): string {
  if (task.exitState === 'zombie') return 'Z (zombie)';
  if (task.exitState === 'dead') return 'X (dead)';
  if (task.inDebugStop || task.state === 'traced') return 't (tracing stop)';
  if (task.state === 'stopped') return 'T (stopped)';
  if (task.state === 'blocked') return task.wait?.killable ? 'D (disk sleep)' : 'S (sleeping)';
  return 'R (running)';
}

const hex16 = (value: bigint): string => BigInt.asUintN(64, value).toString(16).padStart(16, '0');

interface Sizes {
  readonly total: number;
  readonly rss: number;
  readonly data: number;
  readonly stack: number;
  readonly text: number;
  readonly lib: number;
  readonly locked: number;
  readonly files: number;
}

/** task_mem(), fs/proc/task_mmu.c, in KiB. */
function sizes(task: Task): Sizes {
  const { mm } = task;
  let total = 0;
  let data = 0;
  let stack = 0;
  let exec = 0;
  let locked = 0;
  let files = 0;
  for (const vma of mm.vmas) {
    const kb = (vma.end - vma.start) / 1024;
    total += kb;
    if ((vma.flags & VM_GROWSDOWN) !== 0) stack += kb;
    else if ((vma.flags & (VM_WRITE | VM_SHARED)) === VM_WRITE) data += kb;
    if ((vma.flags & VM_EXEC) !== 0 && (vma.flags & VM_WRITE) === 0) exec += kb;
    if ((vma.flags & VM_LOCKED) !== 0) locked += kb;
    if (vma.file !== undefined) mm.pages.forRange(vma.start / 4096, vma.end / 4096, () => (files += 4));
  }
  const text = Math.floor((Math.ceil(mm.endCode / 4096) * 4096 - Math.floor(mm.startCode / 4096) * 4096) / 1024);
  return { total, rss: mm.rss * 4, data, stack, text, lib: Math.max(0, exec - text), locked, files };
}

/** collect_sigign_sigcatch(), fs/proc/array.c. */
export function handledSets(task: Task): { ignored: bigint; caught: bigint } {
  let ignored = 0n;
  let caught = 0n;
  task.sighand.actions.forEach((action, sig) => {
    if (sig === 0) return;
    const bit = 1n << BigInt(sig - 1);
    if (action.handler === 1n) ignored |= bit;
    else if (action.handler !== 0n) caught |= bit;
  });
  return { ignored, caught };
}

function memoryLines(task: Task): string {
  if (task.exitState !== undefined || task.mm === undefined) return '';
  const s = sizes(task);
  const line = (name: string, kb: number): string => `${name}:\t${String(kb).padStart(8)} kB\n`;
  const peak = Math.max(s.total, task.mm.hiwaterVm / 1024);
  return (
    line('VmPeak', peak) +
    line('VmSize', s.total) +
    line('VmLck', s.locked) +
    line('VmPin', 0) +
    line('VmHWM', s.rss) +
    line('VmRSS', s.rss) +
    line('RssAnon', s.rss - s.files) +
    line('RssFile', s.files) +
    line('RssShmem', 0) +
    line('VmData', s.data) +
    line('VmStk', s.stack) +
    line('VmExe', s.text) +
    line('VmLib', s.lib) +
    line('VmPTE', 4 * Math.ceil(s.total / 2048)) +
    line('VmPMD', 8) +
    line('VmSwap', 0) +
    line('HugetlbPages', 0)
  );
}

/** proc_pid_status(), fs/proc/array.c of v4.7: Umask is new in it, Seccomp stands after the capabilities. */
export function proc_pid_status(_vfs: Vfs, task: Task): string {
  const { cred, group } = task;
  const { ignored, caught } = handledSets(task);
  const ids = (...values: number[]): string => values.join('\t');
  const fdSize = Math.max(64, 2 ** Math.ceil(Math.log2(Math.max(1, task.files?.fds.length ?? 1))));
  const dead = task.exitState !== undefined;
  const lines = [
    `Name:\t${task.comm.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
    ...(dead ? [] : [`Umask:\t0${task.fs.umask.toString(8).padStart(3, '0')}`]),
    `State:\t${stateOf(task)}`,
    `Tgid:\t${task.tgid}`,
    'Ngid:\t0',
    `Pid:\t${task.pid}`,
    `PPid:\t${task.realParent?.tgid ?? 0}`,
    `TracerPid:\t${tracerOf(task)}`,
    `Uid:\t${ids(cred.uid, cred.euid, cred.suid, cred.fsuid)}`,
    `Gid:\t${ids(cred.gid, cred.egid, cred.sgid, cred.fsgid)}`,
    `FDSize:\t${dead ? 0 : fdSize}`,
    `Groups:\t${cred.groups.map((g) => `${g} `).join('') || ' '}`,
    `NStgid:\t${task.tgid}`,
    `NSpid:\t${task.pid}`,
    `NSpgid:\t${group.pgrp}`,
    `NSsid:\t${group.session}`,
  ];
  const tail = [
    `Threads:\t${group.threads.length}`,
    `SigQ:\t${task.pending.list.length + group.sharedPending.list.length}/7782`,
    `SigPnd:\t${hex16(task.pending.set)}`,
    `ShdPnd:\t${hex16(group.sharedPending.set)}`,
    `SigBlk:\t${hex16(task.blocked)}`,
    `SigIgn:\t${hex16(ignored)}`,
    `SigCgt:\t${hex16(caught)}`,
    `CapInh:\t${hex16(cred.capInheritable)}`,
    `CapPrm:\t${hex16(cred.capPermitted)}`,
    `CapEff:\t${hex16(cred.capEffective)}`,
    `CapBnd:\t${hex16(cred.capBset)}`,
    `CapAmb:\t${hex16(cred.capAmbient)}`,
    `Seccomp:\t${task.seccomp.mode}`,
    'Cpus_allowed:\t1',
    'Cpus_allowed_list:\t0',
    'Mems_allowed:\t1',
    'Mems_allowed_list:\t0',
    `voluntary_ctxt_switches:\t${task.voluntarySwitches}`,
    `nonvoluntary_ctxt_switches:\t${task.involuntarySwitches}`,
  ];
  return `${lines.join('\n')}\n${memoryLines(task)}${tail.join('\n')}\n`;
}

/** The ptrace tracer, 0 when nobody traces. */
const tracerOf = (task: Task): number => (task.ptrace !== 0 ? (task.parent?.pid ?? 0) : 0);

/** do_task_stat(), fs/proc/array.c of v4.7: 52 fields. */
export function proc_pid_stat(vfs: Vfs, task: Task, whole = true): string {
  const { group, mm } = task;
  const alive = task.exitState === undefined && mm !== undefined;
  const { ignored, caught } = handledSets(task);
  const threads = whole ? group.threads : [task];
  const cpu = whole ? thread_group_cputime(group) : task.cpuTime;
  const faults = threads.reduce((sum, t) => sum + t.minFaults, 0);
  const major = threads.reduce((sum, t) => sum + t.majFaults, 0);
  const low31 = (set: bigint): bigint => set & 0x7fffffffn;
  const fields: (number | bigint | string)[] = [
    task.pid,
    `(${task.comm})`,
    stateOf(task)[0]!,
    task.realParent?.tgid ?? 0,
    group.pgrp,
    group.session,
    group.tty === undefined ? 0 : Number(group.tty.rdev),
    group.tty === undefined ? -1 : group.tty.pgrp,
    0x400000 + (task.didExec ? 0 : 0x40),
    faults,
    0,
    major,
    0,
    clockTicks(cpu.user),
    clockTicks(cpu.system),
    clockTicks(group.childrenTime.user),
    clockTicks(group.childrenTime.system),
    20 + task.nice,
    task.nice,
    group.threads.length,
    0,
    clockTicks(task.startTime),
    alive ? mm.totalVm * 4096 : 0,
    alive ? mm.rss : 0,
    rsslim(group.rlimits[5]?.cur),
    alive ? mm.startCode : 0,
    alive ? mm.endCode : 0,
    alive ? mm.startStack : 0,
    alive ? task.regs.gpr[4]! : 0,
    alive ? task.regs.rip : 0,
    low31(task.pending.set),
    low31(task.blocked),
    low31(ignored),
    low31(caught),
    task.state === 'blocked' ? 1 : 0,
    0,
    0,
    whole ? SIGCHLD : task.exitSignal,
    0,
    task.rtPriority,
    task.policy,
    0,
    0,
    0,
    alive ? mm.startData : 0,
    alive ? mm.endData : 0,
    alive ? mm.startBrk : 0,
    alive ? mm.argStart : 0,
    alive ? mm.argEnd : 0,
    alive ? mm.envStart : 0,
    alive ? mm.envEnd : 0,
    task.exitCode,
  ];
  void vfs;
  return `${fields.join(' ')}\n`;
}

const rsslim = (limit: bigint | undefined): bigint => limit ?? 0xffff_ffff_ffff_ffffn;

/** proc_pid_statm(), fs/proc/array.c. */
export function proc_pid_statm(_vfs: Vfs, task: Task): string {
  if (task.exitState !== undefined || task.mm === undefined) return '0 0 0 0 0 0 0\n';
  const s = sizes(task);
  const pages = (kb: number): number => Math.floor(kb / 4);
  const values = [s.total, s.rss, s.files, s.text, 0, s.data + s.stack, 0];
  return `${values.map(pages).join(' ')}\n`;
}
