/** `struct cred`, include/linux/cred.h. Plain data; shared until a task changes its own copy. */
export interface Cred {
  readonly uid: number;
  readonly gid: number;
  readonly suid: number;
  readonly sgid: number;
  readonly euid: number;
  readonly egid: number;
  readonly fsuid: number;
  readonly fsgid: number;
  readonly groups: readonly number[];
  readonly securebits: number;
  readonly capInheritable: bigint;
  readonly capPermitted: bigint;
  readonly capEffective: bigint;
  readonly capBset: bigint;
  readonly capAmbient: bigint;
}

/** CAP_LAST_CAP of v4.7 is CAP_AUDIT_READ, 37. */
export const CAP_LAST_CAP = 37;
export const CAP_FULL_SET = (1n << BigInt(CAP_LAST_CAP + 1)) - 1n;

/** init_cred, kernel/cred.c. */
export const init_cred: Cred = Object.freeze({
  uid: 0,
  gid: 0,
  suid: 0,
  sgid: 0,
  euid: 0,
  egid: 0,
  fsuid: 0,
  fsgid: 0,
  groups: [],
  securebits: 0,
  capInheritable: 0n,
  capPermitted: CAP_FULL_SET,
  capEffective: CAP_FULL_SET,
  capBset: CAP_FULL_SET,
  capAmbient: 0n,
});

export const CAP_CHOWN = 0,
  CAP_DAC_OVERRIDE = 1,
  CAP_FOWNER = 3,
  CAP_KILL = 5,
  CAP_SETGID = 6,
  CAP_SETUID = 7,
  CAP_SETPCAP = 8,
  CAP_IPC_OWNER = 15,
  CAP_SYS_PTRACE = 19,
  CAP_SYS_ADMIN = 21,
  CAP_SYS_NICE = 23,
  CAP_SYS_RESOURCE = 24,
  CAP_MKNOD = 27;

/** What commit_creds() needs of a task. */
interface CredHolder {
  cred: Cred;
  pdeathSignal: number;
  readonly mm: { dumpable: number };
  readonly kernel: { readonly coreState: { readonly suidDumpable: number } };
}

/** commit_creds(), kernel/cred.c: who changes its effective ids leaves no core file, and forgets PR_SET_PDEATHSIG. */
export function commit_creds(task: CredHolder, next: Cred): void {
  const old = task.cred;
  task.cred = next;
  const same = old.euid === next.euid && old.egid === next.egid && old.fsuid === next.fsuid && old.fsgid === next.fsgid;
  if (same && (next.capPermitted & ~old.capPermitted) === 0n) return;
  task.mm.dumpable = task.kernel.coreState.suidDumpable;
  task.pdeathSignal = 0;
}

/** capable(), kernel/capability.c. */
export const capable = (cred: Cred, cap: number): boolean => ((cred.capEffective >> BigInt(cap)) & 1n) === 1n;
