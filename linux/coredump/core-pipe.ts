/** A core file for a program that reads it: the pipe of do_coredump(), fs/coredump.c. */
import { EAGAIN } from '../abi/errno.ts';
import type { SigInfo } from '../abi/signal.ts';
import { PAGE_SIZE } from '../addr.ts';
import { type File, fput } from '../fs/file.ts';
import { create_pipe_files, type FifoInode } from '../fs/pipe.ts';
import type { Mm } from '../mm/mm.ts';
import { do_group_exit } from '../task/exit.ts';
import type { Task } from '../task/task.ts';
import { format_corename } from './corename.ts';
import { CORE_DUMPED, coreLayout, type Segment, segmentPage } from './elf-core.ts';
import { call_usermodehelper } from './usermodehelper.ts';

/** umh_pipe_setup() gives it to the helper, whose own core would come back to it. */
const RECURSION = 1n;
/** Bytes that go to the pipe at once. */
const PORTION = 65536;

/** A dump under way: the task's memory does not change any more. */
export interface CorePipe {
  readonly file: File;
  readonly signo: number;
  /** Headers and notes up to the first page of memory. */
  readonly head: Uint8Array;
  readonly segments: readonly Segment[];
  /** Bytes of the head that are written. */
  headDone: number;
  /** The next byte of memory: in which segment, and where in it. */
  segment: number;
  offset: number;
  /** wait_for_dump_helpers(): all is written. */
  waits: boolean;
}

/**
 * Runs the helper with the read end as its standard input. The rest is `continueCorePipe()`, at the next turn of the task.
 * @returns whether the helper runs
 */
export function startCorePipe(task: Task, info: SigInfo, limit: bigint): boolean {
  const { kernel } = task;
  const { coreState, log } = kernel;
  const command = format_corename(task, info);
  if (limit === RECURSION) {
    log.warn({ pid: task.tgid, comm: task.comm }, 'RLIMIT_CORE is set to 1: aborting core');
    return false;
  }
  if (coreState.pipeLimit !== 0 && coreState.dumps >= coreState.pipeLimit) {
    log.warn({ pid: task.tgid, comm: task.comm }, 'over core_pipe_limit: skipping core dump');
    return false;
  }
  const layout = coreLayout(task, info);
  const [read, write] = create_pipe_files(kernel.vfs.pipefs, 0);
  // argv_split(): an expanded name with a space in it becomes two arguments.
  const argv = command.split(/\s+/).filter((word) => word !== '');
  const error = call_usermodehelper(kernel, argv, read);
  if (error < 0) {
    log.info({ command, error }, 'core dump to pipe failed');
    fput(write);
    return false;
  }
  coreState.dumps++;
  task.corePipe = {
    file: write,
    signo: info.signo,
    head: Buffer.concat([...layout.head, new Uint8Array(layout.gap)]),
    segments: layout.segments,
    headDone: 0,
    segment: 0,
    offset: 0,
    waits: false,
  };
  return true;
}

/** Writes what the pipe takes; at the end the process ends. SIGKILL ends the dump: dump_interrupted(). */
export function continueCorePipe(task: Task, dump: CorePipe): void {
  const { kernel } = task;
  const inode = dump.file.inode as FifoInode;
  const killed = task.wait?.reason === 'signal';
  kernel.cancelWait(task);
  while (!killed && !dump.waits) {
    const bytes = portion(task.mm, dump);
    if (bytes.length === 0) break;
    const written = inode.write(dump.file, 0, bytes);
    if (written === -EAGAIN) {
      waitForPipe(task, inode);
      return;
    }
    // Nobody reads any more.
    if (written < 0) break;
    advance(dump, written);
  }
  if (!killed && kernel.coreState.pipeLimit !== 0) {
    if (!dump.waits) {
      // The helper comes to the end of the file while its end is awaited.
      dump.waits = true;
      inode.readers++;
      inode.writers--;
      inode.wakeReaders();
    }
    if (inode.readers > 1) {
      waitForPipe(task, inode);
      return;
    }
  }
  if (dump.waits) {
    inode.readers--;
    inode.writers++;
  }
  task.corePipe = undefined;
  kernel.coreState.dumps--;
  fput(dump.file);
  task.group.groupExitCode |= CORE_DUMPED;
  do_group_exit(task, dump.signo);
}

const waitForPipe = (task: Task, inode: FifoInode): void =>
  task.kernel.sleepOn(task, { channels: [`pipe:${inode.ino}:w`], killable: true });

/** The next bytes, up to a portion; a hole is zeros. */
function portion(mm: Mm, { head, headDone, segments, segment, offset }: CorePipe): Uint8Array {
  if (headDone < head.length) return head.subarray(headDone, headDone + PORTION);
  const out = new Uint8Array(PORTION);
  let length = 0;
  for (let i = segment, at = offset; length < PORTION && i < segments.length; ) {
    const from = segments[i]!;
    if (at >= from.filesz) {
      i++;
      at = 0;
      continue;
    }
    const inPage = at % PAGE_SIZE;
    const count = Math.min(PAGE_SIZE - inPage, PORTION - length);
    const page = segmentPage(mm, from, at - inPage);
    if (page) out.set(page.subarray(inPage, inPage + count), length);
    length += count;
    at += count;
  }
  return out.subarray(0, length);
}

function advance(dump: CorePipe, count: number): void {
  if (dump.headDone < dump.head.length) {
    dump.headDone += count;
    return;
  }
  dump.offset += count;
  for (;;) {
    const size = dump.segments[dump.segment]?.filesz;
    if (size === undefined || dump.offset < size) return;
    dump.offset -= size;
    dump.segment++;
  }
}
