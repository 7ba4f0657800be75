/** prctl(2): kernel/sys.c, security/commoncap.c. */

import { EACCES, EBADF, EBUSY, EFAULT, EINVAL, EPERM } from '../abi/errno.ts';
import { decodeName } from '../abi/names.ts';
import {
  PR_CAP_AMBIENT,
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
  PR_GET_CHILD_SUBREAPER,
  PR_GET_DUMPABLE,
  PR_GET_KEEPCAPS,
  PR_GET_NAME,
  PR_GET_NO_NEW_PRIVS,
  PR_GET_PDEATHSIG,
  PR_GET_SECCOMP,
  PR_GET_SECUREBITS,
  PR_GET_THP_DISABLE,
  PR_GET_TID_ADDRESS,
  PR_GET_TIMERSLACK,
  PR_GET_TSC,
  PR_SET_CHILD_SUBREAPER,
  PR_SET_DUMPABLE,
  PR_SET_KEEPCAPS,
  PR_SET_MM,
  PR_SET_MM_ARG_END,
  PR_SET_MM_ARG_START,
  PR_SET_MM_AUXV,
  PR_SET_MM_BRK,
  PR_SET_MM_END_CODE,
  PR_SET_MM_END_DATA,
  PR_SET_MM_ENV_END,
  PR_SET_MM_ENV_START,
  PR_SET_MM_EXE_FILE,
  PR_SET_MM_MAP,
  PR_SET_MM_MAP_SIZE,
  PR_SET_MM_START_BRK,
  PR_SET_MM_START_CODE,
  PR_SET_MM_START_DATA,
  PR_SET_MM_START_STACK,
  PR_SET_NAME,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
  PR_SET_SECCOMP,
  PR_SET_SECUREBITS,
  PR_SET_THP_DISABLE,
  PR_SET_TIMERSLACK,
  prctl_mm_map,
} from '../abi/prctl.ts';
import { NSIG } from '../abi/signal.ts';
import type { ValueOfStruct } from '../abi/struct.ts';
import { get_file, put_file } from '../mm/file-ref.ts';
import { copy_from_user, copy_to_user, put_user_u32, put_user_u64 } from '../mm/uaccess.ts';
import { CAP_LAST_CAP, CAP_SETPCAP, CAP_SYS_RESOURCE, capable } from '../task/cred.ts';
import type { Task } from '../task/task.ts';
import { isCompatCall } from '../task/thread-info.ts';
import { prctl_set_seccomp } from './seccomp.ts';

type PrctlMmMap = ValueOfStruct<typeof prctl_mm_map>;

const COMM_SIZE = 16;
/** AT_VECTOR_SIZE words. */
const AUXV_WORDS = 44;
const MMAP_MIN_ADDR = 65536;
const SECURE_NO_CAP_AMBIENT_RAISE = 1 << 6;

/** prctl(2). */
export function sys_prctl(task: Task, option: number, a2: number, a3: number, a4: number, a5: number): number {
  const { group } = task;
  switch (option) {
    case PR_SET_PDEATHSIG:
      if (a2 > NSIG) return -EINVAL;
      task.pdeathSignal = a2;
      return 0;
    case PR_GET_PDEATHSIG:
      return put_user_u32(task.mm, a2, task.pdeathSignal);
    case PR_GET_DUMPABLE:
      return task.mm.dumpable;
    case PR_SET_DUMPABLE:
      if (a2 !== 0 && a2 !== 1) return -EINVAL;
      task.mm.dumpable = a2;
      return 0;
    case PR_GET_KEEPCAPS:
      return task.keepCaps ? 1 : 0;
    case PR_SET_KEEPCAPS:
      if (a2 > 1) return -EINVAL;
      task.keepCaps = a2 === 1;
      return 0;
    case PR_SET_NAME:
      return setName(task, a2);
    case PR_GET_NAME: {
      const bytes = new Uint8Array(COMM_SIZE);
      bytes.set(Buffer.from(task.comm).subarray(0, COMM_SIZE - 1));
      return copy_to_user(task.mm, a2, bytes);
    }
    case PR_CAPBSET_READ:
      return a2 > CAP_LAST_CAP ? -EINVAL : Number((task.cred.capBset >> BigInt(a2)) & 1n);
    case PR_CAPBSET_DROP:
      if (!capable(task.cred, CAP_SETPCAP)) return -EPERM;
      if (a2 > CAP_LAST_CAP) return -EINVAL;
      task.cred = { ...task.cred, capBset: task.cred.capBset & ~(1n << BigInt(a2)) };
      return 0;
    case PR_GET_TSC:
      return put_user_u32(task.mm, a2, 1);
    case PR_GET_SECUREBITS:
      return task.cred.securebits;
    case PR_SET_SECUREBITS:
      if (!capable(task.cred, CAP_SETPCAP)) return -EPERM;
      task.cred = { ...task.cred, securebits: a2 };
      return 0;
    case PR_GET_TIMERSLACK:
      return task.timerSlack;
    case PR_SET_TIMERSLACK:
      task.timerSlack = a2 === 0 ? 50_000 : a2;
      return 0;
    case PR_SET_MM:
      return prctl_set_mm(task, a2, a3, a4, a5);
    case PR_GET_TID_ADDRESS:
      return isCompatCall(task)
        ? put_user_u32(task.mm, a2, task.clearChildTid)
        : put_user_u64(task.mm, a2, BigInt(task.clearChildTid));
    case PR_SET_CHILD_SUBREAPER:
      group.isChildSubreaper = a2 !== 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return put_user_u32(task.mm, a2, group.isChildSubreaper ? 1 : 0);
    case PR_SET_NO_NEW_PRIVS:
      if (a2 !== 1 || a3 !== 0 || a4 !== 0 || a5 !== 0) return -EINVAL;
      task.noNewPrivs = true;
      return 0;
    case PR_GET_NO_NEW_PRIVS:
      if (a2 !== 0 || a3 !== 0 || a4 !== 0 || a5 !== 0) return -EINVAL;
      return task.noNewPrivs ? 1 : 0;
    case PR_GET_THP_DISABLE:
      if (a2 !== 0 || a3 !== 0 || a4 !== 0 || a5 !== 0) return -EINVAL;
      return task.thpDisabled ? 1 : 0;
    case PR_SET_THP_DISABLE:
      if (a3 !== 0 || a4 !== 0 || a5 !== 0) return -EINVAL;
      task.thpDisabled = a2 !== 0;
      return 0;
    case PR_CAP_AMBIENT:
      return capAmbient(task, a2, a3);
    case PR_GET_SECCOMP:
      return task.seccomp.mode;
    case PR_SET_SECCOMP:
      return prctl_set_seccomp(task, a2, a3);
    default:
      // Not modelled: PR_SET_TSC, PR_SET_UNALIGN and the like.
      return -EINVAL;
  }
}

function setName(task: Task, at: number): number {
  const bytes = copy_from_user(task.mm, at, COMM_SIZE - 1);
  const got = typeof bytes === 'number' ? shortName(task, at) : bytes;
  if (!got) return -EFAULT;
  const end = got.indexOf(0);
  task.comm = decodeName(end < 0 ? got : got.subarray(0, end));
  return 0;
}

/** The name lies at the end of a mapping: byte by byte up to its NUL. */
function shortName(task: Task, at: number): Uint8Array | undefined {
  const out: number[] = [];
  for (let i = 0; i < COMM_SIZE - 1; i++) {
    const byte = copy_from_user(task.mm, at + i, 1);
    if (typeof byte === 'number') return undefined;
    if (byte[0] === 0) break;
    out.push(byte[0]!);
  }
  return Uint8Array.from(out);
}

/** PR_CAP_AMBIENT_IS_SET 1, RAISE 2, LOWER 3, CLEAR_ALL 4. */
function capAmbient(task: Task, what: number, cap: number): number {
  const { cred } = task;
  if (what === 4) {
    task.cred = { ...cred, capAmbient: 0n };
    return 0;
  }
  if (cap > CAP_LAST_CAP || what < 1 || what > 3) return -EINVAL;
  const bit = 1n << BigInt(cap);
  if (what === 1) return (cred.capAmbient & bit) !== 0n ? 1 : 0;
  if (what === 2) {
    if ((cred.capPermitted & bit) === 0n || (cred.capInheritable & bit) === 0n) return -EPERM;
    if ((cred.securebits & SECURE_NO_CAP_AMBIENT_RAISE) !== 0) return -EPERM;
  }
  task.cred = { ...cred, capAmbient: what === 2 ? cred.capAmbient | bit : cred.capAmbient & ~bit };
  return 0;
}

/** prctl_set_mm(). */
function prctl_set_mm(task: Task, option: number, at: number, a4: number, a5: number): number {
  const { mm } = task;
  if (
    a5 !== 0 ||
    (a4 !== 0 && option !== PR_SET_MM_AUXV && option !== PR_SET_MM_MAP && option !== PR_SET_MM_MAP_SIZE)
  ) {
    return -EINVAL;
  }
  if (option === PR_SET_MM_MAP_SIZE) return put_user_u32(mm, at, prctl_mm_map.size);
  if (option === PR_SET_MM_MAP) return prctl_set_mm_map(task, at, a4);
  if (!capable(task.cred, CAP_SYS_RESOURCE)) return -EPERM;
  if (option === PR_SET_MM_EXE_FILE) return prctl_set_mm_exe_file(task, at);
  if (option === PR_SET_MM_AUXV) return prctl_set_auxv(task, at, a4);
  if (at >= mm.taskSize || at < MMAP_MIN_ADDR) return -EINVAL;
  const map = currentMap(task);
  const value = BigInt(at);
  switch (option) {
    case PR_SET_MM_START_CODE:
      map.start_code = value;
      break;
    case PR_SET_MM_END_CODE:
      map.end_code = value;
      break;
    case PR_SET_MM_START_DATA:
      map.start_data = value;
      break;
    case PR_SET_MM_END_DATA:
      map.end_data = value;
      break;
    case PR_SET_MM_START_STACK:
      map.start_stack = value;
      break;
    case PR_SET_MM_START_BRK:
      map.start_brk = value;
      break;
    case PR_SET_MM_BRK:
      map.brk = value;
      break;
    case PR_SET_MM_ARG_START:
      map.arg_start = value;
      break;
    case PR_SET_MM_ARG_END:
      map.arg_end = value;
      break;
    case PR_SET_MM_ENV_START:
      map.env_start = value;
      break;
    case PR_SET_MM_ENV_END:
      map.env_end = value;
      break;
    default:
      return -EINVAL;
  }
  const error = validate_prctl_map(task, map);
  if (error) return error;
  if (option >= PR_SET_MM_ARG_START && option <= PR_SET_MM_ENV_END && !mm.vmaAt(at)) return -EFAULT;
  applyMap(task, map);
  return 0;
}

/** prctl_set_mm_map(): all at once, for a task that has its exe's rights or CAP_SYS_RESOURCE for the exe. */
function prctl_set_mm_map(task: Task, at: number, size: number): number {
  if (size !== prctl_mm_map.size) return -EINVAL;
  const bytes = copy_from_user(task.mm, at, size);
  if (typeof bytes === 'number') return -EFAULT;
  const map = prctl_mm_map.read(bytes);
  const error = validate_prctl_map(task, map);
  if (error) return error;
  let auxv: Uint8Array | undefined;
  if (map.auxv_size !== 0) {
    const read = copy_from_user(task.mm, Number(map.auxv), map.auxv_size);
    if (typeof read === 'number') return -EFAULT;
    auxv = terminated(task, read);
  }
  if (map.exe_fd !== 0xffff_ffff) {
    const failed = prctl_set_mm_exe_file(task, map.exe_fd | 0);
    if (failed) return failed;
  }
  applyMap(task, map);
  if (auxv) task.mm.savedAuxv = auxv;
  return 0;
}

/** The last two words are AT_NULL. */
function terminated(task: Task, auxv: Uint8Array): Uint8Array {
  const word = task.mm.abi === '64' ? 8 : 4;
  const full = new Uint8Array(AUXV_WORDS * word);
  full.set(auxv.subarray(0, full.length));
  full.fill(0, full.length - 2 * word);
  // What is read back ends with the first AT_NULL.
  let end = 0;
  while (end < full.length && full.subarray(end, end + word).some((b) => b !== 0)) end += 2 * word;
  return full.slice(0, Math.min(end + 2 * word, full.length));
}

/** prctl_set_auxv(). */
function prctl_set_auxv(task: Task, at: number, size: number): number {
  const word = task.mm.abi === '64' ? 8 : 4;
  if (size > AUXV_WORDS * word) return -EINVAL;
  const bytes = copy_from_user(task.mm, at, size);
  if (typeof bytes === 'number') return -EFAULT;
  task.mm.savedAuxv = terminated(task, bytes);
  return 0;
}

function currentMap(task: Task): PrctlMmMap {
  const { mm } = task;
  return {
    start_code: BigInt(mm.startCode),
    end_code: BigInt(mm.endCode),
    start_data: BigInt(mm.startData),
    end_data: BigInt(mm.endData),
    start_brk: BigInt(mm.startBrk),
    brk: BigInt(mm.brk),
    start_stack: BigInt(mm.startStack),
    arg_start: BigInt(mm.argStart),
    arg_end: BigInt(mm.argEnd),
    env_start: BigInt(mm.envStart),
    env_end: BigInt(mm.envEnd),
    auxv: 0n,
    auxv_size: 0,
    exe_fd: 0xffff_ffff,
  };
}

function applyMap(task: Task, map: PrctlMmMap): void {
  const { mm } = task;
  mm.startCode = Number(map.start_code);
  mm.endCode = Number(map.end_code);
  mm.startData = Number(map.start_data);
  mm.endData = Number(map.end_data);
  mm.startBrk = Number(map.start_brk);
  mm.brk = Number(map.brk);
  mm.startStack = Number(map.start_stack);
  mm.argStart = Number(map.arg_start);
  mm.argEnd = Number(map.arg_end);
  mm.envStart = Number(map.env_start);
  mm.envEnd = Number(map.env_end);
}

/** validate_prctl_map(). */
function validate_prctl_map(task: Task, map: PrctlMmMap): number {
  const top = BigInt(task.mm.taskSize);
  const min = BigInt(MMAP_MIN_ADDR);
  const addresses = [
    map.start_code,
    map.end_code,
    map.start_data,
    map.end_data,
    map.start_brk,
    map.brk,
    map.start_stack,
    map.arg_start,
    map.arg_end,
    map.env_start,
    map.env_end,
  ];
  if (addresses.some((a) => a >= top || a < min)) return -EINVAL;
  if (map.start_code >= map.end_code) return -EINVAL;
  if (map.start_data > map.end_data || map.start_brk > map.brk) return -EINVAL;
  if (map.arg_start > map.arg_end || map.env_start > map.env_end) return -EINVAL;
  // brk should be after @end_data in traditional maps.
  if (map.start_brk <= map.end_data || map.brk <= map.end_data) return -EINVAL;
  const limit = task.mm.rlimit(2);
  if (Number(map.brk - map.start_brk + map.end_data - map.start_data) > limit) return -EINVAL;
  if (map.auxv_size !== 0) {
    const word = task.mm.abi === '64' ? 8 : 4;
    if (map.auxv === 0n || map.auxv_size > AUXV_WORDS * word) return -EINVAL;
  }
  if (map.exe_fd !== 0xffff_ffff && !capable(task.cred, CAP_SYS_RESOURCE)) return -EINVAL;
  return 0;
}

/** prctl_set_mm_exe_file(): refused while the old file is still mapped. */
function prctl_set_mm_exe_file(task: Task, fd: number): number {
  const { mm } = task;
  const file = task.files.get(fd);
  if (!file) return -EBADF;
  if (file.inode.isDir() || !file.inode.mmapable()) return -EACCES;
  const old = mm.exeFile;
  if (old && mm.vmas.some((vma) => vma.file && vma.file.inode === old.inode && vma.file.path === old.path)) {
    return -EBUSY;
  }
  const mapped = file as unknown as NonNullable<typeof old>;
  get_file(mapped);
  if (old) put_file(old);
  mm.exeFile = mapped;
  return 0;
}
