/** gdb's own signal numbers (include/gdb/signals.def) and Linux's. */

/** Linux number -> gdb number, where they differ. */
const PAIRS: readonly (readonly [linux: number, gdb: number])[] = [
  [7, 10], // SIGBUS
  [10, 30], // SIGUSR1
  [12, 31], // SIGUSR2
  [16, 143], // SIGSTKFLT: gdb has none
  [17, 20], // SIGCHLD
  [18, 19], // SIGCONT
  [19, 17], // SIGSTOP
  [20, 18], // SIGTSTP
  [23, 16], // SIGURG
  [29, 23], // SIGIO
  [30, 32], // SIGPWR
  [31, 12], // SIGSYS
  [32, 77],
  [64, 78],
];

/** gdb's number of a signal of Linux (gdb, include/gdb/signals.def). */
export function gdbSignal(linux: number): number {
  const pair = PAIRS.find(([l]) => l === linux);
  if (pair) return pair[1];
  return linux >= 33 && linux <= 63 ? linux + 12 : linux;
}

/** @returns 0 for a signal that Linux does not have */
export function linuxSignal(gdb: number): number {
  for (let linux = 1; linux <= 64; linux++) if (gdbSignal(linux) === gdb) return linux;
  return 0;
}
