/** The notes of a core file: fill_note_info(), fs/binfmt_elf.c, and its compat half fs/compat_binfmt_elf.c. */
import {
  compat_elf_prpsinfo,
  compat_elf_prstatus,
  ELF_PRARGSZ,
  elf_prpsinfo,
  elf_prstatus,
  NT_AUXV,
  NT_FILE,
  NT_PRPSINFO,
  NT_SIGINFO,
  noteBytes,
} from '../abi/elfcore.ts';
import { NT_PRFPREG, NT_PRSTATUS } from '../abi/ptrace.ts';
import type { SigInfo } from '../abi/signal.ts';
import { PAGE_SIZE } from '../addr.ts';
import { access_process_vm } from '../mm/uaccess.ts';
import type { UserRegset, UserRegsetView } from '../ptrace/regset.ts';
import { task_user_regset_view } from '../ptrace/regset-views.ts';
import { siginfoTo32, siginfoTo64 } from '../signal/siginfo.ts';
import { thread_group_cputime } from '../task/cpu-time.ts';
import type { Task } from '../task/task.ts';

/** What a dump is made of. */
export interface DumpSource {
  /** The thread that dumps: the first in the file, and whose view decides. */
  readonly task: Task;
  /** All threads of the process, in the order of the file. */
  readonly threads: readonly Task[];
  readonly view: UserRegsetView;
  readonly info: SigInfo;
  /** i386 and x32 programs: ELF32. */
  readonly compat: boolean;
}

const PF_SIGNALED = 0x400,
  PF_DUMPCORE = 0x200,
  PF_FORKNOEXEC = 0x40;
const MAX_FILE_NOTE_SIZE = 4 * 1024 * 1024;

const timeval = (ns: number): number[] => [Math.floor(ns / 1e9), Math.floor((ns % 1e9) / 1000)];

/** All notes, in the order of write_note_info(): the process-wide ones stand behind the first thread's status. */
export function notesOf(source: DumpSource): Uint8Array[] {
  const [first, ...others] = source.threads.map((thread) => threadNotes(source, thread));
  const files = filesNote(source);
  return [
    first!.prstatus,
    noteBytes('CORE', NT_PRPSINFO, psinfo(source)),
    noteBytes('CORE', NT_SIGINFO, siginfo(source)),
    noteBytes('CORE', NT_AUXV, source.task.mm.savedAuxv),
    ...(files === undefined ? [] : [noteBytes('CORE', NT_FILE, files)]),
    ...first!.regsets,
    ...others.flatMap((notes) => [notes.prstatus, ...notes.regsets]),
  ];
}

/** fill_thread_core_info(): a set that the thread does not use gets no note. */
function threadNotes(source: DumpSource, thread: Task): { prstatus: Uint8Array; regsets: Uint8Array[] } {
  const [general, ...rest] = source.view.regsets;
  const regsets = rest.flatMap((regset) => {
    if (regset.active?.(thread) === 0) return [];
    const bytes = regset.get(thread);
    const owner = regset.noteType === NT_PRFPREG ? 'CORE' : 'LINUX';
    return typeof bytes === 'number' ? [] : [noteBytes(owner, regset.noteType, bytes)];
  });
  return { prstatus: noteBytes('CORE', NT_PRSTATUS, prstatus(source, thread, general!)), regsets };
}

/** fill_prstatus(), and pr_reg and pr_fpvalid behind it. */
function prstatus(source: DumpSource, thread: Task, general: UserRegset): Uint8Array {
  const { task, compat } = source;
  const { group } = thread;
  const spent = thread.isLeader ? thread_group_cputime(group) : thread.cpuTime;
  const head = {
    si_signo: source.info.signo,
    pr_cursig: source.info.signo,
    pr_pid: thread.pid,
    pr_ppid: thread.realParent?.tgid ?? 0,
    pr_pgrp: group.pgrp,
    pr_sid: group.session,
  };
  const pending = thread.pending.set;
  const bytes = general.get(thread);
  const regs = typeof bytes === 'number' ? new Uint8Array(0) : bytes;
  if (!compat) {
    const out = new Uint8Array(prstatusSize(task));
    elf_prstatus.writeTo(out, {
      ...head,
      pr_sigpend: pending,
      pr_sighold: thread.blocked,
      pr_utime: timeval(spent.user).map(BigInt),
      pr_stime: timeval(spent.system).map(BigInt),
      pr_cutime: timeval(group.childrenTime.user).map(BigInt),
      pr_cstime: timeval(group.childrenTime.system).map(BigInt),
    });
    return withRegisters(out, elf_prstatus.size, REG_SIZE, regs, general.elementSize);
  }
  const size = task.kernel.ops.compat_pr_reg_size(task, general.size);
  const out = new Uint8Array(prstatusSize(task));
  const low = (set: bigint): number => Number(set & 0xffff_ffffn);
  compat_elf_prstatus.writeTo(out, {
    ...head,
    pr_sigpend: low(pending),
    pr_sighold: low(thread.blocked),
    pr_utime: timeval(spent.user),
    pr_stime: timeval(spent.system),
    pr_cutime: timeval(group.childrenTime.user),
    pr_cstime: timeval(group.childrenTime.system),
  });
  return withRegisters(out, compat_elf_prstatus.size, size, regs, general.elementSize);
}

/** PRSTATUS_SIZE(): 336, or 144 or 296 of a compat core. */
export function prstatusSize(task: Task): number {
  if (task.mm.binfmt === 'elf64') return elf_prstatus.size + REG_SIZE + 8;
  const size = task.kernel.ops.compat_pr_reg_size(task, task_user_regset_view(task).regsets[0]!.size);
  return compat_elf_prstatus.size + size + (size === REG_SIZE ? 8 : 4);
}

/** sizeof(elf_gregset_t): struct user_regs_struct. */
const REG_SIZE = 216;

/** The regset's getter writes whole words as far as `size` goes; what lies beyond its registers reads as zero. */
function withRegisters(out: Uint8Array, at: number, size: number, regs: Uint8Array, word: number): Uint8Array {
  out.set(regs.subarray(0, Math.floor(Math.min(size, regs.length) / word) * word), at);
  out[at + size] = 1;
  return out;
}

/** fill_psinfo(): of the process, not of a thread. */
function psinfo(source: DumpSource): Uint8Array {
  const { task, compat } = source;
  const { leader } = task.group;
  const { mm } = task;
  const length = Math.min(mm.argEnd - mm.argStart, ELF_PRARGSZ - 1);
  const args = access_process_vm(mm, mm.argStart, Math.max(0, length)).map((byte) => (byte === 0 ? 0x20 : byte));
  const zombie = leader.exitState === 'zombie';
  const common = {
    pr_sname: (zombie ? 'Z' : 'R').charCodeAt(0),
    pr_zomb: zombie ? 1 : 0,
    pr_nice: leader.nice,
    pr_pid: leader.pid,
    pr_ppid: leader.realParent?.tgid ?? 0,
    pr_pgrp: task.group.pgrp,
    pr_sid: task.group.session,
    pr_fname: Buffer.from(leader.comm).subarray(0, 16),
    pr_psargs: args,
  };
  const flags = PF_SIGNALED | PF_DUMPCORE | (leader.didExec ? 0 : PF_FORKNOEXEC);
  const { uid, gid } = leader.cred;
  if (!compat) return elf_prpsinfo.write({ ...common, pr_flag: BigInt(flags), pr_uid: uid, pr_gid: gid });
  return compat_elf_prpsinfo.write({ ...common, pr_flag: flags, pr_uid: narrow(uid), pr_gid: narrow(gid) });
}

/** SET_UID() of the compat structure. */
const narrow = (id: number): number => (id > 0xffff ? 65534 : id);

/** fill_siginfo_note(). */
function siginfo({ info, compat, task }: DumpSource): Uint8Array {
  return compat ? siginfoTo32(info, task.kernel.ops.siginfo_has_x32_times(task)) : siginfoTo64(info);
}

/** fill_files_note(): count, page size, (start, end, page offset) of each mapping of a file, then the names. */
function filesNote({ task, compat }: DumpSource): Uint8Array | undefined {
  const mapped = task.mm.vmas.filter((vma) => vma.file !== undefined);
  const words = [mapped.length, PAGE_SIZE, ...mapped.flatMap((vma) => [vma.start, vma.end, vma.pgoff])];
  const names = Buffer.from(mapped.map((vma) => `${vma.file!.path}\0`).join(''));
  const word = compat ? 4 : 8;
  const out = new Uint8Array(words.length * word + names.length);
  if (out.length > MAX_FILE_NOTE_SIZE) return undefined;
  const view = new DataView(out.buffer);
  words.forEach((value, i) => {
    if (compat) view.setUint32(i * 4, value, true);
    else view.setBigUint64(i * 8, BigInt(value), true);
  });
  out.set(names, words.length * word);
  return out;
}
