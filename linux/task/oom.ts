/** The OOM killer: mm/oom_kill.c. */
import { SIGKILL, sigmask } from '../abi/signal.ts';
import { kernelInfo, send_signal } from '../signal/queue.ts';
import type { ThreadGroup } from './group.ts';
import type { Task } from './task.ts';

/** oom_badness(): resident pages, moved by oom_score_adj in thousandths of the memory. */
function badness(group: ThreadGroup, frames: number): number {
  if (group.oomScoreAdj === -1000) return -1;
  const task = group.threads.find((thread) => thread.exitState === undefined);
  if (task?.mm === undefined) return -1;
  return Math.max(1, task.mm.rss + (group.oomScoreAdj * frames) / 1000);
}

/**
 * out_of_memory(): the process that holds most gets SIGKILL. The task whose fault found no memory tries again when it runs
 * next; by then the other one is gone.
 */
export function out_of_memory(task: Task): void {
  const { kernel } = task;
  const groups = new Set<ThreadGroup>();
  for (const { group } of kernel.tasks.values()) groups.add(group);
  let victim = task.group;
  let most = 0;
  for (const group of groups) {
    const points = badness(group, kernel.cpu.memory.frameLimit);
    if (points > most || (points === most && group === task.group)) {
      victim = group;
      most = points;
    }
  }
  const { leader } = victim;
  kernel.log.warn({ pid: leader.pid, comm: leader.comm, points: most }, 'out of memory: a process is killed');
  const target = victim.threads.find((thread) => thread.exitState === undefined) ?? task;
  // It was told before and does not go: then the one that asks.
  const told = (victim.sharedPending.set & sigmask(SIGKILL)) !== 0n || (target.pending.set & sigmask(SIGKILL)) !== 0n;
  send_signal(told ? task : target, kernelInfo(SIGKILL), true);
  if (victim !== task.group) kernel.rotate();
}
