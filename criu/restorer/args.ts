/**
 * What the restore side hands to the restorer blob, once: the C header task-restore-args.h and the writers on this side both
 * derive from these lists. Pointers are u64 guest addresses; all that they point to lies in the argument area.
 * CRIU: criu/include/restorer.h, struct task_restore_args and thread_restore_args.
 */
import { PRCTL_MM_MAP_FIELDS } from '../../linux/abi/prctl.ts';
import { type Field, type ScalarType, type Struct, struct } from '../../linux/abi/struct.ts';

/** Indices of thread_restore_args.caps, in words: low and high of each set. */
export const CAP_WORDS = 2;

const fields = {
  /** A mapping of the image: what mmap(2) is given, and the advice of madvise(2) as bits. */
  restore_vma: [
    ['start', 'u64'],
    ['end', 'u64'],
    ['pgoff', 'u64'],
    ['madv', 'u64'],
    ['prot', 'u32'],
    ['flags', 'u32'],
    ['fd', 'i32'],
    ['close_fd', 'u32'],
  ],
  /** struct iovec: pages that follow each other in the pages file. */
  restore_iovec: [
    ['base', 'u64'],
    ['length', 'u64'],
  ],
  /** A symbol of the image's vDSO where a jump to the machine's vDSO is to be written. */
  restore_vdso_jump: [
    ['from', 'u64'],
    ['to_offset', 'u64'],
  ],
  /** The kernel's struct sigaction as rt_sigaction(2) takes it from 64-bit code. */
  restore_sigaction: [
    ['handler', 'u64'],
    ['flags', 'u64'],
    ['restorer', 'u64'],
    ['mask', 'u64'],
    ['signo', 'u64'],
  ],
  /** struct compat_sigaction, for rt_sigaction of the 32-bit table. */
  restore_compat_sigaction: [
    ['handler', 'u32'],
    ['flags', 'u32'],
    ['restorer', 'u32'],
    ['mask', 'u32', 2],
    ['signo', 'u32'],
  ],
  /** struct rlimit. */
  restore_rlimit: [
    ['cur', 'u64'],
    ['max', 'u64'],
  ],
  /** struct itimerval. */
  restore_itimer: [
    ['interval_sec', 'u64'],
    ['interval_usec', 'u64'],
    ['value_sec', 'u64'],
    ['value_usec', 'u64'],
  ],
  restore_posix_timer: [
    ['interval_sec', 'u64'],
    ['interval_nsec', 'u64'],
    ['value_sec', 'u64'],
    ['value_nsec', 'u64'],
    ['sival', 'u64'],
    ['id', 'u32'],
    ['clock', 'u32'],
    ['signo', 'u32'],
    ['notify', 'u32'],
    ['notify_tid', 'u32'],
    ['_reserved', 'u32'],
  ],
  /** siginfo_t of a pending signal, in the 64-bit layout. */
  restore_siginfo: [['bytes', 'u8', 128]],
  /** struct user_desc. */
  restore_user_desc: [
    ['entry_number', 'u32'],
    ['base_addr', 'u32'],
    ['limit', 'u32'],
    ['flags', 'u32'],
  ],
  restore_mm_map: PRCTL_MM_MAP_FIELDS,
  thread_restore_args: [
    ['task', 'u64'],
    ['stack_top', 'u64'],
    ['sigframe', 'u64'],
    ['clear_tid_addr', 'u64'],
    ['robust_list', 'u64'],
    ['fs_base', 'u64'],
    ['gs_base', 'u64'],
    ['tls', 'u64'],
    ['siginfos', 'u64'],
    ['groups', 'u64'],
    ['robust_list_size', 'u32'],
    ['tls_count', 'u32'],
    ['siginfo_count', 'u32'],
    ['group_count', 'u32'],
    ['pid', 'u32'],
    ['nice', 'i32'],
    ['policy', 'u32'],
    ['priority', 'u32'],
    ['pdeath_signal', 'u32'],
    ['uid', 'u32'],
    ['gid', 'u32'],
    ['euid', 'u32'],
    ['egid', 'u32'],
    ['suid', 'u32'],
    ['sgid', 'u32'],
    ['fsuid', 'u32'],
    ['fsgid', 'u32'],
    ['secbits', 'u32'],
    ['no_new_privs', 'u32'],
    ['cap_inh', 'u32', CAP_WORDS],
    ['cap_prm', 'u32', CAP_WORDS],
    ['cap_eff', 'u32', CAP_WORDS],
    ['cap_bnd', 'u32', CAP_WORDS],
    ['cap_amb', 'u32', CAP_WORDS],
    ['comm', 'u8', 16],
  ],
  task_restore_args: [
    ['keep_start', 'u64'],
    ['keep_end', 'u64'],
    ['release_start', 'u64'],
    ['release_size', 'u64'],
    ['task_size', 'u64'],
    ['vmas', 'u64'],
    ['iovecs', 'u64'],
    ['vdso_jumps', 'u64'],
    ['sigactions', 'u64'],
    ['rlimits', 'u64'],
    ['itimers', 'u64'],
    ['posix_timers', 'u64'],
    ['siginfos', 'u64'],
    ['threads', 'u64'],
    ['mm', 'u64'],
    ['park', 'u64'],
    ['rt_vvar_size', 'u64'],
    ['rt_vdso_size', 'u64'],
    ['image_vdso', 'u64'],
    ['image_vdso_size', 'u64'],
    ['image_vvar', 'u64'],
    ['image_vvar_size', 'u64'],
    ['compat', 'u32'],
    ['map_vdso', 'u32'],
    ['vdso_in_place', 'u32'],
    ['vma_count', 'u32'],
    ['iovec_count', 'u32'],
    ['vdso_jump_count', 'u32'],
    ['sigaction_count', 'u32'],
    ['rlimit_count', 'u32'],
    ['posix_timer_count', 'u32'],
    ['siginfo_count', 'u32'],
    ['thread_count', 'u32'],
    ['pages_fd', 'i32'],
    ['last_pid_fd', 'i32'],
    ['log_fd', 'i32'],
    ['thp_disabled', 'u32'],
    ['child_subreaper', 'u32'],
    ['dumpable', 'u32'],
    ['stage', 'u32'],
    ['threads_ready', 'u32'],
    ['_reserved', 'u32'],
  ],
} as const satisfies Record<string, readonly Field[]>;

type Structs = { readonly [K in keyof typeof fields]: Struct<(typeof fields)[K]> };

/** The structures by their C names. */
export const restorerStructs: Structs = Object.fromEntries(
  Object.entries(fields).map(([name, list]) => [name, struct(name, list)]),
) as unknown as Structs;

const C_TYPES: Record<ScalarType, string> = {
  u8: 'uint8_t',
  i8: 'int8_t',
  u16: 'uint16_t',
  i16: 'int16_t',
  u32: 'uint32_t',
  i32: 'int32_t',
  u64: 'uint64_t',
  i64: 'int64_t',
};

/** The text of task-restore-args.h. */
export function restorerHeader(): string {
  const lines = [
    '/* Made by header.ts from args.ts: edit that. */',
    '#pragma once',
    '',
    '#ifndef __ASSEMBLER__',
    '#include <stdint.h>',
    '',
  ];
  for (const [name, list] of Object.entries(fields)) {
    lines.push(`struct ${name} {`);
    for (const [field, type, count] of list as readonly (readonly [string, ScalarType, number?])[]) {
      lines.push(`\t${C_TYPES[type]} ${field}${count === undefined ? '' : `[${count}]`};`);
    }
    const { size } = restorerStructs[name as keyof Structs];
    lines.push('};', `_Static_assert(sizeof(struct ${name}) == ${size}, "${name}");`, '');
  }
  lines.push('#endif', '');
  for (const field of ['release_start', 'release_size', 'sigactions', 'sigaction_count', 'threads_ready'] as const) {
    lines.push(`#define TASK_${field.toUpperCase()} ${restorerStructs.task_restore_args.offset[field]}`);
  }
  const compat = restorerStructs.restore_compat_sigaction;
  lines.push(
    `#define COMPAT_SIGACTION_SIGNO ${compat.offset.signo}`,
    `#define COMPAT_SIGACTION_SIZE ${compat.size}`,
    '',
  );
  return lines.join('\n');
}
