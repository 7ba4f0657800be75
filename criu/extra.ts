import type { Place } from './proto/decode.ts';
import { decode } from './proto/decode.ts';
import type { DecodedMessage } from './proto/message.ts';
import { ipc_msg } from './proto/process.ts';
import { base64Lines, shown } from './show-message.ts';

/** The payload kinds that stand after an entry without a frame of their own. */
export type ExtraKind =
  | 'bytes'
  | 'length'
  | 'tcp-queues'
  | 'bpf-map'
  | 'ghost'
  | 'ipc-shm'
  | 'ipc-semaphores'
  | 'ipc-messages';

/** What readExtra needs of the file: the next bytes, or an ImageError when there are fewer. */
export interface ExtraReader {
  take(size: number, what: string): Uint8Array;
  rest(): Uint8Array;
  place(): Place;
}

/** What crit prints as "extra". */
export type Extra = string | number[] | (string | DecodedMessage)[] | { inq: string; outq: string };

const roundUp = (size: number, unit: number): number => Math.ceil(size / unit) * unit;

/** The extra payload after `entry`; undefined when this entry has none. `bytes` is the payload itself where it is one piece. */
export function readExtra(
  kind: ExtraKind,
  entry: DecodedMessage,
  first: boolean,
  reader: ExtraReader,
): { extra: Extra; bytes?: Uint8Array } | undefined {
  const count = (field: string): number => Number(entry[field] ?? 0);
  const piece = (size: number, what: string): { extra: string; bytes: Uint8Array } => {
    const bytes = reader.take(size, what);
    return { extra: base64Lines(bytes), bytes };
  };
  switch (kind) {
    case 'bytes':
      return piece(count('bytes'), 'bytes of the pipe');
    case 'length':
      return piece(count('length'), 'bytes of the packet');
    case 'bpf-map':
      return piece(count('keys_bytes') + count('values_bytes'), 'bytes of keys and values');
    case 'tcp-queues': {
      const inq = base64Lines(reader.take(count('inq_len'), 'bytes of the receive queue'));
      return { extra: { inq, outq: base64Lines(reader.take(count('outq_len'), 'bytes of the send queue')) } };
    }
    case 'ghost': {
      if (!first) {
        return piece(count('len'), 'bytes of the chunk');
      }
      const { chunks } = entry;
      if (chunks === true) {
        return undefined;
      }
      const bytes = reader.rest();
      return { extra: base64Lines(bytes), bytes };
    }
    case 'ipc-shm': {
      const size = count('size');
      const bytes = reader.take(size, 'bytes of the segment');
      reader.take(roundUp(size, 4) - size, 'bytes of padding');
      return { extra: base64Lines(bytes), bytes };
    }
    case 'ipc-semaphores': {
      const bytes = reader.take(roundUp(2 * count('nsems'), 8), 'bytes of semaphores');
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return { extra: Array.from({ length: count('nsems') }, (_, index) => view.getUint16(2 * index, true)) };
    }
    case 'ipc-messages': {
      const extra: (string | DecodedMessage)[] = [];
      for (let index = 0; index < count('qnum'); index++) {
        const head = reader.take(4, 'bytes of the size of a message');
        const size = new DataView(head.buffer, head.byteOffset, 4).getUint32(0, true);
        const place = reader.place();
        const msg = decode(ipc_msg, reader.take(size, 'bytes of a message'), place);
        const data = reader.take(roundUp(msg.msize, 8), 'bytes of a message').subarray(0, msg.msize);
        // crit prints these messages without its special forms.
        extra.push(shown(ipc_msg, msg, false), base64Lines(data));
      }
      return { extra };
    }
  }
}
