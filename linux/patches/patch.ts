import type { KernelOps } from '../kernel-ops.ts';

/** One patch: a replacement of some functions of the kernel. */
export interface Patch {
  /** `base`, or the number in the series. */
  readonly id: string;
  readonly subject: string;
  readonly requires: readonly string[];
  /** Absent: known, but not in this build yet. */
  readonly apply?: (ops: KernelOps) => Partial<KernelOps>;
}

/** A wrong `--kernel` or `--patches`: one line for the user. */
export class PatchError extends Error {
  override readonly name = 'PatchError';
}
