import fs from 'node:fs';
import tty from 'node:tty';
import { EIO, EPIPE } from '../abi/errno.ts';
import type { HostIo } from './host-stream.ts';

/** The standard streams of this process. Writes are synchronous: a machine that goes on has its output out. */
export function nodeHostIo(): HostIo {
  return {
    write(fd, bytes) {
      for (let done = 0; done < bytes.length; ) {
        try {
          done += fs.writeSync(fd, bytes, done, bytes.length - done);
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          // The other end of a non-blocking pipe is slow: ask again.
          if (code !== 'EAGAIN') return code === 'EPIPE' ? -EPIPE : -EIO;
        }
      }
      return 0;
    },
    isTty: (fd) => tty.isatty(fd),
    winsize: (fd) => {
      if (!tty.isatty(fd)) return { rows: 0, cols: 0 };
      const [cols, rows] = new tty.WriteStream(fd).getWindowSize();
      return { rows, cols };
    },
  };
}

/**
 * Waits for the host's input and reads some of it: for a machine that is idle because it wants input. Empty at the end.
 * What it returns goes to `HostStreamInode.deliver`, and into the journal.
 */
export function readHostInput(fd: number): Uint8Array {
  const buffer = new Uint8Array(65536);
  for (;;) {
    try {
      return buffer.subarray(0, fs.readSync(fd, buffer));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') return buffer.subarray(0, 0);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
