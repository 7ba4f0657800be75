/** The data of signals: `struct sighand_struct`, `struct k_sigaction`, `struct sigpending`, include/linux/sched.h. */
import { NSIG, type SigInfo } from '../abi/signal.ts';

/** `struct k_sigaction`. */
export interface KSigaction {
  /** User address; SIG_DFL 0, SIG_IGN 1. */
  handler: bigint;
  /** SA_*, with the kernel-only SA_IA32_ABI and SA_X32_ABI of patch 0006. */
  flags: number;
  restorer: bigint;
  mask: bigint;
}

/** `struct sighand_struct`: shared by the threads of a group and by CLONE_SIGHAND. */
export interface Sighand {
  /** Index is the signal number; 0 is unused. */
  actions: KSigaction[];
}

export const makeSighand = (): Sighand => ({
  actions: Array.from({ length: NSIG + 1 }, () => ({ handler: 0n, flags: 0, restorer: 0n, mask: 0n })),
});

export const copySighand = (from: Sighand): Sighand => ({ actions: from.actions.map((a) => ({ ...a })) });

/** `struct sigpending`. */
export interface SigPending {
  list: SigInfo[];
  set: bigint;
}

export const makePending = (): SigPending => ({ list: [], set: 0n });

/** The alternate stack: sas_ss_sp, sas_ss_size, sas_ss_flags of task_struct. */
export interface SigAltStack {
  sp: bigint;
  size: bigint;
  flags: number;
}
