import type { KernelOps } from '../kernel-ops.ts';

/** One patch: a replacement of some functions of the kernel. */
export interface Patch {
  /** `base`, or the number in the series. */
  readonly id: string;
  readonly subject: string;
  /** The patches without which it makes no sense, and why. */
  readonly requires: readonly { readonly id: string; readonly why: string }[];
  /** One paragraph for a user: what was wrong, and what is so with the patch. */
  readonly about: string;
  readonly apply: (ops: KernelOps) => Partial<KernelOps>;
}

/** A wrong `--kernel` or `--patches`: one line for the user. */
export class PatchError extends Error {
  override readonly name = 'PatchError';
}
