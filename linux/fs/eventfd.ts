import { EAGAIN, EINVAL } from '../abi/errno.ts';
import { POLLERR, POLLIN, POLLOUT } from '../abi/poll.ts';
import type { File } from './file.ts';
import { Inode } from './inode.ts';
import type { SuperBlock } from './super-block.ts';

const ULLONG_MAX = 0xffff_ffff_ffff_ffffn;

/** `struct eventfd_ctx`, fs/eventfd.c. */
export class EventfdInode extends Inode {
  value: bigint;
  readonly semaphore: boolean;

  constructor(sb: SuperBlock, value: number, semaphore: boolean) {
    super(sb, 0o600);
    this.value = BigInt(value >>> 0);
    this.semaphore = semaphore;
  }

  override read(_file: File, _pos: number, count: number): Uint8Array | number {
    if (count < 8) return -EINVAL;
    if (this.value === 0n) return -EAGAIN;
    const taken = this.semaphore ? 1n : this.value;
    this.value -= taken;
    this.notify(`eventfd:${this.ino}`);
    return new Uint8Array(BigUint64Array.of(taken).buffer);
  }
  override write(_file: File, _pos: number, bytes: Uint8Array): number {
    if (bytes.length < 8) return -EINVAL;
    const add = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
    if (add === ULLONG_MAX) return -EINVAL;
    if (ULLONG_MAX - this.value <= add) return -EAGAIN;
    this.value += add;
    this.notify(`eventfd:${this.ino}`);
    return 8;
  }
  override poll(): number {
    let mask = 0;
    if (this.value > 0n) mask |= POLLIN;
    if (this.value === ULLONG_MAX) mask |= POLLERR;
    if (this.value < ULLONG_MAX - 1n) mask |= POLLOUT;
    return mask;
  }
  override channels(): readonly string[] {
    return [`eventfd:${this.ino}`];
  }
  override fdinfo(): string {
    return `eventfd-count: ${this.value.toString(16).padStart(16)}\n`;
  }
}
