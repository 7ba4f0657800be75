/** include/uapi/linux/ipc.h, shm.h, sem.h, msg.h; the IPC_64 structures of both ABIs. */
import { type Field, struct } from './struct.ts';

export const IPC_PRIVATE = 0;
export const IPC_CREAT = 0o1000,
  IPC_EXCL = 0o2000,
  IPC_NOWAIT = 0o4000;
export const IPC_RMID = 0,
  IPC_SET = 1,
  IPC_STAT = 2,
  IPC_INFO = 3;
/** Of i386's commands: the structures below, not the oldest ones. */
export const IPC_64 = 0x100;
/** SEQ_MULTIPLIER: an identifier is sequence * 32768 + index. */
export const IPCMNI = 32768;

export const SHM_RDONLY = 0o10000,
  SHM_RND = 0o20000,
  SHM_REMAP = 0o40000,
  SHM_EXEC = 0o100000;
export const SHM_LOCK = 11,
  SHM_UNLOCK = 12,
  SHM_STAT = 13,
  SHM_INFO = 14;
export const SHMMNI = 4096;
export const SHM_DEST = 0o1000,
  SHM_LOCKED = 0o2000;

export const SEM_UNDO = 0x1000;
export const GETPID = 11,
  GETVAL = 12,
  GETALL = 13,
  GETNCNT = 14,
  GETZCNT = 15,
  SETVAL = 16,
  SETALL = 17,
  SEM_STAT = 18,
  SEM_INFO = 19;
export const SEMMNI = 32000,
  SEMMSL = 32000,
  SEMOPM = 500,
  SEMVMX = 32767;

export const MSG_NOERROR = 0o10000,
  MSG_EXCEPT = 0o20000;
export const MSG_STAT = 11,
  MSG_INFO = 12;
export const MSGMNI = 32000;
export const MSGMAX = 8192,
  MSGMNB = 16384;

const perm64 = [
  ['key', 'i32'],
  ['uid', 'u32'],
  ['gid', 'u32'],
  ['cuid', 'u32'],
  ['cgid', 'u32'],
  ['mode', 'u32'],
  ['seq', 'u16'],
  ['_pad2', 'u16'],
  ['_unused1', 'u64'],
  ['_unused2', 'u64'],
] as const satisfies readonly Field[];
const perm32 = [
  ['key', 'i32'],
  ['uid', 'u32'],
  ['gid', 'u32'],
  ['cuid', 'u32'],
  ['cgid', 'u32'],
  ['mode', 'u16'],
  ['_pad1', 'u16'],
  ['seq', 'u16'],
  ['_pad2', 'u16'],
  ['_unused1', 'u32'],
  ['_unused2', 'u32'],
] as const satisfies readonly Field[];

export const shmid64_ds = struct('shmid64_ds', [
  ...perm64,
  ['segsz', 'u64'],
  ['atime', 'i64'],
  ['dtime', 'i64'],
  ['ctime', 'i64'],
  ['cpid', 'i32'],
  ['lpid', 'i32'],
  ['nattch', 'u64'],
  ['_unused4', 'u64'],
  ['_unused5', 'u64'],
]);
export const compat_shmid64_ds = struct('compat_shmid64_ds', [
  ...perm32,
  ['segsz', 'u32'],
  ['atime', 'i32'],
  ['_u1', 'u32'],
  ['dtime', 'i32'],
  ['_u2', 'u32'],
  ['ctime', 'i32'],
  ['_u3', 'u32'],
  ['cpid', 'i32'],
  ['lpid', 'i32'],
  ['nattch', 'u32'],
  ['_u4', 'u32'],
  ['_u5', 'u32'],
]);
export const semid64_ds = struct('semid64_ds', [
  ...perm64,
  ['otime', 'i64'],
  ['_u1', 'u64'],
  ['ctime', 'i64'],
  ['_u2', 'u64'],
  ['nsems', 'u64'],
  ['_u3', 'u64'],
  ['_u4', 'u64'],
]);
export const compat_semid64_ds = struct('compat_semid64_ds', [
  ...perm32,
  ['otime', 'i32'],
  ['_u1', 'u32'],
  ['ctime', 'i32'],
  ['_u2', 'u32'],
  ['nsems', 'u32'],
  ['_u3', 'u32'],
  ['_u4', 'u32'],
]);
export const msqid64_ds = struct('msqid64_ds', [
  ...perm64,
  ['stime', 'i64'],
  ['rtime', 'i64'],
  ['ctime', 'i64'],
  ['cbytes', 'u64'],
  ['qnum', 'u64'],
  ['qbytes', 'u64'],
  ['lspid', 'i32'],
  ['lrpid', 'i32'],
  ['_u4', 'u64'],
  ['_u5', 'u64'],
]);
export const compat_msqid64_ds = struct('compat_msqid64_ds', [
  ...perm32,
  ['stime', 'i32'],
  ['_u1', 'u32'],
  ['rtime', 'i32'],
  ['_u2', 'u32'],
  ['ctime', 'i32'],
  ['_u3', 'u32'],
  ['cbytes', 'u32'],
  ['qnum', 'u32'],
  ['qbytes', 'u32'],
  ['lspid', 'i32'],
  ['lrpid', 'i32'],
  ['_u4', 'u32'],
  ['_u5', 'u32'],
]);
/** `struct mq_attr`, include/uapi/linux/mqueue.h. */
export const mq_attr = struct('mq_attr', [
  ['flags', 'i64'],
  ['maxmsg', 'i64'],
  ['msgsize', 'i64'],
  ['curmsgs', 'i64'],
  ['_reserved', 'i64', 4],
]);
export const compat_mq_attr = struct('compat_mq_attr', [
  ['flags', 'i32'],
  ['maxmsg', 'i32'],
  ['msgsize', 'i32'],
  ['curmsgs', 'i32'],
  ['_reserved', 'i32', 4],
]);
/** What IPC_INFO, SHM_INFO, SEM_INFO and MSG_INFO answer. */
export const shminfo64 = struct('shminfo64', [
  ['shmmax', 'u64'],
  ['shmmin', 'u64'],
  ['shmmni', 'u64'],
  ['shmseg', 'u64'],
  ['shmall', 'u64'],
  ['_unused', 'u64', 4],
]);
export const compat_shminfo64 = struct('compat_shminfo64', [
  ['shmmax', 'u32'],
  ['shmmin', 'u32'],
  ['shmmni', 'u32'],
  ['shmseg', 'u32'],
  ['shmall', 'u32'],
  ['_unused', 'u32', 4],
]);
export const shm_info = struct('shm_info', [
  ['used_ids', 'i32'],
  ['shm_tot', 'u64'],
  ['shm_rss', 'u64'],
  ['shm_swp', 'u64'],
  ['swap_attempts', 'u64'],
  ['swap_successes', 'u64'],
]);
export const compat_shm_info = struct('compat_shm_info', [
  ['used_ids', 'i32'],
  ['shm_tot', 'u32'],
  ['shm_rss', 'u32'],
  ['shm_swp', 'u32'],
  ['swap_attempts', 'u32'],
  ['swap_successes', 'u32'],
]);
export const seminfo = struct('seminfo', [
  ['semmap', 'i32'],
  ['semmni', 'i32'],
  ['semmns', 'i32'],
  ['semmnu', 'i32'],
  ['semmsl', 'i32'],
  ['semopm', 'i32'],
  ['semume', 'i32'],
  ['semusz', 'i32'],
  ['semvmx', 'i32'],
  ['semaem', 'i32'],
]);
export const msginfo = struct('msginfo', [
  ['msgpool', 'i32'],
  ['msgmap', 'i32'],
  ['msgmax', 'i32'],
  ['msgmnb', 'i32'],
  ['msgmni', 'i32'],
  ['msgssz', 'i32'],
  ['msgtql', 'i32'],
  ['msgseg', 'u16'],
]);
export const sembuf = struct('sembuf', [
  ['num', 'u16'],
  ['op', 'i16'],
  ['flg', 'i16'],
]);
