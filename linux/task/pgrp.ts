/** Orphaned process groups: kernel/exit.c. */
import type { Kernel } from '../kernel.ts';
import { SIGNAL_STOP_STOPPED, type ThreadGroup } from './group.ts';
import type { Task } from './task.ts';

/** for_each_process(): leaders that are not yet reaped. */
function* leaders(kernel: Kernel, pgrp: number): Generator<Task> {
  for (const task of kernel.tasks.values()) if (task.isLeader && task.group.pgrp === pgrp) yield task;
}

/** Whoever started the machine's first program is its parent, in the same session; others without one are init's. */
const outsideParent = (task: Task): boolean => task.realParent === undefined && task.tgid === task.kernel.firstPid;

/** will_become_orphaned_pgrp(): no member but `ignored` has a parent in another group of the same session. */
export function will_become_orphaned_pgrp(kernel: Kernel, pgrp: number, ignored: Task | undefined): boolean {
  for (const p of leaders(kernel, pgrp)) {
    if (p === ignored || (p.exitState !== undefined && p.group.threads.length <= 1)) continue;
    if (outsideParent(p)) return false;
    const parent = p.realParent?.group;
    if (parent && parent.pgrp !== pgrp && parent.session === p.group.session) return false;
  }
  return true;
}

/** is_current_pgrp_orphaned(). */
export const is_current_pgrp_orphaned = (task: Task): boolean =>
  will_become_orphaned_pgrp(task.kernel, task.group.pgrp, undefined);

/** has_stopped_jobs(). */
export function has_stopped_jobs(kernel: Kernel, pgrp: number): boolean {
  for (const p of leaders(kernel, pgrp)) if ((p.group.flags & SIGNAL_STOP_STOPPED) !== 0) return true;
  return false;
}

/** The processes of a group, in order of creation. */
export const processesOf = (kernel: Kernel, pgrp: number): ThreadGroup[] =>
  [...leaders(kernel, pgrp)].map((task) => task.group);
