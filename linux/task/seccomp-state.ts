/** `struct seccomp` and `struct seccomp_filter`, include/linux/seccomp.h: plain data. */

/** A filter, and those that were attached before it. Never changes, so that processes share it. */
export interface SeccompFilter {
  readonly program: readonly { readonly code: number; readonly jt: number; readonly jf: number; readonly k: number }[];
  readonly prev: SeccompFilter | undefined;
}

export interface Seccomp {
  /** SECCOMP_MODE_* */
  readonly mode: number;
  readonly filter: SeccompFilter | undefined;
}

export const noSeccomp: Seccomp = Object.freeze({ mode: 0, filter: undefined });
