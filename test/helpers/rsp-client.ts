/** A raw client of the remote protocol, for tests. */
import { connect, type Socket } from 'node:net';
import { type Frame, FrameReader, frame } from '../../server/rsp/framing.ts';

export class RspClient {
  readonly socket: Socket;
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];
  #wake: (() => void) | undefined;
  closed = false;
  acks = true;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.#frames.push(...this.#reader.push(chunk));
      this.#wake?.();
    });
    socket.on('close', () => {
      this.closed = true;
      this.#wake?.();
    });
    socket.on('error', () => undefined);
  }

  static async connect(port: number): Promise<RspClient> {
    const socket = connect(port, '127.0.0.1');
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RspClient(socket);
  }

  /** The next frame of any kind; undefined when the server closed or nothing came in time. */
  async next(timeout = 5000): Promise<Frame | undefined> {
    let late = false;
    const deadline = setTimeout(() => {
      late = true;
      this.#wake?.();
    }, timeout);
    while (this.#frames.length === 0 && !this.closed && !late) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(deadline);
    return this.#frames.shift();
  }

  /** The payload of the next packet; acknowledges it. */
  async reply(timeout = 5000): Promise<string> {
    for (;;) {
      const item = await this.next(timeout);
      if (!item) throw new Error('no answer');
      if (item.kind !== 'packet') continue;
      if (this.acks) this.raw('+');
      return item.payload;
    }
  }

  raw(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'));
  }

  async ask(payload: string, timeout = 5000): Promise<string> {
    this.raw(frame(payload));
    return await this.reply(timeout);
  }

  /** What gdb says first. */
  async hello(features = 'multiprocess+;swbreak+;hwbreak+;fork-events+;exec-events+'): Promise<string> {
    const answer = await this.ask(`qSupported:${features}`);
    await this.ask('QStartNoAckMode');
    this.acks = false;
    return answer;
  }

  close(): void {
    this.socket.destroy();
  }
}
