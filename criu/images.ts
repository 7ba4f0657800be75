/**
 * The table of CRIU's images: criu/image-desc.c, criu/include/magic.h and what crit knows of them.
 *
 *   FILE  ::= HEAD { ENTRY }
 *   HEAD  ::= IMG_COMMON magic | IMG_SERVICE magic | magic      (u32 each, little endian; the last for inventory and v1 images)
 *   ENTRY ::= size message [ extra ]                            (u32 size; extra has a length that the message tells)
 *
 * A raw image has neither head nor entries. In a file pattern %u and %d stand for decimal, %x for hexadecimal digits.
 */
import type { ExtraKind } from './extra.ts';
import * as core from './proto/core.ts';
import * as files from './proto/files.ts';
import type { MessageType } from './proto/message.ts';
import * as memory from './proto/mm.ts';
import * as processes from './proto/process.ts';
import * as sockets from './proto/sockets.ts';

export const IMG_COMMON = 0x54564319;
export const IMG_SERVICE = 0x55105940;

export interface ImageKind {
  /** As crit prints it. */
  readonly name: string;
  /** Without ".img"; undefined: one of several that share this magic and are found by it alone. */
  readonly file: string;
  /** undefined: raw, without a head. */
  readonly magic: number | undefined;
  /** The message of the first entry, when it differs from the others. */
  readonly head?: MessageType;
  readonly message: MessageType | undefined;
  readonly extra?: ExtraKind;
  readonly service?: true;
}

type Options = Partial<Pick<ImageKind, 'head' | 'extra' | 'service'>>;

function image(name: string, file: string, magic: number, message: MessageType, options: Options = {}): ImageKind {
  return { name, file, magic, message, ...options };
}

function raw(name: string, file: string): ImageKind {
  return { name, file, magic: undefined, message: undefined };
}

export const images: readonly ImageKind[] = [
  image('INVENTORY', 'inventory', 0x58313116, processes.inventory_entry),
  image('PSTREE', 'pstree', 0x50273030, processes.pstree_entry),
  image('CORE', 'core-%u', 0x55053847, core.core_entry),
  image('IDS', 'ids-%u', 0x54432030, core.task_kobj_ids_entry),
  image('MM', 'mm-%u', 0x57492820, memory.mm_entry),
  image('PAGEMAP', 'pagemap-%u', 0x56084025, memory.pagemap_entry, { head: memory.pagemap_head }),
  image('PAGEMAP', 'pagemap-shmem-%u', 0x56084025, memory.pagemap_entry, { head: memory.pagemap_head }),
  raw('PAGES', 'pages-%u'),
  image('FS', 'fs-%u', 0x51403912, processes.fs_entry),
  image('FDINFO', 'fdinfo-%u', 0x56213732, files.fdinfo_entry),
  image('FILES', 'files', 0x56303138, files.file_entry),
  image('PIPES_DATA', 'pipes-data', 0x56453709, files.pipe_data_entry, { extra: 'bytes' }),
  image('FIFO_DATA', 'fifo-data', 0x59333054, files.pipe_data_entry, { extra: 'bytes' }),
  image('SK_QUEUES', 'sk-queues', 0x56264026, sockets.sk_packet_entry, { extra: 'length' }),
  image('TCP_STREAM', 'tcp-stream-%x', 0x51465506, sockets.tcp_stream_entry, { extra: 'tcp-queues' }),
  image('GHOST_FILE', 'ghost-file-%x', 0x52583605, files.ghost_chunk_entry, {
    head: files.ghost_file_entry,
    extra: 'ghost',
  }),
  image('MEMFD_INODE', 'memfd', 0x48453499, memory.memfd_inode_entry),
  image('REMAP_FPATH', 'remap-fpath', 0x59133954, files.remap_file_path_entry),
  image('FILE_LOCKS', 'filelocks', 0x54323616, files.file_lock_entry),
  image('EVENTPOLL_TFD', 'eventpoll-tfd', 0x44433746, files.eventpoll_tfd_entry),
  image('INOTIFY_WD', 'inotify-wd', 0x54562009, files.inotify_wd_entry),
  image('FANOTIFY_MARK', 'fanotify-mark', 0x56506035, files.fanotify_mark_entry),
  image('TTY_INFO', 'tty-info', 0x59453036, files.tty_info_entry),
  image('TTY_DATA', 'tty-data', 0x59413026, files.tty_data_entry),
  image('BPFMAP_DATA', 'bpfmap-data', 0x64324033, files.bpfmap_data_entry, { extra: 'bpf-map' }),
  image('SECCOMP', 'seccomp', 0x64413049, processes.seccomp_entry),
  image('APPARMOR', 'apparmor', 0x59423047, processes.apparmor_entry),
  image('CGROUP', 'cgroup', 0x59383330, processes.cgroup_entry),
  image('TIMENS', 'timens-%u', 0x43114433, processes.timens_entry),
  image('PIDNS', 'pidns-%u', 0x61157326, processes.pidns_entry),
  image('UTSNS', 'utsns-%u', 0x54473203, processes.utsns_entry),
  image('USERNS', 'userns-%u', 0x55474906, processes.userns_entry),
  image('MNTS', 'mountpoints-%u', 0x55563928, files.mnt_entry),
  image('NETNS', 'netns-%u', 0x55933752, sockets.netns_entry),
  image('NETDEV', 'netdev-%u', 0x57373951, sockets.net_device_entry),
  image('IPC_VAR', 'ipcns-var-%u', 0x53115007, processes.ipc_var_entry),
  image('IPCNS_SHM', 'ipcns-shm-%u', 0x46283044, processes.ipc_shm_entry, { extra: 'ipc-shm' }),
  image('IPCNS_MSG', 'ipcns-msg-%u', 0x55453737, processes.ipc_msg_entry, { extra: 'ipc-messages' }),
  image('IPCNS_SEM', 'ipcns-sem-%u', 0x59573019, processes.ipc_sem_entry, { extra: 'ipc-semaphores' }),
  image('AUTOFS', 'autofs-%u', 0x49353943, files.autofs_entry),
  image('BINFMT_MISC', 'binfmt-misc', 0x67343323, processes.binfmt_misc_entry),
  image('BINFMT_MISC', 'binfmt-misc-%u', 0x67343323, processes.binfmt_misc_entry),
  image('CPUINFO', 'cpuinfo', 0x61404013, processes.cpuinfo_entry),
  image('STATS', 'stats-dump', 0x57093306, processes.stats_entry, { service: true }),
  image('STATS', 'stats-restore', 0x57093306, processes.stats_entry, { service: true }),
  image('IRMAP_CACHE', 'irmap-cache', 0x57004059, files.irmap_cache_entry, { service: true }),

  // Written by older versions only; now in files.img or in core-*.img.
  image('REG_FILES', 'reg-files', 0x50363636, files.reg_file_entry),
  image('EXT_FILES', 'ext-files', 0x59255641, files.ext_file_entry),
  image('NS_FILES', 'ns-files', 0x61394011, processes.ns_file_entry),
  image('EVENTFD_FILE', 'eventfd', 0x44523722, files.eventfd_file_entry),
  image('EVENTPOLL_FILE', 'eventpoll', 0x45023858, files.eventpoll_file_entry),
  image('SIGNALFD', 'signalfd', 0x57323820, files.signalfd_entry),
  image('TIMERFD', 'timerfd', 0x50493712, files.timerfd_entry),
  image('INOTIFY_FILE', 'inotify', 0x48424431, files.inotify_file_entry),
  image('FANOTIFY_FILE', 'fanotify', 0x55096122, files.fanotify_file_entry),
  image('PIPES', 'pipes', 0x56513555, files.pipe_entry),
  image('FIFO', 'fifo', 0x58364939, files.fifo_entry),
  image('TTY_FILES', 'tty', 0x59433025, files.tty_file_entry),
  image('PIDFD', 'pidfd', 0x54435556, files.pidfd_entry),
  image('BPFMAP_FILE', 'bpfmap-file', 0x57506142, files.bpfmap_file_entry),
  image('TUNFILE', 'tunfile', 0x57143751, sockets.tunfile_entry),
  image('UNIXSK', 'unixsk', 0x54373943, sockets.unix_sk_entry),
  image('INETSK', 'inetsk', 0x56443851, sockets.inet_sk_entry),
  image('PACKETSK', 'packetsk', 0x60454618, sockets.packet_sock_entry),
  image('NETLINK_SK', 'netlinksk', 0x58005614, sockets.netlink_sk_entry),
  image('VMAS', 'vmas-%u', 0x54123737, memory.vma_entry),
  image('SIGACT', 'sigacts-%u', 0x55344201, core.sa_entry),
  image('ITIMERS', 'itimers-%u', 0x57464056, core.itimer_entry),
  image('POSIX_TIMERS', 'posix-timers-%u', 0x52603957, core.posix_timer_entry),
  image('CREDS', 'creds-%u', 0x54023547, core.creds_entry),
  image('RLIMIT', 'rlimit-%u', 0x57113925, core.rlimit_entry),
  image('SIGNAL', 'signal-s-%u', 0x59255647, core.siginfo_entry),
  image('SIGNAL', 'signal-p-%u', 0x59255647, core.siginfo_entry),

  // What other programs wrote: ip(8), iptables-save, nft, tar.
  raw('IFADDR', 'ifaddr-%u'),
  raw('ROUTE', 'route-%u'),
  raw('ROUTE6', 'route6-%u'),
  raw('RULE', 'rule-%u'),
  raw('IPTABLES', 'iptables-%u'),
  raw('IP6TABLES', 'ip6tables-%u'),
  raw('NFTABLES', 'nftables-%u'),
  raw('NETNF_CT', 'netns-ct-%u'),
  raw('NETNF_EXP', 'netns-exp-%u'),
  raw('TMPFS_IMG', 'tmpfs-%u.tar.gz'),
  raw('TMPFS_DEV', 'tmpfs-dev-%u.tar.gz'),
];

/** The kind that a file of this name (without its directory) has. */
export function kindOfName(name: string): ImageKind | undefined {
  return images.find((kind) => pattern(kind).test(name));
}

export function kindOfMagic(magic: number): ImageKind | undefined {
  return images.find((kind) => kind.magic === magic);
}

function pattern(kind: ImageKind): RegExp {
  const digits = kind.file.replaceAll('.', '\\.').replace(/%[ud]/g, '\\d+').replace(/%x/g, '[0-9a-f]+');
  return new RegExp(`^${digits}\\.img$`);
}
