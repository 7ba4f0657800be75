import { ptrace_unlink } from '../ptrace/link.ts';
import { sumOfTimes } from './cpu-time.ts';
import { execChannel } from './group.ts';
import { do_notify_parent, thread_group_empty } from './notify.ts';
import type { Task } from './task.ts';

/** release_task(), kernel/exit.c: the pid is free again; the last thread that goes tells the parent of a leader that went before. */
export function release_task(task: Task): void {
  const { group, kernel } = task;
  if (task.ptrace !== 0) ptrace_unlink(task);
  task.exitState = 'dead';
  task.state = 'dead';
  if (kernel.tasks.get(task.pid) === task) kernel.tasks.delete(task.pid);
  group.threads = group.threads.filter((t) => t !== task);
  if (group.execTask) kernel.wake(execChannel(group));
  const parent = task.realParent;
  if (parent && task.isLeader) {
    parent.children = parent.children.filter((t) => t !== task);
    parent.group.childrenTime = sumOfTimes(parent.group.childrenTime, group.deadTime, group.childrenTime);
  }
  const { leader } = group;
  if (leader !== task && leader.exitState === 'zombie' && thread_group_empty(leader)) {
    if (do_notify_parent(leader, leader.exitSignal)) release_task(leader);
  }
}
