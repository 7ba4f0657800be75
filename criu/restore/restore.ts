/**
 * Restore: what CRIU does up to the jump into the restorer blob (criu/cr-restore.c). The tasks are made as CRIU's own process
 * stands there: 64-bit, with a 64-bit vDSO and a stack, descriptors in place, blob and arguments mapped. All else is the blob's.
 * Every task is born 64-bit, also one that becomes 32-bit: TIF_IA32 stays clear for good. So before patch 0006 its handlers
 * get 64-bit signal frames; with it the blob's `int $0x80` from CS 0x23 marks them as 32-bit.
 */
import { CpuContext } from '../../cpu/context.ts';
import { FilesStruct } from '../../linux/fs/files-struct.ts';
import { FsStruct } from '../../linux/fs/fs-struct.ts';
import type { Kernel } from '../../linux/kernel.ts';
import { Mm } from '../../linux/mm/mm.ts';
import { makeSighand } from '../../linux/signal/sighand.ts';
import { init_cred } from '../../linux/task/cred.ts';
import { ThreadGroup } from '../../linux/task/group.ts';
import { Task } from '../../linux/task/task.ts';
import { type CoreEntry, ImageDir, type PstreeEntry } from '../image-dir.ts';
import { ImageError } from '../image-error.ts';
import { TASK_ALIVE, TASK_DEAD, TASK_STOPPED, TASK_ZOMBIE } from '../proto/show.ts';
import { RestoredFiles } from './files.ts';
import { prepareProcess } from './process.ts';

export interface RestoreOptions {
  /** --inherit-fd: the name of an open file, and the host's descriptor that is to stand for it. */
  readonly inheritFds?: ReadonlyMap<string, number>;
  /** Jump trampolines even where the vDSO could be moved into place. */
  readonly vdsoProxy?: boolean;
}

/** Restores all tasks of the images. @returns the root task, about to run the first instruction of the blob */
export function restore(kernel: Kernel, path: string, options: RestoreOptions = {}): Task {
  const dir = ImageDir.open(path);
  const files = new RestoredFiles(kernel, dir, options.inheritFds ?? new Map());
  continueClock(kernel, dir);
  const tables = new Map<number, FilesStruct>();
  let root: Task | undefined;
  for (const entry of dir.tree) {
    const core = dir.core(entry.pid);
    const task = createTask(kernel, dir, entry, core);
    root ??= task;
    const state = core.tc?.task_state;
    if (state === TASK_DEAD || state === TASK_ZOMBIE) {
      buryTask(task, core);
      continue;
    }
    if (state !== TASK_ALIVE && state !== TASK_STOPPED) {
      dir.fail(`core-${entry.pid}.img`, `task state ${state}, expected 1, 3 or 6`);
    }
    const ids = dir.ids(entry.pid);
    task.files = tables.get(ids.files_id)?.share() ?? new FilesStruct();
    if (!tables.has(ids.files_id)) {
      tables.set(ids.files_id, task.files);
      files.install(ids.files_id, task.files);
    }
    task.fs = restoredFs(kernel, dir, entry.pid, files);
    prepareProcess({ kernel, dir, task, entry, core, files, options });
  }
  files.release();
  if (root === undefined) {
    throw new ImageError(dir.file('pstree.img'), undefined, 'no task in the tree');
  }
  return root;
}

/** clone3(set_tid) and setsid(), setpgid(): a process with the image's numbers and CRIU's rights. */
function createTask(kernel: Kernel, dir: ImageDir, entry: PstreeEntry, core: CoreEntry): Task {
  if (kernel.tasks.has(entry.pid)) {
    dir.fail('pstree.img', `the pid ${entry.pid} is in use`);
  }
  const rlimits = Array.from({ length: 16 }, () => ({ cur: 0xffff_ffff_ffff_ffffn, max: 0xffff_ffff_ffff_ffffn }));
  // RLIMIT_STACK, as it stands for most: it decides where mmap() starts.
  rlimits[3] = { cur: 8n * 1024n * 1024n, max: 0xffff_ffff_ffff_ffffn };
  const mm = new Mm(kernel, rlimits);
  mm.arch_pick_mmap_layout('64', false);
  const task: Task = new Task({
    kernel,
    pid: entry.pid,
    group: undefined as unknown as ThreadGroup,
    context: new CpuContext(),
    mm,
    files: new FilesStruct(),
    fs: new FsStruct(kernel.vfs.root),
    cred: init_cred,
    sighand: makeSighand(),
  });
  task.group = new ThreadGroup(entry.pid, task, entry.pgid, entry.sid, rlimits);
  task.group.oomScoreAdj = core.tc?.oom_score_adj ?? 0;
  task.personality = core.tc?.personality ?? 0;
  task.comm = 'criu';
  const parent = kernel.tasks.get(entry.ppid);
  task.realParent = parent;
  task.parent = parent;
  task.exitSignal = 17;
  parent?.children.push(task);
  return task;
}

/** A zombie: restored as CRIU does it, it was forked and ended at once, and nobody has waited for it. */
function buryTask(task: Task, core: CoreEntry): void {
  task.comm = core.tc?.comm ?? task.comm;
  task.exitCode = core.tc?.exit_code ?? 0;
  task.exitState = 'zombie';
  task.state = 'zombie';
  task.kernel.addTask(task);
}

function restoredFs(kernel: Kernel, dir: ImageDir, pid: number, files: RestoredFiles): FsStruct {
  const entry = dir.fs(pid);
  const dentry = (id: number): FsStruct['root'] => {
    const file = files.get(id);
    if (!file.inode.isDir()) {
      dir.fail(`fs-${pid}.img`, `${file.path} is no directory`);
    }
    return file.dentry;
  };
  const root = files.path(entry.root_id) === '/' ? kernel.vfs.root : dentry(entry.root_id);
  return new FsStruct(root, dentry(entry.cwd_id), entry.umask);
}

/**
 * CLOCK_MONOTONIC goes on from the dump: the machine was up that long.
 * Unlike CRIU: it puts the task into a time namespace, which v4.7 has not.
 */
function continueClock(kernel: Kernel, dir: ImageDir): void {
  const clock = dir.timens()?.monotonic;
  const then = clock === undefined ? 0 : Number(clock.tv_sec) * 1e9 + Number(clock.tv_nsec);
  if (then > kernel.now()) kernel.pass(then - kernel.now());
}
