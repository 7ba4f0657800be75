import { O_WRONLY } from '../../linux/abi/fcntl.ts';
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../../linux/abi/mman.ts';
import { SIGSTOP } from '../../linux/abi/signal.ts';
import { start_thread } from '../../linux/exec/start-thread.ts';
import type { File } from '../../linux/fs/file.ts';
import type { Kernel } from '../../linux/kernel.ts';
import { do_mmap } from '../../linux/mm/mmap.ts';
import { access_process_vm } from '../../linux/mm/uaccess.ts';
import type { Task } from '../../linux/task/task.ts';
import { imageOf } from '../../linux/vdso/vvar.ts';
import type { CoreEntry, ImageDir, PstreeEntry } from '../image-dir.ts';
import { ImageError } from '../image-error.ts';
import { user_x86_regs_mode } from '../proto/core.ts';
import { TASK_STOPPED } from '../proto/show.ts';
import { dumpedVdso } from '../vdso-of-image.ts';
import { ArgumentArea } from './arguments.ts';
import { loadBlob } from './blob.ts';
import type { RestoredFiles } from './files.ts';
import { xsaveImage } from './fpu.ts';
import { findLayout, type Layout, planVmas } from './memory.ts';
import { buildSigframe, SIGFRAME_ROOM, type ThreadState } from './sigframe.ts';
import { type Descriptors, type ProcessImage, writeTaskArgs } from './task-args.ts';
import { planVdso } from './vdso.ts';

const STACK_SIZE = 0x4000;
/** CRIU's own stack: the kernel's place for it, without randomisation. */
const CRIU_STACK_END = 0x7fff_ffff_f000;
const CRIU_STACK_SIZE = 0x21000;
/** Descriptors of the restore itself begin here, above those of the image: criu/servicefd.c. */
const SERVICE_FDS = 512;
const LIMIT_32 = 0xc000_0000;

export interface Preparation {
  readonly kernel: Kernel;
  readonly dir: ImageDir;
  readonly task: Task;
  readonly entry: PstreeEntry;
  readonly core: CoreEntry;
  readonly files: RestoredFiles;
  readonly options: { readonly vdsoProxy?: boolean };
}

/** Gives the task CRIU's own memory, the blob and its arguments, and puts it on the blob's first instruction. */
export function prepareProcess(preparation: Preparation): void {
  const { kernel, dir, task, entry, core } = preparation;
  const image = readProcess(preparation);
  mapCriu(task);
  const blob = loadBlob();
  const descriptors = openDescriptors(preparation, image);
  const machine = imageOf(kernel.vdso, image.compat ? '32' : '64');
  const sizes = {
    text: blob.image.length,
    frames: SIGFRAME_ROOM * entry.threads.length,
    args: measureArgs(image, descriptors),
    stacks: STACK_SIZE * entry.threads.length,
    park: machine === undefined ? 0 : machine.size - machine.symVvarStart,
  };
  const taken = [...task.mm.vmas, ...image.mm.vmas.map((vma) => ({ start: Number(vma.start), end: Number(vma.end) }))];
  const layout =
    findLayout(sizes, taken, image.compat ? LIMIT_32 : task.mm.taskSize) ??
    dir.fail(`mm-${entry.pid}.img`, 'no hole for the restorer in this address space');
  mapArea(task, layout.text, layout.frames, PROT_READ | PROT_EXEC);
  mapArea(task, layout.frames, layout.end, PROT_READ | PROT_WRITE);
  poke(task, layout.text, blob.image);
  const frames = image.threads.map((thread, index) => {
    const page = layout.frames + index * SIGFRAME_ROOM;
    const { bytes, frame } = buildSigframe(thread.state, image.compat, page);
    poke(task, page, bytes);
    return frame;
  });
  const area = new ArgumentArea(layout.args);
  const args = writeTaskArgs(area, image, descriptors, placesOf(layout, frames));
  poke(task, layout.args, area.bytes());
  kernel.addTask(task);
  start_thread(task, layout.text + blob.entry, layout.stacks + STACK_SIZE);
  task.regs.rdi = args;
  warn(kernel, image);
  task.group.restorer = {
    start: layout.text,
    size: layout.args - layout.text,
    threads: entry.threads.length,
    signal: core.tc?.task_state === TASK_STOPPED ? SIGSTOP : 0,
  };
}

const placesOf = (layout: Layout, frames: readonly number[]) => ({
  layout,
  frames,
  stacks: frames.map((_, index) => layout.stacks + (index + 1) * STACK_SIZE),
});

/** The arguments have the same size wherever they lie. */
function measureArgs(image: ProcessImage, descriptors: Descriptors): number {
  const area = new ArgumentArea(0);
  const nowhere: Layout = { text: 0, frames: 0, args: 0, stacks: 0, end: 0, park: 0 };
  writeTaskArgs(area, image, descriptors, {
    ...placesOf(
      nowhere,
      image.threads.map(() => 0),
    ),
  });
  return area.size;
}

/** What the images say of the process, checked. */
function readProcess({ dir, entry, core, files, kernel, options }: Preparation): ProcessImage {
  const mm = dir.mm(entry.pid);
  if (entry.threads[0] !== entry.pid) {
    dir.fail('pstree.img', `the first thread of ${entry.pid} is ${entry.threads[0] ?? 'missing'}, expected itself`);
  }
  const threads = entry.threads.map((tid, index) => {
    const own = index === 0 ? core : dir.core(tid);
    return { tid, core: own, state: readThread(dir, tid, own, index === 0, kernel.cpu.xcr0) };
  });
  const compat = isCompat(core);
  const other = threads.find((thread) => isCompat(thread.core) !== compat);
  if (other !== undefined) {
    return dir.fail(`core-${other.tid}.img`, 'a thread in another mode than its leader');
  }
  const pages = dir.pages(entry.pid);
  const dumped = dumpedVdso(dir, entry.pid, mm.vmas);
  const machine = imageOf(kernel.vdso, compat ? '32' : '64');
  const vdso =
    dumped === undefined || machine === undefined ? undefined : planVdso(dumped, machine, options.vdsoProxy ?? false);
  if (typeof vdso === 'string') {
    return dir.fail(`mm-${entry.pid}.img`, `the dumped vDSO: ${vdso}`);
  }
  return {
    pid: entry.pid,
    compat,
    mm,
    tc: core.tc,
    threads,
    pages: pages.runs,
    pagesFile: pages.file,
    vmas: planVmas(dir, entry.pid, mm, files),
    dumped,
    machine,
    vdso,
  };
}

const isCompat = (core: CoreEntry): boolean =>
  (core.thread_info?.gpregs.mode ?? user_x86_regs_mode.values.NATIVE) === user_x86_regs_mode.values.COMPAT;

function readThread(dir: ImageDir, tid: number, core: CoreEntry, leader: boolean, xcr0: number): ThreadState {
  const fail = (message: string): never => dir.fail(`core-${tid}.img`, message);
  const info = core.thread_info ?? fail('no registers (thread_info)');
  const thread = core.thread_core ?? fail('no thread_core');
  if (leader && core.tc === undefined) {
    fail('no tc, which a leader has');
  }
  if ((thread.seccomp_mode ?? 0) !== 0) {
    fail('seccomp, which this machine has not');
  }
  checkCore(core, fail);
  const xsave = xsaveImage(info.fpregs, xcr0);
  if (typeof xsave === 'string') {
    return fail(`${xsave}, which this machine has not`);
  }
  return {
    gpregs: info.gpregs,
    xsave,
    xcr0,
    mask: thread.blk_sigset ?? core.tc?.blk_sigset ?? 0n,
    sas: {
      sp: thread.sas?.ss_sp ?? 0n,
      size: thread.sas?.ss_size ?? 0n,
      flags: thread.sas?.ss_flags ?? 2,
    },
  };
}

/** Lists whose length the format fixes, and numbers that would be taken for something else. */
function checkCore(core: CoreEntry, fail: (message: string) => never): void {
  const { tc, thread_info: info, thread_core: thread } = core;
  const length = (what: string, list: ArrayLike<unknown> | undefined, ...allowed: number[]): void => {
    if (list !== undefined && !allowed.includes(list.length)) {
      fail(`${list.length} elements of ${what}, expected ${allowed.at(-1)}`);
    }
  };
  length('st_space', info?.fpregs.st_space, 32);
  length('xmm_space', info?.fpregs.xmm_space, 64);
  length('ymmh_space', info?.fpregs.xsave?.ymmh_space, 0, 64);
  length('opmask_reg', info?.fpregs.xsave?.opmask_reg, 0, 8);
  length('zmm_upper', info?.fpregs.xsave?.zmm_upper, 0, 64);
  length('hi16_zmm', info?.fpregs.xsave?.hi16_zmm, 0, 128);
  length('sigactions', tc?.sigactions, 62);
  length('rlimits', tc?.rlimits?.rlimits, 0, 16);
  for (const { siginfo } of [...(tc?.signals_s?.signals ?? []), ...(thread?.signals_p?.signals ?? [])]) {
    length('siginfo', siginfo, 128);
  }
  for (const slot of info?.tls ?? []) {
    if (slot.entry_number < 12 || slot.entry_number > 14) {
      fail(`TLS slot ${slot.entry_number}, expected 12, 13 or 14`);
    }
  }
}

/** The files that the blob needs, at descriptors that it closes. */
function openDescriptors({ kernel, dir, task, files }: Preparation, image: ProcessImage): Descriptors {
  const install = (file: File): number => task.files.install(file, { from: SERVICE_FDS });
  const vmas = new Map<File, number>();
  for (const { file } of image.vmas) {
    if (file !== undefined && !vmas.has(file)) {
      vmas.set(file, install(file));
    }
  }
  const pages = kernel.vfs.hostFile(image.pagesFile);
  if (typeof pages === 'number') {
    throw new ImageError(image.pagesFile, undefined, `cannot be read: errno ${-pages}`);
  }
  const exe = install(files.openAnew(image.mm.exe_file_id, 0));
  const lastPid = image.threads.length > 1 ? kernel.vfs.openAs(task, '/proc/sys/kernel/ns_last_pid', O_WRONLY) : -1;
  if (typeof lastPid === 'number' && image.threads.length > 1) {
    throw new ImageError(dir.path, undefined, 'threads need /proc/sys/kernel/ns_last_pid, which this machine has not');
  }
  return {
    vmas,
    pages: install(pages),
    exe,
    lastPid: typeof lastPid === 'number' ? -1 : install(lastPid),
    log: install(kernel.vfs.hostStream(2, O_WRONLY)),
  };
}

/** CRIU's address space, as far as it matters: a stack, [vvar] and [vdso]. */
function mapCriu(task: Task): void {
  const { mm } = task;
  const start = CRIU_STACK_END - CRIU_STACK_SIZE;
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN;
  do_mmap(task, start, CRIU_STACK_SIZE, PROT_READ | PROT_WRITE, flags, undefined, 0);
  mm.startStack = CRIU_STACK_END - 0x100;
  task.kernel.ops.setup_vdso(task, '64');
}

function mapArea(task: Task, start: number, end: number, prot: number): void {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  const at = do_mmap(task, start, end - start, prot, flags, undefined, 0);
  if (at !== start) {
    throw new Error(`the restorer's memory: mmap gave ${at}`);
  }
}

function poke(task: Task, address: number, bytes: Uint8Array): void {
  const written = access_process_vm(task.mm, address, bytes, { force: true });
  if (written !== bytes.length) {
    throw new Error(`the restorer's memory: ${written} of ${bytes.length} bytes written`);
  }
}

/** What the restore leaves out. */
function warn(kernel: Kernel, image: ProcessImage): void {
  for (const { tid, core } of image.threads) {
    if ((core.thread_core?.rseq_entry?.rseq_abi_pointer ?? 0n) !== 0n) {
      kernel.log.warn({ tid }, 'the registration of rseq is dropped: this kernel has none');
    }
  }
  if (image.vdso !== undefined && image.vdso.missing.length > 0) {
    kernel.log.warn({ pid: image.pid, symbols: image.vdso.missing }, 'the machine lacks symbols of the dumped vDSO');
  }
}
