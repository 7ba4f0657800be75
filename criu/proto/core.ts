import { enumeration, message, optional, repeated, required } from './message.ts';
import { hex, taskState } from './show.ts';

/** What a task and its threads were: images/core.proto, core-x86.proto and what they contain. */

export const rlimit_entry = message('rlimit_entry', {
  cur: required(1, 'uint64'),
  max: required(2, 'uint64'),
});

export const itimer_entry = message('itimer_entry', {
  isec: required(1, 'uint64'),
  iusec: required(2, 'uint64'),
  vsec: required(3, 'uint64'),
  vusec: required(4, 'uint64'),
});

export const posix_timer_entry = message('posix_timer_entry', {
  it_id: required(1, 'uint32'),
  clock_id: required(2, 'uint32'),
  si_signo: required(3, 'uint32'),
  it_sigev_notify: required(4, 'uint32'),
  sival_ptr: required(5, 'uint64'),
  overrun: required(6, 'uint32'),
  isec: required(7, 'uint64'),
  insec: required(8, 'uint64'),
  vsec: required(9, 'uint64'),
  vnsec: required(10, 'uint64'),
  notify_thread_id: optional(11, 'int32'),
});

export const task_timers_entry = message('task_timers_entry', {
  real: required(1, itimer_entry),
  virt: required(2, itimer_entry),
  prof: required(3, itimer_entry),
  posix: repeated(4, posix_timer_entry),
});

export const creds_entry = message('creds_entry', {
  uid: required(1, 'uint32'),
  gid: required(2, 'uint32'),
  euid: required(3, 'uint32'),
  egid: required(4, 'uint32'),
  suid: required(5, 'uint32'),
  sgid: required(6, 'uint32'),
  fsuid: required(7, 'uint32'),
  fsgid: required(8, 'uint32'),
  cap_inh: repeated(9, 'uint32'),
  cap_prm: repeated(10, 'uint32'),
  cap_eff: repeated(11, 'uint32'),
  cap_bnd: repeated(12, 'uint32'),
  secbits: required(13, 'uint32'),
  groups: repeated(14, 'uint32'),
  lsm_profile: optional(15, 'string'),
  lsm_sockcreate: optional(16, 'string'),
  apparmor_data: optional(17, 'bytes'),
  no_new_privs: optional(18, 'uint32'),
  cap_amb: repeated(19, 'uint32'),
});

export const sa_entry = message('sa_entry', {
  sigaction: required(1, 'uint64', hex),
  flags: required(2, 'uint64', hex),
  restorer: required(3, 'uint64', hex),
  mask: required(4, 'uint64', hex),
  compat_sigaction: optional(5, 'bool'),
  mask_extended: optional(6, 'uint64', hex),
});

export const siginfo_entry = message('siginfo_entry', {
  siginfo: required(1, 'bytes'),
});

export const signal_queue_entry = message('signal_queue_entry', {
  signals: repeated(1, siginfo_entry),
});

export const rseq_entry = message('rseq_entry', {
  rseq_abi_pointer: required(1, 'uint64'),
  rseq_abi_size: required(2, 'uint32'),
  signature: required(3, 'uint32'),
  rseq_cs_pointer: optional(4, 'uint64'),
});

export const user_x86_regs_mode = enumeration('user_x86_regs_mode', { NATIVE: 1, COMPAT: 2 });

export const user_x86_regs_entry = message('user_x86_regs_entry', {
  r15: required(1, 'uint64'),
  r14: required(2, 'uint64'),
  r13: required(3, 'uint64'),
  r12: required(4, 'uint64'),
  bp: required(5, 'uint64'),
  bx: required(6, 'uint64'),
  r11: required(7, 'uint64'),
  r10: required(8, 'uint64'),
  r9: required(9, 'uint64'),
  r8: required(10, 'uint64'),
  ax: required(11, 'uint64'),
  cx: required(12, 'uint64'),
  dx: required(13, 'uint64'),
  si: required(14, 'uint64'),
  di: required(15, 'uint64'),
  orig_ax: required(16, 'uint64'),
  ip: required(17, 'uint64'),
  cs: required(18, 'uint64'),
  flags: required(19, 'uint64'),
  sp: required(20, 'uint64'),
  ss: required(21, 'uint64'),
  fs_base: required(22, 'uint64'),
  gs_base: required(23, 'uint64'),
  ds: required(24, 'uint64'),
  es: required(25, 'uint64'),
  fs: required(26, 'uint64'),
  gs: required(27, 'uint64'),
  mode: optional(28, user_x86_regs_mode),
});

export const user_x86_cet_entry = message('user_x86_cet_entry', {
  cet: required(1, 'uint64', hex),
  ssp: required(2, 'uint64', hex),
});

export const user_x86_xsave_entry = message('user_x86_xsave_entry', {
  xstate_bv: required(1, 'uint64'),
  ymmh_space: repeated(2, 'uint32'),
  bndreg_state: repeated(3, 'uint64'),
  bndcsr_state: repeated(4, 'uint64'),
  opmask_reg: repeated(5, 'uint64'),
  zmm_upper: repeated(6, 'uint64'),
  hi16_zmm: repeated(7, 'uint64'),
  pkru: repeated(8, 'uint32'),
  cet: optional(9, user_x86_cet_entry),
});

export const user_x86_fpregs_entry = message('user_x86_fpregs_entry', {
  cwd: required(1, 'uint32'),
  swd: required(2, 'uint32'),
  twd: required(3, 'uint32'),
  fop: required(4, 'uint32'),
  rip: required(5, 'uint64'),
  rdp: required(6, 'uint64'),
  mxcsr: required(7, 'uint32'),
  mxcsr_mask: required(8, 'uint32'),
  st_space: repeated(9, 'uint32'),
  xmm_space: repeated(10, 'uint32'),
  padding: repeated(11, 'uint32'),
  xsave: optional(13, user_x86_xsave_entry),
});

export const user_desc_t = message('user_desc_t', {
  entry_number: required(1, 'uint32'),
  base_addr: required(2, 'uint32'),
  limit: required(3, 'uint32'),
  seg_32bit: required(4, 'bool'),
  contents_h: required(5, 'bool'),
  contents_l: required(6, 'bool'),
  read_exec_only: required(7, 'bool'),
  limit_in_pages: required(8, 'bool'),
  seg_not_present: required(9, 'bool'),
  usable: required(10, 'bool'),
});

export const thread_info_x86 = message('thread_info_x86', {
  clear_tid_addr: required(1, 'uint64', hex),
  gpregs: required(2, user_x86_regs_entry, hex),
  fpregs: required(3, user_x86_fpregs_entry),
  tls: repeated(4, user_desc_t),
});

export const seccomp_mode = enumeration('seccomp_mode', { disabled: 0, strict: 1, filter: 2 });

export const task_rlimits_entry = message('task_rlimits_entry', {
  rlimits: repeated(1, rlimit_entry),
});

export const task_core_entry = message('task_core_entry', {
  task_state: required(1, 'uint32', taskState),
  exit_code: required(2, 'uint32'),
  personality: required(3, 'uint32'),
  flags: required(4, 'uint32'),
  blk_sigset: required(5, 'uint64', hex),
  comm: required(6, 'string'),
  timers: optional(7, task_timers_entry),
  rlimits: optional(8, task_rlimits_entry),
  cg_set: optional(9, 'uint32'),
  signals_s: optional(10, signal_queue_entry),
  old_seccomp_mode: optional(11, seccomp_mode),
  old_seccomp_filter: optional(12, 'uint32'),
  loginuid: optional(13, 'uint32'),
  oom_score_adj: optional(14, 'int32'),
  sigactions: repeated(15, sa_entry),
  child_subreaper: optional(18, 'bool'),
  blk_sigset_extended: optional(20, 'uint64', hex),
  stop_signo: optional(21, 'uint32'),
  membarrier_registration_mask: optional(22, 'uint32', hex),
});

export const task_kobj_ids_entry = message('task_kobj_ids_entry', {
  vm_id: required(1, 'uint32'),
  files_id: required(2, 'uint32'),
  fs_id: required(3, 'uint32'),
  sighand_id: required(4, 'uint32'),
  pid_ns_id: optional(5, 'uint32'),
  net_ns_id: optional(6, 'uint32'),
  ipc_ns_id: optional(7, 'uint32'),
  uts_ns_id: optional(8, 'uint32'),
  mnt_ns_id: optional(9, 'uint32'),
  user_ns_id: optional(10, 'uint32'),
  cgroup_ns_id: optional(11, 'uint32'),
  time_ns_id: optional(12, 'uint32'),
});

export const thread_sas_entry = message('thread_sas_entry', {
  ss_sp: required(1, 'uint64'),
  ss_size: required(2, 'uint64'),
  ss_flags: required(3, 'uint32'),
});

export const thread_core_entry = message('thread_core_entry', {
  futex_rla: required(1, 'uint64'),
  futex_rla_len: required(2, 'uint32'),
  sched_nice: optional(3, 'sint32'),
  sched_policy: optional(4, 'uint32'),
  sched_prio: optional(5, 'uint32'),
  blk_sigset: optional(6, 'uint64'),
  sas: optional(7, thread_sas_entry),
  pdeath_sig: optional(8, 'uint32'),
  signals_p: optional(9, signal_queue_entry),
  creds: optional(10, creds_entry),
  seccomp_mode: optional(11, seccomp_mode),
  seccomp_filter: optional(12, 'uint32'),
  comm: optional(13, 'string'),
  blk_sigset_extended: optional(14, 'uint64'),
  rseq_entry: optional(15, rseq_entry),
  cg_set: optional(16, 'uint32'),
});

export const march = enumeration('march', {
  UNKNOWN: 0,
  X86_64: 1,
  ARM: 2,
  AARCH64: 3,
  PPC64: 4,
  S390: 5,
  MIPS: 6,
  LOONGARCH64: 7,
  RISCV64: 8,
});

export const core_entry = message('core_entry', {
  mtype: required(1, march),
  thread_info: optional(2, thread_info_x86),
  tc: optional(3, task_core_entry),
  ids: optional(4, task_kobj_ids_entry),
  thread_core: optional(5, thread_core_entry),
});
