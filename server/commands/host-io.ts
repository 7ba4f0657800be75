/** The host's descriptors as the guest's standard streams. */
import { fstatSync, readSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { EIO, EPIPE } from '../../linux/abi/errno.ts';
import type { HostIo } from '../../linux/fs/host-stream.ts';
import type { Vfs } from '../../linux/fs/vfs.ts';

const pause = (milliseconds: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
};

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Writes everything, also to a pipe that does not block. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error;
      pause(1);
    }
  }
}

/** @param redirect the host's descriptor to use for one of the guest's: stdout belongs to the protocol under `--listen stdio` */
export function hostIo(redirect: ReadonlyMap<number, number> = new Map()): HostIo {
  const real = (fd: number): number => redirect.get(fd) ?? fd;
  return {
    write: (fd, bytes) => {
      try {
        writeAll(real(fd), bytes);
        return 0;
      } catch (error) {
        return codeOf(error) === 'EPIPE' ? -EPIPE : -EIO;
      }
    },
    isTty: (fd) => isatty(real(fd)),
    winsize: (fd) => {
      const stream = real(fd) === 2 ? process.stderr : process.stdout;
      return { rows: stream.rows ?? 0, cols: stream.columns ?? 0 };
    },
  };
}

const PIECE = 1 << 16;

/** What the host has for the guest to read, fetched when the guest found nothing. */
export class InputPump {
  readonly #vfs: Vfs;
  readonly #forbidden: ReadonlySet<number>;

  /** @param forbidden descriptors that are somebody else's */
  constructor(vfs: Vfs, forbidden: ReadonlySet<number> = new Set()) {
    this.#vfs = vfs;
    this.#forbidden = forbidden;
  }

  /** Waits for input. @returns false if nobody waits for any */
  fetch(): boolean {
    for (const stream of this.#vfs.streams.values()) {
      if (!stream.starved || stream.atEof || stream.hostFd < 0) continue;
      stream.deliver(this.#forbidden.has(stream.hostFd) ? new Uint8Array(0) : read(stream.hostFd));
      return true;
    }
    return false;
  }

  /** The same without waiting where that can be told: from files and pipes with something in them. */
  fetchAsync(): void {
    for (const stream of this.#vfs.streams.values()) {
      if (!stream.starved || stream.atEof || stream.hostFd < 0) continue;
      if (this.#forbidden.has(stream.hostFd)) stream.deliver(new Uint8Array(0));
      else this.#listen(stream.hostFd, (bytes) => stream.deliver(bytes));
    }
  }

  readonly #listening = new Set<number>();

  #listen(fd: number, deliver: (bytes: Uint8Array) => void): void {
    if (this.#listening.has(fd)) return;
    if (fd !== 0 || fstatSync(0).isFile()) {
      deliver(read(fd));
      return;
    }
    this.#listening.add(fd);
    const { stdin } = process;
    const done = (bytes: Uint8Array): void => {
      stdin.pause();
      stdin.removeListener('data', data);
      stdin.removeListener('end', end);
      this.#listening.delete(fd);
      deliver(bytes);
    };
    const data = (chunk: Buffer): void => done(chunk);
    const end = (): void => done(new Uint8Array(0));
    stdin.on('data', data);
    stdin.on('end', end);
    stdin.resume();
  }
}

/** Bytes from a descriptor; none at its end. */
function read(fd: number): Uint8Array {
  const buffer = Buffer.alloc(PIECE);
  for (;;) {
    try {
      return buffer.subarray(0, readSync(fd, buffer, 0, PIECE, null));
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') pause(5);
      else return new Uint8Array(0);
    }
  }
}
