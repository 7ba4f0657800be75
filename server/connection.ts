/** One client: bytes in, packets to their rows, answers out. Knows acknowledgements, knows nothing of what packets mean. */
import type { Duplex, Readable, Writable } from 'node:stream';
import { PACKETS } from './packets/all.ts';
import { findRow } from './packets/packet.ts';
import { textToHex } from './rsp/encoding.ts';
import { type Frame, FrameReader, frame } from './rsp/framing.ts';
import { stopReply } from './rsp/stop-reply.ts';
import type { Session } from './session.ts';
import type { StopReport } from './target.ts';

/** What gdb hears when a row throws: a bug of ours, the machine is left as it is. */
const E_BUG = 'E63';
const WAITING_LIMIT = 256;

export class Connection {
  readonly #session: Session;
  readonly #output: Writable;
  readonly #reader = new FrameReader();
  /** Came in while the machine ran. */
  #waiting: Frame[] = [];
  #lastSent = '';
  #open = true;
  /** A whole packet came in. */
  #spoke = false;

  constructor(session: Session, input: Readable, output: Writable, onClose: (spoke: boolean) => void) {
    this.#session = session;
    this.#output = output;
    session.open({
      stopped: (report) => this.#stopped(report),
      console: (text) => this.#send(`O${textToHex(text)}`),
    });
    const close = (): void => {
      if (!this.#open) return;
      this.#open = false;
      session.close();
      onClose(this.#spoke);
    };
    input.on('data', (chunk: Buffer) => this.#received(chunk));
    input.on('end', close);
    input.on('close', close);
    input.on('error', (error) => session.log.info({ err: error }, 'the client is gone'));
    output.on('error', close);
  }

  static overSocket(session: Session, socket: Duplex, onClose: (spoke: boolean) => void): Connection {
    return new Connection(session, socket, socket, (spoke) => {
      socket.destroy();
      onClose(spoke);
    });
  }

  #received(chunk: Buffer): void {
    for (const item of this.#reader.push(chunk)) {
      if (!this.#open) return;
      if (item.kind === 'interrupt') this.#session.interrupt();
      else if (item.kind === 'nak') this.#write(this.#lastSent);
      else if (item.kind === 'packet') this.#packet(item);
    }
  }

  #packet(item: Frame & { kind: 'packet' }): void {
    this.#spoke = true;
    if (!this.#session.client.noAck) {
      this.#write(item.intact ? '+' : '-');
      if (!item.intact) return;
    }
    if (this.#session.state !== 'running') this.#handle(item.payload);
    else if (this.#waiting.length < WAITING_LIMIT) this.#waiting.push(item);
  }

  #handle(payload: string): void {
    const { log } = this.#session;
    if (log.isLevelEnabled('trace')) log.trace({ packet: payload.slice(0, 200) }, '->');
    const found = findRow(PACKETS, payload);
    if (!found) {
      this.#send('');
      return;
    }
    try {
      const reply = found.row.handle(this.#session, found.args);
      if (reply !== undefined) this.#send(reply);
    } catch (bug) {
      log.error({ err: bug, packet: payload.slice(0, 200) }, 'a packet failed');
      this.#send(E_BUG);
    }
  }

  #stopped(report: StopReport): void {
    this.#send(stopReply(this.#session, report));
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const item of waiting) {
      if (item.kind !== 'packet') continue;
      if (this.#session.state === 'running') this.#waiting.push(item);
      else this.#handle(item.payload);
    }
  }

  #send(payload: string): void {
    const { log } = this.#session;
    if (log.isLevelEnabled('trace')) log.trace({ packet: payload.slice(0, 200) }, '<-');
    this.#lastSent = frame(payload);
    this.#write(this.#lastSent);
  }

  #write(raw: string): void {
    if (this.#open && raw !== '') this.#output.write(Buffer.from(raw, 'latin1'));
  }
}
