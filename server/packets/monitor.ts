/** `monitor`: qRcmd. */
import { hexToText, textToHex } from '../rsp/encoding.ts';
import { E_SYNTAX } from '../rsp/errors.ts';
import type { PacketRow } from './packet.ts';

export const MONITOR_PACKETS: readonly PacketRow[] = [
  {
    name: 'qRcmd',
    handle: (session, args) => {
      const line = hexToText(args.slice(1));
      if (line === undefined) return E_SYNTAX;
      const text = session.target.monitor(line.trim(), session.general);
      return text === '' ? 'OK' : textToHex(text);
    },
  },
];
