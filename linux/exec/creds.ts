/** Who runs the new program: bprm_fill_uid(), fs/exec.c, and cap_bprm_set_creds(), security/commoncap.c. */
import { PT_PTRACE_CAP } from '../abi/ptrace.ts';
import { S_ISGID, S_ISUID, S_IXGRP } from '../abi/stat.ts';
import type { Inode } from '../fs/inode.ts';
import { CAP_SETUID, type Cred, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';

const SECURE_NOROOT = 1;

export interface ExecCreds {
  readonly cred: Cred;
  /** cap_bprm_secureexec(): AT_SECURE. */
  readonly secure: boolean;
  /** The file has one of the bits: PER_CLEAR_ON_SETID. */
  readonly setsId: boolean;
}

/** Not modelled: capabilities of files, and LSM_UNSAFE_SHARE. */
export function cap_bprm_set_creds(task: Task, inode: Inode): ExecCreds {
  const old = task.cred;
  const { mode } = inode;
  const setuid = !task.noNewPrivs && (mode & S_ISUID) !== 0;
  const setgid = !task.noNewPrivs && (mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP);
  let euid = setuid ? inode.uid : old.euid;
  let egid = setgid ? inode.gid : old.egid;
  const rootMatters = (old.securebits & SECURE_NOROOT) === 0;
  let permitted = rootMatters && (euid === 0 || old.uid === 0) ? old.capBset | old.capInheritable : 0n;
  const effective = rootMatters && euid === 0;
  const changesId = euid !== old.uid || egid !== old.gid;
  // LSM_UNSAFE_PTRACE: the tracer could not have done it itself.
  const unsafe = task.noNewPrivs || (task.ptrace !== 0 && (task.ptrace & PT_PTRACE_CAP) === 0);
  if (unsafe && (changesId || (permitted & ~old.capPermitted) !== 0n)) {
    if (!capable(old, CAP_SETUID) || task.noNewPrivs) {
      euid = old.uid;
      egid = old.gid;
    }
    permitted &= old.capPermitted;
  }
  const ambient = changesId ? 0n : old.capAmbient;
  permitted |= ambient;
  const cred: Cred = {
    ...old,
    euid,
    egid,
    suid: euid,
    sgid: egid,
    fsuid: euid,
    fsgid: egid,
    capPermitted: permitted,
    capEffective: effective ? permitted : ambient,
    capAmbient: ambient,
  };
  const gained = old.uid !== 0 && (effective || (permitted & ~ambient) !== 0n);
  return { cred, secure: gained || euid !== old.uid || egid !== old.gid, setsId: setuid || setgid };
}
