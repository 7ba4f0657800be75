import type { File } from '../../linux/fs/file.ts';
import type { VdsoImage } from '../../linux/vdso/image.ts';
import type { CoreEntry, MmEntry } from '../image-dir.ts';
import type { PageRun } from '../pagemap.ts';
import { CAP_WORDS, restorerStructs as structs } from '../restorer/args.ts';
import type { DumpedVdso } from '../vdso-of-image.ts';
import type { ArgumentArea } from './arguments.ts';
import type { Layout, PlannedVma } from './memory.ts';
import type { ThreadState } from './sigframe.ts';
import type { VdsoPlan } from './vdso.ts';

/** A process as the images have it. */
export interface ProcessImage {
  readonly pid: number;
  readonly compat: boolean;
  readonly mm: MmEntry;
  readonly tc: CoreEntry['tc'];
  readonly threads: readonly { readonly tid: number; readonly core: CoreEntry; readonly state: ThreadState }[];
  readonly pages: readonly PageRun[];
  readonly pagesFile: string;
  readonly vmas: readonly PlannedVma[];
  readonly dumped: DumpedVdso | undefined;
  readonly machine: VdsoImage | undefined;
  readonly vdso: VdsoPlan | undefined;
}

/** Descriptors that the blob uses and closes. */
export interface Descriptors {
  readonly vmas: ReadonlyMap<File, number>;
  readonly pages: number;
  readonly exe: number;
  readonly lastPid: number;
  readonly log: number;
}

export interface Places {
  readonly layout: Layout;
  /** The signal frame and the top of the stack of each thread. */
  readonly frames: readonly number[];
  readonly stacks: readonly number[];
}

type TaskCore = NonNullable<CoreEntry['tc']>;
type ThreadCore = NonNullable<CoreEntry['thread_core']>;

/** Writes struct task_restore_args and all that it points to. @returns its guest address */
export function writeTaskArgs(area: ArgumentArea, image: ProcessImage, fds: Descriptors, places: Places): bigint {
  const { layout } = places;
  const { tc, dumped, machine, vdso, mm } = image;
  // At the front, as the threads point to it.
  const at = area.add(structs.task_restore_args.write({}));
  const vmas = vmaRows(image, fds);
  const iovecs = image.pages.map((run) => ({ base: BigInt(run.address), length: BigInt(run.pages * 4096) }));
  const actions = sigactions(area, image);
  const timers = (tc?.timers?.posix ?? []).map(posixTimer).sort((a, b) => a.id - b.id);
  const rlimits = tc?.rlimits?.rlimits ?? [];
  const siginfos = pendingSignals(tc?.signals_s);
  area.patch(
    at,
    structs.task_restore_args.write({
      keep_start: BigInt(layout.text),
      keep_end: BigInt(layout.end),
      release_start: BigInt(layout.args),
      release_size: BigInt(layout.end - layout.args),
      task_size: 0x7fff_ffff_f000n,
      vmas: area.array(structs.restore_vma, vmas),
      vma_count: vmas.length,
      iovecs: area.array(structs.restore_iovec, iovecs),
      iovec_count: iovecs.length,
      vdso_jumps: area.array(structs.restore_vdso_jump, vdso?.jumps ?? []),
      vdso_jump_count: vdso?.jumps.length ?? 0,
      sigactions: actions.at,
      sigaction_count: actions.count,
      rlimits: area.array(structs.restore_rlimit, rlimits),
      rlimit_count: rlimits.length,
      itimers: area.array(structs.restore_itimer, itimers(tc)),
      posix_timers: area.array(structs.restore_posix_timer, timers),
      posix_timer_count: timers.length,
      siginfos: area.array(structs.restore_siginfo, siginfos),
      siginfo_count: siginfos.length,
      threads: area.array(structs.thread_restore_args, threadRows(area, image, places, at)),
      thread_count: image.threads.length,
      mm: area.add(structs.restore_mm_map.write(mmMap(area, mm, fds.exe))),
      park: BigInt(layout.park),
      rt_vvar_size: BigInt(machine === undefined ? 0 : -machine.symVvarStart),
      rt_vdso_size: BigInt(machine?.size ?? 0),
      image_vdso: BigInt(dumped?.address ?? 0),
      image_vdso_size: BigInt(dumped?.bytes.length ?? 0),
      image_vvar: BigInt(dumped?.vvar ?? 0),
      image_vvar_size: BigInt(dumped?.vvarSize ?? 0),
      compat: image.compat ? 1 : 0,
      map_vdso: dumped === undefined || machine === undefined ? 0 : 1,
      vdso_in_place: vdso?.inPlace === true ? 1 : 0,
      pages_fd: fds.pages,
      last_pid_fd: fds.lastPid,
      log_fd: fds.log,
      thp_disabled: mm.thp_disabled === true ? 1 : 0,
      child_subreaper: tc?.child_subreaper === true ? 1 : 0,
      dumpable: mm.dumpable ?? 1,
    }),
  );
  return at;
}

/** The descriptor of a file goes with the last mapping of it. */
function vmaRows(image: ProcessImage, fds: Descriptors) {
  const last = new Map<File, PlannedVma>();
  for (const vma of image.vmas) {
    if (vma.file !== undefined) {
      last.set(vma.file, vma);
    }
  }
  return image.vmas.map(({ file, ...vma }) => ({
    ...vma,
    fd: file === undefined ? -1 : (fds.vmas.get(file) ?? -1),
    close_fd: file !== undefined && last.get(file)?.start === vma.start ? 1 : 0,
  }));
}

const low = (value: bigint): number => Number(value & 0xffff_ffffn);

/** The entries are those of signals 1 to 64 without SIGKILL and SIGSTOP, in this order. */
function sigactions(area: ArgumentArea, { tc, compat }: ProcessImage): { at: bigint; count: number } {
  const numbers = Array.from({ length: 64 }, (_, index) => index + 1).filter((signo) => signo !== 9 && signo !== 19);
  const rows = (tc?.sigactions ?? []).map((entry, index) => ({ entry, signo: numbers[index] ?? 0 }));
  if (!compat) {
    const native = rows.map(({ entry, signo }) => ({
      handler: entry.sigaction,
      flags: entry.flags,
      restorer: entry.restorer,
      mask: entry.mask,
      signo: BigInt(signo),
    }));
    return { at: area.array(structs.restore_sigaction, native), count: rows.length };
  }
  const ia32 = rows.map(({ entry, signo }) => ({
    handler: low(entry.sigaction),
    flags: low(entry.flags),
    restorer: low(entry.restorer),
    mask: [low(entry.mask), low(entry.mask >> 32n)],
    signo,
  }));
  return { at: area.array(structs.restore_compat_sigaction, ia32), count: rows.length };
}

function itimers(tc: TaskCore | undefined) {
  const { real, virt, prof } = tc?.timers ?? {};
  return [real, virt, prof].map((timer) => ({
    interval_sec: timer?.isec ?? 0n,
    interval_usec: timer?.iusec ?? 0n,
    value_sec: timer?.vsec ?? 0n,
    value_usec: timer?.vusec ?? 0n,
  }));
}

function posixTimer(timer: NonNullable<TaskCore['timers']>['posix'][number]) {
  return {
    interval_sec: timer.isec,
    interval_nsec: timer.insec,
    value_sec: timer.vsec,
    value_nsec: timer.vnsec,
    sival: timer.sival_ptr,
    id: timer.it_id,
    clock: timer.clock_id,
    signo: timer.si_signo,
    notify: timer.it_sigev_notify,
    notify_tid: timer.notify_thread_id ?? 0,
  };
}

function pendingSignals(queue: TaskCore['signals_s']): { bytes: Uint8Array }[] {
  return (queue?.signals ?? []).map(({ siginfo }) => ({ bytes: siginfo }));
}

function threadRows(area: ArgumentArea, image: ProcessImage, places: Places, task: bigint) {
  return image.threads.map(({ tid, core }, index) => {
    const thread = core.thread_core;
    const info = core.thread_info;
    const tls = tlsRows(core);
    const siginfos = pendingSignals(thread?.signals_p);
    const groups = thread?.creds?.groups ?? [];
    return {
      ...credsOf(thread),
      task,
      stack_top: BigInt(places.stacks[index] ?? 0),
      sigframe: BigInt(places.frames[index] ?? 0),
      clear_tid_addr: info?.clear_tid_addr ?? 0n,
      robust_list: thread?.futex_rla ?? 0n,
      robust_list_size: thread?.futex_rla_len ?? 0,
      fs_base: info?.gpregs.fs_base ?? 0n,
      gs_base: info?.gpregs.gs_base ?? 0n,
      tls: area.array(structs.restore_user_desc, tls),
      tls_count: tls.length,
      siginfos: area.array(structs.restore_siginfo, siginfos),
      siginfo_count: siginfos.length,
      groups: groups.length === 0 ? 0n : area.add(new Uint8Array(Uint32Array.from(groups).buffer)),
      group_count: groups.length,
      pid: tid,
      nice: thread?.sched_nice ?? 0,
      policy: thread?.sched_policy ?? 0,
      priority: thread?.sched_prio ?? 0,
      pdeath_signal: thread?.pdeath_sig ?? 0,
      comm: new TextEncoder().encode(thread?.comm ?? image.tc?.comm ?? '').subarray(0, 15),
    };
  });
}

/** The slots of the GDT that are in use; user_desc's bits: arch/x86/include/uapi/asm/ldt.h. */
function tlsRows(core: CoreEntry) {
  return (core.thread_info?.tls ?? [])
    .filter((slot) => !slot.seg_not_present)
    .map((slot) => ({
      entry_number: slot.entry_number,
      base_addr: slot.base_addr,
      limit: slot.limit,
      flags:
        Number(slot.seg_32bit) |
        (Number(slot.contents_l) << 1) |
        (Number(slot.contents_h) << 2) |
        (Number(slot.read_exec_only) << 3) |
        (Number(slot.limit_in_pages) << 4) |
        (Number(slot.usable) << 6),
    }));
}

function credsOf(thread: ThreadCore | undefined) {
  const { creds } = thread ?? {};
  const words = (set: readonly number[] | undefined): number[] => (set ?? []).slice(0, CAP_WORDS);
  return {
    uid: creds?.uid ?? 0,
    gid: creds?.gid ?? 0,
    euid: creds?.euid ?? 0,
    egid: creds?.egid ?? 0,
    suid: creds?.suid ?? 0,
    sgid: creds?.sgid ?? 0,
    fsuid: creds?.fsuid ?? 0,
    fsgid: creds?.fsgid ?? 0,
    secbits: creds?.secbits ?? 0,
    no_new_privs: creds?.no_new_privs ?? 0,
    cap_inh: words(creds?.cap_inh),
    cap_prm: words(creds?.cap_prm),
    cap_eff: words(creds?.cap_eff),
    cap_bnd: words(creds?.cap_bnd),
    cap_amb: words(creds?.cap_amb),
  };
}

function mmMap(area: ArgumentArea, mm: MmEntry, exe: number) {
  const auxv = new Uint8Array(BigUint64Array.from(mm.mm_saved_auxv).buffer);
  return {
    start_code: mm.mm_start_code,
    end_code: mm.mm_end_code,
    start_data: mm.mm_start_data,
    end_data: mm.mm_end_data,
    start_brk: mm.mm_start_brk,
    brk: mm.mm_brk,
    start_stack: mm.mm_start_stack,
    arg_start: mm.mm_arg_start,
    arg_end: mm.mm_arg_end,
    env_start: mm.mm_env_start,
    env_end: mm.mm_env_end,
    auxv: auxv.length === 0 ? 0n : area.add(auxv),
    auxv_size: auxv.length,
    exe_fd: exe,
  };
}
