/** One row per packet; which row a payload belongs to. */
import type { Session } from '../session.ts';

/** The text of the answer; '' says "not known"; undefined: no answer, or a later one (the machine runs). */
export type Reply = string | undefined;

export interface PacketRow {
  /** `g`, `vCont`, `qXfer:auxv:read` ...: up to where the gdb manual says that the name ends. */
  readonly name: string;
  /** What qSupported says of it. */
  readonly features?: readonly string[];
  /** @param args what follows the name, including its delimiter for long names */
  readonly handle: (session: Session, args: string) => Reply;
}

/** The largest payload that we take and give. */
export const PACKET_SIZE = 0x20000;

export type PacketTable = ReadonlyMap<string, PacketRow>;

/** @throws if two rows have one name: a bug */
export function packetTable(rows: readonly PacketRow[]): PacketTable {
  const table = new Map<string, PacketRow>();
  for (const row of rows) {
    if (table.has(row.name)) throw new Error(`two rows for packet ${row.name}`);
    table.set(row.name, row);
  }
  return table;
}

/**
 * A `q`, `Q`, `v` (or lldb's `j`) name is followed by `:`, `,`, `;` or the end of the packet, else it is another, unknown packet;
 * all others are one letter.
 */
export function findRow(table: PacketTable, payload: string): { row: PacketRow; args: string } | undefined {
  if (!/^[qQvj]/.test(payload)) {
    const row = table.get(payload.slice(0, 1));
    return row && { row, args: payload.slice(1) };
  }
  const ends = [...payload.slice(0, 80).matchAll(/[:,;]|$/g)].map((match) => match.index);
  if (payload.length <= 80) ends.push(payload.length);
  for (const end of ends.reverse()) {
    const row = table.get(payload.slice(0, end));
    if (row) return { row, args: payload.slice(end) };
  }
  return undefined;
}
