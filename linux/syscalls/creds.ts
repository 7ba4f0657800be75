/** User and group ids, capabilities: kernel/sys.c, kernel/groups.c, kernel/capability.c, kernel/uid16.c. */
import { EFAULT, EINVAL, EPERM, ESRCH } from '../abi/errno.ts';
import { copy_from_user, copy_to_user, put_user_u16, put_user_u32 } from '../mm/uaccess.ts';
import { CAP_FULL_SET, CAP_SETGID, CAP_SETUID, type Cred, capable, commit_creds } from '../task/cred.ts';
import type { Task } from '../task/task.ts';

/** (uid_t)-1: leave as it is. */
const KEEP = 0xffff_ffff;
const NGROUPS_MAX = 65536;
const OVERFLOW_ID = 65534;

/** low2highuid(): 16-bit -1 stays -1. */
const wide = (id: number): number => ((id & 0xffff) === 0xffff ? KEEP : id & 0xffff);
/** high2lowuid(). */
const narrow = (id: number): number => (id > 0xffff ? OVERFLOW_ID : id);

const change = (task: Task, next: Partial<Cred>): number => {
  commit_creds(task, { ...task.cred, ...next });
  return 0;
};

/** cap_emulate_setxuid(), security/commoncap.c. */
function fixCapabilities(task: Task, old: Cred): void {
  const next = task.cred;
  const hadRoot = old.uid === 0 || old.euid === 0 || old.suid === 0;
  const hasRoot = next.uid === 0 || next.euid === 0 || next.suid === 0;
  let fixed: Partial<Cred> = {};
  if (hadRoot && !hasRoot && !task.keepCaps) fixed = { capPermitted: 0n, capEffective: 0n, capAmbient: 0n };
  if (old.euid === 0 && next.euid !== 0) fixed = { ...fixed, capEffective: 0n };
  if (old.euid !== 0 && next.euid === 0) fixed = { ...fixed, capEffective: next.capPermitted };
  if (Object.keys(fixed).length > 0) task.cred = { ...task.cred, ...fixed };
}

// ---- reading

export const sys_getuid = (task: Task): number => task.cred.uid;
export const sys_geteuid = (task: Task): number => task.cred.euid;
export const sys_getgid = (task: Task): number => task.cred.gid;
export const sys_getegid = (task: Task): number => task.cred.egid;
export const sys_getuid16 = (task: Task): number => narrow(task.cred.uid);
export const sys_geteuid16 = (task: Task): number => narrow(task.cred.euid);
export const sys_getgid16 = (task: Task): number => narrow(task.cred.gid);
export const sys_getegid16 = (task: Task): number => narrow(task.cred.egid);

const put3 = (task: Task, at: readonly number[], ids: readonly number[], short: boolean): number => {
  for (let i = 0; i < 3; i++) {
    const error = short ? put_user_u16(task.mm, at[i]!, narrow(ids[i]!)) : put_user_u32(task.mm, at[i]!, ids[i]!);
    if (error) return -EFAULT;
  }
  return 0;
};

export const sys_getresuid = (t: Task, r: number, e: number, s: number): number =>
  put3(t, [r, e, s], [t.cred.uid, t.cred.euid, t.cred.suid], false);
export const sys_getresgid = (t: Task, r: number, e: number, s: number): number =>
  put3(t, [r, e, s], [t.cred.gid, t.cred.egid, t.cred.sgid], false);
export const sys_getresuid16 = (t: Task, r: number, e: number, s: number): number =>
  put3(t, [r, e, s], [t.cred.uid, t.cred.euid, t.cred.suid], true);
export const sys_getresgid16 = (t: Task, r: number, e: number, s: number): number =>
  put3(t, [r, e, s], [t.cred.gid, t.cred.egid, t.cred.sgid], true);

// ---- setting

/** setuid(2). */
export function sys_setuid(task: Task, uid: number): number {
  const old = task.cred;
  if (uid === KEEP) return -EINVAL;
  if (capable(old, CAP_SETUID)) change(task, { uid, suid: uid, euid: uid, fsuid: uid });
  else if (uid === old.uid || uid === old.suid) change(task, { euid: uid, fsuid: uid });
  else return -EPERM;
  fixCapabilities(task, old);
  return 0;
}

/** setgid(2). */
export function sys_setgid(task: Task, gid: number): number {
  const old = task.cred;
  if (gid === KEEP) return -EINVAL;
  if (capable(old, CAP_SETGID)) return change(task, { gid, sgid: gid, egid: gid, fsgid: gid });
  if (gid === old.gid || gid === old.sgid) return change(task, { egid: gid, fsgid: gid });
  return -EPERM;
}

/** setreuid(2). */
export function sys_setreuid(task: Task, ruid: number, euid: number): number {
  const old = task.cred;
  const may = capable(old, CAP_SETUID);
  if (ruid !== KEEP && !may && ruid !== old.uid && ruid !== old.euid) return -EPERM;
  if (euid !== KEEP && !may && euid !== old.uid && euid !== old.euid && euid !== old.suid) return -EPERM;
  const uid = ruid === KEEP ? old.uid : ruid;
  const effective = euid === KEEP ? old.euid : euid;
  const saved = ruid !== KEEP || (euid !== KEEP && euid !== old.uid) ? effective : old.suid;
  change(task, { uid, euid: effective, suid: saved, fsuid: effective });
  fixCapabilities(task, old);
  return 0;
}

/** setregid(2). */
export function sys_setregid(task: Task, rgid: number, egid: number): number {
  const old = task.cred;
  const may = capable(old, CAP_SETGID);
  if (rgid !== KEEP && !may && rgid !== old.gid && rgid !== old.egid) return -EPERM;
  if (egid !== KEEP && !may && egid !== old.gid && egid !== old.egid && egid !== old.sgid) return -EPERM;
  const gid = rgid === KEEP ? old.gid : rgid;
  const effective = egid === KEEP ? old.egid : egid;
  const saved = rgid !== KEEP || (egid !== KEEP && egid !== old.gid) ? effective : old.sgid;
  return change(task, { gid, egid: effective, sgid: saved, fsgid: effective });
}

/** setresuid(2). */
export function sys_setresuid(task: Task, ruid: number, euid: number, suid: number): number {
  const old = task.cred;
  const known = [old.uid, old.euid, old.suid];
  if (!capable(old, CAP_SETUID)) {
    for (const id of [ruid, euid, suid]) if (id !== KEEP && !known.includes(id)) return -EPERM;
  }
  const effective = euid === KEEP ? old.euid : euid;
  change(task, {
    uid: ruid === KEEP ? old.uid : ruid,
    euid: effective,
    suid: suid === KEEP ? old.suid : suid,
    fsuid: effective,
  });
  fixCapabilities(task, old);
  return 0;
}

/** setresgid(2). */
export function sys_setresgid(task: Task, rgid: number, egid: number, sgid: number): number {
  const old = task.cred;
  const known = [old.gid, old.egid, old.sgid];
  if (!capable(old, CAP_SETGID)) {
    for (const id of [rgid, egid, sgid]) if (id !== KEEP && !known.includes(id)) return -EPERM;
  }
  const effective = egid === KEEP ? old.egid : egid;
  return change(task, {
    gid: rgid === KEEP ? old.gid : rgid,
    egid: effective,
    sgid: sgid === KEEP ? old.sgid : sgid,
    fsgid: effective,
  });
}

/** setfsuid(2): the answer is always the old one. */
export function sys_setfsuid(task: Task, uid: number): number {
  const old = task.cred;
  if ([old.uid, old.euid, old.suid, old.fsuid].includes(uid) || (capable(old, CAP_SETUID) && uid !== KEEP)) {
    change(task, { fsuid: uid });
  }
  return old.fsuid;
}

/** setfsgid(2). */
export function sys_setfsgid(task: Task, gid: number): number {
  const old = task.cred;
  if ([old.gid, old.egid, old.sgid, old.fsgid].includes(gid) || (capable(old, CAP_SETGID) && gid !== KEEP)) {
    change(task, { fsgid: gid });
  }
  return old.fsgid;
}

// The 16-bit calls of i386.
export const sys_setuid16 = (t: Task, a: number): number => sys_setuid(t, wide(a));
export const sys_setgid16 = (t: Task, a: number): number => sys_setgid(t, wide(a));
export const sys_setreuid16 = (t: Task, a: number, b: number): number => sys_setreuid(t, wide(a), wide(b));
export const sys_setregid16 = (t: Task, a: number, b: number): number => sys_setregid(t, wide(a), wide(b));
export const sys_setresuid16 = (t: Task, a: number, b: number, c: number): number =>
  sys_setresuid(t, wide(a), wide(b), wide(c));
export const sys_setresgid16 = (t: Task, a: number, b: number, c: number): number =>
  sys_setresgid(t, wide(a), wide(b), wide(c));
export const sys_setfsuid16 = (t: Task, a: number): number => narrow(sys_setfsuid(t, wide(a)));
export const sys_setfsgid16 = (t: Task, a: number): number => narrow(sys_setfsgid(t, wide(a)));

// ---- groups

function getgroups(task: Task, size: number, at: number, width: 2 | 4): number {
  const { groups } = task.cred;
  if (size < 0) return -EINVAL;
  if (size === 0) return groups.length;
  if (groups.length > size) return -EINVAL;
  const bytes = new Uint8Array(groups.length * width);
  const view = new DataView(bytes.buffer);
  groups.forEach((g, i) => {
    if (width === 2) view.setUint16(i * 2, narrow(g), true);
    else view.setUint32(i * 4, g, true);
  });
  return copy_to_user(task.mm, at, bytes) || groups.length;
}

function setgroups(task: Task, size: number, at: number, width: 2 | 4): number {
  if (!capable(task.cred, CAP_SETGID)) return -EPERM;
  if (size < 0 || size > NGROUPS_MAX) return -EINVAL;
  const bytes = copy_from_user(task.mm, at, size * width);
  if (typeof bytes === 'number') return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const groups = Array.from({ length: size }, (_, i) =>
    width === 2 ? wide(view.getUint16(i * 2, true)) : view.getUint32(i * 4, true),
  );
  return change(task, { groups: groups.sort((a, b) => a - b) });
}

export const sys_getgroups = (t: Task, size: number, at: number): number => getgroups(t, size, at, 4);
export const sys_setgroups = (t: Task, size: number, at: number): number => setgroups(t, size, at, 4);
export const sys_getgroups16 = (t: Task, size: number, at: number): number => getgroups(t, size, at, 2);
export const sys_setgroups16 = (t: Task, size: number, at: number): number => setgroups(t, size, at, 2);

// ---- capabilities

const _LINUX_CAPABILITY_VERSION_1 = 0x1998_0330,
  _LINUX_CAPABILITY_VERSION_2 = 0x2007_1026,
  _LINUX_CAPABILITY_VERSION_3 = 0x2008_0522;

/** cap_validate_magic(): words per set, or what the call returns. */
function capHeader(task: Task, at: number, dataAt: number): { words: number; pid: number } | number {
  const header = copy_from_user(task.mm, at, 8);
  if (typeof header === 'number') return -EFAULT;
  const view = new DataView(header.buffer, header.byteOffset);
  const pid = view.getInt32(4, true);
  switch (view.getUint32(0, true)) {
    case _LINUX_CAPABILITY_VERSION_1:
      return { words: 1, pid };
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3:
      return { words: 2, pid };
    default:
      if (put_user_u32(task.mm, at, _LINUX_CAPABILITY_VERSION_3)) return -EFAULT;
      return dataAt === 0 ? 0 : -EINVAL;
  }
}

/** capget(2): effective, permitted, inheritable per 32 bits. */
export function sys_capget(task: Task, headerAt: number, dataAt: number): number {
  const h = capHeader(task, headerAt, dataAt);
  if (typeof h === 'number') return h;
  if (h.pid < 0) return -EINVAL;
  const target = h.pid === 0 ? task : task.kernel.tasks.get(h.pid);
  if (!target) return -ESRCH;
  if (dataAt === 0) return 0;
  const { capEffective, capPermitted, capInheritable } = target.cred;
  const words = new Uint32Array(h.words * 3);
  for (let i = 0; i < h.words; i++) {
    const shift = BigInt(32 * i);
    [capEffective, capPermitted, capInheritable].forEach((set, j) => {
      words[i * 3 + j] = Number((set >> shift) & 0xffff_ffffn);
    });
  }
  return copy_to_user(task.mm, dataAt, new Uint8Array(words.buffer));
}

/** capset(2). */
export function sys_capset(task: Task, headerAt: number, dataAt: number): number {
  const h = capHeader(task, headerAt, 1);
  if (typeof h === 'number') return h;
  if (h.pid !== 0 && h.pid !== task.pid) return -EPERM;
  const bytes = copy_from_user(task.mm, dataAt, h.words * 12);
  if (typeof bytes === 'number') return -EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const sets = [0n, 0n, 0n];
  for (let i = 0; i < h.words; i++) {
    for (let j = 0; j < 3; j++) {
      sets[j]! |= BigInt(view.getUint32((i * 3 + j) * 4, true)) << BigInt(32 * i);
    }
  }
  const [effective, permitted, inheritable] = sets.map((s) => s & CAP_FULL_SET) as [bigint, bigint, bigint];
  const old = task.cred;
  if ((permitted & ~old.capPermitted) !== 0n) return -EPERM;
  if ((effective & ~permitted) !== 0n) return -EPERM;
  if ((inheritable & ~(old.capInheritable | old.capBset)) !== 0n) return -EPERM;
  return change(task, {
    capEffective: effective,
    capPermitted: permitted,
    capInheritable: inheritable,
    capAmbient: old.capAmbient & permitted & inheritable,
  });
}
