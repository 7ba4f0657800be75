import { EAGAIN, EINVAL } from '../abi/errno.ts';
import { POLLIN } from '../abi/poll.ts';
import type { File } from './file.ts';
import { Inode } from './inode.ts';
import type { SuperBlock } from './super-block.ts';

/** `struct timerfd_ctx`, fs/timerfd.c. Expirations are counted when somebody looks. */
export class TimerfdInode extends Inode {
  readonly clock: number;
  /** In `kernel.now()`; 0 when disarmed. */
  expires = 0;
  interval = 0;

  constructor(sb: SuperBlock, clock: number) {
    super(sb, 0o600);
    this.clock = clock;
  }

  /** timerfd_setup() */
  arm(expires: number, interval: number): void {
    this.expires = expires;
    this.interval = interval;
    this.notify(`timerfd:${this.ino}`);
  }
  /** timerfd_get_remaining() */
  remaining(): number {
    const now = this.sb.kernel.now();
    if (this.expires === 0) return 0;
    if (now < this.expires) return this.expires - now;
    return this.interval === 0 ? 0 : this.interval - ((now - this.expires) % this.interval);
  }

  override read(_file: File, _pos: number, count: number): Uint8Array | number {
    if (count < 8) return -EINVAL;
    const now = this.sb.kernel.now();
    if (this.expires === 0 || now < this.expires) return -EAGAIN;
    const ticks = this.interval === 0 ? 1 : 1 + Math.floor((now - this.expires) / this.interval);
    this.expires = this.interval === 0 ? 0 : this.expires + ticks * this.interval;
    return new Uint8Array(BigUint64Array.of(BigInt(ticks)).buffer);
  }
  override poll(): number {
    return this.expires !== 0 && this.sb.kernel.now() >= this.expires ? POLLIN : 0;
  }
  override nextEvent(): number | undefined {
    return this.expires !== 0 && this.sb.kernel.now() < this.expires ? this.expires : undefined;
  }
  override channels(): readonly string[] {
    return [`timerfd:${this.ino}`];
  }
}
