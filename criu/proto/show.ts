import type { Show } from './message.ts';

/** How `crit --pretty` shows special numbers: the bits and names that it knows. A bit without a name is shown in hex. */
export const hex: Show = { as: 'hex' };
export const ip: Show = { as: 'ip' };
export const dev: Show = { as: 'dev' };
export const odev: Show = { as: 'odev' };
export const unixName: Show = { as: 'unix-name' };

export const mmapProt: Show = {
  as: 'flags',
  bits: [
    ['PROT_READ', 0x1],
    ['PROT_WRITE', 0x2],
    ['PROT_EXEC', 0x4],
  ],
};

export const mmapFlags: Show = {
  as: 'flags',
  bits: [
    ['MAP_SHARED', 0x1],
    ['MAP_PRIVATE', 0x2],
    ['MAP_DROPPABLE', 0x8],
    ['MAP_ANON', 0x20],
    ['MAP_GROWSDOWN', 0x100],
  ],
};

/** The bits of vma_entry.status, criu/include/image.h. crit has no name for bit 16 (VMA_AREA_GUARD). */
export const VMA_AREA_REGULAR = 0x1;
export const VMA_AREA_STACK = 0x2;
export const VMA_AREA_VSYSCALL = 0x4;
export const VMA_AREA_VDSO = 0x8;
export const VMA_AREA_HEAP = 0x20;
export const VMA_FILE_PRIVATE = 0x40;
export const VMA_FILE_SHARED = 0x80;
export const VMA_ANON_SHARED = 0x100;
export const VMA_ANON_PRIVATE = 0x200;
export const VMA_AREA_SYSVIPC = 0x400;
export const VMA_AREA_SOCKET = 0x800;
export const VMA_AREA_VVAR = 0x1000;
export const VMA_AREA_AIORING = 0x2000;
export const VMA_AREA_MEMFD = 0x4000;
export const VMA_AREA_SHSTK = 0x8000;
export const VMA_AREA_GUARD = 0x10000;
export const VMA_AREA_UPROBES = 0x20000;

export const mmapStatus: Show = {
  as: 'flags',
  bits: [
    ['VMA_AREA_REGULAR', VMA_AREA_REGULAR],
    ['VMA_AREA_STACK', VMA_AREA_STACK],
    ['VMA_AREA_VSYSCALL', VMA_AREA_VSYSCALL],
    ['VMA_AREA_VDSO', VMA_AREA_VDSO],
    ['VMA_AREA_HEAP', VMA_AREA_HEAP],
    ['VMA_FILE_PRIVATE', VMA_FILE_PRIVATE],
    ['VMA_FILE_SHARED', VMA_FILE_SHARED],
    ['VMA_ANON_SHARED', VMA_ANON_SHARED],
    ['VMA_ANON_PRIVATE', VMA_ANON_PRIVATE],
    ['VMA_AREA_SYSVIPC', VMA_AREA_SYSVIPC],
    ['VMA_AREA_SOCKET', VMA_AREA_SOCKET],
    ['VMA_AREA_VVAR', VMA_AREA_VVAR],
    ['VMA_AREA_AIORING', VMA_AREA_AIORING],
    ['VMA_AREA_MEMFD', VMA_AREA_MEMFD],
    ['VMA_AREA_SHSTK', VMA_AREA_SHSTK],
    ['VMA_AREA_UPROBES', VMA_AREA_UPROBES],
    ['VMA_UNSUPP', 0x80000000],
  ],
};

export const fileFlags: Show = {
  as: 'flags',
  bits: [
    ['O_WRONLY', 0o1],
    ['O_RDWR', 0o2],
    ['O_CREAT', 0o100],
    ['O_EXCL', 0o200],
    ['O_NOCTTY', 0o400],
    ['O_TRUNC', 0o1000],
    ['O_APPEND', 0o2000],
    ['O_NONBLOCK', 0o4000],
    ['O_DSYNC', 0o10000],
    ['FASYNC', 0o20000],
    ['O_DIRECT', 0o40000],
    ['O_LARGEFILE', 0o100000],
    ['O_DIRECTORY', 0o200000],
    ['O_NOFOLLOW', 0o400000],
    ['O_NOATIME', 0o1000000],
    ['O_CLOEXEC', 0o2000000],
  ],
};

export const sealFlags: Show = {
  as: 'flags',
  bits: [
    ['F_SEAL_SEAL', 0x1],
    ['F_SEAL_SHRINK', 0x2],
    ['F_SEAL_GROW', 0x4],
    ['F_SEAL_WRITE', 0x8],
    ['F_SEAL_FUTURE_WRITE', 0x10],
  ],
};

export const PE_PARENT = 1;
export const PE_LAZY = 2;
export const PE_PRESENT = 4;

export const pagemapFlags: Show = {
  as: 'flags',
  bits: [
    ['PE_PARENT', PE_PARENT],
    ['PE_LAZY', PE_LAZY],
    ['PE_PRESENT', PE_PRESENT],
  ],
};

/** The states of compel/include/uapi/task-state.h. */
export const TASK_ALIVE = 1;
export const TASK_DEAD = 2;
export const TASK_STOPPED = 3;
export const TASK_ZOMBIE = 6;

/** crit's names for them: it has the last two the wrong way round, and so have we, for the sake of equal output. */
export const taskState: Show = { as: 'names', names: { 1: 'Alive', 3: 'Zombie', 6: 'Stopped' } };

export const socketFamily: Show = {
  as: 'names',
  names: { 1: 'UNIX', 2: 'INET', 10: 'INET6', 16: 'NETLINK', 17: 'PACKET' },
};

export const socketType: Show = {
  as: 'names',
  names: { 1: 'STREAM', 2: 'DGRAM', 3: 'RAW', 5: 'SEQPACKET', 10: 'PACKET' },
};

export const socketState: Show = {
  as: 'names',
  names: {
    1: 'ESTABLISHED',
    2: 'SYN_SENT',
    3: 'SYN_RECV',
    4: 'FIN_WAIT1',
    5: 'FIN_WAIT2',
    6: 'TIME_WAIT',
    7: 'CLOSE',
    8: 'CLOSE_WAIT',
    9: 'LAST_ACK',
    10: 'LISTEN',
  },
};

export const socketProto: Show = { as: 'names', names: { 0: 'IP', 6: 'TCP', 17: 'UDP', 136: 'UDPLITE' } };

/** "A | B | 0x100": the names of the bits that are set, then what has no name. */
export function flagText(show: Show, value: number | bigint): string {
  const bits = show.as === 'flags' ? show.bits : [];
  const wide = BigInt(value);
  const names = bits.filter(([, bit]) => (wide & BigInt(bit)) !== 0n).map(([name]) => name);
  const rest = bits.reduce((left, [, bit]) => left & ~BigInt(bit), wide);
  return (rest === 0n ? names : [...names, `0x${rest.toString(16)}`]).join(' | ');
}
