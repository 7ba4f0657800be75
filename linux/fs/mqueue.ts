import { EINVAL } from '../abi/errno.ts';
import { encodeName } from '../abi/names.ts';
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../abi/poll.ts';
import { SI_MESGQ } from '../abi/signal.ts';
import { S_IFREG } from '../abi/stat.ts';
import { SIGEV_SIGNAL } from '../abi/time.ts';
import { send_signal } from '../signal/queue.ts';
import type { Task } from '../task/task.ts';
import type { File } from './file.ts';
import { Inode } from './inode.ts';
import { charge, type SuperBlock } from './super-block.ts';

/** What a message costs beside its bytes. */
const OVERHEAD = 64;

export interface MqMessage {
  readonly priority: number;
  readonly bytes: Uint8Array;
}

/** Who wants to be told of a message in an empty queue: mq_notify(3). */
export interface MqNotify {
  readonly tgid: number;
  readonly how: number;
  readonly signo: number;
  readonly value: bigint;
}

/** `struct mqueue_inode_info`, ipc/mqueue.c. */
export class MqueueInode extends Inode {
  readonly maxmsg: number;
  readonly msgsize: number;
  /** Who made it: its bytes count against that user's limit. */
  readonly owner: number;
  /** The highest priority first, the oldest first among equals. */
  messages: MqMessage[] = [];
  bytes = 0;
  registered: MqNotify | undefined = undefined;
  /** Tasks that wait for a message: a notification is for others. */
  receivers = 0;

  constructor(sb: SuperBlock, mode: number, owner: number, maxmsg: number, msgsize: number) {
    super(sb, S_IFREG | (mode & 0o7777));
    this.owner = owner;
    this.maxmsg = maxmsg;
    this.msgsize = msgsize;
  }

  /** What counts against RLIMIT_MSGQUEUE: the messages' room and the tree of priorities. */
  get accounted(): number {
    return mqBytes(this.maxmsg, this.msgsize);
  }

  override get size(): number {
    return 80;
  }
  override read(_file: File, pos: number, count: number): Uint8Array {
    const { registered: r } = this;
    const pad = (value: number, width: number): string => String(value).padEnd(width);
    const text = `QSIZE:${pad(this.bytes, 10)} NOTIFY:${pad(r?.how ?? 0, 5)} SIGNO:${pad(
      r?.how === SIGEV_SIGNAL ? r.signo : 0,
      5,
    )} NOTIFY_PID:${pad(r?.tgid ?? 0, 6)}\n`;
    return encodeName(text).subarray(pos, pos + count);
  }
  override write(): number {
    return -EINVAL;
  }

  /** msg_insert(), and pipelined_receive() for whoever waits. @returns false when the machine keeps too much already */
  insert(message: MqMessage, sender: Task): boolean {
    if (!charge(this.sb.owner, message.bytes.length + OVERHEAD)) return false;
    const at = this.messages.findIndex((m) => m.priority < message.priority);
    this.messages.splice(at < 0 ? this.messages.length : at, 0, message);
    this.bytes += message.bytes.length;
    this.touchMtime();
    if (this.messages.length === 1 && this.receivers === 0) this.tell(sender);
    this.notify(`mq:${this.ino}:r`);
    return true;
  }

  /** msg_get() */
  take(): MqMessage | undefined {
    const message = this.messages.shift();
    if (message === undefined) return undefined;
    this.bytes -= message.bytes.length;
    this.sb.owner.buffered -= message.bytes.length + OVERHEAD;
    this.touchMtime();
    this.notify(`mq:${this.ino}:w`);
    return message;
  }

  /** __do_notify(): once. */
  private tell(sender: Task): void {
    const { registered } = this;
    if (registered === undefined) return;
    this.registered = undefined;
    if (registered.how !== SIGEV_SIGNAL) return;
    const owner = sender.kernel.tasks.get(registered.tgid);
    if (owner === undefined) return;
    const { signo, value } = registered;
    const info = {
      signo,
      errno: 0,
      code: SI_MESGQ,
      layout: 'rt',
      pid: sender.tgid,
      uid: sender.cred.uid,
      value,
    } as const;
    send_signal(owner, info, true);
  }

  /** mqueue_flush_file(): whoever closes the queue is told no more. */
  override flush(): number {
    if (this.registered !== undefined && this.registered.tgid === this.sb.kernel.current?.tgid)
      this.registered = undefined;
    return 0;
  }

  override evict(): void {
    super.evict();
    this.sb.owner.buffered -= this.bytes + this.messages.length * OVERHEAD;
    this.messages = [];
    this.bytes = 0;
  }

  override poll(): number {
    let mask = 0;
    if (this.messages.length > 0) mask |= POLLIN | POLLRDNORM;
    if (this.messages.length < this.maxmsg) mask |= POLLOUT | POLLWRNORM;
    return mask;
  }
  override channels(): readonly string[] {
    return [`mq:${this.ino}:r`, `mq:${this.ino}:w`];
  }
}

/** mqueue_get_inode(): bytes that a queue of these sizes takes. */
export const mqBytes = (maxmsg: number, msgsize: number): number =>
  maxmsg * msgsize + maxmsg * 48 + Math.min(maxmsg, 32768) * 48;
