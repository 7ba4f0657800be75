import type { SigInfo } from '../abi/signal.ts';

/**
 * Where in the kernel a traced task stands, that is how it goes on when its tracer lets it: ptrace_stop() as data. What the
 * tracer gave along is in `task.exitCode`, what became of the siginfo in `task.lastSiginfo`.
 */
export type Trap =
  /** tracehook_report_syscall_entry(), tracehook_report_syscall_exit(). */
  | { readonly kind: 'syscall-entry' }
  | { readonly kind: 'syscall-exit' }
  /** seccomp_phase2(): PTRACE_EVENT_SECCOMP. */
  | { readonly kind: 'seccomp' }
  /** ptrace_signal(): a signal is about to be delivered. */
  | { readonly kind: 'signal' }
  /** do_jobctl_trap(), in get_signal(). */
  | { readonly kind: 'jobctl'; readonly clearCode: boolean }
  /** ptrace_event() within a system call, whose handler is called again. */
  | { readonly kind: 'event' }
  /** PTRACE_EVENT_EXIT: the task then ends with this status. */
  | { readonly kind: 'exit'; readonly code: number }
  /** tracehook_signal_handler(): a step into a handler. */
  | { readonly kind: 'handler' };

/** The siginfo of a stop; undefined in the group stop of an attached task. */
export type TrapInfo = SigInfo | undefined;
