/** The end of tracing: __ptrace_detach(), exit_ptrace(), kernel/ptrace.c. */
import { PT_EXITKILL } from '../abi/ptrace.ts';
import { SA_NOCLDWAIT, SIG_IGN, SIGCHLD, SIGKILL } from '../abi/signal.ts';
import { kernelInfo, send_signal } from '../signal/queue.ts';
import { do_notify_parent, thread_group_empty } from '../task/notify.ts';
import { release_task } from '../task/release.ts';
import type { Task } from '../task/task.ts';
import { ptrace_unlink } from './link.ts';

/** ignoring_children(). */
function ignoring_children(task: Task): boolean {
  const action = task.sighand.actions[SIGCHLD]!;
  return action.handler === SIG_IGN || (action.flags & SA_NOCLDWAIT) !== 0;
}

/** __ptrace_detach(): a zombie that only the tracing held goes the way it would have gone. */
export function ptrace_detach(tracer: Task, child: Task): void {
  ptrace_unlink(child);
  if (child.exitState !== 'zombie') return;
  let dead = !child.isLeader;
  if (!dead && thread_group_empty(child)) {
    if (child.realParent?.group !== tracer.group) dead = do_notify_parent(child, child.exitSignal);
    else if (ignoring_children(tracer)) {
      tracer.kernel.wake(`child:${tracer.tgid}`);
      dead = true;
    }
  }
  if (dead) release_task(child);
}

/** exit_ptrace(): a tracer ends. */
export function exit_ptrace(tracer: Task): void {
  for (const child of [...tracer.ptraced]) {
    if ((child.ptrace & PT_EXITKILL) !== 0) send_signal(child, kernelInfo(SIGKILL), true);
    ptrace_detach(tracer, child);
  }
}
