/** How the benchmark's programs are built. */

/** Freestanding, and without what would turn the loops into something else. */
export const FLAGS = [
  '-O2 -fno-pic -no-pie -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables',
  '-fno-tree-loop-distribute-patterns -fno-tree-vectorize -fcf-protection=none -fno-inline-functions',
].flatMap((line) => line.split(' '));
export const MODES = { 64: ['-m64'], 32: ['-m32', '-msse2', '-mfpmath=sse'] } as const;
export type Bits = keyof typeof MODES;
