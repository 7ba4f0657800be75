import { task_kobj_ids_entry } from './core.ts';
import { enumeration, type MessageType, message, optional, repeated, required } from './message.ts';

/** The tree and what its processes share: images/pstree.proto, inventory.proto, namespaces, cgroups, security. */

export const pstree_entry = message('pstree_entry', {
  pid: required(1, 'uint32'),
  ppid: required(2, 'uint32'),
  pgid: required(3, 'uint32'),
  sid: required(4, 'uint32'),
  threads: repeated(5, 'uint32'),
});

export const lsmtype = enumeration('lsmtype', { NO_LSM: 0, SELINUX: 1, APPARMOR: 2 });

export const plugins_entry = message('plugins_entry', {
  plugins: repeated(12, 'string'),
});

export const inventory_entry = message('inventory_entry', {
  img_version: required(1, 'uint32'),
  fdinfo_per_id: optional(2, 'bool'),
  root_ids: optional(3, task_kobj_ids_entry),
  ns_per_id: optional(4, 'bool'),
  root_cg_set: optional(5, 'uint32'),
  lsmtype: optional(6, lsmtype),
  dump_uptime: optional(8, 'uint64'),
  pre_dump_mode: optional(9, 'uint32'),
  tcp_close: optional(10, 'bool'),
  network_lock_method: optional(11, 'uint32'),
  plugins_entry: optional(12, plugins_entry),
  dump_criu_run_id: optional(13, 'string'),
  allow_uprobes: optional(14, 'bool'),
});

export const fs_entry = message('fs_entry', {
  cwd_id: required(1, 'uint32'),
  root_id: required(2, 'uint32'),
  umask: optional(3, 'uint32'),
});

export const seccomp_filter = message('seccomp_filter', {
  filter: required(1, 'bytes'),
  prev: optional(2, 'uint32'),
  flags: optional(3, 'uint32'),
});

export const seccomp_entry = message('seccomp_entry', {
  seccomp_filters: repeated(1, seccomp_filter),
});

export const aa_policy = message('aa_policy', {
  name: required(1, 'string'),
  blob: required(2, 'bytes'),
});

export const aa_namespace: MessageType = message('aa_namespace', {
  name: required(1, 'string'),
  policies: repeated(2, aa_policy),
  namespaces: repeated(3, () => aa_namespace),
});

export const apparmor_entry = message('apparmor_entry', {
  namespaces: repeated(1, aa_namespace),
});

export const cgroup_perms = message('cgroup_perms', {
  mode: required(1, 'uint32'),
  uid: required(2, 'uint32'),
  gid: required(3, 'uint32'),
});

export const cgroup_prop_entry = message('cgroup_prop_entry', {
  name: required(1, 'string'),
  value: required(2, 'string'),
  perms: optional(3, cgroup_perms),
});

export const cgroup_dir_entry: MessageType = message('cgroup_dir_entry', {
  dir_name: required(1, 'string'),
  children: repeated(2, () => cgroup_dir_entry),
  properties: repeated(3, cgroup_prop_entry),
  dir_perms: optional(4, cgroup_perms),
});

export const cg_controller_entry = message('cg_controller_entry', {
  cnames: repeated(1, 'string'),
  dirs: repeated(2, cgroup_dir_entry),
  is_threaded: optional(3, 'bool'),
});

export const cg_member_entry = message('cg_member_entry', {
  name: required(1, 'string'),
  path: required(2, 'string'),
  cgns_prefix: optional(3, 'uint32'),
});

export const cg_set_entry = message('cg_set_entry', {
  id: required(1, 'uint32'),
  ctls: repeated(2, cg_member_entry),
});

export const cgroup_entry = message('cgroup_entry', {
  sets: repeated(1, cg_set_entry),
  controllers: repeated(2, cg_controller_entry),
});

export const uid_gid_extent = message('uid_gid_extent', {
  first: required(1, 'uint32'),
  lower_first: required(2, 'uint32'),
  count: required(3, 'uint32'),
});

export const userns_entry = message('userns_entry', {
  uid_map: repeated(1, uid_gid_extent),
  gid_map: repeated(2, uid_gid_extent),
});

export const utsns_entry = message('utsns_entry', {
  nodename: required(1, 'string'),
  domainname: required(2, 'string'),
});

export const timespec = message('timespec', {
  tv_sec: required(1, 'uint64'),
  tv_nsec: required(2, 'uint64'),
});

export const timens_entry = message('timens_entry', {
  monotonic: required(1, timespec),
  boottime: required(2, timespec),
});

export const pidns_entry = message('pidns_entry', {
  ext_key: optional(1, 'string'),
});

export const ns_file_entry = message('ns_file_entry', {
  id: required(1, 'uint32'),
  ns_id: required(2, 'uint32'),
  ns_cflag: required(3, 'uint32'),
  flags: required(4, 'uint32'),
});

export const ipc_desc_entry = message('ipc_desc_entry', {
  key: required(1, 'uint32'),
  uid: required(2, 'uint32'),
  gid: required(3, 'uint32'),
  cuid: required(4, 'uint32'),
  cgid: required(5, 'uint32'),
  mode: required(6, 'uint32'),
  id: required(7, 'uint32'),
});

export const ipc_shm_entry = message('ipc_shm_entry', {
  desc: required(1, ipc_desc_entry),
  size: required(2, 'uint64'),
  in_pagemaps: optional(3, 'bool'),
  hugetlb_flag: optional(4, 'uint32'),
});

export const ipc_msg = message('ipc_msg', {
  mtype: required(1, 'uint64'),
  msize: required(2, 'uint32'),
});

export const ipc_msg_entry = message('ipc_msg_entry', {
  desc: required(1, ipc_desc_entry),
  qbytes: required(2, 'uint32'),
  qnum: required(3, 'uint32'),
});

export const ipc_sem_entry = message('ipc_sem_entry', {
  desc: required(1, ipc_desc_entry),
  nsems: required(2, 'uint32'),
});

export const ipc_var_entry = message('ipc_var_entry', {
  sem_ctls: repeated(1, 'uint32'),
  msg_ctlmax: required(2, 'uint32'),
  msg_ctlmnb: required(3, 'uint32'),
  msg_ctlmni: required(4, 'uint32'),
  auto_msgmni: required(5, 'uint32'),
  shm_ctlmax: required(6, 'uint64'),
  shm_ctlall: required(7, 'uint64'),
  shm_ctlmni: required(8, 'uint32'),
  shm_rmid_forced: required(9, 'uint32'),
  mq_queues_max: required(10, 'uint32'),
  mq_msg_max: required(11, 'uint32'),
  mq_msgsize_max: required(12, 'uint32'),
  mq_msg_default: optional(13, 'uint32'),
  mq_msgsize_default: optional(14, 'uint32'),
  msg_next_id: optional(15, 'uint32'),
  sem_next_id: optional(16, 'uint32'),
  shm_next_id: optional(17, 'uint32'),
});

export const SysctlType = enumeration('SysctlType', { CTL_STR: 5, CTL_32: 6 });

export const sysctl_entry = message('sysctl_entry', {
  type: required(1, SysctlType),
  iarg: optional(2, 'int32'),
  sarg: optional(3, 'string'),
});

export const vendor = enumeration('vendor', { UNKNOWN: 0, INTEL: 1, AMD: 2 });

export const cpuinfo_x86_entry = message('cpuinfo_x86_entry', {
  vendor_id: required(1, vendor),
  cpu_family: required(2, 'uint32'),
  model: required(3, 'uint32'),
  stepping: required(4, 'uint32'),
  capability_ver: required(5, 'uint32'),
  capability: repeated(6, 'uint32'),
  model_id: optional(7, 'string'),
  xfeatures_mask: optional(8, 'uint64'),
  xsave_size: optional(9, 'uint32'),
  xsave_size_max: optional(10, 'uint32'),
});

export const endianness = enumeration('endianness', { BIGENDIAN: 0, LITTLEENDIAN: 1 });

export const cpuinfo_ppc64_entry = message('cpuinfo_ppc64_entry', {
  endian: required(1, endianness),
  hwcap: repeated(2, 'uint64'),
});

export const cpuinfo_s390_entry = message('cpuinfo_s390_entry', {
  hwcap: repeated(2, 'uint64'),
});

export const cpuinfo_entry = message('cpuinfo_entry', {
  x86_entry: repeated(1, cpuinfo_x86_entry),
  ppc64_entry: repeated(2, cpuinfo_ppc64_entry),
  s390_entry: repeated(3, cpuinfo_s390_entry),
});

export const dump_stats_entry = message('dump_stats_entry', {
  freezing_time: required(1, 'uint32'),
  frozen_time: required(2, 'uint32'),
  memdump_time: required(3, 'uint32'),
  memwrite_time: required(4, 'uint32'),
  pages_scanned: required(5, 'uint64'),
  pages_skipped_parent: required(6, 'uint64'),
  pages_written: required(7, 'uint64'),
  irmap_resolve: optional(8, 'uint32'),
  pages_lazy: required(9, 'uint64'),
  page_pipes: optional(10, 'uint64'),
  page_pipe_bufs: optional(11, 'uint64'),
  shpages_scanned: optional(12, 'uint64'),
  shpages_skipped_parent: optional(13, 'uint64'),
  shpages_written: optional(14, 'uint64'),
});

export const restore_stats_entry = message('restore_stats_entry', {
  pages_compared: required(1, 'uint64'),
  pages_skipped_cow: required(2, 'uint64'),
  forking_time: required(3, 'uint32'),
  restore_time: required(4, 'uint32'),
  pages_restored: optional(5, 'uint64'),
});

export const stats_entry = message('stats_entry', {
  dump: optional(1, dump_stats_entry),
  restore: optional(2, restore_stats_entry),
});

export const timeval = message('timeval', {
  tv_sec: required(1, 'uint64'),
  tv_usec: required(2, 'uint64'),
});

export const binfmt_misc_entry = message('binfmt_misc_entry', {
  name: required(1, 'string'),
  enabled: required(2, 'bool'),
  interpreter: required(3, 'string'),
  flags: optional(4, 'string'),
  extension: optional(5, 'string'),
  magic: optional(6, 'string'),
  mask: optional(7, 'string'),
  offset: optional(8, 'int32'),
});
