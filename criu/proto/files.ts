import { enumeration, message, optional, repeated, required } from './message.ts';
import { fown_entry, memfd_file_entry } from './mm.ts';
import { ns_file_entry, timeval } from './process.ts';
import { dev, fileFlags, hex, odev } from './show.ts';
import { inet_sk_entry, netlink_sk_entry, packet_sock_entry, tunfile_entry, unix_sk_entry } from './sockets.ts';

/** Open files but sockets: images/regfile.proto, pipe.proto, tty.proto and the like; fdinfo.proto. */

export const reg_file_entry = message('reg_file_entry', {
  id: required(1, 'uint32'),
  flags: required(2, 'uint32', fileFlags),
  pos: required(3, 'uint64'),
  fown: required(5, fown_entry),
  name: required(6, 'string'),
  mnt_id: optional(7, 'sint32'),
  size: optional(8, 'uint64'),
  ext: optional(9, 'bool'),
  mode: optional(10, 'uint32'),
  build_id: repeated(11, 'uint32'),
  checksum: optional(12, 'uint32'),
  checksum_config: optional(13, 'uint32'),
  checksum_parameter: optional(14, 'uint32'),
});

export const pipe_entry = message('pipe_entry', {
  id: required(1, 'uint32'),
  pipe_id: required(2, 'uint32'),
  flags: required(3, 'uint32', hex),
  fown: required(4, fown_entry),
});

export const pipe_data_entry = message('pipe_data_entry', {
  pipe_id: required(1, 'uint32'),
  bytes: required(2, 'uint32'),
  size: optional(3, 'uint32'),
});

export const fifo_entry = message('fifo_entry', {
  id: required(1, 'uint32'),
  pipe_id: required(2, 'uint32'),
  regf_id: optional(3, 'uint32'),
});

export const eventfd_file_entry = message('eventfd_file_entry', {
  id: required(1, 'uint32'),
  flags: required(2, 'uint32'),
  fown: required(3, fown_entry),
  counter: required(4, 'uint64'),
});

export const eventpoll_tfd_entry = message('eventpoll_tfd_entry', {
  id: required(1, 'uint32'),
  tfd: required(2, 'uint32'),
  events: required(3, 'uint32'),
  data: required(4, 'uint64'),
  dev: optional(5, 'uint32'),
  inode: optional(6, 'uint64'),
  pos: optional(7, 'uint64'),
});

export const eventpoll_file_entry = message('eventpoll_file_entry', {
  id: required(1, 'uint32'),
  flags: required(2, 'uint32'),
  fown: required(3, fown_entry),
  tfd: repeated(4, eventpoll_tfd_entry),
});

export const signalfd_entry = message('signalfd_entry', {
  id: required(1, 'uint32'),
  flags: required(2, 'uint32', hex),
  fown: required(3, fown_entry),
  sigmask: required(4, 'uint64', hex),
});

export const timerfd_entry = message('timerfd_entry', {
  id: required(1, 'uint32'),
  flags: required(2, 'uint32', hex),
  fown: required(3, fown_entry),
  clockid: required(4, 'uint32'),
  ticks: required(5, 'uint64'),
  settime_flags: required(6, 'uint32', hex),
  vsec: required(7, 'uint64'),
  vnsec: required(8, 'uint64'),
  isec: required(9, 'uint64'),
  insec: required(10, 'uint64'),
});

export const fh_entry_sizes = enumeration('fh_entry_sizes', { min_entries: 16 });

export const fh_entry = message('fh_entry', {
  bytes: required(1, 'uint32'),
  type: required(2, 'uint32'),
  handle: repeated(3, 'uint64'),
  path: optional(4, 'string'),
  mnt_id: optional(5, 'uint32'),
});

export const irmap_cache_entry = message('irmap_cache_entry', {
  dev: required(1, 'uint32', odev),
  inode: required(2, 'uint64'),
  path: required(3, 'string'),
});

export const inotify_wd_entry = message('inotify_wd_entry', {
  id: required(1, 'uint32'),
  i_ino: required(2, 'uint64'),
  mask: required(3, 'uint32', hex),
  ignored_mask: required(4, 'uint32', hex),
  s_dev: required(5, 'uint32', dev),
  wd: required(6, 'uint32'),
  f_handle: required(7, fh_entry),
});

export const inotify_file_entry = message('inotify_file_entry', {
  id: required(1, 'uint32'),
  flags: required(2, 'uint32', hex),
  fown: required(4, fown_entry),
  wd: repeated(5, inotify_wd_entry),
});

export const mark_type = enumeration('mark_type', { INODE: 1, MOUNT: 2 });

export const fanotify_inode_mark_entry = message('fanotify_inode_mark_entry', {
  i_ino: required(1, 'uint64'),
  f_handle: required(2, fh_entry),
});

export const fanotify_mount_mark_entry = message('fanotify_mount_mark_entry', {
  mnt_id: required(1, 'uint32'),
  path: optional(2, 'string'),
});

export const fanotify_mark_entry = message('fanotify_mark_entry', {
  id: required(1, 'uint32'),
  type: required(2, mark_type),
  mflags: required(3, 'uint32', hex),
  mask: required(4, 'uint32', hex),
  ignored_mask: required(5, 'uint32', hex),
  s_dev: required(6, 'uint32', dev),
  ie: optional(7, fanotify_inode_mark_entry),
  me: optional(8, fanotify_mount_mark_entry),
});

export const fanotify_file_entry = message('fanotify_file_entry', {
  id: required(1, 'uint32'),
  flags: required(2, 'uint32', hex),
  fown: required(3, fown_entry),
  faflags: required(4, 'uint32', hex),
  evflags: required(5, 'uint32', hex),
  mark: repeated(6, fanotify_mark_entry),
});

export const ext_file_entry = message('ext_file_entry', {
  id: required(1, 'uint32'),
  fown: required(5, fown_entry),
});

export const pidfd_entry = message('pidfd_entry', {
  id: required(1, 'uint32'),
  ino: required(2, 'uint32'),
  flags: required(3, 'uint32'),
  nspid: required(4, 'int32'),
  fown: required(5, fown_entry),
});

export const winsize_entry = message('winsize_entry', {
  ws_row: required(1, 'uint32'),
  ws_col: required(2, 'uint32'),
  ws_xpixel: required(3, 'uint32'),
  ws_ypixel: required(4, 'uint32'),
});

export const termios_entry = message('termios_entry', {
  c_iflag: required(1, 'uint32'),
  c_oflag: required(2, 'uint32'),
  c_cflag: required(3, 'uint32'),
  c_lflag: required(4, 'uint32'),
  c_line: required(5, 'uint32'),
  c_ispeed: required(6, 'uint32'),
  c_ospeed: required(7, 'uint32'),
  c_cc: repeated(8, 'uint32'),
});

export const tty_pty_entry = message('tty_pty_entry', {
  index: required(1, 'uint32'),
});

export const TtyType = enumeration('TtyType', {
  UNKNOWN: 0,
  PTY: 1,
  CONSOLE: 2,
  VT: 3,
  CTTY: 4,
  EXT_TTY: 5,
  SERIAL: 6,
});

export const tty_data_entry = message('tty_data_entry', {
  tty_id: required(1, 'uint32'),
  data: required(2, 'bytes'),
});

export const tty_info_entry = message('tty_info_entry', {
  id: required(1, 'uint32'),
  type: required(2, TtyType),
  locked: required(3, 'bool'),
  exclusive: required(4, 'bool'),
  packet_mode: required(5, 'bool'),
  sid: required(6, 'uint32'),
  pgrp: required(7, 'uint32'),
  rdev: required(8, 'uint32'),
  termios: optional(9, termios_entry),
  termios_locked: optional(10, termios_entry),
  winsize: optional(11, winsize_entry),
  pty: optional(12, tty_pty_entry),
  dev: optional(13, 'uint32'),
  uid: optional(14, 'uint32'),
  gid: optional(15, 'uint32'),
});

export const tty_file_entry = message('tty_file_entry', {
  id: required(1, 'uint32'),
  tty_info_id: required(2, 'uint32'),
  flags: required(3, 'uint32', hex),
  fown: required(4, fown_entry),
  regf_id: optional(6, 'uint32'),
});

export const bpfmap_file_entry = message('bpfmap_file_entry', {
  id: required(1, 'uint32'),
  flags: required(2, 'uint32', fileFlags),
  pos: required(3, 'uint64'),
  fown: required(4, fown_entry),
  map_type: required(5, 'uint32'),
  key_size: required(6, 'uint32'),
  value_size: required(7, 'uint32'),
  map_id: required(8, 'uint32'),
  max_entries: required(9, 'uint32'),
  map_flags: required(10, 'uint32'),
  memlock: required(11, 'uint64'),
  frozen: required(12, 'bool'),
  map_name: required(13, 'string'),
  ifindex: required(14, 'uint32'),
  mnt_id: optional(15, 'sint32'),
  map_extra: optional(16, 'uint64'),
});

export const bpfmap_data_entry = message('bpfmap_data_entry', {
  map_id: required(1, 'uint32'),
  keys_bytes: required(2, 'uint32'),
  values_bytes: required(3, 'uint32'),
  count: required(4, 'uint32'),
});

export const ghost_file_entry = message('ghost_file_entry', {
  uid: required(1, 'uint32'),
  gid: required(2, 'uint32'),
  mode: required(3, 'uint32'),
  dev: optional(4, 'uint32', dev),
  ino: optional(5, 'uint64'),
  rdev: optional(6, 'uint32', odev),
  atim: optional(7, timeval),
  mtim: optional(8, timeval),
  chunks: optional(9, 'bool'),
  size: optional(10, 'uint64'),
  symlnk_target: optional(11, 'string'),
});

export const ghost_chunk_entry = message('ghost_chunk_entry', {
  len: required(1, 'uint64'),
  off: required(2, 'uint64'),
});

export const remap_type = enumeration('remap_type', { LINKED: 0, GHOST: 1, PROCFS: 2 });

export const remap_file_path_entry = message('remap_file_path_entry', {
  orig_id: required(1, 'uint32'),
  remap_id: required(2, 'uint32'),
  remap_type: optional(3, remap_type),
});

export const file_lock_entry = message('file_lock_entry', {
  flag: required(1, 'uint32'),
  type: required(2, 'uint32'),
  pid: required(3, 'int32'),
  fd: required(4, 'int32'),
  start: required(5, 'int64'),
  len: required(6, 'int64'),
});

export const fstype = enumeration('fstype', {
  UNSUPPORTED: 0,
  PROC: 1,
  SYSFS: 2,
  DEVTMPFS: 3,
  BINFMT_MISC: 4,
  TMPFS: 5,
  DEVPTS: 6,
  SIMFS: 7,
  PSTORE: 8,
  SECURITYFS: 9,
  FUSECTL: 10,
  DEBUGFS: 11,
  CGROUP: 12,
  AUFS: 13,
  MQUEUE: 14,
  FUSE: 15,
  AUTO: 16,
  OVERLAYFS: 17,
  AUTOFS: 18,
  TRACEFS: 19,
  CGROUP2: 23,
});

export const mnt_entry = message('mnt_entry', {
  fstype: required(1, 'uint32'),
  mnt_id: required(2, 'uint32'),
  root_dev: required(3, 'uint32', dev),
  parent_mnt_id: required(4, 'uint32'),
  flags: required(5, 'uint32', hex),
  root: required(6, 'string'),
  mountpoint: required(7, 'string'),
  source: required(8, 'string'),
  options: required(9, 'string'),
  shared_id: optional(10, 'uint32'),
  master_id: optional(11, 'uint32'),
  with_plugin: optional(12, 'bool'),
  ext_mount: optional(13, 'bool'),
  fsname: optional(14, 'string'),
  internal_sharing: optional(15, 'bool'),
  deleted: optional(16, 'bool'),
  sb_flags: optional(17, 'uint32', hex),
  ext_key: optional(18, 'string'),
});

export const autofs_entry = message('autofs_entry', {
  fd: required(1, 'int32'),
  pgrp: required(2, 'int32'),
  timeout: required(3, 'int32'),
  minproto: required(4, 'int32'),
  maxproto: required(5, 'int32'),
  mode: required(6, 'int32'),
  uid: optional(7, 'int32'),
  gid: optional(8, 'int32'),
  read_fd: optional(9, 'int32'),
});

export const fd_types = enumeration('fd_types', {
  UND: 0,
  REG: 1,
  PIPE: 2,
  FIFO: 3,
  INETSK: 4,
  UNIXSK: 5,
  EVENTFD: 6,
  EVENTPOLL: 7,
  INOTIFY: 8,
  SIGNALFD: 9,
  PACKETSK: 10,
  TTY: 11,
  FANOTIFY: 12,
  NETLINKSK: 13,
  NS: 14,
  TUNF: 15,
  EXT: 16,
  TIMERFD: 17,
  MEMFD: 18,
  BPFMAP: 19,
  PIDFD: 20,
  CTL_TTY: 65534,
  AUTOFS_PIPE: 65535,
});

export const fdinfo_entry = message('fdinfo_entry', {
  id: required(1, 'uint32'),
  flags: required(2, 'uint32'),
  type: required(3, fd_types),
  fd: required(4, 'uint32'),
  xattr_security_selinux: optional(5, 'string'),
});

export const file_entry = message('file_entry', {
  type: required(1, fd_types),
  id: required(2, 'uint32'),
  reg: optional(3, reg_file_entry),
  isk: optional(4, inet_sk_entry),
  nsf: optional(5, ns_file_entry),
  psk: optional(6, packet_sock_entry),
  nlsk: optional(7, netlink_sk_entry),
  efd: optional(8, eventfd_file_entry),
  epfd: optional(9, eventpoll_file_entry),
  sgfd: optional(10, signalfd_entry),
  tunf: optional(11, tunfile_entry),
  tfd: optional(12, timerfd_entry),
  ify: optional(13, inotify_file_entry),
  ffy: optional(14, fanotify_file_entry),
  ext: optional(15, ext_file_entry),
  usk: optional(16, unix_sk_entry),
  fifo: optional(17, fifo_entry),
  pipe: optional(18, pipe_entry),
  tty: optional(19, tty_file_entry),
  memfd: optional(20, memfd_file_entry),
  bpf: optional(21, bpfmap_file_entry),
  pidfd: optional(22, pidfd_entry),
});
