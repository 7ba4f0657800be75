import { PAGE_SIZE } from '../addr.ts';
import type { Frames } from '../mm/frames.ts';
import type { MmState } from '../mm/mm.ts';
import type { VdsoConfig } from './config.ts';
import type { VdsoImage } from './image.ts';

/** System calls behind the three entries of the vsyscall page: gettimeofday, time, getcpu. */
export const VSYSCALL_NRS = [96, 201, 309] as const;

/** The contents of the vsyscall page, arch/x86/entry/vsyscall/vsyscall_emu_64.S: `mov $nr, %rax; syscall; ret`. */
function vsyscallPage(): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE).fill(0xcc);
  VSYSCALL_NRS.forEach((nr, i) => {
    page.set([0x48, 0xc7, 0xc0, nr % 256, Math.floor(nr / 256), 0, 0, 0x0f, 0x05, 0xc3], i * 0x400);
  });
  return page;
}

function place(frames: Frames, bytes: Uint8Array): number {
  const frame = frames.memory.allocFrame();
  if (frame < 0) throw new Error('no memory for the vDSO');
  frames.memory.bytes.set(bytes, frame * PAGE_SIZE);
  frames.memory.noteWrite(frame);
  return frame;
}

/**
 * init_vdso(), arch/x86/entry/vdso/vma.c, and map_vsyscall(): the images, [vvar] and the vsyscall page get their frames.
 * Called once, at boot.
 */
export function init_vdso(frames: Frames, state: MmState, config: VdsoConfig, bootEpochNs: bigint): void {
  for (const image of [config.image64, config.image32, config.imageX32]) {
    if (image === undefined) continue;
    image.frames.length = 0;
    for (let at = 0; at < image.size; at += PAGE_SIZE)
      image.frames.push(place(frames, image.bytes.subarray(at, at + PAGE_SIZE)));
  }
  state.vvarFrames = Array.from({ length: config.vvarPages }, () => place(frames, new Uint8Array(PAGE_SIZE)));
  state.vsyscallFrame = place(frames, vsyscallPage());
  // Our images read the last page but one; an image of another kernel reads the first.
  if (config.vvar === 'ours' || config.vvarPages > 2) fillVvar(frames, state, bootEpochNs, 0n);
}

/** update_vsyscall(), arch/x86/entry/vsyscall/vsyscall_gtod.c: what has to be added to the time stamp counter. */
export function fillVvar(frames: Frames, state: MmState, realtimeOffset: bigint, monotonicOffset: bigint): void {
  const frame = state.vvarFrames.at(-2);
  if (frame === undefined) return;
  const words = new DataView(new ArrayBuffer(16));
  words.setBigUint64(0, BigInt.asUintN(64, realtimeOffset), true);
  words.setBigUint64(8, BigInt.asUintN(64, monotonicOffset), true);
  frames.memory.bytes.set(new Uint8Array(words.buffer), frame * PAGE_SIZE);
  frames.memory.noteWrite(frame);
}

/** The image of an ABI. */
export const imageOf = (config: VdsoConfig, kind: '64' | '32' | 'x32'): VdsoImage | undefined =>
  kind === '64' ? config.image64 : kind === '32' ? config.image32 : config.imageX32;
