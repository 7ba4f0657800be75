/** Deadlines in order: plain data, so that a snapshot holds them. */

/** What happens at a deadline. An entry whose owner has changed its mind is ignored then. */
export type TimerEvent =
  /** The deadline of a blocked task. */
  | { readonly kind: 'wait'; readonly tid: number }
  /** ITIMER_REAL of a process. */
  | { readonly kind: 'itimer'; readonly tgid: number }
  | { readonly kind: 'posix'; readonly tgid: number; readonly id: number }
  | { readonly kind: 'wake'; readonly channel: string };

interface Entry {
  readonly at: number;
  readonly event: TimerEvent;
}

export class TimerQueue {
  /** Ascending by time; equal times in the order of insertion. */
  entries: Entry[] = [];

  add(at: number, event: TimerEvent): void {
    const { entries } = this;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if (entries[mid]!.at <= at) low = mid + 1;
      else high = mid;
    }
    entries.splice(low, 0, { at, event });
  }

  /** The next deadline, or Infinity. */
  get next(): number {
    return this.entries[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Takes the first entry that is due. */
  due(now: number): Entry | undefined {
    return this.entries.length > 0 && this.entries[0]!.at <= now ? this.entries.shift() : undefined;
  }
}
