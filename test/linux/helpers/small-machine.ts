import type { Mmu } from '../../../cpu/mmu.ts';
import { type KernelOps, v4_7 } from '../../../linux/kernel-ops.ts';
import { type FrameMemory, Frames } from '../../../linux/mm/frames.ts';
import { type Abi, Mm, newMmState } from '../../../linux/mm/mm.ts';
import type { MappedFile } from '../../../linux/mm/vma.ts';
import type { Task } from '../../../linux/task/task.ts';
import { type VdsoConfig, vdsoShipped } from '../../../linux/vdso/config.ts';
import { init_vdso } from '../../../linux/vdso/vvar.ts';

/** A few thousand frames without a CPU. */
class SmallMemory implements FrameMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  private next = 1;
  readonly free: number[] = [];
  inUse = 0;
  readonly frameLimit: number;

  constructor(frames: number) {
    this.bytes = new Uint8Array(2 * frames * 4096);
    this.view = new DataView(this.bytes.buffer);
    this.frameLimit = frames;
  }
  allocFrame(): number {
    if (!this.use()) return -1;
    const frame = this.free.pop() ?? this.advance(1);
    this.bytes.fill(0, frame * 4096, (frame + 1) * 4096);
    return frame;
  }
  setAside(n: number): number {
    const numbers = this.bytes.length / 4096 - this.next - n + this.free.length;
    return numbers < this.frameLimit - this.inUse ? -1 : this.advance(n);
  }
  use(): boolean {
    if (this.inUse >= this.frameLimit) return false;
    this.inUse++;
    return true;
  }
  unuse(): void {
    this.inUse--;
  }
  recycle(frame: number): void {
    this.free.push(frame);
  }
  freeFrame(frame: number): void {
    this.unuse();
    this.recycle(frame);
  }
  private advance(n: number): number {
    this.next += n;
    return this.next - n;
  }
  noteWrite(): void {}
}

/** The parts of a kernel that mm/, vdso/ and the patches need, for tests that run no guest code. */
export function smallMachine(options: { ops?: KernelOps; vdso?: VdsoConfig; frames?: number } = {}): SmallMachine {
  const memory = new SmallMemory(options.frames ?? 4096);
  const frames = new Frames(memory);
  const flushed: number[] = [];
  const kernel = {
    cpu: {
      memory,
      flushTlb: () => {},
      flushPage: (vpn: number) => flushed.push(vpn),
      dropSpace: (_mmu: Mmu) => {},
    },
    frames,
    mmState: newMmState(),
    vdso: options.vdso ?? vdsoShipped('amd'),
    ops: options.ops ?? v4_7,
    faults: { failVvarOnce: false },
  };
  init_vdso(frames, kernel.mmState, kernel.vdso, 1_000_000_000n);
  return {
    kernel,
    memory,
    flushed,
    task: (abi: Abi = '64', rlimits = LIMITS): Task => {
      const mm = new Mm(kernel, rlimits);
      mm.arch_pick_mmap_layout(abi, false);
      mm.startStack = mm.taskSize - 0x1000;
      // Only what mm/ and vdso/ read.
      const task: Partial<Task> = {
        mm,
        personality: 0,
        cred: { capEffective: 0n } as Task['cred'],
        threadInfo: { flags: 0, status: 0 },
        origAx: -1n,
        kernel: kernel as unknown as Task['kernel'],
      };
      Object.defineProperty(task, 'regs', { value: { rip: 0n } });
      return task as Task;
    },
  };
}

export interface SmallMachine {
  readonly kernel: {
    readonly frames: Frames;
    readonly vdso: VdsoConfig;
    readonly faults: { failVvarOnce: boolean };
  };
  readonly memory: SmallMemory;
  readonly flushed: number[];
  task(abi?: Abi, rlimits?: readonly { cur: bigint; max: bigint }[]): Task;
}

const INFINITY = 2n ** 64n - 1n;
/** As of a login: 8 MiB of stack, 64 KiB of locked memory. */
export const LIMITS = Array.from({ length: 16 }, (_, i) => ({
  cur: i === 3 ? 8n * 1024n * 1024n : i === 8 ? 65536n : INFINITY,
  max: INFINITY,
}));

/** A file of `pages` pages, the first byte of each is its number plus one. */
export function fakeFile(
  machine: SmallMachine,
  pages: number,
  options: Partial<MappedFile> = {},
): MappedFile & { dirty: number[] } {
  const frames = Array.from({ length: pages }, (_, i) => {
    const frame = machine.memory.allocFrame();
    machine.memory.bytes[frame * 4096] = i + 1;
    return frame;
  });
  const dirty: number[] = [];
  return {
    inode: {
      size: pages * 4096,
      pageFrame: (index: number) => frames[index] ?? -1,
      markDirty: (index: number) => dirty.push(index),
      mmapable: () => true,
      release: () => {},
    },
    path: '/file',
    readable: true,
    writable: true,
    flags: 2,
    count: 1,
    dirty,
    ...options,
  };
}

/** `start-end rights [name]` of each mapping, in hex pages' addresses, as /proc/PID/maps has them. */
export function maps(mm: Mm): string[] {
  return mm.vmas.map((vma) => {
    const rights =
      ((vma.flags & 1) !== 0 ? 'r' : '-') +
      ((vma.flags & 2) !== 0 ? 'w' : '-') +
      ((vma.flags & 4) !== 0 ? 'x' : '-') +
      ((vma.flags & 0x80) !== 0 ? 's' : 'p');
    const name = vma.special?.name ?? vma.file?.path;
    return `${vma.start.toString(16)}-${vma.end.toString(16)} ${rights}${name === undefined ? '' : ` ${name}`}`;
  });
}
