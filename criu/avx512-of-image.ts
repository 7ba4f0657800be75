import type { ImageDir } from './image-dir.ts';
import { wantsAvx512 } from './restore/fpu.ts';

/** Does an image want a machine with AVX-512? */
export function imageWantsAvx512(dir: ImageDir): boolean {
  return dir.tree.some((entry) =>
    entry.threads.some((tid) => {
      const info = dir.has(`core-${tid}.img`) ? dir.core(tid).thread_info : undefined;
      return info !== undefined && wantsAvx512(info);
    }),
  );
}
