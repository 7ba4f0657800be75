/** clone(2), wait(2), rlimits, usage, utsname, sysinfo: include/uapi/linux/{sched,wait,resource,utsname,sysinfo}.h. */
import { struct } from './struct.ts';

export const CSIGNAL = 0xff,
  CLONE_VM = 0x100,
  CLONE_FS = 0x200,
  CLONE_FILES = 0x400,
  CLONE_SIGHAND = 0x800;
export const CLONE_PTRACE = 0x2000,
  CLONE_VFORK = 0x4000,
  CLONE_PARENT = 0x8000,
  CLONE_THREAD = 0x1_0000;
export const CLONE_NEWNS = 0x2_0000,
  CLONE_SYSVSEM = 0x4_0000,
  CLONE_SETTLS = 0x8_0000,
  CLONE_PARENT_SETTID = 0x10_0000;
export const CLONE_CHILD_CLEARTID = 0x20_0000,
  CLONE_DETACHED = 0x40_0000,
  CLONE_UNTRACED = 0x80_0000,
  CLONE_CHILD_SETTID = 0x100_0000;
/** CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
export const CLONE_NEW_ANY = 0x7e00_0000 | CLONE_NEWNS;
export const CLONE_NEWUSER = 0x1000_0000;

export const WNOHANG = 1,
  WUNTRACED = 2,
  WSTOPPED = 2,
  WEXITED = 4,
  WCONTINUED = 8;
export const WNOWAIT = 0x0100_0000,
  __WNOTHREAD = 0x2000_0000,
  __WALL = 0x4000_0000,
  __WCLONE = 0x8000_0000;
export const P_ALL = 0,
  P_PID = 1,
  P_PGID = 2;

export const RLIMIT_CPU = 0,
  RLIMIT_FSIZE = 1,
  RLIMIT_DATA = 2,
  RLIMIT_STACK = 3,
  RLIMIT_CORE = 4,
  RLIMIT_RSS = 5;
export const RLIMIT_NPROC = 6,
  RLIMIT_NOFILE = 7,
  RLIMIT_MEMLOCK = 8,
  RLIMIT_AS = 9,
  RLIMIT_LOCKS = 10;
export const RLIMIT_SIGPENDING = 11,
  RLIMIT_MSGQUEUE = 12,
  RLIMIT_NICE = 13,
  RLIMIT_RTPRIO = 14,
  RLIMIT_RTTIME = 15;
export const RLIM_NLIMITS = 16,
  RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;

export const rlimit = struct('rlimit', [
  ['cur', 'u64'],
  ['max', 'u64'],
]);
export const compat_rlimit = struct('compat_rlimit', [
  ['cur', 'u32'],
  ['max', 'u32'],
]);

export const RUSAGE_SELF = 0,
  RUSAGE_CHILDREN = -1,
  RUSAGE_THREAD = 1;
export const rusage = struct('rusage', [
  ['utime_sec', 'i64'],
  ['utime_usec', 'i64'],
  ['stime_sec', 'i64'],
  ['stime_usec', 'i64'],
  ['maxrss', 'i64'],
  ['ixrss', 'i64'],
  ['idrss', 'i64'],
  ['isrss', 'i64'],
  ['minflt', 'i64'],
  ['majflt', 'i64'],
  ['nswap', 'i64'],
  ['inblock', 'i64'],
  ['oublock', 'i64'],
  ['msgsnd', 'i64'],
  ['msgrcv', 'i64'],
  ['nsignals', 'i64'],
  ['nvcsw', 'i64'],
  ['nivcsw', 'i64'],
]);
export const compat_rusage = struct('compat_rusage', [
  ['utime_sec', 'i32'],
  ['utime_usec', 'i32'],
  ['stime_sec', 'i32'],
  ['stime_usec', 'i32'],
  ['maxrss', 'i32'],
  ['ixrss', 'i32'],
  ['idrss', 'i32'],
  ['isrss', 'i32'],
  ['minflt', 'i32'],
  ['majflt', 'i32'],
  ['nswap', 'i32'],
  ['inblock', 'i32'],
  ['oublock', 'i32'],
  ['msgsnd', 'i32'],
  ['msgrcv', 'i32'],
  ['nsignals', 'i32'],
  ['nvcsw', 'i32'],
  ['nivcsw', 'i32'],
]);

/** `struct new_utsname`: six strings of this size. */
export const UTS_FIELD = 65;

export const sysinfo = struct('sysinfo', [
  ['uptime', 'i64'],
  ['loads', 'u64', 3],
  ['totalram', 'u64'],
  ['freeram', 'u64'],
  ['sharedram', 'u64'],
  ['bufferram', 'u64'],
  ['totalswap', 'u64'],
  ['freeswap', 'u64'],
  ['procs', 'u16'],
  ['_pad', 'u16'],
  ['totalhigh', 'u64'],
  ['freehigh', 'u64'],
  ['mem_unit', 'u32'],
]);
export const compat_sysinfo = struct('compat_sysinfo', [
  ['uptime', 'i32'],
  ['loads', 'u32', 3],
  ['totalram', 'u32'],
  ['freeram', 'u32'],
  ['sharedram', 'u32'],
  ['bufferram', 'u32'],
  ['totalswap', 'u32'],
  ['freeswap', 'u32'],
  ['procs', 'u16'],
  ['_pad', 'u16'],
  ['totalhigh', 'u32'],
  ['freehigh', 'u32'],
  ['mem_unit', 'u32'],
  ['_f', 'u8', 8],
]);

export const tms = struct('tms', [
  ['utime', 'i64'],
  ['stime', 'i64'],
  ['cutime', 'i64'],
  ['cstime', 'i64'],
]);
export const compat_tms = struct('compat_tms', [
  ['utime', 'i32'],
  ['stime', 'i32'],
  ['cutime', 'i32'],
  ['cstime', 'i32'],
]);

/** struct user_desc, arch/x86/include/uapi/asm/ldt.h. */
export const user_desc = struct('user_desc', [
  ['entry_number', 'u32'],
  ['base_addr', 'u32'],
  ['limit', 'u32'],
  ['flags', 'u32'],
]);
/** The bit fields of user_desc.flags. */
export const UD_SEG_32BIT = 1,
  UD_CONTENTS = 6,
  UD_CONTENTS_SHIFT = 1,
  UD_READ_EXEC_ONLY = 8,
  UD_LIMIT_IN_PAGES = 0x10;
export const UD_SEG_NOT_PRESENT = 0x20,
  UD_USEABLE = 0x40,
  UD_LM = 0x80;

/** include/uapi/linux/personality.h */
export const PER_LINUX32 = 8,
  PER_MASK = 0xff,
  ADDR_NO_RANDOMIZE = 0x004_0000;
